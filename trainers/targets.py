"""Batches of images with a target each that is more than one class: several labels, or a class for
each pixel.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from jaxtyping import Int, Num

from cfx_jax.data.source import check_indices
from cfx_jax.errors import InputError
from cfx_jax.training.loop import Batches
from trainers.relabelled import RelabelledSource
from trainers.running import batches_of


class TargetBatches:
    """Batches of a training with targets; a batch has ``image`` (b, h, w, c) float32 and ``target``
    (b, ...).

    Args:
        numbered: batches whose ``label`` is the number of each image.
        targets: of each image, by that number.
    """

    def __init__(self, numbered: Batches, targets: Num[np.ndarray, "n *target"]) -> None:
        self._numbered, self._targets = numbered, targets

    def __next__(self) -> dict[str, np.ndarray]:
        batch = next(self._numbered)
        return {"image": batch["image"], "target": self._targets[batch["label"]]}

    def get_state(self) -> Any:
        """The position, of values that JSON knows."""
        return self._numbered.get_state()

    def set_state(self, state: Any) -> None:
        """Goes back to what ``get_state`` gave."""
        self._numbered.set_state(state)


def batches_with_targets(
    source: Any,
    indices: Int[np.ndarray, " n"],
    targets: Num[np.ndarray, "n *target"],
    *,
    batch_size: int,
    seed: int,
    augment: Callable[..., Any] | None,
    name: str,
) -> TargetBatches:
    """This process's share of the training batches, every epoch a permutation.

    Args:
        source: random-access data set whose items hold ``image``.
        indices: the items to train on.
        targets: of each of these items, in their order.
        batch_size: images of one step, over all devices.
        seed: fixes order and augmentation.
        augment: ``(image, rng) -> image``, which must leave the target true; None for none.
        name: what a message calls the targets.

    Returns:
        Endless batches.

    Raises:
        InputError: indices that do not fit the source, or another number of targets.
    """
    positions = check_indices(source, indices)
    if len(targets) != len(positions):
        raise InputError(
            f"{name}: expected one for each of the {len(positions)} training images, got"
            f" {len(targets)}: take those of"
            " train_indices, in its order"
        )
    numbers = np.arange(len(positions))
    numbered = batches_of(
        RelabelledSource(source, positions, numbers, tuple(map(str, numbers))),
        numbers,
        batch_size=batch_size,
        seed=seed,
        balanced=False,
        augment=augment,
    )
    return TargetBatches(numbered, targets)
