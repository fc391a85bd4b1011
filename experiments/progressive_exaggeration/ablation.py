"""Table 6 and Figure 12: what each term of the generator's loss is for.

One weight at a time is multiplied, as in the paper, whose weights are 1 (adversary), 1 (classifier) and 100 (reconstruction
and cycle); other weights than these are multiplied by the same factors.
"""

import dataclasses
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np

from cfx_jax.losses.progressive import ProgressiveWeights
from cfx_jax.metrics import compatibility_curve, rank_correlation
from cfx_jax.report import Claim, CurvePanel, Line, curve
from experiments.interval_claims import paired_claim
from experiments.presenter import Figure, Presenter, Table
from experiments.progressive_exaggeration import published
from experiments.progressive_exaggeration.study import Measures, Study, measure
from experiments.progressive_exaggeration.sweeps import OURS, Sweeps, further_explainer, sweep
from experiments.progressive_exaggeration.tables import measure_cells, measure_columns, remarks

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
        study: of the label.
        found: by the factors of the weights.
    """

    study: Study
    found: Mapping[Factors, Setting]

    @property
    def dependencies(self) -> object:
        """What all of it depends on."""
        return [each.sweeps.identity for each in self.found.values()]

    def present(self, presenter: Presenter) -> None:
        """Writes its section."""
        presenter.report.section("What each term is for")
        presenter.table(
            "table_6_ablation",
            self._table(),
            "Table 6: factors of the weights of adversary, classifier and reconstruction, and what comes of them; 'paper'"
            " columns are of its label 'Young', single runs there and here. Brackets: 95 % bootstrap intervals over images,"
            " which say nothing of another seed.",
        )
        presenter.figures(self._curves(presenter))

    def claims(self) -> Iterator[Claim]:
        """C14 to C17: those of the paper's orderings that are no matter of a few units of distance."""
        close = {each: self.found[each].measures.identity[OURS].closeness.mean(axis=1) for each in self.found}
        yield paired_claim(
            "C14",
            "Without reconstruction explanations are less close to their queries.",
            {"with": published.ablation(BASE)[3], "without": published.ablation(NO_RECONSTRUCTION)[3]},
            {"with": close[BASE], "without": close[NO_RECONSTRUCTION]},
            "latent space closeness",
            minimum=0.0,
            strict=True,
        )
        yield paired_claim(
            "C15",
            "Without the adversary explanations are at least as close to their queries.",
            {"without": published.ablation(NO_ADVERSARY)[3], "with": published.ablation(BASE)[3]},
            {"without": close[NO_ADVERSARY], "with": close[BASE]},
            "latent space closeness",
            minimum=0.0,
        )
        yield paired_claim(
            "C16",
            "Without the classifier's term the desired probability is reached less well.",
            {},
            {"without": self._error(NO_CLASSIFIER), "with": self._error(BASE)},
            "magnitude of achieved minus desired probability",
            minimum=0.0,
            strict=True,
        )

        verified = [self.found[each].measures.identity[OURS].verified for each in (BASE, STRONG_ADVERSARY)]
        if verified[0] is not None and verified[1] is not None:
            yield paired_claim(
                "C17",
                "A hundred times the adversary's weight costs the person's identity.",
                {"1": published.ablation(BASE)[4], "100": published.ablation(STRONG_ADVERSARY)[4]},
                {"1": verified[0].mean(axis=1), "100": verified[1].mean(axis=1)},
                "share verified by the stand-in",
                minimum=0.0,
                strict=True,
            )

    def _error(self, factors: Factors) -> np.ndarray:
        found = self.found[factors].sweeps.found
        return np.abs(np.asarray(found.probabilities) - np.asarray(found.desired)).mean(axis=1)

    def _table(self) -> Table:
        rows: list[list[Any]] = []
        for factors, each in self.found.items():
            found = each.sweeps.found
            correlation = rank_correlation(np.ravel(found.desired), np.ravel(found.probabilities))
            cells = measure_cells(each.measures, published.ablation(factors))
            finding = remarks(each.sweeps, self.study.config.collapsed)
            rows.append([*(f"{factor:g}" for factor in factors), *cells, float(correlation), finding])
        return ["adversary", "classifier", "reconstruction", *measure_columns(), "rank correlation", "findings"], rows

    def _curves(self, presenter: Presenter) -> Figure:
        path = presenter.folder / "figure_12_ablation.png"
        panels = []
        for place, title in enumerate(("adversary", "classifier", "reconstruction")):
            chosen = [each for each in self.found if all(each[other] == 1 for other in range(3) if other != place)]
            lines = [self._line(f"factor {factors[place]:g}", factors) for factors in chosen]
            panels.append(
                CurvePanel(lines=lines, x_label="desired", y_label="achieved", title=title, y_range=(-0.02, 1.02))
            )
        curve(path, panels, note=presenter.note)
        return Figure(
            path,
            "As the paper's Figure 12: mean probability of the explanations against the desired one, by the weight of one"
            " term.",
            "Line plots, one for each term of the loss.",
        )

    def _line(self, name: str, factors: Factors) -> Line:
        found = self.found[factors].sweeps.found
        reached = compatibility_curve(np.asarray(found.desired).ravel(), np.asarray(found.probabilities).ravel())
        return Line(name=name, x=reached.centre, y=reached.mean)


def ablation(study: Study) -> Ablation:
    """Trains an explainer for each choice of weights.

    Raises:
        InputError: as the trainers.
    """
    found, config, subject = {}, study.config, study.subject
    for factors in SETTINGS:
        weights = scaled(config.explainer.weights, factors)
        explainer = further_explainer(subject, config, study.workspace, weights=weights)
        sweeps = sweep(explainer, subject, config, study.workspace)
        found[factors] = Setting(sweeps, measure(subject, (sweeps,), study.features, seed=config.seed))
    return Ablation(study, found)


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
