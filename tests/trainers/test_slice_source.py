"""Slices of volumes as images."""

import numpy as np
import pytest

from cfx_jax.data import ArraySource
from cfx_jax.errors import InputError
from trainers.slice_source import SliceSource

VOLUMES = np.random.default_rng(0).random((3, 4, 6, 5, 1), dtype=np.float32)
SOURCE = ArraySource(VOLUMES, np.array([0, 1, 1]), ("a", "b"))


def test_slices_follow_one_another_with_their_volumes_labels() -> None:
    slices = SliceSource(SOURCE, 4)
    assert len(slices) == 12 and slices.class_names == ("a", "b")
    for index, image in enumerate(VOLUMES.reshape(-1, 6, 5, 1)):
        np.testing.assert_array_equal(slices[index]["image"], image)
    np.testing.assert_array_equal([slices[index]["label"] for index in range(12)], slices.labels)


def test_volumes_of_another_number_of_slices_are_refused() -> None:
    with pytest.raises(
        InputError,
        match=r"volume 1: expected 5 slices \(s, h, w, c\), got shape \(4, 6, 5, 1\): sample",
    ):
        SliceSource(SOURCE, 5)[7]
