"""A generator of masks: one forward pass instead of an optimisation for each image.

Dabkowski and Gal 2017, "Real time image saliency for black box classifiers", as Charachon et al.
2020 and 2021 use it: the encoder is the network that classifies, there is no class selector, and
the mask has half the image's resolution.

The decoder is built of the units of the UNet here: norm, activation, convolution; their widths are
ours, since neither paper gives them.
"""

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Float

from cfx_jax.compilation import shape_of
from cfx_jax.errors import InputError
from cfx_jax.models.generators.layers import Affine, dense, double, units
from cfx_jax.models.images import ResNet
from cfx_jax.models.layers import Activation, ImagenetStem, normalise
from cfx_jax.models.layers.checks import check_numbers
from cfx_jax.models.views import in_inference_mode

_TINY = 1e-6
"""Makes the mask one half, and its derivative finite, where both channels are 0."""


class MaskGenerator(nnx.Module):
    """A frozen encoder and a decoder that computes a mask, 1 where the classifier needs the image.

    The encoder's maps carry no gradient, so training moves the decoder alone (with an optimiser
    that moves weights by their gradients only: no weight decay on the encoder), and it always is in
    inference mode.

    Args:
        encoder: the trained classifier; its maps at each resolution are what is decoded.
        width: channels of the decoder at the finest maps, doubled at each coarser ones.
        act: elementwise activation of the decoder, a named function.
        rngs: source of the decoder's initial weights.

    Raises:
        InputError: an encoder that is no ``ResNet`` or gives maps of one resolution alone, or a
            width below 1.

    >>> from cfx_jax.models.images.resnet import resnet_small
    >>> encoder = nnx.eval_shape(lambda: resnet_small(num_classes=2, rngs=nnx.Rngs(0)))
    >>> model = nnx.eval_shape(lambda: MaskGenerator(encoder, width=2, rngs=nnx.Rngs(0)))
    >>> nnx.eval_shape(lambda model: model(jnp.zeros((1, 32, 32, 3))), model).shape
    (1, 32, 32, 1)
    """

    def __init__(
        self, encoder: ResNet, *, width: int = 32, act: Activation = nnx.relu, rngs: nnx.Rngs
    ) -> None:
        if not isinstance(encoder, ResNet):
            raise InputError(f"encoder: expected a ResNet, got {type(encoder).__name__}")
        check_numbers({"width": width})
        self.encoder = encoder
        channels = _channels(encoder)
        if len(channels) < 2:
            raise InputError(
                "encoder: expected maps of at least two resolutions, got one: give it more stages"
            )
        make = partial(units, norm=Affine, act=act, rngs=rngs)
        widths = [width * 2**level for level in range(len(channels) - 1)]
        # The coarsest maps come as they are; every other input of a unit has been joined with the
        # encoder's maps.
        inputs = [channels[level + 1] + widths[level + 1] for level in range(len(widths) - 1)] + [
            channels[-1]
        ]
        self.up = nnx.List(
            [make(into, (out, out)) for into, out in zip(inputs, widths, strict=True)]
        )
        self.head = dense(channels[0] + widths[0], 2, last=True, rngs=rngs)

    def masks(self, images: Float[Array, "b h w c"]) -> Float[Array, "b mh mw 1"]:
        """Computes masks with the resolution of the encoder's finest maps.

        Args:
            images: (b, h, w, c) in [0, 1], as the encoder takes them.

        Returns:
            (b, mh, mw, 1) in [0, 1]: of half the image's sides with the 7x7 stem (112 for 224
            pixels), of a quarter with the patch stem.

        Raises:
            InputError: as the encoder.
        """
        maps = jax.lax.stop_gradient(_pyramid(self.encoder, images))
        x = maps[-1]
        for skip, up in zip(reversed(maps[:-1]), reversed(self.up), strict=True):
            # Maps of odd sides are halved upwards, so what is doubled may be a pixel too large.
            x = jnp.concatenate([skip, double(up(x))[:, : skip.shape[1], : skip.shape[2]]], axis=-1)
        magnitudes = jnp.abs(self.head(x)) + _TINY
        return magnitudes[..., :1] / magnitudes.sum(axis=-1, keepdims=True)

    def __call__(self, images: Float[Array, "b h w c"]) -> Float[Array, "b h w 1"]:
        """Computes masks (b, h, w, 1) in [0, 1] with the images' size.

        Each pixel takes the value of the nearest pixel of ``masks``.
        """
        masks = self.masks(images)
        return jax.image.resize(masks, (*images.shape[:3], 1), "nearest")


def _pyramid(
    encoder: ResNet, images: Float[Array, "b h w c"]
) -> tuple[Float[Array, "b _ _ _"], ...]:
    """Computes the encoder's maps in inference mode, the finest first.

    They are the maps of the stem's convolution, if it pools, and of each stage.
    """
    view = in_inference_mode(encoder)
    x, stem = normalise(images, view.mean, view.std), view.stem
    maps = [stem.act(stem.norm(stem.conv(x)))] if isinstance(stem, ImagenetStem) else []
    x = stem(x)
    for stage in view.stages:
        for block in stage:
            x = block(x)
        maps.append(x)
    return tuple(maps)


def _channels(encoder: ResNet) -> list[int]:
    """Lists the channels of the encoder's maps."""
    side, in_channels = 32 * 2 ** len(encoder.stages), encoder.stem.conv.in_features
    image: Any = jax.ShapeDtypeStruct((1, side, side, in_channels), jnp.float32)
    return [maps.shape[-1] for maps in shape_of(_pyramid, encoder, image)]
