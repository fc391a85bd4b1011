import ct_layouts as layouts
import numpy as np
import pytest
from ct_layouts import MOSMED, write_mosmed
from set_layouts import SHAPE

from cfx_jax.data import labels_of
from cfx_jax.data.sets import MosMed, MosMedRecord, read_mosmed
from cfx_jax.data.sets.stored.spec import digest
from cfx_jax.errors import InputError


def touch(path, values, affine=None):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()


@pytest.mark.parametrize("table", ["dataset_registry.xlsx", "dataset_registry.csv"])
def test_studies_in_the_order_of_the_table(tmp_path, table):
    records = read_mosmed(write_mosmed(tmp_path, table=table, save=touch))
    assert [each.name for each in records] == list(MOSMED)
    assert [each.grade for each in records] == [0, 0, 1, 1, 1, 2, 3, 4]
    scan, mask = (
        tmp_path / "studies/CT-1/study_0255.nii.gz",
        tmp_path / "masks/study_0255_mask.nii.gz",
    )
    assert records[2] == MosMedRecord("study_0255", scan, 1, mask)
    assert [each.is_used for each in records] == [True] * 4 + [False] + [True] * 3


def test_folder_around_the_archive_serves_as_well(tmp_path):
    folder = write_mosmed(tmp_path / "COVID19_1110", save=touch)
    assert read_mosmed(tmp_path) == read_mosmed(folder)


def test_only_studies_of_the_lowest_grade_without_mask_may_be_missing(tmp_path):
    write_mosmed(tmp_path, save=touch)
    (tmp_path / "studies/CT-1/study_0939.nii.gz").unlink()
    assert len(read_mosmed(tmp_path)) == len(MOSMED)
    (tmp_path / "studies/CT-4/study_1109.nii.gz").unlink()
    with pytest.raises(
        InputError,
        match=r"expected 7 scans, 1 are missing, the first is '.*CT-4/study_1109.nii.gz': unpack",
    ):
        read_mosmed(tmp_path)


def test_missing_mask_is_named(tmp_path):
    write_mosmed(tmp_path, save=touch)
    (tmp_path / "masks/study_0256_mask.nii.gz").unlink()
    with pytest.raises(
        InputError,
        match=r"expected 2 masks, 1 are missing, the first is '.*study_0256_mask.nii.gz': unpack",
    ):
        read_mosmed(tmp_path)


def test_digest_changes_with_each_fact_and_file_but_not_with_the_place(tmp_path):
    for name, content in {"a": b"same", "b": b"same", "c": b"longer"}.items():
        (tmp_path / name).write_bytes(content)
    record = MosMedRecord("x", tmp_path / "a", 2, tmp_path / "a")
    changes = (
        {"name": "y"},
        {"grade": 3},
        {"marks": None},
        {"scan": tmp_path / "c"},
        {"marks": tmp_path / "c"},
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
    assert digest([record]) == digest([record._replace(scan=tmp_path / "b")])
    assert digest([MosMedRecord("x", tmp_path / "nowhere", 1)])


def test_folder_without_the_set_names_the_table_and_the_page(tmp_path):
    with pytest.raises(
        InputError,
        match=r"dataset_registry.xlsx', which does not exist: download them from https://mosmed",
    ):
        read_mosmed(tmp_path)


@pytest.mark.parametrize(
    ("before", "after", "message"),
    [
        (
            "study_0002,CT-0",
            "study_0002,CT-5",
            r"a category out of CT-0, .*, CT-4 and a study_file like .*, got the row stu",
        ),
        (
            "CT-2/study_0940.nii.gz",
            "CT-2/study_0940.png",
            "got the row study_0940,CT-2,/studies/CT-2/study_0940.png,: corr",
        ),
        (
            "/study_0002.nii.gz",
            "/study_0001.nii.gz",
            "expected each study once, got 'study_0001' twice",
        ),
        (
            "category",
            "grade",
            "expected the columns category, study_file, mask_file, got study_id, grade, study_file",
        ),
    ],
)
def test_tables_that_cannot_be_understood_are_refused(tmp_path, before, after, message):
    table = (
        write_mosmed(tmp_path, table="dataset_registry.csv", save=touch) / "dataset_registry.csv"
    )
    table.write_text(table.read_text().replace(before, after))
    with pytest.raises(InputError, match=message):
        read_mosmed(tmp_path)


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


def test_part_that_the_set_does_not_have_is_refused(tmp_path):
    raw = layouts.write_mosmed(
        tmp_path / "raw", {"study_0001": (0, False), "study_0940": (2, False)}
    )
    with pytest.raises(
        InputError,
        match="part: expected studies that are masked, the set has none: give the other part",
    ):
        MosMed(raw, tmp_path / "work", part="masked", shape=SHAPE, progress=False)
