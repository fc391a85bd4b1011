"""Table 3 and Figure 6: whether explanations show what a classifier confounds with the label.

Two classifiers of the label alone are trained on as many images: in the biased set every image with
the label has the confounder too (every smiling face is a man's), in the other both classes have it
as often as not. Validation images and queries are the same. Both explainers are trained on all
training images, so that they differ by their classifiers alone: images that carry the bias would
teach it to an explainer by themselves (Cohen et al. 2018), which the paper's may have. Short
trainings may start from the first explainer's weights, both alike: from random ones they end before
anything but the label changes. What the explanations show of the confounder is said by an oracle
that knows drawings, see ``oracle``.
"""

import dataclasses
from collections.abc import Iterator, Mapping
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int, Shaped

from cfx_jax.errors import InputError
from cfx_jax.losses import ProgressiveWeights
from cfx_jax.metrics import Interval, bootstrap_interval
from cfx_jax.report import Claim, sweep_grid
from experiments.progressive_exaggeration import published
from experiments.progressive_exaggeration.chapters.oracle import train_oracle
from experiments.progressive_exaggeration.classifiers import Network, labelled, train_network
from experiments.progressive_exaggeration.config import Config
from experiments.progressive_exaggeration.figures import drawn_series
from experiments.progressive_exaggeration.label_study import LabelStudy
from experiments.progressive_exaggeration.subject import Subject
from experiments.progressive_exaggeration.sweeps import (
    Explainer,
    Sweeps,
    further_explainer,
    seen_by,
    sweep,
)
from experiments.shared import MORE, PaperReport, Statement, Table, predict

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
        reconstructions: the same of the drawings for the queries' own bins (n,).
    """

    sweeps: Sweeps
    auc: float
    extremes: Bool[np.ndarray, "n 2"]
    reconstructions: Bool[np.ndarray, " n"]


class Bias(NamedTuple):
    """The explanations of both classifiers, and the oracle that looks at them.

    Attributes:
        study: of the label.
        confounder: its name.
        truth: whether each query has the confounder (n,).
        oracle: whether the oracle says so (n,).
        correct: whether it says the truth, for every test image (m,).
        explanations: by classifier.
    """

    study: LabelStudy
    confounder: str
    truth: Bool[np.ndarray, " n"]
    oracle: Bool[np.ndarray, " n"]
    correct: Bool[np.ndarray, " m"]
    explanations: Mapping[str, Shown]

    @property
    def identity(self) -> object:
        """Everything that the results depend on."""
        return [self.confounder, [shown.sweeps.identity for shown in self.explanations.values()]]

    def changed(self, name: str, target: int) -> Float[np.ndarray, " n"]:
        """1 where an explanation towards a class has not its query's confounder, else 0.

        The mean is the confounding metric.
        """
        return (self.explanations[name].extremes[:, target] != self.truth).astype(float)

    def gained(self, name: str) -> Float[np.ndarray, " n"]:
        """The confounder in the drawing for the highest bin less that in the lowest: 1, 0 or -1.

        What all drawings of an explainer share, such as blur that the oracle takes for the
        confounder, falls out.
        """
        extremes = self.explanations[name].extremes.astype(float)
        return extremes[:, 1] - extremes[:, 0]

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

    def _more_changes(self, target: int, class_name: str) -> Claim:
        """C7: the biased classifier's explanations change the confounder more often."""
        return Statement(
            f"C7 to {class_name}",
            f"Explanations to {class_name!r} of the biased classifier change the confounder more"
            " often.",
            _PLACE,
        ).settle_pair(
            self._printed(1, target),
            {name: self.changed(name, target) for name in (BIASED, UNBIASED)},
            "share of explanations that change the confounder",
            **MORE,
            **self.study.subject.units,
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
            **self.study.subject.units,
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
            **self.study.subject.units,
        )

    def _more_gains(self) -> Claim:
        """The biased classifier's explanations gain more of the confounder from end to end."""
        low, high = (self._printed(0, target) for target in (0, 1))
        return Statement(
            "bias, from end to end",
            "From the lowest to the highest bin, explanations of the biased classifier gain the"
            " confounder more often than those of the unbiased one.",
            "Table 3",
            "ordering",
        ).settle_pair(
            {name: share - low[name] for name, share in high.items()},
            {name: self.gained(name) for name in (BIASED, UNBIASED)},
            "share of explanations that show it, highest less lowest bin",
            **MORE,
            **self.study.subject.units,
        )

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
            self._interval(self.changed(name, target)),
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
        return bootstrap_interval(answers.astype(float), groups=self.study.subject.groups)

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
            drawn_series(sweeps, self.study.subject.queries, dict.fromkeys(rows)),
            class_name=self.study.data.class_names[1],
            caption=f"As the paper's Figure 6: what the {name} classifier has to see in some"
            " images.",
            alt="Grid: queries, and the same image drawn for rising probabilities.",
        )


def study_bias(study: LabelStudy) -> Bias:
    """Trains both classifiers and their explainers, and the oracle.

    Raises:
        InputError: too few images have the confounder both ways; as the trainers.
    """
    data, name = study.every_label, study.config.confounder
    confounder = data.names.index(name)
    has_label, has_it = (
        data.train.labels[:, label].astype(bool) for label in (data.explained, confounder)
    )
    sets = confounded_and_not(has_label, has_it, seed=study.config.seed)
    explained = {kind: _explained(study, kind, chosen) for kind, chosen in sets.items()}
    truth = data.test.labels[:, confounder].astype(bool)
    known = labelled(study.config, data, name)
    oracle, column = train_oracle(study, known, list(explained.values())), known.explained
    return Bias(
        study,
        name,
        truth[data.test.rows_of(study.subject.queries)],
        predict(oracle.outputs, study.subject.queries)[:, column] >= 0,
        (oracle.logits[:, column] >= 0) == truth,
        {kind: _shown(study, oracle, column, *pair) for kind, pair in explained.items()},
    )


def confounded_and_not(
    has_label: Bool[np.ndarray, " n"], has_confounder: Bool[np.ndarray, " n"], *, seed: int
) -> dict[str, Int[np.ndarray, " m"]]:
    """Positions of two sets of images, with as many images of each class.

    Args:
        has_label: of each image.
        has_confounder: of each image.
        seed: of the choice.

    Returns:
        By ``BIASED``, where all images with the label have the confounder, and ``UNBIASED``, where
        half of them have; half of those without the label have it in both.

    Raises:
        InputError: fewer than two images of one of the four kinds.
    """
    rng = np.random.default_rng(seed)
    kinds = {
        (label, other): rng.permutation(
            np.flatnonzero((has_label == label) & (has_confounder == other))
        )
        for label in (False, True)
        for other in (False, True)
    }
    half = min(len(kinds[True, True]) // 2, *(len(kind) for kind in kinds.values()))
    if half < 1:
        raise InputError(
            "--confounder: expected at least two training images with and without it in either"
            f" class, got {', '.join(str(len(kind)) for kind in kinds.values())}: choose another"
        )
    negatives = [kinds[False, other][:half] for other in (False, True)]
    mixed = [kinds[True, other][:half] for other in (False, True)]
    return {
        BIASED: np.sort(np.concatenate([*negatives, kinds[True, True][: 2 * half]])),
        UNBIASED: np.sort(np.concatenate([*negatives, *mixed])),
    }


def _explained(
    study: LabelStudy, name: str, chosen: Int[np.ndarray, " m"]
) -> tuple[Subject, Explainer]:
    data = study.every_label
    alone = data.of((data.label,), data.label)
    trained_on = alone._replace(train=alone.train.take(chosen))
    config = study.config
    # Validation images do not carry the bias, and would select the weights that have least of it.
    last = dataclasses.replace(config.classifier, select="none")
    network = train_network(
        name, dataclasses.replace(config, classifier=last), trained_on, study.workspace
    )
    subject = Subject(alone, network, 0, study.subject.queries)
    start = study.explainer if config.bias_warm_start else None
    return subject, further_explainer(
        subject, config, study.workspace, weights=_weights(config), start=start
    )


def _weights(config: Config) -> ProgressiveWeights:
    """The first explainer's, with the chapter's own price of likeness."""
    first = config.explainer.weights
    return dataclasses.replace(
        first,
        reconstruction=config.bias_likeness * first.reconstruction,
        cycle=config.bias_likeness * first.cycle,
    )


def _shown(
    study: LabelStudy, oracle: Network, confounder: int, subject: Subject, explainer: Explainer
) -> Shown:
    sweeps = sweep(explainer, subject, study.config, study.workspace)
    seen = seen_by(oracle, sweeps, study.config, study.workspace)[..., confounder] >= 0.5
    own_bin = seen[np.arange(len(seen)), np.asarray(sweeps.series.source_bin)]
    return Shown(sweeps, float(subject.network.auc[0]), seen[:, [0, -1]], own_bin)
