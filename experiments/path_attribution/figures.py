"""The paper's Figures 1 and 2 in kind, all maps, and the generated images.

Which images a figure shows is decided by the order of the shuffled test set, the labels and the
classifier's decisions alone, never by how a map looks.
"""

from pathlib import Path
from typing import NamedTuple

import numpy as np
from jaxtyping import Int

from cfx_jax.callables import call
from cfx_jax.metrics import above_percentile, intersection_over_union
from cfx_jax.parallel import map_examples
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
from experiments.charachon.images import Data
from experiments.path_attribution.config import Config
from experiments.path_attribution.faithfulness import Faithfulness
from experiments.path_attribution.published import GENERATORS, METHODS, STATE_OF_THE_ART, VARIANTS
from experiments.path_attribution.study import Study
from experiments.shared.image_set import probabilities
from experiments.shared.presenter import Figure

_REGULARISED = "v2,k"
_WITHOUT_ANNOTATION = 95.0  # percentile of the maps shown where no table names one


class Gallery(NamedTuple):
    """What the figures are drawn from, and where to."""

    folder: Path
    config: Config
    data: Data
    study: Study

    def maps(self) -> Figure:
        """Figure 1: the difference and its regularised weighting for both generators."""
        columns = [
            (generator, variant) for generator in GENERATORS for variant in ("E", _REGULARISED)
        ]
        rows = [
            self._saliency_row(
                row, [SaliencyMap(values=self.study.maps[f"{g} {v}"][row]) for g, v in columns]
            )
            for row in self._shown()
        ]
        path = self.folder / "figure_1_maps.png"
        saliency_grid(
            path,
            rows,
            [MapColumn(model=g, method=v) for g, v in columns],
            style="heat",
            note=self.data.note,
        )
        return Figure(
            path,
            f"As the paper's Figure 1: the difference E and the regularised map {_REGULARISED} of"
            f" CyCE and SyCE.",
            "Grid: images of the finding, where it is, and four maps of each.",
        )

    def all_maps(self) -> Figure:
        """The highest pixels of every map of Table 1."""
        percentile = max(self.study.percentiles, default=_WITHOUT_ANNOTATION)
        kept = {
            method: above_percentile(self.study.maps[method][self._shown()], percentile)
            for method in METHODS
        }
        rows = []
        for number, row in enumerate(self._shown()):
            mask = self._mask(row)
            maps = []
            for method in METHODS:
                shown = kept[method][number]
                iou = None if mask is None else float(intersection_over_union(shown, mask))
                maps.append(SaliencyMap(values=shown.astype(float), iou=iou))
            rows.append(self._saliency_row(row, maps))
        path = self.folder / "figure_all_maps.png"
        saliency_grid(path, rows, [_column(method) for method in METHODS], note=self.data.note)
        return Figure(
            path,
            f"The pixels at or above percentile {percentile:g} of every map of Table 1.",
            "Grid: images of the finding, and the pixels that each method keeps.",
        )

    def pairs(self) -> Figure:
        """The adversaries of every generator, and the one that overwrites regions."""
        rows, shown = [], self._shown()
        panels = {name: self._adversaries(name, shown) for name in self.study.pairs}
        for number, row in enumerate(shown):
            predicted = int(self.study.explained.predicted[row])
            probability = float(self.study.explained.probability[row])
            rows.append(
                CounterfactualRow(
                    original=self.study.explained.images.arrays["image"][row],
                    label=self.data.class_names[int(self.study.explained.images.labels[row])],
                    predicted=self.data.class_names[predicted],
                    probability=probability if predicted == self.data.finding else 1 - probability,
                    counterfactuals=[each[number] for each in panels.values()],
                    mask=self._mask(row),
                )
            )
        path = self.folder / "figure_generated.png"
        counterfactual_grid(path, rows, note=self.data.note)
        return Figure(
            path,
            "Adversarial images x_a of every generator. The last is the independent adversary,"
            " whose regions overwrite those"
            " of the image in Table 2 and Figure 2; no map is made from it.",
            "Grid: images of the finding, their adversaries, and the differences.",
        )

    def perturbation(self, found: Faithfulness) -> Figure:
        """Figure 2: the AOPC of every method, less that of random maps."""
        panels = [
            _panel(found, generator, [f"{generator} {variant}" for variant in VARIANTS])
            for generator in GENERATORS
        ]
        best = [
            f"{generator} {variant}" for generator in GENERATORS for variant in ("E", _REGULARISED)
        ]
        panels.append(_panel(found, "state of the art", [*STATE_OF_THE_ART, *best]))
        path = self.folder / "figure_2_aopc.png"
        curve(path, panels, note=self.data.note)
        images = len(found.predicted)
        return Figure(
            path,
            f"As the paper's Figure 2: AOPC less that of random maps, mean over {images} images;"
            f" higher is better.",
            "Three plots of lines that rise with the number of overwritten regions and fall again"
            " towards its end.",
        )

    def _shown(self) -> Int[np.ndarray, " m"]:
        """Images of the finding that the classifier sees, with an annotation where there are any."""
        explained, finding = self.study.explained, self.data.finding
        rows = explained.localised if len(explained.localised) else np.arange(len(explained.images))
        right = rows[
            (explained.predicted[rows] == finding) & (explained.images.labels[rows] == finding)
        ]
        return (right if len(right) else rows)[: self.config.num_shown]

    def _mask(self, row: int) -> np.ndarray | None:
        """The annotation of an image that has one."""
        if self.data.annotation is None:
            return None
        mask = self.study.explained.images.arrays[self.data.annotation][row]
        return mask if mask.any() else None

    def _saliency_row(self, row: int, maps: list[SaliencyMap]) -> SaliencyRow:
        return SaliencyRow(
            original=self.study.explained.images.arrays["image"][row],
            maps=maps,
            mask=self._mask(row),
        )

    def _adversaries(self, name: str, rows: Int[np.ndarray, " m"]) -> list[CounterfactualPanel]:
        """What one generator makes of some images, with the classifier's opinion."""
        images, predicted = (
            self.study.pairs[name].adversarial[rows],
            self.study.explained.predicted[rows],
        )
        found = probabilities(map_examples(call, self.study.network.classifier, images))
        return [
            CounterfactualPanel(
                image=image,
                target=self.data.class_names[1 - own],
                probability=float(each[1 - own]),
                name=name if each[1 - own] >= 0.5 else f"{name}, not turned over",
            )
            for image, own, each in zip(images, predicted, found, strict=True)
        ]


def _panel(found: Faithfulness, title: str, methods: list[str]) -> CurvePanel:
    lines = [
        Line(name=each, x=found.regions, y=found.above_random(each).mean(axis=0))
        for each in methods
    ]
    return CurvePanel(
        lines=lines, x_label="regions overwritten", y_label="AOPC less random", title=title
    )


def _column(method: str) -> MapColumn:
    """Maps of generators share a heading."""
    for generator in GENERATORS:
        if method.startswith(generator):
            return MapColumn(model=generator, method=method.removeprefix(f"{generator} "))
    return MapColumn(model="state of the art", method=method)
