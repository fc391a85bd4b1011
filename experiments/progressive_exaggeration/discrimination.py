"""Figure 7: what explaining one label of a classifier of several does to the decisions on the
others.
"""

from collections.abc import Iterator, Mapping
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int

from cfx_jax.metrics import decision_flips
from cfx_jax.report import Claim
from experiments.progressive_exaggeration.study import Study, explained_label
from experiments.progressive_exaggeration.subject import Subject
from experiments.progressive_exaggeration.sweeps import Sweeps
from experiments.shared.interval_claims import paired_claim
from experiments.shared.presenter import Presenter, Table

_AT_ONCE = 256  # images that are classified together


class Turned(NamedTuple):
    """One explained label.

    Attributes:
        subject: the label and its queries.
        sweeps: their explanations.
        opposite: 1 where the decision on a label turns over at the opposite extreme of the
            explained one (n, labels).
        kept: the same of the drawings for the queries' own bins.
    """

    subject: Subject
    sweeps: Sweeps
    opposite: Float[np.ndarray, "n labels"]
    kept: Float[np.ndarray, "n labels"]


class Discrimination(NamedTuple):
    """All labels of one classifier.

    Attributes:
        names: of its labels.
        found: by label.
    """

    names: tuple[str, ...]
    found: Mapping[str, Turned]

    @property
    def dependencies(self) -> object:
        """What all of it depends on."""
        return [each.sweeps.identity for each in self.found.values()]

    def present(self, presenter: Presenter) -> None:
        """Writes its section."""
        presenter.report.section(
            "Does explaining one label leave the others alone",
            f"One classifier of {', '.join(self.names)}.",
        )
        presenter.table(
            "figure_7_discrimination",
            self._matrix(),
            "Figure 7 in numbers: share of the queries of a label whose decision on each label"
            " differs at the opposite"
            " extreme; 'own bin' rows are the same of their drawings for their own bins, which"
            " should differ nowhere.",
        )

    def claims(self) -> Iterator[Claim]:
        """Figure 7."""
        for name, each in self.found.items():
            others = np.delete(each.opposite, each.subject.label, axis=1).mean(axis=1)
            yield paired_claim(
                f"Figure 7 {name}",
                f"Explaining {name!r} turns its own decision over more often than those of other"
                f" labels.",
                {},
                {name: each.opposite[:, each.subject.label], "mean of the others": others},
                "share of decisions turned over",
                minimum=0.0,
                strict=True,
                **each.subject.units,
            )

    def _matrix(self) -> Table:
        rows = [
            [name, drawn_for, *map(float, values.mean(axis=0))]
            for drawn_for, found in (
                ("opposite extreme", {name: each.opposite for name, each in self.found.items()}),
                ("own bin", {name: each.kept for name, each in self.found.items()}),
            )
            for name, values in found.items()
        ]
        return ["explained", "drawn for", *self.names], rows


def discrimination(study: Study) -> Discrimination:
    """Trains a classifier of the labels that the configuration names, and explains each of them.

    Raises:
        InputError: as the trainers.
    """
    every_label = study.every_label
    names = study.config.discriminated or every_label.names
    found = {}
    for name in names:
        subject, sweeps = explained_label(study, every_label.of(names, name))
        own_bins = np.asarray(sweeps.found.source_bin)
        found[name] = Turned(
            subject,
            sweeps,
            turned(subject, sweeps, sweeps.opposite),
            turned(subject, sweeps, own_bins),
        )
    return Discrimination(tuple(names), found)


def turned(
    subject: Subject, sweeps: Sweeps, bins: Int[np.ndarray, " n"]
) -> Float[np.ndarray, "n labels"]:
    """1 where the decision on a label is not the query's, of each query's drawing for a bin of its
    own.
    """
    found = []
    for rows, drawn in sweeps.drawn(bins):
        before, after = (
            subject.network.probabilities(each, batch_size=_AT_ONCE)
            for each in (subject.queries.read(rows), drawn)
        )
        found.append(decision_flips(before, after).astype(float))
    return np.concatenate(found)
