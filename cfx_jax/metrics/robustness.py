"""Whether a classifier stays right under attack.

The attack is APGD with random restarts (Boreiko et al. 2022, as released). Two deviations can only
break more images. For three and more classes the attack lowers other losses beside the margin, as
AutoAttack does (Croce and Hein 2020). It also lowers the losses of surrogates, classifiers that
stand in for one whose own gradients vanish.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array, lax
from jaxtyping import Bool, Float, Int, PRNGKeyArray

from cfx_jax.array_types import AnyArray
from cfx_jax.checks import (
    check_choice,
    check_count,
    check_images,
    check_key,
    check_norm,
    check_num_steps,
    check_positive,
    check_targets,
    check_type,
)
from cfx_jax.checks import num_classes as count_classes
from cfx_jax.compilation import as_pytree, surrogates_of
from cfx_jax.errors import InputError
from cfx_jax.geometry import lp_ball_in_box
from cfx_jax.objectives import Classifier, log_odds, negative_margin
from cfx_jax.optimise import Problem, Result, apgd, solve
from cfx_jax.parallel import apply_to_examples, example_keys

_MARGIN, _LOG_ODDS = -2, -1
"""Aims that name no class: to lower the margin, and the log-odds of the label."""
_MOST_TARGETS = 9
"""The largest number of classes that are aimed at one by one."""
_BROKEN = float(np.finfo(np.float32).min) / 4
"""A value far below every loss: the search has found an image that is classified wrong."""


class AttackExample(NamedTuple):
    """The part of an attack that differs from image to image."""

    image: Float[Array, "h w c"]
    """The image, values in [0, 1]."""
    label: Int[Array, ""]
    """The true class of the image."""
    aim: Int[Array, ""]
    """The class that the attack aims at; below 0 for no class."""
    radius: Float[Array, ""]
    """The largest distance from the image, in the norm of the attack."""
    key: PRNGKeyArray
    """Source of the point where the search starts."""


class Attacked(NamedTuple):
    """The part of an attack that all images share."""

    classifier: Classifier
    """The classifier that is to be wrong."""
    surrogate: Classifier | None
    """The classifier whose loss is lowered; None for the classifier itself."""


@dataclass(frozen=True)
class Attack:
    """APGD that lowers a loss of the true class until the classifier is wrong.

    The loss is the label's logit less the logit of the class ``aim``, or, for an aim below 0, less
    the largest other logit, or the log-odds of the label, which descend as its log-probability
    does. All are scalars of the same logits, so one compiled program serves every aim.
    """

    p: float
    """The norm of the radius, 1, 2 or inf."""
    num_steps: int
    """Number of gradient steps."""

    def __call__(self, attacked: Attacked, example: AttackExample) -> Problem:
        projection = "exact" if self.p == 1 else "ball_then_box"
        constraint = lp_ball_in_box(example.image, example.radius, self.p, projection=projection)
        label, aim = example.label, example.aim
        follow = attacked.classifier if attacked.surrogate is None else attacked.surrogate

        def objective(image: Float[Array, "h w c"]) -> Float[Array, ""]:
            logits = follow(image)
            targeted = logits[label] - logits[jnp.maximum(aim, 0)]
            untargeted = jnp.where(
                aim == _MARGIN, _margin_of(logits, label), log_odds(logits, label)
            )
            loss = jnp.where(aim >= 0, targeted, untargeted)
            judged = (
                logits
                if attacked.surrogate is None
                else lax.stop_gradient(attacked.classifier(image))
            )
            return jnp.where(_margin_of(judged, label) > 0, loss, 2 * _BROKEN)

        return Problem(
            apgd(constraint, num_steps=self.num_steps), objective, constraint.sample(example.key)
        )


def robustly_correct(
    key: PRNGKeyArray,
    classifier: Classifier,
    images: Float[AnyArray, "n h w c"],
    labels: Int[AnyArray, " n"],
    *,
    radius: float,
    p: float = 2,
    num_steps: int = 100,
    num_restarts: int = 9,
    surrogates: Sequence[Classifier] | None = None,
    batch_size: int | None = 256,
    mesh: jax.sharding.Mesh | None = None,
    progress: bool | str = False,
) -> Bool[np.ndarray, " n"]:
    """Finds the images that are classified right and stay so under every attack within a radius.

    Their share is an upper bound of the robust accuracy. The attack lowers the margin, for two
    classes the same path as raising the wrong class's log-probability. For three and more classes
    it also lowers the log-odds of the label, and the lead over each of the up to nine most probable
    other classes. The members of an ensemble are attacked too: a saturated member would hide the
    gradients of the others. An image is broken as soon as the classifier misses one iterate;
    attacks see only images that are not yet broken.

    Args:
        key: restart r of image i starts from ``fold_in(fold_in(key, r), i)``, so more restarts
            never break fewer.
        classifier: one image -> logits ``(k,)``; best a pytree.
        images: values in [0, 1].
        labels: the true classes.
        radius: above 0; the paper's 0.1 at 224 x 224 x 3 with p = 2.
        p: 1, 2 or inf.
        num_steps: gradient steps of each restart, at least 1; the paper's 100.
        num_restarts: the number of restarts of each attack but those on a single class, at least 1;
            the paper's 9.
        surrogates: classifiers whose gradients are followed too, each judged by ``classifier``
            itself; None takes those that it names (``models.ensemble``: its members and their
            average, at temperature 1), an empty list none.
        batch_size, mesh, progress: as in ``optimise.solve``. What is left in later restarts
            is filled up to a quarter, a sixteenth, ... of the first batch, so that few sizes are
            compiled.

    Returns:
        True where the image is classified right, without and under attack.

    Raises:
        InputError: an image lies outside of [0, 1], a label is no class, the radius is not above 0,
            ``p`` is neither 1, 2 nor inf, there is no restart, or a surrogate has not as
            many classes as the classifier.

    >>> def classifier(image):  # decides on class 1 where the mean is above 0.5
    ...     return jnp.stack([0.5 - image.mean(), image.mean() - 0.5])
    >>> images = np.stack([np.full((2, 2, 1), 0.55), np.full((2, 2, 1), 0.9)]).astype(np.float32)
    >>> options = dict(radius=0.2, num_steps=2, num_restarts=1)
    >>> robustly_correct(jax.random.key(0), classifier, images, np.array([1, 1]), **options)
    array([False,  True])
    """
    check_images(images)
    check_key(key)
    check_type(progress, bool | str, name="progress", wanted="True, False or a label")
    check_positive(radius, name="radius")
    check_norm(p)
    check_choice(p, (1, 2, math.inf), name="p")
    check_num_steps(num_steps)
    check_count(num_restarts, name="num_restarts")
    check_count(batch_size, name="batch_size", or_none=True)
    classes = count_classes(classifier, images[0])
    labels = np.asarray(check_targets(labels, classes, count=len(images), name="labels"))
    surrogates = surrogates_of(classifier) if surrogates is None else surrogates
    _check_surrogates(surrogates, classes, images[0])
    pytree, largest = as_pytree(classifier), min(batch_size or len(images), len(images))
    logits = apply_to_examples(pytree, images, batch_size=batch_size, mesh=mesh)
    standing = np.asarray(_margins(logits, labels)) > 0
    rounds = list(_rounds(logits, labels, num_restarts))
    for surrogate in (None, *surrogates):
        attacked = Attacked(pytree, None if surrogate is None else as_pytree(surrogate))
        for number, (restart, aims) in enumerate(rounds):
            count = int(standing.sum())
            if not count:
                return standing
            index = _fill_batch(np.flatnonzero(standing), largest=largest)
            keys = example_keys(jax.random.fold_in(key, restart), index)
            radii = jnp.full(len(index), radius, images.dtype)
            fields: Any = (images[index], labels[index], aims[index], radii, keys)
            values = solve(
                Attack(p, num_steps),
                attacked,
                AttackExample(*fields),
                finish=_lowest_loss,
                batch_size=batch_size,
                mesh=mesh,
                progress=progress and f"{progress} {number + 1}/{len(rounds)}",
                stop_below=_BROKEN,
            )
            standing[index[:count]] = values[:count] > _BROKEN
    return standing


def _rounds(
    logits: Float[np.ndarray, "n k"], labels: Int[np.ndarray, " n"], num_restarts: int
) -> Iterator[tuple[int, Int[np.ndarray, " n"]]]:
    """Yields for each round of attacks the number of its restart and the aim for each image."""
    several = logits.shape[1] > 2
    for restart in range(num_restarts):
        yield restart, np.full(len(labels), _MARGIN)
        if several:
            yield restart, np.full(len(labels), _LOG_ODDS)
    if several:
        others = np.where(np.arange(logits.shape[1]) == labels[:, None], -np.inf, logits)
        for rank in range(min(logits.shape[1] - 1, _MOST_TARGETS)):
            yield 0, np.argsort(-others, axis=1, kind="stable")[:, rank]


def _check_surrogates(surrogates: Sequence[Classifier], classes: int, image: AnyArray) -> None:
    if not isinstance(surrogates, Sequence):
        raise InputError(
            f"surrogates: expected a list of classifiers, got {type(surrogates).__name__}"
        )
    for surrogate in surrogates:
        number = count_classes(surrogate, image)
        if number != classes:
            raise InputError(
                f"surrogates: expected classifiers of the same {classes} classes, got one of"
                f" {number}"
            )


def _fill_batch(index: Int[np.ndarray, " n"], *, largest: int) -> Int[np.ndarray, " m"]:
    """Repeats the last image until a quarter, a sixteenth, ... of the largest batch is full.

    Few sizes of batches have then to be compiled.
    """
    size = largest
    while 4 * len(index) <= size:
        size = -(-size // 4)
    return np.pad(index, (0, max(0, size - len(index))), mode="edge")


def _margin_of(logits: Float[Array, " k"], label: Int[Array, ""]) -> Float[Array, ""]:
    return negative_margin(lambda _: logits, label)(logits)


@jax.jit
def _margins(logits: Float[Array, "n k"], labels: Int[Array, " n"]) -> Float[Array, " n"]:
    return jax.vmap(_margin_of)(logits, labels)


def _lowest_loss(attacked: Attacked, example: AttackExample, result: Result) -> Float[Array, ""]:
    del attacked, example
    return result.value
