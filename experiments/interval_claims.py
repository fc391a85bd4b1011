"""Claims about numbers of images, each settled by a bootstrap interval over the images."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from jaxtyping import Float

from cfx_jax.metrics.statistics import Interval, bootstrap_interval, paired_difference_interval
from cfx_jax.report import Claim, verdict


def paired_claim(
    name: str,
    text: str,
    paper: Mapping[str, Any],
    ours: Mapping[str, Float[np.ndarray, " n"]],
    statistic: str,
    *,
    groups: np.ndarray | None = None,
    **bounds: Any,
) -> Claim:
    """A claim about the mean difference of two measures on the same images.

    Args:
        name: the claim's short name.
        text: the claim in a sentence.
        paper: the paper's figures by name.
        ours: two measures by name, the first less the second; finite, one number for each image.
        statistic: what they measure.
        groups: whom each image shows, where several show one; they are drawn together.
        bounds: of the difference, as in ``report.verdict``.

    Returns:
        The claim with its verdict.

    Raises:
        InputError: fewer than two images, or values that are not finite.
    """
    (first, second), (one, other) = ours.keys(), ours.values()
    interval = paired_difference_interval(one, other, groups=groups)
    of = f"{statistic}; {first} minus {second}, paired over {len(one)} images"
    return claim(
        name, text, paper, {each: float(np.mean(values)) for each, values in ours.items()}, interval, of, **bounds
    )


def mean_claim(
    name: str,
    text: str,
    paper: Mapping[str, Any],
    values: Float[np.ndarray, " n"],
    statistic: str,
    *,
    groups: np.ndarray | None = None,
    **bounds: Any,
) -> Claim:
    """A claim about the mean of one measure over images; arguments and errors as ``paired_claim``."""
    interval = bootstrap_interval(values, groups=groups)
    return claim(name, text, paper, {"mean": float(values.mean())}, interval, statistic, **bounds)


def claim(
    name: str,
    text: str,
    paper: Mapping[str, Any],
    ours: Mapping[str, Any],
    interval: Interval,
    statistic: str,
    **bounds: Any,
) -> Claim:
    """A claim about any statistic of which an interval is known.

    Args:
        name: the claim's short name.
        text: the claim in a sentence.
        paper: the paper's figures by name.
        ours: our figures by name.
        interval: of the statistic.
        statistic: what the interval is of.
        bounds: of the statistic, as in ``report.verdict``.
    """
    return Claim(
        id=name, text=text, paper=paper, ours=ours, interval=interval, verdict=verdict(interval, **bounds),
        statistic=statistic,
    )  # fmt: skip


def unpaired_claim(
    name: str,
    text: str,
    paper: Mapping[str, Any],
    ours: Mapping[str, Float[np.ndarray, " n"]],
    statistic: str,
    **bounds: Any,
) -> Claim:
    """A claim about the difference of the means of one measure on two sets of images; arguments as ``paired_claim``.

    Raises:
        InputError: a set without images, or values that are not finite.
    """
    (first, second), (one, other) = ours.keys(), ours.values()
    values, of_first = np.concatenate([one, other]), np.repeat([1.0, 0.0], [len(one), len(other)])
    interval = bootstrap_interval(np.stack([values, of_first], axis=1), statistic=_difference_of_means)
    of = f"{statistic}; {first} minus {second}, of {len(one)} and {len(other)} images"
    means = {each: float(np.mean(given)) for each, given in ours.items()}
    return claim(name, text, paper, means, interval, of, **bounds)


def _difference_of_means(pairs: np.ndarray) -> float:
    """Of those marked by 1 less those by 0; 0 where a draw has only one kind."""
    values, of_first = pairs[:, 0], pairs[:, 1] == 1
    return float(values[of_first].mean() - values[~of_first].mean()) if of_first.any() and not of_first.all() else 0.0
