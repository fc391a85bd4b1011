"""The chapter on hearts: the radiographs that are measured, and its section of the report.

Only the images of the synthetic chest world have masks of heart and lungs. A study of others trains
a classifier and an explainer of cardiomegaly in that world beside its own. The paper's masks belong
to other radiographs than it explains, the SCR set, which may not be passed on.
"""

import dataclasses
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from cfx_jax.metrics import HeartSize
from experiments.progressive_exaggeration.chapters.heart import captions, figures, tables
from experiments.progressive_exaggeration.chapters.heart.claims import make_claims
from experiments.progressive_exaggeration.chapters.heart.heart_sizes import (
    WAYS,
    Hearts,
    find_hearts,
)
from experiments.progressive_exaggeration.chapters.heart.organ_masks import (
    ORGANS,
    has_hearts,
    sizes_of,
    true_sizes,
)
from experiments.progressive_exaggeration.chapters.heart.size_statistics import (
    MEASURES,
    AllSeries,
    Series,
    spoken,
)
from experiments.progressive_exaggeration.label_study import (
    EXPLAINED,
    LabelStudy,
    Subject,
    Sweeps,
    subject_of,
    sweep,
    train_explainer,
    train_network,
)
from experiments.progressive_exaggeration.setup import prepare
from experiments.shared import Claim, PaperReport, Table


class Heart(NamedTuple):
    """The hearts of some radiographs and of their explanations.

    Attributes:
        subject: the explained label, and the radiographs.
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
    def identity(self) -> object:
        """Everything that the results depend on."""
        return self.hearts.identity

    @property
    def note(self) -> str:
        """The sentences on images and segmentation that stand beside every figure."""
        scores = zip(ORGANS, self.hearts.dice.mean(axis=0), strict=True)
        dice = ", ".join(f"{organ} {score:.3f}" for organ, score in scores)
        return (
            f"{self.subject.data.note} Mean Dice of the segmentation on {len(self.hearts.dice)}"
            f" test images: {dice}."
        )

    def claims(self) -> Iterator[Claim]:
        """Yields the paper's claims on hearts."""
        area = {way: self.series[way, MEASURES[0]] for way in WAYS}
        yield from (dataclasses.replace(claim, note=self.note) for claim in make_claims(area))

    def write(self, report: PaperReport) -> None:
        """Writes the chapter's section of the report."""
        desired, note = np.asarray(self.sweeps.series.desired)[0], self.note
        report.section(
            "Do hearts grow where cardiomegaly is asked for", f"{captions.EXPLANATION} {note}"
        )
        figures.draw_sizes(report, self.series, desired, self._references(), note)
        for name, table, caption in self._tables(desired):
            report.table(name, table, caption, note=note)
        figures.draw_sweeps(report, self.subject, self.sweeps, self.hearts, self.num_shown, note)

    def _tables(self, desired: Float[np.ndarray, " k"]) -> Iterator[tuple[str, Table, str]]:
        """Yields the name of every table's files, the table and its caption."""
        number = len(self.subject.queries)
        yield "figure_4a_heart", tables.bin_table(self.series, desired), captions.BINS
        yield "table_heart_size", tables.size_table(self.series, number), captions.SIZES
        yield "table_heart_groups", tables.group_table(self.series), captions.GROUPS
        for measure in MEASURES:
            table = tables.comparison_table(self.series, measure)
            caption = f"{captions.TESTS} Size: {spoken(measure)}."
            yield f"table_heart_t_tests_{measure}", table, caption
        yield "table_heart_segmentation", tables.dice_table(self.hearts.dice), captions.DICE

    def _references(self) -> dict[str, tuple[float, float]]:
        """The mean true size of normal and of enlarged hearts among the test images, by measure."""
        test = self.subject.data.test.images
        return {
            name: (
                float(np.nanmean(sizes[test.labels == 0])),
                float(np.nanmean(sizes[test.labels == 1])),
            )
            for name, sizes in true_sizes(test)._asdict().items()
        }


def measure_hearts(study: LabelStudy) -> Heart:
    """Measures the hearts of the study's images, or of chests where its images have no masks.

    Raises:
        InputError: as the trainers; a classifier that never decides on one of the two.
    """
    subject, sweeps = study.subject, study.sweeps[0]
    if not has_hearts(study.data.test.images):
        subject, sweeps = _chests(study)
    hearts = find_hearts(study.setup.config.heart.segmentation, subject, sweeps)
    series = all_series(subject, sweeps, hearts)
    return Heart(subject, sweeps, hearts, series, study.setup.config.num_shown)


def all_series(subject: Subject, sweeps: Sweeps, hearts: Hearts) -> AllSeries:
    """The sizes by every way and measure, for the queries all of whose images have a size."""
    queries, known = (
        sizes_of(hearts.queries),
        true_sizes(subject.queries, heart="counterfactual_heart_mask"),
    )
    return {
        (way, measure): _series(
            subject, sweeps, measure, queries, sizes_of(hearts.explanations[way]), known
        ).complete
        for way in WAYS
        for measure in MEASURES
    }


def _series(
    subject: Subject,
    sweeps: Sweeps,
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
        np.asarray(sweeps.series.desired),
        np.asarray(sweeps.series.probability),
        np.asarray(sweeps.series.probabilities),
        subject.queries.labels,
    )


def _chests(study: LabelStudy) -> tuple[Subject, Sweeps]:
    """Radiographs of the synthetic chest world with their explanations."""
    settings = study.setup.config.heart
    config = dataclasses.replace(
        study.setup.config,
        data="chest",
        classes=(),
        labels=(),
        label="cardiomegaly",
        image_size=settings.image_size,
        num_images=settings.num_images,
        mirrored=False,  # hearts have a side
        calibrated=0,  # the world has few images
        classifier=settings.classifier,
        explainer=settings.explainer,
    )
    setup = prepare(config, study.setup.workspace)
    subject = subject_of(setup, train_network(EXPLAINED, setup))
    return subject, sweep(train_explainer(config.explainer, subject), subject)
