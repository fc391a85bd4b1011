"""Table 6 and Figure 12: what each term of the generator's loss is for.

One weight at a time is multiplied, as in the paper, whose weights are 1 (adversary), 1 (classifier)
and 100 (reconstruction and cycle); other weights than these are multiplied by the same factors.
"""

import dataclasses
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np

from cfx_jax.losses import ProgressiveWeights
from cfx_jax.metrics import compatibility_curve, rank_correlation
from cfx_jax.report import Claim, CurvePanel, Line, curve
from experiments.progressive_exaggeration import published
from experiments.progressive_exaggeration.network import EXPLAINED, labelled, train_network
from experiments.progressive_exaggeration.study import Measures, Study, measure
from experiments.progressive_exaggeration.subject import Subject, subject_of
from experiments.progressive_exaggeration.sweeps import OURS, Sweeps, further_explainer, sweep
from experiments.progressive_exaggeration.tables import measure_cells, measure_columns, remarks
from experiments.shared.interval_claims import paired_claim
from experiments.shared.presenter import Figure, Presenter, Table

Factors = tuple[float, float, float]
"""Of adversary, classifier, and reconstruction with cycle."""
BASE: Factors = (1, 1, 1)
NO_ADVERSARY, NO_CLASSIFIER, NO_RECONSTRUCTION = (0, 1, 1), (1, 0, 1), (1, 1, 0)
STRONG_ADVERSARY: Factors = (100, 1, 1)
SETTINGS: tuple[Factors, ...] = (
    NO_ADVERSARY,
    BASE,
    (10, 1, 1),
    STRONG_ADVERSARY,
    NO_CLASSIFIER,
    (1, 10, 1),
    (1, 100, 1),
    NO_RECONSTRUCTION,
    (1, 1, 0.01),
    (1, 1, 0.1),
)


class Setting(NamedTuple):
    """One choice of weights.

    Attributes:
        sweeps: the explanations.
        measures: of these.
    """

    sweeps: Sweeps
    measures: Measures


class Ablation(NamedTuple):
    """All choices.

    Attributes:
        study: whose settings are varied.
        subject: the label that is explained, with its queries.
        found: by the factors of the weights.
    """

    study: Study
    subject: Subject
    found: Mapping[Factors, Setting]

    @property
    def dependencies(self) -> object:
        """What all of it depends on."""
        return [each.sweeps.identity for each in self.found.values()]

    def present(self, presenter: Presenter) -> None:
        """Writes its section."""
        presenter.report.section(
            "What each term is for", f"Explained is the label {self._label!r}."
        )
        presenter.table(
            "table_6_ablation",
            self._table(),
            "Table 6: factors of the weights of adversary, classifier and reconstruction, and what"
            " comes of them; 'paper'"
            " columns are of the label 'Young'. Single runs there and here. Brackets: 95 %"
            " intervals over queries, which say"
            " nothing of another seed.",
        )
        presenter.figures(self._curves(presenter))

    def claims(self) -> Iterator[Claim]:
        """C14, C15 and C17: the paper's orderings that are no matter of a few units of distance;
        C16 is ours.
        """
        close = {
            each: self.found[each].measures.identity[OURS].closeness.mean(axis=1)
            for each in self.found
        }
        units = self.subject.units | {"unit": "queries of one training each"}
        yield paired_claim(
            "C14",
            "Without reconstruction explanations are less close to their queries.",
            self._printed(3, {"with": BASE, "without": NO_RECONSTRUCTION}),
            {"with": close[BASE], "without": close[NO_RECONSTRUCTION]},
            "latent space closeness",
            kind="ordering",
            place="Table 6",
            minimum=0.0,
            strict=True,
            **units,
        )
        yield paired_claim(
            "C15",
            "Without the adversary explanations are at least as close to their queries.",
            self._printed(3, {"without": NO_ADVERSARY, "with": BASE}),
            {"without": close[NO_ADVERSARY], "with": close[BASE]},
            "latent space closeness",
            kind="ordering",
            place="Table 6",
            minimum=0.0,
            **units,
        )
        yield paired_claim(
            "C16",
            "Without the classifier's term the desired probability is reached less well.",
            {},
            {"without": self._error(NO_CLASSIFIER), "with": self._error(BASE)},
            "magnitude of achieved minus desired probability",
            minimum=0.0,
            strict=True,
            **units,
        )

        verified = [
            self.found[each].measures.identity[OURS].verified for each in (BASE, STRONG_ADVERSARY)
        ]
        if self.study.verifier is not None and verified[0] is not None and verified[1] is not None:
            yield paired_claim(
                "C17",
                "A hundred times the adversary's weight costs the person's identity.",
                self._printed(4, {"1": BASE, "100": STRONG_ADVERSARY}),
                {"1": verified[0].mean(axis=1), "100": verified[1].mean(axis=1)},
                f"share verified by {self.study.verifier.who}",
                kind="ordering",
                place="Table 6",
                minimum=0.0,
                strict=True,
                **units,
            )

    @property
    def _label(self) -> str:
        return self.subject.data.names[self.subject.label]

    def _printed(self, column: int, settings: Mapping[str, Factors]) -> dict[str, float]:
        """The paper's figures of a column of Table 6; empty for other labels than its own."""
        rows = {
            name: published.ablation(self._label, factors) for name, factors in settings.items()
        }
        return {name: row[column] for name, row in rows.items() if row is not None}

    def _error(self, factors: Factors) -> np.ndarray:
        found = self.found[factors].sweeps.found
        return np.abs(np.asarray(found.probabilities) - np.asarray(found.desired)).mean(axis=1)

    def _table(self) -> Table:
        rows: list[list[Any]] = []
        for factors, each in self.found.items():
            found = each.sweeps.found
            correlation = rank_correlation(np.ravel(found.desired), np.ravel(found.probabilities))
            cells = measure_cells(each.measures, published.ablation(self._label, factors))
            finding = remarks(each.sweeps, self.study.config.collapsed)
            rows.append(
                [*(f"{factor:g}" for factor in factors), *cells, float(correlation), finding]
            )
        return [
            "adversary",
            "classifier",
            "reconstruction",
            *measure_columns(),
            "rank correlation",
            "findings",
        ], rows

    def _curves(self, presenter: Presenter) -> Figure:
        path = presenter.folder / "figure_12_ablation.png"
        panels = []
        for place, title in enumerate(("adversary", "classifier", "reconstruction")):
            chosen = [
                each
                for each in self.found
                if all(each[other] == 1 for other in range(3) if other != place)
            ]
            lines = [self._line(f"factor {factors[place]:g}", factors) for factors in chosen]
            panels.append(
                CurvePanel(
                    lines=lines,
                    x_label="desired",
                    y_label="achieved",
                    title=title,
                    y_range=(-0.02, 1.02),
                )
            )
        curve(path, panels, note=presenter.note)
        return Figure(
            path,
            "As the paper's Figure 12: mean probability of the explanations against the desired"
            " one, by the weight of one"
            " term.",
            "Line plots, one for each term of the loss.",
        )

    def _line(self, name: str, factors: Factors) -> Line:
        found = self.found[factors].sweeps.found
        reached = compatibility_curve(
            np.asarray(found.desired).ravel(), np.asarray(found.probabilities).ravel()
        )
        return Line(name=name, x=reached.centre, y=reached.mean)


def ablation(study: Study) -> Ablation:
    """Trains an explainer for each choice of weights.

    Raises:
        InputError: as the trainers.
    """
    config, every_label = study.config, study.every_label
    data = labelled(config, every_label, config.ablated or every_label.label)
    subject = study.subject
    if data.label != study.data.label:
        network = train_network(EXPLAINED, config, data, study.workspace)
        subject = subject_of(config, data, network, data.explained)
    found = {}
    for factors in SETTINGS:
        weights = scaled(config.explainer.weights, factors)
        explainer = further_explainer(subject, config, study.workspace, weights=weights)
        sweeps = sweep(explainer, subject, config, study.workspace)
        measures = measure(subject, (sweeps,), study.features, study.verifier, seed=config.seed)
        found[factors] = Setting(sweeps, measures)
    return Ablation(study, subject, found)


def scaled(weights: ProgressiveWeights, factors: Factors) -> ProgressiveWeights:
    """The weights of a setting; reconstruction and cycle are one."""
    adversary, classifier, reconstruction = factors
    return dataclasses.replace(
        weights,
        adversarial=weights.adversarial * adversary,
        compatibility=weights.compatibility * classifier,
        reconstruction=weights.reconstruction * reconstruction,
        cycle=weights.cycle * reconstruction,
    )
