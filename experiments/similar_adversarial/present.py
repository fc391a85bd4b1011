"""Writes every table and figure, the claims, and the page that holds them all."""

from pathlib import Path

from experiments.charachon.classifier import Network, start_of
from experiments.charachon.images import Data, brackets
from experiments.shared import presenter
from experiments.similar_adversarial import published, tables
from experiments.similar_adversarial.config import Config
from experiments.similar_adversarial.figures import Gallery
from experiments.similar_adversarial.rows import NAIVE, OURS
from experiments.similar_adversarial.study import Localised, Study, nearest, with_averages

_TABULATED = 90.0  # percentile of what is tabulated at one threshold alone


class Presenter(presenter.Presenter):
    """A report in the making.

    Args:
        folder: where everything is written.
        config: of the run.
        data: whose note stands beside every figure.
        network: whose AUC stands beside every table.
        study: everything measured.
    """

    def __init__(
        self, folder: Path, config: Config, data: Data, network: Network, study: Study
    ) -> None:
        self._config, self._data, self._study = config, data, study
        self._gallery = Gallery(folder, config, data, network, study)
        self._brackets = brackets(data)
        self._auc = f"AUC of the classifier {network.auc.estimate:.3f} (paper: {published.CLASSIFIER_AUC:g})."
        low, high = network.auc[1:]
        super().__init__(
            folder,
            "Explanations by similar and adversarial images",
            introduction="After Charachon et al., Combining Similarity and Adversarial Learning to"
            " Generate Visual"
            " Explanation: Application to Medical Image Classification, ICPR 2020. Rows that begin"
            " with 'paper' are the"
            f" figures printed there, on its data.\n\nThe classifier has an AUC of"
            f" {network.auc.estimate:.3f} [{low:.3f},"
            f" {high:.3f}] on {len(data.test)} test images (paper: {published.CLASSIFIER_AUC:g})."
            f" {start_of(config)}\n\nEach"
            f" generator was trained {config.num_runs} time{'s' if config.num_runs > 1 else ''};"
            f" tables and figures show the"
            " first training, and claims about ways to train need several (--num-runs).",
            note=data.note,
        )

    def generators(self) -> None:
        """Tables IV and V, Figure 2, and how near the true counterfactuals are."""
        self.report.section("Generated images")
        self.table(
            "table_4_decisions",
            tables.decisions_table(self._study),
            f"Table IV: the classifier's answers to generated images, on {len(self._data.test)}"
            f" test images. kept, turned:"
            " shares of similar images decided as the image, of adversarial images decided"
            " otherwise. remarks: what a check"
            " on validation images finds; explanations by a generator with remarks mean little."
            f" {self._brackets} {self._auc}",
        )
        self.table(
            "table_5_similarity",
            tables.similarity_table(self._study),
            "Table V: similarity of original (x), similar (x_s) and adversarial image (x_a), SSIM"
            " with the Gaussian window."
            f" {self._auc}",
        )
        truth = tables.truth_table(self._study)
        if truth is not None:
            self.table(
                "table_truth",
                truth,
                "How near adversarial images are to the true counterfactuals, PSNR inside of the"
                " finding and outside, where"
                f" the original equals its true counterfactual. Not in the paper. {self._brackets}"
                f" {self._auc}",
            )
        self.figures(self._gallery.pairs(OURS), self._gallery.pairs(NAIVE))

    def localisation(self) -> None:
        """Tables VI to XI, Figures 3 and 4; nothing where nothing is annotated."""
        localised = self._study.localised
        if localised is None:
            return
        flawed = [
            f"{name} ({each.remarks})"
            for name, each in self._study.generators.items()
            if each.findings
        ]
        self.report.section(
            "Where the maps point",
            f"Generators with remarks in Table IV, whose maps mean little:"
            f" {', '.join(flawed) or 'none'}.",
        )
        boxes = self._study.boxes
        if boxes is not None:
            what = (
                "boxes as drawn"
                if boxes.drawn
                else "boxes around the connected regions of the marked pixels"
            )
            self.table(
                "table_3_boxes",
                tables.boxes_table(boxes),
                f"Table III: size of the {len(boxes.height)} annotations of the"
                f" {len(self._data.test)} test images, {what},"
                f" at {self._config.image_size} pixels (paper: 224).",
            )
        rows = with_averages([name for name in self._config.generators if name != NAIVE])
        compared, averaged = tables.compared_names(), tables.averaged_names()
        self._overlaps(localised, "6", rows, "different generators")
        self._areas(localised, "7", rows, "different generators", timed=False)
        self._overlaps(localised, "8", compared, "other methods")
        self._areas(localised, "9", compared, "other methods", timed=True)
        self._overlaps(localised, "10", averaged, "averaging over augmentations (+ A)")
        self._areas(localised, "11", averaged, "averaging over augmentations (+ A)", timed=True)
        percentile = nearest(self._config.percentiles, _TABULATED)
        self.table(
            "table_thresholded",
            tables.thresholded_table(
                localised, list(dict.fromkeys([*rows, *compared, *averaged])), percentile
            ),
            f"The maps thresholded at percentile {percentile:g}: share of them outside of the"
            f" annotation (FDR), share of the"
            " annotation that they cover, share of the image that they keep (more than the"
            " percentile says where a map has"
            f" ties), and the IoU on the {int(localised.right.sum())} images in which the"
            f" classifier finds the finding."
            f" Not in the paper. {self._auc}",
        )
        self.figures(*self._gallery.maps())

    def _overlaps(self, localised: Localised, number: str, names: list[str], what: str) -> None:
        self.table(
            f"table_{number}_overlap",
            tables.overlap_table(localised, names, self._config.percentiles),
            f"Table {_ROMAN[number]}: intersection over union of thresholded maps with the"
            f" annotation, {what}; mean over"
            f" {len(localised.images)} annotated test images. {self._brackets} {self._auc}",
        )

    def _areas(
        self, localised: Localised, number: str, names: list[str], what: str, *, timed: bool
    ) -> None:
        seconds = (
            " Seconds for one image: ours on this machine, median over batches." if timed else ""
        )
        self.table(
            f"table_{number}_areas",
            tables.area_table(localised, names, timed=timed),
            f"Table {_ROMAN[number]}: area under precision against recall, {what}; mean over"
            f" {len(localised.images)}"
            f" annotated test images. {self._brackets}{seconds} {self._auc}",
        )


_ROMAN = {"6": "VI", "7": "VII", "8": "VIII", "9": "IX", "10": "X", "11": "XI"}
