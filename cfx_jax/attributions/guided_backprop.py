"""Guided backpropagation (Springenberg et al. 2015, "Striving for simplicity").

The rule lives in the model: ``models.guided(model)`` is a view of it, with the same weights, in
which every ReLU passes back only the positive part of what arrives, and only where it was active.
"""

from jax import Array
from jaxtyping import Float

from cfx_jax.attributions.gradient import Score, gradient


def guided_backprop(
    guided_score: Score, image: Float[Array, "*s h w c"]
) -> Float[Array, "*s h w c"]:
    """The back-signal of a score through a guided model.

    Args:
        guided_score: one image, or volume, -> scalar, built on
            ``models.per_image(models.guided(model))``. On any other model this is the plain
            gradient.
        image: an image, or a volume ``(s, h, w, c)``; values in [0, 1].

    Returns:
        The signed map, of the image's shape.

    Raises:
        InputError: no valid image or volume, or a score that is no scalar.
    """
    return gradient(guided_score, image)
