"""Table 5, Figures 10 and 11: several labels, each explained by an explainer of its own."""

from collections.abc import Iterator, Mapping
from typing import NamedTuple

import numpy as np

from cfx_jax.report import CurvePanel, Line, curve, sweep_grid
from experiments.progressive_exaggeration import published
from experiments.progressive_exaggeration.figures import drawn_series, mean_line
from experiments.progressive_exaggeration.label_study import (
    OURS,
    LabelStudy,
    Measures,
    Subject,
    Sweeps,
    explained_label,
    measure,
    measure_cells,
    measure_columns,
    remarks,
)
from experiments.shared import MORE, Claim, PaperReport, Statement, Table


class Explained(NamedTuple):
    """The explanations of one label.

    Attributes:
        subject: the label and its queries.
        sweeps: their explanations.
        measures: the measures of these explanations.
    """

    subject: Subject
    sweeps: Sweeps
    measures: Measures


class Attributes(NamedTuple):
    """The explanations of all labels.

    Attributes:
        study: the study of the first label.
        labels: the results of each label, by name.
    """

    study: LabelStudy
    labels: Mapping[str, Explained]

    @property
    def identity(self) -> object:
        """Everything that the results depend on."""
        return [label.sweeps.identity for label in self.labels.values()]

    def write(self, report: PaperReport) -> None:
        """Writes the chapter's section of the report."""
        report.section("Several labels")
        report.table(
            "table_5_attributes",
            self._table(),
            "Table 5: Fréchet distance by group, closeness and verification as in Tables 1 and 2,"
            " for each label; beside each the paper's.",
        )
        self._draw_curves(report)
        for name, label in self.labels.items():
            self._draw_series(report, name, label)

    def claims(self) -> Iterator[Claim]:
        """Yields C13, as far as it is no matter of the paper's data, Figure 11, and C6."""
        for name, label in self.labels.items():
            yield _stays_close(name, label)
            yield _rises(name, label)
        yield from self._smile_before_age()

    def _smile_before_age(self) -> Iterator[Claim]:
        """Yields C6 by either measure, where a smile and age are explained."""
        names = {published.plain(name): name for name in self.labels}
        if not {published.SMILING, published.YOUNG} <= names.keys():
            return
        labels = {name: self.labels[names[name]] for name in (published.SMILING, published.YOUNG)}
        papers = {name: published.attribute(name) for name in labels}
        for column, measure_name in ((3, "closeness"), (4, "verified")):
            ours = {
                name: means
                for name, label in labels.items()
                if (means := _means_of_units(label, measure_name)) is not None
            }
            if len(ours) < len(labels):
                continue
            yield Statement(
                f"C6 {measure_name}",
                "Explanations of a smile, which is local, show the same person more often than"
                " those of age.",
                "section 4.1, identity preservation, second paragraph, and Table 2",
            ).settle_unpaired(
                {name: paper[column] for name, paper in papers.items() if paper is not None},
                ours,
                measure_name,
                unit=labels[published.SMILING].subject.unit,
                **MORE,
            )

    def _table(self) -> Table:
        """Table 5: a row for each label."""
        rows = [
            [
                name,
                float(label.subject.network.auc[label.subject.label]),
                *measure_cells(label.measures, published.attribute(name)),
                remarks(label.sweeps, self.study.setup.config.collapsed),
            ]
            for name, label in self.labels.items()
        ]
        return ["label", "AUC", *measure_columns(), "findings"], rows

    def _draw_series(self, report: PaperReport, name: str, label: Explained) -> None:
        """Draws Figure 10 for one label."""
        rows = label.sweeps.first(self.study.setup.config.num_shown)
        report.draw(
            f"figure_10_{published.plain(name).replace(' ', '_')}.png",
            sweep_grid,
            drawn_series(label.sweeps, label.subject.queries, rows),
            class_name=label.subject.data.class_names[1],
            caption=f"As the paper's Figure 10: the series of some test images, explained for"
            f" {name!r}.",
            alt="Grid: queries, and the same image drawn for rising probabilities.",
        )

    def _draw_curves(self, report: PaperReport) -> None:
        """Draws Figure 11: a line for each label."""
        lines = [
            mean_line(published.plain(name), label.sweeps) for name, label in self.labels.items()
        ]
        lines.append(Line(name="perfect", x=lines[0].x, y=lines[0].x))
        panel = CurvePanel(
            lines=lines, x_label="desired", y_label="achieved", y_range=(-0.02, 1.02)
        )
        report.draw(
            "figure_11_compatibility.png",
            curve,
            [panel],
            panel_size=(4.2, 2.8),
            caption="As the paper's Figure 11: mean probability of the explanations against the"
            " desired one, for each label.",
            alt="Lines that rise from the lower left to the upper right where the explainers obey.",
        )


def _stays_close(name: str, label: Explained) -> Claim:
    """C13 of one label: its explanations stay close to their queries."""
    cells, printed = label.measures.distances.cells, published.attribute(name)
    distances = ", ".join(
        f"{group} {cells[group, OURS].interval.estimate:.3g}" for group in published.GROUPS
    )
    return Statement(
        f"C13 {name}",
        f"Explanations of {name!r} stay close to their queries: at least 0.76, the least of the"
        " paper's six labels.",
        kind="target",
    ).settle_mean(
        {} if printed is None else {"closeness": printed[3]},
        label.measures.identity[OURS].closeness.mean(axis=1),
        f"latent space closeness; distances: {distances}",
        minimum=0.76,
        **label.subject.units,
    )


def _rises(name: str, label: Explained) -> Claim:
    """Figure 11 of one label: its probability rises from the lowest bin to the highest."""
    achieved = np.asarray(label.sweeps.series.probabilities)
    return Statement(
        f"Figure 11 {name}",
        f"The probability of {name!r} that is reached is higher for the highest bin than for the"
        " lowest.",
        "appendix A.3, caption of Figure 11",
    ).settle_pair(
        {},
        {"highest bin": achieved[:, -1], "lowest bin": achieved[:, 0]},
        "probability that is reached",
        **MORE,
        **label.subject.units,
    )


def explain_attributes(study: LabelStudy) -> Attributes:
    """Explains every label that the configuration names.

    Raises:
        InputError: as the trainers.
    """
    setup, config = study.setup, study.setup.config
    labels = {}
    for name in config.attributes or setup.data.names:
        subject, sweeps = explained_label(study, setup.labelled(name))
        measures = measure(subject, (sweeps,), study.features, study.verifier, seed=config.seed)
        labels[name] = Explained(subject, sweeps, measures)
    return Attributes(study, labels)


def _means_of_units(label: Explained, measure_name: str) -> np.ndarray | None:
    """The share of yes of each query, or of each group of queries that are drawn together.

    None is returned for a measure that was not taken.
    """
    answers = getattr(label.measures.identity[OURS], measure_name)
    if answers is None:
        return None
    shares, groups = answers.mean(axis=1), label.subject.groups
    if groups is None:
        return shares
    return np.array([shares[groups == group].mean() for group in np.unique(groups)])
