"""The smallest change that lets a class reach a wanted probability: what would have to change.

A visual counterfactual (``vce``; Boreiko et al. 2022, equation 3) asks for the most confident image
within a radius that the user must know. Here the radius is the answer. It is bisected between 0 and
the largest one, with one search of equation 3 at each radius::

    low, high = 0, largest
    until high - low <= tolerance * high:
        radius = (low + high) / 2
        search within radius, from the smallest change so far, shortened to radius
        if the probability is reached:  high = norm of the change that reached it
        else:                           low = radius

Shortening a change towards the image keeps it within the ball and the box, for both are convex. A
search may miss what a longer one finds, so the radius is an upper bound of the smallest one.
"""

import math
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array, lax
from jaxtyping import Bool, Float, Int, PRNGKeyArray

from cfx_jax.arrays import AnyArray
from cfx_jax.callables import as_pytree
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
from cfx_jax.counterfactuals.vce import VCEExample, VCEProblem
from cfx_jax.geometry import lp_norm
from cfx_jax.objectives import Classifier, negative_log_probability
from cfx_jax.optimise import run
from cfx_jax.parallel import example_keys, map_examples
from cfx_jax.programs import compiled

PROBABILITY = 0.9
"""The probability that the target class is to reach."""
TOLERANCE = 0.05
"""The width of the bracket, as a share of the radius, at which a bisection ends."""
_MOST_BISECTIONS = 24


class SmallestCounterfactual(NamedTuple):
    """The smallest change of one image (or, with a leading axis, of several).

    Attributes:
        image: the changed image ``(h, w, c)``, in [0, 1]; where the probability is not reached, the
            most confident one within the largest radius.
        radius: the lp norm of the change; 0 where the image reaches the probability by itself.
        probability: of the target class at ``image``.
        initial_probability: of the target class at the original.
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
    """The state of a bisection: the radii that are known, and the image that reaches ``high``."""

    low: Float[Array, ""]
    high: Float[Array, ""]
    image: Float[Array, "h w c"]
    value: Float[Array, ""]
    step: Int[Array, ""]


class _Wanted(NamedTuple):
    """The question: the bound of the objective, and the width of the bracket."""

    value: Float[Array, ""]
    tolerance: Float[Array, ""]


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
            between 0 and 1. 0.05 takes 5 searches and one more for each halving of the largest
            radius; 24 at most.
        mask: True where the image may change.
        num_steps: of each search; it costs ``num_steps + 1`` gradients.
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
        >>> bool(answer.reached), bool(exact <= answer.radius <= 1.05 * exact)
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
    far = run(*problem(classifier, example))
    first = _Bracket(
        jnp.zeros_like(example.radius),
        jnp.minimum(lp_norm(far.solution - example.image, problem.p), example.radius),
        far.solution,
        far.value,
        jnp.array(0),
    )

    def is_wide(bracket: _Bracket) -> Array:
        wide = bracket.high - bracket.low > wanted.tolerance * bracket.high
        return wide & (far.value <= wanted.value) & (bracket.step < _MOST_BISECTIONS)

    def halve(bracket: _Bracket) -> _Bracket:
        radius = (bracket.low + bracket.high) / 2
        start = example.image + (bracket.image - example.image) * (radius / bracket.high)
        algorithm, objective, _ = problem(classifier, example._replace(radius=radius, key=None))
        result = run(algorithm, objective, start)
        reached = result.value <= wanted.value
        norm = jnp.minimum(lp_norm(result.solution - example.image, problem.p), radius)
        return _Bracket(
            jnp.where(reached, bracket.low, radius),
            jnp.where(reached, norm, bracket.high),
            jnp.where(reached, result.solution, bracket.image),
            jnp.where(reached, result.value, bracket.value),
            bracket.step + 1,
        )

    by_itself = initial <= wanted.value
    last = lax.while_loop(lambda state: is_wide(state) & ~by_itself, halve, first)
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


def _wanted(probability: float, tolerance: float, dtype: np.dtype) -> _Wanted:
    for value, name in ((probability, "probability"), (tolerance, "tolerance")):
        check_between_0_and_1(value, name=name)
    return _Wanted(jnp.asarray(-math.log(probability), dtype), jnp.asarray(tolerance, dtype))
