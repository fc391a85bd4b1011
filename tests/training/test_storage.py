import errno
import hashlib
import os
from pathlib import Path

import pytest

from cfx_jax.errors import InputError
from cfx_jax.training.storage import digest, write_atomic, writing


def test_text_is_written_and_no_temporary_file_stays(tmp_path: Path) -> None:
    write_atomic(tmp_path / "a.txt", "new ä")
    assert (tmp_path / "a.txt").read_text(encoding="utf-8") == "new ä"
    assert os.listdir(tmp_path) == ["a.txt"]


def test_a_failed_write_leaves_the_old_text(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_atomic(tmp_path / "a.txt", "old")
    monkeypatch.setattr(os, "fsync", _raise(OSError(errno.ENOSPC, "No space left on device")))
    with pytest.raises(OSError):
        write_atomic(tmp_path / "a.txt", "new")
    assert (tmp_path / "a.txt").read_text(encoding="utf-8") == "old"


def test_digest_is_the_sha256_of_the_bytes(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"abc")
    assert digest(tmp_path / "a") == hashlib.sha256(b"abc").hexdigest()


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (OSError(errno.ENOSPC, "No space left on device"), "No space left on device"),
        (PermissionError(errno.EACCES, "Permission denied"), "Permission denied"),
        (
            ValueError("RESOURCE_EXHAUSTED: Error writing 'x' [OS error 28: ENOSPC No space left on device]"),
            "No space left",
        ),
        (ValueError("Error writing [OS error 27: EFBIG File too large]"), "File too large"),
    ],
)
def test_refusals_of_the_file_system_become_one_line(error: Exception, reason: str) -> None:
    message = rf"^the metrics could not be written to /w/m \({reason}\): free some space$"
    with pytest.raises(InputError, match=message), writing("the metrics", Path("/w/m"), "free some space"):
        raise error


def test_other_errors_pass_through() -> None:
    with pytest.raises(ValueError, match=r"^a mistake in the code$"), writing("it", Path("/w"), "help"):
        raise ValueError("a mistake in the code")


def _raise(error: Exception):
    def fail(*_: object, **__: object) -> None:
        raise error

    return fail
