import shutil
import warnings
from pathlib import Path

import numpy as np
import pytest

from cfx_jax.data import ImageFolder, shared_copies, split, training_batches
from cfx_jax.errors import InputError

RNG = np.random.default_rng(0)
FILES = {
    "healthy/img10.png": RNG.integers(0, 256, (6, 8, 3), np.uint8),
    "healthy/img9.tif": RNG.integers(0, 256, (6, 8, 3), np.uint8),
    "DR/b.png": RNG.integers(0, 256, (6, 8), np.uint8),
    "DR/a.tiff": RNG.integers(0, 65536, (6, 8), np.uint16),
}


@pytest.fixture(params=["folder", "zip", "zip with a top folder"])
def path(request, make_folder, tmp_path):
    folder = make_folder(FILES)
    if request.param == "folder":
        return folder
    base = folder.name if "top" in request.param else None
    root = tmp_path if base else folder
    return shutil.make_archive(str(tmp_path / "archive"), "zip", root, base)


def test_items_hold_image_label_and_path(path):
    source = ImageFolder(path)
    item = source[1]
    assert len(source) == 4 and source.class_names == ("DR", "healthy")
    assert item["image"].shape == (6, 8, 3) and item["image"].dtype == np.float32
    np.testing.assert_allclose(
        item["image"], np.stack([FILES["DR/b.png"] / 255] * 3, -1), rtol=1e-6
    )
    assert item["label"] == 0 and item["path"].endswith("DR/b.png")


def test_order_is_by_class_then_natural_name(path):
    names = [item["path"].split("/")[-1] for item in ImageFolder(path)]
    assert names == ["a.tiff", "b.png", "img9.tif", "img10.png"]


def test_sixteen_bits_are_scaled_by_their_maximum(path):
    image = ImageFolder(path, channels=1)[0]["image"]
    np.testing.assert_allclose(image[..., 0], FILES["DR/a.tiff"] / 65535, rtol=1e-6)


def test_user_fixes_the_order_of_the_classes(path):
    source = ImageFolder(path, class_names=("healthy", "DR"))
    np.testing.assert_array_equal(source.labels, [0, 0, 1, 1])
    assert [item["label"] for item in source] == [0, 0, 1, 1]


def test_memory_limit_changes_nothing(path):
    kept = ImageFolder(path, size=5)
    for limit in (0, 5 * 5 * 3 * 2 + 1):
        again = ImageFolder(path, size=5, memory_limit=limit)
        for one, other in zip(kept, again, strict=True):
            np.testing.assert_array_equal(one["image"], other["image"])


@pytest.mark.parametrize(
    ("size", "shape"), [(4, (4, 4, 1)), ((3, 16), (3, 16, 1)), (None, (6, 8, 1))]
)
def test_size(path, size, shape):
    assert all(item["image"].shape == shape for item in ImageFolder(path, size=size, channels=1))


def test_feeds_the_pipeline(path):
    batch = next(training_batches(ImageFolder(path), np.arange(4), batch_size=4, seed=0))
    assert batch["image"].shape == (4, 6, 8, 3) and sorted(batch["label"]) == [0, 0, 1, 1]


def test_undamaged_folder_gives_no_warning(path):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert ImageFolder(path).damaged == {}


def test_damaged_files_are_named_skipped_and_counted(make_folder, capfd):
    folder = make_folder(FILES)
    cut = (folder / "DR/b.png").read_bytes()[:60]
    make_folder({"DR/cut.png": cut, "healthy/empty.jpg": b"", "healthy/notes.txt": b"x"})
    with pytest.warns(
        UserWarning, match=r"2 of 6 image files are damaged and skipped: .*cut.png.*empty.jpg"
    ):
        source = ImageFolder(folder)
    assert len(source) == 4 and source.ignored == 1
    assert sorted(path.split("/")[-1] for path in source.damaged) == ["cut.png", "empty.jpg"]
    assert "OpenCV" not in capfd.readouterr().err


def test_many_damaged_files_are_not_all_listed(make_folder):
    folder = make_folder({**FILES, **{f"DR/bad{i}.png": b"?" for i in range(9)}})
    with pytest.warns(UserWarning, match=r"9 of 13 .*bad4.png' cannot be decoded; \.\.\.$"):
        assert len(ImageFolder(folder).damaged) == 9


def test_damaged_member_of_a_zip_is_skipped(make_folder, tmp_path):
    archive = shutil.make_archive(str(tmp_path / "archive"), "zip", make_folder(FILES))
    content = bytearray(Path(archive).read_bytes())
    start = content.index(b"DR/b.png") + 30
    content[start : start + 20] = bytes(20)
    Path(archive).write_bytes(content)
    with pytest.warns(
        UserWarning, match=r"1 of 4 image files are damaged and skipped: .*b.png' cannot be read"
    ):
        assert len(ImageFolder(archive)) == 3


def test_class_with_damaged_files_only_is_explained(make_folder):
    folder = make_folder({"a/1.png": FILES["DR/b.png"], "b/1.png": b"?", "b/2.png": b"?"})
    with pytest.raises(
        InputError, match=r"images of class 'b', but none of its files can be used: .*1.png' cannot"
    ):
        ImageFolder(folder)


def test_different_sizes_need_a_size(make_folder):
    folder = make_folder(
        {"a/1.png": np.zeros((4, 5), np.uint8), "b/1.png": np.zeros((6, 5), np.uint8)}
    )
    with pytest.raises(
        InputError, match=r"one size, got 4x5 \('.*a/1.png'\) and 6x5 \('.*b/1.png'\): give `size`"
    ):
        ImageFolder(folder)
    assert ImageFolder(folder, size=3)[1]["image"].shape == (3, 3, 3)


def test_file_removed_since_the_start_is_explained(make_folder):
    folder = make_folder(FILES)
    source = ImageFolder(folder, memory_limit=0)
    (folder / "DR/b.png").unlink()
    with pytest.raises(
        InputError, match=r"b.png' cannot be read .*, though it could be read at the start"
    ):
        source[1]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"channels": 2}, r"channels: expected 1 \(grey\) or 3 \(colour\), got 2"),
        ({"size": 0}, "size: expected a side or .height, width. in pixels, 1 or more, got 0"),
        ({"size": (4, 5, 3)}, r"size: expected a side or .*, got \(4, 5, 3\)"),
    ],
)
def test_wrong_options_are_explained(make_folder, options, message):
    with pytest.raises(InputError, match=message):
        ImageFolder(make_folder(FILES), **options)


def test_what_is_left_out_is_told_with_its_number(make_folder):
    folder = make_folder(
        {**FILES, "DR/notes.txt": b"x", "DR/more.txt": b"x", "loose.png": FILES["DR/b.png"]}
    )
    with pytest.warns(
        UserWarning, match="3 files are left out: 2 .txt files, 1 images beside the class folders"
    ):
        source = ImageFolder(folder)
    assert source.ignored == 3 and source.counts["files left out"] == 3 and len(source.summary) == 1


def test_class_folders_that_are_links_are_read(make_folder, tmp_path):
    folder = make_folder(FILES)
    (tmp_path / "links").mkdir()
    for name in ("DR", "healthy"):
        (tmp_path / "links" / name).symlink_to(folder / name)
    for one, other in zip(ImageFolder(folder), ImageFolder(tmp_path / "links"), strict=True):
        np.testing.assert_array_equal(one["image"], other["image"])


def test_equal_images_are_counted_in_and_across_classes(make_folder):
    pictures = [RNG.integers(100, 256, (5, 5), np.uint8) for _ in range(6)]
    one, other = (
        {f"a/{i}.png": pictures[i] for i in (0, 1, 2, 3)},
        {f"b/{i}.png": pictures[i] for i in (3, 4, 5)},
    )
    folder = make_folder({**one, "a/9.png": pictures[0], **other})
    with pytest.warns(
        UserWarning,
        match=r"2 of 8 images equal an earlier one, 1 of them one of another class, e.g. '.*b/3",
    ):
        source = ImageFolder(folder, channels=1)
    np.testing.assert_array_equal(source.copies, [0, 1, 2, 3, 0, 3, 6, 7])
    prints = source.fingerprints
    assert (
        len(prints) == 8
        and prints[4] == prints[0]
        and prints[5] == prints[3]
        and len(set(prints)) == 6
    )
    assert source.counts["images that equal an earlier one"] == 2
    assert source.counts["images that equal one of another class"] == 1
    parts = split(source.labels, {"train": 0.5, "test": 0.5}, seed=0, groups=source.copies)
    assert shared_copies(source.copies, parts) == {}
    assert shared_copies(
        source.copies, {"x": np.array([0, 1]), "y": np.array([4, 5]), "z": np.array([3, 4])}
    ) == {
        ("x", "y"): 1,
        ("x", "z"): 1,
        ("y", "z"): 2,
    }


def test_faint_images_are_told_and_a_window_shows_them(make_folder):
    twelve_bits = RNG.integers(0, 4096, (6, 8)).astype(np.uint16)
    twelve_bits[0, :2] = 0, 4095
    folder = make_folder({"a/1.png": twelve_bits, "b/1.png": FILES["DR/b.png"]})
    with pytest.warns(
        UserWarning,
        match=r"1 of 2 images are faint, .*: .* window='values' or window=\(centre, width\)",
    ):
        assert ImageFolder(folder, channels=1).counts["faint images"] == 1
    with pytest.warns(UserWarning):
        shown = ImageFolder(folder, channels=1, window="values", memory_limit=0)[0]["image"]
    np.testing.assert_allclose(shown[..., 0], twelve_bits / 4095, atol=1e-6)
    with pytest.raises(InputError, match="window: expected 'file', 'full', 'values' or"):
        ImageFolder(folder, window="bright")


def test_names_that_are_no_text_are_escaped(make_folder):
    source = ImageFolder(
        make_folder({**FILES, "DR/\udce9\n.png": RNG.integers(0, 256, (6, 8), np.uint8)})
    )
    assert [path.rsplit("/", 1)[1] for path in source.paths if "udce9" in path] == [r"\udce9\n.png"]


def test_real_faces(shared_data):
    source = ImageFolder(
        shared_data("smiles.zip"),
        channels=1,
        class_names=("not_smiling", "smiling"),
        progress=False,
    )
    assert np.bincount(source.labels).tolist() == [9475, 3690] and source.damaged == {}
    for index in (0, 5000, 13164):
        image = source[index]["image"]
        assert image.shape == (64, 64, 1) and 0 <= image.min() < image.max() <= 1


def test_real_slices(shared_data):
    source = ImageFolder(shared_data("brain_mri.zip"), size=64, memory_limit=0, progress=False)
    counts = dict(zip(source.class_names, np.bincount(source.labels).tolist(), strict=True))
    assert counts == {
        "glioma_tumor": 826,
        "meningioma_tumor": 822,
        "no_tumor": 395,
        "pituitary_tumor": 827,
    }
    assert source[2000]["image"].shape == (64, 64, 3)
