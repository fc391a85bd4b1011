import pickle
import subprocess
import sys

import numpy as np
import pytest
import tensorflow_datasets as tfds
from face_layouts import FACES, face_pixels, write_celeba
from PIL import Image

from cfx_jax.data import labels_of, load_arrays, split
from cfx_jax.data.face_sets import CelebA, builder
from cfx_jax.data.face_sets.celeba import ATTRIBUTES
from cfx_jax.errors import InputError

SIZE = 50  # a third of the crop's side


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """The raw folder and the work folder of a set that has been built."""
    raw, work = write_celeba(tmp_path_factory.mktemp("raw")), tmp_path_factory.mktemp("work")
    CelebA(raw, work, size=SIZE, progress=False)
    return raw, work


@pytest.fixture
def opened(folders):
    """A function: options -> the set, built before."""
    return lambda **options: CelebA(None, folders[1], **{"size": SIZE} | options)


def test_items_are_as_described(opened):
    source = opened()
    assert len(source) == len(FACES) and source.class_names == ("not smiling", "smiling")
    for index, (name, (shown, _, _)) in enumerate(FACES.items()):
        item = source[index]
        assert item["image"].shape == (SIZE, SIZE, 3) and item["image"].dtype == np.float32
        assert 0 <= item["image"].min() < item["image"].max() <= 1
        assert item["label"] == ("Smiling" in shown) and item["name"] == name
        assert {
            each
            for each, value in zip(source.attribute_names, item["attributes"], strict=True)
            if value
        } == set(shown)
    np.testing.assert_array_equal(labels_of(source), source.labels)
    np.testing.assert_array_equal(
        source.attributes.sum(1), [len(shown) for shown, _, _ in FACES.values()]
    )


def test_image_is_the_middle_of_the_photograph_averaged_over_areas(opened):
    source = opened()
    for index, name in enumerate(FACES):
        areas = face_pixels(name)[34:184, 14:164].reshape(SIZE, 3, SIZE, 3, 3).mean((1, 3)) / 255
        np.testing.assert_allclose(source[index]["image"], areas, atol=0.05)  # JPEG


def test_any_attribute_can_be_the_label_of_the_same_stored_set(opened):
    source = opened(attribute="Heavy_Makeup")
    assert source.labels.tolist() == [0, 0, 0, 0, 1] and source.class_names == (
        "not heavy makeup",
        "heavy makeup",
    )
    assert source.identity != opened().identity == opened().identity


def test_parts_are_the_authors_and_people_can_be_kept_apart(opened):
    source = opened()
    assert source.parts.tolist() == ["train", "train", "validation", "test", "train"]
    assert source.people.tolist() == [2880, 2937, 8692, 2880, 9152]
    parts = split(source.labels, {"train": 0.6, "test": 0.4}, seed=0, groups=source.people)
    train, test = (set(source.people[items]) for items in parts.values())
    assert not train & test and len(train | test) == 4


def test_people_are_unknown_without_their_table(tmp_path):
    raw = write_celeba(tmp_path / "raw", with_people=False)
    assert CelebA(raw, tmp_path / "work", size=16, progress=False).people is None


def test_pickled_copy_reads_the_same_and_index_stops_at_the_end(opened):
    source = opened()
    copy = pickle.loads(pickle.dumps(source))
    np.testing.assert_array_equal(copy[-1]["image"], source[len(source) - 1]["image"])
    assert load_arrays(copy, np.arange(4), fields=("image", "attributes"))["attributes"].shape == (
        4,
        40,
    )
    with pytest.raises(IndexError):
        source[len(source)]


def test_set_is_prepared_once_and_other_raw_files_are_noticed(folders, tmp_path, monkeypatch):
    raw, work = folders
    monkeypatch.setattr(builder, "png", None)
    CelebA(raw, work, size=SIZE)
    with pytest.raises(
        InputError,
        match=r"was built from, but '.*' has other photographs or labels: remove the former",
    ):
        CelebA(write_celeba(tmp_path, with_people=False), work, size=SIZE)


def test_photograph_in_the_wild_is_named(tmp_path):
    raw = write_celeba(tmp_path / "raw")
    Image.fromarray(np.zeros((300, 400, 3), np.uint8)).save(raw / "img_align_celeba/000003.jpg")
    with pytest.raises(
        InputError,
        match=r"'.*/000003.jpg': expected an aligned photograph of 218 x 178 .*, got 300 x 400",
    ):
        CelebA(raw, tmp_path / "work", size=16, progress=False)


def test_damaged_file_stops_the_build_and_leaves_no_set(tmp_path):
    raw = write_celeba(tmp_path / "raw")
    (raw / "img_align_celeba/000003.jpg").write_bytes(b"nothing")
    with pytest.raises(
        InputError,
        match=r"000003.jpg' cannot be used \(cannot be decoded\): download it again from http",
    ):
        CelebA(raw, tmp_path / "work", size=16, progress=False)
    with pytest.raises(InputError, match="which does not exist: give the folder to build it from"):
        CelebA(None, tmp_path / "work", size=16)


@pytest.mark.parametrize("attribute", ["Smile", "smiling"])
def test_unknown_attribute_lists_the_known_ones(tmp_path, attribute):
    with pytest.raises(
        InputError,
        match=f"attribute: expected one of '5_o_.*'Smiling', .*'Young', got '{attribute}'",
    ):
        CelebA(None, tmp_path, attribute=attribute)
    assert "Smiling" in ATTRIBUTES


def test_wrong_size_is_explained(tmp_path):
    with pytest.raises(InputError, match="size: expected a side in pixels, 1 or more, got 0"):
        CelebA(None, tmp_path, size=0)


def test_builder_is_known_to_tfds_by_name(tmp_path):
    made = tfds.builder("celeba_faces", data_dir=tmp_path, size=64)
    assert type(made) is builder.CelebAFaces and made.info.features["image"].shape == (64, 64, 3)
    assert str(made.data_path) == str(tmp_path / "64px/celeba_faces/1.0.0")


def test_tensorflow_is_not_imported_where_it_is_installed(folders, tmp_path):
    """Neither to build the set nor to read it: here it is a package that cannot be imported."""
    package = tmp_path / "packages" / "tensorflow"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("raise AssertionError('TensorFlow is imported')")
    program = f"""
import sys
sys.path.insert(0, {str(package.parent)!r})
from cfx_jax.data.face_sets import CelebA
assert not {{"tensorflow_datasets", "cv2"}} & set(sys.modules), "imported where it is not used"
print(CelebA({str(folders[0])!r}, {str(tmp_path)!r}, size=16, progress=False)[0]["image"].shape)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.stdout == "(16, 16, 3)\n", done.stderr
