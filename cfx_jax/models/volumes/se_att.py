"""Self-attention between the stages of a network of slices (SeAtt), a competitor of ACAT.

Fontanella et al. 2023, appendix E.
"""

from collections.abc import Sequence

from flax import nnx
from jaxtyping import Array, Float

from cfx_jax.checks import check_choice
from cfx_jax.models.volumes.layers import SelfAttention, run_stages
from cfx_jax.models.volumes.slice_trunks import Trunk
from cfx_jax.models.volumes.slice_wise import SliceWise

_AFTER = {"whole": (3, 4), "halves": (2, 3)}


class SeAtt(SliceWise):
    """A trunk with self-attention after some stages, without effect at the start.

    Args:
        trunk: the stages that see the slices.
        head: the layer that maps features (b, ``trunk.slice_width``) to logits: ``last_layer`` or
            ``HalfBrainHead``.
        after: these stages, from 1; None for the published ones, blocks 3 and 4 of ResNet-50, and
            convolutions 3 and 5 of the half-brain network, which are its stages 2 and 3. Memory
            grows with the square of the positions there.
        rngs: source of the initial weights.

    Raises:
        InputError: no such stage, or one of fewer than 8 channels.
    """

    def __init__(
        self, trunk: Trunk, head: nnx.Module, *, after: Sequence[int] | None = None, rngs: nnx.Rngs
    ) -> None:
        super().__init__(trunk, head, rngs=rngs)
        self.after = tuple(_AFTER[trunk.split] if after is None else after)
        for number in self.after:
            check_choice(number, tuple(range(1, len(trunk.widths) + 1)), name="after")
        self.attention = nnx.List(
            [SelfAttention(trunk.widths[number - 1], rngs=rngs) for number in self.after]
        )

    def features(self, volumes: Float[Array, "b s h w c"]) -> Float[Array, "b s fh fw f"]:
        """Computes the last feature maps of each slice.

        Arguments and errors as ``SliceWise.features``.
        """
        after = dict(zip(self.after, self.attention, strict=True))
        return self.trunk.unfold(
            run_stages(self.trunk.stages, self.trunk.fold(volumes), after), len(volumes)
        )
