import pickle
import shutil
import struct
import tracemalloc
import zipfile
from pathlib import Path

import numpy as np
import pytest
from picture_files import tiff
from PIL import Image, TiffImagePlugin

from cfx_jax.data import labels_of, open_images, split, training_batches
from cfx_jax.errors import InputError

RNG = np.random.default_rng(0)
COLOUR, GREY = RNG.integers(0, 256, (6, 8, 3), np.uint8), RNG.integers(0, 256, (6, 8), np.uint8)
FILES = {
    "healthy/img10.png": COLOUR,
    "healthy/img9.tif": RNG.integers(0, 256, (6, 8, 3), np.uint8),
    "DR/b.png": GREY,
    "DR/a.tiff": RNG.integers(0, 65536, (6, 8), np.uint16),
}


def table(folder, text, name="labels.csv"):
    (folder / name).write_text(text)
    return f"csv:{folder / name}"


@pytest.fixture(params=["folder", "zip", "zip with a top folder", "two folders"])
def path(request, make_folder, tmp_path):
    folder = make_folder(FILES)
    if request.param == "folder":
        return folder
    if request.param == "two folders":
        return [folder / "DR", folder / "healthy"]
    base = folder.name if "top" in request.param else None
    root = tmp_path if base else folder
    return shutil.make_archive(str(tmp_path / "archive"), "zip", root, base)


def test_items_hold_image_label_and_name(path):
    source = open_images(path)
    item = source[1]
    assert len(source) == 4 and source.class_names == ("DR", "healthy")
    assert source.shape == (6, 8, 3) and item["image"].dtype == np.float32
    np.testing.assert_allclose(item["image"], np.stack([GREY / 255] * 3, -1), rtol=1e-6)
    assert item["label"] == 0 and item["name"] == source.names[1] == "DR/b.png"


def test_order_is_by_class_then_natural_name(path):
    assert open_images(path).names == (
        "DR/a.tiff",
        "DR/b.png",
        "healthy/img9.tif",
        "healthy/img10.png",
    )


def test_user_fixes_the_order_of_the_classes(path):
    source = open_images(path, classes=("healthy", "DR"))
    assert labels_of(source).tolist() == [item["label"] for item in source] == [1, 1, 0, 0]
    assert source.notes[0] == "Images of each class: 2 healthy, 2 DR."


@pytest.mark.parametrize(
    ("size", "shape"), [(4, (4, 4, 1)), ((3, 16), (3, 16, 1)), (None, (6, 8, 1))]
)
def test_size(path, size, shape):
    source = open_images(path, size=size, channels=1)
    assert source.shape == shape and all(item["image"].shape == shape for item in source)


def test_feeds_the_pipeline(path):
    batch = next(training_batches(open_images(path), np.arange(4), batch_size=4, seed=0))
    assert batch["image"].shape == (4, 6, 8, 3) and sorted(batch["label"]) == [0, 0, 1, 1]


def test_a_flat_folder_and_single_files_have_no_classes(make_folder):
    folder = make_folder({"2.png": GREY, "10.png": GREY, ".hidden.png": GREY})
    assert open_images(folder).names == ("2.png", "10.png")
    assert open_images(folder).labels is None and open_images(folder).class_names == ()
    assert open_images(folder, classes=("a", "b=c")).class_names == ("a", "c")
    assert open_images(folder / "2.png").names == ("2.png",)
    assert open_images([folder / "2.png", folder]).names == ("2.png", "10.png")


def test_folders_that_are_none_of_the_classes_are_no_classes(make_folder):
    folder = make_folder({"2020/1.png": GREY, "2021/1.png": GREY})
    source = open_images(folder, classes=("healthy", "sick"))
    assert source.labels is None and "The folders 2020, 2021 are no classes" in source.notes[0]
    with pytest.raises(InputError, match="expected labels out of 2020, 2021, got 'healthy'"):
        open_images(folder, classes=("healthy", "sick"), labelled=True)


def test_a_model_explains_images_of_some_of_its_classes(make_folder):
    folder = make_folder({"sick/1.png": GREY, "other/2.png": GREY})
    source = open_images(folder, classes=("healthy", "sick"))
    assert source.labels.tolist() == [1] and source.left_out == {"images of other": 1}


def test_merged_classes_and_images_of_others(make_folder):
    folder = make_folder({f"{name}/1.png": GREY for name in ("none", "glioma", "mening", "other")})
    source = open_images(folder, classes=("none=healthy", "glioma+mening=sick"))
    assert dict(zip(source.names, source.labels.tolist(), strict=True)) == {
        "glioma/1.png": 1,
        "mening/1.png": 1,
        "none/1.png": 0,
    }
    assert source.class_names == ("healthy", "sick")
    assert source.left_out == {"images of other": 1}


def test_a_readme_beside_a_common_top_folder_changes_nothing(make_folder):
    files = {f"set/{name}": pixels for name, pixels in FILES.items()}
    source = open_images(make_folder({**files, "README.txt": b"read me"}))
    assert source.class_names == ("DR", "healthy")
    assert source.left_out == {".txt files": 1} and "1 .txt files" in source.notes[-1]


def test_folders_of_a_split_lie_above_those_of_classes(make_folder):
    names = ("train/ant/1.png", "train/bee/1.png", "test/ant/2.png")
    source = open_images(make_folder(dict.fromkeys(names, GREY)))
    assert source.class_names == ("ant", "bee")
    assert source.splits.tolist() == ["test", "train", "train"]


def test_class_folders_that_are_links_are_read(make_folder, tmp_path):
    folder = make_folder(FILES)
    (tmp_path / "links").mkdir()
    for name in ("DR", "healthy"):
        (tmp_path / "links" / name).symlink_to(folder / name)
    for one, other in zip(open_images(folder), open_images(tmp_path / "links"), strict=True):
        np.testing.assert_array_equal(one["image"], other["image"])


def test_a_file_behind_two_doors_counts_once(make_folder, tmp_path):
    """By two paths, links of both kinds, in a zip and unpacked, in a table and in its folder."""
    folder = make_folder({"a/1.png": GREY, "a/2.png": GREY[::-1], "b/1.png": GREY})
    packed = shutil.make_archive(str(tmp_path / "packed"), "zip", folder)
    (tmp_path / "link.png").symlink_to(folder / "a/1.png")
    (tmp_path / "hard.png").hardlink_to(folder / "a/2.png")
    (folder / "a/again.png").symlink_to(folder / "a/1.png")
    for doors in (
        [folder, tmp_path / "link.png", tmp_path / "hard.png"],
        [folder, packed],
        [packed, folder],
        [folder, folder / "a/../a"],
        [table(folder, "path\na/1.png\na/2.png\nb/1.png\n"), folder],
    ):
        source = open_images(doors)
        assert len(source) == 3, source.names
        assert source.left_out["files that are named twice"] >= 1
    assert len(open_images(folder)) == 3 and len(open_images(packed)) == 3


def test_equal_members_of_two_archives_stay_since_archives_may_be_classes(make_folder, tmp_path):
    packed = [
        shutil.make_archive(
            str(tmp_path / name), "zip", make_folder({"1.png": GREY}, root=tmp_path / f"in_{name}")
        )
        for name in ("healthy", "sick")
    ]
    assert len(open_images(packed)) == 2


def test_equal_files_of_other_names_and_links_in_folders_of_classes_stay(make_folder, tmp_path):
    folder = make_folder({"a/1.png": GREY, "a/2.png": GREY})
    (folder / "b").mkdir()
    (folder / "b/1.png").symlink_to(folder / "a/1.png")
    other = make_folder({"3.png": GREY}, root=tmp_path / "other")
    assert len(open_images([folder, other])) == 4


def test_damaged_files_are_named_skipped_and_counted(make_folder, capfd):
    folder = make_folder(FILES)
    cut = (folder / "DR/b.png").read_bytes()[:60]
    make_folder({"DR/cut.png": cut, "healthy/empty.jpg": b"", "healthy/notes.txt": b"x"})
    source = open_images(folder)
    assert len(source) == 4 and source.left_out == {".txt files": 1}
    assert source.skipped == ("DR/cut.png: is cut short", "healthy/empty.jpg: cannot be decoded")
    assert "Skipped files: 2." in source.notes
    assert "OpenCV" not in capfd.readouterr().err


def test_damaged_member_of_a_zip_is_skipped(make_folder, tmp_path):
    archive = shutil.make_archive(str(tmp_path / "archive"), "zip", make_folder(FILES))
    content = bytearray(Path(archive).read_bytes())
    start = content.index(b"DR/b.png") + 30
    content[start : start + 20] = bytes(20)
    Path(archive).write_bytes(content)
    source = open_images(archive)
    assert len(source) == 3 and source.skipped[0].startswith("DR/b.png: cannot be")


def test_an_archive_that_unpacks_to_too_much_is_skipped(tmp_path, monkeypatch):
    monkeypatch.setenv("CFX_UNPACK_LIMIT_MIB", "1")
    with zipfile.ZipFile(tmp_path / "bomb.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("bomb.png", b"\x89PNG\r\n\x1a\n" + bytes(2**21))
    with pytest.raises(
        InputError, match=r"none of 1 files can be used; the first: bomb.png: .*MiB"
    ):
        open_images(tmp_path / "bomb.zip")


def test_a_picture_that_unpacks_to_too_much_is_skipped_by_its_header(make_folder, monkeypatch):
    folder = make_folder({"1.png": GREY, "2.png": np.zeros((1000, 1200), np.uint8)})
    monkeypatch.setenv("CFX_UNPACK_LIMIT_MIB", "1")
    source = open_images(folder)
    assert source.names == ("1.png",) and "2.png: unpacks to 1 MiB" in source.skipped[0]


def test_images_of_several_sizes_need_a_size(make_folder):
    folder = make_folder({"1.png": GREY, "2.png": GREY.T})
    with pytest.raises(
        InputError, match=r"one size, got 6 x 8 \(1.png\) and 8 x 6 \(2.png\): give a size"
    ):
        open_images(folder)
    assert open_images(folder, size=3)[1]["image"].shape == (3, 3, 1)


@pytest.mark.parametrize("kind", ["jpg", "png", "webp", "tif"])
def test_a_camera_that_was_turned_swaps_height_and_width(make_folder, kind):
    folder = make_folder({"1.jpg": COLOUR})
    exif = Image.Exif()
    exif[0x112] = 6
    Image.fromarray(COLOUR.transpose(1, 0, 2)).save(folder / f"2.{kind}", exif=exif)
    source = open_images(folder)
    assert source.shape == (6, 8, 3) and source[1]["image"].shape == (6, 8, 3)


SEVERAL = "Files that hold several pictures: 1 "


@pytest.mark.parametrize("side", [6, 300])
@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("tif", {}),
        ("tif", {"compression": "tiff_lzw", "big_tiff": True}),
        ("png", {}),
        ("webp", {"lossless": True}),
    ],
)
def test_of_a_file_of_several_pictures_the_first_is_read_and_that_is_said(
    make_folder, kind, options, side
):
    first, second = RNG.integers(0, 256, (2, side, side, 3), np.uint8)
    folder = make_folder({"one.png": first})
    Image.fromarray(first).save(folder / f"single.{kind}", **options)
    assert not any(SEVERAL in note for note in open_images(folder).notes)
    pages = {"save_all": True, "append_images": [Image.fromarray(second)]}
    Image.fromarray(first).save(folder / f"several.{kind}", **pages, **options)
    source = open_images(folder)
    assert [f"such as several.{kind};" in note for note in source.notes if SEVERAL in note] == [
        True
    ]
    for item in source:
        np.testing.assert_allclose(item["image"], first / 255, rtol=1e-6)


def test_smaller_copies_in_a_tiff_file_are_no_further_pictures(tmp_path):
    with TiffImagePlugin.AppendingTiffWriter(str(tmp_path / "slide.tif"), new=True) as writer:
        for pixels, subfile in ((COLOUR, 0), (COLOUR[::2, ::2], 1)):
            Image.fromarray(pixels).save(writer, format="TIFF", tiffinfo={254: subfile})
            writer.newFrame()
    assert Image.open(tmp_path / "slide.tif").n_frames == 2
    assert not open_images(tmp_path).notes


@pytest.mark.parametrize("next_page", [0xFFFFFFF0, 8])
def test_a_tiff_file_whose_next_page_is_nowhere_or_itself_is_read(tmp_path, next_page):
    content = bytearray(tiff([GREY.tobytes()], 8, 6, bits=8, colour=1))
    (directory,) = struct.unpack_from("<I", content, 4)
    (entries,) = struct.unpack_from("<H", content, directory)
    if next_page == 8:
        next_page = directory
    struct.pack_into("<I", content, directory + 2 + 12 * entries, next_page)
    (tmp_path / "1.tif").write_bytes(content)
    np.testing.assert_allclose(open_images(tmp_path)[0]["image"][..., 0], GREY / 255, rtol=1e-6)


def test_an_image_damaged_behind_its_header_is_named_when_it_is_read(make_folder):
    folder = make_folder({"1.png": GREY, "2.png": RNG.integers(0, 256, (400, 400), np.uint8)})
    content = (folder / "2.png").read_bytes()
    (folder / "2.png").write_bytes(content[:-9000])
    source = open_images(folder, size=4)
    assert source[0]["image"].shape == (4, 4, 1)
    with pytest.raises(InputError, match=r"2.png: is cut short"):
        source[1]
    (folder / "1.png").unlink()
    with pytest.raises(InputError, match=r"1.png: cannot be read"):
        source[0]


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({"notes.txt": b"x"}, "expected PNG, .* or NIfTI files, found 1 .txt files"),
        ({".hidden": b"x"}, "expected PNG, .* or NIfTI files, found no files"),
        ({"1.png": b"?"}, "none of 1 files can be used; the first: 1.png: cannot be decoded"),
    ],
)
def test_folders_without_images_are_explained(make_folder, files, message):
    with pytest.raises(InputError, match=message):
        open_images(make_folder(files))


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (("1.png", "2.png"), "one sub-folder for each class, or a table .* found 2 files without"),
        (("a/1.png", "a/2.png"), "found 2 files without a class"),
    ],
)
def test_missing_classes_are_explained_where_they_are_needed(make_folder, names, message):
    with pytest.raises(InputError, match=message):
        open_images(make_folder(dict.fromkeys(names, GREY)), labelled=True)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"channels": 2}, "channels: expected one of None, 1, 3, got 2"),
        ({"size": 2.5}, "size: expected a side or .*, got 2.5"),
        ({"size": "ab"}, "size: expected a side or .*, got 'ab'"),
        ({"size": 0}, "size: expected a side or .height, width. of 1 to 16384 pixels, got 0"),
        ({"size": (4, 5, 3)}, r"size: expected a side or .*, got \(4, 5, 3\)"),
        ({"window": "bright"}, "window: expected 'file', 'full', 'values' or"),
        ({"groups": "(["}, r"groups: expected a pattern, got '\(\['"),
        ({"groups": "img"}, "a pattern with one group in brackets, got 'img' with 0"),
        ({"groups": r"(i)(m)"}, "with 2: give e.g."),
        ({"groups": r"(img\d+)"}, r"fits every name, .* fits 2 of 4 and not 'DR/a.tiff'"),
        ({"groups": "folder", "labelled": True}, "'DR/a.tiff' has none below its class folder"),
        ({"groups": "column:patient"}, "expected a table csv:FILE with the column 'patient'"),
        ({"classes": ("DR",), "labelled": True}, "several classes, found DR with 2 images"),
    ],
)
def test_wrong_options_are_explained(make_folder, options, message):
    with pytest.raises(InputError, match=message):
        open_images(make_folder(FILES), **options)


def test_a_path_without_a_file_is_explained(tmp_path):
    with pytest.raises(InputError, match="expected a file, a folder or a zip, found none at"):
        open_images(tmp_path / "nowhere")


class TestGroups:
    NAMES = ("sick/p1/1.png", "sick/p2/1.png", "healthy/p1/2.png", "healthy/p3/1.png")

    def test_the_folder_around_an_image_is_its_patient_in_every_class(self, make_folder):
        source = open_images(make_folder(dict.fromkeys(self.NAMES, GREY)), groups="folder")
        assert source.class_names == ("healthy", "sick")
        assert dict(zip(source.names, source.groups, strict=True)) == {
            name: name.split("/")[1] for name in self.NAMES
        }
        parts = split(source.labels, {"a": 0.5, "b": 0.5}, seed=0, groups=source.groups)
        assert not set(source.groups[parts["a"]]) & set(source.groups[parts["b"]])

    def test_folders_of_patients_alone_are_no_classes(self, make_folder):
        folder = make_folder({"p1/1.png": GREY, "p2/1.png": GREY})
        source = open_images(folder, groups="folder")
        assert source.labels is None and source.groups.tolist() == ["p1", "p2"]

    def test_a_pattern_is_searched_for_in_the_names(self, make_folder):
        source = open_images(make_folder(dict.fromkeys(self.NAMES, GREY)), groups=r"/p(\d)/")
        assert source.groups.tolist() == ["1", "3", "1", "2"]


class TestTable:
    @pytest.fixture
    def folder(self, make_folder):
        return make_folder({f"{name}.png": GREY for name in "abcd"})

    def test_a_table_states_label_group_split_and_mask(self, folder, make_folder):
        mask = np.zeros((6, 8), np.uint8)
        mask[1, 2] = 7
        make_folder({"m/a.png": mask})
        text = "Path;LABEL;mask;split;group\na.png;x;m/a.png;train;p1\nb.png;y;;test;p2\n"
        source = open_images(table(folder, text))
        assert source.names == ("a.png", "b.png") and source.class_names == ("x", "y")
        assert source.labels.tolist() == [0, 1] and source.groups.tolist() == ["p1", "p2"]
        assert source.splits.tolist() == ["train", "test"] and source.has_masks
        np.testing.assert_array_equal(source[0]["mask"], mask > 0)
        assert not source[1]["mask"].any() and source[1]["mask"].shape == (6, 8)

    def test_masks_are_resized_as_their_images(self, folder, make_folder):
        mask = np.zeros((6, 8), np.uint8)
        mask[:, 4:] = 255
        make_folder({"m.png": mask})
        source = open_images(table(folder, "path,mask\na.png,m.png\n"), size=(3, 4))
        np.testing.assert_array_equal(source[0]["mask"], [[False, False, True, True]] * 3)

    def test_a_column_of_another_name_groups(self, folder):
        text = "patient\tpath\n1\ta.png\n1\tb.png\n2\tc.png\n"
        assert open_images(table(folder, text), groups="column:Patient").groups.tolist() == [
            "1",
            "1",
            "2",
        ]

    def test_missing_files_are_counted_and_the_first_is_named(self, folder):
        source = open_images(table(folder, "path,label\nno.png,x\na.png,x\nneither.png,y\nb.png,y"))
        assert source.names == ("a.png", "b.png")
        assert "2 of 4 images of " in source.notes[0] and "the first 'no.png'" in source.notes[0]
        assert source.skipped == ("no.png: no such file", "neither.png: no such file")

    def test_lines_without_a_label_and_listed_twice_are_left_out(self, folder):
        source = open_images(table(folder, "path,label\na.png,x\na.png,y\nb.png,\nc.png,y"))
        assert source.names == ("a.png", "c.png") and source.skipped == ("a.png: listed before",)
        assert source.left_out == {"images without a class": 1}

    @pytest.mark.parametrize(
        ("text", "options", "message"),
        [
            ("file,label\na.png,x\n", {}, "expected a column 'path' in .*found file, label"),
            ("path,label\n", {}, "one for each image, got 1 lines"),
            ("", {}, "one for each image, got 0 lines"),
            ("path\nno.png\n", {}, "1 of 1 images of .* do not exist, the first 'no.png'"),
            ("path\na.png\n", {"groups": "column:p"}, "expected a column 'p' in"),
            ("path,group\na.png,1\nb.png,\n", {}, "a group for every image, 'b.png' has none"),
            ("path,label\na.png,x\n", {"classes": ("y", "z")}, "labels out of x, got 'y'"),
            (
                "path,group,split\na.png,p,train\nb.png,p,test\n",
                {},
                "each group in one split, got 'p' in 'train' and 'test'",
            ),
            (
                "path,split\na.png,train\nb.png,\n",
                {},
                "split: expected one for every image, 1 of 2",
            ),
            (
                "path,mask\na.png,small.png\n",
                {},
                "a.png: expected a mask of 6 x 8, as the image is, got 2 x 3 in 'small.png'",
            ),
            ("path,mask\na.png,no.png\n", {}, "a.png: its mask 'no.png': cannot be read"),
            ("path,mask\na.png,labels.csv\n", {}, "its mask 'labels.csv' is no image"),
        ],
    )
    def test_mistakes_in_a_table_are_one_line(self, folder, make_folder, text, options, message):
        make_folder({"small.png": GREY[:2, :3]})
        with pytest.raises(InputError, match=message) as caught:
            open_images(table(folder, text), **options)
        assert len(str(caught.value).splitlines()) == 1

    def test_paths_of_windows_are_found_and_one_file_written_twice_is_taken_once(
        self, folder, make_folder
    ):
        make_folder({"b/1.png": GREY, "b/2.png": GREY, "b/mask.png": GREY})
        text = "path,label,mask\nb\\1.png,x,b\\mask.png\n./b/1.png,y,\nb/2.png,y,\n"
        images = open_images(table(folder, text))
        assert images.labels.tolist() == [0, 1] and images[0]["mask"].any()
        assert images.skipped == ("./b/1.png: listed before",)

    @pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
    def test_lines_end_as_on_any_system_and_a_byte_order_mark_is_none_of_the_text(
        self, folder, end
    ):
        text = end.join(["path;label", 'a.png;"x;y"', "", "b.png;z", ""])
        (folder / "labels.csv").write_bytes(text.encode("utf-8-sig"))
        images = open_images(f"csv:{folder / 'labels.csv'}")
        assert images.names == ("a.png", "b.png") and images.class_names == ("x;y", "z")

    def test_a_table_that_is_no_text_or_not_there_is_explained(self, folder):
        (folder / "labels.csv").write_bytes(b"path\n\xff.png\n")
        with pytest.raises(InputError, match="to be a CSV file in UTF-8"):
            open_images(f"csv:{folder / 'labels.csv'}")
        with pytest.raises(InputError, match="expected a CSV file, found none at"):
            open_images(f"csv:{folder / 'none.csv'}")


class TestDepth:
    @pytest.mark.parametrize(("bits", "top"), [(10, 1000), (12, 4000), (14, 16000), (16, 40000)])
    def test_pictures_of_sixteen_bits_are_scaled_by_the_bits_they_use(self, make_folder, bits, top):
        pixels = RNG.integers(0, top + 1, (6, 8)).astype(np.uint16)
        pixels[0, 0] = top
        source = open_images(make_folder({"1.png": pixels, "2.png": pixels // 2, "3.png": GREY}))
        np.testing.assert_allclose(source[0]["image"][..., 0], pixels / (2**bits - 1), rtol=1e-6)
        np.testing.assert_allclose(source[2]["image"][..., 0], GREY / 255, rtol=1e-6)
        said = [note for note in source.notes if f"use {bits} of them" in note]
        assert source.depth == (None if bits == 16 else bits) and len(said) == (bits < 16)

    def test_a_window_overrides_what_is_found(self, make_folder):
        pixels = RNG.integers(0, 4096, (6, 8)).astype(np.uint16)
        source = open_images(make_folder({"1.png": pixels}), window=(1000, 500))
        expected = np.clip((pixels - 750.0) / 500, 0, 1)
        np.testing.assert_allclose(source[0]["image"][..., 0], expected, atol=1e-6)
        assert source.depth is None and source.notes == ()

    def test_a_value_beyond_what_the_others_use_is_refused(self, make_folder, monkeypatch):
        monkeypatch.setattr("cfx_jax.data.sources.opening._SAMPLE", 2)
        dark, bright = np.full((6, 8), 900, np.uint16), np.full((6, 8), 60_000, np.uint16)
        source = open_images(make_folder({"1.png": dark, "2.png": bright, "3.png": dark}))
        assert source[0]["image"].max() == pytest.approx(900 / 1023)
        with pytest.raises(InputError, match=r"2.png: has values up to 60000, where .* 10 only"):
            source[1]


def test_opening_holds_no_pixels_in_memory(make_folder):
    big = np.repeat(np.arange(256, dtype=np.uint8)[None], 4096, 0).repeat(16, 1)  # 16 MiB
    folder = make_folder({f"{number}.png": big for number in range(3)})
    tracemalloc.start()
    source = open_images(folder, size=8)
    opened = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert len(source) == 3 and opened < 2**22


def test_a_collection_travels_to_another_process(make_folder):
    source = open_images(make_folder(FILES))
    again = pickle.loads(pickle.dumps(source))
    np.testing.assert_array_equal(again[2]["image"], source[2]["image"])


def test_names_that_are_no_text_are_escaped(make_folder):
    source = open_images(make_folder({"caf\udce9/\udce9\n.png": GREY, "b/1.png": GREY}))
    assert source.names[1] == r"caf\udce9/\udce9\n.png"
    assert source.class_names == ("b", r"caf\udce9")


def test_real_faces(shared_data):
    source = open_images(shared_data("smiles.zip"), classes=("not_smiling", "smiling"))
    assert np.bincount(source.labels).tolist() == [9475, 3690] and source.skipped == ()
    for index in (0, 5000, 13164):
        image = source[index]["image"]
        assert image.shape == (64, 64, 1) and 0 <= image.min() < image.max() <= 1


def test_real_slices(shared_data):
    source = open_images(
        shared_data("brain_mri.zip"),
        size=64,
        classes=("no_tumor=healthy", "glioma_tumor+meningioma_tumor=sick"),
    )
    assert np.bincount(source.labels).tolist() == [395, 826 + 822]
    assert source.left_out == {"images of pituitary_tumor": 827}
    assert source[2000]["image"].shape == (64, 64, 1)
