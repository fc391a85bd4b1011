"""Figures 1 to 7 of the paper in kind, overview grids, curves and the animation.

Which image a figure shows is decided by the order of the shuffled set and by the classifiers'
predictions alone, never by how the counterfactual looks. So Figures 4 and 5 show images that the
classifier gets wrong, where the paper shows counterfactuals with artefacts that its authors saw.
"""

import itertools
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

import numpy as np

from cfx_jax.counterfactuals import Counterfactual
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
from experiments.fundus_vce.localisation import Localised, change_map, threshold, vce_method
from experiments.fundus_vce.study import Study
from experiments.shared import PaperReport, decisions


class Gallery(NamedTuple):
    """The figures of counterfactuals, added to a report; ``quantile`` thresholds their maps."""

    report: PaperReport
    study: Study
    quantile: float

    def draw_numbered(self) -> list[str]:
        """Draws Figures 2 to 7; returns sentences about those without an image of their kind."""
        missing = []
        for number, (draw, row, subject) in self._subjects().items():
            if row is None:
                is_papers = self.study.data.published
                beginning = f"There is no Figure {number}: no" if is_papers else "No"
                missing.append(f"{beginning} test image is {subject}.")
            else:
                draw(number, row, subject)
        return list(dict.fromkeys(missing))

    def _subjects(self) -> dict[int, tuple[Callable[[int, int, str], None], int | None, str]]:
        """By number of the figure: how it is drawn, the image that it shows, and what that is."""
        explained, finding = self.study.explained, self.study.data.finding
        predicted, labels = explained.predicted("ensemble"), explained.images.labels
        healthy_name, finding_name = self._names[0], self._names[finding]

        def first(label: int, decided: int) -> int | None:
            rows = np.flatnonzero((labels == label) & (predicted == decided))
            return int(rows[0]) if len(rows) else None

        hit = f"an image of {finding_name}, rightly classified by the ensemble"
        missed = f"an image of {finding_name} that the ensemble takes for {healthy_name}"
        alarm = f"an image of {healthy_name} that the ensemble takes for {finding_name}"
        clear = f"an image of {healthy_name}, rightly classified by the ensemble"
        return {
            2: (self._draw_norms, first(finding, finding), hit),
            3: (self._draw_sweep, first(finding, finding), hit),
            4: (self._draw_norms, first(finding, 0), missed),
            5: (self._draw_norms, first(0, finding), alarm),
            6: (self._draw_sweep, first(0, 0), clear),
            7: (self._draw_sweep, first(finding, 0), missed),
        }

    def draw_overview(self) -> None:
        """Draws counterfactuals of every classifier and target, for a few images of each class."""
        labels, settings = self._sample_labels, self.study.config.explanations
        members = [np.flatnonzero(labels == label) for label in np.unique(labels)]
        shown = np.concatenate([rows[: settings.num_shown] for rows in members]).tolist()
        for name, (target, goal) in itertools.product(NAMES, enumerate(self._names)):
            self.report.draw(
                f"figure_overview_{name}_{target}.png",
                counterfactual_grid,
                [self._row(row, name, self._norm_panels(row, name, target)) for row in shown],
                title=f"{name} classifier, towards {goal}",
                caption=f"Counterfactuals of the {name} classifier towards {goal}.",
                alt=f"Grid: test images, their counterfactuals in norms {settings.norms}, and the"
                " differences.",
            )

    def draw_confidence(self) -> None:
        """Draws the ensemble's mean confidence in each target along the radius."""
        settings, images = self.study.config.explanations, self.study.explained.images
        radii, panels = (0.0, *settings.sweep), []
        for label, name in enumerate(self._names):
            rows = np.flatnonzero(self._sample_labels == label)
            groups = None if images.groups is None else images.groups[rows]
            lines = [
                _banded(f"towards {goal}", radii, self._confidences(target)[:, rows], groups)
                for target, goal in enumerate(self._names)
            ]
            panel = CurvePanel(
                lines=lines,
                x_label="ε",
                y_label="p(target)",
                title=f"images of {name}",
                y_range=(0.0, 1.02),
            )
            panels.append(panel)
        unit = "images" if images.groups is None else images.group_unit
        self.report.draw(
            "figure_confidence.png",
            curve,
            panels,
            band=f"95 % interval over {unit}",
            caption="Confidence of the ensemble in the target along the radius,"
            f" l{settings.norms[-1]:g}.",
            alt="Lines that rise from the original's probability towards 1 as the radius grows.",
        )

    def animate_radius(self) -> None:
        """Animates one image of each class towards the other class, and further into its own."""
        settings, explained = self.study.config.explanations, self.study.explained
        images, names, panels = explained.images, self._names, []
        for label, target in itertools.product(range(len(names)), repeat=2):
            row = int(np.flatnonzero(images.labels == label)[0])
            states = [explained.sweep[radius, target].image[row] for radius in settings.sweep]
            probabilities = self._confidences(target)[:, row]
            panel = AnimationPanel(
                frames=np.stack([images.arrays["image"][row], *map(np.asarray, states)]),
                title=f"{names[label]} → {names[target]}",
                captions=[f"p({names[target]}) = {value:.2f}" for value in probabilities],
            )
            panels.append(panel)
        norm = f"l{settings.norms[-1]:g}"
        self.report.draw(
            "animation_radius.gif",
            animate,
            panels,
            captions=[f"{norm}, ε = {radius:g}" for radius in (0, *settings.sweep)],
            frame_ms=500,
            smooth=True,
            caption="Counterfactuals of the ensemble along the radius.",
            alt="Images that morph into a class.",
        )

    @property
    def _names(self) -> tuple[str, ...]:
        return self.study.data.class_names

    @property
    def _sample_labels(self) -> np.ndarray:
        """The labels of the images that were chosen by their order alone."""
        explained = self.study.explained
        return explained.images.labels[: explained.sample]

    def _confidences(self, target: int) -> np.ndarray:
        """The ensemble's confidence in a target, at each image and along the sweep (radii, n)."""
        explained, radii = self.study.explained, self.study.config.explanations.sweep
        states = [explained.sweep[radius, target] for radius in radii]
        reached = [np.asarray(state.probability) for state in states]
        return np.stack([np.asarray(states[0].initial_probability), *reached])

    def _draw_norms(self, number: int, row: int, subject: str) -> None:
        """Draws an image's counterfactuals in all norms, towards both classes."""
        panels = [self._norm_panels(row, "ensemble", target) for target in self._targets]
        norms = ", ".join(f"l{p:g}" for p in self.study.config.explanations.norms)
        caption = f"its counterfactuals by the ensemble in {norms}, towards both classes"
        self._draw(number, row, panels, f"{subject}, and {caption}")

    def _draw_sweep(self, number: int, row: int, subject: str) -> None:
        """Draws an image's counterfactuals along the radius, towards both classes."""
        settings, swept = self.study.config.explanations, self.study.explained.sweep
        panels = [
            [
                self._panel(row, swept[radius, target], target, f"ε = {radius:g}")
                for radius in settings.sweep
            ]
            for target in self._targets
        ]
        norm = f"l{settings.norms[-1]:g}"
        caption = f"its {norm} counterfactuals by the ensemble with growing radius"
        self._draw(number, row, panels, f"{subject}, and {caption}, towards both classes")

    @property
    def _targets(self) -> tuple[int, ...]:
        """The targets, the finding first, as in the paper."""
        return tuple(reversed(range(len(self._names))))

    def _draw(
        self, number: int, row: int, panels: list[list[CounterfactualPanel]], caption: str
    ) -> None:
        """Draws one of the numbered figures, with a row of panels for each target."""
        self.report.draw(
            f"figure_{number}.png",
            counterfactual_grid,
            [self._row(row, "ensemble", towards) for towards in panels],
            caption=_captioned(number, self.study, f"{caption}."),
            alt="Grid: the original, counterfactuals with the confidence in their target,"
            " differences, and what was kept.",
        )

    def _norm_panels(self, row: int, name: str, target: int) -> list[CounterfactualPanel]:
        explained = self.study.explained
        return [
            self._panel(row, explained.vce[name, p, target], target, f"l{p:g}, ε = {radius:g}")
            for p, radius in explained.radii.items()
        ]

    def _panel(
        self, row: int, reached: Counterfactual, target: int, title: str
    ) -> CounterfactualPanel:
        arrays = self.study.explained.images.arrays
        image, changed = arrays["image"][row], np.asarray(reached.image[row])
        eye = arrays["eye_mask"][row] if "eye_mask" in arrays else np.ones(image.shape[:2], bool)
        change = change_map(image, changed)
        return CounterfactualPanel(
            image=changed,
            target=self._names[target],
            probability=float(reached.probability[row]),
            name=title,
            saliency=threshold(change[None], eye[None], self.quantile)[0],
        )

    def _row(self, row: int, name: str, panels: list[CounterfactualPanel]) -> CounterfactualRow:
        explained = self.study.explained
        arrays, probability = explained.images.arrays, explained.probability[name][row]
        predicted = int(decisions(probability))
        mask = arrays["lesion_mask"][row] if "lesion_mask" in arrays else None
        return CounterfactualRow(
            original=arrays["image"][row],
            label=self._names[int(arrays["label"][row])],
            predicted=self._names[predicted],
            probability=float(probability[predicted]),
            counterfactuals=panels,
            mask=mask if mask is not None and mask.any() else None,
        )


_IN_PLACE_OF = "counterfactuals with visible artefacts, of a rightly classified image"
_FAILURES = (4, 5)


def _captioned(number: int, study: Study, text: str) -> str:
    """A caption that says which of the paper's figures this is like, or stands in place of."""
    if not study.data.published:
        return text[0].upper() + text[1:]
    if number in _FAILURES:
        return f"In place of the paper's Figure {number} ({_IN_PLACE_OF}): {text}"
    return f"As the paper's Figure {number}: {text}"


def draw_figure_1(report: PaperReport, study: Study, localised: Localised) -> None:
    """Draws one image of the finding: the maps of every classifier, and their counterfactuals."""
    shown, words = localised.typical.row, localised.typical.words
    goal = study.data.class_names[study.data.finding]
    methods = (*localised.methods[:2], vce_method(localised.norm))
    report.draw(
        "figure_1_maps.png",
        saliency_grid,
        [_saliency_row(localised, shown, methods)],
        _columns(methods),
        caption=_captioned(
            1, study, f"thresholded maps towards {goal} of an image of {goal}, {words}."
        ),
        alt="One image with the outline of its lesions, and the pixels that each method keeps for"
        " each classifier.",
    )
    report.draw(
        "figure_1_counterfactuals.png",
        counterfactual_grid,
        [_counterfactual_row(study, localised, name) for name in NAMES],
        caption=_captioned(
            1,
            study,
            f"counterfactuals of that image towards {goal}, and the last maps, whose radius is"
            f" {localised.radii[localised.norm]:g}.",
        ),
        alt="One row for each classifier: the image, its counterfactual, the difference, the kept"
        " pixels.",
    )


def _counterfactual_row(study: Study, localised: Localised, name: str) -> CounterfactualRow:
    """The typical image, its counterfactual by one classifier, and its map."""
    norm, names, arrays = localised.norm, study.data.class_names, localised.images.arrays
    shown, goal = localised.typical.row, names[study.data.finding]
    reached, key = localised.typical.vce[name], (name, vce_method(norm))
    before = float(reached.initial_probability[0])
    panel = CounterfactualPanel(
        image=np.asarray(reached.image[0]),
        target=goal,
        probability=float(reached.probability[0]),
        name=f"l{norm:g}, ε = {study.explained.radii[norm]:g}",
        saliency=localised.kept[key][shown],
        iou=_share(localised.iou[key][shown]),
    )
    return CounterfactualRow(
        original=arrays["image"][shown],
        label=goal,
        predicted=goal if before > 0.5 else names[0],
        probability=max(before, 1 - before),
        counterfactuals=[panel],
        mask=arrays["lesion_mask"][shown],
        name=name,
    )


def draw_maps(report: PaperReport, study: Study, localised: Localised) -> None:
    """Draws the thresholded maps of every classifier and method for several images with lesions."""
    count = min(2 * study.config.explanations.num_shown, len(localised.images))
    methods, goal = localised.methods, study.data.class_names[study.data.finding]
    report.draw(
        "figure_maps.png",
        saliency_grid,
        [_saliency_row(localised, row, methods) for row in range(count)],
        _columns(methods),
        caption=f"Thresholded maps towards {goal}, with the outline of the lesions.",
        alt="Grid: images with lesions, and the pixels that each method keeps for each classifier.",
    )


def draw_tuning(report: PaperReport, study: Study, localised: Localised) -> None:
    """Draws the overlap on the tuning images at every threshold."""
    settings, curves = study.config.localisation, localised.tuned_quantiles
    lines = [Line(name=name, x=settings.quantiles, y=overlap) for name, overlap in curves.items()]
    report.draw(
        "figure_tuning.png",
        curve,
        [CurvePanel(lines=lines, x_label="quantile", y_label="mean IoU")],
        caption=f"Overlap on the {settings.num_tuning} tuning images against the threshold, mean"
        " over the classifiers; the counterfactuals with the radii chosen before.",
        alt="One line for each method.",
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
