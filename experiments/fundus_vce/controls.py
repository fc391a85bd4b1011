"""The controls of Table 2: how far maps without a network meet the lesions.

A control's threshold is chosen as a method's threshold: on the tuning images, by its own overlap
there.
"""

from collections.abc import Callable

import numpy as np
from jaxtyping import Float, Int

from experiments.fundus_vce.config import Config
from experiments.shared import ImageSet, control_maps

Overlap = Callable[
    [Float[np.ndarray, "m h w"], Int[np.ndarray, " m"], float], Float[np.ndarray, " m"]
]
"""``(maps, positions of their images, quantile) -> IoU`` of the thresholded maps."""


def score_controls(
    config: Config,
    images: ImageSet,
    tuning: Int[np.ndarray, " k"],
    scored: Int[np.ndarray, " n"],
    overlap: Overlap,
) -> dict[str, Float[np.ndarray, " n"]]:
    """The overlap of every control with the lesions of the images scored, by name.

    Args:
        config: the configuration of the run.
        images: all images with lesions.
        tuning, scored: positions of those that thresholds are chosen on, and of the others.
        overlap: scores maps at a threshold.
    """
    arrays, settings = images.arrays, config.localisation
    maps = control_maps(
        arrays["image"],
        seed=config.seed,
        organs=arrays["eye_mask"].astype(bool),
        annotations=arrays["lesion_mask"].astype(bool),
        counterfactuals=arrays.get("counterfactual"),
        groups=images.groups,
    )
    scores = {}
    for name, values in maps.items():
        curve = [
            overlap(values[tuning], tuning, quantile).mean()
            for quantile in (settings.quantiles if len(tuning) else ())
        ]
        best = settings.quantiles[int(np.argmax(curve))] if curve else settings.quantile_vce
        scores[name] = overlap(values[scored], scored, best)
    return scores
