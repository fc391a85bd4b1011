"""Input times gradient (Shrikumar et al. 2016, "Not just a black box")."""

from jax import Array
from jaxtyping import Float

from cfx_jax.attributions.gradient import Score, gradient


def input_x_gradient(score: Score, image: Float[Array, "*s h w c"]) -> Float[Array, "*s h w c"]:
    """The image times the gradient of a score.

    A value is what the score loses, to first order, when the pixel is painted black.

    Args:
        score: one image, or volume, -> scalar.
        image: an image, or a volume ``(s, h, w, c)``; values in [0, 1].

    Returns:
        The signed map, in units of the score, of the image's shape. Its sum is ``score(image)``
        where the score is piecewise linear and has no bias.

    Raises:
        InputError: no valid image or volume, or a score that is no scalar.

    Example:
        >>> image = jnp.array([[0.25, 0.5]])[..., None]
        >>> input_x_gradient(lambda x: (x**2).sum(), image)[..., 0].tolist()
        [[0.125, 0.5]]
    """
    return image * gradient(score, image)
