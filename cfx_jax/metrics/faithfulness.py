"""Whether a map names the regions that the classifier uses.

``perturbation_curve`` replaces the regions of an image in the order that a map gives them, and
records what the classifier says (Samek et al. 2017, "Evaluating the visualization of what a deep
neural network has learned"). Random values, zeros and blur take an image away from all that the
classifier was trained on; Charachon et al. 2021 overwrite with an image that a generator,
independent of every explanation, has translated to the other class.

The other functions sum the curves up, one number for each image. The last axis of a curve is the
steps from 0 (nothing replaced) on, the axes before it are any batch.
"""

from collections.abc import Callable
from typing import Any, Literal, TypeAlias

import jax.numpy as jnp
import numpy as np
from jax import Array, lax
from jaxtyping import Bool, Float, Int, Num

from cfx_jax.array_types import at_least_float32
from cfx_jax.checks import (
    as_numpy,
    check_array,
    check_callable,
    check_choice,
    check_classes,
    check_count,
    check_image,
    check_real,
    check_unit_range,
    is_concrete,
)
from cfx_jax.compilation import compiled
from cfx_jax.errors import InputError
from cfx_jax.objectives import decision

Replace: TypeAlias = Callable[[Float[Array, "h w c"], Bool[Array, "h w"]], Float[Array, "h w c"]]
"""``(image, removed)`` -> the image with the removed pixels replaced."""


def overwrite_with(other: float | Float[Array, "h w c"]) -> Replace:
    """Makes an operator that replaces removed pixels by the pixels of another image.

    Args:
        other: an image of the same shape (a translation to the other class, uniform noise, a
            blurred copy), or one value for all pixels. For an honest comparison it is the same for
            all methods, and made by none of them.

    Returns:
        The operator, for ``perturbation_curve``.

    Raises:
        InputError: a value lies outside of [0, 1]; when the operator is applied, ``other``
            has not the shape of the image.

    >>> replace = overwrite_with(0.0)
    >>> replace(jnp.ones((1, 2, 1)), jnp.array([[True, False]])).ravel().tolist()
    [0.0, 1.0]
    """
    check_real(other, name="other")
    pixels = jnp.asarray(other)
    check_unit_range(pixels, name="other")

    def replace(image: Float[Array, "h w c"], removed: Bool[Array, "h w"]) -> Float[Array, "h w c"]:
        if pixels.shape not in ((), image.shape):
            raise InputError(
                f"other: expected a number or the image's shape {image.shape}, got {pixels.shape}"
            )
        return jnp.where(removed[..., None], pixels.astype(image.dtype), image)

    return replace


def perturbation_curve(
    output: Callable[[Float[Array, "h w c"]], Any],
    image: Float[Array, "h w c"],
    relevance: Float[Array, "h w"],
    replace: Replace,
    *,
    order: Literal["most_relevant_first", "least_relevant_first"] = "most_relevant_first",
    region: int = 8,
    regions_per_step: int = 1,
    num_steps: int | None = None,
    steps_per_batch: int = 32,
) -> Any:
    """Computes the output for an image while its regions are replaced, step by step.

    Regions are square tiles, ranked by the sum of the map over each tile. Tiles at the right and
    lower border are smaller where the side does not divide the image. Of equally relevant tiles the
    one that comes first, row by row, counts as more relevant, and least relevant first is the same
    order backwards. After all steps both orders arrive at the same image: look whether its output
    differs from the first at all, or no map can do well.

    Args:
        output: one image -> the explained class's probability, or logits, or any arrays.
        image: values in [0, 1].
        relevance: a map without channels, larger is more relevant; take absolute values first where
            the sign does not matter.
        replace: the operator, such as ``overwrite_with(adversary)``; given the original image and
            all pixels removed so far.
        order: which regions go first.
        region: side of a tile in pixels, at least 1; Samek et al. use 9.
        regions_per_step: at least 1; with ``region=1``, one step replaces that many pixels.
        num_steps: how many steps, from 1 to as many as replace every region (None); the last may
            replace fewer.
        steps_per_batch: how many steps are evaluated at once, which bounds the memory.

    Returns:
        The outputs with a leading axis of ``num_steps + 1``, the first of the image itself.

    Raises:
        InputError: the image is not valid, the map has NaN or not the height and width of the
            image, or a number or the order is not possible.

    >>> image, relevance = jnp.ones((1, 2, 1)), jnp.array([[0.0, 1.0]])
    >>> perturbation_curve(jnp.sum, image, relevance, overwrite_with(0.5), region=1).tolist()
    [2.0, 1.5, 1.0]
    """
    check_image(image)
    check_array(relevance, name="relevance")
    check_callable(output, name="output", gives="one image -> arrays")
    check_callable(replace, name="replace", gives="an image and what is removed -> image")
    _check_relevance(relevance, image.shape[:2])
    check_choice(order, ("most_relevant_first", "least_relevant_first"), name="order")
    for name, value in dict(
        region=region, regions_per_step=regions_per_step, steps_per_batch=steps_per_batch
    ).items():
        check_count(value, name=name)
    height, width, _ = image.shape
    all_steps = -(-(-(-height // region) * -(-width // region)) // regions_per_step)
    steps = all_steps if num_steps is None else num_steps
    if (
        not isinstance(steps, int)
        or isinstance(steps, bool)
        or steps not in range(1, all_steps + 1)
    ):
        raise InputError(
            f"num_steps: expected 1 to {all_steps}, which replaces every region, got {num_steps!r}"
        )
    options = {
        "order": order,
        "region": region,
        "regions_per_step": regions_per_step,
        "steps": steps,
    }
    values = jnp.asarray(image), at_least_float32(jnp.asarray(relevance))
    return compiled(_outputs, output, *values, replace, **options, steps_per_batch=steps_per_batch)


def area_over_perturbation_curve(
    curves: Num[np.ndarray, "*batch steps"],
) -> Float[np.ndarray, "*batch steps"]:
    """Computes the mean fall of the score up to each step, AOPC (Samek et al. 2017).

    Entry L is ``1/(L+1) * sum over k = 0..L of (s_0 - s_k)``. Charachon et al. 2021 plot its mean
    over images, less a random map's mean, against L.

    Args:
        curves: the score of the explained class at each step, most relevant regions first.

    Returns:
        The AOPC of every number of steps, in the unit of the score, higher is better; the first is
        0, the last the area of the whole curve.

    Raises:
        InputError: a curve has no step, NaN or infinity.

    >>> area_over_perturbation_curve(np.array([1.0, 0.5, 0.0]))
    array([0.  , 0.25, 0.5 ])
    """
    curves = _as_curves(curves)
    return np.cumsum(curves[..., :1] - curves, axis=-1) / np.arange(1, curves.shape[-1] + 1)


def area_under_perturbation_curve(
    curves: Num[np.ndarray, "*batch steps"],
) -> Float[np.ndarray, "*batch"]:
    """Computes the mean height of each curve over the share of steps done, by the trapezoid rule.

    Args:
        curves: scores, or ``correct_at_each_step``; at least two steps, which count as evenly
            spaced.

    Returns:
        The area, in the unit of the score.

    Raises:
        InputError: a curve has fewer than two steps, NaN or infinity.

    >>> float(area_under_perturbation_curve(np.array([1.0, 0.5, 0.0])))
    0.5
    """
    curves = _as_curves(curves, least=2)
    return (curves[..., :-1] + curves[..., 1:]).mean(axis=-1) / 2


def relevance_score(
    degradation: Float[np.ndarray, " n"], preservation: Float[np.ndarray, " n"]
) -> float:
    """Computes the relevance score R of a group of images.

    It is the harmonic mean of their degradation and their preservation, after Lim et al. 2021. That
    degradation is one minus an area, so that higher is better, is our reading. Both are averaged
    over the group first and combined then: this follows from the numbers of Charachon et al. 2021
    (table 2), which no means of scores per image can be. For an interval draw pairs
    ``np.stack([degradation, preservation], axis=1)`` with ``bootstrap_interval(pairs,
    statistic=lambda drawn: relevance_score(*drawn.T))``.

    Args:
        degradation: for each image ``1 - area_under_perturbation_curve`` of its probability over
            the full sweep, most relevant first.
        preservation: for each image ``area_under_perturbation_curve`` of its probability over the
            full sweep, least relevant first.

    Returns:
        A number in [0, 1], higher is better; 0 where all degradation or all preservation is.

    Raises:
        InputError: there is no image, the lengths differ, or a number is NaN or outside of [0, 1],
            as from logits.

    >>> round(relevance_score(np.array([0.2, 0.6]), np.array([0.5, 0.7])), 3)
    0.48
    """
    for name, value in (("degradation", degradation), ("preservation", preservation)):
        check_real(value, name=name)
    areas = np.asarray(degradation, np.float64), np.asarray(preservation, np.float64)
    if areas[0].shape != areas[1].shape or areas[0].ndim != 1 or not areas[0].size:
        raise InputError(
            "degradation, preservation: expected one number for each of the same images (n,), got"
            f" shapes {areas[0].shape}, {areas[1].shape}"
        )
    # Probabilities computed as exp(log p) pass 1 by rounding.
    if not all(((area > -1e-5) & (area < 1 + 1e-5)).all() for area in areas):
        raise InputError(
            "degradation, preservation: expected numbers in [0, 1]: make the curves of"
            " probabilities, not logits"
        )
    degraded, preserved = (float(area.clip(0, 1).mean()) for area in areas)
    return 2 * degraded * preserved / (degraded + preserved) if degraded + preserved > 0 else 0.0


def correct_at_each_step(
    logits: Float[np.ndarray, "*batch steps k"], labels: Int[np.ndarray, "*batch"]
) -> Bool[np.ndarray, "*batch steps"]:
    """Whether each image is classified right at each step of a perturbation curve.

    The mean over images is the accuracy curve. Singla et al. 2020 (figure 5) plot it against the
    share of pixels replaced by uniform noise, most relevant first: ``perturbation_curve(classifier,
    image, relevance, overwrite_with(noise), region=1, regions_per_step=...)``.

    Args:
        logits: the classifier's logits at each step.
        labels: the true classes.

    Returns:
        True where the classifier decides on the label, as ``objectives.decision``.

    Raises:
        InputError: the shapes do not match, a logit is NaN, or a label names no class.

    >>> correct_at_each_step(np.array([[[0.0, 2.0], [1.0, 0.0]]]), np.array([1])).tolist()
    [[True, False]]
    """
    logits, labels = as_numpy(logits, name="logits"), as_numpy(labels, name="labels")
    if logits.ndim < 2 or labels.shape != logits.shape[:-2]:
        raise InputError(
            f"logits: expected (..., steps, k) with labels (...), got shapes {logits.shape},"
            f" {labels.shape}"
        )
    if np.isnan(logits).any():
        raise InputError(
            "logits: expected numbers, got NaN: look at the classifier and the replaced images"
        )
    check_classes(labels, logits.shape[-1], name="labels")
    return np.asarray(decision(logits)) == labels[..., None]


def _outputs(
    output: Callable[[Float[Array, "h w c"]], Any],
    image: Float[Array, "h w c"],
    relevance: Float[Array, "h w"],
    replace: Replace,
    *,
    order: str,
    region: int,
    regions_per_step: int,
    steps: int,
    steps_per_batch: int,
) -> Any:
    heat = _tile_sums(relevance, region)  # (rows, columns) of tiles
    step_of_tile = _ranks(heat, order) // regions_per_step
    # (h, w); tiles at the border reach beyond the image and are cut.
    step_of_pixel = _fill_tiles(step_of_tile, region)[: image.shape[0], : image.shape[1]]
    return lax.map(
        lambda step: output(replace(image, step_of_pixel < step)),
        jnp.arange(steps + 1),
        batch_size=steps_per_batch,
    )


def _tile_sums(relevance: Float[Array, "h w"], side: int) -> Float[Array, "rows columns"]:
    height, width = relevance.shape
    padded = jnp.pad(relevance, ((0, -height % side), (0, -width % side)))
    return padded.reshape(-(-height // side), side, -(-width // side), side).sum(axis=(1, 3))


def _fill_tiles(tiles: Int[Array, "rows columns"], side: int) -> Int[Array, "h w"]:
    """Sets each pixel of a tile to the tile's value."""
    return jnp.repeat(jnp.repeat(tiles, side, axis=0), side, axis=1)


def _ranks(heat: Float[Array, "rows columns"], order: str) -> Int[Array, "rows columns"]:
    """Computes the place of each tile in the order of replacement, from 0."""
    ranks = jnp.argsort(jnp.argsort(-heat.ravel(), stable=True)).reshape(heat.shape)
    return ranks if order == "most_relevant_first" else heat.size - 1 - ranks


def _check_relevance(relevance: Array, shape: tuple[int, ...]) -> None:
    if relevance.shape != shape:
        raise InputError(
            f"relevance: expected the image's shape without channels {shape}, got {relevance.shape}"
        )
    if is_concrete(relevance) and not np.isfinite(relevance).all():
        raise InputError(
            "relevance: expected finite values, got NaN or infinity: look at how the map was made"
        )


def _as_curves(curves: np.ndarray, *, least: int = 1) -> Float[np.ndarray, "*batch steps"]:
    curves = as_numpy(curves, name="curves")
    if curves.dtype.kind not in "biuf":
        raise InputError(f"curves: expected real numbers, got dtype {curves.dtype}")
    curves = curves.astype(np.float64)
    if curves.ndim < 1 or curves.shape[-1] < least:
        raise InputError(
            f"curves: expected (..., steps) with at least {least} steps, got shape {curves.shape}"
        )
    if not np.isfinite(curves).all():
        raise InputError(
            "curves: expected finite scores, got NaN or infinity: look at the replaced images"
        )
    return curves
