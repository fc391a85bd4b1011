"""Grad-CAM and Grad-CAM++ against the formulas in NumPy, class activation maps, and a network
computed by hand.
"""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from feature_maps import WEIGHTS, enlarged, features, head, weighted
from small_classifiers import images
from small_resnet import small_resnet

from cfx_jax.attributions import grad_cam, grad_cam_plus_plus
from cfx_jax.errors import InputError
from cfx_jax.models import Parts, parts

IMAGE = jnp.asarray(images(1)[0][:, :6])
MAPS = np.asarray(features(IMAGE), np.float64)
CUT = Parts(features, head)
BOTH = pytest.mark.parametrize("method", [grad_cam, grad_cam_plus_plus])


def pooled_head(slopes):
    """The mean of every map, then a linear layer: the network of class activation maps (Zhou et al.
    2016).
    """
    return lambda maps: maps.mean(axis=(0, 1)) @ jnp.asarray(slopes, jnp.float32)


@pytest.mark.parametrize("target", [0, 1])
def test_grad_cam_is_the_published_formula(target):
    slopes = 2 * WEIGHTS[..., target] * MAPS
    expected = weighted(MAPS, [slopes[..., k].sum() / 12 for k in range(6)], (8, 6))
    assert 0 < (expected > 0).mean() < 1
    np.testing.assert_allclose(grad_cam(CUT, IMAGE, target), expected, atol=1e-6)


@pytest.mark.parametrize("target", [0, 1])
def test_grad_cam_plus_plus_is_the_published_formula(target):
    weights = np.zeros(6)
    for row, column, k in np.ndindex(4, 3, 6):
        slope = 2 * WEIGHTS[row, column, k, target] * MAPS[row, column, k]
        if slope != 0:
            alpha = slope**2 / (2 * slope**2 + MAPS[..., k].sum() * slope**3)
            weights[k] += alpha * max(slope, 0)
    np.testing.assert_allclose(
        grad_cam_plus_plus(CUT, IMAGE, target),
        weighted(MAPS, weights, (8, 6)),
        rtol=1e-5,
    )


def test_grad_cam_by_hand():
    """Logit 1 is the sum of x - 2 (1 - x) = 3 x - 2 over four pixels: weights 1 and -2, positive
    where x > 2/3.
    """
    image = jnp.asarray([[[1.0], [0.5]], [[0.7], [0.9]]])

    def tents(x):
        return jnp.concatenate([x, 1 - x], axis=-1)

    slopes = jnp.asarray([[0.0, 1.0], [0.0, -2.0]])
    found = grad_cam(Parts(tents, lambda maps: maps.sum(axis=(0, 1)) @ slopes), image, 1)
    np.testing.assert_allclose(found, [[1.0, 0.0], [0.1, 0.7]], atol=1e-6)


def test_with_a_pooled_linear_head_it_is_the_class_activation_map_over_the_area():
    slopes = np.random.default_rng(0).normal(size=(6, 3))
    activation = enlarged(np.maximum(MAPS @ slopes[:, 2], 0), (8, 6))
    np.testing.assert_allclose(
        grad_cam(Parts(features, pooled_head(slopes)), IMAGE, 2), activation / 12, atol=1e-6
    )


def test_what_speaks_against_a_class_is_the_map_of_the_other():
    slopes = np.stack([np.ones(6), -np.ones(6)], axis=1)
    cut = Parts(features, pooled_head(slopes))
    assert float(grad_cam(cut, IMAGE, 0).max()) > 0
    np.testing.assert_array_equal(grad_cam(cut, IMAGE, 1), 0)
    np.testing.assert_array_equal(grad_cam_plus_plus(cut, IMAGE, 1), 0)


@BOTH
def test_maps_that_do_not_matter_give_nothing_and_no_nan(method):
    np.testing.assert_array_equal(method(Parts(features, lambda maps: 0 * head(maps)), IMAGE, 0), 0)
    np.testing.assert_array_equal(method(CUT, jnp.zeros_like(IMAGE), 0), 0)


@pytest.mark.parametrize("scale", [1e-30, 1e30])
def test_grad_cam_plus_plus_survives_gradients_whose_cube_does_not(scale):
    """Small gradients have the weight g / 2 each, large ones 1 over the channel's sum."""
    cut = Parts(features, lambda maps: scale * maps.sum() * jnp.asarray([1.0, -1.0]))
    found = grad_cam_plus_plus(cut, IMAGE, 0)
    weights = 12 * scale / (2 + MAPS.sum(axis=(0, 1)) * scale)
    np.testing.assert_allclose(found, weighted(MAPS, weights, (8, 6)), rtol=1e-4)


def test_grad_cam_plus_plus_counts_a_negative_sum_as_none():
    cut = Parts(lambda x: features(x) - 3, lambda maps: maps.sum() * jnp.asarray([1.0, -1.0]))
    found = grad_cam_plus_plus(cut, IMAGE, 0)
    np.testing.assert_allclose(found, weighted(MAPS - 3, np.full(6, 12 / 2), (8, 6)), atol=1e-5)


@BOTH
def test_it_passes_through_jit_and_vmap_with_traced_targets(method):
    batch = jnp.stack([IMAGE, 1 - IMAGE])
    mapped = jax.jit(jax.vmap(lambda image, target: method(CUT, image, target)))(
        batch, jnp.asarray([1, 0])
    )
    np.testing.assert_allclose(mapped[1], method(CUT, 1 - IMAGE, 0), atol=1e-6)


def test_a_model_of_this_library_is_explained_by_its_two_parts():
    """Its head is pooled and linear, so the map is the class activation map here too."""
    model = small_resnet()
    cut = parts(model)
    image = jnp.asarray(images(1, size=32, channels=3)[0])
    found = jax.jit(lambda x: grad_cam(cut, x, 1))(image)
    maps = np.asarray(jax.jit(cut.features)(image))
    activation = np.maximum(maps @ np.asarray(model.head.kernel[:, 1]), 0) / (
        maps.shape[0] * maps.shape[1]
    )
    np.testing.assert_allclose(found, enlarged(activation, (32, 32)), rtol=1e-3, atol=1e-5)
    assert found.max() > 0


@BOTH
@pytest.mark.parametrize(
    ("parts", "image", "target", "message"),
    [
        ((features, head), IMAGE + 1, 0, r"image: expected values in \[0, 1\]"),
        ((features, head), IMAGE, 2, r"target: expected a class in 0..1, got 2"),
        (
            (lambda x: features(x)[None], head),
            IMAGE,
            0,
            r"features: expected one image \(8, 6, 1\) -> maps .* got \(1, 4",
        ),
        (
            (lambda x: jnp.tile(x, (2, 1, 3)), head),
            IMAGE,
            0,
            r"features: .* no larger than it, got \(16, 6, 3\)",
        ),
        (
            (features, lambda maps: head(maps)[0]),
            IMAGE,
            0,
            r"classifier: expected one image -> logits \(k,\)",
        ),
    ],
)
def test_mistakes_are_named(method, parts, image, target, message):
    with pytest.raises(InputError, match=message):
        method(Parts(*parts), image, target)
