"""Stages of a network with functions of the maps between them, and a gate in (0, 1)."""

from collections.abc import Callable, Iterable, Mapping, Sequence

import jax
from flax import nnx
from jaxtyping import Array, Float

from cfx_jax.models.layers import Activation, batch_norm, convolution, he_fan_out
from cfx_jax.models.layers.checks import check_all_numbers, check_numbers


def run_stages(
    stages: Iterable[Callable[[jax.Array], jax.Array]],
    images: Float[Array, "n h w c"],
    after: Mapping[int, Callable[[jax.Array], jax.Array]],
) -> Float[Array, "n h2 w2 d"]:
    """Runs stages one after the other, with a function of the maps after some of them.

    Args:
        stages: maps (n, h, w, c) -> maps (n, h', w', c').
        images: the input of the first stage.
        after: what is done to the maps of some stages before the next sees them, by the stage's
            number from 1.

    Returns:
        The maps of the last stage, or what is done to them.
    """
    x = images
    for number, stage in enumerate(stages, start=1):
        x = stage(x)
        x = after[number](x) if number in after else x
    return x


class ConvolutionGate(nnx.Module):
    """3x3 convolutions to one channel in (0, 1).

    The first has stride 2. Batch norm and activation follow each convolution but the last, which
    has a bias and a sigmoid.

    Args:
        in_channels: the number of channels of the images.
        widths: channels of each convolution but the last, at least one.
        act: elementwise activation, a named function.
        rngs: source of the initial weights.

    Raises:
        InputError: a number below 1.
    """

    def __init__(
        self, in_channels: int, widths: Sequence[int], *, act: Activation = nnx.relu, rngs: nnx.Rngs
    ) -> None:
        check_numbers({"in_channels": in_channels})
        check_all_numbers({"widths": widths})
        self.act = act
        inputs = (in_channels, *widths[:-1])
        layers = [
            convolution(channels, width, size=3, stride=1 if number else 2, rngs=rngs)
            for number, (channels, width) in enumerate(zip(inputs, widths, strict=True))
        ]
        self.convs = nnx.List(layers)
        self.norms = nnx.List([batch_norm(width, rngs=rngs) for width in widths])
        pads = [(1, 1), (1, 1)]
        self.last = nnx.Conv(
            widths[-1], 1, kernel_size=(3, 3), padding=pads, kernel_init=he_fan_out, rngs=rngs
        )

    def __call__(self, x: Float[Array, "n h w c"]) -> Float[Array, "n h2 w2 1"]:
        """Maps images (n, h, w, in_channels) to gates (n, ceil(h / 2), ceil(w / 2), 1)."""
        for conv, norm in zip(self.convs, self.norms, strict=True):
            x = self.act(norm(conv(x)))
        return nnx.sigmoid(self.last(x))
