import pytest
from fundus_layouts import DEEPDRID_COLUMNS, TRAINING, write_deepdrid

from cfx_jax.data.sets import FundusRecord, read_deepdrid
from cfx_jax.errors import InputError


def test_both_parts_with_grade_and_quality(tmp_path):
    records = read_deepdrid(write_deepdrid(tmp_path))
    images = tmp_path / "regular_fundus_images/regular-fundus-training/Images"
    assert records[1] == FundusRecord("4_r1", images / "4/4_r1.jpg", "4", grade=4, gradable=0)
    assert [each.patient for each in records] == ["4", "4", "56", "56", "56", "296"]
    assert [each.gradable for each in records] == [0, 0, 0, 0, 1, 1]


def test_filled_column_counts_whatever_the_name_says(tmp_path):
    grades = {each.name: each.grade for each in read_deepdrid(write_deepdrid(tmp_path))}
    assert grades == {"4_l1": 3, "4_r1": 4, "56_l1": 1, "56_r3": 1, "56_l3": 0, "296_l1": 2}


def test_inner_folder_serves_as_well(tmp_path):
    folder = write_deepdrid(tmp_path)
    assert read_deepdrid(folder / "regular_fundus_images") == read_deepdrid(folder)


def test_folder_without_the_set_names_what_is_expected_and_the_page(tmp_path):
    with pytest.raises(
        InputError,
        match=r"regular-fundus-training.csv', which does not exist: .*github.com/deepdrdoc",
    ):
        read_deepdrid(tmp_path)


@pytest.mark.parametrize(("grades", "number"), [(",,", 0), ("3,4,", 2)])
def test_row_needs_one_grade(tmp_path, grades, number):
    rows = {"4_l1": TRAINING["4_l1"].replace(",3,,", f",{grades}")}
    with pytest.raises(
        InputError, match=rf"right_eye_DR_Level, got it in {number} in the row of '4_l1'"
    ):
        read_deepdrid(write_deepdrid(tmp_path, rows))


def test_quality_outside_the_scale_is_refused(tmp_path):
    rows = {"4_l1": TRAINING["4_l1"].replace(".jpg,0,", ".jpg,2,")}
    with pytest.raises(
        InputError, match=r"expected Overall quality to be in 0..1, got '2' in the row 4,4_l1,"
    ):
        read_deepdrid(write_deepdrid(tmp_path, rows))


def test_missing_column_is_named(tmp_path):
    folder = write_deepdrid(tmp_path)
    table = next(folder.rglob("regular-fundus-training.csv"))
    table.write_text(DEEPDRID_COLUMNS.replace("Overall quality", "quality"))
    with pytest.raises(
        InputError,
        match=r"columns patient_id, image_id, Overall quality, .* got patient_id, image_id,"
        r" image_path, quality,",
    ):
        read_deepdrid(folder)


def test_missing_photograph_is_named(tmp_path):
    folder = write_deepdrid(tmp_path)
    next(folder.rglob("296_l1.jpg")).unlink()
    with pytest.raises(
        InputError,
        match=r"expected 6 photographs, 1 are missing, the first is '.*Images/296/296_l1.jpg'",
    ):
        read_deepdrid(folder)
