"""A trained generator of batches as a function of one image, in two parts where it has them."""

from dataclasses import dataclass
from typing import Any

import jax
from flax import nnx
from jax.tree_util import Partial
from jaxtyping import Array, Float

from cfx_jax.errors import InputError
from cfx_jax.models.views import in_inference_mode, leaves_at_least_float32


@jax.tree_util.register_dataclass
@dataclass(frozen=True, eq=False)
class Generator:
    """A generator of one image, ``generator(image) = decode(encode(image))``; a pytree.

    Attributes:
        encode: image (h, w, c) -> latent, a pytree of arrays.
        decode: latent -> image (h, w, c) in [0, 1], or the pair of a similar and an adversarial
            image.
    """

    encode: Partial
    decode: Partial

    def __call__(self, image: Float[Array, "h w c"]) -> Any:
        """Computes the image, or the pair of images, that the generator draws for one image."""
        return self.decode(self.encode(image))


def generator_of(model: nnx.Module) -> Generator:
    """Turns a generator of batches into a generator of one image, in inference mode.

    The result shares the model's weights as they are now; pass it through ``jax.jit`` as an
    argument, and ``jax.vmap`` it over images at the speed of a batch.

    Args:
        model: an NNX module with the methods ``encode`` (b, h, w, c) -> latent and ``decode``, as
            ``UNetGenerator``, ``SingleAE`` and ``DuoAE`` have them; every array has the images
            along its first axis.

    Returns:
        The generator, for ``counterfactuals.similar_adversarial``, ``syce`` and ``cyce``.

    Raises:
        InputError: ``model`` is not an NNX module with these methods.

    >>> import jax.numpy as jnp
    >>> from cfx_jax.models import UNetGenerator
    >>> model = nnx.eval_shape(lambda: UNetGenerator(filters=(2, 4), rngs=nnx.Rngs(0)))
    >>> generate, image = generator_of(model), jnp.zeros((8, 8, 1))
    >>> jax.eval_shape(lambda generate, image: generate(image), generate, image).shape
    (8, 8, 1)
    """
    view = coding_view(model)
    return Generator(Partial(_encode_one, view), Partial(_decode_one, view))


def coding_view(model: nnx.Module) -> Any:
    """Returns the view in inference mode of a model that encodes and decodes batches.

    Raises:
        InputError: ``model`` is not an NNX module with the methods ``encode`` and ``decode``.
    """
    methods = [callable(getattr(model, name, None)) for name in ("encode", "decode")]
    if not isinstance(model, nnx.Module) or not all(methods):
        raise InputError(
            "model: expected an NNX module with the methods encode and decode, got"
            f" {type(model).__name__}"
        )
    return in_inference_mode(model)


def _encode_one(model: Any, image: Float[Array, "h w c"]) -> Any:
    return leaves_at_least_float32(jax.tree.map(lambda maps: maps[0], model.encode(image[None])))


def _decode_one(model: Any, latent: Any) -> Any:
    return jax.tree.map(
        lambda images: images[0], model.decode(jax.tree.map(lambda maps: maps[None], latent))
    )
