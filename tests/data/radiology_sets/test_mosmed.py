import pytest
from ct_layouts import MOSMED, write_mosmed

from cfx_jax.data.radiology_sets.mosmed import MosMedRecord, digest, read_mosmed
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
