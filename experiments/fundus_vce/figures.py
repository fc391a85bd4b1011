"""Figures 1 to 7 of the paper in kind, overview grids, curves and the animation.

Which image a figure shows is decided by the order of the shuffled set and by the classifiers'
predictions alone, never by how the counterfactual looks. So Figures 4 and 5 show images that the
classifier gets wrong, where the paper shows counterfactuals with artefacts that its authors saw.
"""

import itertools
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from cfx_jax.attributions import vce_saliency
from cfx_jax.counterfactuals import Counterfactual
from cfx_jax.maps import channel_sum
from cfx_jax.metrics import bootstrap_interval
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
from experiments.fundus_vce.classifiers import NAMES
from experiments.fundus_vce.config import Config
from experiments.fundus_vce.counterfactuals import Explained, select
from experiments.fundus_vce.data import Data
from experiments.fundus_vce.localisation import Localised, threshold, vce_method
from experiments.shared import Figure, decisions


class Gallery(NamedTuple):
    """The figures of counterfactuals, drawn into a folder; ``quantile`` thresholds their maps."""

    folder: Path
    config: Config
    data: Data
    explained: Explained
    quantile: float

    def numbered(self) -> tuple[list[Figure], list[str]]:
        """Draws Figures 2 to 7; those without an image of their kind are sentences instead."""
        drawn, missing = [], []
        for number, (draw, row, subject) in self._subjects().items():
            if row is None:
                beginning = f"There is no Figure {number}: no" if self.data.published else "No"
                missing.append(f"{beginning} test image is {subject}.")
            else:
                drawn.append(draw(number, row, subject))
        return drawn, list(dict.fromkeys(missing))

    def _subjects(self) -> dict[int, tuple[Callable[[int, int, str], Figure], int | None, str]]:
        """By number of the figure: how it is drawn, the image that it shows, and what that is."""
        finding, predicted = self.data.finding, self.explained.predicted("ensemble")
        labels, named = self.explained.images.labels, self.data.class_names

        def first(label: int, decided: int) -> int | None:
            rows = np.flatnonzero((labels == label) & (predicted == decided))
            return int(rows[0]) if len(rows) else None

        hit = f"an image of {named[finding]}, rightly classified by the ensemble"
        missed = f"an image of {named[finding]} that the ensemble takes for {named[0]}"
        alarm = f"an image of {named[0]} that the ensemble takes for {named[finding]}"
        clear = f"an image of {named[0]}, rightly classified by the ensemble"
        return {
            2: (self._draw_norms, first(finding, finding), hit),
            3: (self._draw_sweep, first(finding, finding), hit),
            4: (self._draw_norms, first(finding, 0), missed),
            5: (self._draw_norms, first(0, finding), alarm),
            6: (self._draw_sweep, first(0, 0), clear),
            7: (self._draw_sweep, first(finding, 0), missed),
        }

    def overview(self) -> list[Figure]:
        """Draws counterfactuals of every classifier and target, for a few images of each class."""
        labels, count = self._sample_labels, self.config.explanations.num_shown
        shown = np.concatenate(
            [np.flatnonzero(labels == label)[:count] for label in np.unique(labels)]
        )
        alt = (
            "Grid: test images, their counterfactuals in norms"
            f" {self.config.explanations.norms}, and the differences."
        )
        figures = []
        for name, (target, goal) in itertools.product(NAMES, enumerate(self.data.class_names)):
            rows = [
                self._row(row, name, self._norm_panels(row, name, target)) for row in shown.tolist()
            ]
            path, title = self.folder / f"figure_overview_{name}_{target}.png", f"{name} classifier"
            counterfactual_grid(path, rows, title=f"{title}, towards {goal}", note=self.data.note)
            caption = f"Counterfactuals of the {title} towards {goal}."
            figures.append(Figure(path, caption, alt))
        return figures

    def confidence(self) -> Figure:
        """Draws the ensemble's mean confidence in each target along the radius."""
        settings, images = self.config.explanations, self.explained.images
        radii, panels = (0.0, *settings.sweep), []
        for label, name in enumerate(self.data.class_names):
            rows = np.flatnonzero(self._sample_labels == label)
            groups = None if images.groups is None else images.groups[rows]
            lines = [
                _banded(f"towards {goal}", radii, self._confidences(target)[:, rows], groups)
                for target, goal in enumerate(self.data.class_names)
            ]
            panel = CurvePanel(
                lines=lines,
                x_label="ε",
                y_label="p(target)",
                title=f"images of {name}",
                y_range=(0.0, 1.02),
            )
            panels.append(panel)
        path = self.folder / "figure_confidence.png"
        unit = "images" if images.groups is None else images.group_unit
        curve(path, panels, band=f"95 % interval over {unit}", note=self.data.note)
        norm = settings.norms[-1]
        return Figure(
            path,
            f"Confidence of the ensemble in the target along the radius, l{norm:g}.",
            "Lines that rise from the original's probability towards 1 as the radius grows.",
        )

    def morph(self) -> Figure:
        """Animates one image of each class towards the other class, and further into its own."""
        settings, images, panels = self.config.explanations, self.explained.images, []
        names = self.data.class_names
        for label, target in itertools.product(range(len(names)), repeat=2):
            row = int(np.flatnonzero(images.labels == label)[0])
            states = [self.explained.sweep[radius, target].image[row] for radius in settings.sweep]
            probabilities = self._confidences(target)[:, row]
            panel = AnimationPanel(
                frames=np.stack([images.arrays["image"][row], *map(np.asarray, states)]),
                title=f"{names[label]} → {names[target]}",
                captions=[f"p({names[target]}) = {value:.2f}" for value in probabilities],
            )
            panels.append(panel)
        captions = [f"l{settings.norms[-1]:g}, ε = {radius:g}" for radius in (0, *settings.sweep)]
        path = self.folder / "animation_radius.gif"
        animate(path, panels, captions=captions, frame_ms=500, smooth=True, note=self.data.note)
        return Figure(
            path,
            "Counterfactuals of the ensemble along the radius.",
            "Images that morph into a class.",
        )

    def _confidences(self, target: int) -> np.ndarray:
        """The ensemble's confidence in a target, at each image and along the sweep (radii, n)."""
        found = [self.explained.sweep[radius, target] for radius in self.config.explanations.sweep]
        after = [np.asarray(one.probability) for one in found]
        return np.stack([np.asarray(found[0].initial_probability), *after])

    @property
    def _sample_labels(self) -> np.ndarray:
        """The labels of the images that were chosen by their order alone."""
        return self.explained.images.labels[: self.explained.sample]

    def _draw_norms(self, number: int, row: int, subject: str) -> Figure:
        """Draws an image's counterfactuals in all norms, towards both classes."""
        panels = [self._norm_panels(row, "ensemble", target) for target in self._targets]
        norms = ", ".join(f"l{p:g}" for p in self.config.explanations.norms)
        caption = f"its counterfactuals by the ensemble in {norms}, towards both classes"
        return self._draw(number, row, panels, f"{subject}, and {caption}")

    def _draw_sweep(self, number: int, row: int, subject: str) -> Figure:
        """Draws an image's counterfactuals along the radius, towards both classes."""
        settings, swept = self.config.explanations, self.explained.sweep
        panels = [
            [
                self._panel(row, swept[radius, target], target, f"ε = {radius:g}")
                for radius in settings.sweep
            ]
            for target in self._targets
        ]
        caption = (
            f"its l{settings.norms[-1]:g} counterfactuals by the ensemble with growing radius,"
            " towards both classes"
        )
        return self._draw(number, row, panels, f"{subject}, and {caption}")

    @property
    def _targets(self) -> tuple[int, ...]:
        """The targets, the finding first, as in the paper."""
        return tuple(reversed(range(len(self.data.class_names))))

    def _draw(
        self, number: int, row: int, panels: list[list[CounterfactualPanel]], caption: str
    ) -> Figure:
        """Draws one of the numbered figures, with a row of panels for each target."""
        path = self.folder / f"figure_{number}.png"
        rows = [self._row(row, "ensemble", towards) for towards in panels]
        counterfactual_grid(path, rows, note=self.data.note)
        alt = (
            "Grid: the original, counterfactuals with the confidence in their target, differences,"
            " and what was kept."
        )
        return Figure(path, _captioned(number, self.data, f"{caption}."), alt)

    def _norm_panels(self, row: int, name: str, target: int) -> list[CounterfactualPanel]:
        return [
            self._panel(row, self.explained.vce[name, p, target], target, f"l{p:g}, ε = {radius:g}")
            for p, radius in self.explained.radii.items()
        ]

    def _panel(
        self, row: int, found: Counterfactual, target: int, title: str
    ) -> CounterfactualPanel:
        arrays = self.explained.images.arrays
        image, changed = arrays["image"][row], np.asarray(found.image[row])
        eye = arrays["eye_mask"][row] if "eye_mask" in arrays else np.ones(image.shape[:2], bool)
        change = np.asarray(channel_sum(vce_saliency(image, changed)))
        return CounterfactualPanel(
            image=changed,
            target=self.data.class_names[target],
            probability=float(found.probability[row]),
            name=title,
            saliency=threshold(change[None], eye[None], self.quantile)[0],
        )

    def _row(self, row: int, name: str, panels: list[CounterfactualPanel]) -> CounterfactualRow:
        arrays, probability = self.explained.images.arrays, self.explained.probability[name][row]
        predicted = int(decisions(probability))
        mask = arrays["lesion_mask"][row] if "lesion_mask" in arrays else None
        return CounterfactualRow(
            original=arrays["image"][row],
            label=self.data.class_names[int(arrays["label"][row])],
            predicted=self.data.class_names[predicted],
            probability=float(probability[predicted]),
            counterfactuals=panels,
            mask=mask if mask is not None and mask.any() else None,
        )


_IN_PLACE_OF = "counterfactuals with visible artefacts, of a rightly classified image"
_FAILURES = (4, 5)


def _captioned(number: int, data: Data, text: str) -> str:
    """A caption that says which of the paper's figures this is like, or stands in place of."""
    if not data.published:
        return text[0].upper() + text[1:]
    if number in _FAILURES:
        return f"In place of the paper's Figure {number} ({_IN_PLACE_OF}): {text}"
    return f"As the paper's Figure {number}: {text}"


def typical_image(localised: Localised) -> tuple[int, str]:
    """The scored image that Figure 1 shows, and whether it is rightly classified, in words.

    The first that all classifiers take for the finding, as in the paper; where there is none, the
    first that the ensemble does; else the first.
    """
    norm = next(iter(localised.radii))
    hits = {name: np.asarray(localised.vce[name, norm].initial_probability) > 0.5 for name in NAMES}
    for names, words in (
        (NAMES, "rightly classified by all classifiers"),
        (("ensemble",), "which the ensemble gets right"),
    ):
        rows = np.flatnonzero(np.all([hits[name] for name in names], axis=0))
        if len(rows):
            return int(rows[0]), words
    return 0, "which the ensemble gets wrong, as it does all that were scored"


def draw_figure_1(folder: Path, data: Data, localised: Localised) -> list[Figure]:
    """Draws one image of the finding: the maps of every classifier, and their counterfactuals."""
    shown, words = typical_image(localised)
    goal, methods = data.class_names[data.finding], localised.methods[:2]
    methods = (*methods, vce_method(localised.norm))
    path = folder / "figure_1_maps.png"
    maps = _saliency_row(localised, shown, methods)
    saliency_grid(path, [maps], _columns(methods), note=data.note)
    changed = folder / "figure_1_counterfactuals.png"
    rows = [_counterfactual_row(data, localised, shown, name) for name in NAMES]
    counterfactual_grid(changed, rows, note=data.note)
    return [
        Figure(
            path,
            _captioned(1, data, f"thresholded maps towards {goal} of an image of {goal}, {words}."),
            "One image with the outline of its lesions, and the pixels that each method keeps for"
            " each classifier.",
        ),
        Figure(
            changed,
            _captioned(
                1, data, f"the counterfactuals of that image towards {goal} behind the last maps."
            ),
            "One row for each classifier: the image, its counterfactual, the difference, the kept"
            " pixels.",
        ),
    ]


def _counterfactual_row(
    data: Data, localised: Localised, shown: int, name: str
) -> CounterfactualRow:
    """A scored image and its counterfactual by one classifier, in the chosen norm."""
    norm, goal = localised.norm, data.class_names[data.finding]
    found = select(localised.vce[name, norm], slice(shown, shown + 1))
    before = float(found.initial_probability[0])
    key = name, vce_method(norm)
    panel = CounterfactualPanel(
        image=np.asarray(found.image[0]),
        target=goal,
        probability=float(found.probability[0]),
        name=f"l{norm:g}, ε = {localised.radii[norm]:g}",
        saliency=localised.kept[key][shown],
        iou=_share(localised.iou[key][shown]),
    )
    return CounterfactualRow(
        original=localised.images.arrays["image"][shown],
        label=goal,
        predicted=goal if before > 0.5 else data.class_names[0],
        probability=max(before, 1 - before),
        counterfactuals=[panel],
        mask=localised.images.arrays["lesion_mask"][shown],
        name=name,
    )


def draw_maps(folder: Path, data: Data, localised: Localised, *, count: int) -> Figure:
    """Draws the thresholded maps of every classifier and method for several images with lesions."""
    shown, methods = range(min(count, len(localised.images))), localised.methods
    path, goal = folder / "figure_maps.png", data.class_names[data.finding]
    rows = [_saliency_row(localised, row, methods) for row in shown]
    saliency_grid(path, rows, _columns(methods), note=data.note)
    return Figure(
        path,
        f"Thresholded maps towards {goal}, with the outline of the lesions.",
        "Grid: images with lesions, and the pixels that each method keeps for each classifier.",
    )


def draw_tuning(folder: Path, config: Config, data: Data, localised: Localised) -> Figure:
    """Draws the overlap on the tuning images at every threshold."""
    settings, curves = config.localisation, localised.tuned_quantiles
    lines = [Line(name=name, x=settings.quantiles, y=overlap) for name, overlap in curves.items()]
    path = folder / "figure_tuning.png"
    curve(path, [CurvePanel(lines=lines, x_label="quantile", y_label="mean IoU")], note=data.note)
    return Figure(
        path,
        f"Overlap on the {settings.num_tuning} tuning images against the threshold, mean over the"
        f" classifiers; the counterfactuals with the radii chosen before.",
        "One line for each method.",
    )


def _saliency_row(localised: Localised, row: int, methods: Sequence[str]) -> SaliencyRow:
    arrays, kept, iou = localised.images.arrays, localised.kept, localised.iou
    maps = [
        SaliencyMap(values=kept[key][row].astype(float), iou=_share(iou[key][row]))
        for key in itertools.product(NAMES, methods)
    ]
    return SaliencyRow(original=arrays["image"][row], maps=maps, mask=arrays["lesion_mask"][row])


def _columns(methods: Sequence[str]) -> list[MapColumn]:
    return [
        MapColumn(model=name, method=method) for name, method in itertools.product(NAMES, methods)
    ]


def _banded(
    name: str, x: Sequence[float], values: Iterable[np.ndarray], groups: np.ndarray | None
) -> Line:
    """A line of means with a band of their intervals."""
    intervals = [bootstrap_interval(one, groups=groups, bounds=(0.0, 1.0)) for one in values]
    estimate, low, high = zip(*intervals, strict=True)
    return Line(name=name, x=x, y=estimate, low=low, high=high)


def _share(value: float) -> float | None:
    return None if np.isnan(value) else float(value)
