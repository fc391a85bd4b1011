"""Whether trained generators do what explanations by them take for granted.

They are to turn the classifier's decision over, keep it where they are to keep it, and answer each
image with an image of its own.

A generator that has collapsed gives about the same image for every input. It may turn every
decision over and still explain nothing, since what it changes has nothing to do with the image.
"""

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.sharding import Mesh
from jaxtyping import Float, Int

from cfx_jax.array_types import AnyArray
from cfx_jax.checks import check_callable, check_classifier, check_images, check_number, check_type
from cfx_jax.compilation import as_pytree
from cfx_jax.counterfactuals import SimilarAdversarial
from cfx_jax.diagnosis.finding import Finding
from cfx_jax.errors import InputError
from cfx_jax.objectives import Classifier, decision
from cfx_jax.parallel import map_examples

Explain = Callable[[Float[Array, "h w c"]], SimilarAdversarial]


class GeneratorAnswers(NamedTuple):
    """The effect of generated images, for each class that the classifier decides on.

    Its numbers are NaN where there is nothing to tell.

    Attributes:
        num_images: how many images are decided so, (k,).
        turned: share of the adversarial images with another decision, (k,).
        kept: share of the similar images with the same decision, (k,).
        spread: how much the adversarial images differ among each other, as a share of how much the
            images do (variance over images, mean over pixels), (k,); near 0 for a generator that
            has collapsed.
    """

    num_images: Int[np.ndarray, " k"]
    turned: Float[np.ndarray, " k"]
    kept: Float[np.ndarray, " k"]
    spread: Float[np.ndarray, " k"]


def generator_answers(
    explain: Explain,
    classifier: Classifier,
    images: Float[AnyArray, "n h w c"],
    *,
    batch_size: int | None = None,
    mesh: Mesh | None = None,
) -> GeneratorAnswers:
    """Measures on validation images what generated images reach.

    Args:
        explain: one image -> ``SimilarAdversarial``, such as
            ``Partial(syce, generators, classifier)`` or ``Partial(similar_adversarial, generator)``
            with ``jax.tree_util.Partial``, which carry their weights as arguments.
        classifier: one image -> logits.
        images: values in [0, 1]; some of each decision.
        batch_size: images computed at once; None for all.
        mesh: devices to spread them over; None for all.

    Returns:
        Counts and shares for each of the classifier's classes.

    Raises:
        InputError: images outside [0, 1], a classifier that returns probabilities or NaN, or an
            explanation that is no pair.

    >>> def classifier(image):  # decides on class 1 where the mean is above 0.5
    ...     return jnp.stack([0.5 - image.mean(), image.mean() - 0.5]) * 9
    >>> def explain(image):
    ...     return SimilarAdversarial(similar=image, adversarial=1 - image)
    >>> images = np.stack([np.full((4, 4, 1), value, np.float32) for value in (0.1, 0.2, 0.8, 0.9)])
    >>> generator_answers(explain, classifier, images).turned
    array([1., 1.])
    """
    check_callable(explain, name="explain", gives="one image -> SimilarAdversarial")
    check_images(images)
    check_classifier(classifier, images[:4])
    shared = as_pytree(explain), as_pytree(classifier)
    adversarial, logits = map_examples(
        _answer, shared, np.asarray(images), batch_size=batch_size, mesh=mesh
    )
    # logits (n, 3, k): those of the image, the similar and the adversarial image.
    decisions, similar, other = (np.asarray(decision(logits[:, image])) for image in range(3))
    classes = range(logits.shape[2])
    chosen = [decisions == number for number in classes]
    return GeneratorAnswers(
        np.array([rows.sum() for rows in chosen]),
        np.array(
            [_share(other[rows] != decided) for decided, rows in zip(classes, chosen, strict=True)]
        ),
        np.array(
            [
                _share(similar[rows] == decided)
                for decided, rows in zip(classes, chosen, strict=True)
            ]
        ),
        np.array([_spread(adversarial[rows], np.asarray(images)[rows]) for rows in chosen]),
    )


def diagnose_generators(
    answers: GeneratorAnswers,
    *,
    least_turned: float = 0.95,
    least_kept: float = 0.98,
    least_spread: float = 0.05,
) -> tuple[Finding, ...]:
    """Names what is wrong with generators.

    Args:
        answers: from ``generator_answers``.
        least_turned: share of adversarial images with another decision, in [0, 1] (our bound).
        least_kept: share of similar images with the same decision (0.98).
        least_spread: the least spread of adversarial images, as a share of the images' own spread;
            a generator below it has collapsed.

    Returns:
        ``collapsed``, ``turned`` and ``kept``, errors, and as a warning ``undecided``, a class that
        no image is decided for; one finding for each class; empty where all is well.

    Raises:
        InputError: a bound outside [0, 1].

    >>> one = np.ones(2)
    >>> spread = np.array([0.9, 0.01])
    >>> answers = GeneratorAnswers(np.array([9, 9]), turned=one, kept=one, spread=spread)
    >>> [finding.name for finding in diagnose_generators(answers)]
    ['collapsed']
    """
    check_type(answers, GeneratorAnswers, name="answers", wanted="what generator_answers returned")
    for name, bound in (
        ("least_turned", least_turned),
        ("least_kept", least_kept),
        ("least_spread", least_spread),
    ):
        check_number(bound, name=name)
        if not 0 <= bound <= 1:
            raise InputError(f"{name}: expected a share in [0, 1], got {bound}")
    bounds = least_turned, least_kept, least_spread
    return tuple(
        finding
        for decided in range(len(answers.num_images))
        for finding in _findings(answers, decided, bounds)
    )


def check_generators(answers: GeneratorAnswers, **bounds: float) -> None:
    """Stops where generators cannot explain anything.

    Args:
        answers: from ``generator_answers``.
        bounds: as the options of ``diagnose_generators``.

    Raises:
        InputError: the messages of all errors that ``diagnose_generators`` finds, in one line.

    >>> one = np.ones(2)
    >>> check_generators(GeneratorAnswers(np.array([9, 9]), turned=one, kept=one, spread=one))
    """
    errors = [
        finding.message
        for finding in diagnose_generators(answers, **bounds)
        if finding.severity == "error"
    ]
    if errors:
        raise InputError("; ".join(errors))


def _findings(
    answers: GeneratorAnswers, decided: int, bounds: tuple[float, float, float]
) -> Iterator[Finding]:
    """Yields the findings for the images of one decision.

    Comparisons with NaN are false: what could not be measured is no finding.
    """
    turned, kept, spread = (float(shares[decided]) for shares in answers[1:])
    least_turned, least_kept, least_spread = bounds
    where = f"the {answers.num_images[decided]} images decided {decided}"
    if not answers.num_images[decided]:
        message = (
            f"images: expected some that are decided {decided}, got none: what is generated for"
            " them is not known"
        )
        yield Finding("undecided", "warning", message)
    if spread < least_spread:
        message = (
            f"generator: expected adversarial images of {where} that differ among each other, got"
            f" {spread:.1%} of the images' own variance, a collapse: raise the weights of"
            " reconstruction, or lower the learning rate, and train anew"
        )
        yield Finding("collapsed", "error", message)
    if turned < least_turned:
        message = (
            f"generator: expected the decision turned over on at least {least_turned:.1%} of"
            f" {where}, got {turned:.1%}: train longer, or raise the weight of `adversarial_class`"
        )
        yield Finding("turned", "error", message)
    if kept < least_kept:
        message = (
            "generator: expected similar images with the same decision for at least"
            f" {least_kept:.1%} of {where}, got {kept:.1%}: train longer, or raise the weights of"
            " similar images and of their class"
        )
        yield Finding("kept", "error", message)


def _share(true: np.ndarray) -> float:
    return float(true.mean()) if true.size else np.nan


def _spread(generated: Float[np.ndarray, "m h w c"], images: Float[np.ndarray, "m h w c"]) -> float:
    spread = float(images.var(axis=0, dtype=np.float64).mean()) if len(images) else 0.0
    return float(generated.var(axis=0, dtype=np.float64).mean()) / spread if spread else np.nan


def _answer(
    shared: tuple[Any, Classifier], image: Float[Array, "h w c"]
) -> tuple[Array, Float[Array, "3 k"]]:
    """Computes the adversarial image, and the logits of the image and of the pair."""
    explain, classifier = shared
    pair = explain(image)
    if not isinstance(pair, SimilarAdversarial):
        raise InputError(
            f"explain: expected one image -> SimilarAdversarial, got {type(pair).__name__}: give"
            " Partial(similar_adversarial, generator) or Partial(syce, generators, classifier)"
        )
    return pair.adversarial, jax.vmap(classifier)(jnp.stack([image, *pair]))
