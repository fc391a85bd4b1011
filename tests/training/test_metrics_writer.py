import json
import os
from pathlib import Path

import pytest

from cfx_jax.errors import InputError
from cfx_jax.training import MetricsWriter


def _write(
    workdir: Path, lines: list[tuple[int, dict[str, float]]], *, step: int = 0
) -> list[dict[str, float]]:
    with MetricsWriter(workdir, step=step) as writer:
        for number, metrics in lines:
            writer.write(number, metrics)
        writer.sync()
    return writer.history


def test_each_line_is_one_json_object_and_the_history_equals_them(tmp_path: Path) -> None:
    history = _write(
        tmp_path, [(5, {"loss": 0.1 + 0.2}), (10, {"loss": 0.25, "validation_accuracy": 1.0})]
    )
    lines = [json.loads(line) for line in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    assert (
        lines
        == history
        == [{"step": 5, "loss": 0.1 + 0.2}, {"step": 10, "loss": 0.25, "validation_accuracy": 1.0}]
    )


def test_lines_are_on_the_disk_as_soon_as_they_are_written(tmp_path: Path) -> None:
    with MetricsWriter(tmp_path) as writer:
        writer.write(1, {"loss": 1.0})
        assert (tmp_path / "metrics.jsonl").read_text() == '{"step": 1, "loss": 1.0}\n'


def test_going_on_drops_later_lines_and_a_line_cut_short(tmp_path: Path) -> None:
    _write(tmp_path, [(5, {"loss": 1.0}), (10, {"loss": 2.0}), (15, {"loss": 3.0})])
    with (tmp_path / "metrics.jsonl").open("a") as file:
        file.write('{"step": 20, "lo')
    history = _write(tmp_path, [(15, {"loss": 3.5})], step=10)
    assert [line["loss"] for line in history] == [1.0, 2.0, 3.5]
    assert [
        json.loads(line)["step"] for line in (tmp_path / "metrics.jsonl").read_text().splitlines()
    ] == [5, 10, 15]


@pytest.mark.parametrize(
    "line",
    [
        '{"step": "7", "loss": 1}',
        '{"step": true}',
        '{"loss": 1}',
        "[1]",
        '{"step": 7, "loss": "x"}',
        pytest.param("[" * 100_000, id="deep"),
        "\x00",
    ],
)
def test_lines_that_say_nothing_are_dropped(tmp_path: Path, line: str) -> None:
    _write(tmp_path, [(5, {"loss": 1.0})])
    with (tmp_path / "metrics.jsonl").open("a") as file:
        file.write(f"{line}\n")
    assert [each["step"] for each in _write(tmp_path, [(15, {"loss": 3.5})], step=10)] == [5, 15]


def test_reading_alone_changes_nothing_on_the_disk(tmp_path: Path) -> None:
    _write(tmp_path, [(5, {"loss": 1.0}), (10, {"loss": 2.0})])
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    with MetricsWriter(tmp_path, step=5) as writer:
        assert writer.history == [{"step": 5, "loss": 1.0}]
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before


def test_values_that_are_not_finite_are_null_in_the_file_and_nan_when_read(tmp_path: Path) -> None:
    _write(tmp_path, [(1, {"auc": float("nan"), "top": float("inf")})])
    assert (tmp_path / "metrics.jsonl").read_text() == '{"step": 1, "auc": null, "top": null}\n'
    with MetricsWriter(tmp_path, step=1) as writer:
        assert all(value != value for name, value in writer.history[0].items() if name != "step")


def test_tensorboard_reads_the_same_numbers_once_each_after_going_on(tmp_path: Path) -> None:
    accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    _write(tmp_path, [(5, {"loss": 1.0}), (10, {"loss": 2.0}), (15, {"loss": 3.0})])
    _write(tmp_path, [(15, {"loss": 3.5}), (20, {"loss": 4.0})], step=10)
    events = accumulator.EventAccumulator(str(tmp_path / "tensorboard")).Reload()
    assert [(event.step, event.value) for event in events.Scalars("loss")] == [
        (5, 1),
        (10, 2),
        (15, 3.5),
        (20, 4),
    ]
    assert all(event.wall_time > 1e9 for event in events.Scalars("loss"))


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs a device that is always full")
def test_a_full_disk_is_one_line_at_once_and_closing_is_silent(tmp_path: Path) -> None:
    message = (
        r"^the metrics could not be written to .*metrics.jsonl \(No space left on device\):"
        r" free some space"
    )
    with MetricsWriter(tmp_path) as writer:
        writer.write(1, {"loss": 1.0})
        writer._file = open("/dev/full", "w")  # noqa: SIM115
        with pytest.raises(InputError, match=message):
            writer.write(2, {"loss": 1.0})
    assert [line["step"] for line in writer.history] == [1]
