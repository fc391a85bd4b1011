"""The learning rate that follows the validation loss, by hand."""

import json
from typing import Any

import numpy as np
import pytest

from cfx_jax.errors import InputError
from trainers.plateau import Plateau, RatedBatches, ValidationPlateauConfig


class Counting:
    """Batches that hold their number."""

    def __init__(self) -> None:
        self.number = 0

    def __next__(self) -> dict[str, np.ndarray]:
        self.number += 1
        return {"image": np.full((3, 1, 1, 1), self.number)}

    def get_state(self) -> Any:
        return self.number

    def set_state(self, state: Any) -> None:
        self.number = state


def test_the_rate_falls_after_as_many_evaluations_without_a_lower_loss_as_patience_says_and_stops_at_the_smallest() -> (
    None
):
    plateau, rates = Plateau(ValidationPlateauConfig(1.0, factor=0.5, patience=2, smallest=0.3)), []
    for loss in [4.0, 3.0, 3.0, 3.5, 2.0, 2.0, 1.9999, 2.1, 2.1, 2.1]:
        plateau.offer(loss)
        rates.append(plateau.rate)
    # The third and fourth wait; 2.0 is lower; 1.9999 is so by less than one part in 10,000.
    assert rates == [1.0, 1.0, 1.0, 0.5, 0.5, 0.5, 0.3, 0.3, 0.3, 0.3]


@pytest.mark.parametrize("losses", [[], [3.0, 3.0, 3.0, 3.0], [3.0, 3.1]])
def test_a_course_goes_on_from_its_state_as_if_it_had_not_been_interrupted(
    losses: list[float],
) -> None:
    config = ValidationPlateauConfig(1.0, patience=2, smallest=1e-3)
    plateau, resumed = Plateau(config), Plateau(config)
    batches, later = RatedBatches(Counting(), plateau), RatedBatches(Counting(), resumed)
    next(batches)
    for loss in losses:
        plateau.offer(loss)
    later.set_state(json.loads(json.dumps(batches.get_state())))
    for loss in [3.0, 3.0, 2.0, 2.0, 2.0]:
        one, other = next(batches), next(later)
        np.testing.assert_array_equal(one["image"], other["image"])
        np.testing.assert_array_equal(one["learning_rate"], other["learning_rate"])
        plateau.offer(loss)
        resumed.offer(loss)


def test_every_image_of_a_batch_carries_the_rate() -> None:
    batch = next(RatedBatches(Counting(), Plateau(ValidationPlateauConfig())))
    np.testing.assert_array_equal(batch["learning_rate"], np.full(3, 1e-4, np.float32))
    assert batch["learning_rate"].dtype == np.float32


@pytest.mark.parametrize(
    "options", [{"factor": 1.0}, {"patience": 0}, {"smallest": 0.1}, {"smallest": 0.0}]
)
def test_impossible_courses_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(
        InputError,
        match=r"expected a factor in \(0, 1\), patience of at least 1, and 0 < smallest <= lea",
    ):
        Plateau(ValidationPlateauConfig(**options))
