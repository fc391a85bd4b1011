"""The paper's Figures 1 and 2 in kind, all maps, and the generated images.

Which images a figure shows is decided by the order of the shuffled test set, the labels and the
classifier's decisions alone, never by how a map looks.
"""

from itertools import product

import numpy as np
from jaxtyping import Int

from cfx_jax.metrics import above_percentile, intersection_over_union
from cfx_jax.parallel import apply_to_examples
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
from experiments.path_attribution.faithfulness import Faithfulness
from experiments.path_attribution.generators import ADVERSARY
from experiments.path_attribution.published import GENERATORS, METHODS, STATE_OF_THE_ART, VARIANTS
from experiments.path_attribution.study import Study
from experiments.shared import PaperReport, probabilities

_REGULARISED = "v2,k"
_COMPARED = list(product(GENERATORS, ("E", _REGULARISED)))
_OF_ADVERSARY = (
    " The last is the independent adversary, whose regions overwrite those of the image in Table 2"
    " and Figure 2; no map is made from it."
)
_WITHOUT_ANNOTATION = 95.0  # percentile of the maps shown where no table names one


def draw_maps(report: PaperReport, study: Study) -> None:
    """Draws Figure 1: the difference and its regularised weighting for both generators.

    Maps of latent searches follow, where there are any; SAGen's come first where there is no CyCE.
    """
    trained = [made for made in GENERATORS if made in study.pairs] or ["SAGen"]
    shown = (*trained, *study.searches)
    compared = list(product(shown, ("E", _REGULARISED)))
    rows = [
        _saliency_row(
            study,
            row,
            [SaliencyMap(values=study.maps[f"{made} {form}"][row]) for made, form in compared],
        )
        for row in _choose_images(study)
    ]
    report.draw(
        "figure_1_maps.png",
        saliency_grid,
        rows,
        [MapColumn(model=generator, method=variant) for generator, variant in compared],
        caption="As the paper's Figure 1: the difference E and the regularised map"
        f" {_REGULARISED} of {' and '.join(shown)}.",
        alt="Grid: images of the finding, where it is, and maps of each.",
        style="heat",
    )


def draw_all_maps(report: PaperReport, study: Study) -> None:
    """Draws the highest pixels of every map of Table 1."""
    percentile = max(study.percentiles, default=_WITHOUT_ANNOTATION)
    positions = _choose_images(study)
    methods = [name for name in METHODS if name in study.maps]
    kept = {name: above_percentile(study.maps[name][positions], percentile) for name in methods}
    rows = []
    for number, row in enumerate(positions):
        mask, shown = _mask(study, row), []
        for name in methods:
            pixels = kept[name][number]
            iou = None if mask is None else float(intersection_over_union(pixels, mask))
            shown.append(SaliencyMap(values=pixels.astype(float), iou=iou))
        rows.append(_saliency_row(study, row, shown))
    report.draw(
        "figure_all_maps.png",
        saliency_grid,
        rows,
        [_column(method) for method in methods],
        caption=f"The pixels at or above percentile {percentile:g} of every map of Table 1.",
        alt="Grid: images of the finding, and the pixels that each method keeps.",
    )


def draw_pairs(report: PaperReport, study: Study) -> None:
    """Draws the adversaries of every generator, and the one that overwrites regions."""
    data, explained, rows = study.setup.data, study.explained, []
    positions, overwrites = _choose_images(study), ADVERSARY in study.pairs
    panels = [_adversaries(study, name, positions) for name in study.pairs]
    for row, of_row in zip(positions, zip(*panels, strict=True), strict=True):
        predicted, probability = int(explained.predicted[row]), float(explained.probability[row])
        rows.append(
            CounterfactualRow(
                original=explained.images.arrays["image"][row],
                label=data.class_names[int(explained.images.labels[row])],
                predicted=data.class_names[predicted],
                probability=probability if predicted == data.finding else 1 - probability,
                counterfactuals=list(of_row),
                mask=_mask(study, row),
            )
        )
    report.draw(
        "figure_generated.png",
        counterfactual_grid,
        rows,
        caption=f"Adversarial images x_a of every generator.{_OF_ADVERSARY if overwrites else ''}",
        alt="Grid: images of the finding, their adversaries, and the differences.",
    )


def draw_perturbation(report: PaperReport, faithfulness: Faithfulness) -> None:
    """Draws Figure 2: the AOPC of every method, less the AOPC of random maps."""
    compared = [f"{generator} {variant}" for generator, variant in _COMPARED]
    methods = {made: [f"{made} {variant}" for variant in VARIANTS] for made in GENERATORS}
    methods["state of the art"] = [*STATE_OF_THE_ART, *compared]
    report.draw(
        "figure_2_aopc.png",
        curve,
        [_panel(faithfulness, title, names) for title, names in methods.items()],
        caption="As the paper's Figure 2: AOPC less that of random maps, mean over"
        f" {len(faithfulness.predicted)} images; higher is better.",
        alt="Three plots of lines that rise with the number of overwritten regions and fall again"
        " towards its end.",
    )


def _choose_images(study: Study) -> Int[np.ndarray, " m"]:
    """Images of the finding that the classifier detects, annotated where any is."""
    explained, finding = study.explained, study.setup.data.finding
    rows = explained.localised if len(explained.localised) else np.arange(len(explained.images))
    detected = (explained.predicted[rows] == finding) & (explained.images.labels[rows] == finding)
    return (rows[detected] if detected.any() else rows)[: study.setup.config.num_shown]


def _mask(study: Study, row: int) -> np.ndarray | None:
    """The annotation of an image that has one."""
    if study.setup.data.annotation is None:
        return None
    mask = study.explained.images.arrays[study.setup.data.annotation][row]
    return mask if mask.any() else None


def _saliency_row(study: Study, row: int, shown: list[SaliencyMap]) -> SaliencyRow:
    image = study.explained.images.arrays["image"][row]
    return SaliencyRow(original=image, maps=shown, mask=_mask(study, row))


def _adversaries(study: Study, name: str, rows: Int[np.ndarray, " m"]) -> list[CounterfactualPanel]:
    """The adversaries of some images, with the classifier's probability of their class."""
    images = study.pairs[name].adversarial[rows]
    targets = 1 - study.explained.predicted[rows]
    logits = apply_to_examples(study.setup.network.classifier, images)
    reached = np.take_along_axis(probabilities(logits), targets[:, None], axis=1)[:, 0]
    return [
        CounterfactualPanel(
            image=image,
            target=study.setup.data.class_names[target],
            probability=float(probability),
            name=name if probability >= 0.5 else f"{name}, not turned over",
        )
        for image, target, probability in zip(images, targets, reached, strict=True)
    ]


def _panel(faithfulness: Faithfulness, title: str, methods: list[str]) -> CurvePanel:
    x, above = faithfulness.regions, faithfulness.above_random
    lines = [Line(name=method, x=x, y=above(method).mean(axis=0)) for method in methods]
    return CurvePanel(
        lines=lines, x_label="regions overwritten", y_label="AOPC less random", title=title
    )


def _column(method: str) -> MapColumn:
    """Maps of generators share a heading."""
    for generator in GENERATORS:
        if method.startswith(generator):
            return MapColumn(model=generator, method=method.removeprefix(f"{generator} "))
    return MapColumn(model="state of the art", method=method)
