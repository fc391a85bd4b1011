import pytest
import xlwt

from cfx_jax.data.published.tables import read_rows, whole_number
from cfx_jax.errors import InputError


def rows(table):
    return list(read_rows(table, ("image", "level"), page="https://page"))


def test_csv_and_xls_give_the_same_text(tmp_path):
    (tmp_path / "a.csv").write_text("image ,level,more\n é ,2,\n\n,,\nb,0\n", encoding="utf-8-sig")
    book = xlwt.Workbook()
    sheet = book.add_sheet("any")
    for place, value in {(0, 0): "image", (0, 1): "level ", (0, 2): "more", (1, 0): "é", (1, 1): "2", (3, 0): "b",
                         (3, 1): "0"}.items():  # fmt: skip
        sheet.write(*place, value)
    book.save(str(tmp_path / "a.xls"))
    expected = [{"image": "é", "level": "2", "more": ""}, {"image": "b", "level": "0", "more": ""}]
    assert rows(tmp_path / "a.csv") == rows(tmp_path / "a.xls") == expected


@pytest.mark.parametrize(("text", "value"), [("0", 0), ("3", 3), ("3.0", 3)])
def test_whole_numbers(tmp_path, text, value):
    assert whole_number({"image": "a", "level": text}, "level", highest=3, table=tmp_path) == value


@pytest.mark.parametrize("text", ["4", "-1", "2.5", "", "nan", "two"])
def test_other_values_are_refused(tmp_path, text):
    with pytest.raises(InputError, match=rf"expected level to be in 0..3, got '{text}' in the row a,{text}: correct"):
        whole_number({"image": "a", "level": text}, "level", highest=3, table=tmp_path)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.csv", None, "a.csv', which does not exist: download them from https://page"),
        ("a.csv", b"", "expected the columns image, level, got : download it from https://page"),
        ("a.csv", b"image,grade\n", "expected the columns image, level, got image, grade"),
        ("a.csv", b"image,level\n\xff,0\n", "is no csv file in UTF-8 .*: save it as one"),
        ("a.xls", b"not excel", r"a.xls' cannot be read \(.*\): download it again, or save it as a csv file"),
    ],
)
def test_unusable_tables_are_explained(tmp_path, name, content, message):
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError, match=message):
        rows(tmp_path / name)
