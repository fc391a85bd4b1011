"""Displacements that are known: none, those of a growing disc, and random smooth ones."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.ndimage

from cfx_jax.errors import InputError
from cfx_jax.image_registration import register, warp
from cfx_jax.metrics import dice

SIDE = 48
ROWS, COLUMNS = np.mgrid[:SIDE, :SIDE].astype(np.float32)
_with_bending = jax.jit(lambda moving, fixed, bending: register(moving, fixed, bending=bending))


def registered(moving, fixed, *, bending=3e-5):
    """One compiled program for every test."""
    return _with_bending(moving, fixed, bending)


def distance():
    return np.hypot(ROWS - 22, COLUMNS - 26)


def disc(radius):
    """A disc on a darker ground with an edge of about two pixels."""
    return (0.2 + 0.6 / (1 + np.exp(distance() - radius)))[..., None].astype(np.float32)


def texture(seed):
    noise = scipy.ndimage.gaussian_filter(
        np.random.default_rng(seed).normal(size=(SIDE, SIDE)), 3, mode="wrap"
    )
    return ((noise - noise.min()) / np.ptp(noise))[..., None].astype(np.float32)


def waves(seed, size):
    """A displacement of up to ``size`` pixels, of long waves."""
    phases = np.random.default_rng(seed).uniform(0, 2 * np.pi, size=(2, 2))
    along = [
        np.sin(2 * np.pi * ROWS / 48 + a) * np.cos(2 * np.pi * COLUMNS / 60 + b) for a, b in phases
    ]
    return size * np.stack(along, axis=-1).astype(np.float32)


def test_an_image_and_itself_stay_where_they_are():
    for image in (disc(10), texture(0), np.full((SIDE, SIDE, 1), 0.5, np.float32)):
        np.testing.assert_array_equal(registered(image, image), 0)


@pytest.mark.parametrize(("before", "after"), [(10, 14), (14, 10), (12, 13)])
def test_the_mask_follows_a_disc_that_grows_or_shrinks(before, after):
    displacement = registered(disc(before), disc(after))
    moved = np.asarray(warp(jnp.asarray(distance() < before), displacement))
    assert dice(moved, distance() < after) > 0.95
    assert moved.sum() == pytest.approx((distance() < after).sum(), rel=0.05)


def test_a_known_smooth_displacement_is_recovered():
    truth = waves(1, 2.0)
    moving = texture(2)
    fixed = warp(jnp.asarray(moving), jnp.asarray(truth))
    found = np.asarray(registered(moving, fixed))
    error = np.linalg.norm(found - truth, axis=-1)[6:-6, 6:-6]
    assert np.linalg.norm(truth, axis=-1).mean() > 1
    assert error.mean() < 0.3


def test_stronger_bending_is_smoother():
    fields = [registered(disc(10), disc(14), bending=bending) for bending in (1e-6, 1e-2)]
    rough, smooth = (np.square(np.diff(field, n=2, axis=0)).mean() for field in fields)
    assert smooth < 0.2 * rough


def test_pairs_can_be_mapped():
    moving, fixed = np.stack([disc(10), disc(14)]), np.stack([disc(12), disc(11)])
    mapped = jax.jit(jax.vmap(registered))(moving, fixed)
    np.testing.assert_allclose(mapped[1], registered(moving[1], fixed[1]), atol=0.02)


def test_warp_reads_between_pixels_as_scipy_does():
    image, displacement = texture(3)[..., 0], waves(4, 6.0)
    places = [ROWS + displacement[..., 0], COLUMNS + displacement[..., 1]]
    expected = scipy.ndimage.map_coordinates(image, places, order=1, mode="nearest")
    np.testing.assert_allclose(warp(jnp.asarray(image), displacement), expected, atol=1e-5)
    coloured = np.stack([image, 1 - image, image**2], axis=-1)
    np.testing.assert_allclose(
        warp(jnp.asarray(coloured), displacement)[..., 1], 1 - expected, atol=1e-5
    )


def test_warp_of_a_mask_is_a_mask():
    mask = distance() < 10
    shift = np.broadcast_to(np.asarray([3.0, -2.0], np.float32), (SIDE, SIDE, 2))
    moved = warp(jnp.asarray(mask), shift)
    assert moved.dtype == bool
    np.testing.assert_array_equal(moved, np.roll(mask, (-3, 2), axis=(0, 1)))
    half = warp(jnp.asarray(mask), 0.25 + 0 * shift)
    np.testing.assert_array_equal(half, mask)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"fixed": texture(0)[:24]},
            r"fixed: expected the shape of moving \(48, 48, 1\), got \(24, 48, 1\)",
        ),
        ({"moving": 2 + texture(0)}, r"moving: expected values in \[0, 1\]"),
        ({"num_frequencies": 0}, "num_frequencies: expected an integer of at least 1, got 0"),
        (
            {"num_frequencies": 49},
            "num_frequencies: expected at most the image's shorter side 48, got 49",
        ),
        ({"bending": 0.0}, "bending: expected a finite number above 0, got 0.0"),
        ({"step_size": -1.0}, "step_size: expected a finite number above 0, got -1.0"),
        ({"blurs": ()}, "blurs: expected at least one"),
        ({"blurs": (0.1, 0.0)}, "blurs: expected a finite number above 0, got 0.0"),
        ({"num_steps": 0}, "num_steps: expected an integer of at least 1, got 0"),
    ],
)
def test_mistakes_are_named(change, message):
    arguments = {"moving": texture(0), "fixed": texture(1)} | change
    with pytest.raises(InputError, match=message):
        register(arguments.pop("moving"), arguments.pop("fixed"), **arguments)


def test_what_cannot_be_warped_is_refused():
    with pytest.raises(InputError, match=r"got shapes \(48, 48\), \(48, 48, 1\)"):
        warp(texture(0), np.zeros((48, 48), np.float32))
    with pytest.raises(
        InputError, match=r"picture: expected an image \(float\) or a mask \(bool\), got int32"
    ):
        warp(jnp.zeros((48, 48), jnp.int32), waves(0, 1.0))
