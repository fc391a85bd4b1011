"""Score-CAM against the formula, one channel after the other in NumPy."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from feature_maps import WEIGHTS, enlarged, features, head, weighted
from scipy import special
from small_classifiers import images

from cfx_jax.attributions import score_cam
from cfx_jax.errors import InputError
from cfx_jax.models import Parts

CUT = Parts(features, head)
IMAGE = jnp.asarray(images(1)[0][:, :6])
MAPS = np.asarray(features(IMAGE), np.float64)


def logit(image, target):
    maps = np.sin(image.reshape(4, 2, 3, 2).mean(axis=(1, 3))[..., None] * np.arange(1, 7)) ** 2
    return (maps**2 * WEIGHTS[..., target]).sum()


@pytest.mark.parametrize("target", [0, 1])
def test_it_is_the_published_formula(target):
    logits = []
    for channel in range(6):
        large = enlarged(MAPS[..., channel], (8, 6))
        let_through = (large - large.min()) / (large.max() - large.min())
        logits.append(logit(let_through * np.asarray(IMAGE)[..., 0], target))
    expected = weighted(MAPS, special.softmax(logits), (8, 6))
    np.testing.assert_allclose(score_cam(CUT, IMAGE, target), expected, atol=1e-5)


@pytest.mark.parametrize("channels_per_batch", [None, 4])
def test_channel_batches_change_nothing(channels_per_batch):
    found = score_cam(CUT, IMAGE, 1, channels_per_batch=channels_per_batch)
    np.testing.assert_allclose(found, score_cam(CUT, IMAGE, 1), atol=1e-6)


def test_the_map_that_lets_the_class_through_has_the_weight():
    """Two maps, of the left and of the right half; the class is the light on the left."""

    def halves(image):
        columns = jnp.arange(6)[None, :, None] < 3
        return jnp.concatenate(
            [jnp.where(columns, image, 0), jnp.where(columns, 0, image)], axis=-1
        )

    found = score_cam(Parts(halves, lambda maps: 100 * maps.mean(axis=(0, 1))), IMAGE, 0)
    np.testing.assert_allclose(found[:, :3], IMAGE[:, :3, 0], rtol=1e-3)
    np.testing.assert_allclose(found[:, 3:], 0, atol=1e-3)


def test_a_constant_map_lets_nothing_through():
    """Both masked images are black, so both channels have weight 1/2."""
    constant = Parts(
        lambda x: 0 * x[:4, :3] + jnp.asarray([3.0, 5.0]), lambda maps: maps.sum(axis=(0, 1))
    )
    found = score_cam(constant, IMAGE, 0)
    np.testing.assert_allclose(found, 4, rtol=1e-6)


def test_it_passes_through_jit_and_vmap_with_traced_targets():
    batch = jnp.stack([IMAGE, 1 - IMAGE])
    explain = jax.jit(
        jax.vmap(lambda image, target: score_cam(CUT, image, target, channels_per_batch=4))
    )
    found = explain(batch, jnp.asarray([1, 0]))[1]
    np.testing.assert_allclose(found, score_cam(CUT, 1 - IMAGE, 0), atol=1e-6)


@pytest.mark.parametrize(
    ("target", "options", "message"),
    [
        (2, {}, r"target: expected a class in 0..1, got 2"),
        (
            0,
            {"channels_per_batch": 0},
            "channels_per_batch: expected an integer of at least 1, got 0",
        ),
    ],
)
def test_mistakes_are_named(target, options, message):
    with pytest.raises(InputError, match=message):
        score_cam(CUT, IMAGE, target, **options)
