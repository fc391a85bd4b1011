"""The checkpoint table and the conditions C1 and C2 on hand-made loss traces."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from cfx_jax.optimise.adaptive_step import IMPROVING_SHARE, adapt, begin, checkpoints, observe


@pytest.mark.parametrize(
    ("num_steps", "expected"),
    [
        (20, [4, 7, 9, *range(10, 21)]),
        (75, [16, 30, 42, 52, 60, 66, 70, 74]),
        (100, [22, 41, 57, 70, 80, 87, 93, 99]),
    ],
)
def test_checkpoints_are_those_of_the_released_code(num_steps, expected):
    is_check, periods = checkpoints(num_steps)
    assert (np.flatnonzero(is_check) + 1).tolist() == expected
    assert periods[is_check].tolist() == np.diff([0, *expected]).tolist()


def play(trace, num_steps=75):
    """The step size after each step when the objective takes these values in turn, the first at the
    start.
    """
    values = jnp.asarray(trace, jnp.float32)
    # x counts the evaluations, so the objective can read the trace off it.
    objective = lambda x: jax.lax.stop_gradient(values[x.astype(jnp.int32)]) + 0 * x  # noqa: E731

    def body(search, index):
        observed, _ = observe(search, objective, index.astype(jnp.float32))
        search = adapt(observed, num_steps=num_steps, oscillation=IMPROVING_SHARE)
        return search, search.step_size

    _, sizes = jax.lax.scan(
        body, begin(objective, jnp.zeros(()), jnp.ones(())), jnp.arange(1, num_steps + 1)
    )
    return np.asarray(sizes)


def halvings(trace, num_steps=75):
    sizes = np.concatenate([[1.0], play(trace, num_steps)])
    return (np.flatnonzero(np.diff(sizes) < 0) + 1).tolist()


CHECKS = [16, 30, 42, 52, 60, 66, 70, 74]


def test_a_loss_that_always_falls_never_halves_the_step():
    assert halvings(-np.arange(76.0)) == []


@pytest.mark.parametrize("trace", [np.zeros(76), np.arange(76) % 2], ids=["flat", "alternating"])
def test_a_loss_that_does_not_fall_halves_the_step_at_every_check(trace):
    assert halvings(trace) == CHECKS


def test_stagnation_halves_at_every_second_check_and_never_at_the_first():
    trace = 100.0 - np.arange(76)
    trace[0] = -1000.0
    assert halvings(trace) == CHECKS[1::2]


def test_three_quarters_of_improving_steps_are_not_enough():
    period = 16
    improves = [True] * 12 + [False] * 4
    trace = np.concatenate([[0.0], np.cumsum(np.where(improves, -1.0, 0.5)), np.zeros(59)])
    assert halvings(trace)[0] == period
    improves[12] = True
    trace[1:17] = np.cumsum(np.where(improves, -1.0, 0.5))
    assert halvings(trace)[0] != period


def test_a_value_that_is_not_finite_is_never_kept_and_the_search_returns_to_its_best():
    objective = lambda x: jnp.where(x[0] > 1, jnp.nan, (x**2).sum())  # noqa: E731
    search = begin(objective, jnp.asarray([0.5, 0.5]), jnp.ones(()))
    search, value = observe(search, objective, jnp.asarray([2.0, 0.0]))
    assert jnp.isnan(value)
    np.testing.assert_array_equal(search.x, [0.5, 0.5])
    assert float(search.best_value) == pytest.approx(0.5)
    assert jnp.isfinite(search.gradient).all()


def test_a_step_to_a_value_that_is_not_finite_counts_as_no_improvement():
    """Steps in turn to NaN and to 1 never fall below the start's 0: the step is always halved."""
    nan_and_worse = np.where(np.arange(76) % 2, 1.0, np.nan)
    nan_and_worse[0] = 0.0
    assert halvings(nan_and_worse) == CHECKS
