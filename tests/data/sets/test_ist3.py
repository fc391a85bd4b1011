import functools
import pickle

import ct_layouts as layouts
import numpy as np
import pytest
from ct_layouts import STROKES, write_ist3, write_xlsx
from set_layouts import SHAPE

from cfx_jax.data import split
from cfx_jax.data.sets import IST3, StrokeRecord, read_ist3
from cfx_jax.data.sets.builders import BUILDERS
from cfx_jax.data.sets.ist3 import COLUMNS, TERRITORIES
from cfx_jax.data.sets.stored.spec import digest
from cfx_jax.data.worlds.ct import TERRITORIES as DRAWN
from cfx_jax.errors import InputError


def touch(path, values, affine=None):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()


def test_scans_in_the_order_of_the_table(tmp_path):
    records = read_ist3(write_ist3(tmp_path, save=touch))
    assert [each.name for each in records] == [name.removesuffix(".nii.gz") for name in STROKES]
    assert [each.side for each in records] == [0, 1, 2, 3, 0]
    assert [each.infarct_size for each in records] == [0, 2, 4, 0, 0]
    assert [each.territory for each in records] == [0, 1, 6, 0, 0]
    scan, atlas = tmp_path / "p1/followup.nii.gz", tmp_path / "p1/followup_atlas.nii.gz"
    assert records[1] == StrokeRecord("p1/followup", scan, "p1", 1, 2, 1, atlas)


def test_territories_are_numbered_as_in_the_synthetic_heads():
    assert TERRITORIES == DRAWN


def test_columns_may_have_other_names(tmp_path):
    plain = read_ist3(write_ist3(tmp_path, save=touch))
    write_ist3(tmp_path, header="scan,randpat_id,side,R_infarct_size,territory,atlas", save=touch)
    assert (
        read_ist3(tmp_path, columns={"patient": "randpat_id", "infarct_size": "R_infarct_size"})
        == plain
    )
    with pytest.raises(
        InputError,
        match="expected the columns scan, patient, side, infarct_size, territory, atlas, got sc",
    ):
        read_ist3(tmp_path)
    with pytest.raises(
        InputError, match=r"columns: expected one of 'scan', 'patient', 'side', .*, got 'size'"
    ):
        read_ist3(tmp_path, columns={"size": "R_infarct_size"})


def test_table_may_be_an_excel_file(tmp_path):
    plain = read_ist3(write_ist3(tmp_path, save=touch))
    rows = [line.split(",") for line in (tmp_path / "scans.csv").read_text().splitlines()]
    (tmp_path / "scans.csv").unlink()
    write_xlsx(tmp_path / "scans.xlsx", rows)
    assert read_ist3(tmp_path) == plain


def test_digest_changes_with_each_fact_and_file_but_not_with_the_place(tmp_path):
    for name, content in {"a": b"same", "b": b"same", "c": b"longer"}.items():
        (tmp_path / name).write_bytes(content)
    record = StrokeRecord("x", tmp_path / "a", "p", 1, 2, 1, tmp_path / "a")
    changes = (
        {"name": "y"},
        {"patient": "q"},
        {"side": 3},
        {"infarct_size": 0},
        {"territory": 2},
        {"marks": None},
        {"scan": tmp_path / "c"},
        {"marks": tmp_path / "c"},
    )
    assert (
        len(
            {
                digest([each])
                for each in [record, *(record._replace(**change) for change in changes)]
            }
        )
        == 9
    )
    assert digest([record]) == digest([record._replace(scan=tmp_path / "b")])


def test_missing_files_are_named(tmp_path):
    with pytest.raises(
        InputError, match=r"scans.csv', which does not exist: download them from https://datashare"
    ):
        read_ist3(tmp_path)
    write_ist3(tmp_path, save=touch)
    (tmp_path / "p1/followup_atlas.nii.gz").unlink()
    with pytest.raises(
        InputError,
        match=r"expected 2 atlas files, 1 are missing, the first is '.*p1/followup_atlas.nii.gz'",
    ):
        read_ist3(tmp_path)
    (tmp_path / "p2/admission.nii.gz").unlink()
    with pytest.raises(
        InputError,
        match=r"expected 5 scans, 1 are missing, the first is '.*p2/admission.nii.gz': unpack",
    ):
        read_ist3(tmp_path)


@pytest.mark.parametrize(
    ("row", "message"),
    [
        (
            "a.nii,p,middle,1,,",
            "expected side to be one of none, left, right, both, got 'middle' for 'a.nii': correct",
        ),
        (
            "a.nii,p,left,1,MCA,",
            "expected territory to be one of nothing, left MCA, .*, right PCA, got 'MCA' for"
            " 'a.nii'",
        ),
        (
            "a.nii,p,left,5,,",
            "expected infarct_size to be in 0..4, got '5' in the row a.nii,p,left,5",
        ),
        (
            "a.nii,p,left,1,right MCA,",
            "a territory on the side of the lesion, .*, got the row a.nii,p,left,1,right MCA,",
        ),
        (
            "a.nii,p,none,1,,",
            "neither that nor a size without one, got the row a.nii,p,none,1,,: correct the row",
        ),
        (
            "a.nii,p,none,0,left ACA,",
            "neither that nor a size without one, got the row a.nii,p,none,0,left ACA,",
        ),
        ("a.nii,,none,0,,", "expected a scan, a patient, .*, got the row a.nii,,none,0,,"),
        ("p1/admission.nii,q,none,0,,", "expected each scan once, got 'p1/admission' twice"),
    ],
)
def test_rows_that_cannot_be_understood_are_refused(tmp_path, row, message):
    table = write_ist3(tmp_path, save=touch) / "scans.csv"
    table.write_text(table.read_text() + row + "\n")
    with pytest.raises(InputError, match=message):
        read_ist3(tmp_path)


def test_lesions_on_both_sides_may_have_a_territory_on_either(tmp_path):
    table = write_ist3(tmp_path, scans={}, save=touch) / "scans.csv"
    (tmp_path / "a.nii").touch()
    table.write_text(",".join(COLUMNS) + "\na.nii,p,both,3,right ACA,\n")
    assert read_ist3(tmp_path)[0].territory == 5


def test_items_of_ist3_are_as_described(opened):
    source = opened("ist3")
    facts = ("label", "side", "infarct_size", "territory", "patient", "name")
    expected = [
        (0, 0, 0, 0, "p1", "p1/admission"),
        (1, 1, 2, 1, "p1", "p1/followup"),
        (1, 2, 4, 6, "p2", "p2/admission"),
        (1, 3, 0, 0, "p3", "p3/admission"),
        (0, 0, 0, 0, "p3", "p3/followup"),
    ]
    assert [tuple(item[key] for key in facts) for item in source] == expected
    assert list(source.has_atlas) == [False, True, True, False, False] and source.class_names == (
        "no lesion",
        "lesion",
    )
    for item in source:
        assert item["image"].shape == (*SHAPE, 1) and item["image"].dtype == np.float32
        assert item["image"].min() == 0 and 0.4 < item["image"].max() <= 1


def test_both_scans_of_a_patient_stay_in_one_part(opened):
    source = opened("ist3")
    parts = split(source.sides, {"train": 0.6, "test": 0.4}, seed=0, groups=source.patients)
    train, test = (set(source.patients[items]) for items in parts.values())
    assert not train & test and train | test == {"p1", "p2", "p3"}


def test_table_with_other_columns_is_read_by_their_names(tmp_path):
    header = "scan,randpat_id,side,R_infarct_size,territory,atlas"
    raw = layouts.write_ist3(tmp_path / "raw", header=header)
    columns = {"patient": "randpat_id", "infarct_size": "R_infarct_size"}
    source = IST3(raw, tmp_path / "work", shape=SHAPE, columns=columns, progress=False)
    assert list(source.patients) == ["p1", "p1", "p2", "p3", "p3"]
    changes = {"read": functools.partial(read_ist3, columns=columns)}
    made = BUILDERS["ist3_scans"](data_dir=tmp_path, size=SHAPE, changes=changes)
    records = pickle.loads(pickle.dumps(made)).read(raw)
    assert [record.patient for record in records] == list(source.patients)


def test_scans_without_air_are_read_where_that_is_said(tmp_path):
    def save(path, values, affine=layouts.AFFINE):
        layouts.save_nifti(path, values.clip(0), affine)

    raw = layouts.write_ist3(tmp_path / "raw", save=save)
    with pytest.raises(
        InputError,
        match=r"admission.nii.gz': expected Hounsfield units with air at about -1000, got none bel",
    ):
        IST3(raw, tmp_path / "work", shape=SHAPE, progress=False)
    assert len(IST3(raw, tmp_path / "work", shape=SHAPE, has_air=False, progress=False)) == 5
    for folder in (raw, None):
        with pytest.raises(
            InputError, match=r"has_air: expected False, with which '.*work' was fi"
        ):
            IST3(folder, tmp_path / "work", shape=SHAPE, progress=False)


def test_scans_that_were_stored_with_air_may_be_opened_without_a_look_for_it(tmp_path):
    raw = layouts.write_ist3(tmp_path / "raw")
    with_air, without = (
        IST3(raw, tmp_path / "work", shape=SHAPE, has_air=has_air, progress=False)
        for has_air in (True, False)
    )
    assert with_air.identity == without.identity and len(without) == 5
