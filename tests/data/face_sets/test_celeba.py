import numpy as np
import pytest
from face_layouts import FACES, write_celeba

from cfx_jax.data.face_sets import FaceRecord, crop_face, read_celeba
from cfx_jax.data.face_sets.celeba import ATTRIBUTES, digest
from cfx_jax.errors import InputError


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
