"""The paper's Figures 1 to 7 in kind, overview grids, curves and the animation.

Which image a figure shows is decided by the order of the shuffled set and by the ensemble's prediction alone, never by
how the counterfactual looks.
"""

import itertools
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from cfx_jax.attributions import vce_saliency
from cfx_jax.counterfactuals import Counterfactual
from cfx_jax.maps import channel_sum
from cfx_jax.metrics.statistics import bootstrap_interval
from cfx_jax.report import (
    AnimationPanel,
    CounterfactualPanel,
    CounterfactualRow,
    CurvePanel,
    Line,
    MapColumn,
    SaliencyMap,
    SaliencyRow,
    animate,
    counterfactual_grid,
    curve,
    saliency_grid,
)
from experiments.fundus_vce.config import Config
from experiments.fundus_vce.data import Data
from experiments.fundus_vce.explain import Studied
from experiments.fundus_vce.localise import Localised, threshold, vce_method
from experiments.fundus_vce.search import part_of
from experiments.fundus_vce.train import NAMES
from experiments.presenter import Figure


class Gallery(NamedTuple):
    """What the figures are drawn from, and where to."""

    folder: Path
    config: Config
    data: Data
    studied: Studied

    def numbered(self) -> list[Figure]:
        """Figures 2 to 7; one that needs an image which does not exist is left out."""
        finding, predicted = self.data.finding, self.studied.predicted("ensemble")
        labels, named = self.studied.images.labels, self.data.class_names
        right = [int(row) for row in np.flatnonzero((labels == finding) & (predicted == finding))]
        healthy = [int(row) for row in np.flatnonzero((labels != finding) & (predicted == labels))]
        missed = [int(row) for row in np.flatnonzero((labels == finding) & (predicted != finding))]
        what = {
            2: (self._norms, right[:1], f"an image of {named[finding]}, rightly classified"),
            3: (self._sweep, right[:1], f"an image of {named[finding]}, rightly classified"),
            4: (self._norms, right[1:2], f"a second image of {named[finding]}"),
            5: (self._norms, right[2:3], f"a third image of {named[finding]}"),
            6: (self._sweep, healthy[:1], f"an image of {named[0]}, rightly classified"),
            7: (self._sweep, missed[:1], f"an image of {named[finding]} that the ensemble takes for {named[0]}"),
        }
        return [draw(number, rows[0], subject) for number, (draw, rows, subject) in what.items() if rows]

    def overview(self) -> list[Figure]:
        """The counterfactuals of every classifier towards every class, for a few images of each class."""
        labels, count = self.studied.images.labels, self.config.explanations.num_shown
        shown = np.concatenate([np.flatnonzero(labels == label)[:count] for label in np.unique(labels)])
        found = []
        for name, (target, goal) in itertools.product(NAMES, enumerate(self.data.class_names)):
            rows = [self._row(int(each), name, self._norm_panels(int(each), name, target)) for each in shown]
            path = self.folder / f"figure_overview_{name}_{target}.png"
            counterfactual_grid(path, rows, title=f"{name} classifier, towards {goal}", note=self.data.note)
            alt = f"Grid: test images, their counterfactuals in norms {self.config.explanations.norms}, and the differences."
            found.append(Figure(path, f"Counterfactuals of the {name} classifier towards {goal}.", alt))
        return found

    def confidence(self) -> Figure:
        """The ensemble's mean confidence in each target along the radius."""
        settings, labels = self.config.explanations, self.studied.images.labels
        panels = []
        for label, name in enumerate(self.data.class_names):
            lines = []
            for target, goal in enumerate(self.data.class_names):
                found = [self.studied.sweep[radius, target] for radius in settings.sweep]
                chosen = labels == label
                start = np.asarray(found[0].initial_probability)[chosen]
                values = [start, *(np.asarray(each.probability)[chosen] for each in found)]
                lines.append(_banded(f"towards {goal}", (0.0, *settings.sweep), values))
            title = f"images of {name}"
            panels.append(CurvePanel(lines=lines, x_label="ε", y_label="p(target)", title=title, y_range=(0.0, 1.02)))
        path = self.folder / "figure_confidence.png"
        curve(path, panels, band="95 % bootstrap interval over images", note=self.data.note)
        norm = settings.norms[-1]
        return Figure(
            path,
            f"Confidence of the ensemble in the target along the radius, l{norm:g}.",
            "Lines that rise from the original's probability towards 1 as the radius grows.",
        )

    def morph(self) -> Figure:
        """The ensemble's counterfactuals of one image of each class towards the other, and further into its own."""
        settings, labels, panels = self.config.explanations, self.studied.images.labels, []
        names = self.data.class_names
        for label, target in itertools.product(range(len(names)), repeat=2):
            row = int(np.flatnonzero(labels == label)[0])
            states = [self.studied.sweep[radius, target] for radius in settings.sweep]
            original = self.studied.images.arrays["image"][row]
            start = float(states[0].initial_probability[row])
            probabilities = [start, *(float(state.probability[row]) for state in states)]
            panels.append(
                AnimationPanel(
                    frames=np.stack([original, *(np.asarray(state.image[row]) for state in states)]),
                    title=f"{names[label]} → {names[target]}",
                    captions=[f"p({names[target]}) = {each:.2f}" for each in probabilities],
                )
            )
        captions = [f"l{settings.norms[-1]:g}, ε = {radius:g}" for radius in (0, *settings.sweep)]
        path = self.folder / "animation_radius.gif"
        animate(path, panels, captions=captions, frame_ms=500, smooth=True, note=self.data.note)
        return Figure(path, "Counterfactuals of the ensemble along the radius.", "Images that morph into a class.")

    def _norms(self, number: int, row: int, subject: str) -> Figure:
        rows = [self._row(row, "ensemble", self._norm_panels(row, "ensemble", target)) for target in self._targets]
        norms = ", ".join(f"l{p:g}" for p in self.config.explanations.norms)
        return self._drawn(number, rows, f"{subject}: counterfactuals of the ensemble in {norms}, towards both classes")

    def _sweep(self, number: int, row: int, subject: str) -> Figure:
        settings = self.config.explanations
        rows = [
            self._row(
                row,
                "ensemble",
                [
                    self._panel(row, self.studied.sweep[each, target], target, f"ε = {each:g}")
                    for each in settings.sweep
                ],
            )
            for target in self._targets
        ]
        what = f"l{settings.norms[-1]:g} counterfactuals of the ensemble with growing radius, towards both classes"
        return self._drawn(number, rows, f"{subject}: {what}")

    @property
    def _targets(self) -> tuple[int, ...]:
        """The finding first, as in the paper."""
        return tuple(reversed(range(len(self.data.class_names))))

    def _drawn(self, number: int, rows: Sequence[CounterfactualRow], caption: str) -> Figure:
        path = self.folder / f"figure_{number}.png"
        counterfactual_grid(path, rows, note=self.data.note)
        alt = "Grid: the original, counterfactuals with the confidence in their target, differences, and what was kept."
        return Figure(path, f"As the paper's Figure {number}, {caption}.", alt)

    def _norm_panels(self, row: int, name: str, target: int) -> list[CounterfactualPanel]:
        settings = self.config.explanations
        return [
            self._panel(row, self.studied.vce[name, p, target], target, f"l{p:g}, ε = {radius:g}")
            for p, radius in zip(settings.norms, settings.radii, strict=True)
        ]

    def _panel(self, row: int, found: Counterfactual, target: int, title: str) -> CounterfactualPanel:
        arrays = self.studied.images.arrays
        image, changed = arrays["image"][row], np.asarray(found.image[row])
        eye = arrays["eye_mask"][row] if "eye_mask" in arrays else np.ones(image.shape[:2], bool)
        change = np.asarray(channel_sum(vce_saliency(image, changed)))
        return CounterfactualPanel(
            image=changed,
            target=self.data.class_names[target],
            probability=float(found.probability[row]),
            name=title,
            saliency=threshold(change[None], eye[None], self.config.localisation.quantile_vce)[0],
        )

    def _row(self, row: int, name: str, panels: list[CounterfactualPanel]) -> CounterfactualRow:
        arrays, probability = self.studied.images.arrays, self.studied.probability[name][row]
        predicted = int(probability.argmax())
        return CounterfactualRow(
            original=arrays["image"][row],
            label=self.data.class_names[int(arrays["label"][row])],
            predicted=self.data.class_names[predicted],
            probability=float(probability[predicted]),
            counterfactuals=panels,
            mask=arrays["lesion_mask"][row] if "lesion_mask" in arrays and arrays["lesion_mask"][row].any() else None,
        )


def figure_1(folder: Path, data: Data, localised: Localised) -> list[Figure]:
    """One image of the finding: the maps of every classifier, and the counterfactuals that they come from."""
    image, mask = localised.images.arrays["image"][0], localised.images.arrays["lesion_mask"][0]
    sparse = next(iter(localised.radii))
    methods = (*localised.methods[:2], vce_method(sparse))
    maps = _saliency_row(localised, 0, methods)
    path = folder / "figure_1_maps.png"
    saliency_grid(path, [maps], _columns(methods), note=data.note)
    goal, rows = data.class_names[data.finding], []
    for name in NAMES:
        found = part_of(localised.vce[name, sparse], slice(0, 1))
        panel = CounterfactualPanel(
            image=np.asarray(found.image[0]),
            target=goal,
            probability=float(found.probability[0]),
            name=f"l{sparse:g}, ε = {localised.radii[sparse]:g}",
            saliency=localised.kept[name, vce_method(sparse)][0],
            iou=_share(localised.iou[name, vce_method(sparse)][0]),
        )
        before = float(found.initial_probability[0])
        rows.append(
            CounterfactualRow(
                original=image,
                label=goal,
                predicted=goal,
                probability=before,
                counterfactuals=[panel],
                mask=mask,
                name=name,
            )
        )
    changed = folder / "figure_1_counterfactuals.png"
    counterfactual_grid(changed, rows, note=data.note)
    return [
        Figure(path, f"As the paper's Figure 1: thresholded maps towards {goal} of one image.",
               "One image with the outline of its lesions, and the pixels that each method keeps for each classifier."),
        Figure(changed, f"As the paper's Figure 1: the counterfactuals towards {goal} behind the last maps.",
               "One row for each classifier: the image, its counterfactual, the difference, the kept pixels."),
    ]  # fmt: skip


def maps_figure(folder: Path, data: Data, localised: Localised, *, count: int) -> Figure:
    """The thresholded maps of every classifier and method for several images with lesions."""
    rows = [_saliency_row(localised, row, localised.methods) for row in range(min(count, len(localised.images)))]
    path = folder / "figure_maps.png"
    saliency_grid(path, rows, _columns(localised.methods), note=data.note)
    return Figure(
        path,
        f"Thresholded maps towards {data.class_names[data.finding]}, with the outline of the lesions.",
        "Grid: images with lesions, and the pixels that each method keeps for each classifier.",
    )


def tuning_figure(folder: Path, config: Config, data: Data, localised: Localised) -> Figure:
    """The overlap on the tuning images at every threshold."""
    quantiles = config.localisation.quantiles
    lines = [Line(name=method, x=quantiles, y=values) for method, values in localised.tuned_quantiles.items()]
    path = folder / "figure_tuning.png"
    curve(path, [CurvePanel(lines=lines, x_label="quantile", y_label="mean IoU")], note=data.note)
    return Figure(
        path,
        f"Overlap on the {config.localisation.num_tuning} tuning images against the threshold, mean over the classifiers.",
        "One line for each method.",
    )


def _saliency_row(localised: Localised, row: int, methods: Sequence[str]) -> SaliencyRow:
    arrays = localised.images.arrays
    maps = [
        SaliencyMap(values=localised.kept[key][row].astype(float), iou=_share(localised.iou[key][row]))
        for key in itertools.product(NAMES, methods)
    ]
    return SaliencyRow(original=arrays["image"][row], maps=maps, mask=arrays["lesion_mask"][row])


def _columns(methods: Sequence[str]) -> list[MapColumn]:
    return [MapColumn(model=name, method=method) for name, method in itertools.product(NAMES, methods)]


def _banded(name: str, x: Sequence[float], values: Sequence[np.ndarray]) -> Line:
    found = [bootstrap_interval(each) for each in values]
    estimate, low, high = zip(*found, strict=True)
    return Line(name=name, x=x, y=estimate, low=low, high=high)


def _share(value: float) -> float | None:
    return None if np.isnan(value) else float(value)
