"""Where saliency maps come from, by the names that tables print."""

OURS, LATENT_SHIFT, NO_BOUND = "latent counterfactuals", "latent shift", "latent counterfactuals, no bound"
GRADIENT, INTEGRATED = "gradient", "integrated gradients"
GRAD_CAM, GRAD_CAM_PP, SCORE_CAM = "Grad-CAM", "Grad-CAM++", "Score-CAM"
ZERO, SHUFFLED, NOISE = "zero", "other scans", "noise"

DETECTORS = (OURS, NO_BOUND, LATENT_SHIFT, GRADIENT, INTEGRATED, GRAD_CAM_PP, GRAD_CAM, SCORE_CAM)
"""Methods whose maps are compared with the truth."""

CONTROLS = (ZERO, SHUFFLED, NOISE)
"""What says nothing of the scan."""
