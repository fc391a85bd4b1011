"""Attributions: one signed number for each pixel, raw. What is done to maps afterwards is in ``cfx_jax.maps``."""

from cfx_jax.attributions.gradient import Score as Score
from cfx_jax.attributions.gradient import gradient as gradient
from cfx_jax.attributions.guided_backprop import guided_backprop as guided_backprop
from cfx_jax.attributions.integrated_gradients import integrated_gradients as integrated_gradients
from cfx_jax.attributions.vce_saliency import vce_saliency as vce_saliency
