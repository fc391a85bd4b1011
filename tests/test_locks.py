"""One process at a time writes into a folder, whatever became of the one before."""

import errno
import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from cfx_jax import locks
from cfx_jax.errors import InputError
from cfx_jax.files import replacing, sweep
from cfx_jax.locks import LockedError, locked
from cfx_jax.processes import this_process

HOLDER = """
import signal, sys, time
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background job ignores it
from cfx_jax.files import replacing
from cfx_jax.locks import locked
with locked(sys.argv[1], doing="trains"), replacing(sys.argv[1] + "/large.npz") as temporary:
    temporary.write_text("half")
    print("held", flush=True)
    time.sleep(60)
"""

RACER = """
import sys, time
from cfx_jax.errors import InputError
from cfx_jax.locks import locked
time.sleep(max(0, float(sys.argv[2]) - time.time()))
try:
    with locked(sys.argv[1], doing="races"):
        with open(sys.argv[1] + "/winners", "a") as file:
            file.write("x")
        time.sleep(3)
except InputError as error:
    print(error)
"""


def start(code: str, *arguments: object) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", code, *map(str, arguments)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def holder(folder: Path) -> subprocess.Popen[str]:
    process = start(HOLDER, folder)
    assert process.stdout is not None and process.stdout.readline() == "held\n"
    return process


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_folder_made_for_the_lock_goes_with_it_unless_something_was_written(
    tmp_path: Path,
) -> None:
    with locked(tmp_path / "a" / "b", doing="works"):
        assert names(tmp_path / "a" / "b") == [".lock"]
    assert names(tmp_path) == []
    with locked(tmp_path / "a" / "b", doing="works"):
        (tmp_path / "a" / "b" / "result").touch()
    assert names(tmp_path / "a" / "b") == ["result"]


def test_a_second_process_is_one_line_and_the_first_ones_files_stay(tmp_path: Path) -> None:
    first = holder(tmp_path)
    before = names(tmp_path)
    message = (
        rf"^another process trains here, pid {first.pid} on .*, since 20.*: wait .* delete"
        rf" {tmp_path}/\.lock$"
    )
    with pytest.raises(LockedError, match=message) as caught, locked(tmp_path, doing="works"):
        pass
    assert "\n" not in str(caught.value) and names(tmp_path) == before
    first.kill()
    first.wait()


@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_the_folder_of_a_process_that_was_ended_is_taken_over_and_swept(
    tmp_path: Path, end: signal.Signals
) -> None:
    process = holder(tmp_path)
    process.send_signal(end)
    process.wait()
    assert process.returncode == -end
    assert (".lock" in names(tmp_path)) == (end is signal.SIGKILL)
    with locked(tmp_path, doing="works"):
        assert names(tmp_path) == [".lock"]
    assert names(tmp_path) == []


def test_a_process_that_has_ended_but_was_not_waited_for_holds_nothing(tmp_path: Path) -> None:
    process = holder(tmp_path)
    process.kill()
    time.sleep(0.3)  # a zombie, whose pid exists
    with locked(tmp_path, doing="works"):
        pass
    process.wait()


def test_a_pid_that_another_process_has_got_meanwhile_holds_nothing(tmp_path: Path) -> None:
    record = {
        **this_process()._asdict(),
        "life": "0123456789",
        "since": "then",
        "doing": "trains",
        "token": "t",
    }
    (tmp_path / ".lock").write_text(json.dumps(record))
    with locked(tmp_path, doing="works"):
        pass


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        pytest.param(b"[" * 100_000, id="deep"),
        b"\xff",
        b"[1]",
        b'{"pid": "x"}',
        b'{"pid": 1e400}',
    ],
)
def test_a_damaged_lock_is_nobodys(tmp_path: Path, content: bytes) -> None:
    (tmp_path / ".lock").write_bytes(content)
    with locked(tmp_path, doing="works"):
        assert json.loads((tmp_path / ".lock").read_text())["pid"] == os.getpid()


def test_a_lock_of_another_host_is_left_to_the_user(tmp_path: Path) -> None:
    record = {
        "host": "elsewhere",
        "pid": 1,
        "life": "",
        "since": "2026-01-01",
        "doing": "trains",
        "token": "t",
    }
    (tmp_path / ".lock").write_text(json.dumps(record))
    with (
        pytest.raises(InputError, match="pid 1 on elsewhere, since 2026-01-01"),
        locked(tmp_path, doing="works"),
    ):
        pass
    assert names(tmp_path) == [".lock"]


def test_the_same_thread_gets_it_again_and_another_does_not(tmp_path: Path) -> None:
    refused: list[str] = []

    def other() -> None:
        try:
            with locked(tmp_path, doing="works"):
                pass
        except LockedError as error:
            refused.append(str(error))

    with locked(tmp_path, doing="works"), locked(tmp_path / "." / "", doing="works again"):
        thread = threading.Thread(target=other)
        thread.start()
        thread.join()
        assert (tmp_path / ".lock").exists()
    assert len(refused) == 1 and "in another thread" in refused[0]
    assert names(tmp_path) == []


def test_a_lock_that_a_user_removed_and_another_process_took_is_not_released(
    tmp_path: Path,
) -> None:
    with locked(tmp_path, doing="works"):
        (tmp_path / ".lock").write_text(
            json.dumps({**this_process()._asdict(), "token": "another"})
        )
    assert names(tmp_path) == [".lock"]


def test_without_hard_links_the_lock_is_made_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.EOPNOTSUPP, "Operation not supported")

    monkeypatch.setattr(locks.os, "link", refuse)
    with locked(tmp_path, doing="works"):
        assert names(tmp_path) == [".lock"]
        assert json.loads((tmp_path / ".lock").read_text())["doing"] == "works"


def test_what_nobody_can_write_needs_no_lock(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError(errno.EROFS, "Read-only file system")

    monkeypatch.setattr(Path, "write_text", refuse)
    with locked(tmp_path, doing="reads"):
        assert names(tmp_path) == []


@pytest.mark.slow
def test_of_many_that_find_a_stale_lock_one_takes_over(tmp_path: Path) -> None:
    process = holder(tmp_path)
    process.kill()
    process.wait()
    at = time.time() + 3
    racers = [start(RACER, tmp_path, at) for _ in range(4)]
    printed = [racer.communicate()[0] for racer in racers]
    assert (tmp_path / "winners").read_text() == "x"
    assert sum("another process races here" in each for each in printed) == 3


def test_folders_that_killed_writers_left_go_with_all_that_is_in_them(tmp_path: Path) -> None:
    """As earlier versions left them, with arrays of gigabytes."""
    left, own, kept = (
        tmp_path / "deep" / name for name in (".parts.0123456789ab.tmp", ".parts.tmp", "parts")
    )
    for folder in (left / "inner", own, kept):
        folder.mkdir(parents=True)
        (folder / "image.npy").write_bytes(b"0" * 100)
    (tmp_path / ".link.0123456789ab.tmp").symlink_to(kept, target_is_directory=True)
    with replacing(tmp_path / "table.csv") as living:
        living.mkdir()
        (living / "image.npy").touch()
        sweep(tmp_path)
        assert (living / "image.npy").exists()
        (living / "image.npy").unlink()
        living.rmdir()
        living.touch()
    assert names(tmp_path / "deep") == [".parts.tmp", "parts"] and names(tmp_path) == [
        "deep",
        "table.csv",
    ]
    assert (kept / "image.npy").exists() and (own / "image.npy").exists()


def test_temporary_files_of_living_writers_stay(tmp_path: Path) -> None:
    with replacing(tmp_path / "table.csv") as temporary:
        temporary.write_text("half")
        (tmp_path / "deep").mkdir()
        (
            tmp_path / "deep" / ".arrays.npz.0123456789ab.tmp"
        ).touch()  # as earlier versions named them
        with locked(tmp_path, doing="works"):
            assert temporary.exists() and names(tmp_path / "deep") == []
    assert (tmp_path / "table.csv").read_text() == "half"
