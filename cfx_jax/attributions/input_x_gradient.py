"""Input times gradient (Shrikumar et al. 2016, "Not just a black box")."""

from jax import Array
from jaxtyping import Float

from cfx_jax.attributions.gradient import Score, gradient


def input_x_gradient(score: Score, image: Float[Array, "h w c"]) -> Float[Array, "h w c"]:
    """The image times the gradient of a score: the first-order effect of painting each pixel black.

    Args:
        score: one image -> scalar.
        image: values in [0, 1].

    Returns:
        The signed map, in units of the score, of the image's shape. Its sum is ``score(image)`` where the score is
        piecewise linear and has no bias.

    Raises:
        InputError: the image is not one float image with values in [0, 1].
    """
    return image * gradient(score, image)
