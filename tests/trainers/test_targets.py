"""Batches with a target for each image: each image has its own, and a place in the stream can be
taken up again.
"""

from typing import Any

import numpy as np
import pytest

from cfx_jax.data import ArraySource
from cfx_jax.errors import InputError
from trainers.targets import TargetBatches, batches_with_targets

VALUES = np.arange(12)
SOURCE = ArraySource(
    np.broadcast_to(VALUES[:, None, None, None] / 20, (12, 4, 4, 1)).astype(np.float32),
    VALUES % 2,
    ("a", "b"),
)
CHOSEN = np.array([11, 3, 4, 0, 7, 8])


def _batches(targets: np.ndarray, **options: Any) -> TargetBatches:
    given: dict[str, Any] = {
        "batch_size": 4,
        "seed": 0,
        "augment": None,
        "name": "masks",
        **options,
    }
    return batches_with_targets(SOURCE, CHOSEN, targets, **given)


def test_each_image_has_the_target_of_its_place_in_the_indices() -> None:
    batches, seen = _batches(np.stack([CHOSEN, -CHOSEN], axis=1)), []
    for _ in range(3):
        batch = next(batches)
        numbers = np.rint(20 * batch["image"].mean(axis=(1, 2, 3))).astype(int)
        np.testing.assert_array_equal(batch["target"], np.stack([numbers, -numbers], axis=1))
        seen += numbers.tolist()
    assert sorted(seen) == sorted(2 * CHOSEN.tolist())


def test_images_are_augmented_and_targets_are_not() -> None:
    batch = next(_batches(CHOSEN, augment=lambda image, rng: 1 - image))
    np.testing.assert_array_equal(np.rint(20 * (1 - batch["image"][:, 0, 0, 0])), batch["target"])


def test_a_place_in_the_stream_is_taken_up_again() -> None:
    batches = _batches(CHOSEN)
    next(batches)
    place, following = batches.get_state(), next(batches)
    again = _batches(CHOSEN)
    again.set_state(place)
    found = next(again)
    for name, values in following.items():
        np.testing.assert_array_equal(found[name], values)


def test_another_number_of_targets_is_refused() -> None:
    with pytest.raises(
        InputError,
        match="masks: expected one for each of the 6 training images, got 12: take those of",
    ):
        _batches(VALUES)
