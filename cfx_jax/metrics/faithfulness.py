"""Whether a map names the regions that the classifier uses, from the curves of
``perturbation_curve``. Per image.

Axes before the last are any batch; the last are the steps from 0 (nothing replaced) on.
"""

import numpy as np
from jaxtyping import Bool, Float, Int, Num

from cfx_jax.checks import check_classes
from cfx_jax.errors import InputError
from cfx_jax.objectives import decision


def area_over_perturbation_curve(
    curves: Num[np.ndarray, "*batch steps"],
) -> Float[np.ndarray, "*batch steps"]:
    """The mean fall of the score up to each step, AOPC (Samek et al. 2017).

    Entry L is ``1/(L+1) * sum over k = 0..L of (s_0 - s_k)``. Charachon et al. 2021 plot its mean
    over images, less that of a random map, against L.

    Args:
        curves: the score of the explained class at each step, most relevant regions first.

    Returns:
        The AOPC of every number of steps, higher is better; the first is 0, the last that of the
        whole curve.

    Raises:
        InputError: no step, NaN or infinity.
    """
    curves = _as_curves(curves)
    return np.cumsum(curves[..., :1] - curves, axis=-1) / np.arange(1, curves.shape[-1] + 1)


def area_under_perturbation_curve(
    curves: Num[np.ndarray, "*batch steps"],
) -> Float[np.ndarray, "*batch"]:
    """The mean height of each curve over the share of steps done, by the trapezoid rule.

    Args:
        curves: scores, or ``still_correct``; at least two steps, which count as evenly spaced.

    Returns:
        The area, in the unit of the score.

    Raises:
        InputError: fewer than two steps, NaN or infinity.
    """
    curves = _as_curves(curves, least=2)
    return (curves[..., :-1] + curves[..., 1:]).mean(axis=-1) / 2


def relevance_score(
    degradation: Float[np.ndarray, " n"], preservation: Float[np.ndarray, " n"]
) -> float:
    """The relevance score R of a group of images: the harmonic mean of their degradation and their
    preservation.

    After Lim et al. 2021. That degradation is one minus an area, so that higher is better, is our
    reading; that both are averaged over the group first and combined then follows from the numbers
    of Charachon et al. 2021 (table 2), which no means of scores per image can be. For an interval
    draw pairs ``np.stack([degradation, preservation], axis=1)`` with ``bootstrap_interval(pairs,
    statistic=lambda drawn: relevance_score(*drawn.T))``.

    Args:
        degradation: for each image ``1 - area_under_perturbation_curve`` of its probability over
            the full sweep, most relevant first.
        preservation: for each image ``area_under_perturbation_curve`` of its probability over the
            full sweep, least relevant first.

    Returns:
        A number in [0, 1], higher is better; 0 where all degradation or all preservation is.

    Raises:
        InputError: no image, lengths that differ, numbers outside of [0, 1] as from logits, NaN.
    """
    areas = np.asarray(degradation, np.float64), np.asarray(preservation, np.float64)
    if areas[0].shape != areas[1].shape or areas[0].ndim != 1 or not areas[0].size:
        raise InputError(
            "degradation, preservation: expected one number for each of the same images (n,), got"
            " shapes "
            f"{areas[0].shape}, {areas[1].shape}"
        )
    # Probabilities computed as exp(log p) pass 1 by rounding.
    if not all(((area > -1e-5) & (area < 1 + 1e-5)).all() for area in areas):
        raise InputError(
            "degradation, preservation: expected numbers in [0, 1]: make the curves of"
            " probabilities, not logits"
        )
    degraded, preserved = (float(area.clip(0, 1).mean()) for area in areas)
    return 2 * degraded * preserved / (degraded + preserved) if degraded + preserved > 0 else 0.0


def still_correct(
    logits: Float[np.ndarray, "*batch steps k"], labels: Int[np.ndarray, "*batch"]
) -> Bool[np.ndarray, "*batch steps"]:
    """Whether each image is still classified right at each step; the mean over images is the
    accuracy curve.

    Singla et al. 2020 (figure 5) plot it against the share of pixels replaced by uniform noise,
    most relevant first: ``perturbation_curve(classifier, image, relevance, overwrite_with(noise),
    region=1, regions_per_step=...)``.

    Args:
        logits: the classifier's at each step.
        labels: the true classes.

    Returns:
        True where the classifier decides on the label, as ``objectives.decision``.

    Raises:
        InputError: shapes that do not match, NaN, labels that name no class.
    """
    logits, labels = np.asarray(logits), np.asarray(labels)
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


def _as_curves(curves: np.ndarray, *, least: int = 1) -> Float[np.ndarray, "*batch steps"]:
    curves = np.asarray(curves, np.float64)
    if curves.ndim < 1 or curves.shape[-1] < least:
        raise InputError(
            f"curves: expected (..., steps) with at least {least} steps, got shape {curves.shape}"
        )
    if not np.isfinite(curves).all():
        raise InputError(
            "curves: expected finite scores, got NaN or infinity: look at the replaced images"
        )
    return curves
