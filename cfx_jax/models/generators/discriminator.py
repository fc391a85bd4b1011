"""The discriminators of SyCE and CyCE, which tell real images of a class from generated ones.

Charachon et al. 2021, "Leveraging Conditional Generative Models in a General Explanation Framework
of Classifier Decisions"; layers as released.
"""

from collections.abc import Sequence

from flax import nnx
from jaxtyping import Array, Float

from cfx_jax.models.generators.layers import dense, same_convolution
from cfx_jax.models.layers import Activation
from cfx_jax.models.layers.checks import (
    check_filters,
    check_height_and_width,
    check_images,
    check_numbers,
    check_size,
)
from cfx_jax.models.views import leaky_relu


class Discriminator(nnx.Module):
    """A network with one linear layer after pairs of 3x3 convolutions, one pair for each filter.

    Each convolution comes after a leaky ReLU, and the second of a pair has stride 2. There is no
    norm, so an image's value does not depend on the others of its batch, as the gradient penalty
    needs it.

    Args:
        size: height and width of the images, in pixels.
        in_channels: channels of the images.
        filters: channels of each pair of convolutions (released: 32, 64, 96; a start for 224
            pixels: 32, ..., 512).
        act: elementwise activation, a named function.
        rngs: source of the initial weights.

    Raises:
        InputError: no filter, or a number below 1.

    >>> import jax.numpy as jnp
    >>> network = nnx.eval_shape(lambda: Discriminator(size=(8, 8), filters=(4,), rngs=nnx.Rngs(0)))
    >>> nnx.eval_shape(lambda model: model(jnp.zeros((2, 8, 8, 1))), network).shape
    (2,)
    """

    def __init__(
        self,
        *,
        size: tuple[int, int],
        in_channels: int = 1,
        filters: Sequence[int] = (32, 64, 96),
        act: Activation = leaky_relu,
        rngs: nnx.Rngs,
    ) -> None:
        check_height_and_width(size)
        check_filters(filters, at_least=1)
        check_numbers({"in_channels": in_channels})
        self.size, self.in_channels, self.act = tuple(size), in_channels, act
        channels = (in_channels, *filters)
        self.widen = nnx.List(
            [same_convolution(a, b, rngs=rngs) for a, b in zip(channels, filters, strict=False)]
        )
        self.shrink = nnx.List(
            [same_convolution(width, width, stride=2, rngs=rngs) for width in filters]
        )
        height, width = (-(-side // 2 ** len(filters)) for side in size)
        self.head = dense(height * width * filters[-1], 1, last=True, rngs=rngs)

    def __call__(self, images: Float[Array, "b h w c"]) -> Float[Array, " b"]:
        """Computes one logit for each image, above 0 for an image that seems real.

        Args:
            images: (b, h, w, in_channels) in [0, 1], of the ``size`` that the network was made for.

        Returns:
            Logits (b,).

        Raises:
            InputError: images of another shape, or integers.
        """
        check_images(images, self.in_channels)
        check_size(images, self.size, network="discriminator")
        x = images
        for widen, shrink in zip(self.widen, self.shrink, strict=True):
            x = shrink(self.act(widen(self.act(x))))
        return self.head(x.reshape(len(x), -1))[:, 0]
