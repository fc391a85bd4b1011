"""The figures that Boreiko et al., MICCAI 2022, print, shown beside ours."""

KINDS = {
    "accuracy": "accuracy",
    "balanced": "balanced accuracy",
    "robust": "robust accuracy",
}
"""The columns of Table 1."""

TABLE_1 = {
    "test": {
        "plain": {"accuracy": 89.5, "balanced": 85.8, "robust": 15.2},
        "robust": {"accuracy": 78.4, "balanced": 71.6, "robust": 66.6},
        "ensemble": {"accuracy": 89.7, "balanced": 85.2, "robust": 19.4},
    },
    "external": {
        "plain": {"accuracy": 89.5, "balanced": 89.5, "robust": 20.6},
        "robust": {"accuracy": 66.1, "balanced": 66.5, "robust": 60.9},
        "ensemble": {"accuracy": 87.9, "balanced": 87.9, "robust": 24.4},
    },
}
"""Table 1 in per cent: Kaggle's test split, and Messidor."""

_METHODS = ("GBP", "IG", "VCE l1.5", "VCE l2", "VCE l4")

TABLE_2 = {
    name: dict(zip(_METHODS, zip(means, deviations, strict=True), strict=True))
    for name, means, deviations in (
        ("plain", (0.09, 0.08, 0.07, 0.07, 0.07), (0.03, 0.03, 0.03, 0.03, 0.03)),
        ("robust", (0.15, 0.14, 0.13, 0.12, 0.12), (0.06, 0.06, 0.06, 0.06, 0.05)),
        ("ensemble", (0.15, 0.14, 0.13, 0.12, 0.12), (0.06, 0.06, 0.06, 0.06, 0.05)),
    )
}
"""Table 2: mean and standard deviation of the IoU over 41 images of IDRiD."""

GRADABILITY = 0.875
"""Accuracy of the quality filter on the ISBI 2020 challenge."""

TEMPERATURES = {"plain": 1.112, "robust": 0.453}
"""The temperatures of the two networks in the released code."""


def overlap(classifier: str, method: str) -> float | None:
    """The mean IoU of Table 2, or None where the paper prints none. A variant, such as "GBP, stem
    only", has the value of its method."""
    mean, _ = TABLE_2[classifier].get(method.partition(",")[0], (None, None))
    return mean
