import math

import jax.numpy as jnp
import numpy as np
import optax
import pytest

from cfx_jax.errors import InputError
from trainers.optimiser import OptimiserConfig, learning_rate, make_optimiser

STEPS = 30


def _rates(**options: object) -> np.ndarray:
    schedule = learning_rate(OptimiserConfig(learning_rate=0.5, **options), STEPS)  # type: ignore[arg-type]
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
    config = OptimiserConfig(
        learning_rate=0.1, weight_decay=0.01, nesterov=nesterov, schedule="constant"
    )
    tx, weight, buffer = make_optimiser(config, STEPS), np.array([1.0, -2.0]), np.zeros(2)
    params = jnp.asarray(weight, jnp.float32)
    state = tx.init(params)
    for gradient in np.random.default_rng(0).normal(size=(5, 2)):
        updates, state = tx.update(jnp.asarray(gradient, jnp.float32), state, params)
        params = optax.apply_updates(params, updates)
        decayed = gradient + 0.01 * weight
        buffer = 0.9 * buffer + decayed
        weight = weight - 0.1 * (decayed + 0.9 * buffer if nesterov else buffer)
        np.testing.assert_allclose(params, weight, rtol=1e-5)


def test_adam_moves_by_the_rate_at_the_first_step_and_decays_the_weights() -> None:
    tx = make_optimiser(
        OptimiserConfig(name="adam", learning_rate=0.1, weight_decay=0.5, schedule="constant"),
        STEPS,
    )
    params, gradient = jnp.array([2.0, -4.0]), jnp.array([3.0, -1e-3])
    updates, _ = tx.update(gradient, tx.init(params), params)
    np.testing.assert_allclose(updates, [-0.1 - 0.1 * 0.5 * 2, 0.1 + 0.1 * 0.5 * 4], rtol=1e-3)


def test_defaults_are_those_of_stage_one_of_the_paper() -> None:
    config = OptimiserConfig()
    values = (
        config.name,
        config.learning_rate,
        config.momentum,
        config.nesterov,
        config.weight_decay,
        config.schedule,
    )
    assert values == ("sgd", 0.01, 0.9, True, 5e-4, "cosine")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"name": "rmsprop"}, "optimiser: expected one of 'sgd', 'adam', got 'rmsprop'"),
        (
            {"schedule": "step"},
            "schedule: expected one of 'cosine', 'triangle', 'constant', got 'step'",
        ),
        (
            {"schedule": "triangle", "peak": 1.0},
            r"peak: expected a share of all steps in \(0, 1\), got 1.0",
        ),
    ],
)
def test_unknown_names_and_impossible_peaks_are_refused(
    options: dict[str, object], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        make_optimiser(OptimiserConfig(**options), STEPS)  # type: ignore[arg-type]
