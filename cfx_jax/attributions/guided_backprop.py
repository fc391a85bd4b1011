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
    """The gradient of a score through a guided model.

    Args:
        guided_score: one image, or volume, -> scalar, built on
            ``models.per_image(models.guided(model))``. On any other model this is the plain
            gradient.
        image: an image, or a volume ``(s, h, w, c)``; values in [0, 1].

    Returns:
        The signed map, of the image's shape.

    Raises:
        InputError: no valid image or volume, or a score that is no scalar.

    Example:
        Only the first pixel is active and raises the score.

        >>> from cfx_jax.models import guided_relu
        >>> image = jnp.array([[0.5, 0.5, 0.0]])[..., None]
        >>> weights = jnp.array([[1.0, -1.0, 1.0]])[..., None]
        >>> score = lambda x: (weights * guided_relu(x - 0.25)).sum()
        >>> guided_backprop(score, image)[..., 0].tolist()
        [[1.0, 0.0, 0.0]]
    """
    return gradient(guided_score, image)
