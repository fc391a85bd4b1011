"""The paper's Figures 2 to 4 in kind.

Which images they show is decided by the order of the shuffled test set alone.
"""

import itertools
from typing import Any

import jax
import numpy as np
from jaxtyping import Bool, Float
from scipy import ndimage

from cfx_jax.metrics import above_percentile, psnr
from cfx_jax.parallel import apply_to_examples
from cfx_jax.report import (
    CounterfactualPanel,
    CounterfactualRow,
    MapColumn,
    SaliencyMap,
    SaliencyRow,
    counterfactual_grid,
    saliency_grid,
)
from experiments import charachon_shared
from experiments.shared import PaperReport
from experiments.similar_adversarial.compared_generators import NAIVE, OURS
from experiments.similar_adversarial.study import Marked, Study

_SHOWN = (
    charachon_shared.GRADIENT,
    charachon_shared.INTEGRATED_GRADIENTS,
    charachon_shared.GRAD_CAM,
    charachon_shared.BBMP,
    charachon_shared.PERCEPTUAL,
    charachon_shared.MASK_GENERATOR,
    NAIVE,
    OURS,
    OURS + charachon_shared.AVERAGED,
)
_THRESHOLD = 95.0


def draw_pairs(report: PaperReport, study: Study, name: str) -> None:
    """Draws images with the similar and the adversarial image of one generator, as Figure 2."""
    data, rows = study.setup.data, []
    arrays, positions = data.test.arrays, _choose_images(study)
    images = arrays["image"][positions]
    pair = apply_to_examples(study.first.generators[name].explain, images)
    for number, (image, position) in enumerate(zip(images, positions, strict=True)):
        # The naive generator's similar image is the image itself.
        generated = {} if name == NAIVE else {"similar": pair.similar[number]}
        generated["adversarial"] = pair.adversarial[number]
        if "counterfactual" in arrays:
            generated["true counterfactual"] = arrays["counterfactual"][position]
        mask = None if data.annotation is None else arrays[data.annotation][position]
        mask = mask if mask is not None and mask.any() else None
        rows.append(_pair_row(study, image, int(arrays["label"][position]), generated, mask))
    report.draw(
        f"figure_2_{'naive' if name == NAIVE else 'pairs'}.png",
        counterfactual_grid,
        rows,
        caption=f"As the paper's Figure 2: test images and what {name} makes of them, with the"
        f" probability of {data.class_names[-1]} and the PSNR to the original.",
        alt="Grid: originals, generated images with probabilities, and their differences from the"
        " original.",
    )


def draw_maps(report: PaperReport, study: Study, marked: Marked) -> None:
    """Draws maps of several methods, raw and thresholded, as Figures 3 and 4.

    Figure 3 is of images with one marked region, Figure 4 of images with several.
    """
    regions = np.array([ndimage.label(mask)[1] for mask in marked.annotation])
    subjects = ((3, regions == 1, "one marked region"), (4, regions > 1, "several marked regions"))
    styles = (("heat", "raw"), ("overlay", f"the pixels from percentile {_THRESHOLD:g} up"))
    columns = [MapColumn(model="", method=name) for name in _SHOWN]
    for (number, fits, subject), (style, how) in itertools.product(subjects, styles):
        rows = np.flatnonzero(fits)[: study.setup.config.num_shown].tolist()
        if rows:
            report.draw(
                f"figure_{number}_{style}.png",
                saliency_grid,
                [_map_row(study, marked, row, style) for row in rows],
                columns,
                caption=f"As the paper's Figure {number}: maps of images with {subject}, {how}.",
                alt="Grid: images with their annotation, and one map for each method.",
                style=style,
            )


def _choose_images(study: Study) -> np.ndarray:
    """Chooses the first test images of the finding, then as many of the other class."""
    data, count = study.setup.data, max(1, study.setup.config.num_shown // 2)
    return np.concatenate(
        [np.flatnonzero(data.test.labels == label)[:count] for label in (data.finding, 0)]
    )


def _pair_row(
    study: Study,
    image: Float[np.ndarray, "h w c"],
    label: int,
    generated: dict[str, np.ndarray],
    mask: Bool[np.ndarray, "h w"] | None,
) -> CounterfactualRow:
    _, data, network, _ = study.setup
    finding = data.class_names[data.finding]

    def probability(image: Any) -> float:
        return float(jax.nn.softmax(network.classifier(image))[data.finding])

    panels = [
        CounterfactualPanel(
            image=np.asarray(made),
            target=finding,
            probability=probability(made),
            name=f"{name}, {float(psnr(image, made)):.1f} dB",
        )
        for name, made in generated.items()
    ]
    return CounterfactualRow(
        original=image,
        label=data.class_names[label],
        predicted=finding,
        probability=probability(image),
        counterfactuals=panels,
        mask=mask,
    )


def _map_row(study: Study, marked: Marked, row: int, style: str) -> SaliencyRow:
    annotation, shown = marked.annotation[row], []
    for name in _SHOWN:
        values = study.first.maps[name].values[row]
        kept = above_percentile(values, _THRESHOLD)
        if style == "overlay":
            iou = float((kept & annotation).sum() / (kept | annotation).sum())
            shown.append(SaliencyMap(values=kept.astype(float), iou=iou))
        else:
            shown.append(SaliencyMap(values=values, iou=None))
    return SaliencyRow(original=marked.images.arrays["image"][row], maps=shown, mask=annotation)
