import pytest
from radiology_layouts import CHEST, write_rsna

from cfx_jax.data.radiology_sets import ChestRecord, read_rsna
from cfx_jax.data.radiology_sets.rsna import digest
from cfx_jax.errors import InputError


def test_all_classes_with_their_boxes(tmp_path):
    records = read_rsna(write_rsna(tmp_path))
    assert [each.name for each in records] == list(CHEST)
    assert [each.label for each in records] == [None, 0, 1, 1, 0]
    image = tmp_path / "stage_2_train_images/00436515.dcm"
    assert records[2] == ChestRecord("00436515", image, 1, ((15, 26, 52, 47), (15, 56.5, 60, 81.5)))


def test_images_of_the_third_class_may_be_missing(tmp_path):
    folder = write_rsna(tmp_path)
    (folder / "stage_2_train_images/0004cfab.dcm").unlink()
    assert len(read_rsna(folder)) == 5


def test_digest_changes_with_each_fact_but_not_with_the_place(tmp_path):
    record = ChestRecord("a", tmp_path, 1, ((1, 2, 3, 4),))
    others = [record._replace(**change) for change in ({"name": "b"}, {"label": 0}, {"boxes": ()})]
    assert len({digest([each]) for each in [record, *others]}) == 4
    assert digest([record]) == digest([record._replace(image=tmp_path / "x")])


def test_folder_without_the_set_names_what_is_expected_and_the_page(tmp_path):
    with pytest.raises(
        InputError,
        match=r"stage_2_train_labels.csv', which does not exist: .*kaggle.com/c/rsna-pneu",
    ):
        read_rsna(tmp_path)


def test_second_table_is_needed_too(tmp_path):
    folder = write_rsna(tmp_path)
    (folder / "stage_2_detailed_class_info.csv").unlink()
    with pytest.raises(
        InputError, match=r"stage_2_detailed_class_info.csv', which does not exist: download"
    ):
        read_rsna(folder)


def test_missing_images_are_counted(tmp_path):
    folder = write_rsna(tmp_path)
    (folder / "stage_2_train_images/00313ee0.dcm").unlink()
    with pytest.raises(
        InputError,
        match=r"expected 4 radiographs, 1 are missing, the first is '.*/00313ee0.dcm': unpack",
    ):
        read_rsna(folder)


@pytest.mark.parametrize(
    ("table", "before", "after", "message"),
    [
        (
            "labels",
            "26.0,15.0,21.0",
            "26.0,,21.0",
            "expected numbers for x, y, width and height of a box, got the row 00",
        ),
        (
            "labels",
            "26.0,15.0,21.0",
            "26.0,nan,21.0",
            "expected numbers for x, y, width and height of a box",
        ),
        (
            "labels",
            "26.0,15.0,21.0",
            "inf,15.0,21.0",
            "expected numbers for x, y, width and height of a box",
        ),
        (
            "labels",
            "100.0,96.0,28.0",
            "100.0,96.0,0",
            "expected numbers for x, y, width and height of a box",
        ),
        (
            "labels",
            "32.0,1",
            "32.0,2",
            "expected Target to be in 0..1, got '2' in the row 00704310,100.0",
        ),
        (
            "labels",
            "32.0,1",
            "32.0,0",
            "got 0 for '00704310' of class 'Lung Opacity': download both tables again",
        ),
        (
            "labels",
            "Target\n",
            "Target\n1d,1,1,2,2,1\n",
            "no other, got 1 for '1d' of class 'none': download both",
        ),
        (
            "detailed_class_info",
            "313ee0,Normal",
            "313ee0,Healthy",
            "class out of Normal, Lung Opacity, No .*'Healthy' for",
        ),
        (
            "detailed_class_info",
            "00436515,Lung Opacity",
            "00436515,Normal",
            "got 2 for '00436515' of class 'Normal'",
        ),
    ],
)
def test_rows_that_cannot_be_understood_are_refused(tmp_path, table, before, after, message):
    path = next(write_rsna(tmp_path).glob(f"stage_2_*{table}.csv"))
    path.write_text(path.read_text().replace(before, after))
    with pytest.raises(InputError, match=message):
        read_rsna(tmp_path)


def test_more_boxes_than_the_published_set_has_are_refused(tmp_path):
    images = {"a": ("Lung Opacity", [(1, 1, 2, 2)] * 5)}
    with pytest.raises(InputError, match="expected at most 4 boxes on an image, got 5 on 'a'"):
        read_rsna(write_rsna(tmp_path, images))
