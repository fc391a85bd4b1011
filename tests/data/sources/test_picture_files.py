import pytest
from cfx_jax.data.sources.class_folders import choose_classes, find_classes

from cfx_jax.data.sources.file_tree import FileTree
from cfx_jax.errors import InputError

IMAGE = b"not decoded here"


@pytest.fixture
def tree_of(make_folder):
    def make(*names):
        return FileTree(make_folder(dict.fromkeys(names, IMAGE)))

    return make


def names_of(classes):
    return {name: [str(file) for file in files] for name, files in classes.items()}


def test_classes_are_the_top_folders(tree_of):
    classes, ignored = find_classes(tree_of("cat/2.png", "cat/10.PNG", "ant/1.jpeg", "ant/1.tif"))
    assert names_of(classes) == {
        "ant": ["ant/1.jpeg", "ant/1.tif"],
        "cat": ["cat/2.png", "cat/10.PNG"],
    }
    assert list(classes) == ["ant", "cat"] and not ignored


def test_one_common_top_folder_is_passed_through(tree_of):
    classes, _ = find_classes(tree_of("set/ant/1.png", "set/cat/1.png"))
    assert names_of(classes) == {"ant": ["set/ant/1.png"], "cat": ["set/cat/1.png"]}


def test_what_is_no_image_of_a_class_is_counted(tree_of):
    tree = tree_of("ant/1.png", "cat/1.png", "cat/notes.txt", "readme.md", "loose.png")
    classes, ignored = find_classes(tree)
    assert names_of(classes) == {"ant": ["ant/1.png"], "cat": ["cat/1.png"]}
    assert ignored == {".txt files": 1, ".md files": 1, "images beside the class folders": 1}


def test_hidden_files_and_folders_are_passed_over(tree_of):
    hidden = [".DS_Store", "ant/._1.png", ".git/x.png", "__MACOSX/ant/1.png", "cat/.cache/2.png"]
    classes, ignored = find_classes(tree_of("ant/1.png", "cat/1.png", *hidden))
    assert names_of(classes) == {"ant": ["ant/1.png"], "cat": ["cat/1.png"]} and not ignored


def test_hidden_folder_does_not_hide_the_common_top(tree_of):
    classes, _ = find_classes(tree_of("set/ant/1.png", "set/cat/1.png", "__MACOSX/set/ant/._1.png"))
    assert list(classes) == ["ant", "cat"]


@pytest.mark.parametrize("names", [(), ("1.png", "2.png")])
def test_folder_without_class_folders_is_explained(tree_of, tmp_path, names):
    (tmp_path / "images").mkdir()
    tree = tree_of(*names) if names else FileTree(tmp_path / "images")
    with pytest.raises(
        InputError, match=f"one sub-folder per class.*no sub-folders and {len(names)} files"
    ):
        find_classes(tree)


@pytest.mark.parametrize(
    ("names", "wanted", "message"),
    [
        (
            ["ant/1.png"],
            None,
            "expected two class folders or more in .*, got ant: a classifier needs two",
        ),
        (
            ["ant/1.png", "cat/notes.txt"],
            None,
            r"expected images \(.png.* in the class folder 'cat' .* found none",
        ),
        (
            ["train/ant/1.png", "val/ant/1.png"],
            None,
            "directly in the class folder 'train' .* 'train/ant/1.png'",
        ),
        (
            ["ant/1.png", "cat/1.png"],
            ["ant", "dog"],
            "different names out of ant, cat, got ant, dog",
        ),
        (
            ["ant/1.png", "cat/1.png"],
            ["ant", "ant"],
            "different names out of ant, cat, got ant, ant",
        ),
        (["ant/1.png", "cat/1.png"], ["ant"], "two class folders or more in .*, got ant"),
        (["ant/1.png", "cat/1.png"], [], "two class folders or more in .*, got none"),
    ],
)
def test_unusable_classes_are_explained(tree_of, names, wanted, message):
    tree = tree_of(*names)
    classes, _ = find_classes(tree)
    with pytest.raises(InputError, match=message):
        choose_classes(classes, wanted, tree)


def test_user_fixes_the_order_and_leaves_classes_out(tree_of):
    tree = tree_of("ant/1.png", "bee/notes.txt", "cat/1.png")
    classes, _ = find_classes(tree)
    assert choose_classes(classes, ["cat", "ant"], tree) == ("cat", "ant")


def test_images_are_known_by_their_suffix_or_else_by_their_content(make_folder):
    png = b"\x89PNG\r\n\x1a\n"
    by_name = [
        f"ant/{number}{suffix}"
        for number, suffix in enumerate((".JFIF", ".jpe", ".bmp", ".webp", ".DIB", ".pjpeg"))
    ]
    files = {
        **dict.fromkeys(by_name, IMAGE),
        "ant/7.bin": png,
        "ant/8": b"\xff\xd8\xff\xe0",
        "cat/1.png": IMAGE,
    }
    classes, left_out = find_classes(
        FileTree(make_folder({**files, "ant/table.csv": b"a,b", "ant/8.txt": b"BM no"}))
    )
    assert names_of(classes) == {"ant": [*by_name, "ant/7.bin", "ant/8"], "cat": ["cat/1.png"]}
    assert left_out == {".csv files": 1, ".txt files": 1}


def test_medical_files_are_counted_and_their_readers_named(make_folder):
    dicom, nifti = bytes(128) + b"DICM", bytes(344) + b"n+1\0"
    files = {
        "ant/IM1": dicom,
        "ant/2.dcm": dicom,
        "ant/3.nii": nifti,
        "ant/4.nii.gz": b"\x1f\x8b",
        "cat/1.png": IMAGE,
    }
    tree = FileTree(make_folder(files))
    classes, left_out = find_classes(tree)
    assert left_out == {"DICOM files": 2, "NIfTI files": 2}
    message = (
        "class folder 'ant' .* found none, but 2 DICOM files, 2 NIfTI files"
        " .*data.read_dicom.*data.read_nifti"
    )
    with pytest.raises(InputError, match=message):
        choose_classes(classes, None, tree)


@pytest.mark.parametrize("place", ["caf\udce9/1.png", "set/caf\udce9/1.png"])
def test_class_folder_whose_name_is_no_text_is_refused_at_the_start(make_folder, place):
    tree = FileTree(make_folder({place: IMAGE, place.replace("caf\udce9", "tea"): IMAGE}))
    with pytest.raises(
        InputError, match=r"class folders with names in UTF-8, got 'caf\\udce9' in '.*': rename it"
    ):
        find_classes(tree)


def test_clutter_of_file_managers_is_not_counted(make_folder):
    names = ["ant/1.png", "cat/1.png", "ant/Thumbs.db", "cat/desktop.ini"]
    assert not find_classes(FileTree(make_folder(dict.fromkeys(names, IMAGE))))[1]
