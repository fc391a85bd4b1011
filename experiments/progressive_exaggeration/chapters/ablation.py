"""Table 6 and Figure 12: what each term of the generator's loss is for.

One weight at a time is multiplied, as in the paper, whose weights are 1 (adversary), 1 (classifier)
and 100 (reconstruction and cycle); other weights than these are multiplied by the same factors.
"""

import dataclasses
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np

from cfx_jax.losses import ProgressiveWeights
from cfx_jax.metrics import rank_correlation
from cfx_jax.report import CurvePanel, curve
from experiments.progressive_exaggeration import published
from experiments.progressive_exaggeration.figures import mean_line
from experiments.progressive_exaggeration.label_study import (
    EXPLAINED,
    OURS,
    LabelStudy,
    Measures,
    Subject,
    Sweeps,
    further_explainer,
    measure,
    measure_cells,
    measure_columns,
    remarks,
    subject_of,
    sweep,
    train_network,
)
from experiments.shared import AT_LEAST, MORE, Claim, PaperReport, Statement, Table

Factors = tuple[float, float, float]
"""The factors of adversary, classifier, and reconstruction with cycle."""
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
    """The explanations of one choice of weights.

    Attributes:
        sweeps: the explanations.
        measures: the measures of these explanations.
    """

    sweeps: Sweeps
    measures: Measures


class Ablation(NamedTuple):
    """The explanations of all choices of weights.

    Attributes:
        study: the study whose settings are varied.
        subject: the label that is explained, with its queries.
        settings: the results of each setting, by the factors of the weights.
    """

    study: LabelStudy
    subject: Subject
    settings: Mapping[Factors, Setting]

    @property
    def identity(self) -> object:
        """Everything that the results depend on."""
        return [setting.sweeps.identity for setting in self.settings.values()]

    def write(self, report: PaperReport) -> None:
        """Writes the chapter's section of the report."""
        report.section("What each term is for", f"Explained is the label {self._label!r}.")
        report.table(
            "table_6_ablation",
            self._table(),
            "Table 6: factors of the weights of adversary, classifier and reconstruction, and what"
            " comes of them; 'paper' columns are of the label 'Young'. Single runs there and here."
            " Brackets: 95 % intervals over queries, which say nothing of another seed.",
        )
        self._draw_curves(report)

    def claims(self) -> Iterator[Claim]:
        """Yields C14, C15 and C17, the paper's orderings, and C16, which is ours.

        They are no matter of a few units of distance.
        """
        close = {
            factors: setting.measures.identity[OURS].closeness.mean(axis=1)
            for factors, setting in self.settings.items()
        }
        yield self._ordering(
            "C14",
            "Without reconstruction explanations are less close to their queries.",
            {"with": BASE, "without": NO_RECONSTRUCTION},
            close,
            "latent space closeness",
            column=3,
            bounds=MORE,
        )
        yield self._ordering(
            "C15",
            "Without the adversary explanations are at least as close to their queries.",
            {"without": NO_ADVERSARY, "with": BASE},
            close,
            "latent space closeness",
            column=3,
            bounds=AT_LEAST,
        )
        yield Statement(
            "C16",
            "Without the classifier's term the desired probability is reached less well.",
            kind="target",
        ).settle_pair(
            {},
            {"without": self._error(NO_CLASSIFIER), "with": self._error(BASE)},
            "magnitude of achieved minus desired probability",
            **MORE,
            **self._units,
        )
        verified = {
            factors: answers.mean(axis=1)
            for factors in (BASE, STRONG_ADVERSARY)
            if (answers := self.settings[factors].measures.identity[OURS].verified) is not None
        }
        if self.study.verifier is not None and len(verified) == 2:
            yield self._ordering(
                "C17",
                "A hundred times the adversary's weight costs the person's identity.",
                {"1": BASE, "100": STRONG_ADVERSARY},
                verified,
                f"share verified by {self.study.verifier.who}",
                column=4,
                bounds=MORE,
            )

    def _ordering(
        self,
        name: str,
        text: str,
        compared: Mapping[str, Factors],
        values: Mapping[Factors, np.ndarray],
        statistic: str,
        *,
        column: int,
        bounds: Mapping[str, Any],
    ) -> Claim:
        """A claim that one of two settings is above the other in a column of Table 6."""
        return Statement(name, text, "Table 6", "ordering").settle_pair(
            self._printed(column, compared),
            {label: values[factors] for label, factors in compared.items()},
            statistic,
            **bounds,
            **self._units,
        )

    @property
    def _units(self) -> dict[str, Any]:
        """The units that intervals are over, as options of claims."""
        return self.subject.units | {"unit": "queries of one training each"}

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
        series = self.settings[factors].sweeps.series
        return np.abs(np.asarray(series.probabilities) - np.asarray(series.desired)).mean(axis=1)

    def _table(self) -> Table:
        """Table 6: a row for each setting."""
        columns = ["adversary", "classifier", "reconstruction", *measure_columns()]
        rows: list[list[Any]] = []
        for factors, (sweeps, measures) in self.settings.items():
            series = sweeps.series
            correlation = rank_correlation(np.ravel(series.desired), np.ravel(series.probabilities))
            cells = measure_cells(measures, published.ablation(self._label, factors))
            fault = remarks(sweeps, self.study.setup.config.collapsed)
            rows.append([*(f"{factor:g}" for factor in factors), *cells, float(correlation), fault])
        return [*columns, "rank correlation", "findings"], rows

    def _draw_curves(self, report: PaperReport) -> None:
        """Draws Figure 12: a panel for each term, a line for each of its factors."""
        panels = []
        for place, title in enumerate(("adversary", "classifier", "reconstruction")):
            varied = [
                factors
                for factors in self.settings
                if all(factors[other] == 1 for other in range(3) if other != place)
            ]
            lines = [
                mean_line(f"factor {factors[place]:g}", self.settings[factors].sweeps)
                for factors in varied
            ]
            panels.append(
                CurvePanel(
                    lines=lines,
                    x_label="desired",
                    y_label="achieved",
                    title=title,
                    y_range=(-0.02, 1.02),
                )
            )
        report.draw(
            "figure_12_ablation.png",
            curve,
            panels,
            caption="As the paper's Figure 12: mean probability of the explanations against the"
            " desired one, by the weight of one term.",
            alt="Line plots, one for each term of the loss.",
        )


def ablate_terms(study: LabelStudy) -> Ablation:
    """Trains an explainer for each choice of weights.

    Raises:
        InputError: as the trainers.
    """
    config, setup = study.setup.config, study.setup
    known = setup.labelled(config.ablated or setup.data.label)
    subject = study.subject
    if known.data.label != study.data.label:
        subject = subject_of(known, train_network(EXPLAINED, known))
    settings = {}
    for factors in SETTINGS:
        weights = scaled(config.explainer.weights, factors)
        sweeps = sweep(further_explainer(subject, weights=weights), subject)
        measures = measure(subject, (sweeps,), study.features, study.verifier, seed=config.seed)
        settings[factors] = Setting(sweeps, measures)
    return Ablation(study, subject, settings)


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
