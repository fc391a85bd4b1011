"""Weights of files and of other models."""

from cfx_jax.faces import public as _public
from cfx_jax.models.weights.import_weights import import_weights as import_weights
from cfx_jax.models.weights.tensor_files import read_tensors as read_tensors
from cfx_jax.models.weights.warm_start import WarmStart as WarmStart
from cfx_jax.models.weights.warm_start import reshaped as reshaped
from cfx_jax.models.weights.warm_start import warm_start as warm_start

__all__, __dir__ = _public(globals())
