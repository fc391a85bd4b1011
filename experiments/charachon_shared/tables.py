"""Cells and a table that both experiments print."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from jaxtyping import Float

from cfx_jax.metrics import bootstrap_interval
from experiments.charachon_shared.data import Groups
from experiments.charachon_shared.quality import Quality


def mean_cell(values: Float[np.ndarray, " n"]) -> float | None:
    """The mean over the images where a value is defined: without a lesion no PSNR inside it is."""
    defined = values[np.isfinite(values)]
    return float(defined.mean()) if len(defined) else None


def interval_cell(
    values: Float[np.ndarray, " n"], groups: Groups
) -> tuple[float, ...] | float | None:
    """The mean over the images where a value is defined, with its interval where there are two.

    Args:
        values: one number for each image, NaN or infinite where it is not defined.
        groups: images that are drawn together.
    """
    defined = np.isfinite(values)
    if defined.sum() < 2:
        return mean_cell(values)
    return tuple(bootstrap_interval(values[defined], groups=groups.of(defined).names))


def truth_rows(quality: Mapping[str, Quality], groups: Groups) -> list[list[Any]]:
    """PSNR to the true counterfactual, inside and outside of the lesion: one row for a generator.

    The last row holds the image itself. Outside of the lesion it equals its true counterfactual.
    """
    rows: list[list[Any]] = [
        [name, *(interval_cell(reached.to_truth[part], groups) for part in ("inside", "outside"))]
        for name, reached in quality.items()
    ]
    image = next(iter(quality.values())).image_to_truth["inside"]
    return [*rows, ["the image itself", interval_cell(image, groups), None]]
