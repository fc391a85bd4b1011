"""Building blocks shared by the architectures: convolutions, stems and residual blocks."""

from cfx_jax.models.layers.blocks import BasicBlock as BasicBlock
from cfx_jax.models.layers.blocks import BottleneckBlock as BottleneckBlock
from cfx_jax.models.layers.convolution import Activation as Activation
from cfx_jax.models.layers.convolution import Shortcut as Shortcut
from cfx_jax.models.layers.convolution import batch_norm as batch_norm
from cfx_jax.models.layers.convolution import convolution as convolution
from cfx_jax.models.layers.convolution import he_fan_out as he_fan_out
from cfx_jax.models.layers.convolution import pointwise as pointwise
from cfx_jax.models.layers.stems import ImagenetStem as ImagenetStem
from cfx_jax.models.layers.stems import PatchStem as PatchStem
