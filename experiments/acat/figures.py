"""The paper's figures in kind: where ACAT looks, maps beside each other, the course of the
searches, counterfactuals.

Which scans are shown is decided by the order of those that the first run explains alone.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

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
from experiments.acat.detection import Shown
from experiments.acat.sources import DETECTORS
from experiments.acat.study import Study
from experiments.acat.tables import reached_by
from experiments.shared.presenter import Figure

_KEPT = 0.95  # quantile of a map above which its voxels are shown
_WHOLE = (-0.02, 1.02)  # of probabilities
_FINDING, _NONE = "finding", "no finding"
_BAND = "the middle 80 % of the positive test scans of all runs"


class Gallery(NamedTuple):
    """What the figures are drawn from, and where to."""

    folder: Path
    study: Study
    steps: tuple[float, ...]

    def attention(self) -> Figure:
        """Figure 2: the saliency map of a scan, and the masks that ACAT makes of it."""
        found = self.study.runs[0].attention
        rows = [
            SaliencyRow(
                original=_picture(found.image[place]),
                maps=[
                    SaliencyMap(values=each)
                    for each in (_highest(found.saliency[place]), *found.masks[place])
                ],
                mask=_or_none(found.lesion[place]),
                name=f"scan {place + 1}, slice {found.slices[place] + 1}",
            )
            for place in range(len(found.slices))
        ]
        columns = [MapColumn(model="saliency", method="highest 5 % of the slice")]
        columns += [
            MapColumn(model="masks of ACAT", method=name) for name in ("early", "middle", "late")
        ]
        path = self._path("2_attention")
        saliency_grid(path, rows, columns, style="heat", note=self.study.scans.note)
        return Figure(
            path,
            "As the paper's Figure 2: a positive test scan in the slice with most of the lesion (or"
            " the middle one,"
            " where that is not known), its class-agnostic map, and the masks after early, middle"
            " and late layers; of the"
            " first run.",
            "Grid: scans, the highest voxels of their saliency maps, and three masks, bright where"
            " features weigh more.",
        )

    def maps(self) -> Figure:
        """Figures 3 and 4: every method's map of a scan, the mean over its slices."""
        shown = self._shown
        rows = [
            SaliencyRow(
                original=_picture(shown.image[place]),
                maps=[SaliencyMap(values=each) for each in shown.maps[place]],
                mask=_or_none(shown.mask[place]),
                name=f"scan {place + 1}, slice {shown.slices[place] + 1}",
            )
            for place in range(len(shown.slices))
        ]
        columns = [MapColumn(model="baseline", method=method) for method in DETECTORS]
        path = self._path("3_maps")
        saliency_grid(path, rows, columns, style="heat", note=self.study.scans.note)
        return Figure(
            path,
            "As the paper's Figures 3 and 4: what each method holds for the finding, means over the"
            " slices of a scan,"
            " each on its own scale; beside them the slice with most of the lesion (or the middle"
            " one, where that is not"
            " known).",
            "Grid: scans, the lesion where it is known, and maps; bright where a method finds what"
            " matters.",
        )

    def searches(self) -> Figure:
        """Figure 5: the probability of the finding by the factor of latent shift, and while the
        search goes on.
        """
        trace, _, _ = reached_by(self.study)
        found = [run.detection for run in self.study.runs]
        factors, sweep = (
            np.concatenate([getattr(each, name) for each in found]) for name in ("factors", "sweep")
        )
        down = factors[0] > 0  # of the gradient of the probability of no finding
        panels = [
            CurvePanel(
                lines=_with_samples(np.log10(factors[0, down]), sweep[:, down]),
                x_label="log10 of -lambda",
                y_label="probability of the finding",
                title="latent shift",
                y_range=_WHOLE,
            ),
            CurvePanel(
                lines=_with_samples(np.arange(trace.shape[1]), trace),
                x_label="step",
                y_label="probability of the finding",
                title="latent counterfactuals",
                y_range=_WHOLE,
            ),
        ]
        path = self._path("5_searches")
        curve(path, panels, panel_size=(3.2, 2.4), band=_BAND, note=self.study.scans.note)
        return Figure(
            path,
            "As the paper's Figure 5: the probability of the finding by the factor lambda of latent"
            " shift, doubled from"
            " 1e-5 on, and during the search of latent counterfactuals, over all positive test"
            " scans, and of"
            " the first two of them.",
            "Two plots of falling lines: by the factor of latent shift, and by the step of the"
            " search.",
        )

    def walks(self) -> list[Figure]:
        """Figure 6: searches without a bound, of the first scan; none where no steps are asked for."""
        if not self.steps:
            return []
        shown = self._shown
        lines = [
            Line(name=f"h = -{step:g}", x=np.arange(len(values)), y=values)
            for step, values in zip(self.steps, shown.walk_traces[0], strict=True)
        ]
        panel = CurvePanel(
            lines=lines, x_label="step", y_label="probability of the finding", y_range=_WHOLE
        )
        traces, images = self._path("6_steps"), self._path("6_images")
        curve(traces, [panel], panel_size=(4.2, 2.4), note=self.study.scans.note)
        panels = [
            CounterfactualPanel(
                image=_picture(image),
                target=_NONE,
                probability=_share(1 - values.min()),
                name=f"h = -{step:g}",
            )
            for step, image, values in zip(
                self.steps, shown.walks[0], shown.walk_traces[0], strict=True
            )
        ]
        counterfactual_grid(images, [self._row(0, panels)], note=self.study.scans.note)
        return [
            Figure(
                traces,
                "As the paper's Figure 6, above: the probability of the finding of one scan along"
                " steps of several"
                " sizes h down its slope in latent space, without a bound on the change.",
                "Lines: the probability of the finding by step, one for each size of steps.",
            ),
            Figure(
                images,
                "As the paper's Figure 6, below: where that probability is lowest; cut to [0, 1],"
                " against the scan itself.",
                "Grid: a scan, its pictures by each size of steps, and their differences from it.",
            ),
        ]

    def counterfactuals(self) -> Figure:
        """Figure 7: scans with a finding, their counterfactuals without it, and where these differ."""
        shown, rows = self._shown, []
        for place in range(len(shown.slices)):
            panel = CounterfactualPanel(
                image=_picture(shown.counterfactual[place]),
                target=_NONE,
                probability=_share(1 - shown.trace[place, -1]),
                saliency=_highest(shown.change[place]),
            )
            rows.append(self._row(place, [panel]))
        path = self._path("7_counterfactuals")
        counterfactual_grid(path, rows, note=self.study.scans.note)
        return Figure(
            path,
            "As the paper's Figure 7: scans with a finding, latent counterfactuals without it (cut"
            " to [0, 1]), the"
            " difference from the scan itself, which also holds what the autoencoder does not draw,"
            " and the highest 5 % of"
            " the map.",
            "Grid: scans, counterfactuals, differences in red and blue, and regions of change over"
            " the scan.",
        )

    @property
    def _shown(self) -> Shown:
        return self.study.runs[0].detection.shown

    def _row(self, place: int, panels: Sequence[CounterfactualPanel]) -> CounterfactualRow:
        shown = self._shown
        return CounterfactualRow(
            original=_picture(shown.image[place]),
            label="",
            predicted=_FINDING,
            probability=_share(shown.initial[place]),
            counterfactuals=panels,
            mask=_or_none(shown.mask[place]),
            name=f"scan {place + 1}, slice {shown.slices[place] + 1}",
        )

    def _path(self, name: str) -> Path:
        return self.folder / f"figure_{name}_{self.study.scans.name}.png"


def _with_samples(x: Float[np.ndarray, " q"], values: Float[np.ndarray, "n q"]) -> list[Line]:
    """The median of values by x with a band, and the values of the first two scans."""
    low, middle, high = np.quantile(values, [0.1, 0.5, 0.9], axis=0)
    samples = [Line(name=f"scan {place + 1}", x=x, y=each) for place, each in enumerate(values[:2])]
    return [Line(name="median", x=x, y=middle, low=low, high=high), *samples]


def _picture(image: Float[np.ndarray, "h w"]) -> Float[np.ndarray, "h w 1"]:
    return np.clip(image, 0, 1).astype(np.float32)[..., None]


def _highest(saliency: Float[np.ndarray, "h w"]) -> Float[np.ndarray, "h w"]:
    """The voxels of a slice that are above its 95th percentile, the others as 0."""
    return np.where(saliency > np.quantile(saliency, _KEPT), saliency, 0)


def _or_none(mask: Float[np.ndarray, "h w"]) -> Float[np.ndarray, "h w"] | None:
    return mask if mask.any() else None


def _share(value: float) -> float:
    """A probability without what rounding leaves outside of [0, 1]."""
    return float(np.clip(value, 0, 1))
