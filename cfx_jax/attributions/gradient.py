"""The gradient of a score (Simonyan et al. 2014, "Deep inside convolutional networks")."""

from collections.abc import Callable

import jax
from jax import Array
from jaxtyping import Float

from cfx_jax.checks import check_image

Score = Callable[[Float[Array, "h w c"]], Float[Array, ""]]


def gradient(score: Score, image: Float[Array, "h w c"]) -> Float[Array, "h w c"]:
    """The derivative of a score by each pixel.

    Args:
        score: one image -> scalar, such as ``lambda x: -negative_log_probability(classifier, 1)(x)``.
        image: values in [0, 1].

    Returns:
        The signed map, in units of the score per pixel value, of the image's shape.

    Raises:
        InputError: the image is not one float image with values in [0, 1].
    """
    check_image(image)
    return jax.grad(score)(image)
