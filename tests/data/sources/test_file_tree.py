import zipfile
from pathlib import PurePosixPath

import pytest

from cfx_jax.data.sources.file_tree import FileTree, natural_key
from cfx_jax.errors import InputError

NAMES = ["b/2.png", "b/10.png", "a/x/1.png", "top.txt"]


@pytest.fixture(params=["folder", "zip", "zip without folders"])
def tree(request, tmp_path):
    root = tmp_path / "files"
    for name in NAMES:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(name)
    if request.param == "folder":
        return FileTree(root)
    with zipfile.ZipFile(tmp_path / "files.zip", "w") as archive:
        for path in sorted(root.rglob("*")):
            if path.is_file() or request.param == "zip":
                archive.write(path, path.relative_to(root))
    return FileTree(tmp_path / "files.zip")


def test_files_are_listed_in_natural_order(tree):
    assert [str(name) for name in tree.files()] == ["a/x/1.png", "b/2.png", "b/10.png", "top.txt"]


def test_folders_are_listed(tree):
    assert [str(name) for name in tree.folders()] == ["a", "a/x", "b"]


def test_files_are_read(tree):
    for name in NAMES:
        assert tree.read(PurePosixPath(name)).decode() == name


def test_empty_folder_in_a_zip_is_listed(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.mkdir("outer/empty")
    assert [str(name) for name in FileTree(tmp_path / "a.zip").folders()] == ["outer", "outer/empty"]


def test_numbers_sort_by_value_and_letters_by_the_alphabet():
    names = ["img10", "img9", "Img1", "b", "a10b2", "a10b10", "a2", "007", "7"]
    assert sorted(names, key=natural_key) == [
        "007",
        "7",
        "a2",
        "a10b2",
        "a10b10",
        "b",
        "Img1",
        "img9",
        "img10",
    ]


def test_missing_path_is_explained(tmp_path):
    with pytest.raises(InputError, match=r"'.*nowhere' does not exist: check the spelling"):
        FileTree(tmp_path / "nowhere")


def test_other_file_is_explained(tmp_path):
    (tmp_path / "image.png").write_bytes(b"no zip")
    with pytest.raises(InputError, match=r"expected a folder or a zip file, but '.*image.png' is neither"):
        FileTree(tmp_path / "image.png")
