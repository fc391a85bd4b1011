"""Writes every table and figure, the claims, and the page that holds them all."""

from collections.abc import Mapping
from pathlib import Path

from experiments import presenter
from experiments.fundus_vce import figures, tables
from experiments.fundus_vce.config import Config
from experiments.fundus_vce.data import Data
from experiments.fundus_vce.evaluate import Evaluations
from experiments.fundus_vce.explain import Studied
from experiments.fundus_vce.localise import Localised
from experiments.fundus_vce.quality import Quality


class Presenter(presenter.Presenter):
    """A report in the making.

    Args:
        folder: where everything is written.
        config: of the run.
        data: whose note stands beside every figure.
    """

    def __init__(self, folder: Path, config: Config, data: Data) -> None:
        self._config, self._data = config, data
        super().__init__(
            folder,
            "Visual counterfactuals from a plain + robust ensemble",
            introduction="After Boreiko et al., Visual explanations for the detection of diabetic retinopathy from retinal"
            " fundus images, MICCAI 2022. Rows that begin with 'paper' are the figures printed there, on its data.",
            note=data.note,
        )

    def quality(self, quality: Quality | None) -> None:
        """The quality filter."""
        if quality is None:
            return
        self.report.section("Quality filter")
        applied = "" if quality.useful else "It is no better than chance and was not applied: "
        kept = f"{applied}{len(quality.kept)} images of the main set were kept."
        self.table("table_quality", tables.quality_table(quality), f"On {len(quality.label)} held-out images. {kept}")

    def classifiers(self, evaluations: Evaluations, temperatures: Mapping[str, float]) -> None:
        """Table 1."""
        settings = self._config.robust_accuracy
        self.report.section("Classifiers")
        for place, images in self._data.tests.items():
            attacked = len(evaluations[place, "plain"].robust)
            caption = (
                f"Table 1, {place} set: accuracy on {len(images)} images; robust accuracy on {attacked} of them: l2 radius"
                f" {settings.radius:g}, APGD with {settings.num_restarts} restarts of {settings.num_steps} steps. Brackets:"
                " 95 % bootstrap intervals over images."
            )
            self.table(f"table_1_accuracy_{place}", tables.accuracy_table(evaluations, place), caption)
        found = ", ".join(f"{name} {value:.3f}" for name, value in temperatures.items())
        self.report.text(
            f"Temperatures fitted on {len(self._data.temperature)} images of their own: {found} (paper: plain 1.112, robust"
            " 0.453)."
        )

    def localisation(self, localised: Localised | None) -> None:
        """Table 2 and Figure 1."""
        if localised is None:
            return
        self.report.section("Where the maps point")
        count = len(localised.images)
        radii = ", ".join(f"l{p:g} {radius:g}" for p, radius in localised.radii.items())
        quantiles = ", ".join(f"{each} {localised.quantiles[each]:g}" for each in localised.methods)
        self.table(
            "table_2_overlap",
            tables.overlap_table(localised),
            f"Table 2: intersection over union of thresholded maps with the lesion masks, mean ± standard deviation over"
            f" {count} images. Radii: {radii}. Thresholds (quantiles): {quantiles}.",
        )
        self.figures(*figures.figure_1(self.folder, self._data, localised))
        shown = 2 * self._config.explanations.num_shown
        self.figures(figures.maps_figure(self.folder, self._data, localised, count=shown))
        self.table(
            "table_ablation",
            tables.ablation_table(localised),
            "What the released scripts compute instead: guided backprop with the stem's ReLU alone guided, integrated"
            " gradients without the multiplication by the image. Same thresholds.",
        )
        if localised.tuned:
            number = self._config.localisation.num_tuning
            self.table(
                "table_tuning",
                tables.tuning_table(localised),
                f"Choice of the radii: IoU of the ensemble on {number} images that are not scored, each at its best"
                " threshold.",
            )
            self.figures(figures.tuning_figure(self.folder, self._config, self._data, localised))

    def counterfactuals(self, studied: Studied) -> None:
        """Figures 2 to 7, the animation, and an overview of all classifiers."""
        gallery = figures.Gallery(self.folder, self._config, self._data, studied)
        self.report.section(
            "Counterfactuals",
            "The most confident image of a class within a small distance of the original. Blue and red: what was taken away"
            " and added.",
        )
        self.figures(*gallery.numbered())
        path, caption, alt = gallery.morph()
        self.report.animation(path, caption=caption, alt=alt)
        self.figures(gallery.confidence())
        self.report.section("Counterfactuals of all classifiers")
        self.figures(*gallery.overview())
