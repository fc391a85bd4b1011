"""Claims about numbers of images or of trainings, settled by an interval over what was drawn
independently.
"""

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
from cfx_jax.report.claims import Kind

ONE_TRAINING = "Of one training of each network: other trainings are not drawn."
"""The note of claims about networks of which there is one each: their intervals are over images
alone.
"""


def of_one_training(claims: Iterable[Claim]) -> list[Claim]:
    """The claims, whose notes say that they rest on one training."""
    return [
        dataclasses.replace(each, note=f"{each.note} {ONE_TRAINING}".strip()) for each in claims
    ]


def paired_claim(
    name: str,
    text: str,
    paper: Mapping[str, Any],
    ours: Mapping[str, Float[np.ndarray, " n"]],
    statistic: str,
    *,
    kind: Kind = "target",
    place: str = "",
    groups: np.ndarray | None = None,
    unit: str = "images",
    group_unit: str = "patients",
    **bounds: Any,
) -> Claim:
    """A claim about the mean difference of two measures on the same images.

    Args:
        name: the claim's short name.
        text: the claim in a sentence.
        paper: the paper's figures by name.
        ours: two measures by name, the first less the second; finite, one number for each image.
        statistic: what they measure.
        kind: "statement" of the paper, "ordering" read off its tables, or "target" of ours; see
            ``report.Claim``.
        place: where the paper says or shows it; needed unless it is a target.
        groups: whom each image shows, where several show one; they are drawn together.
        unit: what the numbers are of, in words.
        group_unit: what the groups are, in words.
        bounds: of the difference, as in ``report.verdict``.

    Returns:
        The claim with its verdict.

    Raises:
        InputError: no image, or values that are not finite.
    """
    (first, second), (one, other) = ours.keys(), ours.values()
    interval = paired_difference_interval(one, other, groups=groups)
    of = f"{statistic}; {first} minus {second}, paired over {counted(len(one), unit, groups, group_unit)}"
    return claim(name, text, paper, _means(ours), interval, of, kind=kind, place=place, **bounds)


def mean_claim(
    name: str,
    text: str,
    paper: Mapping[str, Any],
    values: Float[np.ndarray, " n"],
    statistic: str,
    *,
    kind: Kind = "target",
    place: str = "",
    groups: np.ndarray | None = None,
    unit: str = "images",
    group_unit: str = "patients",
    **bounds: Any,
) -> Claim:
    """A claim about the mean of one measure over images; arguments and errors as ``paired_claim``.

    Differences of two measures belong to ``paired_claim``: where they are all 0 or 1 they would
    count as answers here.
    """
    interval = bootstrap_interval(values, groups=groups)
    of = f"{statistic}, over {counted(len(values), unit, groups, group_unit)}"
    return claim(
        name,
        text,
        paper,
        {"mean": float(values.mean())},
        interval,
        of,
        kind=kind,
        place=place,
        **bounds,
    )


def runs_claim(
    name: str,
    text: str,
    paper: Mapping[str, Any],
    ours: Mapping[str, Sequence[Float[np.ndarray, " cases"]]],
    statistic: str,
    *,
    kind: Kind = "target",
    place: str = "",
    cases: Sequence[Shaped[np.ndarray, " cases"]] | None = None,
    unit: str = "scans",
    **bounds: Any,
) -> Claim:
    """A claim about trainings: the mean difference of two methods that were trained in the same
    runs.

    Args:
        name, text, paper, statistic, kind, place, bounds: as in ``paired_claim``.
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
    of = f"{statistic}; {first} minus {second}, over {len(differences)} runs and {number} {unit}"
    means = {label: float(np.mean([np.mean(run) for run in runs])) for label, runs in ours.items()}
    return claim(name, text, paper, means, interval, of, kind=kind, place=place, **bounds)


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
        kind, place: as in ``paired_claim``.
        note: what a reader must know to judge it.
        bounds: of the statistic, as in ``report.verdict``.
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


def unpaired_claim(
    name: str,
    text: str,
    paper: Mapping[str, Any],
    ours: Mapping[str, Float[np.ndarray, " n"]],
    statistic: str,
    *,
    kind: Kind = "target",
    place: str = "",
    unit: str = "images",
    **bounds: Any,
) -> Claim:
    """A claim about the difference of the means of one measure on two sets of images; arguments as
    ``paired_claim``.

    Raises:
        InputError: a set without images, or values that are not finite.
    """
    (first, second), (one, other) = ours.keys(), ours.values()
    interval = unpaired_difference_interval(one, other)
    of = f"{statistic}; {first} minus {second}, of {len(one)} and {len(other)} {unit}"
    return claim(name, text, paper, _means(ours), interval, of, kind=kind, place=place, **bounds)


def _means(ours: Mapping[str, Float[np.ndarray, " n"]]) -> dict[str, float]:
    return {label: float(np.mean(values)) for label, values in ours.items()}


def counted(n: int, unit: str, groups: np.ndarray | None, group_unit: str) -> str:
    """How many things there were, of how many groups, in words."""
    return (
        f"{n} {unit}" if groups is None else f"{n} {unit} of {len(np.unique(groups))} {group_unit}"
    )
