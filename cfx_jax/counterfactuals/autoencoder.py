"""The autoencoder of the searches in a latent: its two parts as a pytree, after a check.

It is applied to a few slices of a volume at a time.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import jax
from jax import Array, lax
from jax.tree_util import Partial
from jaxtyping import Float

from cfx_jax.checks import check_callable, check_classifier, check_count, check_images_or_volumes
from cfx_jax.compilation import as_pytree, compiled, shape_of
from cfx_jax.errors import InputError
from cfx_jax.generator_interfaces import Coder, check_generated
from cfx_jax.objectives import Classifier


class Autoencoder(NamedTuple):
    """The two parts of an autoencoder, ``encode`` and ``decode``, as a pytree."""

    encode: Callable[[Array], Array]
    decode: Callable[[Array], Array]


class SearchModels(NamedTuple):
    """The functions that a search in a latent uses for every image, as a pytree.

    Attributes:
        encode: image or volume -> latent, one array.
        decode: latent -> image or volume.
        classifier: image or volume -> logits ``(k,)``.
    """

    encode: Callable[[Array], Array]
    decode: Callable[[Array], Array]
    classifier: Classifier


def as_search_models(
    coder: Coder,
    classifier: Classifier,
    images: Float[Array, "n *s h w c"],
    *,
    slices_per_batch: int | None,
) -> SearchModels:
    """The autoencoder and the classifier as one pytree, after a check of their outputs.

    Args:
        coder, slices_per_batch: as in ``as_autoencoder``.
        classifier: one image, or volume, -> logits ``(k,)``.
        images: a few images or volumes, on which the classifier is tried.

    Raises:
        InputError: as ``as_autoencoder``; or a classifier that returns probabilities or NaN.

    Example:
        >>> def classifier(image):
        ...     evidence = image[:2].sum() - image[2:].sum()
        ...     return jnp.stack([-evidence, evidence])
        >>> from types import SimpleNamespace
        >>> coder = SimpleNamespace(encode=lambda image: image - 0.5, decode=lambda z: z + 0.5)
        >>> image = jnp.full((4, 4, 1), 0.5)
        >>> models = as_search_models(coder, classifier, image[None], slices_per_batch=None)
        >>> models.classifier(models.decode(models.encode(image))).shape
        (2,)
    """
    check_images_or_volumes(images)
    autoencoder = as_autoencoder(coder, images[0], slices_per_batch=slices_per_batch)
    check_classifier(classifier, images)
    return SearchModels(autoencoder.encode, autoencoder.decode, as_pytree(classifier))


def as_autoencoder(
    coder: Coder, image: Float[Array, "*s h w c"], *, slices_per_batch: int | None = None
) -> Autoencoder:
    """The two parts of an autoencoder as a pytree, after a check of their outputs.

    Args:
        coder: ``encode``, image or volume -> latent, one array of any shape, and ``decode``, latent
            -> image or volume.
        image: an image (h, w, c) or a volume (s, h, w, c), or anything of its shape and dtype.
        slices_per_batch: how many slices of a volume are coded at once, for a coder whose latents
            have the slices in front and which treats each slice by itself; None takes all.

    Returns:
        The parts; results and derivatives do not depend on ``slices_per_batch``.

    Raises:
        InputError: a latent that is no array, a decoder that does not return one image of the
            image's shape, ``slices_per_batch`` below 1, or ``slices_per_batch`` for an image or for
            a coder whose latents do not have the slices in front.
    """
    check_count(slices_per_batch, name="slices_per_batch", or_none=True)
    check_coder(coder)
    encode, decode = as_pytree(coder.encode), as_pytree(coder.decode)
    latent = shape_of(encode, image)
    if not hasattr(latent, "shape"):
        raise InputError(f"coder: expected encode to give one array, got {type(latent).__name__}")
    check_generated(lambda x: decode(encode(x)), image, 1)
    if slices_per_batch is None:
        return Autoencoder(encode, decode)
    if image.ndim != 4 or latent.shape[:1] != image.shape[:1]:
        raise InputError(
            "slices_per_batch: expected None unless a volume (s, h, w, c) has latents (s, ...),"
            f" got an image of shape {image.shape} with latents of shape {latent.shape}"
        )
    by_slices = _BySlices(slices_per_batch)
    return Autoencoder(Partial(by_slices, encode), Partial(by_slices, decode))


@dataclass(frozen=True)
class _BySlices:
    """Applies a function of a stack of slices to a few of them at a time.

    The derivative computes each micro-batch anew instead of keeping what is inside the network.
    """

    slices_per_batch: int

    def __call__(
        self, function: Callable[[Array], Array], stack: Float[Array, "s *shape"]
    ) -> Float[Array, "s *other"]:
        return compiled(_map_slices, function, stack, self.slices_per_batch)


def _map_slices(
    function: Callable[[Array], Array], stack: Float[Array, "s *shape"], slices_per_batch: int
) -> Float[Array, "s *other"]:
    of_one_slice = jax.checkpoint(lambda slice_: function(slice_[None])[0])
    return lax.map(of_one_slice, stack, batch_size=slices_per_batch)


def check_coder(coder: object, *, name: str = "coder") -> None:
    """Checks that a coder has the two functions ``encode`` and ``decode``.

    Raises:
        InputError: naming the one that is missing, or no function.
    """
    for part in ("encode", "decode"):
        check_callable(
            getattr(coder, part, None), name=f"{name}.{part}", gives="one array -> one array"
        )
