"""Volumes with their maps: each has its own, and maps that do not fit are named."""

import numpy as np
import pytest

from cfx_jax.data import ArraySource, SaliencySource
from cfx_jax.errors import InputError

VOLUMES = np.random.default_rng(0).random((3, 4, 6, 5, 2), dtype=np.float32)
SOURCE = ArraySource(VOLUMES, np.array([0, 1, 1]), ("a", "b"))
MAPS = VOLUMES[..., :1] - 0.5


def test_each_volume_has_its_map() -> None:
    source = SaliencySource(SOURCE, MAPS)
    assert len(source) == 3 and source.class_names == ("a", "b")
    np.testing.assert_array_equal(source.labels, [0, 1, 1])
    for index in range(3):
        item = source[index]
        np.testing.assert_array_equal(item["saliency"], item["image"][..., :1] - 0.5)
        assert item["label"] == source.labels[index]


def test_maps_may_be_read_one_by_one() -> None:
    read = []

    class Reader:
        def __len__(self) -> int:
            return 3

        def __getitem__(self, index: int) -> np.ndarray:
            read.append(index)
            return MAPS[index]

    np.testing.assert_array_equal(SaliencySource(SOURCE, Reader())[2]["saliency"], MAPS[2])
    assert read == [2]


def test_maps_that_do_not_fit_are_refused() -> None:
    with pytest.raises(
        InputError,
        match="maps: expected one for each of the 3 volumes, got 2: make them for every item",
    ):
        SaliencySource(SOURCE, MAPS[:2])
    for wrong, message in (
        (
            MAPS[:, 1:],
            r"map 1: expected float32 of shape \(4, 6, 5, 1\), got float32 of shape \(3, 6, 5, 1\):"
            r" make maps on",
        ),
        (VOLUMES, r"got float32 of shape \(4, 6, 5, 2\)"),
        (MAPS.astype(np.float64), "got float64"),
        (np.full_like(MAPS, np.nan), "map 1: expected finite values, got NaN or infinity"),
    ):
        with pytest.raises(InputError, match=message):
            SaliencySource(SOURCE, wrong)[1]
