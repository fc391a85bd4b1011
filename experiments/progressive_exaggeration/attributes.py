"""Table 5 and Figure 7: the other labels of the classifier, each explained by an explainer of its own, and what explaining
one of them does to the others.
"""

from collections.abc import Iterator, Mapping
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from cfx_jax.metrics import class_discrimination_matrix
from cfx_jax.report import Claim
from experiments.interval_claims import mean_claim, unpaired_claim
from experiments.presenter import Presenter, Table
from experiments.progressive_exaggeration import published
from experiments.progressive_exaggeration.published import GROUPS
from experiments.progressive_exaggeration.study import Measures, Study, measure
from experiments.progressive_exaggeration.subject import Subject, subject_of
from experiments.progressive_exaggeration.sweeps import OURS, Sweeps, further_explainer, sweep
from experiments.progressive_exaggeration.tables import measure_cells, measure_columns, remarks

_AT_ONCE = 256  # images that are classified together


class Explained(NamedTuple):
    """One label.

    Attributes:
        subject: the label and its queries.
        sweeps: their explanations.
        measures: of these.
        turned: the share of decisions on each label that turn over at the opposite extreme of this one (labels,).
        kept: the same of the drawings for the queries' own bins.
    """

    subject: Subject
    sweeps: Sweeps
    measures: Measures
    turned: Float[np.ndarray, "n labels"]
    kept: Float[np.ndarray, "n labels"]


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
        presenter.report.section("The other labels")
        presenter.table(
            "table_5_attributes",
            self._table(),
            "Table 5: Fréchet distance by group, closeness and verification as in Tables 1 and 2, for each label; beside"
            " each the paper's.",
        )
        presenter.table(
            "figure_7_discrimination",
            self._matrix(),
            "Figure 7 in numbers: share of the queries of a label whose decision on each label differs at the opposite"
            " extreme; 'own bin' rows are the same of their drawings for their own bins, which should differ nowhere.",
        )

    def claims(self) -> Iterator[Claim]:
        """C6, C13 as far as it is no matter of the paper's data, and Figure 7."""
        for name, each in self.found.items():
            distances = each.measures.distances.found
            printed = published.attribute(name)
            groups = {group: distances[group, OURS].interval.estimate for group in GROUPS}
            yield mean_claim(
                f"C13 {name}",
                f"Explanations of {name!r} stay close to their queries, as the paper's of its six labels (0.76 to 0.90).",
                {} if printed is None else {"closeness": printed[3]},
                each.measures.identity[OURS].closeness.mean(axis=1),
                f"latent space closeness; distances: {', '.join(f'{g} {v:.3g}' for g, v in groups.items())}",
                minimum=0.76,
            )
        yield from self._local()
        for name, each in self.found.items():
            others = np.delete(each.turned, each.subject.label, axis=1).mean(axis=1)
            yield mean_claim(
                f"Figure 7 {name}",
                f"Explaining {name!r} turns its own decision over more often than those of other labels.",
                {},
                each.turned[:, each.subject.label] - others,
                "share turned over of the label less the mean of the others",
                minimum=0.0,
                strict=True,
            )

    def _local(self) -> Iterator[Claim]:
        """C6."""
        names = {name.lower(): name for name in self.found}
        if not {"smiling", "young"} <= names.keys():
            return
        local, whole = (self.found[names[name]].measures.identity[OURS] for name in ("smiling", "young"))
        papers = published.attribute("smiling"), published.attribute("young")
        for place, measure_name in ((3, "closeness"), (4, "verified")):
            ours = {"smiling": getattr(local, measure_name), "young": getattr(whole, measure_name)}
            if any(each is None for each in ours.values()):
                continue
            yield unpaired_claim(
                f"C6 {measure_name}",
                "Explanations of a smile, which is local, show the same person more often than those of age.",
                {name: paper[place] for name, paper in zip(ours, papers, strict=True) if paper is not None},
                {name: each.mean(axis=1) for name, each in ours.items()},
                measure_name,
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

    def _matrix(self) -> Table:
        names = self.study.data.names
        rows = [[name, "opposite extreme", *map(float, each.turned.mean(axis=0))] for name, each in self.found.items()]
        rows += [[name, "own bin", *map(float, each.kept.mean(axis=0))] for name, each in self.found.items()]
        return ["explained", "drawn for", *names], rows


def attributes(study: Study) -> Attributes:
    """Explains every label of the classifier.

    Raises:
        InputError: as the trainers.
    """
    found = {}
    for label, name in enumerate(study.data.names):
        if label == study.subject.label:
            subject, sweeps = study.subject, study.sweeps[0]
        else:
            subject = subject_of(study.config, study.data, study.subject.network, label)
            explainer = further_explainer(subject, study.config, study.workspace)
            sweeps = sweep(explainer, subject, study.config, study.workspace)
        measures = measure(subject, (sweeps,), study.features, seed=study.config.seed)
        turned, kept = (_turned(subject, images) for images in (sweeps.extremes, sweeps.reconstructions))
        found[name] = Explained(subject, sweeps, measures, turned, kept)
    return Attributes(study, found)


def _turned(subject: Subject, images: Float[np.ndarray, "n h w c"]) -> Float[np.ndarray, "n labels"]:
    """1 where the decision on a label is not the query's."""
    both = subject.queries.arrays["image"], images
    before, after = (subject.network.probabilities(each, batch_size=_AT_ONCE) for each in both)
    rows = [class_discrimination_matrix(before[[each]], after[None, [each]])[0] for each in range(len(before))]
    return np.stack(rows)
