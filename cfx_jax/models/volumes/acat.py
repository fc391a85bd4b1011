"""ACAT, a classifier of volumes that attends to where a saliency map is high.

Fontanella et al. 2023, "ACAT: Adversarial Counterfactual Attention for Classification and Detection
in Medical Imaging", section 3.1; layers as released.

The maps are made beforehand and stay as they are; the branch that reads them is trained with the
rest. Its features give a mask after each of the first three stages, which weights the volume's
features, and the three masks together weight the last features. Fresh masks are near one half, so a
network that starts from the weights of its baseline does not start with its logits.

Deviations: the saliency branch has no unused last stage, and batch statistics are not touched
before the training, as they are in the released code, by a volume of zeros.
"""

from collections.abc import Sequence
from typing import Any

from flax import nnx
from jaxtyping import Array, Float

from cfx_jax.checks import check_choice
from cfx_jax.errors import InputError
from cfx_jax.models.volumes.layers import MaskFusion, Pooling, SalientAttention, SliceAttention
from cfx_jax.models.volumes.saliency_aided import check_saliency
from cfx_jax.models.volumes.slice_trunks import NUM_STAGES, Trunk

MASKS = ("early", "middle", "late")
"""Names of the masks after the first, second and third stage."""


class ACAT(nnx.Module):
    """The stages of ``SliceWise`` with salient attention between them, and a sum over slices.

    Parts can be left out, for ablations. Shared parts have the names that they have in
    ``SliceWise``, for ``warm_start``. The number of slices is fixed unless they are averaged.

    Args:
        trunk: the stages of the volume.
        saliency_trunk: the stages of the saliency map, of the same kind and one channel, up to the
            last that has a mask; None where there is no mask.
        head: the layer that maps features (b, ``trunk.slice_width``) to logits: ``last_layer`` or
            ``HalfBrainHead``.
        num_slices: slices of every volume; None averages slices instead of weighing them.
        masks: which of ``"early"``, ``"middle"`` and ``"late"`` there are.
        fusion: whether the masks together also weigh the last features.
        zero_fusion: start without an effect of the fused mask (released: no; then ``1 + mask`` may
            start near 0 or below).
        pooling: how the channels of the saliency map's features become one, ``"max"`` (published)
            or ``"mean"``.
        normalise: divide the sum over slices by their number (released: no; then it starts several
            times the mean).
        rngs: source of the initial weights and of the draws of dropout in the slice attention.

    Raises:
        InputError: an unknown mask, fusion without masks, or trunks that do not fit.
    """

    def __init__(
        self,
        trunk: Trunk,
        saliency_trunk: Trunk | None,
        head: nnx.Module,
        *,
        num_slices: int | None,
        masks: Sequence[str] = MASKS,
        fusion: bool = True,
        zero_fusion: bool = False,
        pooling: Pooling = "max",
        normalise: bool = False,
        rngs: nnx.Rngs,
    ) -> None:
        for mask in masks:
            check_choice(mask, MASKS, name="masks")
        if fusion and not masks:
            raise InputError("fusion: expected False without masks to fuse, got True")
        _check_trunks(trunk, saliency_trunk, num_mask_stages(masks))
        self.trunk, self.saliency_trunk, self.head = trunk, nnx.data(saliency_trunk), head
        self.attention = nnx.Dict(
            {name: SalientAttention(pooling=pooling, rngs=rngs) for name in MASKS if name in masks}
        )
        self.fusion = nnx.data(
            MaskFusion(len(self.attention), zero_init=zero_fusion, rngs=rngs) if fusion else None
        )
        self.slices = nnx.data(
            None
            if num_slices is None
            else SliceAttention(num_slices, trunk.slice_width, normalise=normalise, rngs=rngs)
        )

    def masks(
        self, saliency: Float[Array, "b s h w 1"]
    ) -> dict[str, Float[Array, "b s ?mh ?mw 1"]]:
        """Computes the masks by which features are weighted, to be looked at.

        Args:
            saliency: maps of volumes.

        Returns:
            By name, masks (b, s, mh, mw, 1) in (0, 1), of the size of the maps of the stage.

        Raises:
            InputError: another shape, or integers.
        """
        folded = self._masks(saliency)
        return {name: self.trunk.unfold(mask, len(saliency)) for name, mask in folded.items()}

    def features(
        self, volumes: Float[Array, "b s h w c"], saliency: Float[Array, "b s h w 1"]
    ) -> Float[Array, "b s fh fw f"]:
        """Computes the last feature maps of each slice, weighted by the masks.

        Args:
            volumes: (b, s, h, w, in_channels) in [0, 1], at least 4x4 pixels.
            saliency: (b, s, h, w, 1), the saliency map of each volume, of the same slices and
                pixels; in [0, 1].

        Returns:
            Maps (b, s, fh, fw, out_features); the maps of halves lie side by side, as the halves do
            in the slice.

        Raises:
            InputError: shapes that do not fit, too few pixels, integers, or halves of an odd number
                of columns.
        """
        check_saliency(volumes, saliency)
        masks = self._masks(saliency)
        x = self.trunk.fold(volumes)
        for name, stage in zip((*MASKS, None), self.trunk.stages, strict=True):
            x = stage(x)
            if name in masks:
                x = x * (1 + masks[name])
        if self.fusion is not None:
            x = x * (1 + self.fusion(tuple(masks.values()), x.shape[1:3]))
        return self.trunk.unfold(x, len(volumes))

    def classify(self, features: Float[Array, "b s fh fw f"]) -> Any:
        """Computes the head's logits of feature maps: means over positions, sum over slices, head.

        Raises:
            InputError: another number of slices than the network was made for.
        """
        slices = self.trunk.slice_features(features)
        return self.head(slices.mean(axis=1) if self.slices is None else self.slices(slices))

    def __call__(
        self, volumes: Float[Array, "b s h w c"], saliency: Float[Array, "b s h w 1"]
    ) -> Any:
        """Computes the head's logits of volumes with their saliency maps.

        They are (b, k), or ``HalfBrainLogits``.
        """
        return self.classify(self.features(volumes, saliency))

    def _masks(self, saliency: Float[Array, "b s h w 1"]) -> dict[str, Float[Array, "n ?mh ?mw 1"]]:
        """Computes the masks of the images that the stages see."""
        if self.saliency_trunk is None:
            return {}
        x, masks = self.saliency_trunk.fold(saliency, name="saliency"), {}
        for name, stage in zip(MASKS, self.saliency_trunk.stages, strict=False):
            x = stage(x)
            if name in self.attention:
                masks[name] = self.attention[name](x)
        return masks


def num_mask_stages(masks: Sequence[str]) -> int:
    """Counts the stages that the saliency branch needs, up to the last that has a mask.

    >>> num_mask_stages(["middle"])
    2
    """
    return max((MASKS.index(mask) + 1 for mask in masks), default=0)


def _check_trunks(trunk: Trunk, saliency_trunk: Trunk | None, num_stages: int) -> None:
    if len(trunk.stages) != NUM_STAGES:
        raise InputError(
            f"trunk: expected {NUM_STAGES} stages, got {len(trunk.stages)}: make it without"
            " num_stages"
        )
    count = 0 if saliency_trunk is None else len(saliency_trunk.stages)
    if count != num_stages:
        raise InputError(
            f"saliency_trunk: expected {num_stages} stages, up to the last that has a mask, got"
            f" {count}: give num_stages"
        )
    if saliency_trunk is not None and (saliency_trunk.in_channels, saliency_trunk.split) != (
        1,
        trunk.split,
    ):
        raise InputError(
            f"saliency_trunk: expected one channel and the trunk's split {trunk.split!r}, got"
            f" {saliency_trunk.in_channels} and {saliency_trunk.split!r}"
        )
