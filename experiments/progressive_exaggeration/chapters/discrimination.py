"""Figure 7: the decisions on all labels of a classifier, where one of them is explained."""

from collections.abc import Iterator, Mapping
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int

from cfx_jax.metrics import decision_flips
from experiments.progressive_exaggeration.label_study import (
    LabelStudy,
    Subject,
    Sweeps,
    explained_label,
)
from experiments.shared import MORE, Claim, PaperReport, Statement, Table

_AT_ONCE = 256  # images that are classified together


class Turned(NamedTuple):
    """The decisions of a classifier where one label is explained.

    Attributes:
        subject: the label and its queries.
        sweeps: their explanations.
        opposite: 1 where the decision on a label turns over at the opposite extreme of the
            explained one (n, labels).
        kept: 1 where the decision on a label turns over in the drawing for the query's own bin (n,
            labels).
    """

    subject: Subject
    sweeps: Sweeps
    opposite: Float[np.ndarray, "n labels"]
    kept: Float[np.ndarray, "n labels"]


class Discrimination(NamedTuple):
    """The decisions of one classifier, by explained label.

    Attributes:
        names: the names of the classifier's labels.
        labels: the results of each label, by name.
    """

    names: tuple[str, ...]
    labels: Mapping[str, Turned]

    @property
    def identity(self) -> object:
        """Everything that the results depend on."""
        return [label.sweeps.identity for label in self.labels.values()]

    def write(self, report: PaperReport) -> None:
        """Writes the chapter's section of the report."""
        report.section(
            "Does explaining one label leave the others alone",
            f"One classifier of {', '.join(self.names)}.",
        )
        report.table(
            "figure_7_discrimination",
            self._matrix(),
            "Figure 7 in numbers: share of the queries of a label whose decision on each label"
            " differs at the opposite extreme; 'own bin' rows are the same of their drawings for"
            " their own bins, which should differ nowhere.",
        )

    def claims(self) -> Iterator[Claim]:
        """Yields a claim for each label: its own decision turns over more often than the others."""
        for name, turned in self.labels.items():
            column = turned.subject.label
            others = np.delete(turned.opposite, column, axis=1).mean(axis=1)
            yield Statement(
                f"Figure 7 {name}",
                f"Explaining {name!r} turns its own decision over more often than those of other"
                " labels.",
                kind="target",
            ).settle_pair(
                {},
                {name: turned.opposite[:, column], "mean of the others": others},
                "share of decisions turned over",
                **MORE,
                **turned.subject.units,
            )

    def _matrix(self) -> Table:
        rows = [
            [name, drawn_for, *map(float, values.mean(axis=0))]
            for drawn_for, by_label in (
                ("opposite extreme", {name: label.opposite for name, label in self.labels.items()}),
                ("own bin", {name: label.kept for name, label in self.labels.items()}),
            )
            for name, values in by_label.items()
        ]
        return ["explained", "drawn for", *self.names], rows


def study_discrimination(study: LabelStudy) -> Discrimination:
    """Trains a classifier of the labels that the configuration names, and explains each of them.

    Raises:
        InputError: as the trainers.
    """
    every_label = study.setup.data
    names = study.setup.config.discriminated or every_label.names
    labels = {}
    for name in names:
        subject, sweeps = explained_label(
            study, study.setup._replace(data=every_label.of(names, name))
        )
        own_bins = np.asarray(sweeps.series.source_bin)
        opposite = turned_over(subject, sweeps, sweeps.opposite)
        kept = turned_over(subject, sweeps, own_bins)
        labels[name] = Turned(subject, sweeps, opposite, kept)
    return Discrimination(tuple(names), labels)


def turned_over(
    subject: Subject, sweeps: Sweeps, bins: Int[np.ndarray, " n"]
) -> Float[np.ndarray, "n labels"]:
    """1 where the decision on a label differs from the query's, else 0.

    Each query has one drawing, for a bin of its own.
    """
    flips = []
    for rows, drawn in sweeps.drawn(bins):
        before, after = (
            subject.network.probabilities(images, batch_size=_AT_ONCE)
            for images in (subject.queries.read(rows), drawn)
        )
        flips.append(decision_flips(before, after).astype(float))
    return np.concatenate(flips)
