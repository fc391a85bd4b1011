"""The paper's figures in kind: sweeps, the compatibility curves, and the page of the knob.

Which images a figure shows is decided by the order of the shuffled test set and the classifier's
decisions alone, never by how an explanation looks.
"""

from collections.abc import Iterable

import numpy as np

from cfx_jax.metrics import compatibility_curve
from cfx_jax.report import CurvePanel, Line, Sweep, curve, sweep_grid, write_knob
from experiments.progressive_exaggeration.label_study import LabelStudy, Sweeps, ranges
from experiments.shared import ImageSet, PaperReport

KNOB = "knob.html"


def draw_sweeps(report: PaperReport, study: LabelStudy) -> None:
    """Draws the series of some queries by either method."""
    for name, sweeps in zip(("ours", "xgem"), study.sweeps, strict=True):
        report.draw(
            f"figure_sweeps_{name}.png",
            sweep_grid,
            _shown(study, sweeps),
            class_name=study.data.class_names[1],
            caption=f"The series of some test images by {sweeps.name}.",
            alt="Grid: queries, and the same image drawn for rising probabilities.",
        )


def write_series_knob(report: PaperReport, study: LabelStudy) -> None:
    """Writes the page on which a reader turns through the series of some queries."""
    write_knob(
        report.folder / KNOB,
        _shown(study, study.sweeps[0]),
        title=f"What would have to change: {study.data.class_names[1]}",
        class_names=study.data.class_names,
        note=study.data.note,
        smooth=True,
    )


def draw_compatibility(report: PaperReport, study: LabelStudy) -> None:
    """Draws Figure 3: the probability reached against the desired one."""
    report.draw(
        "figure_3_compatibility.png",
        curve,
        [_panel(sweeps) for sweeps in study.sweeps],
        caption="As the paper's Figure 3: mean probability of the explanations against the desired"
        " one, by the probability of the query; the diagonal is perfect.",
        alt="Line plots that rise from the lower left to the upper right where the explainer"
        " obeys.",
    )


def _panel(sweeps: Sweeps) -> CurvePanel:
    """A line for each range of the queries' own probability, beside the perfect one."""
    series = sweeps.series
    probability, desired = np.asarray(series.probability), np.asarray(series.desired)
    achieved = np.asarray(series.probabilities)
    lines = [Line(name="perfect", x=desired[0], y=desired[0])]
    lines += [
        _mean_line(f"query {low:.1f} to {high:.1f}", desired[chosen], achieved[chosen])
        for low, high, chosen in ranges(probability)
        if chosen.any()
    ]
    return CurvePanel(
        lines=lines,
        x_label="desired",
        y_label="achieved",
        title=sweeps.name,
        y_range=(-0.02, 1.02),
    )


def mean_line(name: str, sweeps: Sweeps) -> Line:
    """The mean probability reached against the desired one, over all queries."""
    series = sweeps.series
    return _mean_line(name, np.asarray(series.desired), np.asarray(series.probabilities))


def _mean_line(name: str, desired: np.ndarray, achieved: np.ndarray) -> Line:
    reached = compatibility_curve(desired.ravel(), achieved.ravel())
    return Line(name=name, x=reached.centre, y=reached.mean)


def _shown(study: LabelStudy, sweeps: Sweeps) -> list[Sweep]:
    rows = sweeps.first(study.setup.config.num_shown)
    return drawn_series(sweeps, study.subject.queries, rows)


def drawn_series(sweeps: Sweeps, queries: ImageSet, rows: Iterable[int]) -> list[Sweep]:
    """The series of some queries, as figures and knob take them."""
    series = sweeps.series
    return [
        Sweep(
            images=np.clip(np.asarray(series.images[row]), 0, 1),
            original=queries.read(np.array([row]))[0],
            probabilities=np.asarray(series.probabilities[row]),
            desired=np.asarray(series.desired[row]),
            source_bin=int(series.source_bin[row]),
            probability=float(series.probability[row]),
            name=f"test image {int(row) + 1}",
        )
        for row in rows
    ]
