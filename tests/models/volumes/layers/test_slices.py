"""Volumes as batches of slices or half slices: by hand, and back again."""

import jax.numpy as jnp
import numpy as np
import pytest

from cfx_jax.errors import InputError
from cfx_jax.models.volumes.layers import check_volumes, fold_slices, slice_means, unfold_slices


def random_volumes(*shape, seed=0):
    return jnp.asarray(np.random.default_rng(seed).uniform(size=shape), jnp.float32)


def test_slices_come_volume_by_volume():
    volumes = random_volumes(2, 3, 4, 6, 2)
    images = fold_slices(volumes, "whole")
    assert images.shape == (6, 4, 6, 2)
    for volume in range(2):
        for index in range(3):
            np.testing.assert_array_equal(images[3 * volume + index], volumes[volume, index])


def test_halves_have_the_midline_in_their_first_column():
    columns = jnp.asarray([1.0, 2.0, 3.0, 4.0]).reshape(1, 1, 1, 4, 1)
    np.testing.assert_array_equal(fold_slices(columns, "halves")[:, 0, :, 0], [[2, 1], [3, 4]])


@pytest.mark.parametrize("split", ["whole", "halves"])
def test_unfolding_undoes_folding(split):
    volumes = random_volumes(2, 3, 4, 6, 2)
    np.testing.assert_array_equal(unfold_slices(fold_slices(volumes, split), 2, split), volumes)


def test_a_mirrored_volume_has_the_halves_of_the_other_side():
    volumes = random_volumes(1, 1, 4, 6, 1)
    mirrored = fold_slices(volumes[..., ::-1, :], "halves")
    np.testing.assert_array_equal(mirrored, fold_slices(volumes, "halves")[::-1])


def test_means_of_halves_are_the_right_ones_then_the_left_ones():
    columns = jnp.asarray([[1.0, 2.0, 30.0, 40.0]]).reshape(1, 1, 1, 4, 1)
    np.testing.assert_allclose(slice_means(columns, "halves"), [[[1.5, 35.0]]])
    np.testing.assert_allclose(slice_means(columns, "whole"), [[[18.25]]])


def test_halves_of_an_odd_number_of_columns_are_refused():
    with pytest.raises(
        InputError, match=r"volumes: expected an even number of columns, .* got 5: resize or pad"
    ):
        fold_slices(jnp.zeros((1, 1, 4, 5, 1)), "halves")


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        (
            (3, 8, 8, 1),
            r"saliency: expected a batch \(b, s, h, w, 1\), got shape \(3, 8, 8, 1\):"
            r" models.per_image",
        ),
        (
            (2, 0, 8, 8, 1),
            r"of at least one slice and 4x4 pixels, got shape \(2, 0, 8, 8, 1\): channels come"
            r" last",
        ),
        ((2, 3, 8, 3, 1), r"at least one slice and 4x4 pixels, got shape \(2, 3, 8, 3, 1\)"),
        ((2, 3, 8, 8, 2), r"expected \(b, s, h, w, 1\) .* got shape \(2, 3, 8, 8, 2\)"),
    ],
)
def test_what_are_no_volumes_is_refused(shape, message):
    with pytest.raises(InputError, match=message):
        check_volumes(jnp.zeros(shape), 1, name="saliency")


def test_integers_are_refused():
    with pytest.raises(
        InputError,
        match=r"volumes: expected dtype float32, got int32: scale the grey values to \[0, 1\]",
    ):
        check_volumes(jnp.zeros((1, 1, 4, 4, 1), jnp.int32), 1)
