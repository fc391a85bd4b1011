import pickle
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import ct_layouts as layouts
import nibabel
import numpy as np
import pytest
import tensorflow_datasets as tfds

from cfx_jax.data import labels_of, load_arrays, split
from cfx_jax.data.ct_scan import read_ct_scan
from cfx_jax.data.hounsfield import BRAIN, LUNG
from cfx_jax.data.radiology_sets import ct_builder, scan_builder
from cfx_jax.data.radiology_sets.ct_source import IST3, MosMed
from cfx_jax.data.radiology_sets.mosmed import read_mosmed
from cfx_jax.data.slices import to_native_grid
from cfx_jax.errors import InputError

SHAPE = (5, 12, 10)
PLACES = [2, 4, 6, 8, 10]  # of 14 slices, see the rule: m = 7, k = 3, d = 2
SETS = {"mosmed": (MosMed, layouts.write_mosmed), "ist3": (IST3, layouts.write_ist3)}


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """A function: name -> (raw folder, work folder) of a set that has been built."""
    top = tmp_path_factory.mktemp("scans")

    def build(name):
        kind, write = SETS[name]
        raw = top / "raw" / name
        if not raw.exists():
            kind(write(raw), top / "work", shape=SHAPE, progress=False)
        return raw, top / "work"

    return build


@pytest.fixture
def opened(folders):
    """A function: name -> the set, built before."""
    return lambda name, **options: SETS[name][0](None, folders(name)[1], shape=SHAPE, **options)


def test_studies_of_mosmed_are_divided_into_labelled_and_masked_ones(opened):
    labelled, masked = opened("mosmed"), opened("mosmed", part="masked")
    assert list(labelled.patients) == [
        "study_0001",
        "study_0002",
        "study_0940",
        "study_1065",
        "study_1109",
    ]
    assert list(labelled.grades) == [0, 0, 2, 3, 4] and list(labelled.labels) == [0, 0, 1, 1, 1]
    assert list(masked.patients) == ["study_0255", "study_0256"] and list(masked.labels) == [1, 1]
    assert labelled.left_out == 1 and labelled.identity != masked.identity
    assert labelled.class_names == ("no findings", "COVID-19")


def test_items_of_mosmed_are_as_described(opened):
    for part, fields in (("labelled", set()), ("masked", {"lesion_mask"})):
        source = opened("mosmed", part=part)
        for index, item in enumerate(source):
            assert set(item) == {"image", "label", "grade", "patient"} | fields
            assert item["image"].shape == (*SHAPE, 1) and item["image"].dtype == np.float32
            assert 0 <= item["image"].min() < item["image"].max() <= 1
            assert (item["label"], item["patient"]) == (
                source.labels[index],
                source.patients[index],
            )
            for mask in fields:
                assert (
                    item[mask].shape == SHAPE
                    and item[mask].dtype == bool
                    and 0 < item[mask].mean() < 1
                )
        assert index == len(source) - 1
        np.testing.assert_array_equal(labels_of(source), source.labels)


def test_items_of_ist3_are_as_described(opened):
    source = opened("ist3")
    facts = ("label", "side", "infarct_size", "territory", "patient", "name")
    expected = [
        (0, 0, 0, 0, "p1", "p1/admission"),
        (1, 1, 2, 1, "p1", "p1/followup"),
        (1, 2, 4, 6, "p2", "p2/admission"),
        (1, 3, 0, 0, "p3", "p3/admission"),
        (0, 0, 0, 0, "p3", "p3/followup"),
    ]
    assert [tuple(item[key] for key in facts) for item in source] == expected
    assert list(source.has_atlas) == [False, True, True, False, False] and source.class_names == (
        "no lesion",
        "lesion",
    )
    for item in source:
        assert item["image"].shape == (*SHAPE, 1) and item["image"].dtype == np.float32
        assert item["image"].min() == 0 and 0.4 < item["image"].max() <= 1


@pytest.mark.parametrize(("name", "window"), [("mosmed", LUNG), ("ist3", BRAIN)])
def test_images_are_the_prepared_scans(folders, opened, name, window):
    source = opened(name)
    raw = folders(name)[0]
    files = (
        [each.scan for each in read_mosmed(raw) if each.grade != 1] if name == "mosmed" else None
    )
    files = files or [raw / f"{each}.nii.gz" for each in source.names]
    for index, file in enumerate(files):
        prepared = read_ct_scan(file, window=window, shape=SHAPE)
        np.testing.assert_allclose(
            source[index]["image"][..., 0], prepared.slices, atol=0.5 / 255 + 1e-6
        )
        assert source.places(index).tolist() == PLACES
        assert tuple(source.native_shapes[index]) == prepared.native_shape == layouts.SHAPE[::-1]


def test_scan_is_prepared_in_the_stated_order(folders):
    """Windowed before it is resized, which here is to half its size and so takes the mean of four
    pixels.
    """
    (record, *_) = read_mosmed(folders("mosmed")[0])
    units = layouts.ct_units(record.name).T.astype(np.float32)[
        PLACES
    ]  # slices up, rows back, columns left
    unit = np.clip((units + 1000) / 1400, 0, 1)
    expected = unit.reshape(5, 8, 2, 10, 2).mean(axis=(2, 4))
    prepared = read_ct_scan(record.scan, window=LUNG, shape=(5, 8, 10)).slices
    np.testing.assert_allclose(prepared, expected, atol=1e-5)


def test_masks_are_placed_as_their_scans_though_their_headers_differ(opened):
    source = opened("mosmed", part="masked")
    for index, name in enumerate(source.patients):
        native = source.native_marks(index)
        np.testing.assert_array_equal(native, layouts.ct_marks(str(name)).T)
        assert native.dtype == np.uint8 and set(np.unique(native)) == {0, 1}
        np.testing.assert_array_equal(source[index]["lesion_mask"], source.marks(index) > 0)


def test_maps_return_to_the_grid_of_the_masks(opened):
    source = opened("mosmed", part="masked")
    native = to_native_grid(source[0]["image"][..., 0], source.places(0), source.native_shapes[0])
    assert native.shape == source.native_marks(0).shape
    assert not native[:2].any() and native[2].any() and native[10].any() and not native[11:].any()


def test_atlases_number_the_territories(opened):
    source = opened("ist3")
    np.testing.assert_array_equal(
        source.native_marks(2), layouts.ct_marks("p2/admission.nii.gz", highest=6).T
    )
    assert source.marks(2).shape == SHAPE and set(np.unique(source.marks(2))) == set(range(7))
    with pytest.raises(
        InputError,
        match=r"index: expected a scan in which something was marked, got 0: 'p1/admission'",
    ):
        source.native_marks(0)


def test_both_scans_of_a_patient_stay_in_one_part(opened):
    source = opened("ist3")
    parts = split(source.sides, {"train": 0.6, "test": 0.4}, seed=0, groups=source.patients)
    train, test = (set(source.patients[items]) for items in parts.values())
    assert not train & test and train | test == {"p1", "p2", "p3"}


@pytest.mark.parametrize("name", SETS)
def test_sets_are_read_into_memory_by_threads_and_from_a_pickled_copy(opened, name):
    source = opened(name)
    images = load_arrays(source, np.arange(4), fields=["image", "label"])["image"]
    copy = pickle.loads(pickle.dumps(source))
    with ThreadPoolExecutor(4) as pool:
        for index, item in enumerate(pool.map(lambda index: copy[index % 4], range(16))):
            np.testing.assert_array_equal(item["image"], images[index % 4])


@pytest.mark.parametrize("name", SETS)
def test_index_counts_from_the_end_and_stops_at_it(opened, name):
    source = opened(name)
    np.testing.assert_array_equal(source[-1]["image"], source[len(source) - 1]["image"])
    with pytest.raises(IndexError):
        source[len(source)]


@pytest.mark.parametrize("name", SETS)
def test_set_is_prepared_once_and_each_shape_is_its_own(folders, opened, name, monkeypatch):
    raw, work = folders(name)
    small = SETS[name][0](raw, work, shape=(3, 8, 8), progress=False)
    assert small[0]["image"].shape == (3, 8, 8, 1) and small.identity != opened(name).identity
    monkeypatch.setattr(scan_builder, "png", None)
    assert SETS[name][0](raw, work, shape=SHAPE).identity == opened(name).identity


def test_table_with_other_columns_is_read_by_their_names(tmp_path):
    header = "scan,randpat_id,side,R_infarct_size,territory,atlas"
    raw = layouts.write_ist3(tmp_path / "raw", header=header)
    columns = {"patient": "randpat_id", "infarct_size": "R_infarct_size"}
    source = IST3(raw, tmp_path / "work", shape=SHAPE, columns=columns, progress=False)
    assert list(source.patients) == ["p1", "p1", "p2", "p3", "p3"]
    made = ct_builder.IST3Scans(data_dir=tmp_path, size=SHAPE, columns=columns)
    assert [each.patient for each in pickle.loads(pickle.dumps(made)).read(raw)] == list(
        source.patients
    )


def test_scans_without_air_are_read_where_that_is_said(tmp_path):
    def save(path, values, affine=layouts.AFFINE):
        layouts.save_nifti(path, values.clip(0), affine)

    raw = layouts.write_ist3(tmp_path / "raw", save=save)
    with pytest.raises(
        InputError,
        match=r"admission.nii.gz': expected Hounsfield units with air at about -1000, got none bel",
    ):
        IST3(raw, tmp_path / "work", shape=SHAPE, progress=False)
    assert len(IST3(raw, tmp_path / "work", shape=SHAPE, has_air=False, progress=False)) == 5


def test_other_raw_files_are_noticed(folders, tmp_path):
    studies = {**layouts.MOSMED, "study_0002": (2, False)}
    with pytest.raises(
        InputError, match=r"was built from, but '.*' has other scans or labels: remove the former"
    ):
        MosMed(layouts.write_mosmed(tmp_path, studies), folders("mosmed")[1], shape=SHAPE)


@pytest.mark.parametrize(
    ("file", "values", "message"),
    [
        (
            "studies/CT-2/study_0940.nii.gz",
            np.full(layouts.SHAPE, -1000, np.int16),
            "expected a scan, got -1000 in all",
        ),
        (
            "studies/CT-2/study_0940.nii.gz",
            layouts.ct_units("a")[..., :4],
            "': num_slices: expected 5 or at least 6",
        ),
        (
            "studies/CT-2/study_0940.nii.gz",
            layouts.ct_units("a") + 4000,
            "Hounsfield units with air at about -1000, got",
        ),
        (
            "masks/study_0256_mask.nii.gz",
            layouts.ct_marks("a", highest=2),
            r"expected values in 0..1, got 0..2: download",
        ),
        (
            "masks/study_0256_mask.nii.gz",
            layouts.ct_marks("a")[1:],
            r"expected the shape of its image .*, got \(19, 16, 14\)",
        ),
    ],
)
def test_file_that_cannot_be_used_stops_the_build_and_leaves_no_set(
    tmp_path, file, values, message
):
    raw = layouts.write_mosmed(tmp_path / "raw")
    layouts.save_nifti(raw / file, values)
    with pytest.raises(InputError, match=rf"{file.split('/')[-1]}.*{message}"):
        MosMed(raw, tmp_path / "work", shape=SHAPE, progress=False)
    with pytest.raises(InputError, match="which does not exist: give the folder to build it from"):
        MosMed(None, tmp_path / "work", shape=SHAPE)


def test_scan_without_anything_in_the_window_is_named(tmp_path):
    layouts.save_nifti(tmp_path / "a.nii", layouts.ct_units("a") - 900)
    with pytest.raises(
        InputError,
        match=r"a.nii': volume: expected values within the window 0..80, got .*: give another",
    ):
        read_ct_scan(tmp_path / "a.nii", window=BRAIN, shape=SHAPE)


def test_scans_turned_otherwise_give_the_same_items(opened, tmp_path):
    def turned(path, values, affine=layouts.AFFINE):
        path.parent.mkdir(parents=True, exist_ok=True)
        start = nibabel.orientations.io_orientation(layouts.AFFINE)
        to = nibabel.orientations.ornt_transform(start, nibabel.orientations.axcodes2ornt("SAR"))
        image = nibabel.Nifti1Image(values, layouts.AFFINE).as_reoriented(to)
        marks = nibabel.Nifti1Image(np.asarray(image.dataobj), affine)
        nibabel.save(image if affine is layouts.AFFINE else marks, path)

    raw = layouts.write_mosmed(tmp_path / "raw", save=turned)
    for part in ("labelled", "masked"):
        source, straight = (
            MosMed(raw, tmp_path / "work", part=part, shape=SHAPE, progress=False),
            opened("mosmed", part=part),
        )
        for one, other in zip(source, straight, strict=True):
            assert {key: np.array_equal(one[key], other[key]) for key in one} == dict.fromkeys(
                other, True
            )


def test_wrong_arguments_are_explained(tmp_path):
    with pytest.raises(InputError, match="part: expected one of 'labelled', 'masked', got 'test'"):
        MosMed(None, tmp_path, part="test")
    for kind in (MosMed, IST3):
        for shape in (128, (128, 128), [11, 128, 128]):
            with pytest.raises(
                InputError,
                match=r"shape: expected numbers of slices, rows and columns, got .*: give e.g.",
            ):
                kind(None, tmp_path, shape=shape)
        with pytest.raises(InputError, match="shape: expected an integer of at least 1, got 0"):
            kind(None, tmp_path, shape=(11, 0, 128))
    with pytest.raises(
        InputError,
        match=r"expected the set in '.*11x500x400px.*ist3_scans.*1.0.0', which does not exist",
    ):
        IST3(None, tmp_path)
    assert not list(tmp_path.iterdir())


def test_part_that_the_set_does_not_have_is_refused(tmp_path):
    raw = layouts.write_mosmed(
        tmp_path / "raw", {"study_0001": (0, False), "study_0940": (2, False)}
    )
    with pytest.raises(
        InputError,
        match="part: expected studies that are masked, the set has none: give the other part",
    ):
        MosMed(raw, tmp_path / "work", part="masked", shape=SHAPE, progress=False)


@pytest.mark.parametrize(
    ("kind", "name"), [("MosMedScans", "mosmed_covid19_1110"), ("IST3Scans", "ist3_scans")]
)
def test_builders_are_known_to_tfds_by_name(tmp_path, kind, name):
    made = tfds.builder(name, data_dir=tmp_path, size=SHAPE)
    assert type(made) is getattr(ct_builder, kind)
    assert str(made.data_path) == str(tmp_path / "5x12x10px" / name / "1.0.0")
    assert made.info.features["image"].shape == (60, 10, 1) and made.info.homepage == made.page
    assert pickle.loads(pickle.dumps(made)).data_path == made.data_path


def test_tensorflow_is_not_imported_where_it_is_installed(folders, tmp_path):
    """Neither to build the sets nor to read them: here it is a package that cannot be imported."""
    package = tmp_path / "packages" / "tensorflow"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("raise AssertionError('TensorFlow is imported')")
    program = f"""
import sys
sys.path.insert(0, {str(package.parent)!r})
from cfx_jax.data.radiology_sets.ct_source import IST3, MosMed
assert not {{"tensorflow_datasets", "cv2", "nibabel"}} & set(sys.modules), "imported where it is not used"
for kind, raw in ((MosMed, {str(folders("mosmed")[0])!r}), (IST3, {str(folders("ist3")[0])!r})):
    print(kind(raw, {str(tmp_path)!r}, shape=(3, 8, 8), progress=False)[0]["image"].shape)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.stdout == "(3, 8, 8, 1)\n" * 2, done.stderr
