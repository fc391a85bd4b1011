"""Layers of the networks that draw images."""

from cfx_jax.models.generators.layers.conditional_norm import (
    ConditionalBatchNorm as ConditionalBatchNorm,
)
from cfx_jax.models.generators.layers.keras import Affine as Affine
from cfx_jax.models.generators.layers.keras import dense as dense
from cfx_jax.models.generators.layers.keras import glorot_uniform as glorot_uniform
from cfx_jax.models.generators.layers.keras import same_convolution as same_convolution
from cfx_jax.models.generators.layers.preactivation import PreActivation as PreActivation
from cfx_jax.models.generators.layers.preactivation import double as double
from cfx_jax.models.generators.layers.preactivation import halve as halve
from cfx_jax.models.generators.layers.preactivation import units as units
from cfx_jax.models.generators.layers.progressive_blocks import ConditionalBlock as ConditionalBlock
from cfx_jax.models.generators.layers.progressive_blocks import ConditionalNorm as ConditionalNorm
from cfx_jax.models.generators.layers.progressive_blocks import SpectralBlock as SpectralBlock
from cfx_jax.models.generators.layers.progressive_blocks import (
    SpectralIdentityBlock as SpectralIdentityBlock,
)
from cfx_jax.models.generators.layers.progressive_blocks import (
    conditional_blocks as conditional_blocks,
)
from cfx_jax.models.generators.layers.progressive_blocks import mean_halve as mean_halve
from cfx_jax.models.generators.layers.resampling import Doubling as Doubling
from cfx_jax.models.generators.layers.resampling import Halving as Halving
from cfx_jax.models.generators.layers.spectral_norm import (
    SpectralConvolution as SpectralConvolution,
)
from cfx_jax.models.generators.layers.spectral_norm import SpectralLinear as SpectralLinear
from cfx_jax.models.generators.layers.spectral_norm import SpectralVector as SpectralVector
from cfx_jax.models.generators.layers.spectral_norm import power_step as power_step
from cfx_jax.models.generators.layers.transposed import (
    TransposedConvolution as TransposedConvolution,
)
from cfx_jax.public_names import public as _public

__all__, __dir__ = _public(globals())
