import os
import sys
import zipfile
from pathlib import PurePosixPath

import pytest

from cfx_jax.data.sources.folder_or_zip import FileTree, natural_key
from cfx_jax.data.user_files import DamagedFile
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
    assert [str(name) for name in FileTree(tmp_path / "a.zip").folders()] == [
        "outer",
        "outer/empty",
    ]


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
    with pytest.raises(
        InputError, match=r"expected a folder or a zip file, but '.*image.png' is neither"
    ):
        FileTree(tmp_path / "image.png")


@pytest.mark.parametrize(
    ("name", "taken"),
    [
        ("./a/1.png", "a/1.png"),
        ("a//2.png", "a/2.png"),
        ("a/./2.png", "a/2.png"),
        ("/a/1.png", "a/1.png"),
        ("//server/a/1.png", "server/a/1.png"),
        ("a\\b\\1.png", "a/b/1.png"),
        ("C:\\a\\1.png", "a/1.png"),
        ("../../etc/a.png", "etc/a.png"),
        ("a/../b/1.png", "b/1.png"),
        (f"a/{'9' * 4000}.png", f"a/{'9' * 4000}.png"),
        ("a/\xe9.png", "a/\xe9.png"),
    ],
)
def test_names_of_members_are_paths_below_the_top(tmp_path, name, taken):
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr(zipfile.ZipInfo(name), b"content")
        archive.writestr("b/other.png", b"other")
    tree = FileTree(tmp_path / "a.zip")
    assert {str(file) for file in tree.files()} == {taken, "b/other.png"}
    assert tree.read(PurePosixPath(taken)) == b"content"
    assert {str(folder) for folder in tree.folders()} >= {taken.split("/")[0], "b"}
    assert [path.name for path in tmp_path.iterdir()] == ["a.zip"]


def test_members_without_a_usable_name_are_told(tmp_path):
    names = ["a/1.png", "./a/1.png", "..", f"{'d/' * 20_000}1.png"]
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        for number, name in enumerate(names):
            archive.writestr(name, str(number))
    tree = FileTree(tmp_path / "a.zip")
    assert [str(file) for file in tree.files()] == ["a/1.png"] and tree.read(
        PurePosixPath("a/1.png")
    ) == b"0"
    assert list(tree.unusable) == names[1:]


def test_deep_folders_are_listed_in_the_two_upper_levels_only(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        for number in range(300):
            archive.writestr(f"{'d/' * 2000}{number}.png", b"")
    tree = FileTree(tmp_path / "a.zip")
    assert len(tree.files()) == 300 and [str(folder) for folder in tree.folders()] == ["d", "d/d"]


def test_numbers_of_thousands_of_digits_sort_by_value():
    long = "1" + "0" * 5000
    assert sorted([long, "9" * 4999, "0" * 6000 + "7", "8", "\u0663"], key=natural_key) == [
        "\u0663",
        "0" * 6000 + "7",
        "8",
        "9" * 4999,
        long,
    ]


@pytest.mark.parametrize(
    "method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA]
)
def test_damaged_members_are_damaged_in_one_way(tmp_path, method):
    with zipfile.ZipFile(tmp_path / "a.zip", "w", method) as archive:
        archive.writestr("a.png", os.urandom(4000))
    content = (tmp_path / "a.zip").read_bytes()
    for place in range(36, 1500, 40):
        (tmp_path / "a.zip").write_bytes(content[:place] + b"\xff" * 30 + content[place + 30 :])
        with pytest.raises(DamagedFile, match=r"^cannot be read \(.+\)$"):
            FileTree(tmp_path / "a.zip").read(PurePosixPath("a.png"))


def test_members_and_files_that_unpack_to_more_than_allowed_are_not_unpacked(tmp_path, monkeypatch):
    monkeypatch.setenv("CFX_UNPACK_LIMIT_MIB", "1")
    (tmp_path / "f").mkdir()
    with zipfile.ZipFile(tmp_path / "a.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("large.png", bytes(2**20 + 1))
        archive.writestr("small.png", bytes(2**20))
    for name, size in (("large.png", 2**20 + 1), ("small.png", 2**20)):
        (tmp_path / "f" / name).write_bytes(bytes(size))
    for tree in map(FileTree, (tmp_path / "a.zip", tmp_path / "f")):
        assert len(tree.read(PurePosixPath("small.png"))) == 2**20
        with pytest.raises(
            DamagedFile, match="unpacks to 1 MiB, more than the 1 MiB that are allowed"
        ):
            tree.read(PurePosixPath("large.png"))


def test_links_are_followed_but_not_in_circles(tmp_path):
    (tmp_path / "real/deep").mkdir(parents=True)
    (tmp_path / "real/1.png").write_bytes(b"1")
    (tmp_path / "real/deep/2.png").write_bytes(b"2")
    (tmp_path / "top").mkdir()
    for place, target in {
        "a": "../real",
        "b": "../real",
        "self": ".",
        "up": "..",
        "lost": "nowhere",
    }.items():
        (tmp_path / "top" / place).symlink_to(target)
    (tmp_path / "real/deep/again").symlink_to(tmp_path / "real")
    (tmp_path / "top/file.png").symlink_to(tmp_path / "real/1.png")
    os.mkfifo(tmp_path / "top/pipe.png")
    tree = FileTree(tmp_path / "top")
    found = {str(file) for file in tree.files()}
    assert {"a/1.png", "a/deep/2.png", "b/1.png", "b/deep/2.png", "file.png"} <= found
    assert not [name for name in found if "again" in name or "self" in name]
    assert {"lost", "pipe.png", "self", "a/deep/again"} <= tree.unusable.keys()
    assert tree.read(PurePosixPath("b/deep/2.png")) == b"2"


def test_deep_folders_on_the_disk_are_walked_without_recursion(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    depth = sys.getrecursionlimit() + 50
    for _ in range(depth):
        os.mkdir("d")
        os.chdir("d")
    try:
        assert len(FileTree(tmp_path).folders()) == 2
    finally:  # pytest would remove them by recursion
        for _ in range(depth):
            os.chdir("..")
            os.rmdir("d")


def test_paths_that_are_no_files_are_explained(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    for path, state in (
        (tmp_path / "pipe", "is neither"),
        ("/dev/zero", "is neither"),
        ("a" * 5000, "does not exist"),
    ):
        with pytest.raises(
            InputError, match=f"expected a folder or a zip file, but '.*' {state}"
        ) as caught:
            FileTree(path)
        assert len(str(caught.value)) < 500
    with pytest.raises(
        InputError, match=r"path: expected a name in UTF-8, got 'caf\\udce9': rename it"
    ):
        FileTree(os.fsdecode(b"caf\xe9"))


def test_damaged_archives_are_explained(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("a/1.png", b"1")
    content = bytearray((tmp_path / "a.zip").read_bytes())
    directory = content.index(b"PK\1\2")
    content[directory + 6] = 174  # the version that is needed to unpack
    (tmp_path / "a.zip").write_bytes(content)
    with pytest.raises(
        InputError, match=r"'.*a.zip' is neither \(zip file version 17.4\): give the folder"
    ):
        FileTree(tmp_path / "a.zip")
    (tmp_path / "scan.nii.gz").write_bytes(b"x")
    with pytest.raises(
        InputError, match=r"scan.nii.gz' is neither .*: read it by cfx_jax.data.read_nifti"
    ):
        FileTree(tmp_path / "scan.nii.gz")
