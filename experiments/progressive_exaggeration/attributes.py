"""Table 5, Figures 10 and 11: several labels, each explained by an explainer of its own."""

from collections.abc import Iterator, Mapping
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool

from cfx_jax.metrics import compatibility_curve
from cfx_jax.report import Claim, CurvePanel, Line, curve, sweep_grid
from experiments.progressive_exaggeration import published
from experiments.progressive_exaggeration.figures import shown
from experiments.progressive_exaggeration.network import labelled
from experiments.progressive_exaggeration.published import GROUPS, SMILING, YOUNG, plain
from experiments.progressive_exaggeration.study import Measures, Study, explained_label, measure
from experiments.progressive_exaggeration.subject import Subject
from experiments.progressive_exaggeration.sweeps import OURS, Sweeps
from experiments.progressive_exaggeration.tables import measure_cells, measure_columns, remarks
from experiments.shared.interval_claims import mean_claim, paired_claim, unpaired_claim
from experiments.shared.presenter import Figure, Presenter, Table


class Explained(NamedTuple):
    """One label.

    Attributes:
        subject: the label and its queries.
        sweeps: their explanations.
        measures: of these.
    """

    subject: Subject
    sweeps: Sweeps
    measures: Measures


class Attributes(NamedTuple):
    """All labels.

    Attributes:
        study: of the first.
        found: by label.
    """

    study: Study
    found: Mapping[str, Explained]

    @property
    def dependencies(self) -> object:
        """What all of it depends on."""
        return [each.sweeps.identity for each in self.found.values()]

    def present(self, presenter: Presenter) -> None:
        """Writes its section."""
        presenter.report.section("Several labels")
        presenter.table(
            "table_5_attributes",
            self._table(),
            "Table 5: Fréchet distance by group, closeness and verification as in Tables 1 and 2,"
            " for each label; beside"
            " each the paper's.",
        )
        presenter.figures(
            self._curves(presenter), *(self._series(presenter, name) for name in self.found)
        )

    def claims(self) -> Iterator[Claim]:
        """C13 as far as it is no matter of the paper's data, Figure 11, and C6."""
        for name, each in self.found.items():
            distances = each.measures.distances.found
            printed = published.attribute(name)
            groups = {group: distances[group, OURS].interval.estimate for group in GROUPS}
            yield mean_claim(
                f"C13 {name}",
                f"Explanations of {name!r} stay close to their queries: at least 0.76, the least of"
                f" the paper's six labels.",
                {} if printed is None else {"closeness": printed[3]},
                each.measures.identity[OURS].closeness.mean(axis=1),
                f"latent space closeness; distances:"
                f" {', '.join(f'{g} {v:.3g}' for g, v in groups.items())}",
                minimum=0.76,
                **each.subject.units,
            )
            achieved = np.asarray(each.sweeps.found.probabilities)
            yield paired_claim(
                f"Figure 11 {name}",
                f"The probability of {name!r} that is reached is higher for the highest bin than"
                f" for the lowest.",
                {},
                {"highest bin": achieved[:, -1], "lowest bin": achieved[:, 0]},
                "probability that is reached",
                kind="statement",
                place="appendix A.3, caption of Figure 11",
                minimum=0.0,
                strict=True,
                **each.subject.units,
            )
        yield from self._local()

    def _local(self) -> Iterator[Claim]:
        """C6."""
        names = {plain(name): name for name in self.found}
        if not {SMILING, YOUNG} <= names.keys():
            return
        local, whole = (self.found[names[name]] for name in (SMILING, YOUNG))
        papers = published.attribute(SMILING), published.attribute(YOUNG)
        for column, measure_name in ((3, "closeness"), (4, "verified")):
            ours = {
                SMILING: _means_of_units(
                    local, getattr(local.measures.identity[OURS], measure_name)
                ),
                YOUNG: _means_of_units(whole, getattr(whole.measures.identity[OURS], measure_name)),
            }
            if any(each is None for each in ours.values()):
                continue
            yield unpaired_claim(
                f"C6 {measure_name}",
                "Explanations of a smile, which is local, show the same person more often than"
                " those of age.",
                {
                    name: paper[column]
                    for name, paper in zip(ours, papers, strict=True)
                    if paper is not None
                },
                {name: each for name, each in ours.items() if each is not None},
                measure_name,
                kind="statement",
                place="section 4.1, identity preservation, second paragraph, and Table 2",
                unit=local.subject.unit,
                minimum=0.0,
                strict=True,
            )

    def _table(self) -> Table:
        rows = [
            [
                name,
                float(each.subject.network.auc[each.subject.label]),
                *measure_cells(each.measures, published.attribute(name)),
                remarks(each.sweeps, self.study.config.collapsed),
            ]
            for name, each in self.found.items()
        ]
        return ["label", "AUC", *measure_columns(), "findings"], rows

    def _series(self, presenter: Presenter, name: str) -> Figure:
        found = self.found[name]
        path = presenter.folder / f"figure_10_{plain(name).replace(' ', '_')}.png"
        series = shown(
            found.sweeps, found.subject.queries, found.sweeps.first(self.study.config.num_shown)
        )
        sweep_grid(path, series, class_name=found.subject.data.class_names[1], note=presenter.note)
        return Figure(
            path,
            f"As the paper's Figure 10: the series of some test images, explained for {name!r}.",
            "Grid: queries, and the same image drawn for rising probabilities.",
        )

    def _curves(self, presenter: Presenter) -> Figure:
        path = presenter.folder / "figure_11_compatibility.png"
        lines = []
        for name, each in self.found.items():
            found = each.sweeps.found
            reached = compatibility_curve(
                np.asarray(found.desired).ravel(), np.asarray(found.probabilities).ravel()
            )
            lines.append(Line(name=plain(name), x=reached.centre, y=reached.mean))
        lines.append(Line(name="perfect", x=lines[0].x, y=lines[0].x))
        panel = CurvePanel(
            lines=lines, x_label="desired", y_label="achieved", y_range=(-0.02, 1.02)
        )
        curve(path, [panel], panel_size=(4.2, 2.8), note=presenter.note)
        return Figure(
            path,
            "As the paper's Figure 11: mean probability of the explanations against the desired"
            " one, for each label.",
            "Lines that rise from the lower left to the upper right where the explainers obey.",
        )


def attributes(study: Study) -> Attributes:
    """Explains every label that the configuration names.

    Raises:
        InputError: as the trainers.
    """
    every_label, config = study.every_label, study.config
    found = {}
    for name in config.attributes or every_label.names:
        subject, sweeps = explained_label(study, labelled(config, every_label, name))
        measures = measure(subject, (sweeps,), study.features, study.verifier, seed=config.seed)
        found[name] = Explained(subject, sweeps, measures)
    return Attributes(study, found)


def _means_of_units(found: Explained, answers: Bool[np.ndarray, "n k"] | None) -> np.ndarray | None:
    """The share of yes of each query, or of each group of queries that are drawn together."""
    if answers is None:
        return None
    shares, groups = answers.mean(axis=1), found.subject.groups
    if groups is None:
        return shares
    return np.array([shares[groups == group].mean() for group in np.unique(groups)])
