"""An autoencoder of images or volumes, as the searches in its latent take it: checked, and in
micro-batches of slices.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import jax
from jax import Array, lax
from jax.tree_util import Partial
from jaxtyping import Float

from cfx_jax.arrays import AnyArray
from cfx_jax.callables import as_pytree, shape_of
from cfx_jax.checks import check_callable, check_count, check_dtype, check_unit_range
from cfx_jax.counterfactuals.cycle import Coder
from cfx_jax.counterfactuals.similar_adversarial import check_generated
from cfx_jax.errors import InputError
from cfx_jax.programs import compiled


class Coding(NamedTuple):
    """The two parts of an autoencoder: ``encode`` and ``decode``; a pytree."""

    encode: Callable[[Array], Array]
    decode: Callable[[Array], Array]


@dataclass(frozen=True)
class _BySlices:
    """Applies a function of a stack of slices to a few of them at a time.

    Its derivative computes each micro-batch anew instead of keeping what is inside the network.
    """

    slices_per_batch: int

    def __call__(
        self, function: Callable[[Array], Array], stack: Float[Array, "s *shape"]
    ) -> Float[Array, "s *other"]:
        return compiled(_map_slices, function, stack, self.slices_per_batch)


def _map_slices(
    function: Callable[[Array], Array], stack: Float[Array, "s *shape"], slices_per_batch: int
) -> Float[Array, "s *other"]:
    one = jax.checkpoint(lambda slice_: function(slice_[None])[0])
    return lax.map(one, stack, batch_size=slices_per_batch)


def coding(
    coder: Coder, image: Float[Array, "*s h w c"], *, slices_per_batch: int | None = None
) -> Coding:
    """The two parts of an autoencoder as a pytree, after a look at what they give.

    Args:
        coder: ``encode``, image or volume -> latent, one array of any shape, and ``decode``, latent
            -> image or volume.
        image: an image (h, w, c) or a volume (s, h, w, c), or anything of its shape and dtype.
        slices_per_batch: how many slices of a volume are coded at once, for a coder whose latents
            have the slices in front and which treats each slice by itself; None takes all.

    Returns:
        The parts; results and derivatives do not depend on ``slices_per_batch``.

    Raises:
        InputError: a latent that is no array, a decoder that gives anything else than one image of
            the image's shape, ``slices_per_batch`` below 1, for an image, or for a coder whose
            latents do not have the slices in front.
    """
    check_count(slices_per_batch, name="slices_per_batch", or_none=True)
    for part in ("encode", "decode"):
        check_callable(
            getattr(coder, part, None), name=f"coder.{part}", gives="one array -> one array"
        )
    encode, decode = as_pytree(coder.encode), as_pytree(coder.decode)
    latent = shape_of(encode, image)
    if not hasattr(latent, "shape"):
        raise InputError(f"coder: expected encode to give one array, got {type(latent).__name__}")
    check_generated(lambda x: decode(encode(x)), image, 1)
    if slices_per_batch is None:
        return Coding(encode, decode)
    if image.ndim != 4 or latent.shape[:1] != image.shape[:1]:
        raise InputError(
            "slices_per_batch: expected None unless a volume (s, h, w, c) has latents (s, ...), got"
            " an image of shape"
            f" {image.shape} with latents of shape {latent.shape}"
        )
    by_slices = _BySlices(slices_per_batch)
    return Coding(Partial(by_slices, encode), Partial(by_slices, decode))


def check_pictures(pictures: Float[AnyArray, "n *s h w c"], *, name: str) -> None:
    """Checks a batch of images or of volumes: at least one, float32 (or float64), finite and inside
    [0, 1].

    Args:
        pictures: images (n, h, w, c) or volumes (n, s, h, w, c).
        name: what the message calls them.

    Raises:
        InputError: naming what is wrong and how to mend it.
    """
    if getattr(pictures, "ndim", None) not in (4, 5):
        raise InputError(
            f"{name}: expected a batch of images (n, h, w, c) or of volumes (n, s, h, w, c), got"
            f" shape"
            f" {getattr(pictures, 'shape', None)}"
        )
    check_dtype(pictures, name=name)
    check_unit_range(pictures, name=name)
