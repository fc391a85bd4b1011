"""Files are replaced whole or not at all, and what the file system refuses is one line."""

import errno
import hashlib
import os
from pathlib import Path

import pytest

from cfx_jax.errors import InputError
from cfx_jax.files import digest, parse_json, read_json, replacing, write_text, writing

FREE, CHOOSE = "free some space", "choose a folder that can be written"
FULL = OSError(errno.ENOSPC, "No space left on device")


def test_text_arrives_with_its_folders(tmp_path):
    path = write_text(tmp_path / "new" / "folder" / "a.txt", "ε → 1\n")
    assert path.read_bytes() == "ε → 1\n".encode()


def test_text_that_is_no_unicode_is_named(tmp_path):
    with pytest.raises(
        InputError, match=r"a.txt: expected text that is Unicode, got 'caf\\udce9': rename what"
    ):
        write_text(tmp_path / "a.txt", b"caf\xe9".decode("utf-8", "surrogateescape"))
    assert os.listdir(tmp_path) == []


def test_old_file_survives_a_failure_and_nothing_is_left_behind(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("old")
    with pytest.raises(RuntimeError), replacing(path) as temporary:
        temporary.write_text("half")
        raise RuntimeError
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["a.txt"]


def test_target_is_untouched_until_the_block_ends(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("old")
    with replacing(path) as temporary:
        temporary.write_text("new")
        assert path.read_text() == "old"
        assert temporary.parent == path.parent
    assert path.read_text() == "new"
    assert os.listdir(tmp_path) == ["a.txt"]


def test_new_file_has_the_rights_of_an_ordinary_one(tmp_path):
    (tmp_path / "plain").write_text("")
    path = write_text(tmp_path / "a.txt", "")
    assert path.stat().st_mode == (tmp_path / "plain").stat().st_mode


@pytest.mark.parametrize("durable", [False, True])
def test_only_durable_files_are_synced_and_before_they_get_their_name(
    tmp_path, monkeypatch, durable
):
    path, seen, real = tmp_path / "a.txt", [], os.fsync

    def fsync(descriptor):
        seen.append((os.path.isdir(descriptor), path.exists()))
        real(descriptor)

    monkeypatch.setattr(os, "fsync", fsync)
    write_text(path, "new", durable=durable)
    assert seen == ([(False, False), (True, True)] if durable else [])
    assert path.read_text() == "new"


def test_failed_sync_leaves_the_old_file(tmp_path, monkeypatch):
    write_text(tmp_path / "a.txt", "old", durable=True)
    monkeypatch.setattr(os, "fsync", raise_full)
    with pytest.raises(
        InputError,
        match=r"^the file could not be written to .*a\.txt \(No space left on device\): free",
    ):
        write_text(tmp_path / "a.txt", "new", durable=True)
    assert (tmp_path / "a.txt").read_text() == "old"
    assert os.listdir(tmp_path) == ["a.txt"]


def raise_full(*_):
    raise FULL


def test_full_disk_is_reported_in_one_line(tmp_path):
    message = (
        r"^the file could not be written to .*a\.txt \(No space left on device\): free space there"
        r" or choose another"
    )
    with pytest.raises(InputError, match=message), replacing(tmp_path / "a.txt"):
        raise FULL
    assert os.listdir(tmp_path) == []


def test_folder_that_is_a_file_is_reported(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(
        InputError,
        match=r"^the file could not be written to .*a\.txt \((File exists|Not a directory)\)",
    ):
        write_text(tmp_path / "file" / "a.txt", "")


@pytest.mark.parametrize(
    ("error", "reason", "advice"),
    [
        (FULL, "No space left on device", FREE),
        (PermissionError(errno.EACCES, "Permission denied"), "Permission denied", CHOOSE),
        (OSError(errno.EROFS, "Read-only file system"), "Read-only file system", CHOOSE),
        (
            ValueError("PERMISSION_DENIED: Error writing [OS error 13: EACCES Permission denied]"),
            "Permission denied",
            CHOOSE,
        ),
        (
            ValueError(
                "RESOURCE_EXHAUSTED: Error writing 'x' [OS error 28: ENOSPC No space left on"
                " device]"
            ),
            "No space left",
            FREE,
        ),
        (ValueError("RESOURCE_EXHAUSTED: 'x'"), "No space left", FREE),
        (ValueError("Error writing [OS error 27: EFBIG File too large]"), "File too large", FREE),
    ],
)
def test_refusals_of_the_file_system_become_one_line(error, reason, advice):
    message = rf"^the metrics could not be written to /w/m \({reason}\): {advice}$"
    with (
        pytest.raises(InputError, match=message),
        writing("the metrics", Path("/w/m"), "free some space"),
    ):
        raise error


def test_outermost_name_is_the_one_reported(tmp_path):
    message = (
        r"^the metrics could not be written to /w/m \(No space left on device\): free some space$"
    )
    with (
        pytest.raises(InputError, match=message),
        writing("the metrics", Path("/w/m"), "free some space"),
        replacing(tmp_path / "a.txt"),
    ):
        raise FULL


@pytest.mark.parametrize(
    "error", [ValueError("a mistake in the code"), InputError("size: expected 3, got 4")]
)
def test_other_errors_pass_through(error):
    with pytest.raises(type(error), match=f"^{error}$"), writing("it", Path("/w"), "help"):
        raise error


def test_digest_is_the_sha256_of_the_bytes(tmp_path):
    (tmp_path / "a").write_bytes(b"abc")
    assert digest(tmp_path / "a") == hashlib.sha256(b"abc").hexdigest()


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "it is no JSON text"),
        (b'{"a": ', "it is no JSON text"),
        (b"\xff\xfe{", "it is no JSON text"),
        pytest.param(b"[" * 100_000, "too many brackets inside of one another", id="lists"),
        pytest.param(b'{"a": ' * 100_000, "too many brackets inside of one another", id="dicts"),
        (b'{"a": "\\ud800"}', "half of a character"),
        (b'{"\\uDFFF": 1}', "half of a character"),
        (b"[1]", "it holds a list and no dict"),
        (b"null", "it holds a NoneType and no dict"),
        pytest.param(b'{"a": ' + b"9" * 5000 + b"}", "it is no JSON text", id="digits"),
    ],
)
def test_json_that_cannot_be_used_is_one_line_with_its_file(tmp_path, content, reason):
    (tmp_path / "a.json").write_bytes(content)
    with pytest.raises(
        InputError, match=rf"^'.*a\.json' is damaged, .*{reason}.*: help$"
    ) as caught:
        read_json(tmp_path / "a.json", advice="help")
    assert "\n" not in str(caught.value)


def test_json_is_read_with_a_byte_order_mark_and_whole_characters(tmp_path):
    (tmp_path / "a.json").write_bytes(b'\xef\xbb\xbf{"a": "\\ud83d\\ude00 \\\\ud800"}')
    assert read_json(tmp_path / "a.json", advice="help") == {"a": "\U0001f600 \\ud800"}
    assert parse_json("[1]") == [1]


def test_what_is_no_file_or_too_long_is_not_read(tmp_path, monkeypatch):
    os.mkfifo(tmp_path / "pipe")
    for path, message in (
        (tmp_path / "pipe", "it is no file"),
        (tmp_path, "it is no file"),
        (tmp_path / "x", "No such"),
    ):
        with pytest.raises(InputError, match=f"cannot read '.*': {message}.*: help"):
            read_json(path, advice="help")
    monkeypatch.setattr("cfx_jax.files._JSON_LIMIT", 10)
    (tmp_path / "long.json").write_text('{"a": 123456}')
    with pytest.raises(InputError, match="it is longer than 10 bytes: help"):
        read_json(tmp_path / "long.json", advice="help")
