"""The organ and its surroundings: what a classifier reads from each, and where maps lie.

A classifier of scans may decide by what surrounds the organ: another scanner, another cut, a
brighter skull. Three tables tell, on images whose organ is found (``--organ``):

* how well a single number tells the classes, such as the mean brightness of the surroundings, and
  how well the same network does that is trained on the surroundings, or on the organ, alone;
* how many decisions change when the surroundings, or the organ, are black, or as bright as in the
  other class;
* how much of each map lies outside of the organ, and how much of what a generator changes there
  turns decisions over.

No mask of a finding is needed.
"""

from collections.abc import Callable, Mapping
from typing import Any, Literal, TypeAlias, get_args

import numpy as np
from jaxtyping import Bool, Float, Int

from cfx_jax.metrics import above_percentile, false_discovery_rate, relevance_mass
from cfx_jax.parallel import apply_to_examples
from experiments.charachon_shared.classifier import auc_interval, log_odds, train_classifier
from experiments.charachon_shared.controls import make_controls
from experiments.charachon_shared.setup import Setup
from experiments.charachon_shared.tables import interval_cell
from experiments.shared import (
    Classifier,
    ImageSet,
    InputError,
    PaperReport,
    StoredImages,
    Table,
    balanced_interval,
    controls,
    decisions,
    notify,
)

FIELD = "organ_mask"
"""The field of images whose organ is found."""

_HIGHEST = 95.0  # percentile from which a map's pixels are its highest
_RESAMPLES = 500  # of balanced accuracies
_BRIGHTNESS = 1e-6  # below this mean brightness there is nothing that could be scaled

Part: TypeAlias = Literal["organ", "surroundings"]
Images = Float[np.ndarray, "n h w c"]
Masks = Bool[np.ndarray, "n h w"]


def has_organs(images: ImageSet) -> bool:
    """Whether the organs of images are found."""
    return FIELD in images.arrays


# ---- Networks that see a part of the image


def part_logits(setup: Setup[Any]) -> dict[str, Float[np.ndarray, "n 2"]]:
    """The logits of test images by the same network trained on a part of the images alone.

    There are none where a part of the images is black already (``--organ only`` or ``removed``).
    A network that learns nothing from its part is left out, with a warning.
    """
    if setup.config.organ != "found":
        return {}
    logits, parts = {}, get_args(Part)
    for part in parts:
        data = setup.data._replace(
            train=keep_part(setup.data.train, part),
            validation=keep_part(setup.data.validation, part),
            test=keep_part(setup.data.test, part),
        )
        name = f"the same network, trained on the {part} alone"
        try:
            logits[name] = train_classifier(setup.config, data, setup.workspace).logits
        except InputError as error:
            notify(f"{name}: {error}")
    return logits


def keep_part(images: ImageSet, part: Part) -> ImageSet:
    """The images with all but their organ, or all but its surroundings, black."""
    masks = images.arrays[FIELD] if part == "organ" else ~images.arrays[FIELD]
    arrays = {"image": images.arrays["image"] * masks[..., None], "label": images.labels}
    source = StoredImages(arrays, images.class_names)
    return ImageSet.whole(source, [images.identity, part])


# ---- Single numbers


def _brightness(images: Images, masks: Masks) -> Float[np.ndarray, " n"]:
    """The mean brightness of the pixels of a mask; 0 where it is empty."""
    counts = np.maximum(masks.sum(axis=(1, 2)), 1)
    return (images.mean(axis=-1) * masks).sum(axis=(1, 2)) / counts


_NUMBERS: Mapping[str, Callable[[Images, Masks], Float[np.ndarray, " n"]]] = {
    "mean brightness of the image": lambda images, masks: _brightness(images, masks | True),
    "mean brightness of the surroundings": lambda images, masks: _brightness(images, ~masks),
    "mean brightness of the organ": _brightness,
    "the organ's share of the image": lambda images, masks: masks.mean(axis=(1, 2)),
}


def number_table(setup: Setup[Any]) -> Table:
    """How well classifiers, and single numbers without a network, tell the test images' classes.

    The direction of a number and its threshold are chosen for the best balanced accuracy on
    training images.
    """
    data, groups = setup.data, setup.data.groups
    finding = data.test.labels == data.finding

    def row(name: str, scores: Float[np.ndarray, " n"]) -> list[Any]:
        logits = np.stack([np.zeros_like(scores), scores], axis=1)
        answers, labels = (scores >= 0) == finding, finding.astype(int)
        balanced = balanced_interval(answers, labels, groups.names, num_resamples=_RESAMPLES)
        return [name, tuple(auc_interval(logits, finding, groups)), tuple(balanced)]

    networks = {"the classifier": setup.network.logits, **part_logits(setup)}
    rows = [row(name, log_odds(logits)) for name, logits in networks.items()]
    train, test = data.train.arrays, data.test.arrays
    for name, measure in _NUMBERS.items():
        known = measure(train["image"], train[FIELD])
        if np.ptp(known) > _BRIGHTNESS:
            sign, threshold = best_threshold(known, data.train.labels == data.finding)
            rows.append(row(name, sign * (measure(test["image"], test[FIELD]) - threshold)))
    return ["decided by", "AUC", "balanced accuracy"], rows


def best_threshold(
    values: Float[np.ndarray, " n"], positive: Bool[np.ndarray, " n"]
) -> tuple[int, float]:
    """The side and the threshold of a number that tell two classes best, by balanced accuracy.

    Args:
        values: one number for each image.
        positive: whether each is of the positive class; both classes occur.

    Returns:
        1 where values at or above the threshold are positive, -1 where those at or below are; and
        the threshold, halfway between two values.

    >>> best_threshold(np.array([0.0, 0.25, 0.75, 1.0]), np.array([True, True, False, False]))
    (-1, 0.5)
    """
    order = np.argsort(values, kind="stable")
    values, positive = values[order].astype(float), positive[order]  # exact midpoints
    # Between values k and k + 1: the share of positives at or above it, less the share of negatives
    # there.
    below = np.cumsum(positive) / positive.sum() - np.cumsum(~positive) / (~positive).sum()
    below = np.where(np.append(np.diff(values) > 0, False), below, 0.0)
    place = int(np.abs(below).argmax())
    sign = -1 if below[place] > 0 else 1
    return sign, float((values[place] + values[min(place + 1, len(values) - 1)]) / 2)


# ---- Changes of the surroundings and of the organ


def reliance_table(setup: Setup[Any]) -> Table:
    """How many decisions on test images change with the surroundings or the organ."""
    data, network = setup.data, setup.network
    images, masks = data.test.arrays["image"], data.test.arrays[FIELD]
    decided, finding = decisions(network.logits), data.test.labels == data.finding
    first, second = data.class_names
    rows: list[list[Any]] = []
    for name, changed in _changed_images(images, masks, decided).items():
        logits = _logits(network.classifier, changed, setup.config.batch_size)
        turned = (decisions(logits) != decided).astype(float)
        cells = [
            interval_cell(turned[decided == side], data.groups.of(decided == side))
            for side in (0, 1)
        ]
        rows.append([name, *cells, tuple(auc_interval(logits, finding, data.groups))])
    turned_columns = [f"turned over of those decided {name}" for name in (first, second)]
    return ["test images", *turned_columns, "AUC"], rows


def _changed_images(
    images: Images, masks: Masks, decided: Int[np.ndarray, " n"]
) -> dict[str, Images]:
    """Images with the surroundings or the organ changed, by the name of the change."""
    organ, around = masks[..., None], ~masks[..., None]
    changed = {"as they are": images}
    if _brightness(images, ~masks).max() > _BRIGHTNESS:
        changed["surroundings black"] = images * organ
        changed["surroundings as bright as in the other class"] = np.where(
            around, _as_other(images, ~masks, decided), images
        )
    if _brightness(images, masks).max() > _BRIGHTNESS:
        changed["organ black"] = images * around
        changed["organ as bright as in the other class"] = np.where(
            organ, _as_other(images, masks, decided), images
        )
    return changed


def _as_other(images: Images, masks: Masks, decided: Int[np.ndarray, " n"]) -> Images:
    """Images times the factor between the mean brightnesses of the two classes within masks.

    Empty masks have no brightness. Where a class has none at all, the factor is 1.
    """
    brightness, is_known = _brightness(images, masks), masks.any(axis=(1, 2))
    of_sides = [brightness[(decided == side) & is_known] for side in (0, 1)]
    if not all(map(len, of_sides)):
        return images
    means = np.array([values.mean() for values in of_sides])
    factors = (means[::-1] / np.maximum(means, _BRIGHTNESS))[decided]
    return np.clip(images * factors[:, None, None, None], 0, 1).astype(np.float32)


# ---- Maps and generated images


def outside_table(
    setup: Setup[Any], images: ImageSet, maps: Mapping[str, Float[np.ndarray, "n h w"]]
) -> Table:
    """How much of each map of some images lies outside of the organ.

    Args:
        setup: names the images that are drawn together, and the seed of random pixels.
        images: the explained images.
        maps: the maps of each method, at least 0.
    """
    masks = images.arrays[FIELD]
    maps_of_controls = make_controls(images, setup.data, seed=setup.config.seed)
    shown = {
        **maps,
        **{name: maps_of_controls[name] for name in (controls.RANDOM, controls.EDGES)},
        "control: brightness, the image itself": images.arrays["image"].mean(axis=-1),
    }
    rows: list[list[Any]] = []
    for name, values in shown.items():
        # A map of few pixels is 0 at the percentile too, and its zeros are not among its highest.
        highest = above_percentile(values, _HIGHEST) & (np.asarray(values) > 0)
        shares = (
            _share_outside(values, masks),
            _of_organs(false_discovery_rate(highest, masks), masks),
        )
        rows.append([name, *(_cell(setup, images, share) for share in shares)])
    return ["map", "outside, of its sum", f"outside, of its highest {100 - _HIGHEST:g} %"], rows


def parts_table(
    setup: Setup[Any],
    images: ImageSet,
    decided: Int[np.ndarray, " n"],
    adversaries: Mapping[str, Images],
) -> Table:
    """How many decisions the parts of adversarial images turn over.

    Args:
        setup: the classifier, and the images that are drawn together.
        images: the explained images.
        decided: the classifier's decision on each.
        adversaries: for each generator, by name, the adversarial image of each image.
    """
    organ, original = images.arrays[FIELD][..., None], images.arrays["image"]
    rows: list[list[Any]] = []
    for name, adversarial in adversaries.items():
        parts = (
            adversarial,
            np.where(organ, adversarial, original),
            np.where(organ, original, adversarial),
        )
        masks = images.arrays[FIELD]
        turned = [_of_organs(_turned(setup, np.asarray(part), decided), masks) for part in parts]
        change = np.abs(adversarial - original).sum(axis=-1)
        outside = _share_outside(change, masks)
        rows.append([name, *(_cell(setup, images, values) for values in (outside, *turned))])
    turned_over = ("whole image", "organ alone", "surroundings alone")
    columns = [f"turned over by the {part}" for part in turned_over]
    return ["x_a of", "share of the change outside", *columns], rows


def report_classifier(report: PaperReport, setup: Setup[Any]) -> None:
    """Adds the tables on the classifier to a report, where organs are found."""
    if not has_organs(setup.data.test):
        return
    report.section(
        "The organ and its surroundings",
        "The organ is found by brightness alone: see cfx_jax.data.find_organ, and look at it in the"
        f" figures. Option --organ {setup.config.organ}.{describe_missing(setup.data.test)}",
    )
    report.table(
        "table_numbers",
        number_table(setup),
        f"How well networks and single numbers tell the classes of the {len(setup.data.test)} test"
        " images; thresholds of numbers are those of the training images. A classifier at the level"
        " of a number may have learnt no more than that.",
    )
    report.table(
        "table_reliance",
        reliance_table(setup),
        "Share of decisions that change when a part of the test images is black, or is multiplied"
        " by the factor between the mean brightnesses of this part in the images decided for either"
        " class; and the area under the ROC curve for the true classes.",
    )


def report_maps(
    report: PaperReport,
    setup: Setup[Any],
    images: ImageSet,
    decided: Int[np.ndarray, " n"],
    *,
    maps: Mapping[str, Float[np.ndarray, "n h w"]],
    adversaries: Mapping[str, Images],
) -> None:
    """Adds the tables on maps and generated images to a report, where organs are found.

    Arguments are as in ``outside_table`` and ``parts_table``.
    """
    if not has_organs(images):
        return
    area = float(1 - images.arrays[FIELD].mean())
    missing = describe_missing(images)
    report.table(
        "table_outside",
        outside_table(setup, images, maps),
        f"How much of each map lies outside of the organ, on {len(images)} test images: of its sum,"
        f" and of its highest {100 - _HIGHEST:g} % of pixels. {area:.1%} of all pixels lie outside."
        f"{missing and missing + ' They are left out.'}"
        " Rows that begin with 'control' are maps without a network: random pixels and edges of all"
        " that is not a dark background, and the brightness of each pixel.",
    )
    report.table(
        "table_parts",
        parts_table(setup, images, decided, adversaries),
        "How much of the change from the image x to the adversarial image x_a lies outside of the"
        " organ, and how many decisions are turned over by x_a, by x with the organ of x_a, and by"
        " x with the surroundings of x_a.",
    )


def _share_outside(maps: Float[np.ndarray, "n h w"], masks: Masks) -> Float[np.ndarray, " n"]:
    """The share of each map's sum outside; NaN where the map is zero everywhere."""
    return 1 - relevance_mass(maps, masks)


def _of_organs(values: Float[np.ndarray, " n"], masks: Masks) -> Float[np.ndarray, " n"]:
    """The values of the images on which an organ was found; NaN for the others."""
    return np.where(masks.any(axis=(1, 2)), values, np.nan)


def describe_missing(images: ImageSet) -> str:
    """A sentence on the images on which no organ was found; empty where there are none."""
    missing = int((~images.arrays[FIELD].any(axis=(1, 2))).sum())
    return f" No organ was found on {missing} of {len(images)} images." if missing else ""


def _turned(
    setup: Setup[Any], images: Images, decided: Int[np.ndarray, " n"]
) -> Float[np.ndarray, " n"]:
    logits = _logits(setup.network.classifier, images, setup.config.batch_size)
    return (decisions(logits) != decided).astype(float)


def _logits(classifier: Classifier, images: Images, batch_size: int) -> Float[np.ndarray, "n 2"]:
    return np.asarray(apply_to_examples(classifier, images, batch_size=batch_size))


def _cell(setup: Setup[Any], images: ImageSet, values: Float[np.ndarray, " n"]) -> Any:
    """The mean over the explained images with its interval."""
    groups = setup.data.groups._replace(names=images.groups)
    return interval_cell(values, groups)
