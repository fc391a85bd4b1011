"""Functions that name a class refuse one that the classifier has not; where the class is traced
they give NaN.
"""

from functools import partial
from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from small_classifiers import convolutional_classifier, images

from cfx_jax.attributions import grad_cam, grad_cam_plus_plus, score_cam
from cfx_jax.counterfactuals import (
    latent_counterfactual,
    latent_counterfactual_batch,
    latent_shift,
    latent_shift_batch,
    vce,
    vce_batch,
)
from cfx_jax.errors import InputError
from cfx_jax.losses import cross_entropy
from cfx_jax.metrics import robustly_correct
from cfx_jax.models import Parts, one_label, two_logits
from cfx_jax.objectives import (
    class_score,
    decision,
    log_odds,
    negative_log_probability,
    negative_margin,
)

IMAGE, IMAGES = jnp.asarray(images(1)[0]), images(3)
CODER = SimpleNamespace(encode=lambda image: 2 * image, decode=lambda latent: latent / 2)


def features(image):
    """Two maps of 4 x 4."""
    return jnp.tanh(image[::2, ::2] * jnp.asarray([1.0, -1.0]))


def head(maps):
    """Three logits of two maps."""
    return maps.mean((0, 1)) @ jnp.asarray([[1.0, 2.0, 0.5], [0.0, -1.0, 3.0]])


EXPLANATIONS = {
    **{
        of: lambda target, of=of: jax.grad(class_score(convolutional_classifier, target, of=of))(
            IMAGE
        )
        for of in ("log_odds", "logit", "probability", "log_probability")
    },
    "negative log-probability": lambda target: negative_log_probability(
        convolutional_classifier, target
    )(IMAGE),
    "negative margin": lambda target: negative_margin(convolutional_classifier, target)(IMAGE),
    "grad_cam": lambda target: grad_cam(Parts(features, head), IMAGE, target),
    "grad_cam_plus_plus": lambda target: grad_cam_plus_plus(Parts(features, head), IMAGE, target),
    "score_cam": lambda target: score_cam(Parts(features, head), IMAGE, target),
    "vce": lambda target: vce(
        convolutional_classifier, IMAGE, target, p=2, radius=0.1, num_steps=2
    ),
    "latent_counterfactual": lambda target: latent_counterfactual(
        CODER, convolutional_classifier, IMAGE, target, num_steps=2
    ),
    "latent_shift": lambda target: latent_shift(CODER, convolutional_classifier, IMAGE, target),
}
OF_IMAGES = {
    "vce_batch": partial(vce_batch, convolutional_classifier, IMAGES, p=2, radius=0.1, num_steps=2),
    "latent_counterfactual_batch": partial(
        latent_counterfactual_batch, CODER, convolutional_classifier, IMAGES
    ),
    "latent_shift_batch": partial(latent_shift_batch, CODER, convolutional_classifier, IMAGES),
    "robustly_correct": lambda labels: robustly_correct(
        jax.random.key(0), convolutional_classifier, IMAGES, labels, radius=0.1
    ),
}
NO_CLASS = {
    3: "expected a class in 0..2, got 3: the classifier has 3 classes",
    -1: "expected a class in 0..2, got -1",
    "sick": r"expected a class index \(integer\), got 'sick': classes are the numbers 0..2",
    False: r"expected a class index \(integer\), got False",
    1.0: r"expected a class index \(integer\), got 1\.0",
    None: r"expected a class index \(integer\), got dtype object",
}


@pytest.mark.parametrize("target", NO_CLASS)
@pytest.mark.parametrize("name", EXPLANATIONS)
def test_a_class_that_does_not_exist_is_not_explained(name, target):
    with pytest.raises(InputError, match=NO_CLASS[target]):
        EXPLANATIONS[name](target)


@pytest.mark.parametrize("name", EXPLANATIONS)
def test_a_class_is_one_number(name):
    for target in ([1], np.asarray([1]), jnp.asarray([[1]])):
        with pytest.raises(
            InputError, match=r"expected one class, 0..2, got shape .*: give a single integer"
        ):
            EXPLANATIONS[name](target)


@pytest.mark.parametrize("name", EXPLANATIONS)
def test_a_traced_class_gives_nan_where_it_does_not_exist_and_else_the_untraced_answer(
    name,
):
    explain = jax.jit(lambda target: EXPLANATIONS[name](target))
    for target in (-1, 3, 99):
        found = jax.tree.leaves(explain(target))
        changed = [leaf for leaf in found if not np.isnan(leaf).all()]
        # The reconstruction, and the factors that a latent shift tries, do not depend on a class.
        allowed = {"latent_counterfactual": 1, "latent_shift": 3}.get(name, 0)
        assert len(changed) <= allowed, (target, [leaf.shape for leaf in changed])
        assert np.isnan(found[0]).all()
    expected = EXPLANATIONS[name](1)
    for traced, untraced in zip(*map(jax.tree.leaves, (explain(1), expected)), strict=True):
        np.testing.assert_allclose(traced, untraced, rtol=2e-3, atol=2e-5)
        assert np.isfinite(untraced).all()


@pytest.mark.parametrize("name", OF_IMAGES)
def test_each_image_has_one_class(name):
    for targets, message in (
        ([0, 1, 3], r"expected a class in 0\.\.2, got 3"),
        ([0, -1, 1], r"expected a class in 0\.\.2, got -1"),
        (["0", "1", "2"], r"expected a class index \(integer\), got dtype <U1"),
        ([0.0, 1.0, 2.0], r"expected a class index \(integer\), got dtype float64"),
        ([True, False, True], r"expected a class index \(integer\), got dtype bool"),
        ([0, 1], r"expected one class for each of the 3 images, got shape \(2,\)"),
        ([[0], [1], [2]], r"3 images, got shape \(3, 1\)"),
        (1, r"3 images, got shape \(\)"),
    ):
        with pytest.raises(InputError, match=message):
            OF_IMAGES[name](targets)


ONE_LOGIT = {
    "()": lambda image: image.sum(),
    "(1,)": lambda image: image.sum()[None],
}


@pytest.mark.parametrize("shape", ONE_LOGIT)
def test_one_logit_is_no_classifier_and_two_logits_makes_one(shape):
    network = ONE_LOGIT[shape]
    calls = [
        lambda: class_score(network, 0)(IMAGE),
        lambda: class_score(network, 0, of="logit")(IMAGE),
        lambda: negative_margin(network, 0)(IMAGE),
        lambda: log_odds(network(IMAGE), 0),
        lambda: decision(network(IMAGE)),
        lambda: vce(network, IMAGE, 0, p=2, radius=0.1),
        lambda: vce_batch(network, IMAGES, [0, 0, 0], p=2, radius=0.1),
        lambda: grad_cam(Parts(features, lambda maps: network(maps)), IMAGE, 0),
        lambda: robustly_correct(jax.random.key(0), network, IMAGES, [0, 0, 0], radius=0.1),
    ]
    for call in calls:
        with pytest.raises(
            InputError,
            match=rf"got (shape )?{shape.replace('(', '.').replace(')', '.')}: models.two_logits",
        ):
            call()
    assert float(class_score(two_logits(network), 1)(IMAGE)) == pytest.approx(float(IMAGE.sum()))


def test_logits_that_are_whole_numbers_have_no_gradient_to_follow():
    with pytest.raises(InputError, match="expected logits of a floating-point dtype, got int32"):
        vce(
            lambda image: jnp.stack([image.sum(), image.max()]).astype(jnp.int32),
            IMAGE,
            1,
            p=2,
            radius=0.1,
        )


def test_a_label_is_an_index():
    for label in (-1, 1.0, "a", True, None):
        with pytest.raises(InputError, match="label: expected an integer of at least 0, got"):
            one_label(convolutional_classifier, label)


def test_no_cross_entropy_of_a_label_that_is_no_class():
    logits = jnp.asarray([[1.0, 2.0, 3.0]])
    for label in (-1, 3):
        with pytest.raises(InputError, match=rf"labels: expected a class in 0\.\.2, got {label}"):
            cross_entropy(logits, jnp.asarray([label]))
        value, slope = jax.jit(jax.value_and_grad(cross_entropy))(logits, jnp.asarray([label]))
        assert jnp.isnan(value) and jnp.isnan(slope).all()
