"""Writes every table and figure, the claims, and the page that holds them all."""

from collections.abc import Iterable
from pathlib import Path

from cfx_jax.metrics import brier_score
from experiments.progressive_exaggeration import tables
from experiments.progressive_exaggeration.chapters import Chapter
from experiments.progressive_exaggeration.config import Config
from experiments.progressive_exaggeration.figures import Gallery
from experiments.progressive_exaggeration.sources import WORLDS
from experiments.progressive_exaggeration.study import Study
from experiments.shared import presenter


class Presenter(presenter.Presenter):
    """A report in the making.

    Args:
        folder: where everything is written.
        study: what was found.
        chapters: what was found beyond the explained label, in reading order.
    """

    def __init__(self, folder: Path, study: Study, chapters: Iterable[Chapter]) -> None:
        self._study, self._chapters, data = study, chapters, study.data
        self._gallery = Gallery(folder, study)
        super().__init__(
            folder,
            "Explanation by progressive exaggeration",
            introduction="After Singla et al., Explanation by Progressive Exaggeration, 2020."
            " Columns that begin with"
            " 'paper' are the figures printed there, on its data. Explained is the label"
            f" {data.label!r}, on test images that neither the classifier nor an explainer was"
            f" trained on."
            f" {chosen_on(study.config)} Every network was trained once, so intervals say nothing"
            f" of another training.",
            note=data.note,
        )

    def everything(self) -> None:
        """Every section but the claims and the settings."""
        self._sweeps()
        self._distances()
        self._identity()
        for chapter in self._chapters:
            chapter.present(self)
        self._classifiers()

    def _sweeps(self) -> None:
        self.report.section(
            "What would have to change",
            f"The page {self._gallery.knob().name} beside this one turns through the series of some"
            f" images.",
        )
        self.figures(*self._gallery.sweeps())
        self.table(
            "table_reach",
            tables.reach_table(self._study),
            "On all queries: Spearman's correlation of desired and achieved probability and their"
            " mean difference, the share"
            " of decisions turned over at the opposite extreme, PSNR in dB of the drawing for the"
            " query's own bin, and the"
            " mean difference of the two extremes. Findings: an explainer that turns over few"
            " decisions has collapsed."
            f" Brackets: 95 % intervals over {self._unit}.",
        )
        self.figures(self._gallery.compatibility())
        self.table(
            "figure_3_compatibility",
            tables.compatibility_table(self._study),
            "Figure 3 in numbers: mean probability of the explanations. The last row is a second"
            " classifier's opinion, which"
            " noise that only the first one sees would not move.",
        )

    def _distances(self) -> None:
        self.report.section("Do they look like data")
        self.table(
            "table_1_distances",
            tables.distance_table(self._study),
            f"Table 1: Fréchet distance to test images of features of {self._study.features.name},"
            f" by what the classifier"
            " makes of the explanations: present is a probability of at least 0.9, absent below"
            " 0.1. 'images' are compared,"
            " of each kind, which are 'of queries'; 'reached' are all that a method has in the"
            " group. The last column is the"
            " distance of two halves of the real images. Brackets: 95 % bootstrap intervals; drawn"
            " again are"
            f" {self._unit}, each with all of its explanations, and real images.",
        )

    def _identity(self) -> None:
        verifier = self._study.verifier
        verified = "" if verifier is None else f" {verifier.description}"
        self.report.section("Do they show the same person")
        self.table(
            "table_2_identity",
            tables.identity_table(self._study),
            "Table 2: latent space closeness, the share of explanations that are nearer to their"
            " query than to any other"
            " query's explanation, by each method's own encoder; it falls as queries get more."
            f"{verified} Brackets: 95 % intervals over {self._unit}.",
        )

    def _classifiers(self) -> None:
        self.report.section("The classifiers")
        self.table(
            "table_labels",
            tables.label_table(self._study),
            "Area under the ROC curve of each label on the test images.",
        )
        subject = self._study.subject
        truth = subject.data.test.labels[:, subject.label] == 1
        brier = float(brier_score(subject.probability, truth).mean())
        self.table(
            "table_reliability",
            tables.reliability_table(self._study),
            f"How often test images for which the classifier says a probability of"
            f" {self._study.data.label!r} have it; Brier"
            f" score {brier:.3f}.",
        )

    @property
    def _unit(self) -> str:
        subject = self._study.subject
        return (
            subject.unit
            if subject.groups is None
            else f"{subject.unit}, each of which several queries may show"
        )


def chosen_on(config: Config) -> str:
    """What settings, weights and thresholds were chosen on, in words."""
    if config.data not in WORLDS:
        return "Weights and thresholds were chosen on validation images."
    if config.test_seed == config.seed:
        return (
            "Test images are of the same world as all others: these figures are for choosing"
            " settings; for a report take"
            " another --test-seed."
        )
    return (
        "Weights and thresholds were chosen on validation images, and the presets' settings on the"
        " world of seed 0; test"
        f" images are of the world of seed {config.test_seed}."
    )
