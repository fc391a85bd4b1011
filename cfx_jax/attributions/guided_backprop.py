"""Guided backpropagation (Springenberg et al. 2015, "Striving for simplicity").

The rule lives in the model: ``models.guided(model)`` is a view of it, with the same weights, in which every ReLU passes
back only the positive part of what arrives, and only where it was active.
"""

from jax import Array
from jaxtyping import Float

from cfx_jax.attributions.gradient import Score, gradient


def guided_backprop(guided_score: Score, image: Float[Array, "h w c"]) -> Float[Array, "h w c"]:
    """The back-signal of a score through a guided model.

    Args:
        guided_score: one image -> scalar, built on ``models.per_image(models.guided(model))``. On any other model this is
            the plain gradient.
        image: values in [0, 1].

    Returns:
        The signed map, of the image's shape.

    Raises:
        InputError: the image is not one float image with values in [0, 1].
    """
    return gradient(guided_score, image)
