"""Weights from files and from other models."""

from cfx_jax.models.weights.alternative_names import by_torchvision_names as by_torchvision_names
from cfx_jax.models.weights.build_with_weights import build_with_weights as build_with_weights
from cfx_jax.models.weights.import_weights import import_weights as import_weights
from cfx_jax.models.weights.tensor_files import read_tensors as read_tensors
from cfx_jax.models.weights.torchvision_names import torchvision_name as torchvision_name
from cfx_jax.models.weights.warm_start import WarmStart as WarmStart
from cfx_jax.models.weights.warm_start import shape_mismatches as shape_mismatches
from cfx_jax.models.weights.warm_start import warm_start as warm_start
from cfx_jax.public_names import public as _public

__all__, __dir__ = _public(globals())
