"""The times of a training: what the device waited for the host is told apart from steps and
evaluations.
"""

import time
from typing import Any

import pytest

from cfx_jax.training import Durations
from cfx_jax.training.step_clock import StepClock


class Device:
    """Works on one piece after the other, beside the host."""

    def __init__(self, seconds: float) -> None:
        self.seconds, self.free = seconds, 0.0

    def __call__(self, state: int, compiling: float = 0.0) -> tuple[int, dict[str, Any]]:
        time.sleep(compiling)
        self.free = max(self.free, time.perf_counter()) + self.seconds
        return state + 1, {"loss": Result(self.free)}


class Result:
    """What is there at some time."""

    def __init__(self, ready: float) -> None:
        self.ready = ready

    def block_until_ready(self) -> "Result":
        time.sleep(max(self.ready - time.perf_counter(), 0))
        return self


def _measure(device: float, host: float, evaluation: float = 0.0) -> Durations:
    work, state = Device(device), 0
    with StepClock() as clock:
        state, _ = clock.step(work, state, 0.2)  # the compilation
        for _ in range(8):
            time.sleep(host)
            state, _ = clock.step(work, state)
        if evaluation:
            metrics = clock.step(work, state)[1]
            metrics["loss"].block_until_ready()
            assert clock.evaluation(
                lambda state: {"score": time.sleep(evaluation) or 1.0}, state
            ) == {"score": 1.0}
    assert state == 9
    return clock.durations


def test_times_by_hand() -> None:
    """Steps at 0 to 10 (the first), 11 to 14, called at 12 and ended at 20; an evaluation from 21
    to 25; a step at 27.
    """
    clock = StepClock()
    for name, begin, end in (
        ("steps", 0, 10),
        ("steps", 11, 14),
        ("steps", 12, 20),
        ("evaluation", 21, 25),
    ):
        clock._add(name, begin, end)
    clock._add("steps", 27, 30)
    assert clock.durations == Durations(steps=3 + 6 + 3, waiting=1 + 1 + 2, evaluation=4)
    assert sum(clock.durations) == 30 - 10
    assert clock.durations.share_waiting == 0.25


def test_work_of_the_host_beside_a_longer_step_costs_nothing() -> None:
    found = _measure(device=0.05, host=0.01)
    assert found.steps > 0.35 and found.share_waiting < 0.2


def test_where_the_host_is_slower_the_device_waits_for_the_rest_of_the_time() -> None:
    found = _measure(device=0.02, host=0.06)
    assert found.waiting > 8 * 0.03 and found.share_waiting > 0.5


def test_evaluations_and_the_compilation_count_apart() -> None:
    found = _measure(device=0.02, host=0.0, evaluation=0.1)
    assert found.evaluation == pytest.approx(0.1, abs=0.08)
    assert found.steps + found.waiting < 0.2 + 9 * 0.02


def test_nothing_is_divided_by_no_time() -> None:
    assert Durations().share_waiting == 0
    assert str(Durations(steps=9.0, waiting=1.0, evaluation=2.5)) == (
        "after the first step: 9.0 s in steps, 1.0 s waiting for data, logs and checkpoints (10.0%"
        " of both), 2.5 s in evaluations"
    )
