"""Writes every table and figure, the claims, and the page that holds them all."""

from pathlib import Path

from experiments.fundus_vce import figures, published, tables
from experiments.fundus_vce.config import Config
from experiments.fundus_vce.data import Data
from experiments.fundus_vce.evaluate import Evaluations
from experiments.fundus_vce.explain import Studied
from experiments.fundus_vce.localise import Localised, vce_method
from experiments.fundus_vce.quality import Quality
from experiments.fundus_vce.train import Classifiers, best_training
from experiments.shared import presenter

_AFTER_THE_PAPER = (
    "After Boreiko et al., Visual explanations for the detection of diabetic retinopathy from"
    " retinal fundus images, MICCAI"
    " 2022. Rows that begin with 'paper' are the figures printed there, on its data."
)
_OWN_IMAGES = (
    "How a plain and a robust classifier of your images, and their ensemble, tell {names} apart,"
    " and how an image would have"
    " to change for another answer. l1.5, l2 and l4 are ways to measure a change, from few strong"
    " to many faint pixels; ε is"
    " the largest change that is allowed. The method is that of Boreiko et al., MICCAI 2022."
)


class Presenter(presenter.Presenter):
    """A report in the making.

    Args:
        folder: where everything is written.
        config: of the run.
        data: whose note stands beside every figure.
    """

    def __init__(self, folder: Path, config: Config, data: Data) -> None:
        self._config, self._data = config, data
        names = " and ".join(data.class_names)
        title = "Visual counterfactuals from a plain + robust ensemble"
        super().__init__(
            folder,
            title if data.published else f"{title}: {names}",
            introduction=_AFTER_THE_PAPER if data.published else _OWN_IMAGES.format(names=names),
            note=data.note,
        )

    def images(self) -> None:
        """What was trained and tested on."""
        self.report.section("Images")
        unit = tables.group_unit(self._data)
        caption = f"Images of each class in every part{'' if unit is None else f', and how many {unit} they show'}."
        self.table("table_images", tables.images_table(self._data), caption)

    def quality(self, quality: Quality | None) -> None:
        """The quality filter."""
        if quality is None:
            return
        self.report.section("Quality filter")
        applied = "" if quality.useful else "It is no better than chance and was not applied: "
        kept = f"{applied}{len(quality.kept)} images of the main set were kept."
        self.table(
            "table_quality",
            tables.quality_table(quality),
            f"On {len(quality.label)} held-out images. {kept}",
        )

    def classifiers(self, evaluations: Evaluations, classifiers: Classifiers) -> None:
        """Table 1, the choice of the plain network, and the temperatures."""
        settings = self._config.robust_accuracy
        self.report.section("Classifiers")
        as_papers = "As the paper's Table 1, " if self._data.published else "The "
        for place, images in self._data.tests.items():
            attacked = len(evaluations[place, "plain"].robust)
            unit = "images" if images.groups is None else images.group_unit
            caption = (
                f"{as_papers}{place} set: accuracy on {len(images)} images; robust accuracy on"
                f" {attacked} of them: l2 radius"
                f" {settings.radius:g}, APGD with {settings.num_restarts} restarts of"
                f" {settings.num_steps} steps. Brackets:"
                f" 95 % intervals over {unit}."
            )
            table = tables.accuracy_table(evaluations, place, with_paper=self._data.published)
            self.table(f"table_1_accuracy_{place}", table, caption)
        if classifiers.validation:
            scores = ", ".join(
                f"{name} {value:.4f}" for name, value in classifiers.validation.items()
            )
            taken = best_training(classifiers.validation)
            self.report.text(
                f"Balanced accuracy of the plain network on the validation images: {scores}; taken:"
                f" {taken}."
            )
        found = ", ".join(f"{name} {value:.3f}" for name, value in classifiers.temperatures.items())
        released = ", ".join(f"{name} {value:g}" for name, value in published.TEMPERATURES.items())
        beside = f" (released code: {released})" if self._data.published else ""
        self.report.text(
            f"Temperatures fitted on {len(self._data.temperature)} images of their own:"
            f" {found}{beside}."
        )

    def localisation(self, localised: Localised | None) -> None:
        """Table 2 and Figure 1."""
        if localised is None:
            return
        self.report.section("Where the maps point")
        count = len(localised.images)
        norm = f"Best norm: l{localised.norm:g}. " if localised.tuned else ""
        radii = ", ".join(f"l{p:g} {radius:g}" for p, radius in localised.radii.items())
        quantiles = ", ".join(f"{each} {localised.quantiles[each]:g}" for each in localised.methods)
        self.table(
            "table_2_overlap",
            tables.overlap_table(localised),
            f"As the paper's Table 2: intersection over union of thresholded maps with the lesion"
            f" masks, mean ± standard"
            f" deviation over {count} images. {norm}Radii: {radii}. Thresholds (quantiles):"
            f" {quantiles}.",
        )
        if localised.edges:
            self.report.text(
                f"Warning: at the edge of what was offered on the tuning images, so that a better"
                f" choice may lie beyond:"
                f" {'; '.join(localised.edges)}."
            )
        self.figures(*figures.figure_1(self.folder, self._data, localised))
        shown = 2 * self._config.explanations.num_shown
        self.figures(figures.maps_figure(self.folder, self._data, localised, count=shown))
        self.table(
            "table_ablation",
            tables.ablation_table(localised),
            "What the released scripts compute instead: guided backprop with the stem's ReLU alone"
            " guided, integrated"
            " gradients without the multiplication by the image. Same thresholds.",
        )
        if localised.tuned:
            number = self._config.localisation.num_tuning
            self.table(
                "table_tuning",
                tables.tuning_table(localised),
                f"Choice of the radii and of the norm: IoU of the ensemble on {number} images that"
                f" are not scored, each at"
                " its best threshold.",
            )
            self.figures(figures.tuning_figure(self.folder, self._config, self._data, localised))

    def counterfactuals(self, studied: Studied, localised: Localised | None) -> None:
        """Figures 2 to 7, the animation, and an overview of all classifiers."""
        given = self._config.localisation.quantile_vce
        quantile = given if localised is None else localised.quantiles[vce_method(localised.norm)]
        gallery = figures.Gallery(self.folder, self._config, self._data, studied, quantile)
        chosen = (
            "chosen on the tuning images"
            if localised is not None and localised.tuned
            else "as configured"
        )
        radii = ", ".join(f"l{p:g} {radius:g}" for p, radius in studied.radii.items())
        self.report.section(
            "Counterfactuals",
            "The most confident image of a class within a small distance of the original. Blue and"
            " red: what was taken away"
            f" and added. Radii, {chosen}: {radii}.",
        )
        drawn, missing = gallery.numbered()
        self.figures(*drawn)
        if missing:
            self.report.text(" ".join(missing))
        path, caption, alt = gallery.morph()
        self.report.animation(path, caption=caption, alt=alt)
        self.figures(gallery.confidence())
        self.report.section("Counterfactuals of all classifiers")
        self.figures(*gallery.overview())
