"""Writes every table and figure, the claims, and the page that holds them all."""

from collections.abc import Sequence
from pathlib import Path

from experiments.acat import tables
from experiments.acat.config import Config
from experiments.acat.figures import Gallery
from experiments.acat.sources import REFERENCES
from experiments.acat.study import Study
from experiments.shared import presenter

_OWN = f"Below the methods: what needs no network ({', '.join(REFERENCES)}); a method at its level has found nothing."


class Presenter(presenter.Presenter):
    """A report in the making.

    Args:
        folder: where everything is written.
        config: of the run.
        studies: one for each kind of scans.
    """

    def __init__(self, folder: Path, config: Config, studies: Sequence[Study]) -> None:
        self._config, self._studies = config, studies
        super().__init__(
            folder,
            "Adversarial counterfactual attention",
            introduction="After Fontanella et al., ACAT: Adversarial Counterfactual Attention for"
            " Classification and"
            " Detection in Medical Imaging, 2023. Columns that begin with 'paper' are the figures"
            " printed there, on its"
            f" data. {len(config.seeds)} runs, each with a split and initial weights of its own. SE"
            f" are standard errors"
            " over runs as the paper computes them, with the runs' standard deviation divided by"
            " their number;"
            " intervals in brackets cover 95 %.",
            note=" ".join(each.scans.note for each in studies),
        )

    def everything(self) -> None:
        """Every section but the claims and the settings."""
        for study in self._studies:
            self._kind(study)

    def _kind(self, study: Study) -> None:
        name, scans = study.scans.name, study.scans
        left_out = "".join(
            f" {row} is left out: {reason}." for row, reason in study.left_out.items()
        )
        self.report.section(
            f"Scans: {name}",
            f"{len(scans.labels)} scans of {' x '.join(map(str, scans.shape))}; the autoencoder"
            f" shows them with"
            f" {study.psnr:.1f} dB on the mean, and {study.refused} too badly to be explained"
            f" (below"
            f" {self._config.search.minimum_psnr:g} dB). Counterfactuals are subtracted from the"
            f" {self._config.search.reference}.{left_out}",
        )
        gallery = Gallery(self.folder, study, self._config.unbounded_steps)
        self._classification(study, gallery)
        self._maps(study, gallery)
        self.table(
            f"table_3_variances_{name}",
            tables.variance_table(study),
            "Table 3: variance of what each convolution gives, before batch norm, over the test"
            " scans, on plain ones"
            " and with standard normal noise; mean over runs. The paper's are of networks trained"
            " from scratch.",
        )

    def _classification(self, study: Study, gallery: Gallery) -> None:
        name = study.scans.name
        self.table(
            f"table_2_accuracy_{name}",
            tables.accuracy_table(study),
            "Table 2 and the ablations: accuracy on the test scans, mean and SE over runs; right"
            " answers of all runs,"
            " balanced accuracy, the difference to the baseline with its interval over runs and"
            " scans, and in how many"
            " runs none of the paper's networks is better (appendix I; equals count for each).",
        )
        if study.scans.sides:
            self.table(
                f"table_1_sizes_{name}",
                tables.size_table(study),
                "Table 1: accuracy by size of the infarct over the test scans of all runs. Scans"
                " with an infarct of"
                " which no size is known have a column of their own.",
            )
        self.table(
            f"table_7_sensitivity_{name}",
            tables.sensitivity_table(study),
            "Table 7, and Table 6 where competitors have other maps: sensitivity and specificity of"
            " a finding, mean and"
            " SE over runs, and the counts of all runs.",
        )
        if study.smaller:
            self.table(
                f"table_4_training_sizes_{name}",
                tables.training_size_table(study),
                "Table 4: accuracy by the number of training scans, mean and SE over runs; all are"
                " trained for as many"
                " epochs, and each size's baseline makes its maps.",
            )
        self.figures(gallery.attention())

    def _maps(self, study: Study, gallery: Gallery) -> None:
        name = study.scans.name
        self.figures(gallery.maps())
        if all(run.detection.known("hits") for run in study.runs):
            self.table(
                f"table_hits_{name}",
                tables.hit_table(study),
                "Hit score (section 4.4, appendix G): how often the highest voxel of a positive"
                " scan's map lies in the"
                " territory of its lesion, mean and SE over runs; how often it lies inside the"
                " lesion itself; flat maps"
                " count as misses. Likeness: the mean rank correlation with the map of latent"
                " counterfactuals. ACAT as"
                f" classifier gives class-agnostic maps. {_OWN} A random voxel is one on the"
                f" lesion's side of the brain.",
            )
        if all(run.detection.known("kappa") for run in study.runs):
            self.table(
                f"table_5_overlap_{name}",
                tables.overlap_table(study),
                "Table 5: overlap of as many of the highest voxels as the mask has with the mask,"
                " on the published"
                " scan's own grid where there is one; IoU and Dice as means over lesion and"
                " background, for which"
                f" chance is 0.5, with SE over runs; lesion Dice and kappa are 0 by chance, with"
                f" intervals over"
                f" scans. {_OWN}",
            )
        self.figures(gallery.counterfactuals())
        self.table(
            f"figure_5_searches_{name}",
            tables.reach_table(study),
            "Figure 5 in numbers: what the searches make of the probability of the finding on"
            " positive test scans;"
            " intervals over the scans of all runs.",
        )
        self.figures(gallery.searches(), *gallery.walks())
