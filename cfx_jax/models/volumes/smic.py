"""Saliency-modulated image classification (SMIC), a competitor of ACAT.

Flores et al. 2019, "Saliency for fine-grained object recognition in domains with scarce training
data"; in Fontanella et al. 2023, appendix E.

Features F after one of the stages become ``F (1 + g)`` with a gate g in (0, 1) made of the saliency
map. The branch that makes it has two convolutions, as both papers say; their widths and strides are
ours. The code released with ACAT has another branch, which is offered too: the first stages of a
network like the trunk, and a gate for each channel, which is at least one half where these stages
end in a ReLU.
"""

from flax import nnx
from jaxtyping import Array, Float

from cfx_jax.checks import check_choice
from cfx_jax.errors import InputError
from cfx_jax.models.volumes.layers import ConvolutionGate, average_pool, run_stages
from cfx_jax.models.volumes.saliency_aided import SaliencyAided
from cfx_jax.models.volumes.slice_trunks import Trunk


class SMIC(SaliencyAided):
    """A trunk whose maps are scaled up after one stage where the saliency says so.

    Args:
        trunk: the stages that see the slices.
        head: the layer that maps features (b, ``trunk.slice_width``) to logits: ``last_layer`` or
            ``HalfBrainHead``.
        saliency_trunk: None for the branch of two convolutions, whose gate is one for all channels
            and is averaged to the size of the maps; or, as released, ``after`` stages like the
            trunk's of one input channel.
        width: channels between the two convolutions.
        after: the stage, from 1, whose maps are scaled: block 2 of ResNet-50 and the third
            convolution of the half-brain network are both stage 2.
        rngs: source of the initial weights.

    Raises:
        InputError: no such stage, a width below 1, or a ``saliency_trunk`` of another number of
            stages or channels.
    """

    def __init__(
        self,
        trunk: Trunk,
        head: nnx.Module,
        *,
        saliency_trunk: Trunk | None = None,
        width: int = 32,
        after: int = 2,
        rngs: nnx.Rngs,
    ) -> None:
        super().__init__(trunk, head)
        check_choice(after, tuple(range(1, len(trunk.stages) + 1)), name="after")
        self.after = after
        self.gate: ConvolutionGate | _StagesGate = (
            ConvolutionGate(1, (width,), rngs=rngs)
            if saliency_trunk is None
            else _StagesGate(saliency_trunk, trunk.widths[:after])
        )

    def features(
        self, volumes: Float[Array, "b s h w c"], saliency: Float[Array, "b s h w 1"]
    ) -> Float[Array, "b s fh fw f"]:
        """Computes the last feature maps of each slice, (b, s, fh, fw, out_features).

        Arguments and errors as ``fold``.
        """
        images, maps = self.fold(volumes, saliency)
        gate = self.gate(maps)
        x = run_stages(self.trunk.stages, images, {self.after: lambda x: apply_gate(x, gate)})
        return self.trunk.unfold(x, len(volumes))


def apply_gate(
    x: Float[Array, "n h w c"], gate: Float[Array, "n gh gw g"]
) -> Float[Array, "n h w c"]:
    """Computes ``x * (1 + gate)``, with a gate of another size averaged to the size of the maps.

    >>> import jax.numpy as jnp
    >>> apply_gate(jnp.full((1, 2, 2, 1), 3.0), jnp.full((1, 4, 4, 1), 0.5)).ravel().tolist()
    [4.5, 4.5, 4.5, 4.5]
    """
    _, height, width, _ = x.shape
    same = gate.shape[1:3] == (height, width)
    return x * (1 + (gate if same else average_pool(gate, (height, width))))


class _StagesGate(nnx.Module):
    """The sigmoid of the last maps of some stages, one gate for each of their channels."""

    def __init__(self, trunk: Trunk, widths: tuple[int, ...]) -> None:
        if (trunk.in_channels, len(trunk.widths), trunk.widths[-1]) != (1, len(widths), widths[-1]):
            raise InputError(
                f"saliency_trunk: expected {len(widths)} stages of 1 input channel that end in"
                f" {widths[-1]} channels, got {len(trunk.widths)} of {trunk.in_channels} that end"
                f" in {trunk.widths[-1]}: build it as the trunk, with num_stages={len(widths)}"
            )
        self.trunk = trunk

    def __call__(self, maps: Float[Array, "n h w 1"]) -> Float[Array, "n h2 w2 d"]:
        return nnx.sigmoid(run_stages(self.trunk.stages, maps, {}))
