"""A network that gives each pixel a class, for organs in radiographs.

It is the library's UNet with one linear layer.

Ronneberger et al. 2015, "U-Net: Convolutional Networks for Biomedical Image Segmentation".
Deviations, as in ``models.unet``: residual levels with the norm before each convolution, and maps
that keep their size, so that every pixel of the image has logits.
"""

from collections.abc import Sequence

from flax import nnx
from jaxtyping import Array, Float

from cfx_jax.errors import InputError
from cfx_jax.models.generators.layers import dense
from cfx_jax.models.generators.unet import NORM, PUBLISHED_FILTERS, NormName, UNet
from cfx_jax.models.layers.checks import check_numbers


class Segmenter(nnx.Module):
    """A UNet and a 1x1 convolution: images in [0, 1] -> logits of each pixel.

    ``models.per_image(model)(image).argmax(axis=-1)`` is the map of classes of one image.

    Args:
        num_classes: classes of a pixel, the background among them; at least two.
        in_channels, filters, norm: as in ``models.UNet``.
        rngs: source of the initial weights.

    Raises:
        InputError: as ``models.UNet``, or fewer than two classes.

    >>> import jax.numpy as jnp
    >>> model = nnx.eval_shape(lambda: Segmenter(num_classes=3, filters=(2, 4), rngs=nnx.Rngs(0)))
    >>> nnx.eval_shape(lambda model: model(jnp.zeros((1, 8, 8, 1))), model).shape
    (1, 8, 8, 3)
    """

    def __init__(
        self,
        *,
        num_classes: int,
        in_channels: int = 1,
        filters: Sequence[int] = PUBLISHED_FILTERS,
        norm: NormName = NORM,
        rngs: nnx.Rngs,
    ) -> None:
        check_numbers({"num_classes": num_classes})
        if num_classes < 2:
            raise InputError("num_classes: expected at least 2, the background among them, got 1")
        self.unet = UNet(in_channels=in_channels, filters=filters, norm=norm, rngs=rngs)
        self.head = dense(self.unet.out_channels, num_classes, last=True, rngs=rngs)

    def __call__(self, images: Float[Array, "b h w c"]) -> Float[Array, "b h w k"]:
        """Computes the logits (b, h, w, num_classes) of images (b, h, w, in_channels) in [0, 1].

        Raises:
            InputError: another shape, sides that do not divide by 2 for each further filter, or
                integers.
        """
        return self.head(self.unet(images))
