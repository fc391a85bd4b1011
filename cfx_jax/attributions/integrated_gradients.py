"""Integrated gradients: the mean gradient on the path from a baseline.

Sundararajan et al. 2017, "Axiomatic attribution for deep networks", equation 1.

The class released with Boreiko et al. 2022 leaves out the factor ``image - baseline`` and keeps the
mean gradient: ``multiply_by_inputs=False``. The mean over several baselines comes from Erion et al.
2021 ("Improving performance of deep learning models with axiomatic attribution priors and expected
gradients"), with every baseline integrated by the same nodes rather than by random ones.
"""

from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jax import Array
from jaxtyping import Float

from cfx_jax.array_types import AnyArray
from cfx_jax.attributions.bounded_memory_sum import sum_over
from cfx_jax.attributions.gradient import Score, slope
from cfx_jax.checks import (
    check_choice,
    check_count,
    check_flag,
    check_image_or_volume,
    check_num_steps,
    check_real,
    is_concrete,
)
from cfx_jax.compilation import compiled
from cfx_jax.errors import InputError

_BLACK, _NUM_STEPS, _RULE = 0.0, 50, "midpoint"


class IntegratedGradients(NamedTuple):
    """A map and how far it is from complete.

    Attributes:
        map: signed, of the image's shape.
        residual: the map's sum minus the rise of the score, ``score(image) - score(baseline)``; 0
            with endless nodes.
    """

    map: Float[Array, "*s h w c"]
    residual: Float[Array, ""]


def integrated_gradients(
    score: Score,
    image: Float[Array, "*s h w c"],
    *,
    baseline: float | Float[AnyArray, "*s h w c"] | Float[AnyArray, "n *s h w c"] = _BLACK,
    num_steps: int = _NUM_STEPS,
    rule: str = _RULE,
    nodes_per_batch: int | None = None,
    multiply_by_inputs: bool = True,
) -> Float[Array, "*s h w c"]:
    """The mean gradient along the straight path from a baseline, times the path's length by pixel.

    Args:
        score: one image, or volume, -> scalar.
        image: an image, or a volume ``(s, h, w, c)``; values in [0, 1].
        baseline: the start of the path, of the image's shape or one value for all pixels; 0 is
            black. Of several, with a leading axis, the map is the mean over them.
        num_steps: number of equal pieces of the path, at least 1.
        rule: ``"midpoint"`` takes the gradient in the middle of each piece; ``"trapezoid"`` at its
            two ends, which is one node more and includes the image and the baseline themselves.
        nodes_per_batch: how many nodes are differentiated at once, of all baselines together, which
            bounds the memory; None takes all.
        multiply_by_inputs: whether the mean gradient is multiplied by ``image - baseline``.

    Returns:
        The signed map; its sum approaches ``score(image) - score(baseline)``, or the mean of this
        over the baselines, as ``num_steps`` grows. Without ``multiply_by_inputs`` the mean
        gradient, for whose product with ``image - baseline`` the same holds.

    Raises:
        InputError: no valid image or volume, a score that is no scalar, a baseline that is not
            finite or whose shape does not fit the image, an unknown rule,
            ``num_steps`` or ``nodes_per_batch`` below 1.

    Example:
        >>> image = jnp.array([[0.25, 0.5]])[..., None]
        >>> saliency = integrated_gradients(lambda x: (x**2).sum(), image, num_steps=4)
        >>> saliency[..., 0].tolist()  # the sum is the rise of the score from 0
        [[0.0625, 0.25]]
    """
    check_image_or_volume(image)
    check_num_steps(num_steps)
    check_count(nodes_per_batch, name="nodes_per_batch", or_none=True)
    check_choice(rule, tuple(_RULES), name="rule")
    check_flag(multiply_by_inputs, name="multiply_by_inputs")
    image = jnp.asarray(image)
    starts = _baselines(baseline, image)
    shares, weights = (jnp.asarray(values, image.dtype) for values in _RULES[rule](num_steps))

    def node(index: Array) -> Float[Array, "*s h w c"]:
        # All nodes of the first baseline, then all of the second.
        start, step = starts[index // len(shares)], index % len(shares)
        share = shares[step]
        weighted = weights[step] * slope(score, (1 - share) * start + share * image)
        return (image - start) * weighted if multiply_by_inputs else weighted

    return sum_over(node, len(starts) * len(shares), per_batch=nodes_per_batch) / len(starts)


def integrated_gradients_and_residual(
    score: Score,
    image: Float[Array, "*s h w c"],
    *,
    baseline: float | Float[AnyArray, "*s h w c"] | Float[AnyArray, "n *s h w c"] = _BLACK,
    num_steps: int = _NUM_STEPS,
    rule: str = _RULE,
    nodes_per_batch: int | None = None,
) -> IntegratedGradients:
    """The map of ``integrated_gradients`` and its residual: take more steps where that is large.

    Arguments and errors as ``integrated_gradients``. Costs one value of the score for the image and
    for each baseline more.

    Example:
        >>> image = jnp.array([[0.25, 0.5]])[..., None]
        >>> score = lambda x: (x**3).sum()
        >>> _, residual = integrated_gradients_and_residual(score, image, num_steps=8)
        >>> abs(float(residual)) < 1e-3
        True
    """
    saliency = integrated_gradients(
        score,
        image,
        baseline=baseline,
        num_steps=num_steps,
        rule=rule,
        nodes_per_batch=nodes_per_batch,
    )
    starts = _baselines(baseline, image)
    score_of_start = sum_over(
        lambda i: score(starts[i]), len(starts), per_batch=nodes_per_batch
    ) / len(starts)
    return IntegratedGradients(
        saliency, saliency.sum() - (compiled(score, jnp.asarray(image)) - score_of_start)
    )


def _baselines(
    baseline: float | AnyArray, image: Float[Array, "*s h w c"]
) -> Float[Array, "n *s h w c"]:
    check_real(baseline, name="baseline")
    shape = jnp.shape(baseline)
    if shape not in ((), image.shape) and (shape[1:] != image.shape or shape[0] == 0):
        several = ", ".join(map(str, ("n", *image.shape)))
        raise InputError(
            f"baseline: expected a number or shape {image.shape}, or ({several}) for several, got"
            f" {shape}"
        )
    if is_concrete(baseline) and not np.isfinite(baseline).all():
        raise InputError("baseline: expected finite values, got NaN or infinity")
    starts = jnp.asarray(baseline, image.dtype)
    return starts if starts.ndim > image.ndim else jnp.broadcast_to(starts, image.shape)[None]


def _midpoint(num_steps: int) -> tuple[Float[np.ndarray, " n"], Float[np.ndarray, " n"]]:
    return (np.arange(num_steps) + 0.5) / num_steps, np.full(num_steps, 1 / num_steps)


def _trapezoid(num_steps: int) -> tuple[Float[np.ndarray, " n"], Float[np.ndarray, " n"]]:
    weights = np.full(num_steps + 1, 1 / num_steps)
    weights[[0, -1]] /= 2
    return np.linspace(0, 1, num_steps + 1), weights


_RULES = {"midpoint": _midpoint, "trapezoid": _trapezoid}
