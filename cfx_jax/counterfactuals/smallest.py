"""The smallest change that lets a class reach a wanted probability: what would have to change.

A visual counterfactual (``vce``; Boreiko et al. 2022, equation 3) asks for the most confident image
within a radius that the user must know. Here the radius is the answer, between two that close in on
it, with one search of equation 3 at each radius::

    radius, low = largest, 0
    until high - low <= tolerance * high:
        search within radius, from the smallest change so far, shortened to radius
        if the probability is reached:  high = norm of the change that reached it
        else:                           low = radius
        radius = (low + high) / 2, or by the log-odds where nothing has failed yet

A search ends once it reaches the probability, which takes few steps where the radius is generous.
It is given up where the pace of its last quarter would not lead there. Until a radius fails, the
next one is where a straight line of log-odds over the norm of the change would reach the wanted
one, at least half of the last. It is at most ``1 - tolerance`` of the last: a radius that fails
costs the most. Where the line asks for small reductions again and again, this bound shrinks, by
the power 1.5 every time. A radius that failed is forgotten once a smaller change reaches the
probability.

Shortening a change towards the image keeps it within the ball and the box, for both are convex. The
first step of a search follows the gradient before the shortening, so that every evaluation is a
step. A search may miss what a longer one finds, so the radius is an upper bound of the smallest
one.
"""

import math
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array, lax
from jaxtyping import Bool, Float, Int, PRNGKeyArray

from cfx_jax.array_types import AnyArray
from cfx_jax.backend import loop_body, varying_like
from cfx_jax.checks import (
    check_between_0_and_1,
    check_classifier,
    check_image,
    check_images,
    check_key,
    check_positive,
    check_target,
    check_targets,
    num_classes,
)
from cfx_jax.compilation import as_pytree, compiled
from cfx_jax.counterfactuals.vce import VCEExample, VCEProblem
from cfx_jax.geometry import lp_norm
from cfx_jax.objectives import Classifier, negative_log_probability
from cfx_jax.parallel import example_keys, map_examples

PROBABILITY = 0.9
"""The probability that the target class is to reach."""
TOLERANCE = 0.05
"""The width of the bracket, as a share of the radius, at which a bisection ends."""
_MOST_SEARCHES = 40
_UNKNOWN = 1e30
"""The value of a start that is not evaluated; any other is less."""
_LEAST_SHARE, _SMALL_REDUCTION = 0.5, 0.8
"""The next radius as a share of the last: the least, and the least that is a small reduction."""


class SmallestCounterfactual(NamedTuple):
    """The smallest change of one image (or, with a leading axis, of several).

    Attributes:
        image: the changed image ``(h, w, c)``, in [0, 1]; where the probability is not reached, the
            most confident one within the largest radius.
        radius: the lp norm of the change; 0 where the image reaches the probability by itself.
        probability: the probability of the target class at ``image``.
        initial_probability: the probability of the target class at the original.
        reached: whether ``probability`` is the wanted one or more.
        lower_bound: the largest radius at which the search did not reach it.
    """

    image: Float[AnyArray, "*batch h w c"]
    radius: Float[AnyArray, "*batch"]
    probability: Float[AnyArray, "*batch"]
    initial_probability: Float[AnyArray, "*batch"]
    reached: Bool[AnyArray, "*batch"]
    lower_bound: Float[AnyArray, "*batch"]


class _Bracket(NamedTuple):
    """The radii that are known, and what reaches ``high``: an image, its gradient and value."""

    low: Float[Array, ""]
    high: Float[Array, ""]
    image: Float[Array, "h w c"]
    gradient: Float[Array, "h w c"]
    value: Float[Array, ""]


class _Progress(NamedTuple):
    """The bracket, and the search that runs within ``radius``.

    ``most`` bounds the share of the radius that the next one may be. ``value_at_check`` is the
    search's best value a quarter of a search ago, or a large number.
    """

    bracket: _Bracket
    radius: Float[Array, ""]
    most: Float[Array, ""]
    search: Any
    num_steps: Int[Array, ""]
    value_at_check: Float[Array, ""]
    num_searches: Int[Array, ""]
    is_done: Bool[Array, ""]


class _Wanted(NamedTuple):
    """The question: the bound of the objective, and the width of the bracket."""

    value: Float[Array, ""]
    tolerance: Float[Array, ""]

    @property
    def most(self) -> Float[Array, ""]:
        """The largest share of a radius that leaves the bracket, with room for rounding."""
        return 1 - 0.99 * self.tolerance


def smallest_counterfactual(
    classifier: Classifier,
    image: Float[Array, "h w c"],
    target: int | Int[Array, ""],
    *,
    p: float,
    largest_radius: float | Float[Array, ""],
    probability: float = PROBABILITY,
    tolerance: float = TOLERANCE,
    mask: Bool[Array, "h w"] | None = None,
    num_steps: int = VCEProblem.num_steps,
    key: PRNGKeyArray | None = None,
) -> SmallestCounterfactual:
    """Finds the smallest radius at which a class reaches a probability; composes with jit and vmap.

    Args:
        classifier: one image -> logits ``(k,)``, normalisation inside.
        image: values in [0, 1].
        target: the class whose probability is to rise; may be traced.
        p: norm of the change, at least 1 or inf; a Python number.
        largest_radius: above 0; a larger change is not looked for.
        probability: the wanted one, between 0 and 1.
        tolerance: the bisection ends when the bracket is narrower than this share of the radius;
            between 0 and 1.
        mask: True where the image may change.
        num_steps: the largest number of steps of each search; the first takes all of them where the
            probability is out of reach. An image of a robust network costs one to two times as many
            gradients; of a plain one, whose radius is far below the largest, up to six times.
        key: draws the random start within the largest radius; None starts at the image itself.

    Returns:
        The smallest counterfactual and its radius.

    Raises:
        InputError: as ``vce``; a probability or a tolerance that is not between 0 and 1.

    Example:
        >>> def classifier(image):
        ...     evidence = image[:2].sum() - image[2:].sum()
        ...     return jnp.stack([-evidence, evidence]) / 2
        >>> image = jnp.full((4, 4, 1), 0.5)
        >>> answer = smallest_counterfactual(classifier, image, 1, p=2, largest_radius=2.0)
        >>> exact = math.log(9) / 4  # the missing log-odds over the norm of their slope
        >>> bool(answer.reached), bool(exact <= answer.radius <= exact / 0.95)
        (True, True)
    """
    check_image(image)
    check_positive(largest_radius, name="largest_radius")
    check_key(key, or_none=True)
    check_target(target, num_classes(classifier, image))
    check_classifier(classifier, jnp.asarray(image)[None])
    wanted = _wanted(probability, tolerance, image.dtype)
    radius = jnp.asarray(largest_radius, image.dtype)
    example = VCEExample(image, jnp.asarray(target), radius, mask, key)
    return compiled(_search, VCEProblem(p=p, num_steps=num_steps), classifier, wanted, example)


def smallest_counterfactual_batch(
    classifier: Classifier,
    images: Float[AnyArray, "n h w c"],
    targets: Int[AnyArray, " n"],
    *,
    p: float,
    largest_radius: float,
    probability: float = PROBABILITY,
    tolerance: float = TOLERANCE,
    num_steps: int = VCEProblem.num_steps,
    key: PRNGKeyArray | None = None,
    batch_size: int | None = None,
    mesh: jax.sharding.Mesh | None = None,
    progress: bool | str = False,
) -> SmallestCounterfactual:
    """``smallest_counterfactual`` of many images, in micro-batches over all devices.

    An image's result does not depend on the batch. A batch takes as long as its longest bisection.

    Args:
        classifier, p, largest_radius, probability, tolerance, num_steps: as in
            ``smallest_counterfactual``.
        images: values in [0, 1].
        targets: a class for each image.
        key: image i starts from ``fold_in(key, i)``, whatever the batch; None starts at the images.
        batch_size, mesh, progress: as in ``parallel.map_examples``.

    Returns:
        A ``SmallestCounterfactual`` of NumPy arrays with leading axis n.

    Raises:
        InputError: as ``smallest_counterfactual``.

    Example:
        >>> def classifier(image):
        ...     evidence = image[:2].sum() - image[2:].sum()
        ...     return jnp.stack([-evidence, evidence]) / 2
        >>> images = np.full((2, 4, 4, 1), 0.5, np.float32)
        >>> answers = smallest_counterfactual_batch(
        ...     classifier, images, [0, 1], p=2, largest_radius=2.0
        ... )
        >>> answers.image.shape, answers.reached.tolist()
        ((2, 4, 4, 1), [True, True])
    """
    check_images(images)
    check_positive(largest_radius, name="largest_radius")
    check_key(key, or_none=True)
    targets = check_targets(targets, num_classes(classifier, images[0]), count=len(images))
    check_classifier(classifier, images[:4])
    problem = VCEProblem(p=p, num_steps=num_steps)
    wanted = _wanted(probability, tolerance, images.dtype)
    radii = np.full(len(images), largest_radius, images.dtype)
    keys = None if key is None else example_keys(key, jnp.arange(len(images)))

    examples: Any = (images, targets, radii, None, keys)

    def search(held: tuple[Classifier, _Wanted], example: VCEExample) -> SmallestCounterfactual:
        return _search(problem, held[0], held[1], example)

    return map_examples(
        search,
        (as_pytree(classifier), wanted),
        VCEExample(*examples),
        batch_size=batch_size,
        mesh=mesh,
        progress=progress,
    )


def _search(
    problem: VCEProblem, classifier: Classifier, wanted: _Wanted, example: VCEExample
) -> SmallestCounterfactual:
    initial = negative_log_probability(classifier, example.target)(example.image)
    by_itself = initial <= wanted.value
    begun = _begin(problem, classifier, wanted, example, by_itself)
    first = varying_like(begun, jax.typeof(example.image))
    step = loop_body(partial(_advance, problem, classifier, wanted, example, initial))
    last = lax.while_loop(lambda progress: ~progress.is_done, step, first).bracket
    reached = last.value <= wanted.value
    stays = by_itself | ~(last.value < initial)  # also where the search met a gradient of NaN
    answer = SmallestCounterfactual(
        jnp.where(stays, example.image, last.image),
        jnp.where(stays, 0, last.high),
        jnp.exp(-jnp.where(stays, initial, last.value)),
        jnp.exp(-initial),
        reached | by_itself,
        jnp.where(by_itself, 0, jnp.where(reached, last.low, example.radius)),
    )
    # An image without a probability has no counterfactual.
    return jax.tree.map(
        lambda leaf: leaf if leaf.dtype == bool else jnp.where(jnp.isnan(initial), jnp.nan, leaf),
        answer,
    )


def _begin(
    problem: VCEProblem,
    classifier: Classifier,
    wanted: _Wanted,
    example: VCEExample,
    is_done: Bool[Array, ""],
) -> _Progress:
    algorithm, objective, x0 = problem(classifier, example)
    zero, large = jnp.zeros_like(example.radius), jnp.full_like(example.radius, _UNKNOWN)
    empty = _Bracket(zero, example.radius, example.image, jnp.zeros_like(example.image), large)
    search = algorithm.init(objective, x0)
    return _Progress(
        empty, example.radius, wanted.most, search, jnp.array(0), large, jnp.array(0), is_done
    )


class _Step(NamedTuple):
    """The result of one step of the search within a radius.

    Attributes:
        search: the search after the step.
        solution, value: its best image, and the objective there.
        num_steps, value_at_check: as ``_Progress`` has them, after the step.
        reached: whether the solution reaches the wanted probability.
        ends: whether the search ends: it reached it, has no step left, or is given up.
    """

    search: Any
    solution: Float[Array, "h w c"]
    value: Float[Array, ""]
    num_steps: Int[Array, ""]
    value_at_check: Float[Array, ""]
    reached: Bool[Array, ""]
    ends: Bool[Array, ""]


def _advance(
    problem: VCEProblem,
    classifier: Classifier,
    wanted: _Wanted,
    example: VCEExample,
    initial: Float[Array, ""],
    progress: _Progress,
) -> _Progress:
    """Takes one step; where it ends the search, closes the bracket and begins the next search."""
    step = _take_step(problem, classifier, wanted, example, progress)
    bracket = _closed_in(problem, example, progress, step)
    is_narrow = bracket.high - bracket.low <= wanted.tolerance * bracket.high
    num_searches = progress.num_searches + step.ends
    is_out_of_reach = (progress.num_searches == 0) & ~step.reached
    is_done = is_narrow | is_out_of_reach | (num_searches >= _MOST_SEARCHES)
    radius, most = _next_radius(bracket, wanted, initial, progress.most)
    next_search = _restarted(problem, classifier, example, bracket, radius)
    begun = _Progress(
        bracket,
        radius,
        most,
        next_search,
        jnp.zeros_like(step.num_steps),
        jnp.full_like(step.value_at_check, _UNKNOWN),
        num_searches,
        is_done,
    )
    goes_on = progress._replace(
        search=step.search,
        num_steps=step.num_steps,
        value_at_check=step.value_at_check,
        is_done=jnp.zeros_like(is_done),
    )
    return _where(step.ends, begun, goes_on)


def _take_step(
    problem: VCEProblem,
    classifier: Classifier,
    wanted: _Wanted,
    example: VCEExample,
    progress: _Progress,
) -> _Step:
    here = example._replace(radius=progress.radius, key=None)
    algorithm, objective, _ = problem(classifier, here)
    search, _ = algorithm.step(objective, progress.search)
    solution, value = algorithm.solution(search)
    num_steps, quarter = progress.num_steps + 1, _quarter(problem)
    is_check = num_steps % quarter == 0
    pace = (progress.value_at_check - value) / quarter
    is_hopeless = is_check & (value - pace * (problem.num_steps - num_steps) > wanted.value)
    is_first = progress.num_searches == 0
    reached = value <= wanted.value
    ends = reached | (num_steps >= problem.num_steps) | (is_hopeless & ~is_first)
    value_at_check = jnp.where(is_check, value, progress.value_at_check)
    return _Step(search, solution, value, num_steps, value_at_check, reached, ends)


def _closed_in(
    problem: VCEProblem, example: VCEExample, progress: _Progress, step: _Step
) -> _Bracket:
    """The bracket after a search that has ended: a smaller ``high`` or a larger ``low``."""
    bracket, is_first = progress.bracket, progress.num_searches == 0
    norm = jnp.minimum(lp_norm(step.solution - example.image, problem.p), progress.radius)
    # A radius that failed is forgotten once a smaller change reaches the probability.
    low = jnp.where(bracket.low < norm, bracket.low, 0)
    gradient = step.search.search.best_gradient
    succeeded = _Bracket(low, norm, step.solution, gradient, step.value)
    failed = bracket._replace(low=jnp.where(is_first, 0, progress.radius))
    return _where(step.reached | is_first, succeeded, failed)


def _next_radius(
    bracket: _Bracket, wanted: _Wanted, initial: Float[Array, ""], most: Float[Array, ""]
) -> tuple[Float[Array, ""], Float[Array, ""]]:
    """The radius of the next search, and the bound of the share after it."""
    missing = _log_odds(wanted.value) - _log_odds(initial)
    share = missing / (_log_odds(bracket.value) - _log_odds(initial))
    is_large = share < _SMALL_REDUCTION  # not where it is NaN
    share = jnp.clip(jnp.where(jnp.isfinite(share), share, most), _LEAST_SHARE, most)
    middle = (bracket.low + bracket.high) / 2
    return (
        jnp.where(bracket.low > 0, middle, share * bracket.high),
        jnp.where(is_large, wanted.most, jnp.maximum(most**1.5, _LEAST_SHARE)),
    )


def _restarted(
    problem: VCEProblem,
    classifier: Classifier,
    example: VCEExample,
    bracket: _Bracket,
    radius: Float[Array, ""],
) -> Any:
    """A search from the image of the bracket, shortened, with the gradient from before."""
    share = radius / jnp.where(bracket.high > 0, bracket.high, 1)
    start = example.image + (bracket.image - example.image) * share
    algorithm = problem(classifier, example._replace(radius=radius, key=None)).algorithm

    def line(x: Float[Array, "h w c"]) -> Float[Array, ""]:
        return _UNKNOWN + (bracket.gradient * (x - start)).sum()

    return algorithm.init(line, start)


def _quarter(problem: VCEProblem) -> int:
    return max(problem.num_steps // 4, 1)


def _log_odds(value: Float[Array, ""]) -> Float[Array, ""]:
    """The log-odds of a probability, from the negative of its logarithm."""
    return -value - jnp.log(-jnp.expm1(-value))


def _where(condition: Bool[Array, ""], this: Any, other: Any) -> Any:
    return jax.tree.map(partial(jnp.where, condition), this, other)


def _wanted(probability: float, tolerance: float, dtype: np.dtype) -> _Wanted:
    for value, name in ((probability, "probability"), (tolerance, "tolerance")):
        check_between_0_and_1(value, name=name)
    return _Wanted(jnp.asarray(-math.log(probability), dtype), jnp.asarray(tolerance, dtype))
