"""The figures printed in the paper, shown beside ours.

Charachon et al. 2020, "Combining Similarity and Adversarial Learning to Generate Visual
Explanation: Application to Medical Image Classification", ICPR.
"""

from experiments.charachon_shared import (
    AVERAGED,
    BBMP,
    GRAD_CAM,
    GRADIENT,
    INPUT_GRADIENT,
    INTEGRATED_GRADIENTS,
    MASK_GENERATOR,
    PAIRS,
    PERCEPTUAL,
    SMOOTH_GRAD,
)
from experiments.similar_adversarial.compared_generators import (
    AE1,
    AE1_TV,
    AE1_W,
    AE2_W,
    DUO,
    DUO_TV,
    NAIVE,
    OURS,
)

PERCENTILES = (80.0, 85.0, 90.0, 95.0, 98.0)
CLASSIFIER_AUC = 0.974

STATE_OF_THE_ART = (
    GRADIENT,
    SMOOTH_GRAD,
    INPUT_GRADIENT,
    INTEGRATED_GRADIENTS,
    GRAD_CAM,
    BBMP,
    PERCEPTUAL,
    MASK_GENERATOR,
    NAIVE,
)
"""The methods of Table VIII, in its order, before the paper's own."""
AVERAGED_TOO = (GRADIENT, GRAD_CAM, MASK_GENERATOR, NAIVE, OURS)
"""The methods of Tables X and XI that are averaged over augmentations."""

TABLE_3 = {
    "min": (13.0, 13.0, 0.5),
    "max": (171.0, 91.0, 25.3),
    "mean": (71.8, 47.5, 7.3),
    "median": (67.8, 46.8, 6.3),
}
"""Height and width of the annotated boxes in pixels, and their area in percent of the image."""

TABLE_4: dict[str, tuple[float | None, float]] = {
    NAIVE: (None, 0.939),
    DUO_TV: (1.0, 0.905),
    DUO: (1.0, 0.958),
    AE1_TV: (1.0, 0.961),
    AE1_W: (0.998, 0.952),
    AE1: (0.997, 0.944),
    AE2_W: (0.998, 0.949),
    OURS: (0.998, 0.952),
}
"""AUC_s and AUC_a."""

_TABLE_5 = {
    NAIVE: (None, None, 0.994, 41.92, None, None),
    DUO_TV: (0.996, 44.07, 0.987, 39.47, 0.994, 43.89),
    DUO: (0.995, 41.99, 0.987, 39.08, 0.995, 44.26),
    AE1_TV: (0.997, 44.57, 0.989, 40.67, 0.996, 45.25),
    AE1_W: (0.994, 42.73, 0.993, 41.85, 0.999, 52.59),
    AE1: (0.992, 41.79, 0.991, 41.35, 0.999, 54.55),
    AE2_W: (0.995, 43.61, 0.994, 42.42, 0.999, 52.26),
    OURS: (0.995, 43.88, 0.994, 42.63, 0.999, 51.93),
}
SSIM = {name: dict(zip(PAIRS, row[0::2], strict=True)) for name, row in _TABLE_5.items()}
PSNR = {name: dict(zip(PAIRS, row[1::2], strict=True)) for name, row in _TABLE_5.items()}
"""Table V."""

_IOU = {
    GRADIENT: (0.203, 0.199, 0.187, 0.152, 0.097),
    SMOOTH_GRAD: (0.192, 0.188, 0.176, 0.143, 0.091),
    INPUT_GRADIENT: (0.191, 0.185, 0.170, 0.136, 0.086),
    INTEGRATED_GRADIENTS: (0.176, 0.171, 0.157, 0.124, 0.077),
    GRAD_CAM: (0.237, 0.225, 0.195, 0.138, 0.070),
    BBMP: (0.233, 0.226, 0.204, 0.154, 0.087),
    PERCEPTUAL: (0.133, 0.125, 0.110, 0.080, 0.045),
    MASK_GENERATOR: (0.222, 0.219, 0.208, 0.169, 0.103),
    NAIVE: (0.177, 0.173, 0.158, 0.118, 0.064),
    DUO_TV: (0.190, 0.182, 0.164, 0.122, 0.070),
    DUO: (0.188, 0.184, 0.170, 0.132, 0.079),
    AE1_TV: (0.187, 0.182, 0.166, 0.127, 0.075),
    AE1_W: (0.227, 0.222, 0.204, 0.157, 0.090),
    AE1: (0.234, 0.235, 0.220, 0.171, 0.099),
    AE2_W: (0.240, 0.245, 0.229, 0.172, 0.095),
    OURS: (0.248, 0.250, 0.232, 0.173, 0.097),
    GRADIENT + AVERAGED: (0.256, 0.252, 0.236, 0.190, 0.117),
    GRAD_CAM + AVERAGED: (0.271, 0.263, 0.244, 0.190, 0.105),
    MASK_GENERATOR + AVERAGED: (0.259, 0.264, 0.259, 0.221, 0.137),
    NAIVE + AVERAGED: (0.239, 0.230, 0.208, 0.156, 0.087),
    DUO_TV + AVERAGED: (0.243, 0.232, 0.206, 0.156, 0.085),
    DUO + AVERAGED: (0.263, 0.253, 0.227, 0.166, 0.093),
    AE1_TV + AVERAGED: (0.262, 0.249, 0.218, 0.156, 0.086),
    AE1_W + AVERAGED: (0.262, 0.254, 0.233, 0.181, 0.105),
    AE1 + AVERAGED: (0.268, 0.261, 0.240, 0.188, 0.112),
    AE2_W + AVERAGED: (0.288, 0.288, 0.268, 0.204, 0.115),
    OURS + AVERAGED: (0.292, 0.292, 0.272, 0.206, 0.115),
}
IOU = {name: dict(zip(PERCENTILES, row, strict=True)) for name, row in _IOU.items()}
"""Tables VI, VIII and X."""

AUC: dict[str, tuple[float, float]] = {
    GRADIENT: (0.287, 0.189),
    INTEGRATED_GRADIENTS: (0.244, 0.146),
    GRAD_CAM: (0.324, 0.235),
    BBMP: (0.326, 0.229),
    PERCEPTUAL: (0.180, 0.084),
    MASK_GENERATOR: (0.327, 0.226),
    NAIVE: (0.238, 0.145),
    DUO: (0.257, 0.162),
    AE1_TV: (0.253, 0.157),
    AE1_W: (0.310, 0.220),
    AE1: (0.325, 0.239),
    AE2_W: (0.325, 0.248),
    OURS: (0.339, 0.256),
    GRADIENT + AVERAGED: (0.374, 0.274),
    GRAD_CAM + AVERAGED: (0.397, 0.302),
    MASK_GENERATOR + AVERAGED: (0.404, 0.308),
    NAIVE + AVERAGED: (0.325, 0.232),
    DUO + AVERAGED: (0.362, 0.263),
    AE1_TV + AVERAGED: (0.353, 0.254),
    AE1_W + AVERAGED: (0.370, 0.274),
    AE1 + AVERAGED: (0.381, 0.287),
    AE2_W + AVERAGED: (0.405, 0.322),
    OURS + AVERAGED: (0.412, 0.328),
}
"""Total and partial AUC of Tables VII, IX and XI; Grad-CAM's total is .324 in Table IX and .326 in
Table XI.
"""

SECONDS = {
    GRADIENT: 2.04,
    INTEGRATED_GRADIENTS: 1.93,
    GRAD_CAM: 0.78,
    BBMP: 17.14,
    PERCEPTUAL: 30.74,
    MASK_GENERATOR: 0.09,
    NAIVE: 0.10,
    OURS: 0.05,
    GRADIENT + AVERAGED: 2.83,
    GRAD_CAM + AVERAGED: 5.09,
    MASK_GENERATOR + AVERAGED: 0.68,
    NAIVE + AVERAGED: 0.75,
    OURS + AVERAGED: 0.63,
}
"""Seconds for one image on a GPU of the type MX130, Tables IX and XI."""
