"""Where saliency maps come from, by the names that tables print."""

OURS, LATENT_SHIFT, NO_BOUND = (
    "latent counterfactuals",
    "latent shift",
    "latent counterfactuals, no bound",
)
GRADIENT, INTEGRATED = "gradient", "integrated gradients"
GRAD_CAM, GRAD_CAM_PP, SCORE_CAM = "Grad-CAM", "Grad-CAM++", "Score-CAM"
ZERO, SHUFFLED, NOISE, PLACES = "zero", "other scans", "noise", "true places"
WITH_ACAT = "ACAT as classifier"

DETECTORS = (OURS, NO_BOUND, LATENT_SHIFT, GRADIENT, INTEGRATED, GRAD_CAM_PP, GRAD_CAM, SCORE_CAM)
"""Methods whose maps are compared with the truth."""

CONTROLS = (ZERO, SHUFFLED, NOISE)
"""What says nothing of the scan."""

RANDOM, DARKEST, BRIGHTEST = (
    "random voxel of the organ",
    "darkest voxels of the organ",
    "brightest voxels of the organ",
)
CONSTANT, CHANGE = "always the commonest territory", "true change"
REFERENCES = (RANDOM, CONSTANT, DARKEST, BRIGHTEST, CHANGE)
"""What no network is needed for: chance, two rules that look at the scan alone, one that does not
look at it, and the exact difference to the same scan without its finding. A method at their level
has found nothing."""
