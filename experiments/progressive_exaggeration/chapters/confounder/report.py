"""The confounder in explanations of the biased and of the unbiased classifier.

Table 3, Figure 6, and the claims on them; the trainings are in ``bias``.
"""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Shaped

from cfx_jax.metrics import Interval, bootstrap_interval
from cfx_jax.report import sweep_grid
from experiments.progressive_exaggeration import published
from experiments.progressive_exaggeration.figures import drawn_series
from experiments.progressive_exaggeration.label_study import OVER_TRAININGS, LabelStudy, Sweeps
from experiments.shared import MORE, Claim, ImageSet, PaperReport, Statement, Table

BIASED, UNBIASED = "biased", "unbiased"
_PLACE = "section 4.4, first paragraph, and Table 3"
_SHARE = "share of explanations that show it"
_COLUMNS = (
    "classifier",
    "AUC",
    "explanations",
    "show it",
    "paper",
    "change it",
    "paper change",
    "oracle right",
    "images",
)
_CAPTION = (
    "Table 3: share of the explanations that an oracle of {!r} sees it in, and share whose oracle's"
    " answer is not the query's truth, the confounding metric, for the lowest and the highest bin"
    " and for the query's own. The oracle is a third classifier, trained on training images and on"
    " both explainers' drawings of them for their own bins; 'oracle right' is its accuracy on test"
    " images and on such drawings of them, which bounds what the metric can tell. 'paper' columns"
    " are of smiles that are bound to men's faces. Brackets: 95 % intervals over images."
)


class Shown(NamedTuple):
    """The oracle's view of the explanations of one classifier.

    Attributes:
        sweeps: the explanations.
        auc: the area under the classifier's ROC curve on the test images.
        extremes: whether the explanations for the lowest and the highest bin show the confounder
            (n, 2).
        reconstructions: whether the drawings for the queries' own bins show the confounder (n,).
        odds: the oracle's log-odds of the confounder in the explanations for the lowest and the
            highest bin (n, 2).
    """

    sweeps: Sweeps
    auc: float
    extremes: Bool[np.ndarray, "n 2"]
    reconstructions: Bool[np.ndarray, " n"]
    odds: Float[np.ndarray, "n 2"]


class Bias(NamedTuple):
    """The explanations of both classifiers, and the oracle that looks at them.

    Attributes:
        study: the study of the label.
        confounder: the name of the confounder.
        truth: whether each query has the confounder (n,).
        oracle: whether each query has the confounder by the oracle (n,).
        correct: whether the oracle is right, for every test image (m,).
        queries: the images that are explained.
        explanations: the explanations of each classifier.
        further: the explanations of further trainings of both explainers.
    """

    study: LabelStudy
    confounder: str
    truth: Bool[np.ndarray, " n"]
    oracle: Bool[np.ndarray, " n"]
    correct: Bool[np.ndarray, " m"]
    queries: ImageSet
    explanations: Mapping[str, Shown]
    further: tuple[Mapping[str, Shown], ...] = ()

    @property
    def trainings(self) -> tuple[Mapping[str, Shown], ...]:
        """The explanations of each training of both explainers, by classifier."""
        return (self.explanations, *self.further)

    @property
    def groups(self) -> Shaped[np.ndarray, " n"] | None:
        """The group of each query, of one person or one picture; None where all differ."""
        test = self.study.data.test
        return None if test.groups is None else test.groups[test.rows_of(self.queries)]

    @property
    def identity(self) -> object:
        """Everything that the results depend on."""
        every = [shown for training in self.trainings for shown in training.values()]
        return [self.confounder, [shown.sweeps.identity for shown in every]]

    def changed(self, name: str, target: int) -> list[Float[np.ndarray, " n"]]:
        """1 where an explanation towards a class has not its query's confounder, else 0.

        The mean is the confounding metric. There is one array for each training.
        """
        return [
            (training[name].extremes[:, target] != self.truth).astype(float)
            for training in self.trainings
        ]

    def gained(self, name: str) -> list[Float[np.ndarray, " n"]]:
        """The confounder in the drawing for the highest bin less that in the lowest: 1, 0 or -1.

        What all drawings of an explainer share, such as blur that the oracle takes for the
        confounder, falls out. There is one array for each training.
        """
        ends = [training[name].extremes.astype(float) for training in self.trainings]
        return [shown[:, 1] - shown[:, 0] for shown in ends]

    def risen(self, name: str) -> list[Float[np.ndarray, " n"]]:
        """The oracle's log-odds in the drawing for the highest bin less those in the lowest.

        It sees changes that turn no decision. There is one array for each training.
        """
        return [training[name].odds @ np.array([-1.0, 1.0]) for training in self.trainings]

    def write(self, report: PaperReport) -> None:
        """Writes the chapter's section of the report."""
        report.section(
            "Does the classifier confound",
            f"Two classifiers of {self.study.data.label!r}: where one was trained, all images with"
            f" it are {self.confounder}, too.",
        )
        report.table("table_3_confounding", self.table(), _CAPTION.format(self.confounder))
        for name in self.explanations:
            self._draw(report, name)

    def claims(self) -> Iterator[Claim]:
        """Yields C7, C8 and C9, and a claim that does without the oracle's view of one drawing."""
        for target, class_name in enumerate(self.study.data.class_names):
            yield self._more_changes(target, class_name)
            yield self._about_half(target, class_name)
        yield self._mostly_lack()
        yield self._more_gains()
        yield self._higher_odds()

    def _more_changes(self, target: int, class_name: str) -> Claim:
        """C7: the biased classifier's explanations change the confounder more often."""
        statement = Statement(
            f"C7 to {class_name}",
            f"Explanations to {class_name!r} of the biased classifier change the confounder more"
            " often.",
            _PLACE,
        )
        return self._settle_more(
            statement,
            self._printed(1, target),
            {name: self.changed(name, target) for name in (BIASED, UNBIASED)},
            "share of explanations that change the confounder",
        )

    def _about_half(self, target: int, class_name: str) -> Claim:
        """C8: half of the unbiased classifier's explanations show the confounder."""
        return Statement(
            f"C8 to {class_name}",
            f"Explanations to {class_name!r} of the unbiased classifier show the confounder about"
            " as often as not.",
            _PLACE,
        ).settle_mean(
            self._printed(0, target, UNBIASED),
            self.explanations[UNBIASED].extremes[:, target].astype(float),
            f"{_SHARE}; that 0.4 to 0.6 are about a half is ours",
            minimum=0.4,
            maximum=0.6,
            **self._units,
        )

    def _mostly_lack(self) -> Claim:
        """C9: explanations away from the label lack the confounder of the biased classifier."""
        return Statement(
            "C9",
            f"Explanations to {self.study.data.class_names[0]!r} of the biased classifier mostly"
            " lack the confounder.",
            _PLACE,
        ).settle_mean(
            self._printed(0, 0, BIASED),
            self.explanations[BIASED].extremes[:, 0].astype(float),
            _SHARE,
            maximum=0.5,
            strict=True,
            **self._units,
        )

    def _more_gains(self) -> Claim:
        """The biased classifier's explanations gain more of the confounder from end to end."""
        low, high = (self._printed(0, target) for target in (0, 1))
        statement = Statement(
            "bias, from end to end",
            "From the lowest to the highest bin, explanations of the biased classifier gain the"
            " confounder more often than those of the unbiased one.",
            "Table 3",
            "ordering",
        )
        return self._settle_more(
            statement,
            {name: share - low[name] for name, share in high.items()},
            {name: self.gained(name) for name in (BIASED, UNBIASED)},
            "share of explanations that show it, highest less lowest bin",
        )

    def _higher_odds(self) -> Claim:
        """The oracle's log-odds rise more between the ends of the biased classifier's series."""
        statement = Statement(
            "C7 log-odds",
            "From the lowest to the highest bin, the oracle's log-odds of the confounder rise more"
            " in explanations of the biased classifier.",
            "Table 3",
            "ordering",
        )
        return self._settle_more(
            statement,
            {},
            {name: self.risen(name) for name in (BIASED, UNBIASED)},
            "rise of the oracle's log-odds",
        )

    def _settle_more(
        self,
        statement: Statement,
        paper: Mapping[str, float],
        ours: Mapping[str, list[Float[np.ndarray, " n"]]],
        statistic: str,
    ) -> Claim:
        """The claim that a measure is larger of the biased classifier, by one training or more."""
        if len(self.trainings) == 1:
            alone = {name: values[0] for name, values in ours.items()}
            return statement.settle_pair(paper, alone, statistic, **MORE, **self._units)
        groups = self.groups
        return statement.settle_runs(
            paper,
            ours,
            statistic,
            cases=None if groups is None else [groups] * len(self.trainings),
            unit="queries",
            note=OVER_TRAININGS,
            **MORE,
        )

    @property
    def _units(self) -> dict[str, Any]:
        """The units that intervals are over, as options of claims."""
        return {**self.study.subject.units, "groups": self.groups}

    def _printed(self, column: int, target: int, *names: str) -> dict[str, float]:
        """The paper's share that shows the confounder (column 0) or changes it (1).

        It is given by classifier, both unless some are named; for other labels there is none.
        """
        rows = {name: self._published(name, target) for name in names or (BIASED, UNBIASED)}
        return {name: row[column] for name, row in rows.items() if row is not None}

    def _published(self, name: str, target: int) -> tuple[float, float] | None:
        return published.confounding(self.study.data.label, self.confounder, name, target)

    def table(self) -> Table:
        """Table 3: the shares of explanations that show and change the confounder."""
        rows: list[list[object]] = []
        for name, shown in self.explanations.items():
            rows += [self._target_row(name, shown, target) for target in (0, 1)]
            rows.append([name, shown.auc, "of the own bin", *self._row(shown.reconstructions)])
        rows.append(["none", None, "queries", *self._row(self.oracle)])
        correct = bootstrap_interval(self.correct.astype(float), groups=self.study.data.test.groups)
        number = len(self.correct)
        rows.append(["none", None, "all test images", None, None, None, None, correct, number])
        return list(_COLUMNS), rows

    def _target_row(self, name: str, shown: Shown, target: int) -> list[object]:
        """The row of the explanations of one classifier towards one class."""
        share, change = self._published(name, target) or (None, None)
        return [
            name,
            shown.auc,
            f"to {self.study.data.class_names[target]}",
            self._interval(shown.extremes[:, target]),
            share,
            self._interval(self.changed(name, target)[0]),
            change,
            None,
            len(self.truth),
        ]

    def _row(self, seen: Bool[np.ndarray, " n"]) -> list[object]:
        """The cells of images whose truth is known."""
        tested = seen, seen != self.truth, seen == self.truth
        shows, changes, correct = map(self._interval, tested)
        return [shows, None, changes, None, correct, len(seen)]

    def _interval(self, answers: Shaped[np.ndarray, " n"]) -> Interval:
        """The share of queries with a yes, with its interval."""
        return bootstrap_interval(answers.astype(float), groups=self.groups)

    def _draw(self, report: PaperReport, name: str) -> None:
        """Draws queries without the label, one with the confounder and one without.

        The figure shows what is added to them, and then a query with both.
        """
        sweeps = self.explanations[name].sweeps
        rows = [
            int(np.flatnonzero(self.truth == has)[0])
            for has in (False, True)
            if (self.truth == has).any()
        ]
        rows += [int(row) for row in np.flatnonzero(sweeps.decided & self.truth)[:1]]
        report.draw(
            f"figure_6_{name}.png",
            sweep_grid,
            drawn_series(sweeps, self.queries, dict.fromkeys(rows)),
            class_name=self.study.data.class_names[1],
            caption=f"As the paper's Figure 6: what the {name} classifier has to see in some"
            " images.",
            alt="Grid: queries, and the same image drawn for rising probabilities.",
        )
