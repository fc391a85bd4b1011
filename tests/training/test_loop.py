import json
import os
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.tree_util import Partial
from rows import slow_but_first

from cfx_jax.errors import InputError
from cfx_jax.training import CheckpointStore, FitResult, fit


class State(NamedTuple):
    weights: jax.Array
    velocity: jax.Array
    count: jax.Array
    key: jax.Array


class Twin(NamedTuple):
    """The same leaves by the same names in another container."""

    weights: jax.Array
    velocity: jax.Array
    count: jax.Array
    key: jax.Array


class Stop(BaseException):
    """What a user's Ctrl-C or a power cut does to a training, as an exception that nothing
    catches.
    """


class Numbers:
    """Batches of numbers, as many as asked for; ``fail_at`` stands for a stop."""

    def __init__(self, end: int = 10**9, fail_at: int = 10**9) -> None:
        self.position, self.end, self.fail_at = 0, end, fail_at

    def __next__(self) -> np.ndarray:
        if self.position >= self.end:
            raise StopIteration
        if self.position >= self.fail_at:
            raise Stop
        self.position += 1
        return np.sin(np.arange(8.0) * self.position).astype(np.float32)

    def get_state(self) -> dict[str, int]:
        return {"position": self.position}

    def set_state(self, state: dict[str, int]) -> None:
        self.position = state["position"]


def _state() -> State:
    return State(jnp.ones(8), jnp.zeros(8), jnp.asarray(0), jax.random.key(5))


def _step(state: State, key: jax.Array, batch: jax.Array) -> tuple[State, dict[str, jax.Array]]:
    """Momentum descent on ||w - batch||^2 with noise from both keys."""
    loss = ((state.weights - batch) ** 2).mean()
    noise = jax.random.normal(key, (8,)) + jax.random.normal(
        jax.random.fold_in(state.key, state.count), (8,)
    )
    velocity = 0.9 * state.velocity + (state.weights - batch) + 0.1 * noise
    new = State(
        state.weights - 0.1 * velocity, velocity, state.count + 1, jax.random.split(state.key, 1)[0]
    )
    return new, {"loss": loss}


def _score(state: State) -> dict[str, float]:
    return {"score": float(-jnp.abs(state.weights).sum())}


def _fit(workdir: Path, batches: Any = None, step: Any = _step, **options: Any) -> FitResult:
    defaults = {
        "key": jax.random.key(0),
        "num_steps": 20,
        "config": {"rate": 0.1},
        "evaluate": _score,
        "evaluate_every": 3,
        "select": "score",
        "checkpoint_every": 4,
        "log_every": 5,
        "progress": False,
    }
    return fit(
        step,
        _state(),
        Numbers() if batches is None else batches,
        workdir=workdir,
        **(defaults | options),
    )


def _bits(tree: Any) -> list[bytes]:
    leaves = jax.tree.leaves(tree)
    is_key = [jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key) for leaf in leaves]
    return [
        np.asarray(jax.random.key_data(x) if key else x).tobytes()
        for x, key in zip(leaves, is_key, strict=True)
    ]


def test_equals_a_plain_loop_over_the_steps(tmp_path: Path) -> None:
    state, batches = _state(), Numbers()
    for index in range(20):
        state, _ = jax.jit(_step)(
            state, jax.random.fold_in(jax.random.key(0), index), next(batches)
        )
    assert _bits(_fit(tmp_path).state) == _bits(state)


@pytest.mark.parametrize("stop", slow_but_first((9, *range(0, 9, 3), *range(12, 20, 3))))
def test_stopped_and_gone_on_equals_uninterrupted_bit_for_bit(tmp_path: Path, stop: int) -> None:
    whole = _fit(tmp_path / "whole")
    with pytest.raises(Stop):
        _fit(tmp_path / "parts", Numbers(fail_at=stop))
    batches = Numbers()
    parts = _fit(tmp_path / "parts", batches)
    assert _bits(parts.state) == _bits(whole.state)
    assert _bits(parts.best) == _bits(whole.best)
    assert parts.history == whole.history
    assert batches.position == 20
    one, other = ((tmp_path / name / "metrics.jsonl").read_bytes() for name in ("whole", "parts"))
    assert one == other


def test_a_finished_training_is_read_without_a_step(tmp_path: Path) -> None:
    whole, batches = _fit(tmp_path), Numbers(fail_at=0)
    files = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    again = _fit(tmp_path, batches)
    assert _bits(again.state) == _bits(whole.state) and _bits(again.best) == _bits(whole.best)
    assert again.history == whole.history
    assert files == {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}


class Meddled(Numbers):
    """At the tenth step another thread, as another process would, tries to do something in the
    folder.
    """

    def __init__(self, meddle: Any) -> None:
        super().__init__()
        self.meddle, self.errors = meddle, list[str]()

    def __next__(self) -> np.ndarray:
        if self.position == 10:
            thread = threading.Thread(target=self._try)
            thread.start()
            thread.join()
        return super().__next__()

    def _try(self) -> None:
        try:
            self.meddle()
        except InputError as error:
            self.errors.append(str(error))


def test_a_second_training_in_the_folder_is_refused_and_the_first_one_is_whole(
    tmp_path: Path,
) -> None:
    whole, batches = _fit(tmp_path / "whole"), Meddled(lambda: _fit(tmp_path / "both"))
    found = _fit(tmp_path / "both", batches)
    assert len(batches.errors) == 1 and batches.errors[0].startswith(
        "another process trains here, "
    )
    assert _bits(found.state) == _bits(whole.state)
    assert (tmp_path / "both/metrics.jsonl").read_bytes() == (
        tmp_path / "whole/metrics.jsonl"
    ).read_bytes()


def test_reading_beside_a_training_changes_nothing(tmp_path: Path) -> None:
    """What is being written stays, and a checkpoint that looks damaged keeps its name."""
    steps: list[int] = []

    def read() -> None:
        (tmp_path / "checkpoints" / "tmp_step_00000012").mkdir()
        (tmp_path / "checkpoints" / "step_00000008" / "record.json").write_text("")
        with pytest.warns(
            UserWarning,
            match=r"step 8 is damaged \(record.json has changed since.*\): going on from step 4",
        ):
            checkpoint = CheckpointStore(tmp_path, {"rate": 0.1}).restore(_state())
        assert checkpoint is not None
        steps.append(checkpoint.step)
        steps.extend(
            len(list((tmp_path / "checkpoints").glob(name))) for name in ("tmp_*", "step_00000008")
        )

    _fit(tmp_path, Meddled(read))
    assert steps == [4, 1, 1]


def test_best_is_the_state_of_the_highest_evaluation(tmp_path: Path) -> None:
    scores: dict[int, float] = {}

    def evaluate(state: State) -> dict[str, float]:
        scores[int(state.count)] = _score(state)["score"]
        return {"score": scores[int(state.count)]}

    result = _fit(tmp_path, evaluate=evaluate)
    assert list(scores) == [3, 6, 9, 12, 15, 18, 20]
    best = max(scores, key=lambda count: scores[count])
    assert best < 20 and int(result.best.count) == best
    assert _score(result.best)["score"] == scores[best]


def test_without_selection_the_last_state_is_the_best(tmp_path: Path) -> None:
    result = _fit(tmp_path, select=None)
    assert result.best is result.state


def test_lines_hold_means_since_the_line_before_and_evaluations(tmp_path: Path) -> None:
    losses, state, batches = [], _state(), Numbers()
    for index in range(7):
        state, metrics = jax.jit(_step)(
            state, jax.random.fold_in(jax.random.key(0), index), next(batches)
        )
        losses.append(float(metrics["loss"]))
    result = _fit(tmp_path, num_steps=7, evaluate_every=None, checkpoint_every=100)
    assert [line["step"] for line in result.history] == [5, 7]
    assert result.history[0]["loss"] == pytest.approx(np.mean(losses[:5]), rel=1e-12)
    assert result.history[1]["loss"] == pytest.approx(np.mean(losses[5:]), rel=1e-12)
    assert result.history[1]["score"] == _score(state)["score"] and "score" not in result.history[0]


def test_the_state_given_is_not_consumed_and_the_step_is_compiled_once(tmp_path: Path) -> None:
    traces = []

    def step(state: State, key: jax.Array, batch: jax.Array) -> tuple[State, dict[str, jax.Array]]:
        traces.append(1)
        return _step(state, key, batch)

    state = _state()
    fit(
        step,
        state,
        Numbers(),
        key=jax.random.key(0),
        num_steps=6,
        workdir=tmp_path,
        config={},
        checkpoint_every=6,
        progress=False,
    )
    np.testing.assert_array_equal(state.weights, np.ones(8))
    assert len(traces) == 1


def test_what_is_frozen_is_an_argument_of_a_step_that_is_compiled_once(tmp_path: Path) -> None:
    """The step is a ``Partial``; the same numbers as from one that closes over what is frozen."""
    traces = []
    frozen = np.linspace(0, 1, 8, dtype=np.float32)

    def step(
        target: Any, state: State, key: jax.Array, batch: jax.Array
    ) -> tuple[State, dict[str, jax.Array]]:
        traces.append(isinstance(target, jax.core.Tracer))
        return _step(state, key, batch + target)

    found = _fit(tmp_path / "one", step=Partial(step, frozen), select=None)
    expected = _fit(
        tmp_path / "two",
        step=lambda state, key, batch: _step(state, key, batch + frozen),
        select=None,
    )
    np.testing.assert_allclose(found.state.weights, expected.state.weights, rtol=1e-6)
    assert traces == [True]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            lambda new: new._replace(weights=new.weights[:4]),
            r"\.weights of the state to stay float32\(8,\), got float32\(4",
        ),
        (
            lambda new: new._replace(count=new.count * 1.0),
            r"\.count of the state to stay int32\(\), got float32",
        ),
        (
            lambda new: new._replace(key={"a": new.key}),
            r"\.key of the state to stay key<fry>\(\), got absent",
        ),
        (lambda new: Twin(*new), "expected the state back in the containers that it came in"),
    ],
)
def test_a_step_that_gives_a_state_of_another_kind_is_named(
    tmp_path: Path, change: Any, message: str
) -> None:
    def step(*given: Any) -> Any:
        new, metrics = _step(*given)
        return change(new), metrics

    with pytest.raises(InputError, match=message):
        _fit(tmp_path, step=step)


def _spoiled(at: int, where: str) -> Any:
    def step(state: State, key: jax.Array, batch: jax.Array) -> tuple[State, dict[str, jax.Array]]:
        new, metrics = _step(state, key, batch)
        bad = jnp.where(state.count + 1 == at, jnp.nan, 0.0)
        if where == "loss":
            return new, {"loss": metrics["loss"] + bad}
        return new._replace(weights=new.weights.at[2].add(bad)), metrics

    return step


@pytest.mark.parametrize("at", [8, 9, 10, 11, 20])
def test_a_loss_that_is_no_number_stops_with_its_step_and_the_checkpoint_before(
    tmp_path: Path, at: int
) -> None:
    good = (at - 1) // 4 * 4
    message = (
        rf"^the loss of step {at} is nan: the last good checkpoint is .*step_{good:08d}; lower"
        r" the learning rate"
    )
    with pytest.raises(InputError, match=message):
        _fit(tmp_path, step=_spoiled(at, "loss"))


def test_weights_that_are_no_numbers_never_reach_a_checkpoint(tmp_path: Path) -> None:
    with pytest.raises(
        InputError, match=r"^\.weights is not finite after step 8: .*step_00000004; lower"
    ):
        _fit(tmp_path, step=_spoiled(8, "weights"))
    assert sorted(path.name for path in (tmp_path / "checkpoints").iterdir()) == ["step_00000004"]


def test_batches_that_end_early_are_one_line(tmp_path: Path) -> None:
    with pytest.raises(
        InputError,
        match=r"batches: ended after 6 of 20 steps: pass an iterator that repeats the data",
    ):
        _fit(tmp_path, Numbers(end=6))


def test_another_configuration_and_fewer_steps_are_refused(tmp_path: Path) -> None:
    _fit(tmp_path)
    with pytest.raises(InputError, match=r"another configuration \(rate was 0\.1, now 0\.2\)"):
        _fit(tmp_path, config={"rate": 0.2})
    with pytest.raises(
        InputError, match=r"holds a training of 20 steps already, got 19: ask for at least as many"
    ):
        _fit(tmp_path, num_steps=19)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"num_steps": 0}, "num_steps: expected an integer of at least 1, got 0"),
        ({"checkpoint_every": 0}, "checkpoint_every: expected an integer of at least 1, got 0"),
        ({"log_every": 1.5}, "log_every: expected an integer of at least 1, got 1.5"),
        ({"evaluate_every": -1}, "evaluate_every: expected an integer of at least 1, got -1"),
        ({"evaluate": None}, "select and evaluate_every need evaluate, a function of the state"),
        ({"select": "f1"}, "select: expected one of score, got 'f1'"),
    ],
)
def test_impossible_options_are_refused(
    tmp_path: Path, options: dict[str, Any], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        _fit(tmp_path, **options)


def test_progress_bar_shows_steps_and_loss(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    result = _fit(tmp_path, progress=True)
    shown = capsys.readouterr().err
    assert "20/20" in shown and "loss=" in shown
    assert len(result.history) > 0


def test_the_wait_for_the_host_is_told_where_progress_is_shown_and_something_was_trained(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    class Slow(Numbers):
        def __next__(self) -> np.ndarray:
            time.sleep(0.01)
            return super().__next__()

    found = _fit(tmp_path / "shown", Slow(), progress=True).durations
    assert found.waiting > 19 * 0.005 and found.evaluation > 0
    assert capsys.readouterr().err.splitlines()[-1] == str(found)
    again = _fit(tmp_path / "shown", progress=True)
    assert tuple(again.durations) == (0, 0, 0)
    _fit(tmp_path / "hidden")
    assert "waiting" not in capsys.readouterr().err
    assert "waiting" not in (tmp_path / "shown" / "metrics.jsonl").read_text()


SHARDED = """
import sys
import jax, jax.numpy as jnp, numpy as np
from cfx_jax.parallel import data_mesh
from cfx_jax.training import fit

class Images:
    position = 0
    def __next__(self):
        self.position += 1
        return np.random.default_rng(self.position).normal(size=(16, 5)).astype(np.float32)
    def get_state(self):
        return self.position
    def set_state(self, position):
        self.position = position

def step(state, key, batch):
    value, gradient = jax.value_and_grad(lambda w: ((batch @ w - 1) ** 2).mean())(state)
    return state - 0.1 * gradient, {"loss": value}

def final(name, mesh, **options):
    workdir = f"{sys.argv[1]}/{name}"
    return fit(step, jnp.ones(5), Images(), key=jax.random.key(0), workdir=workdir, config={},
               checkpoint_every=3, mesh=mesh, progress=False, **options).state

assert len(jax.devices()) == 8
alone, spread = final("one", None, num_steps=9), final("eight", data_mesh(), num_steps=6)
spread = final("eight", data_mesh(), num_steps=9)
assert len(spread.sharding.device_set) == 8 and spread.sharding.is_fully_replicated
np.testing.assert_allclose(spread, alone, rtol=1e-5)
two = final("eight", data_mesh(devices=jax.devices()[:2]), num_steps=9)
np.testing.assert_array_equal(two, spread)
print("same")
"""


def test_a_training_over_eight_devices_equals_one_device_and_moves_to_two(tmp_path: Path) -> None:
    environment = {**os.environ, "JAX_PLATFORMS": "cpu", "JAX_NUM_CPU_DEVICES": "8"}
    command = [sys.executable, "-c", SHARDED, str(tmp_path)]
    result = subprocess.run(command, capture_output=True, text=True, env=environment)
    assert result.stdout == "same\n", result.stderr


def test_metrics_file_is_one_json_object_a_line(tmp_path: Path) -> None:
    result = _fit(tmp_path)
    assert [
        json.loads(line) for line in (tmp_path / "metrics.jsonl").read_text().splitlines()
    ] == result.history
