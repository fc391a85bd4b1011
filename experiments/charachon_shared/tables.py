"""Cells of tables, and a table, that both experiments print."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from jaxtyping import Float

from cfx_jax.metrics import bootstrap_interval
from experiments.charachon_shared.data import Data, Groups, describe_brackets
from experiments.charachon_shared.quality import Quality
from experiments.shared import PaperReport, Table, mean_cell


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


def truth_table(quality: Mapping[str, Quality], groups: Groups) -> Table | None:
    """PSNR of adversarial images to the true counterfactual; None where none is known.

    The last row holds the image itself. Outside of the lesion it equals its true counterfactual.

    Args:
        quality: the quality of each generator's images, by its name.
        groups: images that are drawn together.
    """
    first = next(iter(quality.values()))
    if not first.to_truth:
        return None
    rows: list[list[Any]] = [
        [name, *(interval_cell(reached.to_truth[part], groups) for part in ("inside", "outside"))]
        for name, reached in quality.items()
    ]
    rows.append(["the image itself", interval_cell(first.image_to_truth["inside"], groups), None])
    return ["generator", "PSNR inside", "PSNR outside"], rows


def report_truth(report: PaperReport, quality: Mapping[str, Quality], data: Data) -> None:
    """Adds the table of the nearness to true counterfactuals to a report, where any is known."""
    table = truth_table(quality, data.groups)
    if table is not None:
        report.table(
            "table_true_counterfactuals",
            table,
            "How near adversarial images are to the true counterfactuals of the same anatomy: PSNR"
            " in dB over the pixels that are lesion in either, and over the others, where the"
            " original equals its true counterfactual; means over the test images. Not in the"
            f" paper. {describe_brackets(data)}",
        )
