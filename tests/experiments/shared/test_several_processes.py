"""An experiment on several processes of one host: what one process gives, in one line if not."""

import json
import signal
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import toy_experiment
from several_processes import ends, free_port, last_line, start_processes

TOY = str(Path(toy_experiment.__file__))
_LIMIT = 240.0


def start(folder, count, *arguments, **options):
    where = ["--results", str(folder / "results"), "--work", str(folder / "work")]
    return start_processes([TOY, *where, *map(str, arguments)], count, **options)


def outcome(folder):
    """All that a run has computed: arrays of stages, weights, claims, a table of the report."""
    work, (report,) = folder / "work" / "toy", (folder / "results" / "toy").iterdir()
    arrays = {
        path.relative_to(work): np.load(path)["values"].tobytes()
        for path in work.glob("values-*/arrays.npz")
    }
    arrays |= {path.relative_to(work): path.read_bytes() for path in work.glob("*/*.npy")}
    arrays |= {path.relative_to(work): path.read_bytes() for path in work.glob("*/metrics.jsonl")}
    assert len(arrays) == 4
    claims = json.loads((report / "claims.json").read_text())
    return arrays, claims, (report / "numbers.csv").read_text()


@pytest.fixture(scope="module")
def alone(tmp_path_factory):
    """The outcome of one process, and its folder."""
    folder = tmp_path_factory.mktemp("alone")
    ((status, _, errors),) = ends(start(folder, 1), seconds=_LIMIT)
    assert status == 0, errors
    return outcome(folder)


@pytest.mark.slow
def test_two_processes_give_the_bits_of_one_and_a_second_start_reads_them(tmp_path, alone):
    first, second = ends(start(tmp_path, 2), seconds=_LIMIT)
    assert (first[0], second[0]) == (0, 0), first[2] + second[2]
    assert outcome(tmp_path) == alone
    assert "values ..." in first[1] and "Report: " in first[1]
    assert "weight" not in second[1] and "Report" not in second[1]
    assert not list(tmp_path.rglob(".lock")) and not list(tmp_path.rglob(".met-*"))


@pytest.mark.slow
def test_four_processes_give_what_one_gives_also_where_one_comes_late(tmp_path, alone):
    # Gloo waits 30 s for a first connection.
    for status, _, errors in ends(start(tmp_path, 4, "--late", 35), seconds=_LIMIT):
        assert status == 0, errors
    arrays, claims, table = outcome(tmp_path)
    assert arrays.keys() >= {name for name in alone[0] if name.name == "metrics.jsonl"}
    assert claims["claims"][0]["verdict"] == alone[1]["claims"][0]["verdict"]
    assert table == alone[2]


@pytest.mark.slow
def test_a_second_start_of_two_processes_reads_what_is_there(tmp_path):
    for expected in (True, False):
        first, _ = ends(start(tmp_path, 2), seconds=_LIMIT)
        assert first[0] == 0, first[2]
        assert ("values ..." in first[1]) == expected


@pytest.mark.slow
@pytest.mark.parametrize("killed", [0, 1])
def test_a_killed_process_ends_the_other_in_one_line_and_the_same_command_goes_on(
    tmp_path, alone, killed
):
    port = free_port()
    processes = start(tmp_path, 2, "--pause", 3, port=port)
    until = time.monotonic() + _LIMIT
    while not list(tmp_path.rglob("step_00000004")) and time.monotonic() < until:
        time.sleep(0.1)
    processes[killed].send_signal(signal.SIGKILL)
    began = time.monotonic()
    status, _, errors = ends([processes[1 - killed]], seconds=100)[0]
    assert time.monotonic() - began < 60
    assert status == 75
    assert last_line(errors) == (
        f"stopped: process {killed} of 2 has not answered for 30 s and is taken for lost: start the"
        " same command again to go on"
    )
    time.sleep(15)  # the service of a first process that is killed serves on for a moment
    for status, _, errors in ends(start(tmp_path, 2, "--pause", 3, port=port), seconds=_LIMIT):
        assert status == 0, errors
    assert outcome(tmp_path)[0].keys() == alone[0].keys()
    assert outcome(tmp_path) == alone


@pytest.mark.slow
def test_a_failure_of_one_process_is_told_by_the_other(tmp_path):
    first, second = ends(start(tmp_path, 2, "--fail", 1), seconds=_LIMIT)
    assert second[0] == 2
    assert last_line(second[2]) == "error: this process has been told to fail"
    assert first[0] == 75
    assert last_line(first[2]) == (
        "stopped: process 1 of 2 has ended (error: this process has been told to fail): start the"
        " same command again to go on"
    )


@pytest.mark.slow
@pytest.mark.parametrize(
    ("option", "message"),
    [
        ("--steps", "the command: expected --steps '4' in every process, as in process 0, got '6'"),
        ("--work", "the command: expected --work"),
    ],
)
def test_another_configuration_is_refused_in_one_line(tmp_path, option, message):
    own = [[option, "4"], [option, "6"]]
    for status, _, errors in ends(start(tmp_path, 2, more=own), seconds=_LIMIT):
        assert status == 2
        assert last_line(errors).startswith(f"error: {message}")
    assert not (tmp_path / "work").exists()


@pytest.mark.skipif(sys.platform == "win32", reason="needs POSIX signals")
@pytest.mark.slow
def test_a_process_that_is_asked_to_end_ends_at_once(tmp_path):
    processes = start(tmp_path, 2, "--pause", 3)
    until = time.monotonic() + _LIMIT
    while not list(tmp_path.rglob("step_00000002")) and time.monotonic() < until:
        time.sleep(0.1)
    for process in processes:
        process.send_signal(signal.SIGTERM)
    for status, _, _ in ends(processes, seconds=20):
        assert status == -signal.SIGTERM
    assert not list(tmp_path.rglob(".lock"))
