import pytest
from chexpert_layouts import TRAIN, VALID, write_chexpert

from cfx_jax.data.radiology_sets.chexpert import CheXpertRecord, digest, read_chexpert
from cfx_jax.errors import InputError


def test_both_parts_with_all_views(tmp_path):
    records = read_chexpert(write_chexpert(tmp_path))
    paths = [*(f"train/{path}" for path in TRAIN), *(f"valid/{path}" for path in VALID)]
    assert [f"{each.name}.jpg" for each in records] == paths
    assert [each.frontal for each in records] == [True, True, True, False, True, True]
    assert [each.patient for each in records] == [path.split("/")[1] for path in paths]
    name = "train/patient00002/study2/view1_frontal"
    expected = CheXpertRecord(
        name, tmp_path / f"{name}.jpg", "patient00002", "train", True, "--?--?------1-"
    )
    assert records[1] == expected and records[5].findings == "00100000000000"


def test_folder_may_have_another_name_than_the_published_one(tmp_path):
    full = read_chexpert(write_chexpert(tmp_path / "full", published="CheXpert-v1.0"))
    assert digest(full) == digest(read_chexpert(write_chexpert(tmp_path / "small")))


def test_validation_part_may_be_left_out_but_not_half_of_it(tmp_path):
    assert len(read_chexpert(write_chexpert(tmp_path, valid=None))) == len(TRAIN)
    (tmp_path / "valid").mkdir()
    with pytest.raises(
        InputError, match=r"valid.csv', which does not exist: download them from https://stanfordml"
    ):
        read_chexpert(tmp_path)


def test_digest_changes_with_each_fact_but_not_with_the_place(tmp_path):
    record = CheXpertRecord("a", tmp_path, "p", "train", True, "1" * 14)
    others = [
        record._replace(**change)
        for change in ({"name": "b"}, {"frontal": False}, {"findings": "0" * 14})
    ]
    assert len({digest([each]) for each in [record, *others]}) == 4
    assert digest([record]) == digest([record._replace(image=tmp_path / "x")])


def test_folder_without_the_set_names_what_is_expected_and_the_page(tmp_path):
    with pytest.raises(
        InputError, match=r"train.csv', which does not exist: .* from https://stanfordmlgroup"
    ):
        read_chexpert(tmp_path)


def test_missing_radiographs_are_counted(tmp_path):
    folder = write_chexpert(tmp_path)
    (folder / "train/patient00003/study1/view1_frontal.jpg").unlink()
    with pytest.raises(
        InputError,
        match=r"expected 6 radiographs, 1 are missing, the first is '.*00003/study1/view1_f",
    ):
        read_chexpert(folder)


@pytest.mark.parametrize(
    ("before", "after", "message"),
    [
        (
            "small/train/patient00003",
            "small/patient00003",
            "expected a Path like 'CheXpert-v1.0/train/.*, got 'CheXpert-v1",
        ),
        (
            "small/train/patient00003",
            "small/valid/patient00003",
            "expected a Path like 'CheXpert-v1.0/train/",
        ),
        (
            "Frontal,AP,1.0",
            "Above,AP,1.0",
            "expected Frontal/Lateral to be one of Frontal, Lateral, got 'Above' for 'CheX",
        ),
        (
            "AP,1.0",
            "AP,0.5",
            "expected No Finding to be one of 1.0, 0.0, -1.0, nothing, got '0.5' for 'CheXpert",
        ),
        (
            "Pleural Other",
            "Pleural",
            "expected the columns Path, Frontal/Lateral, No Finding, .* got Path, Sex, Age",
        ),
        (
            "patient00003",
            "patient00001",
            "expected each radiograph once, got 'train/patient00001/study1/view1_frontal' tw",
        ),
    ],
)
def test_rows_that_cannot_be_understood_are_refused(tmp_path, before, after, message):
    table = write_chexpert(tmp_path) / "train.csv"
    table.write_text(table.read_text().replace(before, after))
    with pytest.raises(InputError, match=message):
        read_chexpert(tmp_path)
