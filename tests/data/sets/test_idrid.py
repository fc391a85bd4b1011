import shutil

import pytest
from fundus_layouts import touch, write_idrid

from cfx_jax.data.sets import read_idrid
from cfx_jax.data.sets.idrid import LESIONS
from cfx_jax.errors import InputError

ALL = tuple(LESIONS)
LESIONS_OF = {
    3: ALL,
    10: ("microaneurysms", "hard_exudates"),
    54: ALL[:3],
    55: ALL,
    81: ("hard_exudates",),
}


def test_both_parts_with_the_masks_that_are_there(tmp_path):
    records = read_idrid(write_idrid(tmp_path, LESIONS_OF))
    assert [each.name for each in records] == [
        "IDRiD_03",
        "IDRiD_10",
        "IDRiD_54",
        "IDRiD_55",
        "IDRiD_81",
    ]
    assert [tuple(each.masks) for each in records] == list(LESIONS_OF.values())
    top = tmp_path / "A. Segmentation"
    assert records[0].image == top / "1. Original Images/a. Training Set/IDRiD_03.jpg"
    masks = top / "2. All Segmentation Groundtruths/b. Testing Set"
    assert records[4].masks == {"hard_exudates": masks / "3. Hard Exudates/IDRiD_81_EX.tif"}
    assert all(each.gradable is None and each.patient == each.name for each in records)


def test_grade_is_the_least_that_the_lesions_imply(tmp_path):
    lesions = {
        1: ALL,
        2: ("microaneurysms",),
        3: (),
        4: ("microaneurysms", "haemorrhages"),
        55: ALL,
    }
    assert [each.grade for each in read_idrid(write_idrid(tmp_path, lesions))] == [2, 1, None, 2, 2]


def test_inner_folder_serves_as_well(tmp_path):
    folder = write_idrid(tmp_path, LESIONS_OF)
    assert read_idrid(folder / "A. Segmentation") == read_idrid(folder)


def test_folder_without_the_set_names_what_is_expected_and_the_page(tmp_path):
    expected = r"expected files IDRiD_\*.jpg in '.*1. Original Images/a. Training Set', .* https://ieee-dataport.org"
    with pytest.raises(InputError, match=expected):
        read_idrid(tmp_path)


def test_missing_folder_of_masks_is_not_taken_for_absent_lesions(tmp_path):
    folder = write_idrid(tmp_path, LESIONS_OF)
    shutil.rmtree(next(folder.rglob("b. Testing Set/4. Soft Exudates")))
    with pytest.raises(
        InputError, match=r"IDRiD_\*_SE.tif in '.*b. Testing Set/4. Soft Exudates', found none"
    ):
        read_idrid(folder)


def test_mask_of_no_photograph_is_refused(tmp_path):
    folder = write_idrid(tmp_path, LESIONS_OF)
    touch(next(folder.rglob("a. Training Set/2. Haemorrhages")) / "IDRiD_11_HE.tif")
    with pytest.raises(
        InputError,
        match=r"IDRiD_11_HE.tif': .* one of the 3 photographs, there is no 'IDRiD_11.jpg'",
    ):
        read_idrid(folder)
