"""Explanations by a similar and an adversarial image: SAGen.

Charachon et al. 2020, "Combining Similarity and Adversarial Learning to Generate Visual
Explanation", equations 1 to 3.

The generator gives two images: a similar one, which keeps the classifier's decision, and an
adversarial one, which turns it over. Their difference is the explanation. The difference of the
image itself and the adversarial image would also show what the generator could not redraw. The two
images are also ends of a path for ``attributions.path_attribution``, which weighs their difference
by the classifier's gradients along the path.
"""

from collections.abc import Callable
from typing import NamedTuple

import jax.numpy as jnp
from jax import Array
from jaxtyping import Float

from cfx_jax.checks import check_image
from cfx_jax.compilation import compiled
from cfx_jax.generator_interfaces import check_generated


class SimilarAdversarial(NamedTuple):
    """The two images that explain one image.

    ``path_attribution(score, *pair)`` takes them as the ends of its path.

    Attributes:
        similar: (h, w, c) in [0, 1], which the classifier decides as it does the image; the image
            itself where a method generates no similar image.
        adversarial: (h, w, c) in [0, 1], which the classifier decides the other way.
    """

    similar: Float[Array, "*batch h w c"]
    adversarial: Float[Array, "*batch h w c"]

    @property
    def explanation(self) -> Float[Array, "*batch h w c"]:
        """The map ``|similar - adversarial|`` (equation 3), at least 0."""
        return jnp.abs(self.similar - self.adversarial)


def similar_adversarial(
    generate: Callable[[Float[Array, "h w c"]], tuple[Array, Array]], image: Float[Array, "h w c"]
) -> SimilarAdversarial:
    """The pair of a trained generator of both images (equation 3).

    Args:
        generate: one image -> similar and adversarial image, such as
            ``models.generator_of(single_ae)``.
        image: values in [0, 1].

    Returns:
        The pair; composes with jit, vmap and pmap.

    Raises:
        InputError: no valid image, or a generator that does not return two images of the image's
            shape.

    Example:
        >>> image = jnp.array([[0.25, 0.5]])[..., None]
        >>> pair = similar_adversarial(lambda image: (image, 1 - image), image)
        >>> pair.explanation[..., 0].tolist()
        [[0.5, 0.0]]
    """
    check_image(image)
    check_generated(generate, image, 2)
    return SimilarAdversarial(*compiled(generate, image))


def naive_adversarial(
    generate: Callable[[Float[Array, "h w c"]], Array], image: Float[Array, "h w c"]
) -> SimilarAdversarial:
    """The image itself and the adversary of a trained generator (equation 1, the naive pair).

    Args:
        generate: one image -> adversarial image.
        image: values in [0, 1].

    Returns:
        The pair, its first the image; composes with jit, vmap and pmap.

    Raises:
        InputError: no valid image, or a generator that does not return one image of the image's
            shape.

    Example:
        >>> image = jnp.array([[0.25, 0.5]])[..., None]
        >>> naive_adversarial(lambda image: 1 - image, image).explanation[..., 0].tolist()
        [[0.5, 0.0]]
    """
    check_image(image)
    check_generated(generate, image, 1)
    return SimilarAdversarial(image, compiled(generate, image))
