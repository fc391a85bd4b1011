"""Table 3 and Figure 6: whether the explanations of a classifier show what it has confounded with
the label.

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
from experiments.progressive_exaggeration.config import Config
from experiments.progressive_exaggeration.figures import shown
from experiments.progressive_exaggeration.network import Network, labelled, train_network
from experiments.progressive_exaggeration.oracle import train_oracle
from experiments.progressive_exaggeration.study import Study
from experiments.progressive_exaggeration.subject import Subject
from experiments.progressive_exaggeration.sweeps import (
    Explainer,
    Sweeps,
    further_explainer,
    seen_by,
    sweep,
)
from experiments.shared.image_set import predict
from experiments.shared.interval_claims import mean_claim, paired_claim
from experiments.shared.presenter import Figure, Presenter, Table

BIASED, UNBIASED = "biased", "unbiased"
_PLACE = "section 4.4, first paragraph, and Table 3"


class Shown(NamedTuple):
    """What the oracle sees in the explanations of one classifier.

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
    """Both classifiers.

    Attributes:
        study: of the label.
        confounder: its name.
        truth: whether each query has the confounder (n,).
        oracle: whether the oracle says so (n,).
        right: whether it is right, for every test image (m,).
        found: by classifier.
    """

    study: Study
    confounder: str
    truth: Bool[np.ndarray, " n"]
    oracle: Bool[np.ndarray, " n"]
    right: Bool[np.ndarray, " m"]
    found: Mapping[str, Shown]

    @property
    def dependencies(self) -> object:
        """What all of it depends on."""
        return [self.confounder, [each.sweeps.identity for each in self.found.values()]]

    def changed(self, name: str, target: int) -> Float[np.ndarray, " n"]:
        """1 where an explanation towards a class has not its query's confounder: the mean is the
        confounding metric.
        """
        return (self.found[name].extremes[:, target] != self.truth).astype(float)

    def gained(self, name: str) -> Float[np.ndarray, " n"]:
        """How much more of the confounder the drawing for the highest bin shows than that for the
        lowest: 1, 0 or -1.

        What all drawings of an explainer share, such as blur that the oracle takes for the
        confounder, falls out.
        """
        extremes = self.found[name].extremes.astype(float)
        return extremes[:, 1] - extremes[:, 0]

    def present(self, presenter: Presenter) -> None:
        """Writes its section."""
        presenter.report.section(
            "Does the classifier confound",
            f"Two classifiers of {self.study.data.label!r}: where one was trained, all images with"
            f" it are"
            f" {self.confounder}, too.",
        )
        presenter.table(
            "table_3_confounding",
            self.table(),
            f"Table 3: share of the explanations that an oracle of {self.confounder!r} sees it in,"
            f" and share whose oracle's"
            " answer is not the query's truth, the confounding metric, for the lowest and the"
            " highest bin and for the"
            " query's own. The oracle is a third classifier, trained on training images and on both"
            " explainers' drawings of"
            " them for their own bins; 'oracle right' is its accuracy on test images and on such"
            " drawings of them, which"
            " bounds what the metric can tell. 'paper' columns are of smiles that are bound to"
            " men's faces. Brackets: 95 %"
            " intervals over images.",
        )
        presenter.figures(*(self._figure(presenter, name) for name in self.found))

    def claims(self) -> Iterator[Claim]:
        """C7, C8, C9; and the same without what an oracle makes of drawings as such."""
        metric, share = (
            "share of explanations that change the confounder",
            "share of explanations that show it",
        )
        for target in (0, 1):
            name = self.study.data.class_names[target]
            shares, changes = (self._printed(column, target) for column in (0, 1))
            yield paired_claim(
                f"C7 to {name}",
                f"Explanations to {name!r} of the biased classifier change the confounder more"
                f" often.",
                changes,
                {each: self.changed(each, target) for each in (BIASED, UNBIASED)},
                metric,
                kind="statement",
                place=_PLACE,
                minimum=0.0,
                strict=True,
                **self.study.subject.units,
            )
            yield mean_claim(
                f"C8 to {name}",
                f"Explanations to {name!r} of the unbiased classifier show the confounder about as"
                f" often as not.",
                {each: value for each, value in shares.items() if each == UNBIASED},
                self.found[UNBIASED].extremes[:, target].astype(float),
                f"{share}; that 0.4 to 0.6 are about a half is ours",
                kind="statement",
                place=_PLACE,
                minimum=0.4,
                maximum=0.6,
                **self.study.subject.units,
            )
        yield mean_claim(
            "C9",
            f"Explanations to {self.study.data.class_names[0]!r} of the biased classifier mostly"
            f" lack the confounder.",
            {each: value for each, value in self._printed(0, 0).items() if each == BIASED},
            self.found[BIASED].extremes[:, 0].astype(float),
            share,
            kind="statement",
            place=_PLACE,
            maximum=0.5,
            strict=True,
            **self.study.subject.units,
        )
        ends = [self._printed(0, target) for target in (0, 1)]
        yield paired_claim(
            "bias, from end to end",
            "From the lowest to the highest bin, explanations of the biased classifier gain the"
            " confounder more often than"
            " those of the unbiased one.",
            {each: high - ends[0][each] for each, high in ends[1].items()},
            {each: self.gained(each) for each in (BIASED, UNBIASED)},
            "share of explanations that show it, highest less lowest bin",
            kind="ordering",
            place="Table 3",
            minimum=0.0,
            strict=True,
            **self.study.subject.units,
        )

    def _printed(self, column: int, target: int) -> dict[str, float]:
        """The paper's share that shows the confounder (column 0) or changes it (1) by classifier;
        none for other labels.
        """
        found = {name: self._published(name, target) for name in (BIASED, UNBIASED)}
        return {name: row[column] for name, row in found.items() if row is not None}

    def _published(self, name: str, target: int) -> tuple[float, float] | None:
        return published.confounding(self.study.data.label, self.confounder, name, target)

    def table(self) -> Table:
        """Table 3."""
        columns = [
            "classifier",
            "AUC",
            "explanations",
            "show it",
            "paper",
            "change it",
            "paper change",
            "oracle right",
            "images",
        ]
        rows: list[list[object]] = []
        for name, found in self.found.items():
            for target in (0, 1):
                share, change = self._published(name, target) or (None, None)
                rows.append(
                    [
                        name,
                        found.auc,
                        f"to {self.study.data.class_names[target]}",
                        self._interval(found.extremes[:, target]),
                        share,
                        self._interval(self.changed(name, target)),
                        change,
                        None,
                        len(self.truth),
                    ]
                )
            rows.append([name, found.auc, "of the own bin", *self._row(found.reconstructions)])
        rows.append(["none", None, "queries", *self._row(self.oracle)])
        right = bootstrap_interval(self.right.astype(float), groups=self.study.data.test.groups)
        rows.append(
            ["none", None, "all test images", None, None, None, None, right, len(self.right)]
        )
        return columns, rows

    def _row(self, seen: Bool[np.ndarray, " n"]) -> list[object]:
        """Of images whose truth is known."""
        tested = seen, seen != self.truth, seen == self.truth
        shows, changes, right = map(self._interval, tested)
        return [shows, None, changes, None, right, len(seen)]

    def _interval(self, answers: Shaped[np.ndarray, " n"]) -> Interval:
        """Of the share of queries with a yes."""
        return bootstrap_interval(answers.astype(float), groups=self.study.subject.groups)

    def _figure(self, presenter: Presenter, name: str) -> Figure:
        """Queries without the label, one with the confounder and one without: what is added to
        them.
        """
        rows = [
            int(np.flatnonzero(self.truth == has)[0])
            for has in (False, True)
            if (self.truth == has).any()
        ]
        rows += [
            int(each) for each in np.flatnonzero(self.found[name].sweeps.decided & self.truth)[:1]
        ]
        path = presenter.folder / f"figure_6_{name}.png"
        series = shown(self.found[name].sweeps, self.study.subject.queries, dict.fromkeys(rows))
        sweep_grid(path, series, class_name=self.study.data.class_names[1], note=presenter.note)
        return Figure(
            path,
            f"As the paper's Figure 6: what the {name} classifier has to see in some images.",
            "Grid: queries, and the same image drawn for rising probabilities.",
        )


def bias(study: Study) -> Bias:
    """Trains both classifiers and their explainers, and the oracle.

    Raises:
        InputError: too few images have the confounder both ways; as the trainers.
    """
    data, name = study.every_label, study.config.confounder
    confounder = data.names.index(name)
    has_label, has_it = (
        data.train.labels[:, each].astype(bool) for each in (data.explained, confounder)
    )
    sets = confounded_and_not(has_label, has_it, seed=study.config.seed)
    explained = {each: _explained(study, each, chosen) for each, chosen in sets.items()}
    truth = data.test.labels[:, confounder].astype(bool)
    known = labelled(study.config, data, name)
    oracle, column = train_oracle(study, known, list(explained.values())), known.explained
    return Bias(
        study,
        name,
        truth[data.test.rows_of(study.subject.queries)],
        predict(oracle.outputs, study.subject.queries)[:, column] >= 0,
        (oracle.logits[:, column] >= 0) == truth,
        {each: _shown(study, oracle, column, *own) for each, own in explained.items()},
    )


def confounded_and_not(
    has_label: Bool[np.ndarray, " n"], has_confounder: Bool[np.ndarray, " n"], *, seed: int
) -> dict[str, Int[np.ndarray, " m"]]:
    """Positions of two sets of as many images of each class.

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
    half = min(len(kinds[True, True]) // 2, *(len(each) for each in kinds.values()))
    if half < 1:
        raise InputError(
            "--confounder: expected at least two training images with and without it in either"
            " class, got"
            f" {', '.join(str(len(each)) for each in kinds.values())}: choose another"
        )
    negatives = [kinds[False, other][:half] for other in (False, True)]
    mixed = [kinds[True, other][:half] for other in (False, True)]
    return {
        BIASED: np.sort(np.concatenate([*negatives, kinds[True, True][: 2 * half]])),
        UNBIASED: np.sort(np.concatenate([*negatives, *mixed])),
    }


def _explained(study: Study, name: str, chosen: Int[np.ndarray, " m"]) -> tuple[Subject, Explainer]:
    data = study.every_label
    own = data.of((data.label,), data.label)
    trained_on = own._replace(train=own.train.take(chosen))
    config = study.config
    # Validation images do not carry the bias, and would select the weights that have least of it.
    last = dataclasses.replace(config.classifier, select="none")
    network = train_network(
        name, dataclasses.replace(config, classifier=last), trained_on, study.workspace
    )
    subject = Subject(own, network, 0, study.subject.queries)
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
    study: Study, oracle: Network, confounder: int, subject: Subject, explainer: Explainer
) -> Shown:
    found = sweep(explainer, subject, study.config, study.workspace)
    seen = seen_by(oracle, found, study.config, study.workspace)[..., confounder] >= 0.5
    own_bin = seen[np.arange(len(seen)), np.asarray(found.found.source_bin)]
    return Shown(found, float(subject.network.auc[0]), seen[:, [0, -1]], own_bin)
