"""Layers of the networks of images."""

from cfx_jax.models.images.layers.inception import ConvolutionUnit as ConvolutionUnit
from cfx_jax.models.images.layers.inception import InceptionBlock as InceptionBlock
from cfx_jax.models.images.layers.inception import Pool as Pool
from cfx_jax.models.images.layers.inception import Table as Table
from cfx_jax.models.images.layers.inception import Unit as Unit
from cfx_jax.models.images.layers.inception import pooled as pooled
from cfx_jax.models.images.layers.mbconv import MBConv as MBConv
from cfx_jax.models.images.layers.mbconv import SqueezeExcitation as SqueezeExcitation
from cfx_jax.public_names import public as _public

__all__, __dir__ = _public(globals())
