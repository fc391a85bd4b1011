"""The paper's Figures 1 to 7 in kind, overview grids, curves and the animation.

Which image a figure shows is decided by the order of the shuffled set and by the classifiers'
predictions alone, never by how the counterfactual looks. So Figures 4 and 5 show images that the
classifier gets wrong, where the paper shows counterfactuals with artefacts that its authors saw.
"""

import itertools
from collections.abc import Callable, Sequence
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
from experiments.fundus_vce.config import Config
from experiments.fundus_vce.data import Data
from experiments.fundus_vce.explain import Studied
from experiments.fundus_vce.localise import Localised, threshold, vce_method
from experiments.fundus_vce.search import part_of
from experiments.fundus_vce.train import NAMES
from experiments.shared.image_set import decisions
from experiments.shared.presenter import Figure


class Gallery(NamedTuple):
    """What the figures are drawn from, and where to."""

    folder: Path
    config: Config
    data: Data
    studied: Studied
    quantile: float

    def numbered(self) -> tuple[list[Figure], list[str]]:
        """Figures 2 to 7, and sentences about those that are left out since no studied image is of
        their kind.
        """
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
        finding, predicted = self.data.finding, self.studied.predicted("ensemble")
        labels, named = self.studied.images.labels, self.data.class_names

        def first(label: int, decided: int) -> int | None:
            rows = np.flatnonzero((labels == label) & (predicted == decided))
            return int(rows[0]) if len(rows) else None

        right = f"an image of {named[finding]}, rightly classified by the ensemble"
        missed = f"an image of {named[finding]} that the ensemble takes for {named[0]}"
        alarm = f"an image of {named[0]} that the ensemble takes for {named[finding]}"
        return {
            2: (self._norms, first(finding, finding), right),
            3: (self._sweep, first(finding, finding), right),
            4: (self._norms, first(finding, 0), missed),
            5: (self._norms, first(0, finding), alarm),
            6: (
                self._sweep,
                first(0, 0),
                f"an image of {named[0]}, rightly classified by the ensemble",
            ),
            7: (self._sweep, first(finding, 0), missed),
        }

    def overview(self) -> list[Figure]:
        """The counterfactuals of every classifier towards every class, for a few images of each
        class.
        """
        labels, count = self._sample_labels, self.config.explanations.num_shown
        shown = np.concatenate(
            [np.flatnonzero(labels == label)[:count] for label in np.unique(labels)]
        )
        found = []
        for name, (target, goal) in itertools.product(NAMES, enumerate(self.data.class_names)):
            rows = [
                self._row(int(each), name, self._norm_panels(int(each), name, target))
                for each in shown
            ]
            path = self.folder / f"figure_overview_{name}_{target}.png"
            counterfactual_grid(
                path, rows, title=f"{name} classifier, towards {goal}", note=self.data.note
            )
            alt = f"Grid: test images, their counterfactuals in norms {self.config.explanations.norms}, and the differences."
            found.append(
                Figure(path, f"Counterfactuals of the {name} classifier towards {goal}.", alt)
            )
        return found

    def confidence(self) -> Figure:
        """The ensemble's mean confidence in each target along the radius."""
        settings, labels = self.config.explanations, self._sample_labels
        images = self.studied.images
        panels = []
        for label, name in enumerate(self.data.class_names):
            lines = []
            for target, goal in enumerate(self.data.class_names):
                found = [self.studied.sweep[radius, target] for radius in settings.sweep]
                chosen = np.flatnonzero(labels == label)
                start = np.asarray(found[0].initial_probability)[chosen]
                values = [start, *(np.asarray(each.probability)[chosen] for each in found)]
                groups = None if images.groups is None else images.groups[chosen]
                lines.append(_banded(f"towards {goal}", (0.0, *settings.sweep), values, groups))
            title = f"images of {name}"
            panels.append(
                CurvePanel(
                    lines=lines, x_label="ε", y_label="p(target)", title=title, y_range=(0.0, 1.02)
                )
            )
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
        """The ensemble's counterfactuals of one image of each class towards the other, and further
        into its own.
        """
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
                    frames=np.stack(
                        [original, *(np.asarray(state.image[row]) for state in states)]
                    ),
                    title=f"{names[label]} → {names[target]}",
                    captions=[f"p({names[target]}) = {each:.2f}" for each in probabilities],
                )
            )
        captions = [f"l{settings.norms[-1]:g}, ε = {radius:g}" for radius in (0, *settings.sweep)]
        path = self.folder / "animation_radius.gif"
        animate(path, panels, captions=captions, frame_ms=500, smooth=True, note=self.data.note)
        return Figure(
            path,
            "Counterfactuals of the ensemble along the radius.",
            "Images that morph into a class.",
        )

    @property
    def _sample_labels(self) -> np.ndarray:
        """Of the images that were chosen by their order alone."""
        return self.studied.images.labels[: self.studied.sample]

    def _norms(self, number: int, row: int, subject: str) -> Figure:
        rows = [
            self._row(row, "ensemble", self._norm_panels(row, "ensemble", target))
            for target in self._targets
        ]
        norms = ", ".join(f"l{p:g}" for p in self.config.explanations.norms)
        return self._drawn(
            number,
            rows,
            f"{subject}, and its counterfactuals by the ensemble in {norms}, towards both classes",
        )

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
        what = f"its l{settings.norms[-1]:g} counterfactuals by the ensemble with growing radius, towards both classes"
        return self._drawn(number, rows, f"{subject}, and {what}")

    @property
    def _targets(self) -> tuple[int, ...]:
        """The finding first, as in the paper."""
        return tuple(reversed(range(len(self.data.class_names))))

    def _drawn(self, number: int, rows: Sequence[CounterfactualRow], caption: str) -> Figure:
        path = self.folder / f"figure_{number}.png"
        counterfactual_grid(path, rows, note=self.data.note)
        alt = "Grid: the original, counterfactuals with the confidence in their target, differences, and what was kept."
        return Figure(path, _captioned(number, self.data, f"{caption}."), alt)

    def _norm_panels(self, row: int, name: str, target: int) -> list[CounterfactualPanel]:
        return [
            self._panel(row, self.studied.vce[name, p, target], target, f"l{p:g}, ε = {radius:g}")
            for p, radius in self.studied.radii.items()
        ]

    def _panel(
        self, row: int, found: Counterfactual, target: int, title: str
    ) -> CounterfactualPanel:
        arrays = self.studied.images.arrays
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
        arrays, probability = self.studied.images.arrays, self.studied.probability[name][row]
        predicted = int(decisions(probability))
        return CounterfactualRow(
            original=arrays["image"][row],
            label=self.data.class_names[int(arrays["label"][row])],
            predicted=self.data.class_names[predicted],
            probability=float(probability[predicted]),
            counterfactuals=panels,
            mask=arrays["lesion_mask"][row]
            if "lesion_mask" in arrays and arrays["lesion_mask"][row].any()
            else None,
        )


_IN_PLACE_OF = {
    4: "counterfactuals with visible artefacts, of a rightly classified image",
    5: "counterfactuals with visible artefacts, of a rightly classified image",
}


def _captioned(number: int, data: Data, text: str) -> str:
    """A caption that begins with the paper's figure, and with what that shows where ours is another
    kind of failure.
    """
    if not data.published:
        return text[0].upper() + text[1:]
    if number in _IN_PLACE_OF:
        return f"In place of the paper's Figure {number} ({_IN_PLACE_OF[number]}): {text}"
    return f"As the paper's Figure {number}: {text}"


def typical_image(localised: Localised) -> tuple[int, str]:
    """The scored image that Figure 1 shows, and whether it is rightly classified, in words.

    The first that all classifiers take for the finding, as in the paper; where there is none, the
    first that the ensemble does; else the first.
    """
    norm = next(iter(localised.radii))
    right = {
        name: np.asarray(localised.vce[name, norm].initial_probability) > 0.5 for name in NAMES
    }
    for names, words in (
        (NAMES, "rightly classified by all classifiers"),
        (("ensemble",), "which the ensemble gets right"),
    ):
        rows = np.flatnonzero(np.all([right[name] for name in names], axis=0))
        if len(rows):
            return int(rows[0]), words
    return 0, "which the ensemble gets wrong, as it does all that were scored"


def figure_1(folder: Path, data: Data, localised: Localised) -> list[Figure]:
    """One image of the finding: the maps of every classifier, and the counterfactuals that they
    come from.
    """
    shown, words = typical_image(localised)
    image, mask = (
        localised.images.arrays["image"][shown],
        localised.images.arrays["lesion_mask"][shown],
    )
    norm = localised.norm
    methods = (*localised.methods[:2], vce_method(norm))
    maps = _saliency_row(localised, shown, methods)
    path = folder / "figure_1_maps.png"
    saliency_grid(path, [maps], _columns(methods), note=data.note)
    goal, rows = data.class_names[data.finding], []
    for name in NAMES:
        found = part_of(localised.vce[name, norm], slice(shown, shown + 1))
        before = float(found.initial_probability[0])
        panel = CounterfactualPanel(
            image=np.asarray(found.image[0]),
            target=goal,
            probability=float(found.probability[0]),
            name=f"l{norm:g}, ε = {localised.radii[norm]:g}",
            saliency=localised.kept[name, vce_method(norm)][shown],
            iou=_share(localised.iou[name, vce_method(norm)][shown]),
        )
        rows.append(
            CounterfactualRow(
                original=image,
                label=goal,
                predicted=goal if before > 0.5 else data.class_names[0],
                probability=max(before, 1 - before),
                counterfactuals=[panel],
                mask=mask,
                name=name,
            )
        )
    changed = folder / "figure_1_counterfactuals.png"
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


def maps_figure(folder: Path, data: Data, localised: Localised, *, count: int) -> Figure:
    """The thresholded maps of every classifier and method for several images with lesions."""
    rows = [
        _saliency_row(localised, row, localised.methods)
        for row in range(min(count, len(localised.images)))
    ]
    path = folder / "figure_maps.png"
    saliency_grid(path, rows, _columns(localised.methods), note=data.note)
    return Figure(
        path,
        f"Thresholded maps towards {data.class_names[data.finding]}, with the outline of the"
        f" lesions.",
        "Grid: images with lesions, and the pixels that each method keeps for each classifier.",
    )


def tuning_figure(folder: Path, config: Config, data: Data, localised: Localised) -> Figure:
    """The overlap on the tuning images at every threshold."""
    quantiles = config.localisation.quantiles
    lines = [
        Line(name=method, x=quantiles, y=values)
        for method, values in localised.tuned_quantiles.items()
    ]
    path = folder / "figure_tuning.png"
    curve(path, [CurvePanel(lines=lines, x_label="quantile", y_label="mean IoU")], note=data.note)
    return Figure(
        path,
        f"Overlap on the {config.localisation.num_tuning} tuning images against the threshold, mean"
        f" over the classifiers;"
        " the counterfactuals with the radii chosen before.",
        "One line for each method.",
    )


def _saliency_row(localised: Localised, row: int, methods: Sequence[str]) -> SaliencyRow:
    arrays = localised.images.arrays
    maps = [
        SaliencyMap(
            values=localised.kept[key][row].astype(float), iou=_share(localised.iou[key][row])
        )
        for key in itertools.product(NAMES, methods)
    ]
    return SaliencyRow(original=arrays["image"][row], maps=maps, mask=arrays["lesion_mask"][row])


def _columns(methods: Sequence[str]) -> list[MapColumn]:
    return [
        MapColumn(model=name, method=method) for name, method in itertools.product(NAMES, methods)
    ]


def _banded(
    name: str, x: Sequence[float], values: Sequence[np.ndarray], groups: np.ndarray | None
) -> Line:
    found = [bootstrap_interval(each, groups=groups, bounds=(0.0, 1.0)) for each in values]
    estimate, low, high = zip(*found, strict=True)
    return Line(name=name, x=x, y=estimate, low=low, high=high)


def _share(value: float) -> float | None:
    return None if np.isnan(value) else float(value)
