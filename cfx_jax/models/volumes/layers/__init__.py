"""Layers of the networks of volumes."""

from cfx_jax.models.volumes.layers.gated_stages import ConvolutionGate as ConvolutionGate
from cfx_jax.models.volumes.layers.gated_stages import run_stages as run_stages
from cfx_jax.models.volumes.layers.salient_attention import MaskFusion as MaskFusion
from cfx_jax.models.volumes.layers.salient_attention import Pooling as Pooling
from cfx_jax.models.volumes.layers.salient_attention import SalientAttention as SalientAttention
from cfx_jax.models.volumes.layers.salient_attention import average_pool as average_pool
from cfx_jax.models.volumes.layers.self_attention import SelfAttention as SelfAttention
from cfx_jax.models.volumes.layers.slice_attention import SliceAttention as SliceAttention
from cfx_jax.models.volumes.layers.slices import Split as Split
from cfx_jax.models.volumes.layers.slices import check_volumes as check_volumes
from cfx_jax.models.volumes.layers.slices import fold_slices as fold_slices
from cfx_jax.models.volumes.layers.slices import slice_means as slice_means
from cfx_jax.models.volumes.layers.slices import unfold_slices as unfold_slices
from cfx_jax.models.volumes.layers.transformer import TransformerBlock as TransformerBlock
from cfx_jax.public_names import public as _public

__all__, __dir__ = _public(globals())
