"""Optimisers, courses of the learning rate and plateaus, against computations by hand."""

import json
import math
from dataclasses import replace
from typing import Any

import jax.numpy as jnp
import numpy as np
import optax
import pytest

from cfx_jax.errors import InputError
from trainers import OptimiserSettings, PlateauSettings, RunSettings
from trainers.shared import Plateau, RatedBatches, make_optimiser
from trainers.shared.optimisers import make_schedule

STEPS = 30
RUN = RunSettings(num_steps=STEPS, steps_per_epoch=3)
ANNEALED = OptimiserSettings(
    rule="adam", learning_rate=0.1, smallest=0.02, weight_decay=0.5, schedule="cosine_by_epoch"
)


def _rates(**options: Any) -> np.ndarray:
    schedule = make_schedule(OptimiserSettings(learning_rate=0.5, **options), RUN)
    return np.array([float(schedule(jnp.asarray(step))) for step in range(STEPS + 1)])


def test_cosine_falls_from_the_rate_to_zero_as_half_a_cosine() -> None:
    expected = [0.25 * (1 + math.cos(math.pi * step / STEPS)) for step in range(STEPS + 1)]
    np.testing.assert_allclose(_rates(schedule="cosine"), expected, atol=1e-6)


def test_triangle_rises_in_the_first_third_and_falls_to_zero() -> None:
    expected = [0.5 * min(step / 10, (STEPS - step) / 20) for step in range(STEPS + 1)]
    np.testing.assert_allclose(_rates(schedule="triangle"), expected, atol=1e-6)


def test_constant_stays() -> None:
    np.testing.assert_allclose(_rates(schedule="constant"), 0.5)


@pytest.mark.parametrize("nesterov", [True, False])
def test_sgd_follows_the_recursion_of_the_released_code(nesterov: bool) -> None:
    # buf <- m buf + (g + wd w);  w <- w - lr (g + wd w + m buf) with Nesterov, else w - lr buf.
    settings = OptimiserSettings("sgd", 0.1, weight_decay=0.01, nesterov=nesterov)
    tx, weight, buffer = make_optimiser(settings, RUN), np.array([1.0, -2.0]), np.zeros(2)
    params = jnp.asarray(weight, jnp.float32)
    state = tx.init(params)
    for gradient in np.random.default_rng(0).normal(size=(5, 2)):
        updates, state = tx.update(jnp.asarray(gradient, jnp.float32), state, params)
        params = optax.apply_updates(params, updates)
        decayed = gradient + 0.01 * weight
        buffer = 0.9 * buffer + decayed
        weight = weight - 0.1 * (decayed + 0.9 * buffer if nesterov else buffer)
        np.testing.assert_allclose(params, weight, rtol=1e-5)


def test_adamw_moves_by_the_rate_at_the_first_step_and_decays_the_weights() -> None:
    tx = make_optimiser(OptimiserSettings("adamw", 0.1, weight_decay=0.5), RUN)
    params, gradient = jnp.array([2.0, -4.0]), jnp.array([3.0, -1e-3])
    updates, _ = tx.update(gradient, tx.init(params), params)
    np.testing.assert_allclose(updates, [-0.1 - 0.1 * 0.5 * 2, 0.1 + 0.1 * 0.5 * 4], rtol=1e-3)


def test_a_line_is_constant_and_then_falls_to_zero() -> None:
    expected = [0.5 * min(1, (STEPS - step) / 20) for step in range(STEPS + 1)]
    np.testing.assert_allclose(_rates(schedule="line", turn=1 / 3), expected, atol=1e-6)
    schedule = make_schedule(
        OptimiserSettings(learning_rate=0.5, schedule="line", turn=1 / 3), RUN, updates=2
    )
    twice = [float(schedule(step)) for step in range(0, 2 * STEPS + 1, 2)]
    np.testing.assert_allclose(twice, expected, atol=1e-6)


def test_the_rate_stays_for_an_epoch_and_falls_along_half_a_cosine() -> None:
    rate = make_schedule(ANNEALED, replace(RUN, num_steps=11))  # the last epoch has two steps
    found = [float(rate(step)) for step in range(11)]
    quarter = np.sqrt(0.5)
    epochs = [0.1, 0.02 + 0.04 * (1 + quarter), 0.06, 0.02 + 0.04 * (1 - quarter)]
    np.testing.assert_allclose(found, np.repeat(epochs, 3)[:11], rtol=1e-6)


def test_a_smallest_rate_as_large_as_the_first_keeps_it() -> None:
    rate = make_schedule(replace(ANNEALED, smallest=0.1), replace(RUN, num_steps=12))
    np.testing.assert_allclose([float(rate(step)) for step in range(12)], 0.1, rtol=1e-6)


def test_steps_are_those_of_adam_on_gradient_and_penalty() -> None:
    slopes = np.random.default_rng(0).normal(size=(5, 4))
    weights = expected = np.array([1.0, -2.0, 0.5, 0.0])
    adam = make_optimiser(replace(ANNEALED, smallest=0.1), replace(RUN, num_steps=5))
    params, state = jnp.asarray(weights), adam.init(jnp.asarray(weights))
    first, second = np.zeros(4), np.zeros(4)
    for step, slope in enumerate(slopes, start=1):
        updates, state = adam.update(jnp.asarray(slope), state, params)
        params = optax.apply_updates(params, updates)
        penalised = slope + 0.5 * expected
        first, second = 0.9 * first + 0.1 * penalised, 0.999 * second + 0.001 * penalised**2
        moment, scale = first / (1 - 0.9**step), np.sqrt(second / (1 - 0.999**step))
        expected = expected - 0.1 * moment / (scale + 1e-8)
    np.testing.assert_allclose(params, expected, rtol=1e-4)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"rule": "rmsprop"}, "rule: expected one of 'sgd', 'adam', 'adamw', got 'rmsprop'"),
        ({"schedule": "step"}, "schedule: expected one of 'constant', 'cosine', .* got 'step'"),
        (
            {"schedule": "triangle", "turn": 1.0},
            r"turn: expected a share of all steps in \(0, 1\), got 1.0",
        ),
        ({"learning_rate": 0.0}, "learning_rate: expected a finite number above 0, got 0.0"),
        ({"momentum": 1.0}, r"momentum: expected it in \[0, 1\), got 1.0"),
        ({"smallest": 0.2}, r"smallest: expected it in \[0, 0.1\], the learning_rate, got 0.2"),
        ({"smallest": -1.0}, r"smallest: expected it in \[0, 0.1\]"),
        ({"weight_decay": -1.0}, "weight_decay: expected a weight of at least 0, got -1.0"),
    ],
)
def test_unknown_names_and_impossible_numbers_are_refused(
    options: dict[str, Any], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        make_optimiser(replace(ANNEALED, **options), RUN)


def test_a_run_that_was_not_counted_out_is_refused() -> None:
    with pytest.raises(InputError, match="num_steps: expected at least 1, got 0"):
        make_optimiser(ANNEALED, replace(RUN, num_steps=0))
    with pytest.raises(InputError, match="steps_per_epoch: expected an integer of at least 1, got"):
        make_optimiser(ANNEALED, replace(RUN, steps_per_epoch=0))


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


def test_the_rate_falls_when_patience_is_over_and_stops_at_the_smallest() -> None:
    plateau, rates = Plateau(PlateauSettings(1.0, factor=0.5, patience=2, smallest=0.3)), []
    for loss in [4.0, 3.0, 3.0, 3.5, 2.0, 2.0, 1.9999, 2.1, 2.1, 2.1]:
        plateau.observe(loss)
        rates.append(plateau.rate)
    # The third and fourth wait; 2.0 is lower; 1.9999 is so by less than one part in 10,000.
    assert rates == [1.0, 1.0, 1.0, 0.5, 0.5, 0.5, 0.3, 0.3, 0.3, 0.3]


@pytest.mark.parametrize("losses", [[], [3.0, 3.0, 3.0, 3.0], [3.0, 3.1]])
def test_a_course_goes_on_from_its_state_as_if_it_had_not_been_interrupted(
    losses: list[float],
) -> None:
    settings = PlateauSettings(1.0, patience=2, smallest=1e-3)
    plateau, resumed = Plateau(settings), Plateau(settings)
    batches, later = RatedBatches(Counting(), plateau), RatedBatches(Counting(), resumed)
    next(batches)
    for loss in losses:
        plateau.observe(loss)
    later.set_state(json.loads(json.dumps(batches.get_state())))
    for loss in [3.0, 3.0, 2.0, 2.0, 2.0]:
        one, other = next(batches), next(later)
        np.testing.assert_array_equal(one["image"], other["image"])
        np.testing.assert_array_equal(one["learning_rate"], other["learning_rate"])
        plateau.observe(loss)
        resumed.observe(loss)


def test_every_image_of_a_batch_carries_the_rate() -> None:
    batch = next(RatedBatches(Counting(), Plateau(PlateauSettings())))
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
        Plateau(PlateauSettings(**options))
