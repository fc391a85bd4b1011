"""The networks of progressive exaggeration: a generator and a discriminator.

Singla et al. 2020, "Explanation by Progressive Exaggeration"; layers as released. The generator's
encoder and decoder draw an image for a bin of the classifier's probability; the discriminator
judges images and their bins.

There is no connection from encoder to decoder but the latent, and no noise. Networks were released
for images in [-1, 1]; here images are in [0, 1] and mapped inside.

Deviations, each an option:

- The encoder does not take the bin, as in the paper, while the released one does.
- The projection has a direction for each bin but the first (equation 4), where the released one
  ties them.
- With running averages an explanation depends on its image alone, where the released code
  normalises by the other images of the batch in testing too.
"""

from collections.abc import Sequence
from functools import partial
from itertools import pairwise
from typing import Any, Literal

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jax.tree_util import Partial
from jaxtyping import Array, Float, Int

from cfx_jax.checks import check_choice, check_integer, is_concrete
from cfx_jax.errors import InputError
from cfx_jax.generator_interfaces import Exaggerator
from cfx_jax.losses import ordinal_code
from cfx_jax.models.generators.layers import (
    ConditionalBatchNorm,
    SpectralBlock,
    SpectralIdentityBlock,
    SpectralLinear,
    conditional_blocks,
    double,
    mean_halve,
    same_convolution,
)
from cfx_jax.models.layers import batch_norm
from cfx_jax.models.layers.checks import (
    check_filters,
    check_images,
    check_numbers,
    check_shares,
    check_sides,
)
from cfx_jax.models.views import in_inference_mode, leaves_at_least_float32

IN_CHANNELS = 3
NUM_BINS = 10
MOMENTUM = 0.9

ProjectionName = Literal["ordinal", "tied", "none"]
"""How the discriminator takes the bin: a direction for each step (the paper), one for all (the
code), or not at all.
"""

EPSILON = 1e-3


class ProgressiveGenerator(nnx.Module):
    """Encoder and decoder of residual blocks, whose norms have a scale and a shift for each bin.

    With its defaults, 128x128 pixels and ten bins it has 69,566,345 parameters, and latents of
    4x4x1024. In training mode every norm uses the statistics of the batch, so an image's result
    depends on the others and on their bins.

    Args:
        in_channels: channels of the images.
        filters: channels of the first convolution and after each halving (released); at least two.
        num_bins: bins of the probability, at least 2 (paper: 10).
        conditional_encoder: whether the encoder's norms depend on the bin too (released: yes;
            paper: no).
        stem_activation: whether the norm of the image is followed by a ReLU, as released. It takes
            away what is darker than a channel's mean, before the first convolution.
        momentum: share that a running average keeps in a step, in [0, 1).
        rngs: source of the initial weights.

    Raises:
        InputError: fewer than two filters, or a number out of range.
    """

    def __init__(
        self,
        *,
        in_channels: int = IN_CHANNELS,
        filters: Sequence[int] = (64, 128, 256, 512, 1024, 1024),
        num_bins: int = NUM_BINS,
        conditional_encoder: bool = False,
        stem_activation: bool = True,
        momentum: float = MOMENTUM,
        rngs: nnx.Rngs,
    ) -> None:
        check_filters(filters, at_least=2)
        check_numbers({"in_channels": in_channels})
        check_integer(num_bins, name="num_bins", at_least=2)
        check_shares({"momentum": momentum})
        self.in_channels, self.num_bins, self.num_halvings = in_channels, num_bins, len(filters) - 1
        self.conditional_encoder, self.stem_activation = conditional_encoder, stem_activation
        plain = partial(batch_norm, momentum=momentum, epsilon=EPSILON)
        conditional = partial(ConditionalBatchNorm, momentum=momentum, epsilon=EPSILON)
        # With a table of one row the norm knows no bin.
        encoder_norm = partial(conditional, num_bins if conditional_encoder else 1)
        decoder_norm = partial(conditional, num_bins)
        self.stem_norm = plain(in_channels, rngs=rngs)
        self.stem = same_convolution(in_channels, filters[0], rngs=rngs)
        self.down = conditional_blocks(filters, resize=mean_halve, norm=encoder_norm, rngs=rngs)
        self.up = conditional_blocks(filters[::-1], resize=double, norm=decoder_norm, rngs=rngs)
        self.head_norm = plain(filters[0], rngs=rngs)
        self.head = same_convolution(filters[0], in_channels, last=True, rngs=rngs)

    def encode(
        self, images: Float[Array, "b h w c"], bins: Int[Array, " b"]
    ) -> Float[Array, "b h2 w2 d"]:
        """Computes the latents of images.

        Args:
            images: (b, h, w, in_channels) in [0, 1]; height and width divide by 2 for each halving.
            bins: one for each image, in 0..num_bins - 1; without effect unless the encoder is
                conditional.

        Returns:
            Maps (b, h / 2^n, w / 2^n, filters[-1]) after n halvings.

        Raises:
            InputError: images of another shape, sides that do not divide, integers, or bins that
                are none.
        """
        check_images(images, self.in_channels)
        check_sides(images, self.num_halvings)
        check_bins(bins, len(images), self.num_bins)
        x = self.stem_norm(2 * images - 1)
        x = self.stem(nnx.relu(x) if self.stem_activation else x)
        condition = bins if self.conditional_encoder else jnp.zeros_like(bins)
        for block in self.down:
            x = block(x, condition)
        return x

    def decode(
        self, latent: Float[Array, "b h2 w2 d"], bins: Int[Array, " b"]
    ) -> Float[Array, "b h w c"]:
        """Draws images for bins.

        Args:
            latent: the result of ``encode``.
            bins: for each image the bin that its probability is to reach, 0..num_bins - 1.

        Returns:
            Images (b, h, w, in_channels) in [0, 1].

        Raises:
            InputError: bins that are none.
        """
        check_bins(bins, len(latent), self.num_bins)
        x = latent
        for block in self.up:
            x = block(x, bins)
        return (jnp.tanh(self.head(nnx.relu(self.head_norm(x)))) + 1) / 2


class ProjectionDiscriminator(nnx.Module):
    """Residual blocks with spectral norm, sums over positions, and one logit of image and bin.

    The logit is ``psi(phi) + r(k | phi)`` with the features phi of the image and a linear layer
    psi. For bin k of K, r is

    - ``"ordinal"``: the sum of ``<v_i, phi>`` over i < k, with K - 1 vectors (equation 4);
    - ``"tied"``: ``k <v_1, phi> + (K - 1 - k) <v_0, phi>``, as released;
    - ``"none"``: 0.

    There is no batch norm, so an image's logit does not depend on the other images of its batch.
    With its defaults it has 38,428,353 parameters, 38,421,185 when tied.

    Args:
        in_channels: channels of the images.
        filters: channels after each halving (released); at least one.
        last_block: whether a block without halving follows, as released (paper: no).
        projection: how the logit depends on the bin.
        num_bins: K, at least 2.
        rngs: source of the initial weights and of the vectors of spectral norm.

    Raises:
        InputError: an unknown projection, no filter, or a number out of range.
    """

    def __init__(
        self,
        *,
        in_channels: int = IN_CHANNELS,
        filters: Sequence[int] = (64, 128, 256, 512, 1024),
        last_block: bool = True,
        projection: ProjectionName = "ordinal",
        num_bins: int = NUM_BINS,
        rngs: nnx.Rngs,
    ) -> None:
        check_choice(projection, ("ordinal", "tied", "none"), name="projection")
        check_filters(filters, at_least=1)
        check_numbers({"in_channels": in_channels})
        check_integer(num_bins, name="num_bins", at_least=2)
        self.in_channels, self.num_bins, self.projection = in_channels, num_bins, projection
        pairs = list(pairwise((in_channels, *filters)))
        self.down = nnx.List(
            [SpectralBlock(a, b, first=not level, rngs=rngs) for level, (a, b) in enumerate(pairs)]
        )
        self.last = nnx.data(SpectralIdentityBlock(filters[-1], rngs=rngs) if last_block else None)
        self.realness = SpectralLinear(filters[-1], 1, last=True, rngs=rngs)
        columns = {"ordinal": num_bins - 1, "tied": 2, "none": 0}[projection]
        make = partial(SpectralLinear, use_bias=False, last=True, rngs=rngs)
        self.embedding = nnx.data(make(filters[-1], columns) if columns else None)

    def features(self, images: Float[Array, "b h w c"]) -> Float[Array, "b d"]:
        """Computes phi, the sums over positions of the last maps' positive part.

        Args:
            images: (b, h, w, in_channels) in [0, 1]; height and width divide by 2 for each filter.

        Returns:
            Features (b, filters[-1]), at least 0.

        Raises:
            InputError: another shape, sides that do not divide, or integers.
        """
        check_images(images, self.in_channels)
        check_sides(images, len(self.down))
        x = 2 * images - 1
        for block in self.down:
            x = block(x)
        if self.last is not None:
            x = self.last(x)
        return nnx.relu(x).sum(axis=(1, 2))

    def __call__(
        self, images: Float[Array, "b h w c"], bins: Int[Array, " b"]
    ) -> Float[Array, " b"]:
        """Computes one logit for each image and bin, above 0 for images that seem real.

        Args:
            images: as ``features`` takes them.
            bins: one for each image, in 0..num_bins - 1.

        Returns:
            Logits (b,).

        Raises:
            InputError: as ``features``, or bins that are none.
        """
        check_bins(bins, len(images), self.num_bins)
        features = self.features(images)
        return self.realness(features)[:, 0] + self._of_bins(features, bins)

    def _of_bins(self, features: Float[Array, "b d"], bins: Int[Array, " b"]) -> Float[Array, " b"]:
        """Computes the part of the logit that depends on the bin."""
        if self.embedding is None:
            return jnp.zeros(bins.shape)
        above, projected = ordinal_code(bins, self.num_bins)[:, 1:], self.embedding(features)
        if self.projection == "ordinal":
            return (above * projected).sum(axis=1)
        return (above * projected[:, 1:] + (1 - above) * projected[:, :1]).sum(axis=1)


def exaggerator_of(model: nnx.Module) -> Exaggerator:
    """Turns a generator of batches into an explainer of one image, in inference mode.

    Batch norm uses its running averages. The statistics of a batch, with which the released code
    tests, would make an explanation depend on the images and bins beside it, so it would be no
    function of one image: to reproduce that, call ``nnx.view(model, use_running_average=False)``
    with the batch.

    Args:
        model: a ``ProgressiveGenerator``, a ``BendingGenerator``, or another NNX module with
            ``encode(images, bins)``, ``decode(latent, bins)`` and ``num_bins``, where every array
            has the images along its first axis.

    Returns:
        The explainer, a pytree that shares the model's weights, for
        ``counterfactuals.progressive``.

    Raises:
        InputError: ``model`` is not such a module.

    >>> import jax
    >>> options = dict(filters=(2, 4), num_bins=3)
    >>> model = nnx.eval_shape(lambda: ProgressiveGenerator(**options, rngs=nnx.Rngs(0)))
    >>> encode = exaggerator_of(model).encode
    >>> image, bin = jnp.zeros((8, 8, 3)), jnp.array(1)
    >>> jax.eval_shape(lambda encode, image: encode(image, bin), encode, image).shape
    (4, 4, 4)
    """
    missing = [name for name in ("encode", "decode", "num_bins") if not hasattr(model, name)]
    if not isinstance(model, nnx.Module) or missing:
        raise InputError(
            "model: expected an NNX module with encode, decode and num_bins, as"
            f" ProgressiveGenerator, got {type(model).__name__}"
        )
    view: Any = in_inference_mode(model)
    return Exaggerator(Partial(_encode_one, view), Partial(_decode_one, view), view.num_bins)


def _encode_one(model: Any, image: Float[Array, "h w c"], bin: Int[Array, ""]) -> Any:
    latents = model.encode(image[None], jnp.asarray(bin)[None])
    return leaves_at_least_float32(jax.tree.map(lambda values: values[0], latents))


def _decode_one(model: Any, latent: Any, bin: Int[Array, ""]) -> Float[Array, "h w c"]:
    latents = jax.tree.map(lambda values: values[None], latent)
    return model.decode(latents, jnp.asarray(bin)[None])[0]


def check_bins(bins: Int[Array, " b"], number: int, num_bins: int) -> None:
    if jnp.shape(bins) != (number,) or not jnp.issubdtype(jnp.result_type(bins), jnp.integer):
        raise InputError(
            f"bins: expected an integer for each of the {number} images, got"
            f" {jnp.result_type(bins)} of shape {jnp.shape(bins)}"
        )
    if not is_concrete(bins):
        return
    values = np.asarray(bins)
    if values.size and not 0 <= values.min() <= values.max() < num_bins:
        raise InputError(f"bins: expected 0..{num_bins - 1}, got {values.min()}..{values.max()}")
