"""Layers of the networks that draw images."""

from cfx_jax.faces import public as _public
from cfx_jax.models.generators.layers.keras import Affine as Affine
from cfx_jax.models.generators.layers.keras import dense as dense
from cfx_jax.models.generators.layers.keras import glorot_uniform as glorot_uniform
from cfx_jax.models.generators.layers.keras import same_convolution as same_convolution
from cfx_jax.models.generators.layers.preactivation import PreActivation as PreActivation

__all__, __dir__ = _public(globals())
