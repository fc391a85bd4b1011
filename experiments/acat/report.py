"""The report: every table and figure with its caption, then the claims and the settings."""

from collections.abc import Sequence
from pathlib import Path

from experiments.acat import figures, tables
from experiments.acat.config import Config
from experiments.acat.maps import REFERENCES
from experiments.acat.study import KindStudy, Study
from experiments.shared import Claim, PaperReport

_INTRODUCTION = (
    "After Fontanella et al., ACAT: Adversarial Counterfactual Attention for Classification and"
    " Detection in Medical Imaging, 2023. Columns that begin with 'paper' are the figures printed"
    " there, on its data. {runs} runs, each with a split and initial weights of its own. SE are"
    " standard errors over runs as the paper computes them, with the runs' standard deviation"
    " divided by their number; intervals in brackets cover 95 %."
)
_REFERENCES = (
    f"Below the methods: what needs no network ({', '.join(REFERENCES)}); a method at its level has"
    " found nothing."
)


def write_report(folder: Path, study: Study, claims: Sequence[Claim]) -> None:
    """Draws every table and figure, and writes the page that holds them all."""
    report = PaperReport(
        folder,
        "Adversarial counterfactual attention",
        introduction=_INTRODUCTION.format(runs=len(study.config.seeds)),
        note=study.note,
    )
    for kind in study.kinds:
        _scans(report, kind, study.config)
        _classification(report, kind)
        _maps(report, kind)
        _searches(report, kind, study.config)
        report.table(
            f"table_3_variances_{kind.scans.name}",
            tables.variance_table(kind),
            "Table 3: variance of what each convolution gives, before batch norm, over the test"
            " scans, on plain ones and with standard normal noise; mean over runs. The paper's are"
            " of networks trained from scratch.",
        )
    report.finish(claims, study.config)


def _scans(report: PaperReport, study: KindStudy, config: Config) -> None:
    """The scans, how well the autoencoder shows them, and the networks that do not fit."""
    scans, search = study.scans, config.search
    left_out = "".join(f" {name} is left out: {why}." for name, why in study.left_out.items())
    report.section(
        f"Scans: {scans.name}",
        f"{len(scans.labels)} scans of {' x '.join(map(str, scans.shape))}; the autoencoder shows"
        f" them with {study.psnr:.1f} dB on the mean, and {study.refused} too badly to be explained"
        f" (below {search.minimum_psnr:g} dB). Counterfactuals are subtracted from the"
        f" {search.reference}.{left_out}",
    )


def _classification(report: PaperReport, study: KindStudy) -> None:
    """Tables 1, 2, 4, 6 and 7, and Figure 2."""
    name = study.scans.name
    report.table(
        f"table_2_accuracy_{name}",
        tables.accuracy_table(study),
        "Table 2 and the ablations: accuracy on the test scans, mean and SE over runs; right"
        " answers of all runs, balanced accuracy, the difference to the baseline with its interval"
        " over runs and scans, and in how many runs none of the paper's networks is better"
        " (appendix I; equals count for each). The lead is the least of the leads on the controls:"
        " the baseline trained as long, and ACAT without maps or with maps that say nothing of"
        " their scans.",
    )
    if study.scans.sides:
        report.table(
            f"table_1_sizes_{name}",
            tables.size_table(study),
            "Table 1: accuracy by size of the infarct over the test scans of all runs. Scans with"
            " an infarct of which no size is known have a column of their own.",
        )
    report.table(
        f"table_7_sensitivity_{name}",
        tables.sensitivity_table(study),
        "Table 7, and Table 6 where competitors have other maps: sensitivity and specificity of a"
        " finding, mean and SE over runs, and the counts of all runs.",
    )
    if study.smaller:
        report.table(
            f"table_4_training_sizes_{name}",
            tables.training_size_table(study),
            "Table 4: accuracy by the number of training scans, mean and SE over runs; all are"
            " trained for as many epochs, and each size's baseline makes its maps.",
        )
    figures.draw_attention(report, study)


def _maps(report: PaperReport, study: KindStudy) -> None:
    """Figures 3, 4 and 7, the hit score, and Table 5."""
    name = study.scans.name
    figures.draw_maps(report, study)
    if study.is_known("hits"):
        report.table(
            f"table_hits_{name}",
            tables.hit_table(study),
            "Hit score (section 4.4, appendix G): how often the highest voxel of a positive scan's"
            " map lies in the territory of its lesion, mean and SE over runs; how often it lies"
            " inside the lesion itself; flat maps count as misses. Likeness: the mean rank"
            " correlation with the map of latent counterfactuals. ACAT as classifier gives"
            f" class-agnostic maps. {_REFERENCES} A random voxel is one on the lesion's side of the"
            " brain.",
        )
    if study.is_known("kappa"):
        report.table(
            f"table_5_overlap_{name}",
            tables.overlap_table(study),
            "Table 5: overlap of as many of the highest voxels as the mask has with the mask, on"
            " the published scan's own grid where there is one; IoU and Dice as means over lesion"
            " and background, for which chance is 0.5, with SE over runs; lesion Dice and kappa"
            f" are 0 by chance, with intervals over scans. {_REFERENCES}",
        )
    figures.draw_counterfactuals(report, study)


def _searches(report: PaperReport, study: KindStudy, config: Config) -> None:
    """Figures 5 and 6."""
    report.table(
        f"figure_5_searches_{study.scans.name}",
        tables.reach_table(study),
        "Figure 5 in numbers: what the searches make of the probability of the finding on positive"
        " test scans; intervals over the scans of all runs.",
    )
    figures.draw_searches(report, study)
    figures.draw_walks(report, study, config.unbounded_steps)
