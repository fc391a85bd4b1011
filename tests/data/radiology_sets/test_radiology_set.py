import pickle
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import cv2
import nibabel
import numpy as np
import pytest
import radiology_layouts as layouts

from cfx_jax.data import labels_of, load_arrays, split, training_batches
from cfx_jax.data.dicom import read_dicom
from cfx_jax.data.radiology_sets import MSDBrainTumour, RSNAPneumonia, builder, read_msd_brain
from cfx_jax.data.radiology_sets.msd import NUM_SLICES, read_slices
from cfx_jax.errors import InputError

SIZE = 32
SETS = {"rsna": (RSNAPneumonia, layouts.write_rsna), "msd": (MSDBrainTumour, layouts.write_msd)}


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """A function: name -> (raw folder, work folder) of a set that has been built."""
    top = tmp_path_factory.mktemp("sets")

    def build(name):
        kind, write = SETS[name]
        raw = top / "raw" / name
        if not raw.exists():
            kind(write(raw), top / "work", size=SIZE, progress=False)
        return raw, top / "work"

    return build


@pytest.fixture
def opened(folders):
    """A function: name -> the set, built before."""
    return lambda name: SETS[name][0](None, folders(name)[1], size=SIZE)


@pytest.mark.parametrize("name", SETS)
def test_items_are_as_described(opened, name):
    source = opened(name)
    masks = ("annotation_mask",) if name == "rsna" else ("lesion_mask", "body_mask")
    for index, item in enumerate(source):
        image = item["image"]
        assert (
            image.shape == (SIZE, SIZE, 1)
            and image.dtype == np.float32
            and 0 <= image.min() < image.max() <= 1
        )
        for mask in masks:
            assert item[mask].shape == (SIZE, SIZE) and item[mask].dtype == bool
        assert item["label"] == source.labels[index] and item["patient"] == source.patients[index]
    assert index == len(source) - 1
    np.testing.assert_array_equal(labels_of(source), source.labels)


def test_radiographs_of_two_classes_are_kept_and_the_third_is_counted(opened):
    source = opened("rsna")
    assert source.class_names == ("normal", "opacity") and source.left_out == 1
    assert list(source.patients) == ["00313ee0", "00436515", "00704310", "008c19e8"]
    assert list(source.labels) == [0, 1, 1, 0]


def test_radiograph_is_the_file_averaged_over_areas(folders, opened):
    file = read_dicom(folders("rsna")[0] / "stage_2_train_images/00704310.dcm")
    areas = file.reshape(SIZE, 4, SIZE, 4, 1).mean(axis=(1, 3))
    np.testing.assert_allclose(opened("rsna")[2]["image"], areas, atol=0.5 / 255 + 1e-4)
    np.testing.assert_allclose(
        file[..., 0], layouts.chest_pixels("00704310") / 255, atol=0.06
    )  # JPEG


def test_boxes_are_scaled_and_their_union_is_the_annotation(opened):
    one, two, three = (opened("rsna")[index] for index in range(3))
    assert [each["num_boxes"] for each in (one, two, three)] == [0, 2, 1] and not one["boxes"].any()
    np.testing.assert_array_equal(two["boxes"][:2], [[4, 6, 13, 12], [4, 14, 15, 20]])
    np.testing.assert_array_equal(three["boxes"], [[24, 25, 32, 32], *[[0] * 4] * 3])
    for item in (one, two, three):
        drawn = np.zeros((SIZE, SIZE), np.uint8)
        for top, left, bottom, right in item["boxes"][: item["num_boxes"]].tolist():
            cv2.rectangle(drawn, (left, top), (right - 1, bottom - 1), 1, cv2.FILLED)
        np.testing.assert_array_equal(item["annotation_mask"], drawn > 0)


def test_slices_are_those_of_the_volumes(folders, opened):
    source = opened("msd")
    position, left_out = 0, 0
    for record in read_msd_brain(folders("msd")[0]):
        slices = read_slices(record, size=SIZE)
        left_out += NUM_SLICES - len(slices.numbers)
        for number, image, tumour, body in zip(*slices, strict=True):
            item = source[position]
            assert (item["patient"], item["slice"], source.slices[position]) == (
                record.name,
                number,
                number,
            )
            np.testing.assert_allclose(item["image"][..., 0], image, atol=0.5 / 255 + 1e-6)
            np.testing.assert_array_equal(item["lesion_mask"], tumour)
            np.testing.assert_array_equal(item["body_mask"], body)
            assert item["label"] == (tumour.sum() >= 10 * (SIZE / 224) ** 2)
            position += 1
    assert position == len(source) and left_out == source.left_out > 0
    assert source.class_names == ("no tumour", "tumour") and 0 < source.labels.mean() < 1


def test_patients_stay_in_one_part(opened):
    source = opened("msd")
    parts = split(source.labels, {"train": 0.6, "test": 0.4}, seed=0, groups=source.patients)
    train, test = (set(source.patients[items]) for items in parts.values())
    assert not train & test and len(train | test) == 3


@pytest.mark.parametrize("name", SETS)
def test_sets_feed_the_pipeline(opened, name):
    source = opened(name)
    items = np.concatenate([np.flatnonzero(source.labels == label)[:2] for label in (0, 1)])
    batch = next(training_batches(source, items, batch_size=4, seed=0))
    assert batch["image"].shape == (4, SIZE, SIZE, 1) and sorted(batch["label"]) == [0, 0, 1, 1]
    assert load_arrays(source, np.array([2, 0]))["image"].shape == (2, SIZE, SIZE, 1)


@pytest.mark.parametrize("name", SETS)
def test_index_counts_from_the_end_and_stops_at_it(opened, name):
    source = opened(name)
    last = source[len(source) - 1]
    for key, value in source[-1].items():
        np.testing.assert_array_equal(value, last[key])
    with pytest.raises(IndexError):
        source[len(source)]


@pytest.mark.parametrize("name", SETS)
def test_set_is_prepared_once_and_each_size_is_its_own(folders, opened, name, monkeypatch):
    raw, work = folders(name)
    small = SETS[name][0](raw, work, size=16, progress=False)
    assert small[0]["image"].shape == (16, 16, 1) and small.identity != opened(name).identity
    monkeypatch.setattr(builder, "png", None)
    assert SETS[name][0](raw, work, size=SIZE).identity == opened(name).identity


@pytest.mark.parametrize("name", SETS)
def test_pickled_copy_and_threads_read_the_same(opened, name):
    source = opened(name)
    expected = [source[index]["image"] for index in range(4)]
    copy = pickle.loads(pickle.dumps(source))
    with ThreadPoolExecutor(8) as pool:
        for index, image in enumerate(pool.map(lambda index: copy[index % 4]["image"], range(64))):
            np.testing.assert_array_equal(image, expected[index % 4])


def test_other_raw_files_are_noticed(folders, tmp_path):
    images = {**layouts.CHEST, "00313ee0": ("Lung Opacity", [(1.0, 1.0, 9.0, 9.0)])}
    with pytest.raises(
        InputError,
        match=r"was built from, but '.*' has other radiographs or labels: remove the former",
    ):
        RSNAPneumonia(layouts.write_rsna(tmp_path, images), folders("rsna")[1], size=SIZE)
    with pytest.raises(
        InputError, match=r"was built from, but '.*' has other volumes or labels: remove the former"
    ):
        MSDBrainTumour(layouts.write_msd(tmp_path, ("BRATS_001",)), folders("msd")[1], size=SIZE)


def test_file_that_cannot_be_read_stops_the_build_and_leaves_no_set(tmp_path):
    raw = layouts.write_rsna(tmp_path / "raw")
    layouts.write_radiograph(
        raw / "stage_2_train_images/00704310.dcm", np.zeros((64, 64, 3), np.uint8)
    )
    with pytest.raises(
        InputError,
        match=r"00704310.dcm': expected a grey image, got colour: download it again from http",
    ):
        RSNAPneumonia(raw, tmp_path / "work", size=SIZE, progress=False)
    with pytest.raises(InputError, match="which does not exist: give the folder to build it from"):
        RSNAPneumonia(None, tmp_path / "work", size=SIZE)


def test_damaged_volume_is_named(tmp_path):
    raw = layouts.write_msd(tmp_path / "raw", ("BRATS_001", "BRATS_002"))
    image = raw / "Task01_BrainTumour/imagesTr/BRATS_002.nii.gz"
    image.write_bytes(image.read_bytes()[:-500])
    with pytest.raises(
        InputError, match=r"BRATS_002.nii.gz' is damaged \(.*\): copy or download it again"
    ):
        MSDBrainTumour(raw, tmp_path / "work", size=16, progress=False)


def test_volumes_turned_otherwise_give_the_same_slices(folders, opened, tmp_path):
    def turned(path, values):
        path.parent.mkdir(parents=True, exist_ok=True)
        image = nibabel.Nifti1Image(values, layouts.AFFINE)
        codes = nibabel.orientations.axcodes2ornt("SAR")
        start = nibabel.orientations.io_orientation(layouts.AFFINE)
        nibabel.save(image.as_reoriented(nibabel.orientations.ornt_transform(start, codes)), path)

    raw = layouts.write_msd(tmp_path / "raw", ("BRATS_001",), turned)
    source, straight = (
        MSDBrainTumour(raw, tmp_path / "work", size=SIZE, progress=False),
        opened("msd"),
    )
    for index in range(0, len(source), 20):
        for key in ("image", "lesion_mask", "slice"):
            np.testing.assert_array_equal(source[index][key], straight[index][key])


@pytest.mark.parametrize("name", SETS)
def test_wrong_folders_are_explained(tmp_path, name):
    kind = SETS[name][0]
    with pytest.raises(
        InputError, match=r"size: expected a side in pixels, 1 or more, got 0: give e.g. 224"
    ):
        kind(tmp_path, tmp_path, size=0)
    with pytest.raises(
        InputError, match=r"', which does not exist: (download them|unpack the task) from http"
    ):
        kind(tmp_path / "nowhere", tmp_path)
    with pytest.raises(
        InputError, match=r"raw_folder: expected the set in '.*224px.*1.0.0', which does not exist"
    ):
        kind(None, tmp_path)
    assert not list(tmp_path.iterdir())


def test_tensorflow_is_not_imported_where_it_is_installed(folders, tmp_path):
    """Neither to build the sets nor to read them: here it is a package that cannot be imported."""
    package = tmp_path / "packages" / "tensorflow"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("raise AssertionError('TensorFlow is imported')")
    program = f"""
import sys
sys.path.insert(0, {str(package.parent)!r})
from cfx_jax.data.radiology_sets import MSDBrainTumour, RSNAPneumonia
assert not {{"tensorflow_datasets", "cv2", "pydicom", "nibabel"}} & set(sys.modules), "imported where it is not used"
for kind, raw in ((RSNAPneumonia, {str(folders("rsna")[0])!r}), (MSDBrainTumour, {str(folders("msd")[0])!r})):
    print(kind(raw, {str(tmp_path)!r}, size=16, progress=False)[0]["image"].shape)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.stdout == "(16, 16, 1)\n" * 2, done.stderr
