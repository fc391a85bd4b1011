"""Writes every table and figure, the claims, and the page that holds them all."""

from pathlib import Path

from experiments.charachon.classifier import start_of
from experiments.charachon.images import Data, brackets
from experiments.path_attribution import published, tables
from experiments.path_attribution.config import Config
from experiments.path_attribution.faithfulness import NotMeasured
from experiments.path_attribution.figures import Gallery
from experiments.path_attribution.maps import sigma_of
from experiments.path_attribution.study import Study
from experiments.shared import presenter


class Presenter(presenter.Presenter):
    """A report in the making.

    Args:
        folder: where everything is written.
        config: of the run.
        data: whose note stands beside every figure.
        study: what was found.
    """

    def __init__(self, folder: Path, config: Config, data: Data, study: Study) -> None:
        self._config, self._study, self._gallery = (
            config,
            study,
            Gallery(folder, config, data, study),
        )
        self._task = published.task_of(config.data)
        self._brackets, self._groups = brackets(data), data.groups
        auc = study.network.auc
        super().__init__(
            folder,
            "Path-based attribution between generated images",
            introduction="After Charachon et al., Visual explanation by unifying adversarial"
            " generation and feature"
            " importance attributions, 2021. Columns that begin with 'paper' are the figures"
            " printed there, on its data."
            " The classifier's area under the ROC curve on the test images is"
            f" {auc.estimate:.3f} [{auc.low:.3f}, {auc.high:.3f}]{self._paper_auc()}; every table"
            f" is about this classifier."
            f" {start_of(config)}",
            note=data.note,
        )

    def everything(self) -> None:
        """Every section but the claims and the settings."""
        self._generators()
        self._localisation()
        self._faithfulness()
        self._paths()

    def _generators(self) -> None:
        self.report.section("Generated images")
        self.table(
            "table_generators",
            tables.generator_table(self._study),
            "On all test images: share of adversarial images with the other decision and of stable"
            " images with the image's"
            " own, the areas under the ROC curve of their scores for these decisions, and PSNR in"
            " dB. Findings: what is"
            " wrong with the generators on validation images; maps of generators that do not turn"
            " decisions over explain"
            " little.",
        )
        if tables.has_truth(next(iter(self._study.quality.values()))):
            self.table(
                "table_true_counterfactuals",
                tables.truth_table(self._study, self._groups),
                "PSNR in dB of adversarial images to the true counterfactual of the same anatomy,"
                " over the pixels that are"
                " lesion in either and over the others, mean over the test images. Outside, the"
                " image itself equals its true"
                " counterfactual.",
            )
        self.figures(self._gallery.pairs())

    def _localisation(self) -> None:
        self.report.section("Where the maps point")
        if self._study.localisation:
            count = len(self._study.explained.localised)
            self.table(
                "table_1_localisation",
                tables.localisation_table(self._task, self._study),
                f"Table 1: IoU (higher is better) and FDR (lower is better; the paper calls it FNR)"
                f" of thresholded maps with"
                f" the annotations of {count} images. {self._brackets}",
            )
            self.table(
                "table_coverage",
                tables.coverage_table(self._study),
                "Recall, and the share of pixels that a threshold keeps, which is larger than it"
                " says where maps have ties;"
                " and the area under precision against recall over all thresholds, and over those"
                " from percentile 80 up.",
            )
        self.figures(self._gallery.maps(), self._gallery.all_maps())

    def _faithfulness(self) -> None:
        settings, found = self._config.faithfulness, self._study.faithfulness
        if isinstance(found, NotMeasured):
            self.report.section("What the classifier uses", found.reason)
            return
        what = "dropped" if settings.unturned == "drop" else "kept"
        self.report.section(
            "What the classifier uses",
            f"Regions of {settings.region} x {settings.region} pixels are overwritten by those of"
            f" an independent adversary,"
            f" {settings.regions_per_step} at a time, until none is left. It turns over the"
            f" decision on {found.turned:.1%}"
            f" of the balanced subset; the other images are {what}.",
        )
        self.table(
            "table_2_relevance",
            tables.relevance_table(self._task, found),
            f"Table 2: relevance score R by predicted class, on {len(found.predicted)} images;"
            f" {settings.num_random} random"
            " maps of each. Degradation is one minus the area under the curve with the most"
            " relevant regions first,"
            " preservation the area with the least relevant first; R is the harmonic mean of the"
            " two over a group of images."
            " That is our reading: the paper defines R by reference, and its level depends on the"
            " regions and on the"
            " adversary (random maps have 2 c (1 - c), c being the mean probability on the way:"
            " 0.07 to 0.12 in the paper)."
            f" Compare the order of the maps with the paper's, not the level. {self._brackets}",
        )
        self.figures(self._gallery.perturbation(found))
        self.table(
            "table_aopc",
            tables.perturbation_table(found, settings.aopc),
            f"AOPC less that of random maps. {self._brackets}",
        )

    def _paths(self) -> None:
        size, sigma = self._config.image_size, sigma_of(self._config.image_size)
        self.report.section("Integrals")
        self.table(
            "table_residuals",
            tables.residual_table(self._study),
            f"Midpoint rule with {self._config.num_nodes} nodes. Without error the summed integral"
            f" of gradient times"
            f" velocity is the change of the score along the path. Maps v2,k are smoothed with a"
            f" standard deviation of"
            f" {sigma:.3g} pixels, the paper's 2 at 224 scaled to {size}. The own path of SyCE is"
            f" that of the images which"
            " its generator makes between the two latents; the paper leaves it aside.",
            digits=5,
        )

    def _paper_auc(self) -> str:
        paper = published.CLASSIFIER_AUC.get(self._task or "")
        return "" if paper is None else f" (paper, on its data: {paper})"
