"""Building blocks that several architectures share."""

from cfx_jax.models.layers.block import Block as Block
from cfx_jax.models.layers.compute_dtype import promote_dtype as promote_dtype
from cfx_jax.models.layers.compute_dtype import widest as widest
from cfx_jax.models.layers.convolution import Activation as Activation
from cfx_jax.models.layers.convolution import Norm as Norm
from cfx_jax.models.layers.convolution import NormalisedPointwise as NormalisedPointwise
from cfx_jax.models.layers.convolution import Shortcut as Shortcut
from cfx_jax.models.layers.convolution import batch_norm as batch_norm
from cfx_jax.models.layers.convolution import convolution as convolution
from cfx_jax.models.layers.convolution import he_fan_out as he_fan_out
from cfx_jax.models.layers.convolution import last_layer as last_layer
from cfx_jax.models.layers.convolution import pointwise as pointwise
from cfx_jax.models.layers.depthwise import DepthwiseConvolution as DepthwiseConvolution
from cfx_jax.models.layers.depthwise import grouped_convolution as grouped_convolution
from cfx_jax.models.layers.depthwise import sum_of_products as sum_of_products
from cfx_jax.models.layers.normalisation import PerChannel as PerChannel
from cfx_jax.models.layers.normalisation import channel_statistics as channel_statistics
from cfx_jax.models.layers.normalisation import normalise as normalise
from cfx_jax.models.layers.residual_blocks import BasicBlock as BasicBlock
from cfx_jax.models.layers.residual_blocks import BottleneckBlock as BottleneckBlock
from cfx_jax.models.layers.stems import ConvolutionStem as ConvolutionStem
from cfx_jax.models.layers.stems import ImagenetStem as ImagenetStem
from cfx_jax.models.layers.stems import PatchStem as PatchStem
from cfx_jax.public_names import public as _public

__all__, __dir__ = _public(globals())
