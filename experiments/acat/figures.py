"""Figures after the paper's: ACAT's masks, maps beside each other, searches, counterfactuals.

The scans that are shown are the first of those that the first run explains.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from jaxtyping import Float

from cfx_jax.report import (
    CounterfactualPanel,
    CounterfactualRow,
    CurvePanel,
    Line,
    MapColumn,
    SaliencyMap,
    SaliencyRow,
    counterfactual_grid,
    curve,
    saliency_grid,
)
from experiments.acat.maps import METHODS, Shown
from experiments.acat.networks import MASKS
from experiments.acat.study import KindStudy
from experiments.shared import PaperReport

_KEPT = 0.95  # quantile of a map above which its voxels are shown
_PROBABILITIES = (-0.02, 1.02)  # the range of an axis
_FINDING, _NONE = "finding", "no finding"
_BAND = "the middle 80 % of the positive test scans of all runs"


def draw_attention(report: PaperReport, study: KindStudy) -> None:
    """Draws Figure 2: the saliency map of a scan, and the masks that ACAT makes of it."""
    attention = study.runs[0].attention
    rows = [
        _saliency_row(
            attention.image[place],
            [_keep_highest(attention.saliency[place]), *attention.masks[place]],
            attention.lesion[place],
            _name(place, attention.slices[place]),
        )
        for place in range(len(attention.slices))
    ]
    columns = [MapColumn(model="saliency", method="highest 5 % of the slice")]
    columns += [MapColumn(model="masks of ACAT", method=name) for name in MASKS]
    report.draw(
        f"figure_2_attention_{study.scans.name}.png",
        saliency_grid,
        rows,
        columns,
        style="heat",
        note=study.scans.note,
        caption="As the paper's Figure 2: a positive test scan in the slice with most of the lesion"
        " (or the middle one, where that is not known), its class-agnostic map, and the masks after"
        " early, middle and late layers; of the first run.",
        alt="Grid: scans, the highest voxels of their saliency maps, and three masks, bright where"
        " features weigh more.",
    )


def draw_maps(report: PaperReport, study: KindStudy) -> None:
    """Draws Figures 3 and 4: all methods' maps of a scan, the means over its slices."""
    shown = _shown(study)
    rows = [
        _saliency_row(
            shown.image[place],
            shown.maps[place],
            shown.mask[place],
            _name(place, shown.slices[place]),
        )
        for place in range(len(shown.slices))
    ]
    report.draw(
        f"figure_3_maps_{study.scans.name}.png",
        saliency_grid,
        rows,
        [MapColumn(model="baseline", method=method) for method in METHODS],
        style="heat",
        note=study.scans.note,
        caption="As the paper's Figures 3 and 4: what each method holds for the finding, means over"
        " the slices of a scan, each on its own scale; beside them the slice with most of the"
        " lesion (or the middle one, where that is not known).",
        alt="Grid: scans, the lesion where it is known, and maps; bright where a method finds what"
        " matters.",
    )


def draw_searches(report: PaperReport, study: KindStudy) -> None:
    """Draws Figure 5: the probability of the finding by the factor of latent shift, and by step."""
    trace, sweep = study.join_searches("trace"), study.join_searches("sweep")
    factors = study.join_searches("factors")[0]
    down = factors > 0  # of the gradient of the probability of no finding
    axes: dict[str, Any] = {"y_label": "probability of the finding", "y_range": _PROBABILITIES}
    panels = [
        CurvePanel(
            lines=_lines(np.log10(factors[down]), sweep[:, down]),
            x_label="log10 of -lambda",
            title="latent shift",
            **axes,
        ),
        CurvePanel(
            lines=_lines(np.arange(trace.shape[1]), trace),
            x_label="step",
            title="latent counterfactuals",
            **axes,
        ),
    ]
    report.draw(
        f"figure_5_searches_{study.scans.name}.png",
        curve,
        panels,
        panel_size=(3.2, 2.4),
        band=_BAND,
        note=study.scans.note,
        caption="As the paper's Figure 5: the probability of the finding by the factor lambda of"
        " latent shift, doubled from 1e-5 on, and during the search of latent counterfactuals, over"
        " all positive test scans, and of the first two of them.",
        alt="Two plots of falling lines: by the factor of latent shift, and by the step of the"
        " search.",
    )


def draw_walks(report: PaperReport, study: KindStudy, steps: Sequence[float]) -> None:
    """Draws Figure 6: steps without a bound, of the first scan; nothing without sizes of steps."""
    if not steps:
        return
    shown = _shown(study)
    walks = list(zip(steps, shown.walks[0], shown.walk_traces[0], strict=True))
    lines = [
        Line(name=f"h = -{step:g}", x=np.arange(len(values)), y=values) for step, _, values in walks
    ]
    panel = CurvePanel(
        lines=lines, x_label="step", y_label="probability of the finding", y_range=_PROBABILITIES
    )
    report.draw(
        f"figure_6_steps_{study.scans.name}.png",
        curve,
        [panel],
        panel_size=(4.2, 2.4),
        note=study.scans.note,
        caption="As the paper's Figure 6, above: the probability of the finding of one scan along"
        " steps of several sizes h down its slope in latent space, without a bound on the change.",
        alt="Lines: the probability of the finding by step, one for each size of steps.",
    )
    panels = [
        CounterfactualPanel(
            image=_picture(image),
            target=_NONE,
            probability=_clip(1 - values.min()),
            name=f"h = -{step:g}",
        )
        for step, image, values in walks
    ]
    report.draw(
        f"figure_6_images_{study.scans.name}.png",
        counterfactual_grid,
        [_counterfactual_row(shown, 0, panels)],
        note=study.scans.note,
        caption="As the paper's Figure 6, below: where that probability is lowest; cut to [0, 1],"
        " against the scan itself.",
        alt="Grid: a scan, its pictures by each size of steps, and their differences from it.",
    )


def draw_counterfactuals(report: PaperReport, study: KindStudy) -> None:
    """Draws Figure 7: scans with a finding, counterfactuals without it, and their differences."""
    shown, rows = _shown(study), []
    for place in range(len(shown.slices)):
        panel = CounterfactualPanel(
            image=_picture(shown.counterfactual[place]),
            target=_NONE,
            probability=_clip(1 - shown.trace[place, -1]),
            saliency=_keep_highest(shown.change[place]),
        )
        rows.append(_counterfactual_row(shown, place, [panel]))
    report.draw(
        f"figure_7_counterfactuals_{study.scans.name}.png",
        counterfactual_grid,
        rows,
        note=study.scans.note,
        caption="As the paper's Figure 7: scans with a finding, latent counterfactuals without it"
        " (cut to [0, 1]), the difference from the scan itself, which also holds what the"
        " autoencoder does not draw, and the highest 5 % of the map.",
        alt="Grid: scans, counterfactuals, differences in red and blue, and regions of change over"
        " the scan.",
    )


def _shown(study: KindStudy) -> Shown:
    return study.runs[0].detection.shown


def _name(place: int, number: int) -> str:
    return f"scan {place + 1}, slice {number + 1}"


def _saliency_row(
    image: Float[np.ndarray, "h w"],
    maps: Sequence[Float[np.ndarray, "h w"]],
    lesion: Float[np.ndarray, "h w"],
    name: str,
) -> SaliencyRow:
    return SaliencyRow(
        original=_picture(image),
        maps=[SaliencyMap(values=values) for values in maps],
        mask=_mask(lesion),
        name=name,
    )


def _counterfactual_row(
    shown: Shown, place: int, panels: Sequence[CounterfactualPanel]
) -> CounterfactualRow:
    return CounterfactualRow(
        original=_picture(shown.image[place]),
        label="",
        predicted=_FINDING,
        probability=_clip(shown.initial[place]),
        counterfactuals=panels,
        mask=_mask(shown.mask[place]),
        name=_name(place, shown.slices[place]),
    )


def _lines(x: Float[np.ndarray, " q"], values: Float[np.ndarray, "n q"]) -> list[Line]:
    """The median of values by x with a band, and the values of the first two scans."""
    low, middle, high = np.quantile(values, [0.1, 0.5, 0.9], axis=0)
    samples = [Line(name=f"scan {place + 1}", x=x, y=scan) for place, scan in enumerate(values[:2])]
    return [Line(name="median", x=x, y=middle, low=low, high=high), *samples]


def _picture(image: Float[np.ndarray, "h w"]) -> Float[np.ndarray, "h w 1"]:
    return np.clip(image, 0, 1).astype(np.float32)[..., None]


def _keep_highest(saliency: Float[np.ndarray, "h w"]) -> Float[np.ndarray, "h w"]:
    """The voxels of a slice that are above its 95th percentile, the others as 0."""
    return np.where(saliency > np.quantile(saliency, _KEPT), saliency, 0)


def _mask(lesion: Float[np.ndarray, "h w"]) -> Float[np.ndarray, "h w"] | None:
    return lesion if lesion.any() else None


def _clip(probability: float) -> float:
    """A probability without what rounding leaves outside of [0, 1]."""
    return float(np.clip(probability, 0, 1))
