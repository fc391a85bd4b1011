"""Writes every table and figure, the claims, and the page that holds them all."""

from collections.abc import Iterable
from pathlib import Path

from experiments import presenter
from experiments.progressive_exaggeration import tables
from experiments.progressive_exaggeration.chapters import Chapter
from experiments.progressive_exaggeration.figures import Gallery
from experiments.progressive_exaggeration.study import Study


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
            introduction="After Singla et al., Explanation by Progressive Exaggeration, 2020. Columns that begin with"
            " 'paper' are the figures printed there, on its data. Explained is the label"
            f" {data.names[data.explained]!r}, on images that neither the classifier nor an explainer was trained on.",
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
            f"The page {self._gallery.knob().name} beside this one turns through the series of some images.",
        )
        self.figures(*self._gallery.sweeps())
        self.table(
            "table_reach",
            tables.reach_table(self._study),
            "On all queries: Spearman's correlation of desired and achieved probability and their mean difference, the share"
            " of decisions turned over at the opposite extreme, PSNR in dB of the drawing for the query's own bin, and the"
            " mean difference of the two extremes. Findings: an explainer that turns over few decisions has collapsed."
            " Brackets: 95 % bootstrap intervals.",
        )
        self.figures(self._gallery.compatibility())
        self.table(
            "figure_3_compatibility",
            tables.compatibility_table(self._study),
            "Figure 3 in numbers: mean probability of the explanations. The last row is a second classifier's opinion, which"
            " noise that only the first one sees would not move.",
        )

    def _distances(self) -> None:
        self.report.section("Do they look like data")
        self.table(
            "table_1_distances",
            tables.distance_table(self._study),
            f"Table 1: Fréchet distance to test images of features of {self._study.features.extractor.name}, by what the"
            " classifier makes of the explanations: present is a probability of at least 0.9, absent below 0.1. 'images'"
            " are compared, of each kind; 'reached' are all that a method has in the group. The last column is the distance"
            " of two halves of the real images. Brackets: 95 % bootstrap intervals over images.",
        )

    def _identity(self) -> None:
        found = self._study.measures.verifier
        stand_in = ""
        if found is not None:
            stand_in = (
                " 'verified' is by a stand-in for a network that recognises faces: the cosine distance of features of"
                f" {self._study.features.extractor.name}, below {found.threshold:.3g}, where {found.error:.1%} of real pairs"
                " of either kind are judged wrongly."
            )
        self.report.section("Do they show the same person")
        self.table(
            "table_2_identity",
            tables.identity_table(self._study),
            "Table 2: latent space closeness, the share of explanations that are nearer to their query than to any other"
            " query's explanation, by each method's own encoder; it falls as queries get more." + stand_in,
        )

    def _classifiers(self) -> None:
        self.report.section("The classifiers")
        self.table(
            "table_labels",
            tables.label_table(self._study),
            "Area under the ROC curve of each label on the test images.",
        )
