import contextlib
import errno
import json
import logging
import os
import shutil
import subprocess
import sys
import warnings
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from rows import slow_but_first

from cfx_jax.errors import InputError
from cfx_jax.files import digest
from cfx_jax.training import CheckpointStore
from cfx_jax.training.checkpoint import _failures_held_back

CONFIG = {"a": 1}


def _state(value: float) -> dict[str, Any]:
    return {
        "weights": jnp.full((50, 40), value, jnp.float32),
        "half": jnp.full(3, value, jnp.bfloat16),
        "count": jnp.asarray(int(value), jnp.int32),
        "flags": jnp.array([True, value > 1]),
        "key": jax.random.key(int(value)),
    }


def _assert_same(one: Any, other: Any) -> None:
    assert jax.tree.structure(one) == jax.tree.structure(other)
    for a, b in zip(jax.tree.leaves(one), jax.tree.leaves(other), strict=True):
        assert a.dtype == b.dtype
        is_key = jnp.issubdtype(a.dtype, jax.dtypes.prng_key)
        np.testing.assert_array_equal(
            *(jax.random.key_data(x) if is_key else np.asarray(x) for x in (a, b))
        )


def _store(tmp_path: Path, *steps: int) -> CheckpointStore:
    store = CheckpointStore(tmp_path / "w", CONFIG)
    for step in steps:
        store.save(step, _state(step), record={"position": step})
    return store


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file() and path.stat().st_size)


def test_nothing_saved_gives_nothing(tmp_path: Path) -> None:
    store = _store(tmp_path)
    assert store.restore(_state(0)) is None
    assert store.latest() == "there is no checkpoint yet"


def test_state_best_and_record_come_back_bit_for_bit(tmp_path: Path) -> None:
    record = {"batches": {"next_index": 7}, "best_value": 0.1 + 0.2, "none": None}
    _store(tmp_path).save(12, _state(3), best=_state(2), record=record)
    checkpoint = CheckpointStore(tmp_path / "w", CONFIG).restore(_state(0))
    assert checkpoint is not None and checkpoint.step == 12 and checkpoint.record == record
    _assert_same(checkpoint.state, _state(3))
    _assert_same(checkpoint.best, _state(2))


def test_a_state_without_a_best_comes_back_without(tmp_path: Path) -> None:
    checkpoint = _store(tmp_path, 1).restore(_state(0))
    assert checkpoint is not None and checkpoint.best is None


def test_a_checkpoint_of_arrays_one_by_one_is_read_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As they were written before arrays of one type were stored as one."""
    monkeypatch.setattr("cfx_jax.training.checkpoint.split_over_devices", list)
    folder = _store(tmp_path, 4).workdir / "checkpoints" / "step_00000004"
    record = json.loads((folder / "record.json").read_text())
    assert len(record.pop("split")) == len(_state(0))
    (folder / "record.json").write_text(json.dumps(record))
    manifest = json.loads((folder / "manifest.json").read_text())
    (folder / "manifest.json").write_text(
        json.dumps(manifest | {"record.json": digest(folder / "record.json")})
    )
    checkpoint = CheckpointStore(tmp_path / "w", CONFIG).restore(_state(0))
    assert checkpoint is not None and checkpoint.step == 4
    _assert_same(checkpoint.state, _state(4))


def test_the_newest_is_restored_and_old_ones_are_removed(tmp_path: Path) -> None:
    store = _store(tmp_path, 5, 10, 15)
    assert store.steps() == [10, 15]
    assert store.latest().endswith("checkpoints/step_00000015")
    checkpoint = store.restore(_state(0))
    assert checkpoint is not None and checkpoint.step == 15


def test_saving_a_step_again_replaces_it(tmp_path: Path) -> None:
    store = _store(tmp_path, 5)
    store.save(5, _state(9))
    checkpoint = store.restore(_state(0))
    assert checkpoint is not None
    _assert_same(checkpoint.state, _state(9))


def test_what_a_stop_left_behind_is_removed_at_the_next_start(tmp_path: Path) -> None:
    folder = _store(tmp_path, 5).workdir / "checkpoints"
    (folder / "tmp_step_00000010" / "arrays").mkdir(parents=True)
    assert _store(tmp_path).steps() == [5]
    assert [path.name for path in folder.iterdir()] == ["step_00000005"]


def _flip_a_bit(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


@pytest.mark.parametrize(
    "damage",
    slow_but_first(
        [
            _flip_a_bit,
            lambda path: os.truncate(path, 1),
            os.remove,
            lambda path: path.write_bytes(b""),
        ]
    ),
)
def test_any_damaged_file_of_the_newest_makes_the_one_before_the_newest(
    tmp_path: Path, damage: Any
) -> None:
    for number in range(
        len(_files(_store(tmp_path / "count", 6).workdir / "checkpoints" / "step_00000006"))
    ):
        store = _store(tmp_path / str(number), 3, 6)
        folder = store.workdir / "checkpoints"
        files = _files(folder / "step_00000006")  # their number varies a little from run to run
        damage(files[number % len(files)])
        with pytest.warns(
            UserWarning, match=r"step 6 is damaged \(.*\) and now called .*going on from step 3"
        ):
            checkpoint = store.restore(_state(0))
        assert checkpoint is not None and checkpoint.step == 3
        _assert_same(checkpoint.state, _state(3))
        assert sorted(path.name for path in folder.iterdir()) == [
            "damaged_step_00000006",
            "step_00000003",
        ]


@pytest.mark.parametrize(
    "content", ["{}", "[]", "null", pytest.param("[" * 100_000, id="deep"), '{"record.json": 3}']
)
def test_a_manifest_that_says_nothing_is_damage(tmp_path: Path, content: str) -> None:
    store = _store(tmp_path, 3, 6)
    (store.workdir / "checkpoints" / "step_00000006" / "manifest.json").write_text(content)
    with pytest.warns(
        UserWarning, match=r"step 6 is damaged \(.*\) and now called .*going on from step 3"
    ):
        checkpoint = store.restore(_state(0))
    assert checkpoint is not None and checkpoint.step == 3


def test_after_a_damaged_one_training_goes_on_without_another_warning(tmp_path: Path) -> None:
    store = _store(tmp_path, 3, 6)
    os.remove(store.workdir / "checkpoints" / "step_00000006" / "record.json")
    with pytest.warns(UserWarning):
        store.restore(_state(0))
    store.save(6, _state(6))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        checkpoint = store.restore(_state(0))
    assert checkpoint is not None and checkpoint.step == 6
    assert store.steps() == [3, 6]


def test_all_damaged_is_one_line_and_nothing_is_moved(tmp_path: Path) -> None:
    store = _store(tmp_path, 3, 6)
    for step in (3, 6):
        os.remove(store.workdir / "checkpoints" / f"step_0000000{step}" / "record.json")
    message = (
        r"none of the checkpoints in .*checkpoints can be read \(step 6: record.json is missing;"
        r" step 3: record.json is"
        r" missing\): restore them from a copy, or delete .*w to start anew$"
    )
    with pytest.raises(InputError, match=message):
        store.restore(_state(0))
    assert store.steps() == [3, 6]


def test_a_checkpoint_of_another_training_or_step_is_damage_and_one_of_before_is_not(
    tmp_path: Path,
) -> None:
    store = _store(tmp_path, 1, 2)
    other = CheckpointStore(tmp_path / "other", {"a": 2})
    other.save(3, _state(3))
    shutil.copytree(other._path(3), store._path(3))
    with pytest.warns(UserWarning, match=r"step 3 is damaged \(it is of another training\)"):
        checkpoint = store.restore(_state(0))
    assert checkpoint is not None and checkpoint.step == 2
    os.rename(store._path(1), store._path(4))
    with pytest.warns(UserWarning, match=r"step 4 is damaged \(it is of step 1\)"):
        assert store.restore(_state(0)) is not None
    record = json.loads((store._path(2) / "record.json").read_text())
    del record["training"]  # as earlier versions wrote it
    (store._path(2) / "record.json").write_text(json.dumps(record))
    manifest = json.loads((store._path(2) / "manifest.json").read_text())
    manifest["record.json"] = digest(store._path(2) / "record.json")
    (store._path(2) / "manifest.json").write_text(json.dumps(manifest))
    assert store.restore(_state(0)) is not None


def test_a_state_of_another_model_is_refused_and_not_taken_for_damage(tmp_path: Path) -> None:
    store, other = (
        _store(tmp_path, 3),
        {**_state(0), "weights": jnp.zeros((50, 41)), "new": jnp.zeros(1)},
    )
    message = (
        r"step_00000003 does not fit this model: \['state'\]\['weights'\] was float32\(50, 40\),"
        r" now float32\(50, 41\) and"
        r" 1 more differ: build the model that was trained, or choose another workdir$"
    )
    with pytest.raises(InputError, match=message):
        store.restore(other)
    assert store.steps() == [3]


def test_another_configuration_is_refused(tmp_path: Path) -> None:
    _store(tmp_path, 3)
    with pytest.raises(InputError, match=r"another configuration \(a was 1, now 2\)"):
        CheckpointStore(tmp_path / "w", {"a": 2})


def test_fewer_than_two_kept_is_refused(tmp_path: Path) -> None:
    with pytest.raises(
        InputError, match=r"keep: expected at least 2 checkpoints, got 1: one may turn out damaged"
    ):
        CheckpointStore(tmp_path / "w", CONFIG, keep=1)


@pytest.mark.parametrize("refusing_call", [1, 2, 3])
def test_a_full_disk_is_one_line_and_earlier_checkpoints_stay(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, refusing_call: int
) -> None:
    store, calls, real = _store(tmp_path, 3, 6), [], os.fsync

    def full(descriptor: int) -> None:
        calls.append(descriptor)
        if len(calls) >= refusing_call:
            raise OSError(errno.ENOSPC, "No space left on device")
        real(descriptor)

    monkeypatch.setattr(os, "fsync", full)
    message = (
        r"^the checkpoint of step 9 could not be written to .*step_00000009 \(No space left on"
        r" device\): free some space"
        r" and start again; the last good checkpoint is .*step_00000006$"
    )
    with pytest.raises(InputError, match=message):
        store.save(9, _state(9))
    monkeypatch.undo()
    assert sorted(path.name for path in (store.workdir / "checkpoints").iterdir()) == [
        "step_00000003",
        "step_00000006",
    ]
    checkpoint = store.restore(_state(0))
    assert checkpoint is not None
    _assert_same(checkpoint.state, _state(6))


LIMITED = """
import resource, signal, sys
import jax.numpy as jnp, numpy as np
from cfx_jax.errors import InputError
from cfx_jax.training import CheckpointStore
from cfx_jax.training.checkpoint import _failures_held_back

signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
store = CheckpointStore(sys.argv[1], {"a": 1})
small = jnp.zeros(10)
large = jnp.asarray(np.random.default_rng(0).normal(size=300_000), jnp.float32)
store.save(1, {"w": small})
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, resource.RLIM_INFINITY))
try:
    store.save(2, {"w": large})
except InputError as error:
    print(error)
print(store.steps(), store.restore({"w": large[:10]}).state["w"].tolist() == [0.0] * 10)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="file size limits are POSIX's")
def test_a_file_system_that_really_refuses_is_one_line_and_earlier_checkpoints_stay(
    tmp_path: Path,
) -> None:
    command = [sys.executable, "-c", LIMITED, str(tmp_path / "w")]
    environment = {**os.environ, "JAX_PLATFORMS": "cpu"}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=True)
    output = done.stdout.splitlines()
    assert len(output) == 2 and "Traceback" not in done.stderr
    assert (
        "checkpoint of step 2 could not be written" in output[0] and "File too large" in output[0]
    )
    assert output[1] == "[1] True"


@pytest.mark.parametrize("fails", [False, True])
def test_what_orbax_logs_of_a_failure_is_told_by_the_failure_alone(
    caplog: pytest.LogCaptureFixture, fails: bool
) -> None:
    logger = logging.getLogger("absl")
    theirs = logging.LogRecord(
        "absl", logging.ERROR, "/site-packages/orbax/checkpoint/x.py", 1, "theirs", None, None
    )
    with contextlib.suppress(OSError), _failures_held_back():
        logger.handle(theirs)
        logger.error("another's")
        assert caplog.messages == ["another's"]
        if fails:
            raise OSError
    assert caplog.messages == ["another's"] + ["theirs"] * (not fails)
    logger.handle(theirs)
    assert caplog.messages[-1] == "theirs"
