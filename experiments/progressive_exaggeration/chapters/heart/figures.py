"""The figures of the chapter."""

from collections.abc import Iterator

import numpy as np
from jaxtyping import Float

from cfx_jax.metrics import bootstrap_interval
from cfx_jax.report import CurvePanel, Line, Outlines, curve, sweep_grid
from experiments.progressive_exaggeration.chapters.heart.group_comparisons import groups
from experiments.progressive_exaggeration.chapters.heart.heart_sizes import (
    REGISTERED,
    SEGMENTED,
    WAYS,
    Hearts,
)
from experiments.progressive_exaggeration.chapters.heart.organ_masks import sizes_of
from experiments.progressive_exaggeration.chapters.heart.size_statistics import (
    MEASURES,
    AllSeries,
    Series,
    spoken,
)
from experiments.progressive_exaggeration.figures import drawn_series
from experiments.progressive_exaggeration.label_study import Subject, Sweeps
from experiments.shared import PaperReport

_SHARES = np.linspace(0, 1, 11)


def draw_sizes(
    report: PaperReport,
    series: AllSeries,
    desired: Float[np.ndarray, " k"],
    references: dict[str, tuple[float, float]],
    note: str,
) -> None:
    """Draws Figure 4a, for either measure, and 4b.

    Args:
        report: the figure is added to it.
        series: the series that are drawn.
        desired: the probability of each bin.
        references: by measure, the size of normal and of enlarged hearts.
        note: below the figure.
    """
    panels = []
    for measure in MEASURES:
        lines = [line for way in WAYS for line in _risen(way, series[way, measure], desired)]
        for name, size in zip(("true, normal", "true, enlarged"), references[measure], strict=True):
            lines.append(Line(name=name, x=desired, y=np.full(len(desired), size)))
        panels.append(
            CurvePanel(lines=lines, x_label="desired", y_label=spoken(measure), title="4a")
        )
    lines = [
        Line(name=name, x=np.quantile(sizes, _SHARES), y=_SHARES)
        for name, sizes in groups(series[SEGMENTED, MEASURES[0]]).items()
        if len(sizes)
    ]
    if lines:
        panels.append(
            CurvePanel(lines=lines, x_label=spoken(MEASURES[0]), y_label="share below", title="4b")
        )
    report.draw(
        "figure_4_heart.png",
        curve,
        panels,
        band="95 % bootstrap intervals over queries",
        note=note,
        caption="As the paper's Figure 4: (a) mean size of the heart in the explanations against"
        " the desired probability of cardiomegaly, and the mean true sizes of normal and enlarged"
        " hearts; (b) the sizes in four groups, segmented: real hearts that the classifier is sure"
        " of, and their explanations for the opposite.",
        alt="Line plots; where explanations show what cardiomegaly is, the first two rise.",
    )


def draw_sweeps(
    report: PaperReport,
    subject: Subject,
    sweeps: Sweeps,
    hearts: Hearts,
    num_shown: int,
    note: str,
) -> None:
    """Draws series of the first radiographs of either decision, registered hearts and sizes."""
    rows = sweeps.first(num_shown)
    report.draw(
        "figure_2_heart_sweeps.png",
        sweep_grid,
        drawn_series(sweeps, subject.queries, rows),
        class_name=subject.data.class_names[1],
        outlines=[heart_outlines(hearts, int(row)) for row in rows],
        outlined="the heart, and its area over that of the box around lungs and heart",
        note=note,
        caption="The series of some radiographs, as in the paper's Figure 2: hearts are outlined,"
        " segmented in the query and moved along by its registration to each explanation, with"
        " their sizes in parentheses.",
        alt="Grid: radiographs, and the same one drawn for rising probabilities of cardiomegaly,"
        " hearts outlined.",
    )


def heart_outlines(hearts: Hearts, row: int) -> Outlines:
    """The heart of a query and, by the paper's way, of its explanations."""
    query, explanations = hearts.queries[row], hearts.explanations[REGISTERED][row, :-1]
    sizes = sizes_of(explanations).area
    return Outlines(
        query=query[..., 1],
        images=explanations[..., 1],
        query_size=float(sizes_of(query).area),
        sizes=np.asarray(sizes),
    )


def _risen(way: str, series: Series, desired: Float[np.ndarray, " k"]) -> Iterator[Line]:
    """The mean size by bin, where there are enough queries for a band."""
    if series.number > 1:
        mean, low, high = np.transpose(
            [bootstrap_interval(sizes) for sizes in series.explanations.T]
        )
        yield Line(name=way, x=desired, y=mean, low=low, high=high)
