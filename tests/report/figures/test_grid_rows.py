"""Rows and panels are checked when they are made."""

import dataclasses

import numpy as np
import pytest

from cfx_jax.errors import InputError
from cfx_jax.report import CounterfactualPanel, CounterfactualRow, SaliencyMap, SaliencyRow

IMAGE = np.full((4, 5, 3), 0.5)


def counterfactual(**changes):
    return CounterfactualPanel(**{"image": IMAGE, "target": "DR", "probability": 0.9, **changes})


def row(**changes):
    base = {"original": IMAGE, "label": "DR", "predicted": "DR", "probability": 0.9}
    return CounterfactualRow(**{**base, "counterfactuals": [counterfactual()], **changes})


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"image": IMAGE * 255}, "a counterfactual's image must lie in"),
        ({"probability": 1.5}, "a counterfactual's probability must lie in"),
        ({"iou": -1}, "a counterfactual's IoU must lie in"),
        (
            {"saliency": np.zeros((5, 4))},
            r"a counterfactual's saliency must have the shape of its image \(4, 5\)",
        ),
        ({"saliency": -np.ones((4, 5))}, "must be 0 where it was thresholded away"),
    ],
)
def test_broken_counterfactual_is_refused(changes, message):
    with pytest.raises(InputError, match=message):
        counterfactual(**changes)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"original": IMAGE[..., 0]}, "a row's original must have shape"),
        ({"probability": 97}, "a row's probability must lie in"),
        ({"counterfactuals": []}, "at least one of a row's counterfactuals is needed"),
        ({"mask": np.zeros((4, 4))}, "a row's mask must have the shape of its image"),
        ({"original": IMAGE[..., :1]}, r"its original's shape \(4, 5, 1\), got \(4, 5, 3\)"),
    ],
)
def test_broken_row_of_counterfactuals_is_refused(changes, message):
    with pytest.raises(InputError, match=message):
        row(**changes)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"maps": [SaliencyMap(values=np.zeros((5, 5)))]},
            "a saliency map must have the shape of its image",
        ),
        ({"mask": np.full((4, 5), 7)}, "a row's mask must be boolean"),
        ({"original": IMAGE - 1}, "a row's original must lie in"),
    ],
)
def test_broken_row_of_maps_is_refused(changes, message):
    with pytest.raises(InputError, match=message):
        SaliencyRow(**{"original": IMAGE, "maps": [], **changes})


def test_broken_map_is_refused():
    with pytest.raises(InputError, match="a saliency map must be finite"):
        SaliencyMap(values=np.full((4, 5), np.nan))
    with pytest.raises(InputError, match="a saliency map's IoU must lie in"):
        SaliencyMap(values=np.zeros((4, 5)), iou=2)
    with pytest.raises(InputError, match=r"a saliency map must have shape \(h, w\), got \(4,\)"):
        SaliencyMap(values=np.zeros(4))


def test_rows_cannot_be_changed():
    with pytest.raises(dataclasses.FrozenInstanceError):
        row().label = "healthy"
