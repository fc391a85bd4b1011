import pytest

from cfx_jax.data import sets
from cfx_jax.data.sets import FundusRecord
from cfx_jax.data.sets.stored.listing import check_entries, check_files, check_names
from cfx_jax.errors import InputError


def test_name_that_occurs_twice_is_given(tmp_path):
    check_names(["a", "b"], tmp_path, what="volume")
    with pytest.raises(
        InputError, match="expected each volume once, got 'a' twice: remove one of its rows"
    ):
        check_names(["a", "b", "a"], tmp_path, what="volume")


def test_missing_files_are_counted(tmp_path):
    (tmp_path / "a").touch()
    check_files([tmp_path / "a"], tmp_path, what="file")
    with pytest.raises(
        InputError,
        match=r"expected 3 files, 2 are missing, the first is '.*deep/b': unpack all parts of",
    ):
        check_files([tmp_path / "a", tmp_path / "deep/b", tmp_path / "c"], tmp_path, what="file")


def test_records_need_names_of_their_own_and_images(tmp_path):
    (tmp_path / "a.jpg").touch()
    records = [
        FundusRecord("a", tmp_path / "a.jpg", "1"),
        FundusRecord("b", tmp_path / "deep/b.jpg", "1"),
    ]
    check_entries(records[:1], tmp_path, what="photograph")
    with pytest.raises(
        InputError,
        match=r"expected 2 photographs, 1 are missing, the first is '.*deep/b.jpg': unpack",
    ):
        check_entries(records, tmp_path, what="photograph")
    with pytest.raises(
        InputError, match="expected each photograph once, got 'a' twice: remove one of its rows"
    ):
        check_entries([records[0], records[0]], tmp_path, what="photograph")


@pytest.mark.parametrize("folder", ["a" * 5000, "/dev/zero", "/dev/null/x"])
def test_folders_that_no_set_can_lie_in_are_explained(folder):
    readers = [getattr(sets, name) for name in dir(sets) if name.startswith("read_")]
    assert len(readers) == 10
    for read in readers:
        with pytest.raises(InputError, match="expected"):
            read(folder)
