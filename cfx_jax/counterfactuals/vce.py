"""Visual counterfactual explanations: the most confident image of a class within a small lp ball.

Boreiko et al. 2022, "Visual explanations for the detection of diabetic retinopathy from retinal
fundus images", equation 3: ``argmax log p(target | x)`` over the lp ball around the image, the box
[0, 1] and a mask. APGD solves it for p in {1, 2, inf}, Auto-Frank-Wolfe for every other norm.

Deviations, each an improvement that the paper's text allows: the mask is obeyed before the linear
oracle solves (``mask_after_oracle=True`` gives the released behaviour); the given image is a
candidate too, so the answer is never worse than it.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jaxtyping import Bool, Float, Int, PRNGKeyArray

from cfx_jax.array_types import AnyArray
from cfx_jax.checks import (
    check_array,
    check_choice,
    check_classifier,
    check_flag,
    check_image,
    check_images,
    check_key,
    check_norm,
    check_num_steps,
    check_number_or_one_each,
    check_positive,
    check_real,
    check_target,
    check_targets,
)
from cfx_jax.checks import num_classes as count_classes
from cfx_jax.compilation import as_pytree, compiled
from cfx_jax.errors import InputError
from cfx_jax.geometry import ConstraintSet, lp_ball_in_box
from cfx_jax.objectives import Classifier, negative_log_probability
from cfx_jax.optimise import Algorithm, Problem, Result, apgd, auto_frank_wolfe, run, solve
from cfx_jax.parallel import example_keys

_APGD_NORMS = (1, 2, math.inf)


class Counterfactual(NamedTuple):
    """A visual counterfactual of one image (or, with a leading axis, of several).

    Attributes:
        image: the changed image ``(h, w, c)``, in [0, 1], within the radius, equal to the original
            off the mask.
        probability: of the target class at ``image``.
        initial_probability: of the target class at the original.
        trace: the target's probability at the start of the search and at each iterate,
            ``(num_steps + 1,)``.
    """

    image: Float[AnyArray, "*batch h w c"]
    probability: Float[AnyArray, "*batch"]
    initial_probability: Float[AnyArray, "*batch"]
    trace: Float[AnyArray, "*batch num_steps_plus_1"]


class VCEExample(NamedTuple):
    """One image's part of the problem.

    Attributes:
        image: (h, w, c), where the search starts without a key.
        target: the class whose probability is to rise.
        radius: largest norm of the change.
        mask: True where the image may change; None allows every pixel.
        key: draws the random start; None starts at the image.
    """

    image: Float[Array, "h w c"]
    target: Int[Array, ""]
    radius: Float[Array, ""]
    mask: Bool[Array, "h w"] | None
    key: PRNGKeyArray | None


@dataclass(frozen=True)
class VCEProblem:
    """Makes the optimisation problem of one image; equal settings compile once.

    Attributes: see ``vce``.
    """

    p: float
    num_steps: int = 75
    method: str = "auto"
    mask_after_oracle: bool = False

    def __post_init__(self) -> None:
        check_norm(self.p)
        check_num_steps(self.num_steps)
        check_choice(self.method, ("auto", "apgd", "afw"), name="method")
        if self.method == "apgd" and self.p not in _APGD_NORMS:
            raise InputError(f"method: 'apgd' needs p in 1, 2, inf, got p = {self.p}: use 'afw'")
        check_flag(self.mask_after_oracle, name="mask_after_oracle")
        if self.mask_after_oracle and self.uses_apgd:
            raise InputError(
                "mask_after_oracle: is an option of Auto-Frank-Wolfe, got APGD: pass method='afw'"
            )

    @property
    def uses_apgd(self) -> bool:
        return self.method == "apgd" or (self.method == "auto" and self.p in _APGD_NORMS)

    def __call__(self, classifier: Classifier, example: VCEExample) -> Problem:
        constraint = self._constraint(example)
        x0 = example.image if example.key is None else constraint.sample(example.key)
        if self.mask_after_oracle and example.mask is not None:
            x0 = jnp.where(_as_channels(example.mask), x0, example.image)
        objective = negative_log_probability(classifier, example.target)
        return Problem(self._algorithm(constraint, example), objective, x0)

    def _constraint(self, example: VCEExample) -> ConstraintSet:
        # So was APGD published for p = 2 and inf; in l1 it projects exactly (Croce and Hein 2021).
        ball_then_box = self.uses_apgd and self.p != 1
        return lp_ball_in_box(
            example.image,
            example.radius,
            self.p,
            mask=None if self.mask_after_oracle else example.mask,
            projection="ball_then_box" if ball_then_box else "exact",
        )

    def _algorithm(self, constraint: ConstraintSet, example: VCEExample) -> Algorithm:
        if self.uses_apgd:
            return apgd(constraint, num_steps=self.num_steps)
        update_mask = None
        if self.mask_after_oracle and example.mask is not None:
            update_mask = _as_channels(example.mask)
        return auto_frank_wolfe(constraint, num_steps=self.num_steps, update_mask=update_mask)


def vce(
    classifier: Classifier,
    image: Float[Array, "h w c"],
    target: int | Int[Array, ""],
    *,
    p: float,
    radius: float | Float[Array, ""],
    mask: Bool[Array, "h w"] | None = None,
    num_steps: int = VCEProblem.num_steps,
    key: PRNGKeyArray | None = None,
    method: str = VCEProblem.method,
    mask_after_oracle: bool = VCEProblem.mask_after_oracle,
) -> Counterfactual:
    """The visual counterfactual of one image.

    It composes with jit, vmap and pmap. ``vce_batch`` is faster on a CPU.

    Args:
        classifier: one image -> logits ``(k,)``, normalisation inside. In a loop it compiles once
            for each shape of image, and once for each function of other code.
        image: values in [0, 1].
        target: the class whose probability is to rise. It may be traced. A traced class that does
            not exist gives NaN everywhere, and so does an image whose logits are NaN.
        p: norm of the change, at least 1 or inf; a Python number. The paper uses 1.5, 2 and 4.
        radius: largest norm of the change, above 0. For 224 x 224 x 3 the paper uses 30, 6 and 0.2.
        mask: True where the image may change.
        num_steps: at least 1; costs ``num_steps + 1`` gradients and one forward pass.
        key: draws the random start of the published method; None starts at the image itself.
        method: ``"apgd"`` for p = 1, 2 and inf; ``"afw"``, Auto-Frank-Wolfe, for any p; ``"auto"``
            for APGD where it can. In l1 APGD never moves fewer than two pixels, as published: where
            the optimum is one pixel or two, ``"afw"`` comes closer.
        mask_after_oracle: the released Auto-Frank-Wolfe's order of mask and oracle.

    Returns:
        The counterfactual, its target probability before and after, and the trace.

    Raises:
        InputError: an image outside [0, 1] or not float, a target that is no class, radius not
            above 0, p < 1, a mask whose shape does not fit the image, ``method="apgd"`` for a norm
            without projection, a classifier that returns probabilities, NaN or anything else than
            logits ``(k,)``.

    Example:
        >>> def classifier(image):
        ...     evidence = image[:2].sum() - image[2:].sum()
        ...     return jnp.stack([-evidence, evidence])
        >>> image = jnp.full((4, 4, 1), 0.5)
        >>> answer = vce(classifier, image, 1, p=2, radius=1.0, num_steps=3)
        >>> round(float(answer.initial_probability), 2), round(float(answer.probability), 2)
        (0.5, 1.0)
    """
    check_image(image)
    check_positive(radius, name="radius")
    check_key(key, or_none=True)
    check_target(target, count_classes(classifier, image))
    check_classifier(classifier, jnp.asarray(image)[None])
    problem = VCEProblem(
        p=p, num_steps=num_steps, method=method, mask_after_oracle=mask_after_oracle
    )
    example = VCEExample(image, jnp.asarray(target), jnp.asarray(radius, image.dtype), mask, key)
    return compiled(_search, problem, classifier, example)


def _search(problem: VCEProblem, classifier: Classifier, example: VCEExample) -> Counterfactual:
    return _answer(classifier, example, run(*problem(classifier, example)))


def vce_sweep(
    key: PRNGKeyArray,
    classifier: Classifier,
    image: Float[Array, "h w c"],
    target: int | Int[Array, ""],
    *,
    p: float,
    radii: Sequence[float] | Float[AnyArray, " r"],
    num_steps: int = VCEProblem.num_steps,
) -> Counterfactual:
    """``vce`` of one image at several radii, and at the last one from a random start too.

    All searches are one program, which takes a step of each at once. How much of the last change
    the random start repeats tells a change from noise.

    Args:
        key: draws the random start.
        classifier, image, target, p, num_steps: as in ``vce``.
        radii: one or more, each above 0.

    Returns:
        The counterfactuals with a leading axis of ``r + 1``: one for each radius, searched from the
        image, and behind them the one from the random start.

    Raises:
        InputError: as ``vce``; no radius.

    Example:
        >>> def classifier(image):
        ...     evidence = image[:2].sum() - image[2:].sum()
        ...     return jnp.stack([-evidence, evidence])
        >>> image = jnp.full((4, 4, 1), 0.5)
        >>> options = {"p": 2, "radii": [0.25, 0.5], "num_steps": 9}
        >>> sweep = vce_sweep(jax.random.key(0), classifier, image, 1, **options)
        >>> sweep.image.shape, [round(float(value), 2) for value in sweep.probability]
        ((3, 4, 4, 1), [0.88, 0.98, 0.98])
    """
    check_image(image)
    check_key(key)
    _check_radii(radii)
    check_target(target, count_classes(classifier, image))
    check_classifier(classifier, jnp.asarray(image)[None])
    problem = VCEProblem(p=p, num_steps=num_steps)
    largest = jnp.asarray(radii, image.dtype)
    example = VCEExample(image, jnp.asarray(target), largest[-1], None, key)
    return compiled(_search_at_radii, problem, classifier, example, largest)


def _search_at_radii(
    problem: VCEProblem, classifier: Classifier, example: VCEExample, radii: Float[Array, " r"]
) -> Counterfactual:
    drawn = problem(classifier, example).x0
    starts = jnp.stack([*[example.image] * len(radii), drawn])  # (r + 1, h, w, c)

    def search(radius: Float[Array, ""], start: Float[Array, "h w c"]) -> Counterfactual:
        here = example._replace(radius=radius, key=None)
        algorithm, objective, _ = problem(classifier, here)
        return _answer(classifier, here, run(algorithm, objective, start))

    return jax.vmap(search)(jnp.append(radii, radii[-1]), starts)


def vce_batch(
    classifier: Classifier,
    images: Float[AnyArray, "n h w c"],
    targets: Int[AnyArray, " n"],
    *,
    p: float,
    radius: float | Float[AnyArray, " n"],
    masks: Bool[AnyArray, "n h w"] | None = None,
    num_steps: int = VCEProblem.num_steps,
    key: PRNGKeyArray | None = None,
    method: str = VCEProblem.method,
    mask_after_oracle: bool = VCEProblem.mask_after_oracle,
    batch_size: int | None = None,
    mesh: jax.sharding.Mesh | None = None,
    progress: bool | str = False,
) -> Counterfactual:
    """``vce`` of many images, in micro-batches over all devices; the results are the same.

    Args:
        classifier: as in ``vce``; best a pytree (``models.per_image(model)``), so that weights are
            not compiled in.
        images: values in [0, 1].
        targets: a class for each image.
        p, num_steps, method, mask_after_oracle: as in ``vce``.
        radius: one for all images, or one each.
        masks: one for each image, or None.
        key: image i starts from ``fold_in(key, i)``, whatever the batch; None starts at the images.
        batch_size, mesh, progress: as in ``optimise.solve``.

    Returns:
        A ``Counterfactual`` of NumPy arrays with leading axis n.

    Raises:
        InputError: as ``vce``; and a classifier that returns NaN or probabilities on the first
            images.

    Example:
        >>> def classifier(image):
        ...     evidence = image[:2].sum() - image[2:].sum()
        ...     return jnp.stack([-evidence, evidence])
        >>> images = np.full((3, 4, 4, 1), 0.5, np.float32)
        >>> answers = vce_batch(classifier, images, [0, 1, 1], p=2, radius=1.0, num_steps=3)
        >>> answers.image.shape, answers.probability.round(2).tolist()
        ((3, 4, 4, 1), [1.0, 1.0, 1.0])
    """
    check_images(images)
    check_number_or_one_each(radius, len(images), name="radius")
    check_key(key, or_none=True)
    _check_masks(masks, len(images))
    targets = check_targets(targets, count_classes(classifier, images[0]), count=len(images))
    check_classifier(classifier, images[:4])
    problem = VCEProblem(
        p=p, num_steps=num_steps, method=method, mask_after_oracle=mask_after_oracle
    )
    radii = jnp.broadcast_to(jnp.asarray(radius, images.dtype), (len(images),))
    keys = None if key is None else example_keys(key, jnp.arange(len(images)))
    fields: Any = (images, targets, radii, masks, keys)
    return solve(
        problem,
        as_pytree(classifier),
        VCEExample(*fields),
        finish=_answer,
        batch_size=batch_size,
        mesh=mesh,
        progress=progress,
    )


def _answer(classifier: Classifier, example: VCEExample, result: Result) -> Counterfactual:
    initial = negative_log_probability(classifier, example.target)(example.image)
    improved = result.value < initial
    image = jnp.where(improved, result.solution, example.image)
    value = jnp.where(improved, result.value, initial)
    answer = Counterfactual(image, jnp.exp(-value), jnp.exp(-initial), jnp.exp(-result.trace))
    # An image without a probability has no counterfactual, neither itself nor a trace of zeros.
    return jax.tree.map(lambda leaf: jnp.where(jnp.isnan(initial), jnp.nan, leaf), answer)


def _check_radii(radii: Any) -> None:
    check_real(radii, name="radii")
    if np.ndim(radii) != 1 or not len(radii):
        raise InputError(f"radii: expected one or more numbers in a list, got {radii!r}")
    check_number_or_one_each(radii, len(radii), name="radii")


def _as_channels(mask: Bool[Array, "*shape"]) -> Bool[Array, "h w c"]:
    return mask[..., None] if mask.ndim == 2 else mask


def _check_masks(masks: AnyArray | None, count: int) -> None:
    if masks is None:
        return
    check_array(masks, name="masks")
    if masks.shape[:1] != (count,):
        raise InputError(
            f"masks: expected one for each of the {count} images, got shape {masks.shape}"
        )
