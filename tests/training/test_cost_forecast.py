"""What a training tells of its cost: memory of a step, and the time ahead."""

import re
import time

import jax
import jax.numpy as jnp
import pytest

from cfx_jax.training.cost_forecast import Forecast


def test_the_time_ahead_is_that_of_the_measured_steps(monkeypatch):
    now = [100.0]
    monkeypatch.setattr(time, "perf_counter", lambda: now[0])
    ahead, told = Forecast(10, 1000), []
    for done in range(11, 40):
        told.append(ahead.after(done, {}))
        now[0] += 2.0
    assert [text for text in told if text] == ["2 s a step: about 33 min to step 1000"]
    assert told[5]  # of the steps after the first one, which compiles


def test_a_training_of_few_steps_tells_nothing():
    assert not any(Forecast(0, 8).after(done, {}) for done in range(1, 9))


@pytest.mark.parametrize("steps", [30])
def test_a_training_prints_its_cost_before_it_runs(tmp_path, capfd, steps):
    from cfx_jax.training import fit

    class Ones:
        def __next__(self):
            return jnp.ones(4)

        def get_state(self):
            return 0

        def set_state(self, state):
            pass

    def step(state, key, batch):
        return state + batch.sum(), {"loss": state}

    options = {"key": jax.random.key(0), "num_steps": steps, "config": {}, "checkpoint_every": 20}
    fit(step, jnp.float32(0), Ones(), workdir=tmp_path, **options)
    errors = capfd.readouterr().err
    assert f"steps 1 to {steps}; a step takes 0.00 GiB" in errors
    assert re.search(rf"s a step: about \d+ s to step {steps}", errors)
