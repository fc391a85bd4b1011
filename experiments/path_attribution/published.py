"""The figures printed in the paper, shown beside ours.

Charachon et al. 2021, "Visual explanation by unifying adversarial generation and feature importance
attributions".
"""

from collections.abc import Mapping, Sequence

from experiments.charachon_shared import (
    BBMP,
    GRAD_CAM,
    GRADIENT,
    INTEGRATED_GRADIENTS,
    MASK_GENERATOR,
    RANDOM,
)

GENERATORS = ("CyCE", "SyCE")
"""The methods with a pair of images that the paper weighs by the path between them."""
VARIANTS = ("E", "v1", "v2", "v2,k")
"""The difference of the images, and E_FI^v1, E_FI^v2 and its smoothed version."""
STATE_OF_THE_ART = (GRADIENT, INTEGRATED_GRADIENTS, GRAD_CAM, BBMP, MASK_GENERATOR, "SAGen E")
"""The methods of Table 1, in its order; BBMP is its MPert."""
METHODS = (
    *STATE_OF_THE_ART,
    *(f"{generator} {variant}" for generator in GENERATORS for variant in VARIANTS),
)
"""Every column of Table 1."""

IOU, FDR = "IoU", "FDR"
"""The measures of Table 1. Its "FNR" is the share of the thresholded map outside of the annotation,
which is the false discovery rate."""

PERCENTILES = {"pneumonia": (90.0, 95.0, 98.0), "brain": (98.0, 99.0)}
"""The thresholds of Table 1 for each data set."""

_TABLE_1_ROWS = (
    *(("pneumonia", measure, at) for measure in (IOU, FDR) for at in (90, 95, 98)),
    *(("brain", measure, at) for measure in (IOU, FDR) for at in (98, 99)),
)
_TABLE_1 = {
    GRADIENT: (0.187, 0.152, 0.097, 0.639, 0.584, 0.508, 0.154, 0.131, 0.744, 0.687),
    INTEGRATED_GRADIENTS: (0.170, 0.136, 0.086, 0.698, 0.653, 0.603, 0.238, 0.196, 0.621, 0.536),
    GRAD_CAM: (0.195, 0.138, 0.070, 0.645, 0.618, 0.593, 0.173, 0.115, 0.715, 0.701),
    BBMP: (0.204, 0.154, 0.087, 0.623, 0.576, 0.537, 0.290, 0.263, 0.580, 0.451),
    MASK_GENERATOR: (0.208, 0.169, 0.103, 0.620, 0.542, 0.461, 0.318, 0.274, 0.534, 0.413),
    "SAGen E": (0.232, 0.173, 0.097, 0.584, 0.535, 0.495, 0.330, 0.284, 0.525, 0.408),
    "CyCE E": (0.221, 0.191, 0.116, 0.596, 0.494, 0.430, 0.322, 0.270, 0.542, 0.440),
    "CyCE v1": (0.269, 0.232, 0.149, 0.532, 0.421, 0.321, 0.337, 0.288, 0.518, 0.401),
    "CyCE v2": (0.300, 0.259, 0.163, 0.494, 0.379, 0.285, 0.376, 0.322, 0.481, 0.358),
    "CyCE v2,k": (0.321, 0.278, 0.175, 0.471, 0.352, 0.257, 0.428, 0.363, 0.433, 0.311),
    "SyCE E": (0.299, 0.244, 0.151, 0.492, 0.399, 0.319, 0.411, 0.348, 0.462, 0.344),
    "SyCE v1": (0.289, 0.242, 0.150, 0.507, 0.407, 0.314, 0.404, 0.338, 0.462, 0.347),
    "SyCE v2": (0.323, 0.271, 0.165, 0.469, 0.363, 0.275, 0.426, 0.357, 0.446, 0.329),
    "SyCE v2,k": (0.335, 0.285, 0.177, 0.457, 0.344, 0.250, 0.432, 0.364, 0.441, 0.324),
}
"""Table 1, turned: for each method its numbers in the rows above."""

GROUPS = ("ALL", "0", "1")
"""Images by the predicted class, as Table 2 has them."""

_TABLE_2_ROWS = [(task, group) for task in ("pneumonia", "brain") for group in GROUPS]
_TABLE_2 = {
    RANDOM: (0.118, 0.172, 0.049, 0.066, 0.077, 0.055),
    GRADIENT: (0.483, 0.597, 0.037, 0.563, 0.509, 0.614),
    INTEGRATED_GRADIENTS: (0.385, 0.562, 0.009, 0.599, 0.476, 0.708),
    GRAD_CAM: (0.473, 0.563, 0.363, 0.714, 0.712, 0.715),
    BBMP: (0.475, 0.582, 0.255, 0.631, 0.460, 0.780),
    MASK_GENERATOR: (0.339, 0.304, 0.368, 0.689, 0.580, 0.787),
    "SAGen E": (0.463, 0.504, 0.084, 0.736, 0.686, 0.783),
    "CyCE E": (0.636, 0.771, 0.357, 0.638, 0.486, 0.767),
    "CyCE v1": (0.672, 0.830, 0.359, 0.675, 0.535, 0.795),
    "CyCE v2": (0.686, 0.839, 0.376, 0.693, 0.569, 0.801),
    "CyCE v2,k": (0.686, 0.810, 0.462, 0.703, 0.570, 0.820),
    "SyCE E": (0.593, 0.758, 0.298, 0.754, 0.702, 0.803),
    "SyCE v1": (0.657, 0.823, 0.342, 0.766, 0.714, 0.815),
    "SyCE v2": (0.679, 0.844, 0.358, 0.778, 0.737, 0.817),
    "SyCE v2,k": (0.712, 0.835, 0.506, 0.788, 0.753, 0.821),
}
"""Table 2, turned: for each method its numbers in the rows above."""

CLASSIFIER_AUC = {"pneumonia": 0.974, "brain": 0.975}
"""Area under the ROC curve of the classifiers on the test sets."""

_TASKS = {"chest": "pneumonia", "rsna": "pneumonia", "brain": "brain", "msd": "brain"}


def task_of(data: str) -> str | None:
    """The paper's task that the data are of or stand in for: "pneumonia", "brain", or None."""
    return _TASKS.get(data.partition(":")[0])


def localisation(task: str | None, measure: str, percentile: float) -> dict[str, float]:
    """One row of Table 1 by method; empty where the paper has none."""
    return _row(_TABLE_1, _TABLE_1_ROWS, (task, measure, percentile))


def relevance(task: str | None, group: str) -> dict[str, float]:
    """One row of Table 2 by method; empty where the paper has none."""
    return _row(_TABLE_2, _TABLE_2_ROWS, (task, group))


def _row(
    table: Mapping[str, Sequence[float]],
    rows: Sequence[tuple[object, ...]],
    row: tuple[object, ...],
) -> dict[str, float]:
    if row not in rows:
        return {}
    return {method: numbers[rows.index(row)] for method, numbers in table.items()}
