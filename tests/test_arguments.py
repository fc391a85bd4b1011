"""Arguments of an undocumented kind are refused in one line, before anything is computed."""

from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from PIL import Image
from small_classifiers import convolutional_classifier, images

from cfx_jax.attributions import (
    augment_average,
    grad_cam,
    gradient,
    integrated_gradients,
    latent_saliency,
    mask_perturbation,
    occlusion,
    random_map,
    smooth_grad,
    vce_saliency,
)
from cfx_jax.counterfactuals import (
    cyce,
    find_unexplainable,
    latent_counterfactual,
    probability_bin,
    reconstruction_psnr,
    similar_adversarial,
    smallest_counterfactual,
    vce,
    vce_batch,
    xgem,
)
from cfx_jax.data import split
from cfx_jax.errors import InputError
from cfx_jax.geometry import lp_ball_in_box, lp_norm
from cfx_jax.losses import total_variation
from cfx_jax.maps import channel_sum, min_max, quantile_threshold, smooth, upsample
from cfx_jax.metrics import (
    fit_temperature,
    overwrite_with,
    parameter_randomisation,
    perturbation_curve,
    pointing_game,
    robustly_correct,
    wilson_interval,
)
from cfx_jax.models import Parts
from cfx_jax.objectives import class_score, log_odds
from cfx_jax.optimise import apgd, auto_frank_wolfe, from_optax, gradient_descent, solve
from cfx_jax.parallel import map_examples

IMAGE, IMAGES, KEY = images(1)[0], images(3), jax.random.key(0)


class Tensor:
    """What PyTorch's tensors show of themselves."""

    dtype = SimpleNamespace()

    def __init__(self, shape):
        self.shape, self.ndim = shape, len(shape)


def two_classes(image):
    return jnp.stack([0.5, image.mean()])


CODER = SimpleNamespace(encode=lambda image: 2 * image, decode=lambda latent: latent / 2)
SET = lp_ball_in_box(jnp.asarray(IMAGE), 0.1, 2)


def explain(**changes):
    arguments = {
        "classifier": convolutional_classifier,
        "image": IMAGE,
        "target": 1,
        "p": 2,
        "radius": 0.1,
    } | changes
    return vce(
        arguments.pop("classifier"), arguments.pop("image"), arguments.pop("target"), **arguments
    )


def explain_all(**changes):
    arguments = {"images": IMAGES, "targets": [0, 1, 2], "p": 2, "radius": 0.1} | changes
    return vce_batch(
        convolutional_classifier, arguments.pop("images"), arguments.pop("targets"), **arguments
    )


def attack(**changes):
    arguments = {"key": KEY, "images": IMAGES, "labels": [0, 1, 2], "radius": 0.1} | changes
    positional = [arguments.pop(name) for name in ("key", "images", "labels")]
    return robustly_correct(positional[0], convolutional_classifier, *positional[1:], **arguments)


REFUSED = {
    "image: expected an array of NumPy or JAX, got list: join them with np.stack": lambda: explain(
        image=[IMAGE, IMAGE]
    ),
    "image: expected an array of NumPy or JAX, got Image: use np.asarray(image, np.float32) /"
    " 255": (lambda: explain(image=Image.new("RGB", (8, 8)))),
    "image: expected an array of NumPy or JAX, got str: use np.asarray, or read it": lambda: (
        explain(image="a.png")
    ),
    "image: expected an array of NumPy or JAX, got NoneType": lambda: gradient(jnp.sum, None),
    "images: expected an array of NumPy or JAX, got list: join them with np.stack": (
        lambda: explain_all(images=list(IMAGES))
    ),
    "counterfactual: expected an array of NumPy or JAX, got list": lambda: vce_saliency(
        IMAGE, [IMAGE]
    ),
    "classifier: expected a function of one image -> logits (k,), got int": lambda: explain(
        classifier=3
    ),
    "p: expected a norm with p >= 1 (or inf), got '2': give a Python number": lambda: explain(
        p="2"
    ),
    "p: expected a norm with p >= 1 (or inf), got 'inf': give a Python number": lambda: explain_all(
        p="inf"
    ),
    "p: expected a norm with p >= 1 (or inf), got True": lambda: attack(p=True),
    "p: expected a norm with p >= 1 (or inf), got None": lambda: lp_ball_in_box(IMAGE, 0.1, None),
    "radius: expected a real number, got '1'": lambda: explain(radius="1"),
    "radius: expected one number, got shape (2,)": lambda: explain(radius=np.ones(2)),
    "radius: expected one number, or one for each of the 3 images, shape (3,), got shape (5,)": (
        lambda: explain_all(radius=np.ones(5))
    ),
    "radius: expected one number, or one for each of the 3 images, shape (3,), got shape (3, 2)": (
        lambda: explain_all(radius=np.ones((3, 2)))
    ),
    "radius: expected a finite number above 0, got [0.1, 0.1, 0]": lambda: explain_all(
        radius=[0.1, 0.1, 0]
    ),
    "key: expected one random key, got 0: make it with jax.random.key(seed)": lambda: explain(
        key=0
    ),
    "key: expected one random key, got 7": lambda: smooth_grad(7, lambda x: x, IMAGE),
    "key: expected one random key, got None": lambda: random_map(None, IMAGE),
    "key: expected one random key, got dtype key<fry> of shape (2,)": lambda: attack(
        key=jax.random.split(KEY)
    ),
    "num_steps: expected an integer of at least 1, got 2.5": lambda: explain(num_steps=2.5),
    "num_steps: expected an integer of at least 1, got True": lambda: explain(num_steps=True),
    "batch_size: expected an integer of at least 1, got 2.5": lambda: explain_all(batch_size=2.5),
    "batch_size: expected an integer of at least 1, got '3'": lambda: map_examples(
        jnp.add, 0.0, IMAGES, batch_size="3"
    ),
    "masks: expected one for each of the 3 images, got shape (2, 8, 8)": (
        lambda: explain_all(masks=np.ones((2, 8, 8), bool))
    ),
    "mask: expected an array of NumPy or JAX, got str": lambda: explain(mask="lesion"),
    "penalty: expected a real number, got '1'": (
        lambda: latent_counterfactual(CODER, convolutional_classifier, IMAGE, 1, penalty="1")
    ),
    "penalty: expected a number of at least 0, got -1": (
        lambda: latent_counterfactual(CODER, convolutional_classifier, IMAGE, 1, penalty=-1)
    ),
    "coder.encode: expected a function of one array -> one array, got NoneType": (
        lambda: latent_counterfactual(None, convolutional_classifier, IMAGE, 1)
    ),
    "algorithm: expected one of cfx_jax.optimise, got NoneType": lambda: xgem(
        CODER, convolutional_classifier, IMAGE, None
    ),
    "generators: expected g_0 and g_1, got function": lambda: cyce(
        lambda x: x, convolutional_classifier, IMAGE
    ),
    "generate: expected a function of one image -> images, got int": lambda: similar_adversarial(
        3, IMAGE
    ),
    "classifier: expected a function of one image -> logits (k,), got NoneType": lambda: (
        class_score(None, 1)
    ),
    "features: expected a function of one image -> feature maps, got NoneType": (
        lambda: grad_cam(Parts(None, lambda maps: maps.mean((0, 1))), IMAGE, 1)
    ),
    "score: expected a function of one image or volume -> scalar, got int": lambda: gradient(
        3, IMAGE
    ),
    "score: expected one image (8, 8, 1) -> scalar, got shape (3,)": (
        lambda: mask_perturbation(convolutional_classifier, IMAGE)
    ),
    "attribution: expected a function of one image -> map, got NoneType": lambda: smooth_grad(
        KEY, None, IMAGE
    ),
    "ranges: expected AugmentationRanges, got int": lambda: augment_average(
        KEY, lambda x: x, IMAGE, ranges=3
    ),
    "baseline: expected a real number, got 'black'": lambda: integrated_gradients(
        jnp.sum, IMAGE, baseline="black"
    ),
    "radius: expected an integer of at least 0, got 2.5": lambda: smooth(
        IMAGE[..., 0], sigma=1.0, radius=2.5
    ),
    "momentum: expected a number in [0, 1), got 1": lambda: gradient_descent(
        num_steps=1, step_size=0.1, momentum=1
    ),
    "step_size: expected a share of the way, at most 1, got 2": lambda: auto_frank_wolfe(
        SET, num_steps=1, step_size=2
    ),
    "constraint: expected a set, as of geometry.lp_ball_in_box, got NoneType": lambda: apgd(
        None, num_steps=1
    ),
    "oscillation: expected a real number, got 'a'": lambda: apgd(SET, num_steps=1, oscillation="a"),
    "num_steps: expected an integer of at least 1, got '3'": lambda: from_optax(
        optax.sgd(0.1), num_steps="3"
    ),
    "examples: expected leaves with one common leading axis, got lengths ['None']": lambda: solve(
        lambda shared, example: None, None, 3
    ),
    "surrogates: expected a list of classifiers, got int": lambda: attack(surrogates=3),
    "relevance: expected an array of NumPy or JAX, got NoneType": (
        lambda: perturbation_curve(convolutional_classifier, IMAGE, None, overwrite_with(0.0))
    ),
    "other: expected a real number, got 'grey'": lambda: overwrite_with("grey"),
    "tolerance: expected a real number, got 'a'": lambda: pointing_game(
        IMAGE[..., 0], IMAGE[..., 0] > 0, tolerance="a"
    ),
    "logits: expected a real number, got 'a'": lambda: fit_temperature("a", [0]),
    "image: expected an array of NumPy or JAX, got Tensor of namespace": lambda: explain(
        image=Tensor((8, 8, 1))
    ),
    "images: expected an array without masked values, got a masked array: fill them": lambda: (
        explain_all(images=np.ma.masked_less(IMAGES, 0.1))
    ),
    "arrays: expected numbers, got dtype <U1: cast it": lambda: explain(mask=np.full((8, 8), "1")),
    "method: expected one of 'auto', 'apgd', 'afw', got array": lambda: explain(method=np.ones(2)),
    "num_steps: expected an integer of at most 2147483647, got 1000": lambda: explain(
        num_steps=10**30
    ),
    "probability: expected one number, got shape (2,)": lambda: smallest_counterfactual(
        convolutional_classifier, IMAGE, 1, p=2, largest_radius=1.0, probability=np.ones(2)
    ),
    "coder.encode: expected a function of one array -> one array, got int": lambda: xgem(
        SimpleNamespace(encode=3), two_classes, IMAGE, gradient_descent(num_steps=1, step_size=0.1)
    ),
    "mask_shape: expected (rows, columns) from (1, 1) to (8, 8), got 4": lambda: mask_perturbation(
        class_score(convolutional_classifier, 1), IMAGE, mask_shape=4
    ),
    "baseline: expected a real number, got {}": lambda: occlusion(
        class_score(convolutional_classifier, 1), IMAGE, window=2, baseline={}
    ),
    "probability: expected values in [0, 1], got others or NaN": lambda: probability_bin(
        np.array([0.5, np.nan])
    ),
    "minimum_psnr: expected a real number, got '20'": lambda: find_unexplainable(
        CODER, IMAGES, minimum_psnr="20"
    ),
    "upper: expected one number, got shape (2,)": lambda: lp_ball_in_box(
        IMAGE, 0.1, 2, upper=np.ones(2)
    ),
    "quantile: expected a real number, got 'high'": lambda: quantile_threshold(
        IMAGE[..., 0], "high"
    ),
    "level: expected a real number, got None": lambda: wilson_interval(1, 2, level=None),
    "fractions: expected shares by name, got [1]": lambda: split(np.zeros(4, int), [1], seed=0),
    "groups: expected a list of beginnings of paths, got 'head'": (
        lambda: parameter_randomisation(KEY, lambda w, x: w * x, np.ones(1), IMAGES, groups="head")
    ),
}


@pytest.mark.parametrize("message", REFUSED)
def test_another_kind_of_argument_is_refused_in_one_line(message):
    with pytest.raises(InputError) as caught:
        REFUSED[message]()
    assert str(caught.value).startswith(message)
    assert "\n" not in str(caught.value)


def test_numbers_and_keys_of_numpy_and_of_old_style_are_as_good():
    expected = explain(key=jax.random.key(0), num_steps=2)
    found = explain(
        key=jax.random.PRNGKey(0),
        num_steps=np.int64(2),
        p=np.float32(2),
        radius=np.float64(0.1),
        target=np.int8(1),
    )
    for one, other in zip(expected, found, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-6)


MISREAD = {
    "channel_sum": channel_sum,
    "min_max": min_max,
    "upsample": lambda image: upsample(image, (16, 16)),
    "smooth": lambda image: smooth(image, sigma=1.0),
    "lp_norm": lambda image: lp_norm(image, 2),
    "total_variation": lambda image: total_variation(image[None]),
    "reconstruction_psnr": lambda image: reconstruction_psnr(IMAGE / 2, image),
    "latent_saliency": lambda image: latent_saliency(IMAGE / 2, image, IMAGE / 3).map,
    "perturbation_curve": lambda image: perturbation_curve(
        convolutional_classifier, IMAGE, image[..., 0], overwrite_with(0.0)
    ),
    "map_examples": lambda image: map_examples(jnp.add, 0.0, image),
    "radius": lambda image: explain_all(radius=image.ravel()[:3]).image,
    "log_odds": lambda image: log_odds(image.ravel(), 1),
    "temperature": lambda image: fit_temperature(image[:, :2, 0], [0, 1] * 4),
}


@pytest.mark.parametrize("name", MISREAD)
def test_numbers_in_another_byte_order_are_refused_rather_than_misread(name):
    """A compiled function of JAX takes the bytes of '>f4' for those of '<f4', without a word."""
    MISREAD[name](IMAGE)
    with pytest.raises(InputError, match="in this machine's byte order, got >f4: use"):
        MISREAD[name](IMAGE.astype(">f4"))
