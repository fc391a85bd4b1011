"""The adversary that translates an image into the domain of the other class (Fixed-Point GAN:
Siddiquee et al. 2019, "Learning Fixed Points in Generative Adversarial Networks").

Charachon et al. 2021 ("Visual explanation by unifying adversarial generation and feature importance
attributions") replace the regions of an image by the regions of such a translation when they
measure how well a map ranks them: it is trained apart from every explanation, so it favours none.
"""

from collections.abc import Callable

import jax.numpy as jnp
from jax import Array
from jax.tree_util import Partial
from jaxtyping import Float, Int

from cfx_jax.checks import check_callable, check_classifier, check_image
from cfx_jax.compilation import as_pytree, compiled
from cfx_jax.counterfactuals.similar_adversarial import SimilarAdversarial
from cfx_jax.counterfactuals.two_classes import decided_class
from cfx_jax.generator_interfaces import check_generated
from cfx_jax.objectives import Classifier

Translate = Callable[[Float[Array, "h w c"], Int[Array, ""]], Float[Array, "h w c"]]


def fixed_point(
    translate: Translate, classifier: Classifier, image: Float[Array, "h w c"]
) -> SimilarAdversarial:
    """The image and its translation into the class that the classifier does not decide on.

    Args:
        translate: image and class, 0 or 1, -> image in [0, 1], such as
            ``models.translation_of(translator)``.
        classifier: one image -> two logits.
        image: values in [0, 1].

    Returns:
        The pair (x, x~); composes with jit, vmap and pmap.

    Raises:
        InputError: no valid image, a classifier that has not two classes or returns probabilities
            or NaN, or a translation that is no image of the image's shape.

    Example:
        >>> translate = lambda image, domain: jnp.where(domain == 1, image + 0.25, image / 2)
        >>> classifier = lambda image: jnp.stack([0.5, image.mean()])
        >>> pair = fixed_point(translate, classifier, jnp.full((2, 2, 1), 0.25))  # of class 0
        >>> float(pair.adversarial.mean())
        0.5
    """
    check_image(image)
    check_callable(translate, name="translate", gives="an image and a class -> image")
    other = 1 - decided_class(classifier, image)
    turn_over = Partial(_into, as_pytree(translate), other)
    check_generated(turn_over, image, 1)
    check_classifier(classifier, jnp.asarray(image)[None])
    return SimilarAdversarial(image, compiled(turn_over, image))


def _into(
    translate: Translate, domain: Int[Array, ""], image: Float[Array, "h w c"]
) -> Float[Array, "h w c"]:
    return translate(image, domain)
