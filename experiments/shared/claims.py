"""Claims about images or trainings, settled by intervals over what is drawn independently."""

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from jaxtyping import Float, Shaped

from cfx_jax.metrics import (
    Interval,
    bootstrap_interval,
    interval_over_runs,
    paired_difference_interval,
    unpaired_difference_interval,
)
from cfx_jax.report import Claim, verdict
from cfx_jax.report.claims import Kind as Kind

ONE_TRAINING = "Of one training of each network: other trainings are not drawn."
"""The note of claims about networks that were trained once: their intervals are over images alone.
"""

MORE: Mapping[str, Any] = {"minimum": 0.0, "strict": True}
"""The bounds of a claim that the first is larger than the second."""

AT_LEAST: Mapping[str, Any] = {"minimum": 0.0}
"""The bounds of a claim that the first is at least as large as the second."""


def stated_in(place: str) -> dict[str, Any]:
    """The kind and place of a claim that is a sentence of the paper, in this place."""
    return {"kind": "statement", "place": place}


def shown_in(place: str) -> dict[str, Any]:
    """The kind and place of a claim that a table or figure shows without a sentence."""
    return {"kind": "ordering", "place": place}


def claim(
    name: str,
    text: str,
    paper: Mapping[str, Any],
    ours: Mapping[str, Any],
    interval: Interval,
    statistic: str,
    *,
    kind: Kind = "target",
    place: str = "",
    note: str = "",
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
        kind: "statement" of the paper, "ordering" read off its tables, or "target" of ours; see
            ``report.Claim``.
        place: where the paper says or shows it; needed unless it is a target.
        note: what a reader must know to judge it.
        bounds: ``minimum``, ``maximum``, ``strict`` of the statistic, as in ``report.verdict``.
    """
    return Claim(
        id=name,
        text=text,
        paper=paper,
        ours=ours,
        interval=interval,
        verdict=verdict(interval, **bounds),
        kind=kind,
        place=place,
        statistic=statistic,
        note=note,
    )


def paired_claim(
    name: str,
    text: str,
    paper: Mapping[str, Any],
    ours: Mapping[str, Float[np.ndarray, " n"]],
    statistic: str,
    *,
    groups: np.ndarray | None = None,
    unit: str = "images",
    group_unit: str = "patients",
    **options: Any,
) -> Claim:
    """A claim about the mean difference of two measures on the same images.

    Args:
        name, text, paper: as in ``claim``.
        ours: two measures by name, the first less the second; finite, one number for each image.
        statistic: what they measure.
        groups: whom each image shows, where several show one; they are drawn together.
        unit: what the numbers are of, in words.
        group_unit: what the groups are, in words.
        options: ``kind``, ``place`` and bounds of the difference, as in ``claim``.

    Raises:
        InputError: no image, or values that are not finite.
    """
    (first, second), (one, other) = ours.keys(), ours.values()
    interval = paired_difference_interval(one, other, groups=groups)
    drawn = counted(len(one), unit, groups, group_unit)
    statistic += f"; {first} minus {second}, paired over {drawn}"
    return claim(name, text, paper, _means(ours), interval, statistic, **options)


def mean_claim(
    name: str,
    text: str,
    paper: Mapping[str, Any],
    values: Float[np.ndarray, " n"],
    statistic: str,
    *,
    groups: np.ndarray | None = None,
    unit: str = "images",
    group_unit: str = "patients",
    **options: Any,
) -> Claim:
    """A claim about the mean of one measure over images; arguments and errors as ``paired_claim``.

    Differences of two measures belong to ``paired_claim``: where they are all 0 or 1 they would
    count as answers here.
    """
    interval = bootstrap_interval(values, groups=groups)
    statistic += f", over {counted(len(values), unit, groups, group_unit)}"
    ours = {"mean": float(values.mean())}
    return claim(name, text, paper, ours, interval, statistic, **options)


def unpaired_claim(
    name: str,
    text: str,
    paper: Mapping[str, Any],
    ours: Mapping[str, Float[np.ndarray, " n"]],
    statistic: str,
    *,
    unit: str = "images",
    **options: Any,
) -> Claim:
    """A claim about the difference of the means of one measure on two sets of images.

    Arguments are as in ``paired_claim``.

    Raises:
        InputError: a set without images, or values that are not finite.
    """
    (first, second), (one, other) = ours.keys(), ours.values()
    interval = unpaired_difference_interval(one, other)
    statistic += f"; {first} minus {second}, of {len(one)} and {len(other)} {unit}"
    return claim(name, text, paper, _means(ours), interval, statistic, **options)


def runs_claim(
    name: str,
    text: str,
    paper: Mapping[str, Any],
    ours: Mapping[str, Sequence[Float[np.ndarray, " cases"]]],
    statistic: str,
    *,
    cases: Sequence[Shaped[np.ndarray, " cases"]] | None = None,
    unit: str = "scans",
    **options: Any,
) -> Claim:
    """A claim about the mean difference of two methods that were trained in the same runs.

    Args:
        name, text, paper, statistic, options: as in ``paired_claim``.
        ours: two methods by name, the first less the second: for each run, one number for each test
            case, the same cases for both methods.
        cases: for each run, the names of the cases; None where all runs are tested on the same
            ones.
        unit: what the cases are, in words.

    Returns:
        The claim, with the interval of ``metrics.interval_over_runs``.

    Raises:
        InputError: as ``metrics.interval_over_runs``.
    """
    (first, second), (one, other) = ours.keys(), ours.values()
    differences = [
        np.asarray(a, float) - np.asarray(b, float) for a, b in zip(one, other, strict=True)
    ]
    interval = interval_over_runs(differences, cases=cases)
    number = len(np.unique(np.concatenate(cases))) if cases is not None else len(differences[0])
    statistic += f"; {first} minus {second}, over {len(differences)} runs and {number} {unit}"
    means = {label: float(np.mean([np.mean(run) for run in runs])) for label, runs in ours.items()}
    return claim(name, text, paper, means, interval, statistic, **options)


def of_one_training(claims: Iterable[Claim]) -> list[Claim]:
    """The claims, with a note that they rest on one training of each network."""
    return [
        dataclasses.replace(claim, note=f"{claim.note} {ONE_TRAINING}".strip()) for claim in claims
    ]


def counted(number: int, unit: str, groups: np.ndarray | None, group_unit: str) -> str:
    """How many images there were, of how many groups, in words."""
    words = f"{number} {unit}"
    return words if groups is None else f"{words} of {len(np.unique(groups))} {group_unit}"


def _means(ours: Mapping[str, Float[np.ndarray, " n"]]) -> dict[str, float]:
    return {label: float(np.mean(values)) for label, values in ours.items()}
