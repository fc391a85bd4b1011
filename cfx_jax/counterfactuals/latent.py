"""Counterfactuals by descent in the latent of an autoencoder.

Fontanella et al. 2023, "ACAT: Adversarial Counterfactual Attention for Classification and Detection
in Medical Imaging", equations 3 and 4.

From the latent z0 of an image or of a whole volume, 20 steps of plain gradient descent lower
``cross-entropy of the target class + penalty * mean |z - z0|`` of what the decoder draws. The
counterfactual is what it draws of the last latent.

Published as an l1 norm, released as a mean over all entries of the scan's latent, which is what is
done here: with the sum the penalty of 100 would swamp the cross-entropy. Its gradient where z
equals z0 is 0, so the first step follows the cross-entropy alone. What counts is the penalty
divided by the number of entries against the slopes of the cross-entropy: an entry whose slope is
below that quotient does not move for long. It is 5.5e-4 for 11 slices of 128 pixels and 8e-5 for 19
of 256 with the released autoencoder, whose latents have as many entries as the scan has pixels.
Slopes depend on the classifier and fall with the number of entries too, so neither penalty nor
quotient carries over to other sizes by itself: look at them.

Deviation: ``proximal=True``, ours, treats the penalty exactly. Entries whose slope stays below the
quotient stay where they are, and the objective falls at every small enough step. Plain descent
makes these entries chatter around z0.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import Array
from jaxtyping import Float, Int

from cfx_jax.array_types import AnyArray
from cfx_jax.checks import (
    check_at_least,
    check_flag,
    check_image_or_volume,
    check_images_or_volumes,
    check_num_steps,
    check_positive,
    check_target,
    check_targets,
    num_classes,
)
from cfx_jax.compilation import compiled
from cfx_jax.counterfactuals.autoencoder import SearchModels, as_search_models
from cfx_jax.generator_interfaces import Coder
from cfx_jax.losses.subgradients import safe_abs
from cfx_jax.objectives import Classifier, negative_log_probability
from cfx_jax.optimise import (
    Algorithm,
    Problem,
    Result,
    gradient_descent,
    proximal_gradient,
    run,
    soft_threshold,
    solve,
)
from cfx_jax.optimise.algorithm import Objective, State
from cfx_jax.parallel import apply_to_examples


class LatentCounterfactual(NamedTuple):
    """The counterfactual of one image or volume (or, with a leading axis, of several).

    Attributes:
        image: the decoder's image of ``latent``, of the image's shape; as it comes, neither clipped
            to [0, 1] nor otherwise bounded.
        latent: the latent at the end of the search.
        reconstruction: the decoder's image of the original's own latent.
        probability: the probability of the target class at ``image``.
        initial_probability: the probability of the target class at the original.
        trace: the target's probability at the reconstruction and after each step.
        objective: the whole objective there.
    """

    image: Float[AnyArray, "*batch h w c"]
    latent: Float[AnyArray, "*batch_latent"]
    reconstruction: Float[AnyArray, "*batch h w c"]
    probability: Float[AnyArray, "*batch"]
    initial_probability: Float[AnyArray, "*batch"]
    trace: Float[AnyArray, "*batch num_steps_plus_1"]
    objective: Float[AnyArray, "*batch num_steps_plus_1"]


class LatentExample(NamedTuple):
    """One image's part of the problem.

    Attributes:
        image: an image (h, w, c) or a volume (s, h, w, c).
        latent: the latent of the image, where the search starts.
        target: the class whose probability is to rise.
    """

    image: Float[Array, "*s h w c"]
    latent: Float[Array, "*latent"]
    target: Int[Array, ""]


@dataclass(frozen=True)
class LatentProblem:
    """Makes the optimisation problem of one image or volume; equal settings compile once.

    The values of its algorithm are pairs: the whole objective, and its first part, the
    cross-entropy. Its solution is the last iterate, its trace ends before that.

    Attributes: see ``latent_counterfactual``.
    """

    penalty: float = 100.0
    num_steps: int = 20
    step_size: float = 0.1
    proximal: bool = False

    def __post_init__(self) -> None:
        check_num_steps(self.num_steps)
        check_positive(self.step_size, name="step_size")
        check_at_least(self.penalty, 0, name="penalty")
        check_flag(self.proximal, name="proximal")

    def __call__(self, models: SearchModels, example: LatentExample) -> Problem:
        image_cross_entropy = negative_log_probability(models.classifier, example.target)
        start = example.latent

        def cross_entropy(latent: Float[Array, "*latent"]) -> Float[Array, ""]:
            return image_cross_entropy(models.decode(latent))

        def penalty(latent: Float[Array, "*latent"]) -> Float[Array, ""]:
            return self.distance_penalty(latent, start)

        def objective(latent: Float[Array, "*latent"]) -> Float[Array, ""]:
            return cross_entropy(latent) + penalty(latent)

        def shrink(
            latent: Float[Array, "*latent"], step_size: float | Float[Array, ""]
        ) -> Float[Array, "*latent"]:
            return soft_threshold(latent, start, step_size * self.penalty / start.size)

        def move(state: State) -> Float[Array, "*latent"]:
            latent = state.x - self.step_size * state.gradient
            return shrink(latent, self.step_size) if self.proximal else latent

        if self.proximal:
            descent = proximal_gradient(
                shrink, penalty, num_steps=self.num_steps, step_size=self.step_size
            )
        else:
            descent = gradient_descent(num_steps=self.num_steps, step_size=self.step_size)
        return Problem(
            _without_last_evaluation(descent, penalty, move),
            cross_entropy if self.proximal else objective,
            start,
        )

    def distance_penalty(
        self, latent: Float[Array, "*latent"], start: Float[Array, "*latent"]
    ) -> Float[Array, ""]:
        """The second part of the objective: ``penalty`` times the mean absolute change."""
        return self.penalty * safe_abs(latent - start).mean()


def _without_last_evaluation(
    descent: Algorithm, penalty: Objective, move: Callable[[State], Array]
) -> Algorithm:
    """A descent that moves to its last iterate and does not evaluate it.

    No step follows the last iterate, so its gradient is not needed; ``_Answer`` computes its value
    from the image that it draws of it.

    Args:
        descent: the algorithm, whose values are the values of the whole objective.
        penalty: the second part of the objective.
        move: state -> next iterate.

    Returns:
        An algorithm of one step less, whose values are pairs (objective, cross-entropy) and whose
        solution is the last iterate, with the values of the one before.
    """

    def solution(state: State) -> tuple[Array, Array]:
        latent, objective = descent.solution(state)
        cross_entropy = jnp.maximum(objective - penalty(latent), 0)
        return move(state), jnp.stack([objective, cross_entropy])

    def step(objective: Objective, state: State) -> tuple[State, Array]:
        state, _ = descent.step(objective, state)
        return state, solution(state)[1]

    return Algorithm(descent.init, step, solution, descent.num_steps - 1)


def latent_counterfactual(
    coder: Coder,
    classifier: Classifier,
    image: Float[Array, "*s h w c"],
    target: int | Int[Array, ""],
    *,
    penalty: float = LatentProblem.penalty,
    num_steps: int = LatentProblem.num_steps,
    step_size: float = LatentProblem.step_size,
    proximal: bool = LatentProblem.proximal,
    slices_per_batch: int | None = None,
) -> LatentCounterfactual:
    """The counterfactual of one image or volume, by descent in the latent.

    It composes with jit, vmap and pmap. ``latent_counterfactual_batch`` is faster on a CPU.

    Args:
        coder: an autoencoder in two parts, in inference mode: ``encode``, image -> latent, one
            array of any shape; ``decode``, latent -> image. Of a volume it is coded slice by slice
            and all latents are changed together.
        classifier: one image, or volume, -> logits ``(k,)``. To bound its memory too, its own trunk
            of slices has to use ``jax.checkpoint``.
        image: an image (h, w, c) or a volume (s, h, w, c), values in [0, 1].
        target: the class whose probability is to rise; may be traced. The published maps take two
            runs, one for each class.
        penalty: the weight of the mean absolute change of the latent (published: 100), at least 0;
            0 is the search without a bound (NoRec in table 5).
        num_steps: the number of steps, at least 1 (published: 20); costs as many gradients, and one
            more evaluation.
        step_size: the factor on the gradient in each step of the latent, above 0 (released: 0.1;
            figure 5: 1).
        proximal: whether the penalty is treated exactly (ours), instead of by its gradient as
            published.
        slices_per_batch: how many slices of a volume the coder takes at once, and keeps in memory
            for the gradient; None takes all. Results do not depend on it.

    Returns:
        The counterfactual, and the way to it.

    Raises:
        InputError: no valid image, a target that is no class, a classifier that returns
            probabilities or NaN, a latent that is no array, a decoder that returns no image of the
            image's shape, or an option out of its range.

    Example:
        >>> def classifier(image):
        ...     evidence = image[:2].sum() - image[2:].sum()
        ...     return jnp.stack([-evidence, evidence])
        >>> from types import SimpleNamespace
        >>> coder = SimpleNamespace(encode=lambda image: image - 0.5, decode=lambda z: z + 0.5)
        >>> image = jnp.full((4, 4, 1), 0.5)
        >>> answer = latent_counterfactual(
        ...     coder, classifier, image, 1, penalty=0.1, num_steps=3, step_size=0.05
        ... )
        >>> answer.image.shape, bool(answer.probability > answer.initial_probability)
        ((4, 4, 1), True)
    """
    check_image_or_volume(image)
    problem = LatentProblem(penalty, num_steps, step_size, proximal)
    check_target(target, num_classes(classifier, image))
    models = as_search_models(
        coder, classifier, jnp.asarray(image)[None], slices_per_batch=slices_per_batch
    )
    return compiled(_search, problem, models, image, jnp.asarray(target))


def _search(
    problem: LatentProblem,
    models: SearchModels,
    image: Float[Array, "*s h w c"],
    target: Int[Array, ""],
) -> LatentCounterfactual:
    example = LatentExample(image, models.encode(image), target)
    return _Answer(problem)(models, example, run(*problem(models, example)))


def latent_counterfactual_batch(
    coder: Coder,
    classifier: Classifier,
    images: Float[AnyArray, "n *s h w c"],
    targets: Int[AnyArray, " n"],
    *,
    penalty: float = LatentProblem.penalty,
    num_steps: int = LatentProblem.num_steps,
    step_size: float = LatentProblem.step_size,
    proximal: bool = LatentProblem.proximal,
    slices_per_batch: int | None = None,
    batch_size: int | None = None,
    mesh: jax.sharding.Mesh | None = None,
    progress: bool | str = False,
) -> LatentCounterfactual:
    """``latent_counterfactual`` of many images or volumes, in micro-batches over all devices.

    The results are the same.

    Args:
        coder, penalty, num_steps, step_size, proximal, slices_per_batch: as in
            ``latent_counterfactual``.
        classifier: the explained classifier; best a pytree (``models.per_image(model)``), so that
            weights are not compiled in.
        images: images (n, h, w, c) or volumes (n, s, h, w, c), values in [0, 1].
        targets: a class for each.
        batch_size, mesh, progress: as in ``optimise.solve``.

    Returns:
        A ``LatentCounterfactual`` of NumPy arrays with leading axis n.

    Raises:
        InputError: as ``latent_counterfactual``; or not one target for each image.

    Example:
        >>> def classifier(image):
        ...     evidence = image[:2].sum() - image[2:].sum()
        ...     return jnp.stack([-evidence, evidence])
        >>> from types import SimpleNamespace
        >>> coder = SimpleNamespace(encode=lambda image: image - 0.5, decode=lambda z: z + 0.5)
        >>> images = np.full((3, 4, 4, 1), 0.5, np.float32)
        >>> answers = latent_counterfactual_batch(coder, classifier, images, [0, 1, 1], num_steps=3)
        >>> answers.image.shape, answers.trace.shape
        ((3, 4, 4, 1), (3, 4))
    """
    check_images_or_volumes(images)
    problem = LatentProblem(penalty, num_steps, step_size, proximal)
    targets = check_targets(targets, num_classes(classifier, images[0]), count=len(images))
    models = as_search_models(
        coder, classifier, jnp.asarray(images[:1]), slices_per_batch=slices_per_batch
    )
    latents = apply_to_examples(models.encode, images, batch_size=batch_size, mesh=mesh)
    fields: Any = (images, latents, targets)
    return solve(
        problem,
        models,
        LatentExample(*fields),
        finish=_Answer(problem),
        batch_size=batch_size,
        mesh=mesh,
        progress=progress,
    )


@dataclass(frozen=True)
class _Answer:
    """Makes an answer of the end of a search; equal problems compile it once."""

    problem: LatentProblem

    def __call__(
        self, models: SearchModels, example: LatentExample, result: Result
    ) -> LatentCounterfactual:
        image_cross_entropy = negative_log_probability(models.classifier, example.target)
        latent = result.solution
        image, reconstruction = models.decode(latent), models.decode(example.latent)
        last_cross_entropy = image_cross_entropy(image)
        last_objective = last_cross_entropy + self.problem.distance_penalty(latent, example.latent)
        last = jnp.stack([last_objective, last_cross_entropy])
        # The trace (num_steps, 2) holds all iterates but the last: with it (num_steps + 1, 2).
        objective, cross_entropy = jnp.concatenate([result.trace, last[None]]).T
        probabilities = jnp.exp(-cross_entropy)
        initial = jnp.exp(-image_cross_entropy(example.image))
        return LatentCounterfactual(
            image, latent, reconstruction, probabilities[-1], initial, probabilities, objective
        )
