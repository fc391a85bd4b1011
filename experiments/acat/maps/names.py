"""The names of saliency maps by how they are made, as tables print them."""

OURS, NO_BOUND = "latent counterfactuals", "latent counterfactuals, no bound"
LATENT_SHIFT = "latent shift"
GRADIENT, INTEGRATED = "gradient", "integrated gradients"
GRAD_CAM, GRAD_CAM_PP, SCORE_CAM = "Grad-CAM", "Grad-CAM++", "Score-CAM"
ZERO, SHUFFLED, NOISE, PLACES = "zero", "other scans", "noise", "true places"
WITH_ACAT = "ACAT as classifier"

METHODS = (OURS, NO_BOUND, LATENT_SHIFT, GRADIENT, INTEGRATED, GRAD_CAM_PP, GRAD_CAM, SCORE_CAM)
"""The methods whose maps are compared with the truth."""

CONTROLS = (ZERO, SHUFFLED, NOISE)
"""Maps that say nothing of their scan."""

RANDOM = "random voxel of the organ"
DARKEST, BRIGHTEST = "darkest voxels of the organ", "brightest voxels of the organ"
EDGES = "edges of the organ"
CONSTANT, CHANGE = "always the commonest territory", "true change"
TRIVIAL = (RANDOM, CONSTANT, DARKEST, BRIGHTEST, EDGES)
"""Maps that need no network and do not depend on the finding: a method at their level has found
nothing.

They are chance, a rule that does not look at the scan, and three that look at the scan alone.
"""
REFERENCES = (*TRIVIAL, CHANGE)
"""The trivial maps, and the exact difference to the same scan without its finding."""
