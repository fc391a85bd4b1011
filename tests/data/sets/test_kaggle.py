import pytest
from fundus_layouts import write_kaggle

from cfx_jax.data.sets import FundusRecord, read_kaggle
from cfx_jax.errors import InputError

TRAIN, TEST = {"10_left": 0, "10_right": 4, "13_left": 2}, {"1_left": 1}


def test_training_part_alone(tmp_path):
    records = read_kaggle(write_kaggle(tmp_path, TRAIN))
    assert records[1] == FundusRecord("10_right", tmp_path / "train/10_right.jpeg", "10", grade=4)
    assert [(each.name, each.patient, each.grade) for each in records] == [
        ("10_left", "10", 0),
        ("10_right", "10", 4),
        ("13_left", "13", 2),
    ]
    assert all(each.gradable is None and not each.masks for each in records)


def test_test_part_follows(tmp_path):
    records = read_kaggle(write_kaggle(tmp_path, TRAIN, TEST))
    assert records[3] == FundusRecord("1_left", tmp_path / "test/1_left.jpeg", "1", grade=1)


def test_folder_without_the_set_names_what_is_expected_and_the_page(tmp_path):
    with pytest.raises(
        InputError,
        match=r"trainLabels.csv', which does not exist: .* from https://www.kaggle.com/c/dia",
    ):
        read_kaggle(tmp_path)


def test_half_a_test_part_is_refused(tmp_path):
    folder = write_kaggle(tmp_path, TRAIN, TEST)
    (folder / "retinopathy_solution.csv").unlink()
    with pytest.raises(
        InputError,
        match=r"retinopathy_solution.csv', which does not exist: .* from https://storage",
    ):
        read_kaggle(folder)


def test_missing_photographs_are_counted(tmp_path):
    folder = write_kaggle(tmp_path, TRAIN)
    for name in ("10_right", "13_left"):
        (folder / f"train/{name}.jpeg").unlink()
    with pytest.raises(
        InputError,
        match=r"expected 3 photographs, 2 are missing, the first is '.*train/10_right.jpeg'",
    ):
        read_kaggle(folder)


def test_photograph_in_both_parts_is_refused(tmp_path):
    with pytest.raises(InputError, match="each photograph once, got '10_left' twice"):
        read_kaggle(write_kaggle(tmp_path, TRAIN, {"10_left": 0}))


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ({"10_left": 5}, r"expected level to be in 0..4, got '5' in the row 10_left,5: correct"),
        ({"10_left": ""}, r"expected level to be in 0..4, got ''"),
        ({"tenth": 0}, "expected an image like '10_left' or '10_right', got 'tenth'"),
    ],
)
def test_rows_that_cannot_be_understood_are_refused(tmp_path, labels, message):
    with pytest.raises(InputError, match=message):
        read_kaggle(write_kaggle(tmp_path, labels))
