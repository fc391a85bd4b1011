"""Methods that treat every pixel alike on volumes: against the stack of their maps of slices, and
by completeness.
"""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from small_classifiers import convolutional_classifier, images

from cfx_jax.attributions import (
    gradient,
    guided_backprop,
    input_x_gradient,
    integrated_gradients,
    integrated_gradients_and_residual,
    path_attribution,
    path_attribution_along,
    perceptual_perturbation,
    random_map,
    smooth_grad,
)
from cfx_jax.errors import InputError
from cfx_jax.models import guided_relu

VOLUME, END = jnp.asarray(images(3)), jnp.asarray(images(3, seed=1))
KEY = jax.random.key(0)
WEIGHTS = jnp.asarray(np.random.default_rng(2).normal(size=(8, 5)), jnp.float32)


def slice_score(image):
    return convolutional_classifier(image)[1]


def score_through(relu):
    return lambda image: (relu((image[..., 0] - 0.5) @ WEIGHTS) @ WEIGHTS.T).sum()


def summed(score):
    """The score of a volume that is the sum of those of its slices."""
    return lambda volume: jax.vmap(score)(volume).sum()


def joint(volume):
    """The probability of a classifier that sees the mean of its slices' logits: no sum of scores of
    slices.
    """
    return jax.nn.softmax(jax.vmap(convolutional_classifier)(volume).mean(axis=0))[1]


def path(score, start, end, **options):
    return path_attribution(score, start, end, num_steps=3, **options).map


def decoded_path(score, start, end):
    return path_attribution_along(score, jax.nn.sigmoid, start, end, num_steps=3, variant="v1").map


POINTWISE = {
    "gradient": lambda score, image, end: gradient(score, image),
    "input_x_gradient": lambda score, image, end: input_x_gradient(score, image),
    "integrated_gradients": lambda score, image, end: integrated_gradients(
        score, image, num_steps=3
    ),
    "from_an_image": lambda score, image, end: integrated_gradients(
        score, image, baseline=end, num_steps=3
    ),
    "from_two_images": lambda score, image, end: integrated_gradients(
        score,
        image,
        baseline=jnp.stack([end, 1 - end]),
        num_steps=2,
        rule="trapezoid",
        nodes_per_batch=3,
    ),
    "path": partial(path, variant="v2"),
    "path_smoothed": partial(path, variant="v1", sigma=1.0),
    "path_of_decoded": decoded_path,
}


@pytest.mark.parametrize("name", POINTWISE)
def test_the_map_of_a_sum_over_slices_is_the_stack_of_their_maps(name):
    method = POINTWISE[name]
    expected = jax.jit(jax.vmap(partial(method, slice_score)))(VOLUME, END)
    np.testing.assert_allclose(
        jax.jit(partial(method, summed(slice_score)))(VOLUME, END), expected, atol=1e-6
    )


def test_guided_backprop_too():
    expected = jax.vmap(partial(guided_backprop, score_through(guided_relu)))(VOLUME)
    np.testing.assert_allclose(
        guided_backprop(summed(score_through(guided_relu)), VOLUME), expected, atol=1e-6
    )
    assert not np.allclose(
        expected, jax.vmap(partial(gradient, score_through(jax.nn.relu)))(VOLUME)
    )


def test_integrated_gradients_of_a_volume_are_complete():
    found = jax.jit(
        partial(integrated_gradients_and_residual, joint, num_steps=100, nodes_per_batch=25)
    )(VOLUME)
    rise = float(joint(VOLUME) - joint(0 * VOLUME))
    assert abs(rise) > 0.05
    assert float(found.map.sum()) == pytest.approx(rise, abs=1e-3 * abs(rise))
    assert abs(float(found.residual)) < 1e-3 * abs(rise)


def test_the_residual_of_a_path_between_volumes_vanishes():
    found = jax.jit(partial(path_attribution, joint, num_steps=100, variant="v1"))(VOLUME, END)
    assert found.map.shape == VOLUME.shape
    assert abs(float(found.residual)) < 1e-4


def test_smooth_grad_draws_noise_for_every_voxel():
    found = smooth_grad(KEY, lambda volume: volume**2, VOLUME, num_samples=2, sigma=0.1)
    noise = [jax.random.normal(jax.random.fold_in(KEY, index), VOLUME.shape) for index in range(2)]
    np.testing.assert_allclose(
        found, sum((VOLUME + 0.1 * each) ** 2 for each in noise) / 2, atol=1e-6
    )


def test_the_random_map_differs_between_slices():
    first, second, _ = random_map(KEY, VOLUME)
    assert abs(np.corrcoef(first.ravel(), second.ravel())[0, 1]) < 0.4


def test_a_volume_is_perturbed_as_a_whole():
    def margin(volume):
        return 3 * (volume[0] - volume[2]).sum()

    options = {"feature_weight": 1e4, "num_steps": 100, "optimiser": optax.sgd(2e-4)}
    change = jax.jit(
        lambda x: perceptual_perturbation(margin, lambda volume: volume[0], x, **options)
    )(VOLUME)
    assert change.shape == VOLUME.shape
    assert float(margin(VOLUME + change)) == pytest.approx(-2, abs=0.1)
    assert float(jnp.abs(change[2]).sum()) > 1.5 * float(jnp.abs(change[0]).sum())


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda: gradient(joint, VOLUME[None]),
            r"image: expected one image \(h, w, c\) or one volume \(s, h, w, c\), got shape \(1, 3,"
            r" 8, 8, 1\): use jax",
        ),
        (
            lambda: random_map(KEY, VOLUME[0, ..., 0]),
            r"image: expected one image .* got shape \(8, 8\)",
        ),
        (
            lambda: smooth_grad(KEY, jnp.abs, VOLUME + 1),
            r"image: expected values in \[0, 1\], got \[1",
        ),
        (
            lambda: input_x_gradient(joint, (255 * np.asarray(VOLUME)).astype(np.uint8)),
            "image: .*got uint8: divide by",
        ),
        (
            lambda: integrated_gradients(joint, VOLUME, baseline=VOLUME[0]),
            r"baseline: expected a number or shape \(3, 8, 8, 1\), or \(n, 3, 8, 8, 1\) for"
            r" several, got \(8, 8, 1\)",
        ),
        (
            lambda: path_attribution(joint, VOLUME, END[:2]),
            r"end: expected the shape of start \(3, 8, 8, 1\)",
        ),
        (
            lambda: gradient(slice_score, VOLUME),
            r"score: expected one volume \(3, 8, 8, 1\) -> scalar, got \w*Error \(.+\): mend the"
            r" score, or use jax\.vmap",
        ),
        (
            lambda: integrated_gradients(lambda x: x.sum(axis=(1, 2, 3)), VOLUME),
            r"score: expected one volume \(3, 8, 8, 1\) -> scalar, got shape \(3,\):"
            r" objectives\.class_score makes a score"
            r" of a classifier, jax\.vmap explains a batch",
        ),
        (
            lambda: gradient(convolutional_classifier, VOLUME[0]),
            r"score: expected one image \(8, 8, 1\) -> scalar, got shape \(3,\):"
            r" objectives\.class_score",
        ),
    ],
)
def test_mistakes_are_named(call, message):
    with pytest.raises(InputError, match=message):
        call()


def test_what_a_score_raises_by_itself_is_kept():
    def score(error):
        def fail(image):
            raise error

        return fail

    with pytest.raises(TypeError, match="of the score"):
        gradient(score(TypeError("of the score")), VOLUME[0])
    with pytest.raises(InputError, match="of the score"):
        gradient(score(InputError("of the score")), VOLUME)
