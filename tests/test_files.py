"""Files are replaced whole or not at all."""

import os

import pytest

from cfx_jax.errors import InputError
from cfx_jax.files import replacing, write_text


def test_text_arrives_with_its_folders(tmp_path):
    path = write_text(tmp_path / "new" / "folder" / "a.txt", "ε → 1\n")
    assert path.read_bytes() == "ε → 1\n".encode()


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


def test_full_disk_is_reported_in_one_line(tmp_path):
    message = r"cannot write .*a\.txt: No space left; free space there"
    with pytest.raises(InputError, match=message), replacing(tmp_path / "a.txt"):
        raise OSError(28, "No space left")
    assert os.listdir(tmp_path) == []


def test_folder_that_is_a_file_is_reported(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="cannot write"):
        write_text(tmp_path / "file" / "a.txt", "")
