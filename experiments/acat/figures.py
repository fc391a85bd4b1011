"""The paper's figures in kind: counterfactuals, maps beside each other, and the course of the searches.

Which scans are shown is decided by the order of those that the first run explains alone.
"""

from pathlib import Path
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int

from cfx_jax.report import CurvePanel, Line, MapColumn, SaliencyMap, SaliencyRow, curve, saliency_grid
from experiments.acat.sources import DETECTORS
from experiments.acat.study import Study
from experiments.presenter import Figure


class Gallery(NamedTuple):
    """What the figures are drawn from, and where to."""

    folder: Path
    study: Study
    num_shown: int

    def maps(self) -> Figure:
        """Figures 2 and 6: the slice of each scan in which most is to be found, and every method's map of it."""
        path, run = self.folder / f"figure_maps_{self.study.scans.name}.png", self.study.runs[0]
        rows = [self._row(place) for place in range(min(self.num_shown, len(run.detection.scans["image"])))]
        columns = [MapColumn(model="baseline", method=method) for method in DETECTORS]
        saliency_grid(path, rows, columns, style="heat", note=self.study.scans.note)
        return Figure(
            path,
            "What each method holds for the finding, in the slice where most of it is (or the middle one, where that is not"
            " known); maps of whole scans, each on its own scale.",
            "Grid: scans with the outline of the lesion, and maps; bright where a method finds what matters.",
        )

    def searches(self) -> Figure:
        """Figure 5: the probability of the finding while the search goes on, and what the best latent shift reaches."""
        path = self.folder / f"figure_5_searches_{self.study.scans.name}.png"
        trace = np.concatenate([run.detection.trace for run in self.study.runs])
        shifted = np.concatenate([run.detection.shifted for run in self.study.runs])
        steps = np.arange(trace.shape[1])
        low, middle, high = np.quantile(trace, [0.1, 0.5, 0.9], axis=0)
        lines = [
            Line(name="latent counterfactuals, median and 80 %", x=steps, y=middle, low=low, high=high),
            Line(name="best latent shift, median", x=steps, y=np.full(len(steps), np.median(shifted))),
        ]
        panel = CurvePanel(
            lines=lines, x_label="step", y_label="probability of the finding", title="", y_range=(-0.02, 1.02)
        )
        curve(path, [panel], panel_size=(4.2, 2.6), note=self.study.scans.note)
        return Figure(
            path,
            "As the paper's Figure 5: the probability of the finding during the search, over all positive test scans.",
            "A line that falls, and a level line for latent shift.",
        )

    def _row(self, place: int) -> SaliencyRow:
        found = self.study.runs[0].detection
        image, masks = found.scans["image"][place], found.scans.get("lesion_mask")
        shown = _fullest(None if masks is None else masks[place], len(image))
        return SaliencyRow(
            original=np.clip(image[shown], 0, 1),
            maps=[SaliencyMap(values=found.maps[method][place, shown]) for method in DETECTORS],
            mask=None if masks is None else masks[place, shown],
            name=f"scan {place + 1}, slice {shown + 1}",
        )


def _fullest(mask: Float[np.ndarray, "s h w"] | None, num_slices: int) -> int:
    """The slice with most of the mask, or the middle one."""
    if mask is None or not np.any(mask):
        return num_slices // 2
    areas: Int[np.ndarray, " s"] = np.asarray(mask).sum(axis=(1, 2))
    return int(areas.argmax())
