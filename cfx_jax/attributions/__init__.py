"""Attributions: one signed number for each pixel, raw.

``cfx_jax.maps`` contains what is done to a map afterwards.
"""

from cfx_jax.attributions.affine_moves import AugmentationRanges as AugmentationRanges
from cfx_jax.attributions.augment_average import augment_average as augment_average
from cfx_jax.attributions.grad_cam import grad_cam as grad_cam
from cfx_jax.attributions.grad_cam import grad_cam_plus_plus as grad_cam_plus_plus
from cfx_jax.attributions.grad_cam import layer_cam as layer_cam
from cfx_jax.attributions.gradient import Score as Score
from cfx_jax.attributions.gradient import gradient as gradient
from cfx_jax.attributions.guided_backprop import guided_backprop as guided_backprop
from cfx_jax.attributions.input_x_gradient import input_x_gradient as input_x_gradient
from cfx_jax.attributions.integrated_gradients import IntegratedGradients as IntegratedGradients
from cfx_jax.attributions.integrated_gradients import integrated_gradients as integrated_gradients
from cfx_jax.attributions.integrated_gradients import (
    integrated_gradients_and_residual as integrated_gradients_and_residual,
)
from cfx_jax.attributions.latent_saliency import LatentSaliency as LatentSaliency
from cfx_jax.attributions.latent_saliency import difference_saliency as difference_saliency
from cfx_jax.attributions.latent_saliency import latent_saliency as latent_saliency
from cfx_jax.attributions.mask_perturbation import MaskProblem as MaskProblem
from cfx_jax.attributions.mask_perturbation import mask_perturbation as mask_perturbation
from cfx_jax.attributions.occlusion import occlusion as occlusion
from cfx_jax.attributions.path import PathAttribution as PathAttribution
from cfx_jax.attributions.path import path_attribution as path_attribution
from cfx_jax.attributions.path import path_attribution_along as path_attribution_along
from cfx_jax.attributions.perceptual_perturbation import (
    perceptual_objective as perceptual_objective,
)
from cfx_jax.attributions.perceptual_perturbation import (
    perceptual_perturbation as perceptual_perturbation,
)
from cfx_jax.attributions.random_map import random_map as random_map
from cfx_jax.attributions.score_cam import score_cam as score_cam
from cfx_jax.attributions.slices import of_slice as of_slice
from cfx_jax.attributions.slices import over_slices as over_slices
from cfx_jax.attributions.smooth_grad import Attribution as Attribution
from cfx_jax.attributions.smooth_grad import smooth_grad as smooth_grad
from cfx_jax.attributions.vce_saliency import vce_saliency as vce_saliency
from cfx_jax.public_names import public as _public

__all__, __dir__ = _public(globals())
