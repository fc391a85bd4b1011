import pytest
from fundus_layouts import MESSIDOR_COLUMNS, touch, write_messidor

from cfx_jax.data.sets import FundusRecord, read_messidor
from cfx_jax.errors import InputError

BASES = {
    "Base11": {"20051019_38557_0100_PP.tif": 3, "20051020_43808_0100_PP.tif": 0},
    "Base34": {"20051208_38429_0400_PP.tif": 1},
}


def test_all_bases_are_read(tmp_path):
    records = read_messidor(write_messidor(tmp_path, BASES))
    name = "20051019_38557_0100_PP"
    assert records[0] == FundusRecord(name, tmp_path / f"Base11/{name}.tif", name, grade=3)
    assert [each.grade for each in records] == [3, 0, 1]
    assert all(each.gradable is None and not each.masks for each in records)


def test_csv_tables_serve_as_well(tmp_path):
    folder = write_messidor(tmp_path, BASES)
    before = read_messidor(folder)
    (folder / "Annotation_Base34.xls").unlink()
    table = ",".join(MESSIDOR_COLUMNS) + "\n20051208_38429_0400_PP.tif,LaTIM - CHU de BREST,1,0\n"
    (folder / "Base34/Annotation Base34.csv").write_text(table, encoding="utf-8-sig")
    assert read_messidor(folder) == before


def test_authors_update_goes_before_the_first_table(tmp_path):
    folder = write_messidor(tmp_path, BASES)
    write_messidor(folder, {"Base11": {"20051020_43808_0100_PP.tif": 2}}, suffix="_update20161024")
    assert [each.grade for each in read_messidor(folder)] == [3, 2, 1]


def test_all_photographs_in_one_folder(tmp_path):
    folder = write_messidor(tmp_path, BASES)
    for path in list(folder.rglob("*.tif")):
        path.rename(folder / path.name)
    assert [each.image.parent for each in read_messidor(folder)] == [folder] * 3


def test_folder_without_the_set_names_what_is_expected_and_the_page(tmp_path):
    with pytest.raises(
        InputError,
        match=r"Annotation_Base11.xls to .* found none: download .* https://www.adcis.net/en",
    ):
        read_messidor(tmp_path)


def test_base_without_photographs_is_refused(tmp_path):
    folder = write_messidor(tmp_path, BASES)
    (folder / "Base34/20051208_38429_0400_PP.tif").unlink()
    with pytest.raises(
        InputError,
        match=r"expected 3 photographs, 1 are missing, the first is '.*20051208_38429_0400_PP.tif",
    ):
        read_messidor(folder)


def test_base_without_a_table_is_refused(tmp_path):
    folder = write_messidor(tmp_path, BASES)
    (folder / "Annotation_Base11.xls").unlink()
    with pytest.raises(
        InputError,
        match=r"a grade for each image, 2 have none, the first is '.*20051019_38557_0100_PP",
    ):
        read_messidor(folder)


def test_photograph_in_two_folders_is_refused(tmp_path):
    folder = write_messidor(tmp_path, BASES)
    touch(folder / "copy/20051020_43808_0100_PP.tif")
    with pytest.raises(
        InputError, match=r"each image once, got '.*Base11/2005.*' and '.*copy/2005.*': remove one"
    ):
        read_messidor(folder)


def test_grade_outside_the_scale_is_refused(tmp_path):
    with pytest.raises(
        InputError,
        match=r"expected Retinopathy grade to be in 0..3, got '4.0' in the row a.tif,CHU",
    ):
        read_messidor(write_messidor(tmp_path, {"Base12": {"a.tif": 4}}))


def test_macos_files_beside_the_photographs_do_not_count(tmp_path):
    folder = write_messidor(tmp_path, BASES)
    touch(folder / "__MACOSX/Base34/._20051208_38429_0400_PP.tif")
    assert len(read_messidor(folder)) == 3
