"""The batches that trainings read: with labels, without, with targets, or grouped by decisions."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import jax
import numpy as np
from jax import Array
from jax.sharding import Mesh
from jaxtyping import Float, Int, Num

from cfx_jax.compilation import as_pytree, call
from cfx_jax.counterfactuals import check_two_classes, class_1_probability, decided_class
from cfx_jax.data import (
    AugmentItem,
    bin_counts,
    check_indices,
    labels_of,
    load_arrays,
    probability_bins,
    training_batches,
)
from cfx_jax.errors import InputError
from cfx_jax.objectives import Classifier
from cfx_jax.parallel import map_examples
from cfx_jax.training import Batches

from .fingerprints import digest
from .run_settings import RunConfig, RunSettings, images_per_epoch
from .trainer import Inputs, TrainingBatches
from .validation import measure_validation, validation_images

_BATCHES_READ = 16
"""Batches that are in memory at once while a source is read."""


@dataclass(frozen=True, eq=False)
class RelabelledSource:
    """Some items of a source with other labels; each holds ``image`` and ``label``.

    Attributes:
        source: random-access, its items with ``image``.
        positions: the items chosen.
        labels: the label of each chosen item.
        class_names: the name of each label.
    """

    source: Any
    positions: Int[np.ndarray, " n"]
    labels: Int[np.ndarray, " n"]
    class_names: Sequence[str]

    def __len__(self) -> int:
        return len(self.positions)

    def __getitem__(self, index: int, /) -> Mapping[str, Any]:
        image = self.source[int(self.positions[index])]["image"]
        return {"image": image, "label": int(self.labels[index])}


class TargetBatches:
    """Batches with targets: ``image`` (b, h, w, c) float32 and ``target`` (b, ...).

    Args:
        numbered: batches whose ``label`` is the number of each image.
        targets: the target of each image, by that number.
    """

    def __init__(self, numbered: Batches, targets: Num[np.ndarray, "n *target"]) -> None:
        self._numbered, self._targets = numbered, targets

    def __next__(self) -> dict[str, np.ndarray]:
        batch = next(self._numbered)
        return {"image": batch["image"], "target": self._targets[batch["label"]]}

    def get_state(self) -> Any:
        """The position, of values that JSON has."""
        return self._numbered.get_state()

    def set_state(self, state: Any) -> None:
        """Goes back to a position that ``get_state`` returned."""
        self._numbered.set_state(state)


def training_labels(inputs: Inputs) -> Int[np.ndarray, " n"]:
    """The classes of the training images, as the data name them.

    Raises:
        InputError: indices that do not fit the source, or labels that are no class.
    """
    return labels_of(inputs.source)[check_indices(inputs.source, inputs.train_indices)]


def labelled_batches(
    run: RunSettings,
    inputs: Inputs,
    *,
    balanced: bool,
    fields: Sequence[str] = (),
    augment_item: AugmentItem | None = None,
) -> TrainingBatches:
    """Batches of ``image`` and ``label``.

    Args:
        run, inputs: the run and inputs of the training.
        balanced: whether each batch holds as many images of each class.
        fields: further arrays of the items, such as saliency maps, that a batch carries.
        augment_item: ``(item, rng) -> item``, for changes that reach several arrays of an item.

    Raises:
        InputError: as ``training_labels``; no training images.
    """
    num_images = images_per_epoch(training_labels(inputs), balanced=balanced)
    batches = _read(
        run,
        inputs,
        inputs.source,
        inputs.train_indices,
        balanced=balanced,
        fields=fields,
        augment_item=augment_item,
    )
    arrays = {name: inputs.validation[name] for name in ("label", *fields)}
    return TrainingBatches(batches, num_images, describe_validation(arrays))


def unlabelled_batches(config: RunConfig, inputs: Inputs) -> TrainingBatches:
    """Batches of ``image`` alone: the ``make_batches`` of trainers in which labels play no part.

    Raises:
        InputError: indices that do not fit the source.
    """
    positions = check_indices(inputs.source, inputs.train_indices)
    labels = np.zeros(len(positions), np.int64)
    images = RelabelledSource(inputs.source, positions, labels, ("image",))
    batches = _read(config.run, inputs, images, np.arange(len(images)), balanced=False)
    depends = describe_validation({"image": inputs.validation["image"]})
    return TrainingBatches(batches, len(images), depends)


def target_batches(
    run: RunSettings, inputs: Inputs, *, name: str, validation: Sequence[str]
) -> TrainingBatches:
    """Batches of ``image`` and ``target``: several labels, or a class for each pixel.

    Args:
        run, inputs: the run and inputs of the training, with ``targets``; its augmentation must
            leave them true.
        name: the name of the targets in a message.
        validation: arrays of the validation that the training depends on, by name.

    Raises:
        InputError: indices that do not fit the source, or another number of targets.
    """
    positions = check_indices(inputs.source, inputs.train_indices)
    targets = np.asarray(inputs.targets)
    if len(targets) != len(positions):
        raise InputError(
            f"{name}: expected one for each of the {len(positions)} training images, got"
            f" {len(targets)}: take those of train_indices, in its order"
        )
    numbers = np.arange(len(positions))
    names = tuple(map(str, numbers))
    images = RelabelledSource(inputs.source, positions, numbers, names)
    batches = TargetBatches(_read(run, inputs, images, numbers, balanced=False), targets)
    described = describe_validation({field: inputs.validation[field] for field in validation})
    return TrainingBatches(batches, len(positions), {**described, name: digest(targets)})


def decided_batches(
    run: RunSettings,
    inputs: Inputs,
    *,
    balanced: bool,
    batch_size: int | None = None,
    epoch_of_rarer: bool = False,
) -> TrainingBatches:
    """Batches of ``image``, grouped by what a frozen classifier decides on, without augmentation.

    The labels of the data play no part.

    Args:
        run, inputs: the run and inputs of the training, with a ``classifier`` of two classes where
            balanced.
        balanced: whether a batch holds images decided 0, 1, 0, 1 ....
        batch_size: images of one batch; None for the run's.
        epoch_of_rarer: whether an epoch is one pass over the images of the rarer decision, and not
            over all.

    Raises:
        InputError: indices that do not fit the source; where balanced, another number of classes,
            or one decision alone.
    """
    positions = check_indices(inputs.source, inputs.train_indices)
    # Without balance nothing looks at the labels.
    decisions = np.zeros(len(positions), np.int64)
    if balanced:
        decisions = decide_source(
            inputs.classifier,
            inputs.source,
            positions,
            batch_size=run.eval_batch_size,
            mesh=inputs.mesh,
        )
        check_both_decided(decisions, name="training images")
    images = RelabelledSource(inputs.source, positions, decisions, ("decided 0", "decided 1"))
    batches = _read(
        run, inputs, images, np.arange(len(images)), balanced=balanced, batch_size=batch_size
    )
    num_images = int(np.bincount(decisions).min()) if epoch_of_rarer else len(images)
    depends = describe_validation({"image": inputs.validation["image"]})
    return TrainingBatches(batches, num_images, {**depends, "decisions": digest(decisions)})


def binned_batches(
    run: RunSettings, inputs: Inputs, *, num_bins: int, balanced: bool, batch_size: int
) -> TrainingBatches:
    """Batches of ``image`` and ``label``, the bin of a frozen classifier's probability at it.

    The probability is the probability of class 1, without augmentation; a warning counts bins with
    few images.

    Args:
        run, inputs: the run and inputs of the training, with a ``classifier`` of two classes.
        num_bins: equal parts of [0, 1].
        balanced: whether a batch holds as many images of each bin that has any.
        batch_size: images of one batch.

    Raises:
        InputError: as ``source_probabilities``; a classifier that never leaves one bin.
    """
    values = source_probabilities(
        inputs.classifier,
        inputs.source,
        inputs.train_indices,
        batch_size=run.eval_batch_size,
        mesh=inputs.mesh,
    )
    bins = probability_bins(values, num_bins=num_bins)
    bin_counts(bins, num_bins=num_bins)
    names = tuple(f"bin {number}" for number in range(num_bins))
    images = RelabelledSource(inputs.source, np.asarray(inputs.train_indices), bins, names)
    batches = _read(
        run, inputs, images, np.arange(len(images)), balanced=balanced, batch_size=batch_size
    )
    depends = describe_validation({"image": inputs.validation["image"]})
    return TrainingBatches(batches, len(images), {**depends, "bins": digest(bins)})


def describe_validation(arrays: Mapping[str, np.ndarray]) -> dict[str, str]:
    """Short digests of arrays of the validation, by their names."""
    return {f"validation_{name}s": digest(values) for name, values in arrays.items()}


def decide_validation(
    run: RunSettings, inputs: Inputs
) -> tuple[Float[np.ndarray, "n h w c"], Int[np.ndarray, " n"]]:
    """The validation images of a training that needs both decisions, and the decisions, 0 or 1.

    Raises:
        InputError: images outside [0, 1], another number of classes, or one decision alone.
    """
    images = validation_images(inputs)
    decisions = measure_validation(run, inputs, _decide, inputs.frozen_classifier, images)
    check_both_decided(decisions, name="validation images")
    return images, decisions


def decide_source(
    classifier: Classifier,
    source: Any,
    indices: Int[np.ndarray, " n"],
    *,
    batch_size: int,
    mesh: Mesh | None = None,
) -> Int[np.ndarray, " n"]:
    """The classes that a classifier of two classes decides on at items of a source, read in parts.

    Args:
        classifier: one image -> two logits.
        source: random-access; its items hold ``image``, values in [0, 1].
        indices: the items.
        batch_size: images computed at once.
        mesh: devices to spread them over.

    Returns:
        0 or 1 for each item.

    Raises:
        InputError: another number of classes, or indices that do not fit the source.
    """
    return _map_source(_decide, classifier, source, indices, batch_size, mesh)


def source_probabilities(
    classifier: Classifier,
    source: Any,
    indices: Int[np.ndarray, " n"],
    *,
    batch_size: int,
    mesh: Mesh | None = None,
) -> Float[np.ndarray, " n"]:
    """The classifier's probability of class 1 at items of a source, read in parts.

    Arguments and errors as ``decide_source``.

    Returns:
        One probability for each item, for ``data.bins.probability_bins`` and ``calibrated_sample``.
    """
    return _map_source(_probability, classifier, source, indices, batch_size, mesh)


def source_logits(
    classifier: Classifier,
    source: Any,
    indices: Int[np.ndarray, " n"],
    *,
    batch_size: int,
    mesh: Mesh | None = None,
) -> Float[np.ndarray, "n k"]:
    """The logits of a classifier of any number of classes at items of a source, read in parts.

    Arguments and errors as ``decide_source``, but for the number of classes.

    Returns:
        A row for each item.
    """
    return _map_source(call, classifier, source, indices, batch_size, mesh)


def check_both_decided(decisions: Int[np.ndarray, " n"], *, name: str) -> None:
    """Checks that each class is decided on for some image.

    Raises:
        InputError: giving the count of each class.
    """
    counts = np.bincount(decisions, minlength=2)
    if not counts.all():
        raise InputError(
            f"classifier: expected decisions for both classes on the {name}, since each needs some,"
            f" got class 0 for {counts[0]} and class 1 for {counts[1]} of them: add images of the"
            " other kind, train the classifier further, or move its threshold with"
            " models.thresholded"
        )


def _read(
    run: RunSettings,
    inputs: Inputs,
    source: Any,
    indices: Int[np.ndarray, " n"],
    *,
    balanced: bool,
    batch_size: int | None = None,
    fields: Sequence[str] = (),
    augment_item: AugmentItem | None = None,
) -> Batches:
    """This process's share of the batches of a source; see ``data.training_batches``."""
    return training_batches(
        source,
        indices,
        batch_size=run.batch_size if batch_size is None else batch_size,
        seed=run.seed,
        balanced=balanced,
        augment=inputs.augment,
        fields=fields,
        augment_item=augment_item,
        num_workers=inputs.num_workers,
        process_index=jax.process_index(),
        process_count=jax.process_count(),
    )


def _map_source(
    function: Callable[..., Array],
    classifier: Classifier,
    source: Any,
    indices: Int[np.ndarray, " n"],
    batch_size: int,
    mesh: Mesh | None,
) -> np.ndarray:
    """Maps a function of classifier and image over items, a few batches in memory at once."""
    positions, size = check_indices(source, indices), _BATCHES_READ * batch_size
    parts = (positions[first : first + size] for first in range(0, len(positions), size))
    images = (load_arrays(source, part, fields=("image",))["image"] for part in parts)
    frozen = as_pytree(classifier)
    return np.concatenate(
        [map_examples(function, frozen, part, batch_size=batch_size, mesh=mesh) for part in images]
    )


def _decide(classifier: Classifier, image: Float[Array, "h w c"]) -> Int[Array, ""]:
    return decided_class(classifier, image)


def _probability(classifier: Classifier, image: Float[Array, "h w c"]) -> Float[Array, ""]:
    check_two_classes(classifier, image)
    return class_1_probability(classifier, image)
