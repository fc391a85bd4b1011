"""The agreement of maps with annotations, for each image and method.

Charachon et al. 2021 print under the name "FNR" the share of a thresholded map that lies outside of
the annotation, which is its false discovery rate (FDR).
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float

from cfx_jax.metrics import (
    above_percentile,
    false_discovery_rate,
    intersection_over_union,
    localisation_auc,
    recall,
)

_PARTIAL = 80  # lowest percentile of the partial area


class Localisation(NamedTuple):
    """The agreement of one method's maps, by percentile and image, or by image.

    Attributes:
        iou, fdr, recall: the IoU, false discovery rate and recall of the pixels at or above each
            percentile, (n,).
        kept: the share of pixels that are, (n,); more than the percentile says where a map has
            ties.
        auc: area under precision against recall, (n,).
        partial_auc: its part from the 80th percentile up, not scaled, (n,).
    """

    iou: dict[float, Float[np.ndarray, " n"]]
    fdr: dict[float, Float[np.ndarray, " n"]]
    recall: dict[float, Float[np.ndarray, " n"]]
    kept: dict[float, Float[np.ndarray, " n"]]
    auc: Float[np.ndarray, " n"]
    partial_auc: Float[np.ndarray, " n"]


def localise(
    maps: Float[np.ndarray, "n h w"],
    annotation: Bool[np.ndarray, "n h w"],
    percentiles: Sequence[float],
) -> Localisation:
    """Compares maps with annotations.

    Args:
        maps: the maps of one method.
        annotation: none of them empty.
        percentiles: thresholds, each in [0, 100].
    """
    masks = {percentile: above_percentile(maps, percentile) for percentile in percentiles}
    return Localisation(
        iou={at: intersection_over_union(mask, annotation) for at, mask in masks.items()},
        fdr={at: false_discovery_rate(mask, annotation) for at, mask in masks.items()},
        recall={at: recall(mask, annotation) for at, mask in masks.items()},
        kept={at: mask.mean(axis=(1, 2)) for at, mask in masks.items()},
        auc=localisation_auc(maps, annotation),
        partial_auc=localisation_auc(maps, annotation, lowest=_PARTIAL),
    )
