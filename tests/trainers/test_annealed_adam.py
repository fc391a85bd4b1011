"""Adam with a penalty in its gradient and a rate by epochs, against a computation in float64 by
hand.
"""

from dataclasses import replace

import jax.numpy as jnp
import numpy as np
import optax
import pytest

from cfx_jax.errors import InputError
from trainers.annealed_adam import AnnealedAdamConfig, annealed_adam, annealed_rate

CONFIG = AnnealedAdamConfig(learning_rate=0.1, smallest=0.02, weight_decay=0.5, epoch=3)


def test_the_rate_stays_for_an_epoch_and_falls_along_half_a_cosine() -> None:
    rate = annealed_rate(CONFIG, 11)  # four epochs, the last of two steps
    found = [float(rate(step)) for step in range(11)]
    quarter = np.sqrt(0.5)
    epochs = [0.1, 0.02 + 0.04 * (1 + quarter), 0.06, 0.02 + 0.04 * (1 - quarter)]
    np.testing.assert_allclose(found, np.repeat(epochs, 3)[:11], rtol=1e-6)


def test_a_smallest_rate_as_large_as_the_first_keeps_it() -> None:
    rate = annealed_rate(replace(CONFIG, smallest=0.1), 12)
    np.testing.assert_allclose([float(rate(step)) for step in range(12)], 0.1, rtol=1e-6)


def test_steps_are_those_of_adam_on_gradient_and_penalty() -> None:
    slopes = np.random.default_rng(0).normal(size=(5, 4))
    weights = expected = np.array([1.0, -2.0, 0.5, 0.0])
    adam = annealed_adam(replace(CONFIG, smallest=0.1), 5)
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


def test_mistakes_are_named() -> None:
    for options, message in (
        ({"epoch": 0}, "epoch: expected an integer of at least 1, got 0"),
        ({"learning_rate": 0.0}, "learning_rate: expected a finite number above 0, got 0.0"),
        ({"smallest": 0.2}, r"smallest: expected it in \[0, 0.1\], the learning_rate, got 0.2"),
        ({"smallest": -1.0}, r"smallest: expected it in \[0, 0.1\]"),
        ({"weight_decay": -1.0}, "weight_decay: expected a weight of at least 0, got -1.0"),
    ):
        with pytest.raises(InputError, match=message):
            annealed_adam(replace(CONFIG, **options), 10)
    with pytest.raises(InputError, match="num_steps: expected an integer of at least 1, got 0"):
        annealed_adam(CONFIG, 0)
