"""Explanations by a generator for each class that the classifier decides on: SyCE and CyCE.

Charachon et al. 2021, "Leveraging Conditional Generative Models in a General Explanation Framework
of Classifier Decisions".

g_0 changes images predicted 0 so that they are predicted 1, g_1 the other way round. For an image
predicted c the adversary is ``x_a = g_c(x)``. CyCE explains by x and x_a. SyCE explains by x_a and
``x_s = g_c(x_a)``, the same generator applied twice, which its training brings back to x; it is not
``g_c'(x_a)``, the cycle. The true label is never used.
"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import Array
from jax.tree_util import Partial
from jaxtyping import Float, Int

from cfx_jax.checks import check_classifier, check_image
from cfx_jax.compilation import as_pytree, compiled
from cfx_jax.counterfactuals.autoencoder import check_coder
from cfx_jax.counterfactuals.similar_adversarial import SimilarAdversarial
from cfx_jax.counterfactuals.two_classes import decided_class
from cfx_jax.errors import InputError
from cfx_jax.generator_interfaces import Coder, check_generated
from cfx_jax.objectives import Classifier

Generate = Callable[[Float[Array, "h w c"]], Float[Array, "h w c"]]


class LatentPath(NamedTuple):
    """A path of generated images; ``path_attribution_along(score, *path)`` takes it.

    Attributes:
        decode: latent -> image (h, w, c), a pytree.
        start: the latent where the path begins.
        end: the latent where it ends.
    """

    decode: Partial
    start: Any
    end: Any


def cyce(
    generators: Sequence[Generate], classifier: Classifier, image: Float[Array, "h w c"]
) -> SimilarAdversarial:
    """The image and its adversary, by the generator of the class that the classifier decides on.

    Args:
        generators: g_0 and g_1, each one image -> image, such as ``models.generator_of(model)``.
        classifier: one image -> two logits.
        image: values in [0, 1].

    Returns:
        The pair (x, x_a), whose ``explanation`` is ``|x - x_a|``; composes with jit, vmap and pmap.
        Under ``vmap`` both generators are computed.

    Raises:
        InputError: no valid image, a classifier that has not two classes or returns probabilities
            or NaN, a number of generators other than two, or a generator that returns no image of
            the image's shape.

    Example:
        >>> generators = [lambda image: image + 0.25, lambda image: image / 2]
        >>> classifier = lambda image: jnp.stack([0.5, image.mean()])
        >>> pair = cyce(generators, classifier, jnp.full((2, 2, 1), 0.25))  # of class 0
        >>> float(pair.similar.mean()), float(pair.adversarial.mean())
        (0.25, 0.5)
    """
    _, generate = _chosen(generators, classifier, image)
    return SimilarAdversarial(image, compiled(generate, image))


def syce(
    generators: Sequence[Generate], classifier: Classifier, image: Float[Array, "h w c"]
) -> SimilarAdversarial:
    """The adversary and the image that the same generator makes of it.

    Args:
        generators: g_0 and g_1, as in ``cyce``.
        classifier: one image -> two logits.
        image: values in [0, 1].

    Returns:
        The pair (x_s, x_a), whose ``explanation`` is ``|x_s - x_a|``; composes with jit, vmap and
        pmap.

    Raises:
        InputError: as ``cyce``.

    Example:
        >>> generators = [lambda image: image + 0.25, lambda image: image / 2]
        >>> classifier = lambda image: jnp.stack([0.5, image.mean()])
        >>> pair = syce(generators, classifier, jnp.full((2, 2, 1), 0.25))  # of class 0
        >>> float(pair.similar.mean()), float(pair.adversarial.mean())
        (0.75, 0.5)
    """
    _, generate = _chosen(generators, classifier, image)
    adversarial = compiled(generate, image)
    return SimilarAdversarial(compiled(generate, adversarial), adversarial)


def syce_latent_path(
    coders: Sequence[Coder], classifier: Classifier, image: Float[Array, "h w c"]
) -> LatentPath:
    """The path of generated images from x_s to x_a, whose latents are on a straight line.

    Since ``x_a = Dec(Enc(x))`` and ``x_s = Dec(Enc(x_a))``, the latents ``Enc(x_a)`` and ``Enc(x)``
    decode to exactly the ends of ``syce``. This is the path of real images that Charachon et al.
    2021 ("Visual explanation by unifying adversarial generation and feature importance
    attributions", footnote 3) leave aside; the choice of latents is ours. CyCE has no such path: no
    latent of its generators decodes to x itself.

    Args:
        coders: g_0 and g_1 with the parts ``encode`` and ``decode``, whose latents have one
            structure.
        classifier: one image -> two logits.
        image: values in [0, 1].

    Returns:
        The decoder of the decided class and the latents of x_s and x_a; composes with jit, vmap and
        pmap.

    Raises:
        InputError: as ``cyce``.

    Example:
        >>> from types import SimpleNamespace
        >>> brighten = SimpleNamespace(encode=lambda x: 2 * x, decode=lambda z: z / 2 + 0.25)
        >>> darken = SimpleNamespace(encode=lambda x: 2 * x, decode=lambda z: z / 4)
        >>> classifier = lambda image: jnp.stack([0.5, image.mean()])
        >>> path = syce_latent_path([brighten, darken], classifier, jnp.full((2, 2, 1), 0.25))
        >>> float(path.decode(path.start).mean()), float(path.decode(path.end).mean())
        (0.75, 0.5)
    """
    _check_two(coders, name="coders", wanted="g_0 and g_1")
    for coder in coders:
        check_coder(coder)
    generators = [
        Partial(_recode, as_pytree(coder.encode), as_pytree(coder.decode)) for coder in coders
    ]
    predicted, generate = _chosen(generators, classifier, image)
    encode, decode = (
        Partial(
            _apply_chosen, tuple(as_pytree(getattr(coder, part)) for coder in coders), predicted
        )
        for part in ("encode", "decode")
    )
    return LatentPath(decode, compiled(encode, compiled(generate, image)), compiled(encode, image))


def _recode(encode: Callable[[Array], Any], decode: Callable[[Any], Array], image: Array) -> Array:
    return decode(encode(image))


def _chosen(
    generators: Sequence[Generate], classifier: Classifier, image: Float[Array, "h w c"]
) -> tuple[Int[Array, ""], Partial]:
    """The decided class and its generator."""
    check_image(image)
    _check_two(generators, name="generators", wanted="g_0 and g_1")
    for generate in generators:
        check_generated(generate, image, 1)
    predicted = decided_class(classifier, image)
    check_classifier(classifier, jnp.asarray(image)[None])
    return predicted, Partial(_apply_chosen, tuple(map(as_pytree, generators)), predicted)


def _check_two(pair: object, *, name: str, wanted: str) -> None:
    if not isinstance(pair, Sequence) or isinstance(pair, str) or len(pair) != 2:
        came = len(pair) if isinstance(pair, Sequence) else type(pair).__name__
        raise InputError(f"{name}: expected {wanted}, got {came}")


def _apply_chosen(
    functions: tuple[Callable[[Any], Any], ...], predicted: Int[Array, ""], argument: Any
) -> Any:
    # Lambdas, since JAX cannot trace a callable tuple itself.
    return jax.lax.cond(
        predicted == 1, lambda x: functions[1](x), lambda x: functions[0](x), argument
    )
