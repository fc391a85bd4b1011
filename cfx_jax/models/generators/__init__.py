"""Networks that draw images: generators, their critics, autoencoders and segmenters."""

from cfx_jax.models.generators.discriminator import Discriminator as Discriminator
from cfx_jax.models.generators.fixed_point import FixedPointTranslator as FixedPointTranslator
from cfx_jax.models.generators.fixed_point import LimitName as LimitName
from cfx_jax.models.generators.fixed_point import PatchCritic as PatchCritic
from cfx_jax.models.generators.fixed_point import Verdict as Verdict
from cfx_jax.models.generators.fixed_point import translation_of as translation_of
from cfx_jax.models.generators.generator_view import Generator as Generator
from cfx_jax.models.generators.generator_view import generator_of as generator_of
from cfx_jax.models.generators.mask_generator import MaskGenerator as MaskGenerator
from cfx_jax.models.generators.progressive import ProgressiveGenerator as ProgressiveGenerator
from cfx_jax.models.generators.progressive import ProjectionDiscriminator as ProjectionDiscriminator
from cfx_jax.models.generators.progressive import ProjectionName as ProjectionName
from cfx_jax.models.generators.progressive import exaggerator_of as exaggerator_of
from cfx_jax.models.generators.progressive_small import (
    BatchNormDiscriminator as BatchNormDiscriminator,
)
from cfx_jax.models.generators.progressive_small import BendingGenerator as BendingGenerator
from cfx_jax.models.generators.residual_autoencoder import (
    ResidualAutoencoder as ResidualAutoencoder,
)
from cfx_jax.models.generators.residual_autoencoder import coder_of as coder_of
from cfx_jax.models.generators.segmentation import Segmenter as Segmenter
from cfx_jax.models.generators.similar_adversarial import AE1_HEAD as AE1_HEAD
from cfx_jax.models.generators.similar_adversarial import AE2_HEAD as AE2_HEAD
from cfx_jax.models.generators.similar_adversarial import DuoAE as DuoAE
from cfx_jax.models.generators.similar_adversarial import SingleAE as SingleAE
from cfx_jax.models.generators.stored import arrays_of as arrays_of
from cfx_jax.models.generators.stored import rebuild as rebuild
from cfx_jax.models.generators.unet import PUBLISHED_FILTERS as PUBLISHED_FILTERS
from cfx_jax.models.generators.unet import NormName as NormName
from cfx_jax.models.generators.unet import UNet as UNet
from cfx_jax.models.generators.unet import UNetGenerator as UNetGenerator
from cfx_jax.models.generators.vae import VAE as VAE
from cfx_jax.public_names import public as _public

__all__, __dir__ = _public(globals())
