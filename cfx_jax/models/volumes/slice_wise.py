"""The classifier of volumes that ACAT and its competitors extend.

It is a network of the plane on each slice, then the mean over slices and a linear layer (Fontanella
et al. 2023, "ACAT: Adversarial Counterfactual Attention for Classification and Detection in Medical
Imaging", appendix B).
"""

from typing import Any

from flax import nnx
from jaxtyping import Array, Float

from cfx_jax.models.layers.checks import check_shares
from cfx_jax.models.volumes.slice_trunks import Trunk


class SliceWise(nnx.Module):
    """Stages on each slice or half slice, mean over positions, mean over slices, head.

    The number of slices and their size are free, and their order does not matter.

    Args:
        trunk: the stages, such as ``resnet50_stages`` or ``half_brain_stages`` make.
        head: the layer that maps features (b, ``trunk.slice_width``) to logits: ``last_layer`` or
            ``HalfBrainHead``.
        dropout: share of the features dropped in training after each of the stages but the last, in
            [0, 1). A control for attention at these places (published: 0.2 and 0.6; 0 in the
            baseline).
        rngs: source of the draws of dropout.

    Raises:
        InputError: a share out of range.
    """

    def __init__(
        self, trunk: Trunk, head: nnx.Module, *, dropout: float = 0.0, rngs: nnx.Rngs
    ) -> None:
        check_shares({"dropout": dropout})
        self.trunk, self.head = trunk, head
        self.dropout = nnx.Dropout(dropout, rngs=rngs)

    def features(self, volumes: Float[Array, "b s h w c"]) -> Float[Array, "b s fh fw f"]:
        """Computes the last feature maps of each slice.

        Args:
            volumes: (b, s, h, w, in_channels) in [0, 1], at least 4x4 pixels.

        Returns:
            Maps (b, s, fh, fw, out_features); the maps of halves lie side by side, as the halves do
            in the slice.

        Raises:
            InputError: another shape, too few pixels, integers, or halves of an odd number of
                columns.
        """
        x = self.trunk.fold(volumes)
        *inner, last = self.trunk.stages
        for stage in inner:
            x = self.dropout(stage(x))
        return self.trunk.unfold(last(x), len(volumes))

    def classify(self, features: Float[Array, "b s fh fw f"]) -> Any:
        """Computes the head's logits of feature maps, averaged over positions and slices."""
        return self.head(self.trunk.slice_features(features).mean(axis=1))

    def __call__(self, volumes: Float[Array, "b s h w c"]) -> Any:
        """Computes the head's logits of volumes, ``classify(features(volumes))``.

        They are (b, k), or ``HalfBrainLogits``.
        """
        return self.classify(self.features(volumes))
