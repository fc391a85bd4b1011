import json

import nibabel
import numpy as np
import pytest
import radiology_layouts as layouts
from radiology_layouts import head, write_msd
from set_layouts import SIZE, open_set

from cfx_jax.data import Volume, resample_volume, split
from cfx_jax.data.sets import BrainRecord, read_msd_brain
from cfx_jax.data.sets.msd import NUM_SLICES, read_slices
from cfx_jax.data.sets.stored.spec import digest
from cfx_jax.errors import InputError


def touch(path, values):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()


def changed(folder, **entries):
    """The same folder, with other entries in its list of files."""
    table = folder / "Task01_BrainTumour/dataset.json"
    table.write_text(json.dumps({**json.loads(table.read_text()), **entries}))
    return folder


def test_labelled_volumes_in_the_order_of_their_numbers(tmp_path):
    records = read_msd_brain(write_msd(tmp_path, write=touch))
    top = tmp_path / "Task01_BrainTumour"
    assert [each.name for each in records] == ["BRATS_001", "BRATS_002", "BRATS_010"]
    image, labels = top / "imagesTr/BRATS_001.nii.gz", top / "labelsTr/BRATS_001.nii.gz"
    assert records[0] == BrainRecord("BRATS_001", image, labels, 2, 4)


def test_inner_folder_serves_as_well(tmp_path):
    folder = write_msd(tmp_path, write=touch)
    assert read_msd_brain(folder / "Task01_BrainTumour") == read_msd_brain(folder)


def test_digest_changes_with_name_sequence_and_files_but_not_with_the_place(tmp_path):
    for name in ("a", "b"):
        (tmp_path / name).write_bytes(b"same")
    (tmp_path / "c").write_bytes(b"longer")
    record = BrainRecord("x", tmp_path / "a", tmp_path / "a", 2, 4)
    changes = (
        {"name": "y"},
        {"sequence": 1},
        {"num_sequences": 3},
        {"image": tmp_path / "c"},
        {"labels": tmp_path / "c"},
    )
    assert (
        len(
            {
                digest([each])
                for each in [record, *(record._replace(**change) for change in changes)]
            }
        )
        == 6
    )
    assert digest([record]) == digest([record._replace(image=tmp_path / "b")])


def test_folder_without_the_set_names_what_is_expected_and_the_page(tmp_path):
    with pytest.raises(
        InputError,
        match=r"list of files '.*dataset.json', which does not exist: .*medicaldecathlon.com",
    ):
        read_msd_brain(tmp_path)


def test_missing_file_is_named(tmp_path):
    folder = write_msd(tmp_path, write=touch)
    (folder / "Task01_BrainTumour/labelsTr/BRATS_010.nii.gz").unlink()
    with pytest.raises(
        InputError,
        match=r"expected 6 files, 1 are missing, the first is '.*labelsTr/BRATS_010.nii.gz'",
    ):
        read_msd_brain(folder)


def test_volume_that_is_listed_twice_is_refused(tmp_path):
    with pytest.raises(InputError, match="expected each volume once, got 'BRATS_002' twice"):
        read_msd_brain(write_msd(tmp_path, ("BRATS_002", "BRATS_002"), touch))


@pytest.mark.parametrize(
    ("entries", "message"),
    [
        (
            {"modality": {"0": "MRI"}},
            "expected volumes with the sequence t1gd, got 3 with mri: take Task01_BrainTumour",
        ),
        (
            {"training": []},
            "expected volumes with the sequence t1gd, got 0 with flair, t1w, t1gd, t2w",
        ),
        (
            {"training": [{"image": "a"}]},
            r"is no list of the files of a task \(KeyError\('label'\)\): unpack it again",
        ),
        ({"modality": "MRI"}, "is no list of the files of a task"),
    ],
)
def test_list_of_another_task_is_refused(tmp_path, entries, message):
    with pytest.raises(InputError, match=message):
        read_msd_brain(changed(write_msd(tmp_path, write=touch), **entries))


def test_list_that_is_no_json_is_refused(tmp_path):
    folder = write_msd(tmp_path, write=touch)
    (folder / "Task01_BrainTumour/dataset.json").write_text("{")
    with pytest.raises(
        InputError, match=r"dataset.json' is no list of the files of a task \(Expecting property"
    ):
        read_msd_brain(folder)


@pytest.fixture(scope="module")
def record(tmp_path_factory):
    return read_msd_brain(write_msd(tmp_path_factory.mktemp("msd"), ("BRATS_001",)))[0]


def test_slices_are_those_of_the_resampled_head(record):
    """Made again from the arrays that were written: first axis to the left, second to the back,
    third up.
    """
    values, classes = (each.swapaxes(0, 2) for each in head("BRATS_001"))
    slices = read_slices(record, size=32)
    counts = zip(classes.shape, (NUM_SLICES, 32, 32), strict=True)
    nearest = [
        np.floor((np.arange(after) + 0.5) * before / after).astype(int) for before, after in counts
    ]
    kept = np.flatnonzero((nearest[0] >= 3) & (nearest[0] < 29))
    np.testing.assert_array_equal(slices.numbers, kept)
    np.testing.assert_array_equal(slices.tumours, np.isin(classes, (2, 3))[np.ix_(*nearest)][kept])
    np.testing.assert_array_equal(slices.bodies, (values[..., 2] > 0)[np.ix_(*nearest)][kept])
    t1gd = resample_volume(
        Volume(values[..., 2].astype(np.float32), (1, 1, 1)), shape=(NUM_SLICES, 32, 32)
    ).array[kept]
    low, high = (extreme(axis=(1, 2), keepdims=True) for extreme in (t1gd.min, t1gd.max))
    np.testing.assert_allclose(slices.images, (t1gd - low) / (high - low), atol=1e-6)
    assert slices.images.dtype == np.float32


def test_another_number_of_sequences_is_refused(record):
    with pytest.raises(
        InputError,
        match=r"BRATS_001.nii.gz': expected 3 sequences, got 4 \(shape \(24, 20, 31, 4\)\)",
    ):
        read_slices(record._replace(num_sequences=3), size=16)


def test_classes_of_another_shape_are_refused(record, tmp_path):
    nibabel.save(
        nibabel.Nifti1Image(np.zeros((24, 20, 30), np.uint8), np.eye(4)), tmp_path / "a.nii.gz"
    )
    with pytest.raises(
        InputError,
        match=r"a.nii.gz': expected the shape of its image '.*', \(31, 20, 24\) .*\(30, 20, 24\)",
    ):
        read_slices(record._replace(labels=tmp_path / "a.nii.gz"), size=16)


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


def test_damaged_volume_is_named(tmp_path):
    raw = layouts.write_msd(tmp_path / "raw", ("BRATS_001", "BRATS_002"))
    image = raw / "Task01_BrainTumour/imagesTr/BRATS_002.nii.gz"
    image.write_bytes(image.read_bytes()[:-500])
    with pytest.raises(
        InputError, match=r"BRATS_002.nii.gz' is damaged \(.*\): copy or download it again"
    ):
        open_set("msd", raw, tmp_path / "work", size=16)


def test_volumes_turned_otherwise_give_the_same_slices(folders, opened, tmp_path):
    def turned(path, values):
        path.parent.mkdir(parents=True, exist_ok=True)
        image = nibabel.Nifti1Image(values, layouts.AFFINE)
        codes = nibabel.orientations.axcodes2ornt("SAR")
        start = nibabel.orientations.io_orientation(layouts.AFFINE)
        nibabel.save(image.as_reoriented(nibabel.orientations.ornt_transform(start, codes)), path)

    raw = layouts.write_msd(tmp_path / "raw", ("BRATS_001",), turned)
    source, straight = (
        open_set("msd", raw, tmp_path / "work"),
        opened("msd"),
    )
    for index in range(0, len(source), 20):
        for key in ("image", "lesion_mask", "slice"):
            np.testing.assert_array_equal(source[index][key], straight[index][key])
