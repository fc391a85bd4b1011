import numpy as np
import pytest
from chexpert_layouts import TRAIN, VALID, radiograph_pixels, write_chexpert
from set_layouts import SIZE, open_set

from cfx_jax.data import labels_of, split
from cfx_jax.data.sets import CheXpert, CheXpertRecord, read_chexpert
from cfx_jax.data.sets.chexpert import FINDINGS
from cfx_jax.data.sets.stored.spec import digest
from cfx_jax.errors import InputError


def test_both_parts_with_all_views(tmp_path):
    records = read_chexpert(write_chexpert(tmp_path))
    paths = [*(f"train/{path}" for path in TRAIN), *(f"valid/{path}" for path in VALID)]
    assert [f"{each.name}.jpg" for each in records] == paths
    assert [each.frontal for each in records] == [True, True, True, False, True, True]
    assert [each.patient for each in records] == [path.split("/")[1] for path in paths]
    name = "train/patient00002/study2/view1_frontal"
    expected = CheXpertRecord(
        name, tmp_path / f"{name}.jpg", "patient00002", "train", True, "--?--?------1-"
    )
    assert records[1] == expected and records[5].findings == "00100000000000"


def test_folder_may_have_another_name_than_the_published_one(tmp_path):
    full = read_chexpert(write_chexpert(tmp_path / "full", published="CheXpert-v1.0"))
    assert digest(full) == digest(read_chexpert(write_chexpert(tmp_path / "small")))


def test_validation_part_may_be_left_out_but_not_half_of_it(tmp_path):
    assert len(read_chexpert(write_chexpert(tmp_path, valid=None))) == len(TRAIN)
    (tmp_path / "valid").mkdir()
    with pytest.raises(
        InputError, match=r"valid.csv', which does not exist: download them from https://stanfordml"
    ):
        read_chexpert(tmp_path)


def test_digest_changes_with_each_fact_but_not_with_the_place(tmp_path):
    record = CheXpertRecord("a", tmp_path, "p", "train", True, "1" * 14)
    others = [
        record._replace(**change)
        for change in ({"name": "b"}, {"frontal": False}, {"findings": "0" * 14})
    ]
    assert len({digest([each]) for each in [record, *others]}) == 4
    assert digest([record]) == digest([record._replace(image=tmp_path / "x")])


def test_folder_without_the_set_names_what_is_expected_and_the_page(tmp_path):
    with pytest.raises(
        InputError, match=r"train.csv', which does not exist: .* from https://stanfordmlgroup"
    ):
        read_chexpert(tmp_path)


def test_missing_radiographs_are_counted(tmp_path):
    folder = write_chexpert(tmp_path)
    (folder / "train/patient00003/study1/view1_frontal.jpg").unlink()
    with pytest.raises(
        InputError,
        match=r"expected 6 radiographs, 1 are missing, the first is '.*00003/study1/view1_f",
    ):
        read_chexpert(folder)


@pytest.mark.parametrize(
    ("before", "after", "message"),
    [
        (
            "small/train/patient00003",
            "small/patient00003",
            "expected a Path like 'CheXpert-v1.0/train/.*, got 'CheXpert-v1",
        ),
        (
            "small/train/patient00003",
            "small/valid/patient00003",
            "expected a Path like 'CheXpert-v1.0/train/",
        ),
        (
            "Frontal,AP,1.0",
            "Above,AP,1.0",
            "expected Frontal/Lateral to be one of Frontal, Lateral, got 'Above' for 'CheX",
        ),
        (
            "AP,1.0",
            "AP,0.5",
            "expected No Finding to be one of 1.0, 0.0, -1.0, nothing, got '0.5' for 'CheXpert",
        ),
        (
            "Pleural Other",
            "Pleural",
            "expected the columns Path, Frontal/Lateral, No Finding, .* got Path, Sex, Age",
        ),
        (
            "patient00003",
            "patient00001",
            "expected each radiograph once, got 'train/patient00001/study1/view1_frontal' tw",
        ),
    ],
)
def test_rows_that_cannot_be_understood_are_refused(tmp_path, before, after, message):
    table = write_chexpert(tmp_path) / "train.csv"
    table.write_text(table.read_text().replace(before, after))
    with pytest.raises(InputError, match=message):
        read_chexpert(tmp_path)


def test_items_are_as_described(opened):
    source = opened("chexpert")
    assert (
        source.class_names == ("no cardiomegaly", "cardiomegaly")
        and source.finding_names == FINDINGS
    )
    for index in range(len(source)):
        item = source[index]
        assert item["image"].shape == (SIZE, SIZE, 1) and item["image"].dtype == np.float32
        assert 0 <= item["image"].min() < item["image"].max() <= 1
        assert (
            item["label"]
            == source.labels[index]
            == item["findings"][FINDINGS.index("Cardiomegaly")]
        )
        assert (item["patient"], item["name"]) == (source.patients[index], source.names[index])
    np.testing.assert_array_equal(labels_of(source), source.labels)


def test_picture_is_the_file_averaged_over_areas(folders):
    raw, work = folders("chexpert")
    source = open_set("chexpert", raw, work, size=32, views="all", uncertain="zeros")
    for index, path in enumerate(TRAIN):
        areas = radiograph_pixels(path).reshape(32, 2, 32, 3).mean((1, 3)) / 255
        np.testing.assert_allclose(source[index]["image"][..., 0], areas, atol=0.04)  # JPEG


@pytest.mark.parametrize(
    ("options", "labels"),
    [
        ({}, [0, 1, 0, 1]),
        ({"uncertain": "zeros"}, [0, 0, 1, 0, 1]),
        ({"uncertain": "ones"}, [0, 1, 1, 0, 1]),
        ({"views": "all"}, [0, 1, 1, 0, 1]),
        ({"finding": "Support Devices"}, [1, 0, 0, 0, 0]),
    ],
)
def test_uncertain_findings_and_lateral_views_are_taken_as_asked(opened, options, labels):
    source = opened("chexpert", **options)
    assert source.labels.tolist() == labels and len(source) + source.left_out == 6


def test_findings_are_numbers_and_uncertain_ones_follow_the_reading(opened):
    edema = FINDINGS.index("Edema")
    for reading, value in (("ignore", -1), ("zeros", 0), ("ones", 1)):
        findings = opened("chexpert", uncertain=reading).findings
        assert findings.shape[1] == 14 and findings.dtype == np.int64
        assert (
            set(findings[:, edema]) == {0, value}
            and not (np.delete(findings, [edema, 2], 1) == -1).any()
        )


def test_patients_stay_in_one_part(opened):
    source = opened("chexpert", uncertain="zeros")
    parts = split(source.labels, {"train": 0.6, "test": 0.4}, seed=0, groups=source.patients)
    train, test = (set(source.patients[items]) for items in parts.values())
    assert not train & test and len(train | test) == 4
    assert source.parts.tolist() == ["train"] * 4 + ["valid"]


def test_options_give_other_identities(opened):
    options = ({}, {"uncertain": "ones"}, {"views": "all"}, {"finding": "Edema"})
    assert (
        len({opened("chexpert", **each).identity for each in options}) == 4
        and opened("chexpert").identity == opened("chexpert").identity
    )


def test_damaged_file_stops_the_build(tmp_path):
    raw = write_chexpert(tmp_path / "raw")
    (raw / "train/patient00001/study1/view1_frontal.jpg").write_bytes(b"nothing")
    with pytest.raises(
        InputError,
        match=r"view1_frontal.jpg' cannot be used \(cannot be decoded\): download it again",
    ):
        open_set("chexpert", raw, tmp_path / "work", size=16)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"finding": "Flu"},
            "finding: expected one of 'No Finding', .*'Support Devices', got 'Flu'",
        ),
        ({"uncertain": "ask"}, "uncertain: expected one of 'zeros', 'ones', 'ignore', got 'ask'"),
        ({"views": "lateral"}, "views: expected one of 'frontal', 'all', got 'lateral'"),
        ({"size": 0}, "size: expected a side in pixels, 1 or more, got 0"),
    ],
)
def test_wrong_options_are_explained(tmp_path, options, message):
    with pytest.raises(InputError, match=message):
        CheXpert(None, tmp_path, **options)


def test_set_without_any_such_radiograph_is_refused(tmp_path):
    lateral = {"patient00001/study1/view1_lateral.jpg": {"Cardiomegaly": "1.0"}}
    raw = write_chexpert(tmp_path / "raw", lateral, None)
    with pytest.raises(
        InputError, match=r"for which 'Cardiomegaly' is known, none of 1 is of such a kind: choose"
    ):
        open_set("chexpert", raw, tmp_path / "work", size=16)
