"""The translator and the critic of Fixed-Point GAN.

Siddiquee et al. 2019, "Learning Fixed Points in Generative Adversarial Networks: From
Image-to-Image Translation to Disease Detection and Localization"; layers as released.

The translator computes the change that carries an image into one of two domains; asked for the
image's own domain it is to change nothing. Released for images in [-1, 1], with ``tanh(u + G(u,
c))``; here images are in [0, 1] and ``u = 2 x - 1``. The tanh keeps no image as it is, however
small G: black needs a G far below 0. ``limit="clip"`` clips the sum instead, so that ``G = 0`` is
the identity, and starts there, with a last convolution of zeros.

Deviations:

- The option ``limit="clip"``.
- Biases start at 0.
- The first weights of transposed convolutions have another bound, which the norm behind them
  undoes.
"""

import math
from collections.abc import Callable
from functools import partial
from itertools import pairwise
from typing import Literal, NamedTuple

import jax
import jax.numpy as jnp
from flax import nnx
from jax.tree_util import Partial
from jax.typing import DTypeLike
from jaxtyping import Array, Float, Int, PRNGKeyArray

from cfx_jax.checks import check_choice
from cfx_jax.errors import InputError
from cfx_jax.models.generators.layers import Doubling, Halving
from cfx_jax.models.layers import Block, promote_dtype, widest
from cfx_jax.models.layers.checks import (
    check_height_and_width,
    check_images,
    check_numbers,
    check_sides,
    check_size,
)
from cfx_jax.models.views import in_inference_mode, unit_clip

_FILTERS = 64

LimitName = Literal["tanh", "clip"]
"""The function that leads the sum of image and change back to [0, 1]."""


def unit_tanh(x: Float[Array, "*b"]) -> Float[Array, "*b"]:
    """Limits values to [0, 1] by a hyperbolic tangent, ``(1 + tanh(2 x - 1)) / 2``.

    >>> unit_tanh(jnp.array([0.5, 10.0])).tolist()
    [0.5, 1.0]
    """
    return jax.nn.sigmoid(4 * x - 2)


_LIMITS: dict[str, Callable[[Array], Array]] = {"tanh": unit_tanh, "clip": unit_clip}


class FixedPointTranslator(nnx.Module):
    """A network that carries images into one of two domains.

    Its layers are a 7x7 convolution, halvings, residual blocks, doublings, and a 7x7 convolution to
    the change. Every convolution but the last is followed by instance norm, whose statistics come
    from the image itself, so that its translation does not depend on the other images of the batch.
    The domain is a further channel of constant 0 or 1.

    Args:
        in_channels: channels of the images.
        filters: channels at full resolution, doubled by each halving (released: 64).
        num_halvings: 4x4 convolutions with stride 2, and as many transposed ones (released: 2).
        num_blocks: residual blocks of two 3x3 convolutions at the lowest resolution (released: 6).
        limit: ``"tanh"``, as released, or ``"clip"``; its function is the attribute ``limit``.
        rngs: source of the initial weights.

    Raises:
        InputError: a number below 1, or an unknown limit.

    >>> options = dict(filters=2, num_blocks=1, limit="clip")
    >>> model = nnx.eval_shape(lambda: FixedPointTranslator(**options, rngs=nnx.Rngs(0)))
    >>> images, domain = jnp.zeros((1, 8, 8, 1)), jnp.array([1])
    >>> nnx.eval_shape(lambda model: model(images, domain), model).shape
    (1, 8, 8, 1)
    """

    def __init__(
        self,
        *,
        in_channels: int = 1,
        filters: int = _FILTERS,
        num_halvings: int = 2,
        num_blocks: int = 6,
        limit: LimitName = "tanh",
        rngs: nnx.Rngs,
    ) -> None:
        check_choice(limit, tuple(_LIMITS), name="limit")
        check_numbers(
            {
                "in_channels": in_channels,
                "filters": filters,
                "num_halvings": num_halvings,
                "num_blocks": num_blocks,
            }
        )
        widths = [filters * 2**level for level in range(num_halvings + 1)]
        pairs = list(pairwise(widths))
        make = partial(_Unit, rngs=rngs)
        halve = partial(Halving, use_bias=False, kernel_init=_uniform, rngs=rngs)
        double = partial(Doubling, kernel_init=_uniform, rngs=rngs)
        self.in_channels, self.num_halvings, self.limit = in_channels, num_halvings, _LIMITS[limit]
        self.enter = make(_convolution(in_channels + 1, filters, size=7, rngs=rngs), filters)
        self.down = nnx.List([make(halve(a, b), b) for a, b in pairs])
        self.blocks = nnx.List([_ResidualBlock(widths[-1], rngs=rngs) for _ in range(num_blocks)])
        self.up = nnx.List([make(double(b, a), a) for a, b in reversed(pairs)])
        self.leave = _convolution(filters, in_channels, size=7, last=True, rngs=rngs)
        if limit == "clip":  # the identity is within reach, so it is where training starts
            self.leave.kernel[...] = jnp.zeros_like(self.leave.kernel[...])

    def change(
        self, images: Float[Array, "b h w c"], domain: Int[Array, " b"]
    ) -> Float[Array, "b h w c"]:
        """Computes the change G, in units of images in [-1, 1].

        Arguments and errors as in a call.
        """
        check_images(images, self.in_channels)
        check_sides(images, self.num_halvings, instead="")
        label = jnp.broadcast_to(domain[:, None, None, None], (*images.shape[:3], 1)).astype(
            images.dtype
        )
        x = nnx.relu(self.enter(jnp.concatenate([2 * images - 1, label], axis=-1)))
        for down in self.down:
            x = nnx.relu(down(x))
        for block in self.blocks:
            x = block(x)
        for up in self.up:
            x = nnx.relu(up(x))
        return self.leave(x)

    def __call__(
        self, images: Float[Array, "b h w c"], domain: Int[Array, " b"]
    ) -> Float[Array, "b h w c"]:
        """Translates images into a domain.

        Args:
            images: (b, h, w, in_channels) in [0, 1]; height and width divide by 2 for each halving.
            domain: the domain to translate into, 0 or 1 for each image.

        Returns:
            Images of the same shape, in [0, 1].

        Raises:
            InputError: another shape, sides that do not divide, or integers.
        """
        return self.limit(images + self.change(images, domain) / 2)


class Verdict(NamedTuple):
    """A critic's judgement of images.

    Attributes:
        realness: one value for each patch, larger for what seems real, (b, h', w').
        logits: the logits of the domain, (b, 2).
    """

    realness: Float[Array, "b _ _"]
    logits: Float[Array, "b 2"]


class PatchCritic(nnx.Module):
    """A network that judges how real each patch of an image is, and the image's domain.

    Its layers are 4x4 convolutions with stride 2 and a leaky ReLU after each. There is no norm, so
    an image's verdict does not depend on the others of its batch, as the gradient penalty needs it.

    Args:
        size: height and width of the images, in pixels; at least two to the power of ``depth``.
        in_channels: channels of the images.
        filters: channels of the first convolution, doubled by each further one (released: 64).
        depth: number of these convolutions (released: 6).
        rngs: source of the initial weights.

    Raises:
        InputError: a number below 1, or too few pixels.

    >>> options = dict(size=(8, 8), filters=2, depth=2)
    >>> critic = nnx.eval_shape(lambda: PatchCritic(**options, rngs=nnx.Rngs(0)))
    >>> verdict = nnx.eval_shape(lambda model: model(jnp.zeros((3, 8, 8, 1))), critic)
    >>> verdict.realness.shape, verdict.logits.shape
    ((3, 2, 2), (3, 2))
    """

    def __init__(
        self,
        *,
        size: tuple[int, int],
        in_channels: int = 1,
        filters: int = _FILTERS,
        depth: int = 6,
        rngs: nnx.Rngs,
    ) -> None:
        check_height_and_width(size)
        check_numbers({"in_channels": in_channels, "filters": filters, "depth": depth})
        if min(size) < 2**depth:
            raise InputError(
                f"size: expected at least {2**depth} pixels a side, since the critic halves them"
                f" {depth} times, got {size[0]}x{size[1]}: give a smaller depth"
            )
        widths = [in_channels, *(filters * 2**level for level in range(depth))]
        make = partial(Halving, use_bias=True, kernel_init=_uniform, rngs=rngs)
        self.size, self.in_channels = tuple(size), in_channels
        self.down = nnx.List([make(a, b) for a, b in pairwise(widths)])
        self.realness = _convolution(widths[-1], 1, size=3, last=True, rngs=rngs)
        patches = (size[0] // 2**depth) * (size[1] // 2**depth)
        self.domain = nnx.Linear(
            patches * widths[-1],
            1,
            use_bias=False,
            kernel_init=_uniform,
            promote_dtype=widest,
            rngs=rngs,
        )

    def __call__(self, images: Float[Array, "b h w c"]) -> Verdict:
        """Judges the realness of images, and their domain.

        Args:
            images: (b, h, w, in_channels) in [0, 1], of the ``size`` that the network was made for.

        Returns:
            Realness of their patches, and logits of the two domains; the first logit is 0.

        Raises:
            InputError: images of another shape, or integers.
        """
        check_images(images, self.in_channels)
        check_size(images, self.size, network="critic")
        x = 2 * images - 1
        for down in self.down:
            x = nnx.leaky_relu(down(x), negative_slope=0.01)
        logit = self.domain(x.reshape(len(x), -1))
        return Verdict(
            self.realness(x)[..., 0], jnp.concatenate([jnp.zeros_like(logit), logit], axis=-1)
        )


def translation_of(model: nnx.Module) -> Partial:
    """Turns a translator of batches into a translator of one image.

    Args:
        model: a ``FixedPointTranslator``, or another NNX module ``(images, domain) -> images``.

    Returns:
        ``(image (h, w, c), domain) -> image``, a pytree that shares the model's weights, for
        ``counterfactuals.fixed_point``.

    Raises:
        InputError: ``model`` is not an NNX module.

    >>> options = dict(filters=2, num_blocks=1)
    >>> model = nnx.eval_shape(lambda: FixedPointTranslator(**options, rngs=nnx.Rngs(0)))
    >>> translate, image = translation_of(model), jnp.zeros((8, 8, 1))
    >>> jax.eval_shape(lambda translate, image: translate(image, 1), translate, image).shape
    (8, 8, 1)
    """
    if not isinstance(model, nnx.Module):
        raise InputError(f"model: expected an NNX module, got {type(model).__name__}")
    return Partial(_translate_one, in_inference_mode(model))


def _translate_one(
    model: nnx.Module, image: Float[Array, "h w c"], domain: Int[Array, ""]
) -> Float[Array, "h w c"]:
    return model(image[None], jnp.asarray(domain)[None])[0]


def _uniform(key: PRNGKeyArray, shape: tuple[int, ...], dtype: DTypeLike = jnp.float32) -> Array:
    """Draws PyTorch's initial weights: uniform within 1 / sqrt(fan in)."""
    bound = 1 / math.sqrt(math.prod(shape[:-1]))
    # Drawn flat: JAX compiles that faster than the same draw in four dimensions.
    return jax.random.uniform(key, (math.prod(shape),), dtype, minval=-bound, maxval=bound).reshape(
        shape
    )


def _convolution(
    in_channels: int, out_channels: int, *, size: int, last: bool = False, rngs: nnx.Rngs
) -> nnx.Conv:
    """Makes a convolution that keeps the size of the maps, without bias."""
    return nnx.Conv(
        in_channels,
        out_channels,
        (size, size),
        use_bias=False,
        kernel_init=_uniform,
        promote_dtype=widest if last else promote_dtype,
        rngs=rngs,
    )


class _Unit(Block):
    """A convolution and instance norm with a learned scale and shift."""

    def __init__(
        self, layer: nnx.Conv | Halving | Doubling, channels: int, *, rngs: nnx.Rngs
    ) -> None:
        self.layer, self.norm = layer, nnx.InstanceNorm(channels, epsilon=1e-5, rngs=rngs)

    def __call__(self, x: Float[Array, "b h w c"]) -> Float[Array, "b h2 w2 d"]:
        return self.norm(self.layer(x))


class _ResidualBlock(nnx.Module):
    """Two 3x3 convolutions, whose output is added to their input; no activation follows."""

    def __init__(self, width: int, *, rngs: nnx.Rngs) -> None:
        self.first, self.second = (
            _Unit(_convolution(width, width, size=3, rngs=rngs), width, rngs=rngs) for _ in range(2)
        )

    def __call__(self, x: Float[Array, "b h w c"]) -> Float[Array, "b h w c"]:
        return x + self.second(nnx.relu(self.first(x)))
