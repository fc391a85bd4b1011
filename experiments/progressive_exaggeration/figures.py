"""The paper's figures in kind: sweeps, the compatibility curves, and the saliency of the two
extremes.

Which images a figure shows is decided by the order of the shuffled test set and the classifier's
decisions alone, never by how an explanation looks.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import numpy as np

from cfx_jax.metrics import compatibility_curve
from cfx_jax.report import CurvePanel, Line, Sweep, curve, sweep_grid, write_knob
from experiments.progressive_exaggeration.study import Study
from experiments.progressive_exaggeration.sweeps import Sweeps
from experiments.progressive_exaggeration.tables import ranges
from experiments.shared.image_set import ImageSet
from experiments.shared.presenter import Figure


class Gallery(NamedTuple):
    """What the figures are drawn from, and where to."""

    folder: Path
    study: Study

    def sweeps(self) -> list[Figure]:
        """The series of some queries by either method."""
        return [self._sweeps(number, each) for number, each in enumerate(self.study.sweeps)]

    def knob(self) -> Path:
        """The page on which a reader turns through the sweeps."""
        return write_knob(
            self.folder / "knob.html",
            self._shown(self.study.sweeps[0]),
            title=f"What would have to change: {self.study.data.class_names[1]}",
            class_names=self.study.data.class_names,
            note=self.study.data.note,
            smooth=True,
        )

    def compatibility(self) -> Figure:
        """Figure 3: the probability reached against the one asked for."""
        panels = [self._panel(each) for each in self.study.sweeps]
        path = self.folder / "figure_3_compatibility.png"
        curve(path, panels, note=self.study.data.note)
        return Figure(
            path,
            "As the paper's Figure 3: mean probability of the explanations against the desired one,"
            " by the probability of"
            " the query; the diagonal is perfect.",
            "Line plots that rise from the lower left to the upper right where the explainer"
            " obeys.",
        )

    def _sweeps(self, number: int, found: Sweeps) -> Figure:
        path = self.folder / f"figure_sweeps_{('ours', 'xgem')[number]}.png"
        sweep_grid(
            path,
            self._shown(found),
            class_name=self.study.data.class_names[1],
            note=self.study.data.note,
        )
        return Figure(
            path,
            f"The series of some test images by {found.name}.",
            "Grid: queries, and the same image drawn for rising probabilities.",
        )

    def _panel(self, found: Sweeps) -> CurvePanel:
        own, desired = np.asarray(found.found.probability), np.asarray(found.found.desired)
        achieved = np.asarray(found.found.probabilities)
        lines = [Line(name="perfect", x=desired[0], y=desired[0])]
        for low, high, chosen in ranges(own):
            if chosen.any():
                reached = compatibility_curve(desired[chosen].ravel(), achieved[chosen].ravel())
                lines.append(
                    Line(name=f"query {low:.1f} to {high:.1f}", x=reached.centre, y=reached.mean)
                )
        return CurvePanel(
            lines=lines,
            x_label="desired",
            y_label="achieved",
            title=found.name,
            y_range=(-0.02, 1.02),
        )

    def _shown(self, found: Sweeps) -> list[Sweep]:
        return shown(found, self.study.subject.queries, found.first(self.study.config.num_shown))


def shown(found: Sweeps, queries: ImageSet, rows: Iterable[int]) -> list[Sweep]:
    """Some queries' series as the figures and the knob take them."""
    return [
        Sweep(
            images=np.clip(np.asarray(found.found.images[row]), 0, 1),
            original=queries.read(np.array([row]))[0],
            probabilities=np.asarray(found.found.probabilities[row]),
            desired=np.asarray(found.found.desired[row]),
            source_bin=int(found.found.source_bin[row]),
            probability=float(found.found.probability[row]),
            name=f"test image {int(row) + 1}",
        )
        for row in rows
    ]
