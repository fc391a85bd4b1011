"""The statements of a paper, and the intervals that settle them."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float

from cfx_jax.metrics import Interval, bootstrap_interval
from cfx_jax.report import Claim
from cfx_jax.report.claims import Kind
from experiments.charachon.data import Groups
from experiments.shared import claim, paired_claim

ABOVE_ZERO: Mapping[str, Any] = {"minimum": 0.0, "strict": True}
"""The bound of a difference, of a claim that one is better than the other."""


class Statement(NamedTuple):
    """A sentence or a printed ordering of a paper, which makes a claim once it is settled.

    Attributes:
        name: of the claim.
        text: the claim in a sentence.
        place: where the paper says or shows it.
        kind: "statement" of the paper, "ordering" read off its tables, or "target" of ours.
    """

    name: str
    text: str
    place: str = ""
    kind: Kind = "statement"

    def settle(
        self,
        paper: Mapping[str, float | None],
        ours: Mapping[str, float],
        interval: Interval,
        statistic: str,
        **bounds: Any,
    ) -> Claim:
        """The claim, by an interval of any statistic; arguments as ``experiments.shared.claim``."""
        where: dict[str, Any] = {"kind": self.kind, "place": self.place}
        return claim(self.name, self.text, paper, ours, interval, statistic, **where, **bounds)

    def settle_pair(
        self,
        paper: Mapping[str, float | None],
        ours: Mapping[str, Float[np.ndarray, " n"]],
        statistic: str,
        *,
        groups: Groups,
        **bounds: Any,
    ) -> Claim:
        """The claim, by a mean difference; arguments as ``experiments.shared.paired_claim``."""
        where: dict[str, Any] = {"kind": self.kind, "place": self.place}
        options = {"groups": groups.names, "group_unit": groups.unit, **bounds}
        return paired_claim(self.name, self.text, paper, ours, statistic, **where, **options)

    def settle_least(
        self,
        paper: Mapping[str, float | None],
        ours: Mapping[str, float],
        leads: Float[np.ndarray, "n m"],
        statistic: str,
        *,
        groups: Groups,
        unit: str = "images",
        **bounds: Any,
    ) -> Claim:
        """The claim that one method leads in every measure, or leads every other method.

        Args:
            paper: the paper's figures by name.
            ours: our figures by name.
            leads: the lead of each image in each measure, or on each other method.
            statistic: what the least mean lead is of, in words.
            groups: images that are drawn together.
            unit: the images in words.
            bounds: of the least mean lead.
        """
        interval = bootstrap_interval(leads, statistic=_least_mean, groups=groups.names)
        of = f"{statistic}, over {groups.describe(len(leads), unit)}"
        return self.settle(paper, ours, interval, of, **bounds)


def _least_mean(leads: Float[np.ndarray, "n m"]) -> float:
    return float(leads.mean(axis=0).min())
