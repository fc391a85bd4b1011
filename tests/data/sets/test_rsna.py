import cv2
import numpy as np
import pytest
import radiology_layouts as layouts
from radiology_layouts import CHEST, write_rsna
from set_layouts import open_set

from cfx_jax.data import read_dicom
from cfx_jax.data.sets import ChestRecord, read_rsna
from cfx_jax.data.sets.rsna import scaled_box
from cfx_jax.data.sets.stored.spec import digest
from cfx_jax.errors import InputError

SIZE = 32  # a quarter of the file's side


@pytest.fixture
def rsna(folders):
    raw, work = folders("rsna")
    return open_set("rsna", raw, work, size=SIZE)


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
            "class to be one of Normal, Lung Opacity, No .*'Healthy' for",
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


def test_radiographs_of_two_classes_are_kept_and_the_third_is_counted(rsna):
    source = rsna
    assert source.class_names == ("normal", "opacity") and source.left_out == 1
    assert list(source.patients) == ["00313ee0", "00436515", "00704310", "008c19e8"]
    assert list(source.labels) == [0, 1, 1, 0]


def test_radiograph_is_the_file_averaged_over_areas(folders, rsna):
    file = read_dicom(folders("rsna")[0] / "stage_2_train_images/00704310.dcm")
    areas = file.reshape(SIZE, 4, SIZE, 4, 1).mean(axis=(1, 3))
    np.testing.assert_allclose(rsna[2]["image"], areas, atol=0.5 / 255 + 1e-4)
    np.testing.assert_allclose(
        file[..., 0], layouts.chest_pixels("00704310") / 255, atol=0.06
    )  # JPEG


def test_boxes_are_scaled_and_their_union_is_the_annotation(rsna):
    one, two, three = (rsna[index] for index in range(3))
    assert [each["num_boxes"] for each in (one, two, three)] == [0, 2, 1] and not one["boxes"].any()
    np.testing.assert_array_equal(two["boxes"][:2], [[4, 6, 13, 12], [4, 14, 15, 20]])
    np.testing.assert_array_equal(three["boxes"], [[24, 25, 32, 32], *[[0] * 4] * 3])
    for item in (one, two, three):
        drawn = np.zeros((SIZE, SIZE), np.uint8)
        for top, left, bottom, right in item["boxes"][: item["num_boxes"]].tolist():
            cv2.rectangle(drawn, (left, top), (right - 1, bottom - 1), 1, cv2.FILLED)
        np.testing.assert_array_equal(item["annotation_mask"], drawn > 0)


def test_file_that_cannot_be_read_stops_the_build_and_leaves_no_set(tmp_path):
    raw = layouts.write_rsna(tmp_path / "raw")
    layouts.write_radiograph(
        raw / "stage_2_train_images/00704310.dcm", np.zeros((64, 64, 3), np.uint8)
    )
    with pytest.raises(
        InputError,
        match=r"00704310.dcm': expected a grey image, got colour: download it again from http",
    ):
        open_set("rsna", raw, tmp_path / "work")
    with pytest.raises(InputError, match="which does not exist: give the folder to build it from"):
        open_set("rsna", None, tmp_path / "work")


def test_box_takes_the_pixels_whose_centre_is_inside():
    rng = np.random.default_rng(0)
    centres = np.arange(56) + 0.5
    for _ in range(50):
        y0, y1, x0, x1 = [*np.sort(rng.uniform(0, 100, 2)), *np.sort(rng.uniform(0, 200, 2))]
        rows, columns = (
            np.flatnonzero((low * scale <= centres) & (centres < high * scale))
            for low, high, scale in ((y0, y1, 0.56), (x0, x1, 0.28))
        )
        if rows.size and columns.size:
            expected = [rows[0], columns[0], rows[-1] + 1, columns[-1] + 1]
            np.testing.assert_array_equal(scaled_box((y0, x0, y1, x1), (100, 200), 56), expected)


def test_box_that_is_smaller_than_a_pixel_keeps_one():
    np.testing.assert_array_equal(scaled_box((51, 10, 52, 90), (100, 100), 10), [5, 1, 6, 9])


def test_box_that_reaches_out_ends_at_the_frame():
    np.testing.assert_array_equal(scaled_box((-20, 50, 50, 130), (100, 100), 10), [0, 5, 5, 10])
    np.testing.assert_array_equal(scaled_box((120, 0, 130, 100), (100, 100), 10), [9, 0, 10, 10])
