import pytest

from cfx_jax.data import face_sets, fundus_sets, radiology_sets
from cfx_jax.data.published import check_files, check_names
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


@pytest.mark.parametrize("folder", ["a" * 5000, "/dev/zero", "/dev/null/x"])
def test_folders_that_no_set_can_lie_in_are_explained(folder):
    readers = (
        *(
            getattr(fundus_sets, f"read_{name}")
            for name in ("kaggle", "messidor", "idrid", "deepdrid")
        ),
        *(
            getattr(radiology_sets, f"read_{name}")
            for name in ("rsna", "msd_brain", "chexpert", "mosmed", "ist3")
        ),
        face_sets.read_celeba,
    )
    for read in readers:
        with pytest.raises(InputError, match="expected"):
            read(folder)
