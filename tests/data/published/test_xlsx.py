import zipfile

import pytest
from ct_layouts import write_xlsx

from cfx_jax.data.published.tables import read_rows
from cfx_jax.data.published.xlsx import cells_of_xlsx
from cfx_jax.errors import InputError

MAIN = 'xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"'


def with_sheet(path, cells, shared=None):
    """A file whose only row has the given cells."""
    write_xlsx(path, [])
    content = {name: zipfile.ZipFile(path).read(name) for name in zipfile.ZipFile(path).namelist()}
    content["xl/worksheets/sheet1.xml"] = f"<worksheet {MAIN}><sheetData><row>{cells}</row></sheetData></worksheet>"
    if shared is not None:
        content["xl/sharedStrings.xml"] = f"<sst {MAIN}>{shared}</sst>"
    with zipfile.ZipFile(path, "w") as archive:
        for name, text in content.items():
            archive.writestr(name, text)
    return path


def test_rows_come_as_text_with_empty_cells_where_the_file_has_none(tmp_path):
    write_xlsx(tmp_path / "a.xlsx", [("study", "", "mask <é>"), ("", "b", "")])
    assert cells_of_xlsx(tmp_path / "a.xlsx") == [["study", "", "mask <é>"], ["", "b"]]


def test_numbers_formulas_and_texts_of_all_kinds(tmp_path):
    cells = (
        '<c r="A1"><v>2.5</v></c><c r="B1" t="str"><f>A1</f><v>two</v></c><c r="C1" t="inlineStr"><is><t>x y</t></is></c>'
        '<c t="s"><v>0</v></c><c r="AB1" t="n"><v>7</v></c>'
    )
    shared = "<si><r><t>bold</t></r><r><t xml:space='preserve'> plain</t></r><rPh><t>hint</t></rPh></si>"
    (row,) = cells_of_xlsx(with_sheet(tmp_path / "a.xlsx", cells, shared))
    assert row[:4] == ["2.5", "two", "x y", "bold plain"] and row[27] == "7" and not any(row[4:27])


def test_tables_are_read_from_it(tmp_path):
    write_xlsx(tmp_path / "a.xlsx", [("image ", "level"), ("b", "2"), ("", ""), ("c", "")])
    rows = list(read_rows(tmp_path / "a.xlsx", ("image", "level"), page="https://page"))
    assert rows == [{"image": "b", "level": "2"}, {"image": "c", "level": ""}]


@pytest.mark.parametrize(
    ("cells", "reason"),
    [
        ("<c t='s'><v>4</v></c>", "list index out of range"),
        ("<c>", "mismatched tag"),
        ("<c t='s'><v>one</v></c>", "invalid literal"),
    ],
)
def test_damaged_sheets_are_explained(tmp_path, cells, reason):
    with pytest.raises(
        InputError, match=rf"a.xlsx' cannot be read \(.*{reason}.*\): download it again, or save it as a csv"
    ):
        cells_of_xlsx(with_sheet(tmp_path / "a.xlsx", cells))


def test_other_files_are_explained(tmp_path):
    (tmp_path / "a.xlsx").write_bytes(b"not excel")
    with zipfile.ZipFile(tmp_path / "b.xlsx", "w") as archive:
        archive.writestr("any", "")
    with zipfile.ZipFile(tmp_path / "c.xlsx", "w") as archive:
        archive.writestr("xl/workbook.xml", f"<workbook {MAIN}/>")
        archive.writestr("xl/_rels/workbook.xml.rels", "<Relationships/>")
    for name, reason in (("a", "File is not a zip file"), ("b", "xl/workbook.xml"), ("c", "it has no sheet")):
        with pytest.raises(InputError, match=rf"{name}.xlsx' cannot be read \(.*{reason}.*\): download it again"):
            cells_of_xlsx(tmp_path / f"{name}.xlsx")
