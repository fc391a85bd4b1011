import pickle
import subprocess
import sys

import numpy as np
import pytest
import tensorflow_datasets as tfds
from chexpert_layouts import TRAIN, radiograph_pixels, write_chexpert

from cfx_jax.data import labels_of, load_arrays, split
from cfx_jax.data.radiology_sets import chexpert_builder
from cfx_jax.data.radiology_sets.chexpert import FINDINGS
from cfx_jax.data.radiology_sets.chexpert_source import CheXpert
from cfx_jax.errors import InputError

SIZE = 32


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """The raw folder and the work folder of a set that has been built."""
    raw, work = write_chexpert(tmp_path_factory.mktemp("raw")), tmp_path_factory.mktemp("work")
    CheXpert(raw, work, size=SIZE, progress=False)
    return raw, work


@pytest.fixture
def opened(folders):
    """A function: options -> the set, built before."""
    return lambda **options: CheXpert(None, folders[1], **{"size": SIZE} | options)


def test_items_are_as_described(opened):
    source = opened()
    assert (
        source.class_names == ("no cardiomegaly", "cardiomegaly")
        and source.finding_names == FINDINGS
    )
    for index in range(len(source)):
        item = source[index]
        assert item["image"].shape == (SIZE, SIZE, 1) and item["image"].dtype == np.float32
        assert 0 <= item["image"].min() < item["image"].max() <= 1
        assert (
            item["label"]
            == source.labels[index]
            == item["findings"][FINDINGS.index("Cardiomegaly")]
        )
        assert (item["patient"], item["name"]) == (source.patients[index], source.names[index])
    np.testing.assert_array_equal(labels_of(source), source.labels)


def test_picture_is_the_file_averaged_over_areas(opened):
    source = opened(views="all", uncertain="zeros")
    for index, path in enumerate(TRAIN):
        areas = radiograph_pixels(path).reshape(SIZE, 2, SIZE, 3).mean((1, 3)) / 255
        np.testing.assert_allclose(source[index]["image"][..., 0], areas, atol=0.04)  # JPEG


@pytest.mark.parametrize(
    ("options", "labels"),
    [
        ({}, [0, 1, 0, 1]),
        ({"uncertain": "zeros"}, [0, 0, 1, 0, 1]),
        ({"uncertain": "ones"}, [0, 1, 1, 0, 1]),
        ({"views": "all"}, [0, 1, 1, 0, 1]),
        ({"finding": "Support Devices"}, [1, 0, 0, 0, 0]),
    ],
)
def test_uncertain_findings_and_lateral_views_are_taken_as_asked(opened, options, labels):
    source = opened(**options)
    assert source.labels.tolist() == labels and len(source) + source.left_out == 6


def test_findings_are_numbers_and_uncertain_ones_follow_the_reading(opened):
    edema = FINDINGS.index("Edema")
    for reading, value in (("ignore", -1), ("zeros", 0), ("ones", 1)):
        findings = opened(uncertain=reading).findings
        assert findings.shape[1] == 14 and findings.dtype == np.int64
        assert (
            set(findings[:, edema]) == {0, value}
            and not (np.delete(findings, [edema, 2], 1) == -1).any()
        )


def test_patients_stay_in_one_part(opened):
    source = opened(uncertain="zeros")
    parts = split(source.labels, {"train": 0.6, "test": 0.4}, seed=0, groups=source.patients)
    train, test = (set(source.patients[items]) for items in parts.values())
    assert not train & test and len(train | test) == 4
    assert source.parts.tolist() == ["train"] * 4 + ["valid"]


def test_options_give_other_identities(opened):
    options = ({}, {"uncertain": "ones"}, {"views": "all"}, {"finding": "Edema"})
    assert (
        len({opened(**each).identity for each in options}) == 4
        and opened().identity == opened().identity
    )


def test_pickled_copy_reads_the_same_and_index_stops_at_the_end(opened):
    source = opened()
    copy = pickle.loads(pickle.dumps(source))
    np.testing.assert_array_equal(copy[-1]["image"], source[len(source) - 1]["image"])
    assert load_arrays(copy, np.arange(4), fields=("image", "findings"))["findings"].shape == (
        4,
        14,
    )
    with pytest.raises(IndexError):
        source[len(source)]


def test_set_is_prepared_once_and_other_raw_files_are_noticed(folders, tmp_path, monkeypatch):
    raw, work = folders
    monkeypatch.setattr(chexpert_builder, "png", None)
    CheXpert(raw, work, size=SIZE)
    with pytest.raises(
        InputError,
        match=r"was built from, but '.*' has other radiographs or labels: remove the former",
    ):
        CheXpert(write_chexpert(tmp_path, valid=None), work, size=SIZE)


def test_damaged_file_stops_the_build(tmp_path):
    raw = write_chexpert(tmp_path / "raw")
    (raw / "train/patient00001/study1/view1_frontal.jpg").write_bytes(b"nothing")
    with pytest.raises(
        InputError,
        match=r"view1_frontal.jpg' cannot be used \(cannot be decoded\): download it again",
    ):
        CheXpert(raw, tmp_path / "work", size=16, progress=False)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"finding": "Flu"},
            "finding: expected one of 'No Finding', .*'Support Devices', got 'Flu'",
        ),
        ({"uncertain": "ask"}, "uncertain: expected one of 'zeros', 'ones', 'ignore', got 'ask'"),
        ({"views": "lateral"}, "views: expected one of 'frontal', 'all', got 'lateral'"),
        ({"size": 0}, "size: expected a side in pixels, 1 or more, got 0"),
    ],
)
def test_wrong_options_are_explained(tmp_path, options, message):
    with pytest.raises(InputError, match=message):
        CheXpert(None, tmp_path, **options)


def test_set_without_any_such_radiograph_is_refused(tmp_path):
    lateral = {"patient00001/study1/view1_lateral.jpg": {"Cardiomegaly": "1.0"}}
    raw = write_chexpert(tmp_path / "raw", lateral, None)
    with pytest.raises(
        InputError, match=r"for which 'Cardiomegaly' is known, none of 1 is of such a kind: choose"
    ):
        CheXpert(raw, tmp_path / "work", size=16, progress=False)


def test_builder_is_known_to_tfds_by_name(tmp_path):
    made = tfds.builder("chexpert_radiographs", data_dir=tmp_path, size=64)
    assert type(made) is chexpert_builder.CheXpertRadiographs and made.info.features[
        "image"
    ].shape == (64, 64, 1)
    assert str(made.data_path) == str(tmp_path / "64px/chexpert_radiographs/1.0.0")


def test_tensorflow_is_not_imported_where_it_is_installed(folders, tmp_path):
    """Neither to build the set nor to read it: here it is a package that cannot be imported."""
    package = tmp_path / "packages" / "tensorflow"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("raise AssertionError('TensorFlow is imported')")
    program = f"""
import sys
sys.path.insert(0, {str(package.parent)!r})
from cfx_jax.data.radiology_sets.chexpert_source import CheXpert
assert not {{"tensorflow_datasets", "cv2"}} & set(sys.modules), "imported where it is not used"
print(CheXpert({str(folders[0])!r}, {str(tmp_path)!r}, size=16, progress=False)[0]["image"].shape)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.stdout == "(16, 16, 1)\n", done.stderr
