"""The figures printed in Charachon et al. 2021, "Visual explanation by unifying adversarial
generation and feature importance attributions", shown beside ours."""

GENERATORS = ("CyCE", "SyCE")
"""The methods with a pair of images that the paper weighs by the path between them."""
VARIANTS = ("E", "v1", "v2", "v2,k")
"""The difference of the images, and E_FI^v1, E_FI^v2 and its smoothed version."""
STATE_OF_THE_ART = (
    "Gradient",
    "Integrated Gradients",
    "Grad-CAM",
    "BBMP",
    "Mask Generator",
    "SAGen E",
)
"""Of Table 1, in its order; BBMP is its MPert."""
RANDOM = "Random"
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

_TABLE_1 = {
    ("pneumonia", IOU, 90): (
        0.187,
        0.170,
        0.195,
        0.204,
        0.208,
        0.232,
        0.221,
        0.269,
        0.300,
        0.321,
        0.299,
        0.289,
        0.323,
        0.335,
    ),
    ("pneumonia", IOU, 95): (
        0.152,
        0.136,
        0.138,
        0.154,
        0.169,
        0.173,
        0.191,
        0.232,
        0.259,
        0.278,
        0.244,
        0.242,
        0.271,
        0.285,
    ),
    ("pneumonia", IOU, 98): (
        0.097,
        0.086,
        0.070,
        0.087,
        0.103,
        0.097,
        0.116,
        0.149,
        0.163,
        0.175,
        0.151,
        0.150,
        0.165,
        0.177,
    ),
    ("pneumonia", FDR, 90): (
        0.639,
        0.698,
        0.645,
        0.623,
        0.620,
        0.584,
        0.596,
        0.532,
        0.494,
        0.471,
        0.492,
        0.507,
        0.469,
        0.457,
    ),
    ("pneumonia", FDR, 95): (
        0.584,
        0.653,
        0.618,
        0.576,
        0.542,
        0.535,
        0.494,
        0.421,
        0.379,
        0.352,
        0.399,
        0.407,
        0.363,
        0.344,
    ),
    ("pneumonia", FDR, 98): (
        0.508,
        0.603,
        0.593,
        0.537,
        0.461,
        0.495,
        0.430,
        0.321,
        0.285,
        0.257,
        0.319,
        0.314,
        0.275,
        0.250,
    ),
    ("brain", IOU, 98): (
        0.154,
        0.238,
        0.173,
        0.290,
        0.318,
        0.330,
        0.322,
        0.337,
        0.376,
        0.428,
        0.411,
        0.404,
        0.426,
        0.432,
    ),
    ("brain", IOU, 99): (
        0.131,
        0.196,
        0.115,
        0.263,
        0.274,
        0.284,
        0.270,
        0.288,
        0.322,
        0.363,
        0.348,
        0.338,
        0.357,
        0.364,
    ),
    ("brain", FDR, 98): (
        0.744,
        0.621,
        0.715,
        0.580,
        0.534,
        0.525,
        0.542,
        0.518,
        0.481,
        0.433,
        0.462,
        0.462,
        0.446,
        0.441,
    ),
    ("brain", FDR, 99): (
        0.687,
        0.536,
        0.701,
        0.451,
        0.413,
        0.408,
        0.440,
        0.401,
        0.358,
        0.311,
        0.344,
        0.347,
        0.329,
        0.324,
    ),
}

GROUPS = ("ALL", "0", "1")
"""Images by the predicted class, as Table 2 has them."""

_TABLE_2 = {
    ("pneumonia", "ALL"): (
        0.118,
        0.483,
        0.385,
        0.473,
        0.475,
        0.339,
        0.463,
        0.636,
        0.672,
        0.686,
        0.686,
        0.593,
        0.657,
        0.679,
        0.712,
    ),
    ("pneumonia", "0"): (
        0.172,
        0.597,
        0.562,
        0.563,
        0.582,
        0.304,
        0.504,
        0.771,
        0.830,
        0.839,
        0.810,
        0.758,
        0.823,
        0.844,
        0.835,
    ),
    ("pneumonia", "1"): (
        0.049,
        0.037,
        0.009,
        0.363,
        0.255,
        0.368,
        0.084,
        0.357,
        0.359,
        0.376,
        0.462,
        0.298,
        0.342,
        0.358,
        0.506,
    ),
    ("brain", "ALL"): (
        0.066,
        0.563,
        0.599,
        0.714,
        0.631,
        0.689,
        0.736,
        0.638,
        0.675,
        0.693,
        0.703,
        0.754,
        0.766,
        0.778,
        0.788,
    ),
    ("brain", "0"): (
        0.077,
        0.509,
        0.476,
        0.712,
        0.460,
        0.580,
        0.686,
        0.486,
        0.535,
        0.569,
        0.570,
        0.702,
        0.714,
        0.737,
        0.753,
    ),
    ("brain", "1"): (
        0.055,
        0.614,
        0.708,
        0.715,
        0.780,
        0.787,
        0.783,
        0.767,
        0.795,
        0.801,
        0.820,
        0.803,
        0.815,
        0.817,
        0.821,
    ),
}

CLASSIFIER_AUC = {"pneumonia": 0.974, "brain": 0.975}
"""Area under the ROC curve of the classifiers on the test sets."""

_TASKS = {"chest": "pneumonia", "rsna": "pneumonia", "brain": "brain", "msd": "brain"}


def task_of(data: str) -> str | None:
    """Which of the paper's two tasks some data are, or stand in for: "pneumonia", "brain", or None
    for others.
    """
    return _TASKS.get(data.partition(":")[0])


def localisation(task: str | None, measure: str, percentile: float) -> dict[str, float]:
    """One row of Table 1 by method; empty where the paper has none."""
    row = (
        _TABLE_1.get((task or "", measure, int(percentile)))
        if percentile == int(percentile)
        else None
    )
    return {} if row is None else dict(zip(METHODS, row, strict=True))


def relevance(task: str | None, group: str) -> dict[str, float]:
    """One row of Table 2 by method; empty where the paper has none."""
    row = _TABLE_2.get((task or "", group))
    return {} if row is None else dict(zip((RANDOM, *METHODS), row, strict=True))
