"""The chapter: whose hearts are measured, and what is written about them.

Only the images of the synthetic chest world have masks of heart and lungs. A study of others trains
a classifier and an explainer of cardiomegaly in that world beside its own. The paper's masks are of
other radiographs than it explains, those of the SCR set, which may not be passed on.
"""

import dataclasses
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from cfx_jax.metrics import HeartSize
from cfx_jax.report import Claim
from experiments.progressive_exaggeration.heart import captions, claims, figures, tables
from experiments.progressive_exaggeration.heart.masks import (
    ORGANS,
    has_hearts,
    sizes_of,
    true_sizes,
)
from experiments.progressive_exaggeration.heart.organs import WAYS, Hearts, find_hearts
from experiments.progressive_exaggeration.heart.series import Series
from experiments.progressive_exaggeration.heart.tables import MEASURES, AllSeries, spoken
from experiments.progressive_exaggeration.images import load_images
from experiments.progressive_exaggeration.network import EXPLAINED, train_network
from experiments.progressive_exaggeration.study import Study
from experiments.progressive_exaggeration.subject import Subject, subject_of
from experiments.progressive_exaggeration.sweeps import Sweeps, sweep, train_explainer
from experiments.shared.presenter import Presenter


class Heart(NamedTuple):
    """The hearts of some radiographs and of their explanations.

    Attributes:
        subject: what is explained, on which radiographs.
        sweeps: the explanations.
        hearts: where all hearts lie.
        series: their sizes.
        num_shown: radiographs in figures.
    """

    subject: Subject
    sweeps: Sweeps
    hearts: Hearts
    series: AllSeries
    num_shown: int

    @property
    def dependencies(self) -> object:
        """What all of it depends on."""
        return self.hearts.identity

    @property
    def note(self) -> str:
        """What stands beside every figure."""
        scores = zip(ORGANS, self.hearts.dice.mean(axis=0), strict=True)
        found = ", ".join(f"{organ} {score:.3f}" for organ, score in scores)
        return f"{self.subject.data.note} Mean Dice of the segmentation on {len(self.hearts.dice)} test images: {found}."

    def claims(self) -> Iterator[Claim]:
        """The paper's orderings."""
        area = {way: self.series[way, MEASURES[0]] for way in WAYS}
        yield from (dataclasses.replace(each, note=self.note) for each in claims.claims(area))

    def present(self, presenter: Presenter) -> None:
        """Writes the section."""
        desired, number, note = (
            np.asarray(self.sweeps.found.desired)[0],
            len(self.subject.queries),
            self.note,
        )
        presenter.report.section(
            "Do hearts grow where cardiomegaly is asked for", f"{captions.EXPLANATION} {note}"
        )
        presenter.figures(
            figures.size_figure(presenter.folder, self.series, desired, self._references(), note)
        )
        presenter.table(
            "figure_4a_heart", tables.bin_table(self.series, desired), captions.BINS, note=note
        )
        presenter.table(
            "table_heart_size", tables.size_table(self.series, number), captions.SIZES, note=note
        )
        presenter.table(
            "table_heart_groups", tables.group_table(self.series), captions.GROUPS, note=note
        )
        for measure in MEASURES:
            found, caption = (
                tables.comparison_table(self.series, measure),
                f"{captions.TESTS} Size: {spoken(measure)}.",
            )
            presenter.table(f"table_heart_t_tests_{measure}", found, caption, note=note)
        presenter.table(
            "table_heart_segmentation",
            tables.dice_table(self.hearts.dice),
            captions.DICE,
            note=note,
        )
        presenter.figures(
            figures.sweep_figure(
                presenter.folder, self.subject, self.sweeps, self.hearts, self.num_shown, note
            )
        )

    def _references(self) -> dict[str, tuple[float, float]]:
        """By measure, the mean true size of normal and of enlarged hearts among the test images."""
        test = self.subject.data.test.images
        return {
            name: (
                float(np.nanmean(sizes[test.labels == 0])),
                float(np.nanmean(sizes[test.labels == 1])),
            )
            for name, sizes in true_sizes(test)._asdict().items()
        }


def heart(study: Study) -> Heart:
    """Measures the hearts of a study, or of one of its own where the study's images have no masks.

    Raises:
        InputError: as the trainers; a classifier that never decides on one of the two.
    """
    subject, found = study.subject, study.sweeps[0]
    if not has_hearts(study.data.test.images):
        subject, found = _chests(study)
    hearts = find_hearts(study.config.heart.segmentation, subject, found, study.workspace)
    return Heart(subject, found, hearts, all_series(subject, found, hearts), study.config.num_shown)


def all_series(subject: Subject, found: Sweeps, hearts: Hearts) -> AllSeries:
    """Every way with every measure, of the queries of which every image has a size."""
    queries, known = (
        sizes_of(hearts.queries),
        true_sizes(subject.queries, heart="counterfactual_heart_mask"),
    )
    return {
        (way, measure): _series(
            subject, found, measure, queries, sizes_of(hearts.explanations[way]), known
        ).complete
        for way in WAYS
        for measure in MEASURES
    }


def _series(
    subject: Subject,
    found: Sweeps,
    measure: str,
    queries: HeartSize,
    explanations: HeartSize,
    known: HeartSize,
) -> Series:
    sizes: Float[np.ndarray, "n k"] = getattr(explanations, measure)
    return Series(
        getattr(queries, measure),
        sizes[:, :-1],
        sizes[:, -1],
        getattr(known, measure),
        np.asarray(found.found.desired),
        np.asarray(found.found.probability),
        np.asarray(found.found.probabilities),
        subject.queries.labels,
    )


def _chests(study: Study) -> tuple[Subject, Sweeps]:
    """Radiographs of the synthetic chest world with their explanations."""
    own = study.config.heart
    config = dataclasses.replace(
        study.config,
        data="chest",
        classes=(),
        labels=(),
        label="cardiomegaly",
        image_size=own.image_size,
        num_images=own.num_images,
        mirrored=False,  # hearts have a side
        calibrated=0,  # the world has few images
        classifier=own.classifier,
        explainer=own.explainer,
    )
    data = load_images(config, study.workspace)
    network = train_network(EXPLAINED, config, data, study.workspace)
    subject = subject_of(config, data, network, data.explained)
    explainer = train_explainer(config.explainer, subject, config, study.workspace)
    return subject, sweep(explainer, subject, config, study.workspace)
