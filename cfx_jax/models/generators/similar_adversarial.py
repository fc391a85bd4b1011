"""Generators of a similar and an adversarial image (SAGen).

Charachon et al. 2020, "Combining Similarity and Adversarial Learning to Generate Visual
Explanation: Application to Medical Image Classification", section IV-C and figure 1.

Both give the pair (x_s, x_a). Their attributes ``similar`` and ``adversarial`` are the two twins of
equal architecture whose weights the loss draws together: whole generators in the Duo, heads alone
in the Single, which share a trunk. The heads of a Single AE_i are i linear 3x3 convolutions and a
1x1 convolution; AE2 has the released widths. AE1 has the first of them, since the paper prints no
width.
"""

from collections.abc import Sequence
from functools import partial

from flax import nnx
from jaxtyping import Array, Float

from cfx_jax.checks import check_flag
from cfx_jax.models.generators.unet import (
    NORM,
    PUBLISHED_FILTERS,
    Latent,
    LinearHead,
    NormName,
    UNet,
    UNetGenerator,
    decode,
    encode,
)
from cfx_jax.models.layers import Activation
from cfx_jax.models.views import unit_clip

Images = Float[Array, "b h w c"]

AE1_HEAD = (32,)
"""Channels of the 3x3 convolutions of each head of Single AE1."""

AE2_HEAD = (32, 16)
"""Channels of the 3x3 convolutions of each head of Single AE2, the best of the paper."""


class SingleAE(nnx.Module):
    """One UNet and two heads; with its defaults the released network, 232,244 parameters.

    Args:
        in_channels, filters, norm, act: as in ``models.UNet``.
        head_filters: channels of the 3x3 convolutions of each head, ``AE1_HEAD`` or ``AE2_HEAD``.
        residual: adds the outputs to the image, as in ``models.UNetGenerator``.
        rngs: source of the initial weights; the two heads start differently.

    Raises:
        InputError: as ``models.UNetGenerator``.
    """

    def __init__(
        self,
        *,
        in_channels: int = 1,
        filters: Sequence[int] = PUBLISHED_FILTERS,
        head_filters: Sequence[int] = AE2_HEAD,
        norm: NormName = NORM,
        act: Activation = nnx.relu,
        residual: bool = False,
        rngs: nnx.Rngs,
    ) -> None:
        check_flag(residual, name="residual")
        self.unet = UNet(in_channels=in_channels, filters=filters, norm=norm, act=act, rngs=rngs)
        self.similar = LinearHead(self.unet.out_channels, head_filters, in_channels, rngs=rngs)
        self.adversarial = LinearHead(self.unet.out_channels, head_filters, in_channels, rngs=rngs)
        self.residual, self.limit = residual, unit_clip

    def encode(self, images: Images) -> Latent:
        """Computes the latent of images, the shared encoder's maps.

        Arguments and errors are those of ``UNet.encode``.
        """
        return encode(self.unet, images, residual=self.residual)

    def decode(self, latent: Latent) -> tuple[Images, Images]:
        """Draws similar and adversarial images (b, h, w, in_channels) in [0, 1] from a latent."""
        similar, adversarial = decode(
            self.unet, (self.similar, self.adversarial), latent, residual=self.residual
        )
        return self.limit(similar), self.limit(adversarial)

    def __call__(self, images: Images) -> tuple[Images, Images]:
        """Computes similar and adversarial images of images: ``decode(encode(images))``."""
        return self.decode(self.encode(images))


class DuoAE(nnx.Module):
    """Two generators with nothing in common.

    Args:
        in_channels, filters, norm, act: as in ``models.UNet``.
        head_filters: channels of the 3x3 convolutions at the end of each, as in ``SingleAE``.
        residual: adds the outputs to the image, as in ``models.UNetGenerator``.
        rngs: source of the initial weights; the two generators start differently.

    Raises:
        InputError: as ``models.UNetGenerator``.
    """

    def __init__(
        self,
        *,
        in_channels: int = 1,
        filters: Sequence[int] = PUBLISHED_FILTERS,
        head_filters: Sequence[int] = AE2_HEAD,
        norm: NormName = NORM,
        act: Activation = nnx.relu,
        residual: bool = False,
        rngs: nnx.Rngs,
    ) -> None:
        make = partial(
            UNetGenerator,
            in_channels=in_channels,
            filters=filters,
            head_filters=head_filters,
            norm=norm,
            act=act,
            residual=residual,
        )
        self.similar, self.adversarial = make(rngs=rngs), make(rngs=rngs)

    def encode(self, images: Images) -> tuple[Latent, Latent]:
        """Computes the latents of images in the two generators.

        Arguments and errors are those of ``UNet.encode``.
        """
        return self.similar.encode(images), self.adversarial.encode(images)

    def decode(self, latents: tuple[Latent, Latent]) -> tuple[Images, Images]:
        """Draws similar and adversarial images (b, h, w, c) in [0, 1] from two latents."""
        return self.similar.decode(latents[0]), self.adversarial.decode(latents[1])

    def __call__(self, images: Images) -> tuple[Images, Images]:
        """Computes similar and adversarial images of images: ``decode(encode(images))``."""
        return self.decode(self.encode(images))
