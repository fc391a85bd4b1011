import io
import zipfile

import numpy as np
import openpyxl
import pytest
import xlwt
from ct_layouts import write_xlsx

from cfx_jax.data.sets.stored import tables
from cfx_jax.data.sets.stored.tables import read_rows, whole_number
from cfx_jax.errors import InputError


def rows(table):
    return list(read_rows(table, ("image", "level"), page="https://page"))


MAIN = 'xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"'
SHARED = "xl/sharedStrings.xml"
SHARED_TYPE = (
    f'<Override PartName="/{SHARED}"'
    ' ContentType="application/vnd.openxmlformats-officedocument.spreadsheetml.sharedStrings+xml"/>'
)


def with_parts(path, parts):
    """An Excel file with parts as given, by name."""
    write_xlsx(path, [("image", "level")])
    with zipfile.ZipFile(path) as archive:
        content = {name: archive.read(name).decode() for name in archive.namelist()}
    types = content["[Content_Types].xml"].replace("</Types>", f"{SHARED_TYPE}</Types>")
    with zipfile.ZipFile(path, "w") as archive:
        for name, text in {
            **content,
            "[Content_Types].xml": types,
            SHARED: f"<sst {MAIN}/>",
            **parts,
        }.items():
            archive.writestr(name, text)
    return path


def with_sheet(path, rows, *, head="", texts=""):
    """An Excel file whose sheet and shared texts are given in XML."""
    sheet = f"<worksheet {MAIN}>{head}<sheetData>{rows}</sheetData></worksheet>"
    return with_parts(
        path, {"xl/worksheets/sheet1.xml": sheet, SHARED: f"<sst {MAIN}>{texts}</sst>"}
    )


def test_csv_xls_and_xlsx_give_the_same_text(tmp_path):
    (tmp_path / "a.csv").write_text("image ,level,more\n é ,2,\n\n,,\nb,0\n", encoding="utf-8-sig")
    book = xlwt.Workbook()
    sheet = book.add_sheet("any")
    for place, value in {
        (0, 0): "image",
        (0, 1): "level ",
        (0, 2): "more",
        (1, 0): "é",
        (1, 1): "2",
        (3, 0): "b",
        (3, 1): "0",
    }.items():
        sheet.write(*place, value)
    book.save(str(tmp_path / "a.xls"))
    expected = [{"image": "é", "level": "2", "more": ""}, {"image": "b", "level": "0", "more": ""}]
    write_xlsx(tmp_path / "a.xlsx", [("image", "level ", "more"), ("é", "2", ""), (), ("b", "0")])
    assert (
        rows(tmp_path / "a.csv")
        == rows(tmp_path / "a.xls")
        == rows(tmp_path / "a.xlsx")
        == expected
    )


def test_numbers_formulas_and_texts_of_all_kinds_come_from_an_xlsx_file_as_text(tmp_path):
    """Written by hand, as Excel writes them: shared texts with formats and a phonetic hint, results
    beside formulas.
    """
    cells = (
        '<row r="1"><c r="A1" t="s"><v>0</v></c><c r="B1"'
        ' t="inlineStr"><is><t>level</t></is></c></row>'
        '<row r="2"><c r="A2"><v>2.5</v></c><c r="B2" t="str"><f>A2</f><v>two</v></c></row>'
        '<row r="3"><c r="B3" t="n"><v>7</v></c></row>'
    )
    texts = (
        "<si><r><t>ima</t></r><r><t xml:space='preserve'>ge </t></r><rPh sb='0'"
        " eb='1'><t>hint</t></rPh></si>"
    )
    file = with_sheet(tmp_path / "a.xlsx", cells, head='<dimension ref="A1"/>', texts=texts)
    assert rows(file) == [{"image": "2.5", "level": "two"}, {"image": "", "level": "7"}]


def test_the_first_sheet_of_an_xlsx_file_is_read(tmp_path):
    book = openpyxl.Workbook()
    book.active.append(["image", "level"])
    book.active.append(["a", 1])
    book.create_sheet("other").append(["other"])
    book.active = 1
    book.save(tmp_path / "a.xlsx")
    assert rows(tmp_path / "a.xlsx") == [{"image": "a", "level": "1"}]


def test_damaged_xlsx_files_are_explained(tmp_path):
    no_sheets = f"<workbook {MAIN}><sheets/></workbook>"
    files = {
        "mismatched tag": with_sheet(tmp_path / "a.xlsx", "<row><c></row>"),
        "list index out of range": with_sheet(
            tmp_path / "b.xlsx", '<row><c r="A1" t="s"><v>4</v></c></row>'
        ),
        "invalid literal": with_sheet(
            tmp_path / "c.xlsx", '<row><c r="A1" t="s"><v>one</v></c></row>'
        ),
        "no sheet": with_parts(tmp_path / "d.xlsx", {"xl/workbook.xml": no_sheets}),
        "not a zip file": tmp_path / "e.xlsx",
        "no item named": tmp_path / "f.xlsx",
    }
    files["not a zip file"].write_bytes(b"not excel")
    with zipfile.ZipFile(files["no item named"], "w") as archive:
        archive.writestr("any", "")
    for reason, file in files.items():
        with pytest.raises(
            InputError,
            match=rf"{file.name}' cannot be read \(.*{reason}.*\): download it again, or save",
        ):
            rows(file)


@pytest.mark.parametrize(("text", "value"), [("0", 0), ("3", 3), ("3.0", 3)])
def test_whole_numbers(tmp_path, text, value):
    assert whole_number({"image": "a", "level": text}, "level", highest=3, table=tmp_path) == value


@pytest.mark.parametrize("text", ["4", "-1", "2.5", "", "nan", "two"])
def test_other_values_are_refused(tmp_path, text):
    with pytest.raises(
        InputError,
        match=rf"expected level to be in 0..3, got '{text}' in the row a,{text}: correct",
    ):
        whole_number({"image": "a", "level": text}, "level", highest=3, table=tmp_path)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.csv", None, "a.csv', which does not exist: download them from https://page"),
        ("a.csv", b"", "expected the columns image, level, got : download it from https://page"),
        ("a.csv", b"image,grade\n", "expected the columns image, level, got image, grade"),
        ("a.csv", b"image,level\n\xff,0\n", "is no csv file in UTF-8 .*: save it as one"),
        (
            "a.xls",
            b"not excel",
            r"a.xls' cannot be read \(.*\): download it again, or save it as a csv file",
        ),
    ],
)
def test_unusable_tables_are_explained(tmp_path, name, content, message):
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError, match=message):
        rows(tmp_path / name)


def an_xls():
    book, stream = xlwt.Workbook(), io.BytesIO()
    sheet = book.add_sheet("any")
    for row, values in enumerate(
        [("image", "level"), *((f"photograph {row}", row % 4) for row in range(40))]
    ):
        for column, value in enumerate(values):
            sheet.write(row, column, value)
    book.save(stream)
    return stream.getvalue()


def test_damaged_xls_files_are_explained_whatever_the_library_raises(tmp_path, capfd):
    content, rng, refused = an_xls(), np.random.default_rng(7), 0
    for _ in range(60):
        changed = bytearray(content)
        for place in rng.integers(0, len(content), 12):
            changed[place] = rng.integers(256)
        (tmp_path / "a.xls").write_bytes(changed)
        try:
            rows(tmp_path / "a.xls")
        except InputError as error:
            assert "a.xls'" in str(error) and "\n" not in str(error)
            refused += 1
    assert refused > 20
    assert not capfd.readouterr().out


@pytest.mark.parametrize(
    "kind", [MemoryError, OverflowError, IndexError, AssertionError, KeyError, RecursionError]
)
def test_any_failure_of_a_library_is_damage(tmp_path, monkeypatch, kind):
    def fails(*_, **__):
        raise kind("inside")

    (tmp_path / "a.xls").write_bytes(an_xls())
    write_xlsx(tmp_path / "a.xlsx", [("image", "level")])
    monkeypatch.setattr("xlrd.open_workbook", fails)
    monkeypatch.setattr("openpyxl.load_workbook", fails)
    for name in ("a.xls", "a.xlsx"):
        with pytest.raises(
            InputError,
            match=rf"{name}' cannot be read \(.*inside.*\): download it again, or save it",
        ):
            rows(tmp_path / name)


def test_tables_larger_than_any_are_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(tables, "_MOST_ROWS", 1000)
    row = '<row r="{0}"><c r="A{0}"><v>1</v></c></row>'
    far = with_sheet(tmp_path / "far.xlsx", row.format(1) + row.format(2_000_000_000))
    (tmp_path / "long.csv").write_text("image,level\n" + "a,1\n" * 1000)
    for table in (far, tmp_path / "long.csv"):
        message = rf"{table.name}': expected at most 1,000 rows and .* got more: is it the table of"
        with pytest.raises(InputError, match=message):
            rows(table)
    monkeypatch.setenv("CFX_UNPACK_LIMIT_MIB", "1")
    for name, content in (("a.csv", bytes(2**20 + 1)), ("a.xls", bytes(2**20 + 1))):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(
            InputError, match=rf"{name}' unpacks to 1 MiB, more than the 1 MiB that"
        ):
            rows(tmp_path / name)
    with pytest.raises(InputError, match=r"wide.xlsx' unpacks to 2 MiB, more than the 1 MiB"):
        rows(with_sheet(tmp_path / "wide.xlsx", " " * 2**21))
