"""Claims about images or trainings, settled by intervals over what is drawn independently."""

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float, Shaped

from cfx_jax.metrics import (
    Interval,
    bootstrap_interval,
    paired_difference_interval,
    unpaired_difference_interval,
)
from cfx_jax.report import Claim, verdict
from cfx_jax.report.claims import Kind
from experiments.shared.intervals import difference_over_runs, least_mean_interval, mean_over_runs

ONE_TRAINING = "Of one training of each network: other trainings are not drawn."
"""The note of claims about networks that were trained once: their intervals are over images alone.
"""

MORE: Mapping[str, Any] = {"minimum": 0.0, "strict": True}
"""The bounds of a claim that the first is larger than the second."""

AT_LEAST: Mapping[str, Any] = {"minimum": 0.0}
"""The bounds of a claim that the first is at least as large as the second."""


class Statement(NamedTuple):
    """A sentence of a paper, or a target of ours, which makes a claim once it is settled.

    Attributes:
        name: the claim's short name.
        text: the claim in a sentence.
        place: where the paper says or shows it; needed unless it is a target.
        kind: "statement" of the paper, "ordering" read off its tables, or "target" of ours; see
            ``report.Claim``.
    """

    name: str
    text: str
    place: str = ""
    kind: Kind = "statement"

    def settle(
        self,
        paper: Mapping[str, Any],
        ours: Mapping[str, Any],
        interval: Interval | None,
        statistic: str,
        *,
        note: str = "",
        **bounds: Any,
    ) -> Claim:
        """The claim, settled by any statistic whose interval is known; undecided where it is not.

        Args:
            paper: the paper's figures by name.
            ours: our figures by name.
            interval: the interval of the statistic; None where there are too few cases for one.
            statistic: the name of the number that the interval covers.
            note: a remark that a reader needs to judge it.
            bounds: ``minimum``, ``maximum``, ``strict`` of the statistic, as in ``report.verdict``.
        """
        return Claim(
            id=self.name,
            text=self.text,
            paper=paper,
            ours=ours,
            interval=interval,
            verdict="undecided" if interval is None else verdict(interval, **bounds),
            kind=self.kind,
            place=self.place,
            statistic=statistic,
            note=note,
        )

    def settle_pair(
        self,
        paper: Mapping[str, Any],
        ours: Mapping[str, Float[np.ndarray, " n"]],
        statistic: str,
        *,
        groups: np.ndarray | None = None,
        unit: str = "images",
        group_unit: str = "patients",
        **bounds: Any,
    ) -> Claim:
        """The claim, settled by the mean difference of two measures on the same images.

        Args:
            paper, bounds: as in ``settle``.
            ours: two measures by name, the first less the second; finite, one number for each
                image.
            statistic: the name of what the numbers measure.
            groups: the person on each image, where several images show one person; they are drawn
                together.
            unit: the name of the cases that the numbers describe, such as images.
            group_unit: the name of the groups, such as patients.

        Raises:
            InputError: no image, or values that are not finite.
        """
        (first, second), (one, other) = ours.keys(), ours.values()
        interval = paired_difference_interval(one, other, groups=groups)
        drawn = counted(len(one), unit, groups, group_unit)
        statistic += f"; {first} minus {second}, paired over {drawn}"
        return self.settle(paper, _means(ours), interval, statistic, **bounds)

    def settle_mean(
        self,
        paper: Mapping[str, Any],
        values: Float[np.ndarray, " n"],
        statistic: str,
        *,
        groups: np.ndarray | None = None,
        unit: str = "images",
        group_unit: str = "patients",
        **bounds: Any,
    ) -> Claim:
        """The claim, settled by the mean of one measure over images; otherwise as ``settle_pair``.

        Differences of two measures belong to ``settle_pair``: where they are all 0 or 1 they would
        count as answers here.
        """
        interval = bootstrap_interval(values, groups=groups)
        statistic += f", over {counted(len(values), unit, groups, group_unit)}"
        return self.settle(paper, {"mean": float(values.mean())}, interval, statistic, **bounds)

    def settle_unpaired(
        self,
        paper: Mapping[str, Any],
        ours: Mapping[str, Float[np.ndarray, " n"]],
        statistic: str,
        *,
        unit: str = "images",
        **bounds: Any,
    ) -> Claim:
        """The claim, settled by the difference of the means of a measure on two sets of images.

        Arguments are as in ``settle_pair``.

        Raises:
            InputError: a set without images, or values that are not finite.
        """
        (first, second), (one, other) = ours.keys(), ours.values()
        interval = unpaired_difference_interval(one, other)
        statistic += f"; {first} minus {second}, of {len(one)} and {len(other)} {unit}"
        return self.settle(paper, _means(ours), interval, statistic, **bounds)

    def settle_runs(
        self,
        paper: Mapping[str, Any],
        ours: Mapping[str, Sequence[Float[np.ndarray, " cases"]]],
        statistic: str,
        *,
        cases: Sequence[Shaped[np.ndarray, " cases"]] | None = None,
        unit: str = "scans",
        **bounds: Any,
    ) -> Claim:
        """The claim, settled by the mean difference of two methods trained in the same runs.

        Args:
            paper, statistic, bounds: as in ``settle_pair``.
            ours: two methods by name, the first less the second: for each run, one number for each
                test case, the same cases for both methods.
            cases: for each run, the names of the cases; None where all runs are tested on the same
                ones.
            unit: the name of the cases, such as images.

        Returns:
            The claim, with the interval of ``metrics.interval_over_runs``.

        Raises:
            InputError: as ``metrics.interval_over_runs``.
        """
        (first, second), (one, other) = ours.keys(), ours.values()
        interval = difference_over_runs(one, other, cases)
        number = len(one[0]) if cases is None else len(np.unique(np.concatenate(cases)))
        statistic += f"; {first} minus {second}, over {len(one)} runs and {number} {unit}"
        means = {label: mean_over_runs(runs) for label, runs in ours.items()}
        return self.settle(paper, means, interval, statistic, **bounds)

    def settle_least(
        self,
        paper: Mapping[str, Any],
        ours: Mapping[str, float],
        leads: Float[np.ndarray, "n m"],
        statistic: str,
        *,
        groups: np.ndarray | None = None,
        unit: str = "images",
        group_unit: str = "patients",
        **bounds: Any,
    ) -> Claim:
        """The claim that one method leads in every measure, or leads every other method.

        Args:
            paper, ours: as in ``settle``.
            leads: the lead of each image in each measure, or on each other method.
            statistic: the name of the number whose least mean lead is settled.
            groups, unit, group_unit: as in ``settle_pair``.
            bounds: the bounds of the least mean lead.
        """
        interval = least_mean_interval(leads, groups)
        statistic += f", over {counted(len(leads), unit, groups, group_unit)}"
        return self.settle(paper, ours, interval, statistic, **bounds)


def of_one_training(claims: Iterable[Claim]) -> list[Claim]:
    """The claims, with a note that they rest on one training of each network."""
    return [
        dataclasses.replace(claim, note=f"{claim.note} {ONE_TRAINING}".strip()) for claim in claims
    ]


def counted(number: int, unit: str, groups: np.ndarray | None, group_unit: str) -> str:
    """The numbers of images and of groups, in words."""
    words = f"{number} {unit}"
    return words if groups is None else f"{words} of {len(np.unique(groups))} {group_unit}"


def _means(ours: Mapping[str, Float[np.ndarray, " n"]]) -> dict[str, float]:
    return {label: float(np.mean(values)) for label, values in ours.items()}
