"""The vision transformer on slices, a competitor of ACAT.

Dosovitskiy et al. 2021, "An Image is Worth 16x16 Words"; in Fontanella et al. 2023, appendix E: 6
blocks of 16 heads, patches of 16 pixels on slices of 128x128 (lungs) and of 50 on 400x500 (brains).
Widths and dropout are not published; they are the defaults of the implementation that depth and
heads point to.

It is a trunk of one stage, for ``SliceWise``: that takes the mean over patches and then over
slices. Deviation: no class token, since the mean of the patches does as well (their appendix D.3)
and Grad-CAM needs maps.
"""

import jax
import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Float

from cfx_jax.errors import InputError
from cfx_jax.models.layers.checks import (
    check_height_and_width,
    check_numbers,
    check_rngs,
    check_shares,
    check_size,
)
from cfx_jax.models.volumes.layers import TransformerBlock
from cfx_jax.models.volumes.slice_trunks import Trunk

_POSITION_SPREAD = 0.02
_SIZE = (128, 128)


class VisionTransformer(nnx.Module):
    """Patches as tokens, an embedding of their position, blocks of attention, layer norm.

    Args:
        size: height and width of the images, in pixels, multiples of ``patch``.
        patch: side of a patch, in pixels.
        width: numbers of a token, a multiple of ``num_heads``.
        num_blocks: the number of blocks of attention and two linear layers each.
        num_heads: attentions side by side.
        hidden: outputs of the first linear layer of a block.
        dropout: share that is dropped in training, of the tokens at the start and in the blocks, in
            [0, 1).
        in_channels: the number of channels of the images.
        rngs: source of the initial weights, and of the draws of dropout.

    Raises:
        InputError: a number out of range, or sizes that do not divide.
    """

    def __init__(
        self,
        *,
        size: tuple[int, int],
        patch: int,
        width: int,
        num_blocks: int,
        num_heads: int,
        hidden: int,
        dropout: float,
        in_channels: int,
        rngs: nnx.Rngs,
    ) -> None:
        check_height_and_width(size)
        check_numbers({"patch": patch, "width": width, "num_blocks": num_blocks})
        check_numbers({"num_heads": num_heads, "hidden": hidden, "in_channels": in_channels})
        check_shares({"dropout": dropout})
        check_rngs(rngs)
        _check_divisors(size, patch, width, num_heads)
        self.size = size
        self.embed = nnx.Conv(
            in_channels,
            width,
            kernel_size=(patch, patch),
            strides=patch,
            padding="VALID",
            rngs=rngs,
        )
        num_patches = (size[0] // patch) * (size[1] // patch)
        self.positions = nnx.Param(
            _POSITION_SPREAD * jax.random.normal(rngs.params(), (num_patches, width), jnp.float32)
        )
        self.dropout = nnx.Dropout(dropout, rngs=rngs)
        options = {"num_heads": num_heads, "hidden": hidden}
        self.blocks = nnx.List(
            [
                TransformerBlock(width, **options, dropout=dropout, rngs=rngs)
                for _ in range(num_blocks)
            ]
        )
        self.norm = nnx.LayerNorm(width, rngs=rngs)

    def __call__(self, images: Float[Array, "n h w c"]) -> Float[Array, "n ph pw d"]:
        """Maps images (n, *size, in_channels) to one vector for each patch.

        Their shape is (n, h / patch, w / patch, width).

        Raises:
            InputError: images of another size.
        """
        check_size(images, self.size, network="vision transformer")
        patches = self.embed(images)
        tokens = self.dropout(
            patches.reshape(len(images), -1, patches.shape[-1]) + self.positions[...]
        )
        for block in self.blocks:
            tokens = block(tokens)
        return self.norm(tokens).reshape(patches.shape)


def _check_divisors(size: tuple[int, int], patch: int, width: int, num_heads: int) -> None:
    if any(side % patch for side in size):
        raise InputError(
            f"size: expected sides that divide by the patch of {patch} pixels, got"
            f" {size[0]}x{size[1]}"
        )
    if width % num_heads:
        raise InputError(f"width: expected a multiple of the {num_heads} heads, got {width}")


def vit_stages(
    *,
    size: tuple[int, int] = _SIZE,
    patch: int = 16,
    width: int = 1024,
    num_blocks: int = 6,
    num_heads: int = 16,
    hidden: int = 2048,
    dropout: float = 0.1,
    in_channels: int = 1,
    rngs: nnx.Rngs,
) -> Trunk:
    """Makes the vision transformer of whole slices, also where the other networks see halves.

    Args:
        size: height and width of the slices, in pixels, multiples of ``patch``; (400, 500) for
            brains.
        patch: side of a patch, in pixels; 50 for brains.
        width: numbers of a token, a multiple of ``num_heads``.
        num_blocks: the number of blocks of attention and two linear layers each.
        num_heads: attentions side by side.
        hidden: outputs of the first linear layer of a block.
        dropout: share that is dropped in training, in [0, 1).
        in_channels: channels of the volumes.
        rngs: source of the initial weights, and of the draws of dropout.

    Returns:
        The trunk of one stage, in training mode.

    Raises:
        InputError: a number out of range, or sizes that do not divide.

    >>> nnx.eval_shape(lambda: vit_stages(rngs=nnx.Rngs(0))).widths
    (1024,)
    """
    transformer = VisionTransformer(
        size=size,
        patch=patch,
        width=width,
        num_blocks=num_blocks,
        num_heads=num_heads,
        hidden=hidden,
        dropout=dropout,
        in_channels=in_channels,
        rngs=rngs,
    )
    return Trunk([[transformer]], widths=(width,), in_channels=in_channels)


def vit_small_stages(
    *, size: tuple[int, int] = (64, 64), in_channels: int = 1, rngs: nnx.Rngs
) -> Trunk:
    """Makes a vision transformer of 0.1 million parameters.

    It has 3 blocks of 4 heads and patches of 8 pixels.

    Arguments and errors as ``vit_stages``.

    >>> nnx.eval_shape(lambda: vit_small_stages(rngs=nnx.Rngs(0))).widths
    (64,)
    """
    return vit_stages(
        size=size,
        patch=8,
        width=64,
        num_blocks=3,
        num_heads=4,
        hidden=128,
        in_channels=in_channels,
        rngs=rngs,
    )
