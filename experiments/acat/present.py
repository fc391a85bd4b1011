"""Writes every table and figure, the claims, and the page that holds them all."""

from collections.abc import Sequence
from pathlib import Path

from experiments import presenter
from experiments.acat import tables
from experiments.acat.config import Config
from experiments.acat.figures import Gallery
from experiments.acat.study import Study


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
            introduction="After Fontanella et al., ACAT: Adversarial Counterfactual Attention for Classification and"
            " Detection in Medical Imaging, 2023. Columns that begin with 'paper' are the figures printed there, on its"
            f" data. {len(config.seeds)} runs, each with a split and initial weights of its own.",
            note=" ".join(each.scans.note for each in studies),
        )

    def everything(self) -> None:
        """Every section but the claims and the settings."""
        for study in self._studies:
            self._kind(study)

    def _kind(self, study: Study) -> None:
        name = study.scans.name
        self.report.section(
            f"Scans: {name}",
            f"{len(study.scans.labels)} scans of {' x '.join(map(str, study.scans.images.shape[1:4]))}; the autoencoder"
            f" shows them with {study.psnr:.1f} dB on the mean, and {study.refused} too badly to be explained (below"
            f" {self._config.search.minimum_psnr:g} dB).",
        )
        gallery = Gallery(self.folder, study, self._config.num_shown)
        self.figures(gallery.maps())
        self.table(
            f"table_2_accuracy_{name}",
            tables.accuracy_table(study),
            "Table 2: accuracy over the test scans of all runs, with the standard error over runs as the paper computes it;"
            " right and balanced accuracy; the difference to the baseline on the same scans with its 95 % interval, and the"
            " exact McNemar test.",
        )
        if study.scans.sides:
            self.table(
                f"table_1_sizes_{name}",
                tables.size_table(study),
                "Table 1: accuracy by size of the infarct, 0 for none.",
            )
        self.table(
            f"table_6_sensitivity_{name}",
            tables.sensitivity_table(study),
            "Tables 6 and 7: sensitivity and specificity of a finding, with their counts.",
        )
        if all(run.detection.hits for run in study.runs):
            self.table(
                f"table_hits_{name}",
                tables.hit_table(study),
                "Hit score: how often the highest voxel of a positive scan's map lies in the territory of its lesion; flat"
                " maps count as misses. Likeness: the mean rank correlation with the map of latent counterfactuals.",
            )
        if all(run.detection.overlaps for run in study.runs):
            self.table(
                f"table_5_overlap_{name}",
                tables.overlap_table(study),
                "Table 5: overlap of as many of the highest voxels as the mask has with the mask, IoU and Dice as means over"
                " lesion and background, for which chance is 0.5; lesion Dice and kappa are 0 by chance. Brackets: 95 %"
                " bootstrap intervals over scans and runs.",
            )
        self.table(
            f"figure_5_searches_{name}",
            tables.reach_table(study),
            "Figure 5 in numbers: what the searches make of the probability of the finding on positive test scans.",
        )
        self.figures(gallery.searches())
        self.table(
            f"table_3_variances_{name}",
            tables.variance_table(study),
            "Table 3: variance of what each convolution gives, before batch norm, over the test scans, on plain ones and"
            " with standard normal noise; mean over runs. The paper's are of networks trained from scratch.",
        )
        if study.smaller:
            self.table(
                f"table_4_training_sizes_{name}",
                tables.training_size_table(study),
                "Table 4: accuracy by the number of training scans, over all runs; each size's baseline makes its maps.",
            )
