"""Spatial attention from the features of the image alone (SpAtt), a competitor of ACAT.

Fontanella et al. 2023, appendix E: the same masks at the same stages, without a saliency map.
"""

from functools import partial
from typing import Any

import jax
from flax import nnx
from jaxtyping import Array, Float

from cfx_jax.models.volumes.layers import Pooling, SalientAttention, SliceAttention, run_stages
from cfx_jax.models.volumes.slice_trunks import Trunk
from cfx_jax.models.volumes.slice_wise import SliceWise


class SpAtt(SliceWise):
    """A trunk whose maps weigh themselves after each stage but the last.

    Maps F become ``F (1 + M)``, with a mask M made of F itself.

    Args:
        trunk: the stages that see the slices.
        head: the layer that maps features (b, ``trunk.slice_width``) to logits: ``last_layer`` or
            ``HalfBrainHead``.
        pooling: how the channels of F become the one that the mask is made of.
        slice_attention: learnt weights of the slices, made for ``trunk.slice_width``, as the
            released code has them; None for the mean over slices, which compares with the baseline.
        rngs: source of the initial weights.

    Raises:
        InputError: an unknown ``pooling``.
    """

    def __init__(
        self,
        trunk: Trunk,
        head: nnx.Module,
        *,
        pooling: Pooling = "max",
        slice_attention: SliceAttention | None = None,
        rngs: nnx.Rngs,
    ) -> None:
        super().__init__(trunk, head, rngs=rngs)
        self.masks = nnx.List(
            [SalientAttention(pooling=pooling, rngs=rngs) for _ in trunk.widths[:-1]]
        )
        self.slice_attention = nnx.data(slice_attention)

    def features(self, volumes: Float[Array, "b s h w c"]) -> Float[Array, "b s fh fw f"]:
        """Computes the last feature maps of each slice.

        Arguments and errors as ``SliceWise.features``.
        """
        after = {number: partial(_attend, mask) for number, mask in enumerate(self.masks, start=1)}
        return self.trunk.unfold(
            run_stages(self.trunk.stages, self.trunk.fold(volumes), after), len(volumes)
        )

    def classify(self, features: Float[Array, "b s fh fw f"]) -> Any:
        """Computes the head's logits of feature maps.

        They are averaged over positions, then over slices or by the weights of these.

        Raises:
            InputError: another number of slices than ``slice_attention`` has weights for.
        """
        if self.slice_attention is None:
            return super().classify(features)
        return self.head(self.slice_attention(self.trunk.slice_features(features)))


def _attend(mask: SalientAttention, x: Float[jax.Array, "n h w c"]) -> Float[jax.Array, "n h w c"]:
    return x * (1 + mask(x))
