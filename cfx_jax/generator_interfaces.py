"""Generators of images, as this library sees them: parts that are callables, and a check of them.

``cfx_jax.models`` gives such parts of its networks, ``cfx_jax.counterfactuals`` uses them; neither
needs the other.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

import jax
from jax import Array
from jax.tree_util import Partial
from jaxtyping import Float

from cfx_jax.checks import check_callable, check_integer
from cfx_jax.compilation import shape_of
from cfx_jax.errors import InputError


class Coder(Protocol):
    """A generator in two parts, ``decode(encode(image))``, as ``models.generator_of`` returns
    it."""

    @property
    def encode(self) -> Callable[[Float[Array, "*s h w c"]], Any]:
        """Image or volume -> latent, a pytree of arrays."""

    @property
    def decode(self) -> Callable[[Any], Float[Array, "*s h w c"]]:
        """Latent -> image or volume in [0, 1]."""


@jax.tree_util.register_dataclass
@dataclass(frozen=True, eq=False)
class Exaggerator:
    """An explainer of one image, in two parts that know the bin; a pytree.

    Attributes:
        encode: image (h, w, c) in [0, 1] and its own bin () -> latent, a pytree of arrays; may
            leave the bin aside.
        decode: latent and the desired bin () -> image (h, w, c) in [0, 1].
        num_bins: how many bins the two parts have, at least 2.
    """

    encode: Partial
    decode: Partial
    num_bins: int = field(default=10, metadata={"static": True})

    def __post_init__(self) -> None:
        check_integer(self.num_bins, name="num_bins", at_least=2)


def check_generated(
    generate: Callable[[Array], Any], image: Float[Array, "*s h w c"], count: int
) -> None:
    """Checks the shapes of a generator's output, without computing it.

    Args:
        generate: one image -> one image, or a tuple of images.
        image: an image or a volume, or anything of its shape and dtype.
        count: how many images the generator has to give, each of the shape of ``image``.

    Raises:
        InputError: naming the shapes that the generator returns.
    """
    check_callable(generate, name="generate", gives="one image -> images")
    generated = shape_of(generate, image)
    shapes = [leaf.shape for leaf in jax.tree.leaves(generated)]
    if shapes != [image.shape] * count or isinstance(generated, tuple) != (count > 1):
        wanted = f"a tuple of {count} images" if count > 1 else "one image"
        raise InputError(
            f"generate: expected one image -> {wanted} of its shape {image.shape}, got {shapes}"
        )
