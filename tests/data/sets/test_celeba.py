import numpy as np
import pytest
from face_layouts import FACES, face_pixels, write_celeba
from PIL import Image
from set_layouts import open_set

from cfx_jax.data import labels_of, split
from cfx_jax.data.sets import CelebA, FaceRecord, crop_face, read_celeba
from cfx_jax.data.sets.celeba import ATTRIBUTES
from cfx_jax.data.sets.stored.spec import digest
from cfx_jax.errors import InputError

SIZE = 50  # a third of the crop's side


@pytest.fixture
def opened(folders):
    """A function: options -> the tiny set, built before."""
    raw, work = folders("celeba")
    return lambda **options: open_set("celeba", raw, work, size=SIZE, **options)


def test_records_say_what_the_tables_say(tmp_path):
    records = read_celeba(write_celeba(tmp_path))
    for record, (name, (shown, part, person)) in zip(records, FACES.items(), strict=True):
        letters = "".join("1" if each in shown else "0" for each in ATTRIBUTES)
        expected = FaceRecord(name, tmp_path / "img_align_celeba" / name, letters, "", person)
        assert record == expected._replace(part=("train", "validation", "test")[part])


def test_there_are_forty_attributes_in_alphabetical_order():
    assert len(ATTRIBUTES) == 40 and list(ATTRIBUTES) == sorted(ATTRIBUTES)


def test_table_of_identities_may_be_left_out(tmp_path):
    records = read_celeba(write_celeba(tmp_path, with_people=False))
    assert [each.person for each in records] == [None] * len(FACES)


def test_crop_takes_rows_34_to_183_and_columns_14_to_163():
    rows, columns = np.mgrid[:218, :178]
    crop = crop_face(np.stack([rows, columns], -1))
    assert crop.shape == (150, 150, 2)
    assert crop[0, 0].tolist() == [34, 14] and crop[-1, -1].tolist() == [183, 163]


def test_photograph_of_another_size_is_refused():
    with pytest.raises(
        InputError,
        match="it: expected an aligned photograph of 218 x 178 pixels, got 178 x 218: take",
    ):
        crop_face(np.zeros((178, 218, 3)), name="it")


def test_digest_changes_with_each_fact_but_not_with_the_place(tmp_path):
    record = FaceRecord("a", tmp_path, "1" * 40, "train", 1)
    changes = ({"name": "b"}, {"attributes": "0" * 40}, {"part": "test"}, {"person": None})
    assert (
        len(
            {
                digest([each])
                for each in [record, *(record._replace(**change) for change in changes)]
            }
        )
        == 5
    )
    assert digest([record]) == digest([record._replace(image=tmp_path / "x")])


@pytest.mark.parametrize("table", ["list_attr_celeba.txt", "list_eval_partition.txt"])
def test_missing_table_names_what_is_expected_and_the_page(tmp_path, table):
    folder = write_celeba(tmp_path)
    (folder / table).unlink()
    with pytest.raises(
        InputError, match=rf"{table}', which does not exist: download it from https://mmlab.ie.cuhk"
    ):
        read_celeba(folder)


def test_missing_photographs_are_counted(tmp_path):
    folder = write_celeba(tmp_path)
    (folder / "img_align_celeba/000003.jpg").unlink()
    with pytest.raises(
        InputError,
        match=r"expected 5 photographs, 1 are missing, the first is '.*/000003.jpg': unpack",
    ):
        read_celeba(folder)


@pytest.mark.parametrize(
    ("table", "before", "after", "message"),
    [
        (
            "list_attr_celeba",
            "5\n",
            "6\n",
            "expected 6 photographs, as its first line says, got 5: download it again",
        ),
        (
            "list_attr_celeba",
            "5\n5_o",
            "5_o",
            "expected the number of photographs and then the 40 names 5_o_Clock_Sha",
        ),
        (
            "list_attr_celeba",
            "Wearing_Hat",
            "Hat",
            "the 40 names 5_o_Clock_Shadow to Young, got other lines: download",
        ),
        (
            "list_attr_celeba",
            "000002.jpg  1",
            "000002.jpg  2",
            "expected 40 values of -1 or 1 for '000002.jpg', got 2 -1",
        ),
        (
            "list_attr_celeba",
            "000002.jpg  1",
            "000002.jpg",
            "expected 40 values of -1 or 1 for '000002.jpg', got -1 -1",
        ),
        (
            "list_eval_partition",
            "000003.jpg 1",
            "000003.jpg 3",
            "expected 0, 1 or 2 for '000003.jpg', got 3: correct",
        ),
        (
            "list_eval_partition",
            "000003.jpg 1\n",
            "",
            "expected a row for each photograph, 1 are missing, .*'000003.jpg'",
        ),
        (
            "identity_CelebA",
            "000003.jpg 8692",
            "000003.jpg x",
            "expected a file's name and a number, got '000003.jpg x'",
        ),
        (
            "identity_CelebA",
            "000003.jpg 8692\n",
            "",
            "expected a row for each photograph, 1 are missing, the first is",
        ),
    ],
)
def test_tables_that_cannot_be_understood_are_refused(tmp_path, table, before, after, message):
    path = write_celeba(tmp_path) / f"{table}.txt"
    path.write_text(path.read_text().replace(before, after, 1))
    with pytest.raises(InputError, match=message):
        read_celeba(tmp_path)


def test_table_that_is_no_text_is_refused(tmp_path):
    (write_celeba(tmp_path) / "list_attr_celeba.txt").write_bytes(b"\xff\xfe\x00\x80")
    with pytest.raises(
        InputError,
        match=r"list_attr_celeba.txt' is no text file \(.*\): download it from https://mmlab",
    ):
        read_celeba(tmp_path)


def test_items_are_as_described(opened):
    source = opened()
    assert len(source) == len(FACES) and source.class_names == ("not smiling", "smiling")
    for index, (name, (shown, _, _)) in enumerate(FACES.items()):
        item = source[index]
        assert item["image"].shape == (SIZE, SIZE, 3) and item["image"].dtype == np.float32
        assert 0 <= item["image"].min() < item["image"].max() <= 1
        assert item["label"] == ("Smiling" in shown) and item["name"] == name
        assert {
            each
            for each, value in zip(source.attribute_names, item["attributes"], strict=True)
            if value
        } == set(shown)
    np.testing.assert_array_equal(labels_of(source), source.labels)
    np.testing.assert_array_equal(
        source.attributes.sum(1), [len(shown) for shown, _, _ in FACES.values()]
    )


def test_image_is_the_middle_of_the_photograph_averaged_over_areas(opened):
    source = opened()
    for index, name in enumerate(FACES):
        areas = face_pixels(name)[34:184, 14:164].reshape(SIZE, 3, SIZE, 3, 3).mean((1, 3)) / 255
        np.testing.assert_allclose(source[index]["image"], areas, atol=0.05)  # JPEG


def test_any_attribute_can_be_the_label_of_the_same_stored_set(opened):
    source = opened(attribute="Heavy_Makeup")
    assert source.labels.tolist() == [0, 0, 0, 0, 1] and source.class_names == (
        "not heavy makeup",
        "heavy makeup",
    )
    assert source.identity != opened().identity == opened().identity


def test_parts_are_the_authors_and_people_can_be_kept_apart(opened):
    source = opened()
    assert source.parts.tolist() == ["train", "train", "validation", "test", "train"]
    assert source.people.tolist() == [2880, 2937, 8692, 2880, 9152]
    parts = split(source.labels, {"train": 0.6, "test": 0.4}, seed=0, groups=source.people)
    train, test = (set(source.people[items]) for items in parts.values())
    assert not train & test and len(train | test) == 4


def test_people_are_unknown_without_their_table(tmp_path):
    raw = write_celeba(tmp_path / "raw", with_people=False)
    assert open_set("celeba", raw, tmp_path / "work", size=16).people is None


def test_photograph_in_the_wild_is_named(tmp_path):
    raw = write_celeba(tmp_path / "raw")
    Image.fromarray(np.zeros((300, 400, 3), np.uint8)).save(raw / "img_align_celeba/000003.jpg")
    with pytest.raises(
        InputError,
        match=r"'.*/000003.jpg': expected an aligned photograph of 218 x 178 .*, got 300 x 400",
    ):
        open_set("celeba", raw, tmp_path / "work", size=16)


def test_damaged_file_stops_the_build_and_leaves_no_set(tmp_path):
    raw = write_celeba(tmp_path / "raw")
    (raw / "img_align_celeba/000003.jpg").write_bytes(b"nothing")
    with pytest.raises(
        InputError,
        match=r"000003.jpg' cannot be used \(cannot be decoded\): download it again from http",
    ):
        open_set("celeba", raw, tmp_path / "work", size=16)
    with pytest.raises(InputError, match="which does not exist: give the folder to build it from"):
        open_set("celeba", None, tmp_path / "work", size=16)


@pytest.mark.parametrize("attribute", ["Smile", "smiling"])
def test_unknown_attribute_lists_the_known_ones(tmp_path, attribute):
    with pytest.raises(
        InputError,
        match=f"attribute: expected one of '5_o_.*'Smiling', .*'Young', got '{attribute}'",
    ):
        CelebA(None, tmp_path, attribute=attribute)
    assert "Smiling" in ATTRIBUTES
