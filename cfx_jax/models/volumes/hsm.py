"""Hallucination of saliency maps, a competitor of ACAT.

Figueroa-Flores et al. 2020, "Hallucinating saliency maps for fine-grained image classification for
limited data domains"; in Fontanella et al. 2023, appendix E.

``HSM`` is what the code released with ACAT has under this name, and what its tables compare under
several saliency maps: a whole second network that sees the map. ``HallucinatedSaliency`` is the
original idea, a detector of four convolutions that makes a map from the image itself and needs
none; its widths and place are ours.
"""

from collections.abc import Sequence

from flax import nnx
from jaxtyping import Array, Float

from cfx_jax.checks import check_choice
from cfx_jax.errors import InputError
from cfx_jax.models.volumes.layers import ConvolutionGate, run_stages
from cfx_jax.models.volumes.saliency_aided import SaliencyAided
from cfx_jax.models.volumes.slice_trunks import Trunk
from cfx_jax.models.volumes.slice_wise import SliceWise
from cfx_jax.models.volumes.smic import apply_gate


class HSM(SaliencyAided):
    """Two trunks, of the slices and of their saliency, whose last maps are multiplied.

    The last maps F and g become ``F (1 + g)``, channel by channel.

    As g is what a ReLU gives, a place may be weighted up without bound.

    Args:
        trunk: the stages that see the slices.
        saliency_trunk: as many stages that see the saliency, of one input channel, with as many
            channels at their end.
        head: the layer that maps features (b, ``trunk.slice_width``) to logits: ``last_layer`` or
            ``HalfBrainHead``.

    Raises:
        InputError: trunks that do not match.
    """

    def __init__(self, trunk: Trunk, saliency_trunk: Trunk, head: nnx.Module) -> None:
        super().__init__(trunk, head)
        self.saliency_trunk = saliency_trunk
        expected = (1, len(trunk.widths), trunk.out_features)
        shape = (
            saliency_trunk.in_channels,
            len(saliency_trunk.widths),
            saliency_trunk.out_features,
        )
        if shape != expected:
            raise InputError(
                f"saliency_trunk: expected (input channels, stages, output channels) of {expected},"
                f" got {shape}: build it as the trunk, with in_channels=1"
            )

    def features(
        self, volumes: Float[Array, "b s h w c"], saliency: Float[Array, "b s h w 1"]
    ) -> Float[Array, "b s fh fw f"]:
        """Computes the last feature maps of each slice, (b, s, fh, fw, out_features).

        Arguments and errors as ``fold``.
        """
        images, maps = self.fold(volumes, saliency)
        x = run_stages(self.trunk.stages, images, {})
        return self.trunk.unfold(
            apply_gate(x, run_stages(self.saliency_trunk.stages, maps, {})), len(volumes)
        )


class HallucinatedSaliency(SliceWise):
    """A trunk whose maps are scaled up by a saliency map that is made from the slice itself.

    A detector makes the map, and the trunk's maps are scaled after one stage.

    Args:
        trunk: the stages that see the slices.
        head: the layer that maps features (b, ``trunk.slice_width``) to logits: ``last_layer`` or
            ``HalfBrainHead``.
        widths: channels of the detector's convolutions but the last, which gives the map.
        after: the stage, from 1, whose maps are scaled.
        rngs: source of the initial weights.

    Raises:
        InputError: no such stage, or a width below 1.
    """

    def __init__(
        self,
        trunk: Trunk,
        head: nnx.Module,
        *,
        widths: Sequence[int] = (32, 64, 64),
        after: int = 2,
        rngs: nnx.Rngs,
    ) -> None:
        super().__init__(trunk, head, rngs=rngs)
        check_choice(after, tuple(range(1, len(trunk.stages) + 1)), name="after")
        self.after = after
        self.detector = ConvolutionGate(trunk.in_channels, widths, rngs=rngs)

    def features(self, volumes: Float[Array, "b s h w c"]) -> Float[Array, "b s fh fw f"]:
        """Computes the last feature maps of each slice.

        Arguments and errors as ``SliceWise.features``.
        """
        images = self.trunk.fold(volumes)
        gate = self.detector(images)
        x = run_stages(self.trunk.stages, images, {self.after: lambda x: apply_gate(x, gate)})
        return self.trunk.unfold(x, len(volumes))
