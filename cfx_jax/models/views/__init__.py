"""Views of a model: one image at a time, calibrated, in an ensemble, with other activations."""

from cfx_jax.layer_taps import Parts as Parts
from cfx_jax.models.views.activations import guided_relu as guided_relu
from cfx_jax.models.views.activations import leaky_relu as leaky_relu
from cfx_jax.models.views.activations import unit_clip as unit_clip
from cfx_jax.models.views.activations import unit_clip_leading_back as unit_clip_leading_back
from cfx_jax.models.views.calibrated import Calibrated as Calibrated
from cfx_jax.models.views.calibrated import calibrated as calibrated
from cfx_jax.models.views.compute_dtype import ComputeDtype as ComputeDtype
from cfx_jax.models.views.compute_dtype import computing_in as computing_in
from cfx_jax.models.views.compute_dtype import leaves_at_least_float32 as leaves_at_least_float32
from cfx_jax.models.views.ensemble import Ensemble as Ensemble
from cfx_jax.models.views.ensemble import ensemble as ensemble
from cfx_jax.models.views.guided_classifier import guided_classifier as guided_classifier
from cfx_jax.models.views.one_label import one_label as one_label
from cfx_jax.models.views.per_image import guided as guided
from cfx_jax.models.views.per_image import in_inference_mode as in_inference_mode
from cfx_jax.models.views.per_image import parts as parts
from cfx_jax.models.views.per_image import per_image as per_image
from cfx_jax.models.views.pre_activations import PreActivations as PreActivations
from cfx_jax.models.views.pre_activations import pre_activations as pre_activations
from cfx_jax.models.views.remat import with_remat as with_remat
from cfx_jax.models.views.thresholded import Thresholded as Thresholded
from cfx_jax.models.views.thresholded import thresholded as thresholded
from cfx_jax.models.views.two_logits import two_logits as two_logits
from cfx_jax.models.views.two_sides import TwoSides as TwoSides
from cfx_jax.models.views.two_sides import two_sides as two_sides
from cfx_jax.public_names import public as _public

__all__, __dir__ = _public(globals())
