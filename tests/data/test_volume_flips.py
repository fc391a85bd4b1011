"""Mirroring of volumes: slices, maps and sides together, each way half of the time."""

import numpy as np
import pytest

from cfx_jax.data import random_volume_flip

VOLUME = np.random.default_rng(0).random((3, 4, 5, 1), dtype=np.float32)
SIDES = (0, 2, 1, 3)


def turned(times=400, label=1, **options):
    flip, rng = random_volume_flip(**options), np.random.default_rng(1)
    item = {"image": VOLUME, "saliency": 1 - VOLUME, "label": label}
    return [flip(item, rng) for _ in range(times)]


def test_every_way_comes_about_as_often_and_maps_follow_their_volumes():
    ways = {
        "none": VOLUME,
        "columns": VOLUME[:, :, ::-1],
        "rows": VOLUME[:, ::-1],
        "both": VOLUME[:, ::-1, ::-1],
    }
    counts = dict.fromkeys(ways, 0)
    for item in turned(horizontal=True, vertical=True):
        np.testing.assert_array_equal(item["saliency"], 1 - item["image"])
        (way,) = [name for name, volume in ways.items() if np.array_equal(item["image"], volume)]
        counts[way] += 1
    assert min(counts.values()) > 70  # of an expected 100, sd 8.7


@pytest.mark.parametrize(("label", "mirrored"), list(enumerate(SIDES)))
def test_the_side_changes_exactly_where_left_becomes_right(label, mirrored):
    for item in turned(60, label, horizontal=True, vertical=True, mirrored=SIDES):
        across = any(
            np.array_equal(item["image"], volume[:, :, ::-1])
            for volume in (VOLUME, VOLUME[:, ::-1])
        )
        assert item["label"] == (mirrored if across else label)


def test_classes_without_a_side_are_kept():
    assert {item["label"] for item in turned(horizontal=True, vertical=True)} == {1}


def test_a_way_that_is_off_is_never_taken_and_changes_no_draw_of_the_other():
    for item in turned(30, horizontal=False, vertical=False, mirrored=SIDES):
        np.testing.assert_array_equal(item["image"], VOLUME)
        assert item["label"] == 1
    both, rows = (turned(30, horizontal=across, vertical=True) for across in (True, False))
    for one, two in zip(both, rows, strict=True):
        upside = {item["image"][:, 0].sum() > item["image"][:, -1].sum() for item in (one, two)}
        assert len(upside) == 1
