"""The gradient of a score (Simonyan et al. 2014, "Deep inside convolutional networks")."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax import Array
from jaxtyping import Float

from cfx_jax.checks import check_callable, check_image_or_volume
from cfx_jax.compilation import compiled, shape_of
from cfx_jax.errors import InputError

Score = Callable[[Float[Array, "*s h w c"]], Float[Array, ""]]


def gradient(score: Score, image: Float[Array, "*s h w c"]) -> Float[Array, "*s h w c"]:
    """The derivative of a score by each pixel.

    Args:
        score: one image -> scalar, such as ``objectives.class_score(classifier, 1)``; or one volume
            -> scalar.
        image: an image, or a volume ``(s, h, w, c)``; values in [0, 1].

    Returns:
        The signed map, in units of the score per pixel value, of the image's shape.

    Raises:
        InputError: no valid image or volume, or a score that is no scalar.

    Example:
        >>> image = jnp.array([[0.25, 0.5]])[..., None]
        >>> gradient(lambda x: (x**2).sum(), image)[..., 0].tolist()
        [[0.5, 1.0]]
    """
    check_image_or_volume(image)
    return compiled(slope, score, jnp.asarray(image))


def check_score(score: Score, image: Float[Array, "*s h w c"]) -> None:
    """Checks that a score of an image or volume is a scalar, without computing it.

    Raises:
        InputError: the score is no function, or returns no scalar.
    """
    check_callable(score, name="score", gives="one image or volume -> scalar")
    _check_scalar(shape_of(score, image), image)


def _check_scalar(value: Any, image: Float[Array, "*s h w c"]) -> None:
    if jnp.shape(value) != ():
        kind = "image" if image.ndim == 3 else "volume"
        raise InputError(
            f"score: expected one {kind} {image.shape} -> scalar, got shape {jnp.shape(value)}:"
            " objectives.class_score makes a score of a classifier, jax.vmap explains a batch"
        )


def slope(score: Score, image: Float[Array, "*s h w c"]) -> Float[Array, "*s h w c"]:
    """``jax.grad(score)(image)``: the score is checked while it is traced, the image is not.

    Args:
        score: one image, or volume, -> scalar.
        image: any values.

    Raises:
        InputError: the score is no scalar, or fails on a volume, as it does where a batch is taken
            for one.
    """
    check_callable(score, name="score", gives="one image or volume -> scalar")

    def checked(x: Float[Array, "*s h w c"]) -> Float[Array, ""]:
        try:
            value = score(x)
        except (TypeError, ValueError) as error:
            if x.ndim == 3 or isinstance(error, InputError):
                raise
            first_line = str(error).partition("\n")[0]
            raise InputError(
                f"score: expected one volume {x.shape} -> scalar, got {type(error).__name__}"
                f" ({first_line}): mend the score, or use jax.vmap if this is a batch of images"
            ) from error
        _check_scalar(value, x)
        return value

    return jax.grad(checked)(image)
