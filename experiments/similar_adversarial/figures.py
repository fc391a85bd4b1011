"""The paper's Figures 2 to 4 in kind. Which images they show is decided by the order of the
shuffled test set alone.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np
from jaxtyping import Bool, Float
from scipy import ndimage

from cfx_jax.callables import as_pytree, call
from cfx_jax.metrics import above_percentile, psnr
from cfx_jax.parallel import map_examples
from cfx_jax.report import (
    CounterfactualPanel,
    CounterfactualRow,
    MapColumn,
    SaliencyMap,
    SaliencyRow,
    counterfactual_grid,
    saliency_grid,
)
from experiments.charachon.attributions import (
    AVERAGED,
    BBMP,
    GRAD_CAM,
    GRADIENT,
    INTEGRATED_GRADIENTS,
    MASK_GENERATOR,
    PERCEPTUAL,
)
from experiments.charachon.classifier import Network
from experiments.charachon.images import Data
from experiments.shared.presenter import Figure
from experiments.similar_adversarial.config import Config
from experiments.similar_adversarial.rows import NAIVE, OURS
from experiments.similar_adversarial.study import Localised, Study

_SHOWN = (
    GRADIENT,
    INTEGRATED_GRADIENTS,
    GRAD_CAM,
    BBMP,
    PERCEPTUAL,
    MASK_GENERATOR,
    NAIVE,
    OURS,
    OURS + AVERAGED,
)
_THRESHOLD = 95.0


class Gallery(NamedTuple):
    """What the figures are drawn from, and where to."""

    folder: Path
    config: Config
    data: Data
    network: Network
    study: Study

    def pairs(self, name: str) -> Figure:
        """Images with the similar and the adversarial image of one generator, as Figure 2."""
        arrays, positions = self.data.test.arrays, self._shown()
        images = arrays["image"][positions]
        pair = map_examples(call, as_pytree(self.study.generators[name].explain), images)
        truth = arrays["counterfactual"][positions] if "counterfactual" in arrays else None
        masks = None if self.data.annotation is None else arrays[self.data.annotation][positions]
        rows = []
        for row, image in enumerate(images):
            # The naive generator's similar image is the image itself.
            generated = {} if name == NAIVE else {"similar": pair.similar[row]}
            generated["adversarial"] = pair.adversarial[row]
            if truth is not None:
                generated["true counterfactual"] = truth[row]
            mask = masks[row] if masks is not None and masks[row].any() else None
            rows.append(self._row(image, int(arrays["label"][positions[row]]), generated, mask))
        path = self.folder / f"figure_2_{'naive' if name == NAIVE else 'pairs'}.png"
        counterfactual_grid(path, rows, note=self.data.note)
        return Figure(
            path,
            f"As the paper's Figure 2: test images and what {name} makes of them, with the"
            f" probability of"
            f" {self.data.class_names[-1]} and the PSNR to the original.",
            "Grid: originals, generated images with probabilities, and their differences from the"
            " original.",
        )

    def maps(self) -> list[Figure]:
        """Maps of several methods, raw and thresholded, for one marked region and for several, as
        Figures 3 and 4.
        """
        localised = self.study.localised
        assert localised is not None
        regions = np.array([ndimage.label(each)[1] for each in localised.annotation])
        chosen = {3: regions == 1, 4: regions > 1}
        what = {3: "one marked region", 4: "several marked regions"}
        found = []
        for number, fits in chosen.items():
            rows = np.flatnonzero(fits)[: self.config.num_shown]
            if len(rows):
                found += [
                    self._maps(localised, number, rows, style, what[number])
                    for style in ("heat", "overlay")
                ]
        return found

    def _maps(
        self, localised: Localised, number: int, rows: np.ndarray, style: str, subject: str
    ) -> Figure:
        path = self.folder / f"figure_{number}_{style}.png"
        columns = [MapColumn(model="", method=name) for name in _SHOWN]
        drawn = [_map_row(localised, int(row), style, _SHOWN) for row in rows]
        saliency_grid(path, drawn, columns, style=style, note=self.data.note)
        how = "raw" if style == "heat" else f"the pixels from percentile {_THRESHOLD:g} up"
        return Figure(
            path,
            f"As the paper's Figure {number}: maps of images with {subject}, {how}.",
            "Grid: images with their annotation, and one map for each method.",
        )

    def _shown(self) -> np.ndarray:
        """The first test images of the finding, then as many of the other class."""
        labels, count = self.data.test.labels, max(1, self.config.num_shown // 2)
        return np.concatenate(
            [np.flatnonzero(labels == label)[:count] for label in (self.data.finding, 0)]
        )

    def _row(
        self,
        image: Float[np.ndarray, "h w c"],
        label: int,
        generated: dict[str, np.ndarray],
        mask: Bool[np.ndarray, "h w"] | None,
    ) -> CounterfactualRow:
        goal = self.data.class_names[self.data.finding]
        panels = [
            CounterfactualPanel(
                image=np.asarray(each),
                target=goal,
                probability=self._probability(each),
                name=f"{name}, {float(psnr(image, each)):.1f} dB",
            )
            for name, each in generated.items()
        ]
        return CounterfactualRow(
            original=image,
            label=self.data.class_names[label],
            predicted=goal,
            probability=self._probability(image),
            counterfactuals=panels,
            mask=mask,
        )

    def _probability(self, image: Any) -> float:
        """The classifier's probability of the finding."""
        return float(jax.nn.softmax(self.network.classifier(image))[self.data.finding])


def _map_row(localised: Localised, row: int, style: str, names: Sequence[str]) -> SaliencyRow:
    maps = []
    for name in names:
        values = localised.maps[name].values[row]
        kept = above_percentile(values, _THRESHOLD)
        iou = (kept & localised.annotation[row]).sum() / (kept | localised.annotation[row]).sum()
        shown = kept.astype(float) if style == "overlay" else values
        maps.append(SaliencyMap(values=shown, iou=float(iou) if style == "overlay" else None))
    return SaliencyRow(
        original=localised.images.arrays["image"][row], maps=maps, mask=localised.annotation[row]
    )
