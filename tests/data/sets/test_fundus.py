import re

import fundus_layouts as layouts
import numpy as np
import pytest
from set_layouts import FUNDUS, SIZE, writer_of_photographs

from cfx_jax.data import load_arrays, sets, split, training_batches
from cfx_jax.data.sets import FundusSet, label_by_grade, label_by_quality
from cfx_jax.data.sets.stored import fundus_records as photographs
from cfx_jax.errors import InputError


@pytest.mark.parametrize("name", FUNDUS)
def test_items_are_as_described(opened, name):
    source = opened(name)
    for item in source:
        image, eye = item["image"], item["eye_mask"]
        assert (
            image.shape == (SIZE, SIZE, 3)
            and image.dtype == np.float32
            and 0 <= image.min() < image.max() <= 1
        )
        for mask in (eye, item["lesion_mask"]):
            assert mask.shape == (SIZE, SIZE) and mask.dtype == bool
        assert (
            0.5 < eye.mean() < 0.9
            and not image[~eye].any()
            and not (item["lesion_mask"] & ~eye).any()
        )
        assert isinstance(item["grade"], int) and isinstance(item["gradable"], int)


@pytest.mark.parametrize("name", FUNDUS)
def test_facts_are_those_of_the_reader_in_its_order(folders, opened, name):
    records = getattr(sets, f"read_{name}")(folders(name)[0])
    source = opened(name)
    kept = [record for record in records if record.name not in source.dropped]
    assert len(source) == len(kept) and len(source) + len(source.dropped) == len(records)
    unknown = {None: -1}
    for index, record in enumerate(kept):
        facts = (record.name, record.patient, unknown.get(record.grade, record.grade))
        facts += (unknown.get(record.gradable, record.gradable),)
        item = source[index]
        assert tuple(item[key] for key in ("name", "patient", "grade", "gradable")) == facts
        columns = (source.names, source.patients, source.grades, source.gradables)
        assert tuple(column[index] for column in columns) == facts


def test_unusable_photographs_are_counted_and_named(opened):
    source = opened("kaggle")
    assert list(source.dropped) == ["13_left"] and source.dropped["13_left"]
    assert "13_left" not in source.names and len(source) == 5


def test_lesion_mask_is_the_union_of_the_kinds(opened):
    masks = [item["lesion_mask"] for item in opened("idrid")]
    halves = [(mask[:, : SIZE // 2].any(), mask[:, SIZE // 2 :].any()) for mask in masks]
    assert halves == [(True, True), (True, False), (False, False), (True, True), (True, True)]
    assert not any(item["lesion_mask"].any() for item in opened("deepdrid"))


def test_stopped_build_goes_on(folders, tmp_path, monkeypatch):
    raw, _ = folders("kaggle")
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(photographs, "png", lambda mask: (_ for _ in ()).throw(KeyboardInterrupt))
        FundusSet("kaggle", raw, tmp_path, size=SIZE, progress=False)
    with pytest.raises(InputError, match="which does not exist: give the folder to build it from"):
        FundusSet("kaggle", None, tmp_path, size=SIZE)
    images = sorted((tmp_path / "48px/prepared/kaggle_dr/images").iterdir())
    written = [path.stat().st_mtime_ns for path in images]
    assert len(FundusSet("kaggle", raw, tmp_path, size=SIZE, progress=False)) == len(images) == 5
    assert [path.stat().st_mtime_ns for path in images] == written


def test_set_without_any_usable_photograph_is_explained(tmp_path):
    raw = layouts.write_messidor(
        tmp_path / "raw", {"Base11": {"a.tif": 0}}, writer_of_photographs(black=("a",))
    )
    with pytest.raises(
        InputError,
        match=r"none of the 1 photographs can be used, the first, 'a', because: .*: check",
    ):
        FundusSet("messidor", raw, tmp_path / "work", size=SIZE, progress=False)


def test_wrong_arguments_are_explained(tmp_path):
    with pytest.raises(
        InputError,
        match="name: expected one of 'kaggle', 'messidor', 'idrid', 'deepdrid', got 'eyes'",
    ):
        FundusSet("eyes", tmp_path, tmp_path)
    with pytest.raises(
        InputError, match=r"size: expected a side in pixels, 1 or more, got 0: give e.g. 224"
    ):
        FundusSet("idrid", tmp_path, tmp_path, size=0)
    with pytest.raises(InputError, match=r"trainLabels.csv', which does not exist"):
        FundusSet("kaggle", tmp_path / "nowhere", tmp_path)
    with pytest.raises(
        InputError,
        match=r"raw_folder: expected the set in '.*224px.idrid.1.0.0', which does not exist",
    ):
        FundusSet("idrid", None, tmp_path)
    assert not list(tmp_path.iterdir())


def test_grades_become_two_classes(opened):
    source = label_by_grade(opened("kaggle"))
    assert source.class_names == ("healthy", "DR") and len(source) == 5
    np.testing.assert_array_equal(source.labels, [0, 1, 0, 1, 1])
    item = source[1]
    assert item["label"] == 1 and item["name"] == "10_right" and item["grade"] == 2
    assert list(source.patients) == ["10", "10", "13", "15", "15"]


def test_mild_grade_is_left_out_unless_wanted(opened):
    fundus = opened("deepdrid")  # grades 3 4 1 1 0 2
    np.testing.assert_array_equal(label_by_grade(fundus).indices, [0, 1, 4, 5])
    np.testing.assert_array_equal(label_by_grade(fundus, drop=()).labels, [1, 1, 1, 1, 0, 1])
    np.testing.assert_array_equal(
        label_by_grade(fundus, drop=(1, 2), keep=fundus.gradables == 0).indices, [0, 1]
    )


def test_items_without_a_grade_are_left_out(opened):
    source = label_by_grade(opened("idrid"))
    assert [item["name"] for item in map(source.__getitem__, range(4))] == [
        "IDRiD_01",
        "IDRiD_02",
        "IDRiD_04",
        "IDRiD_55",
    ]
    assert source.labels.all()


def test_quality_becomes_two_classes(opened):
    source = label_by_quality(opened("deepdrid"))
    assert source.class_names == ("ungradable", "gradable")
    np.testing.assert_array_equal(source.labels, [0, 0, 0, 0, 1, 1])
    assert [item["label"] for item in map(source.__getitem__, range(6))] == [0, 0, 0, 0, 1, 1]


def test_views_without_items_are_explained(opened):
    with pytest.raises(
        InputError,
        match="items of the set 'messidor' with a wanted grade, none of 2 has one: choose",
    ):
        label_by_grade(opened("messidor"), drop=(0, 3))
    with pytest.raises(
        InputError,
        match="of the set 'kaggle' with a wanted assessment of quality, none of 5 has one",
    ):
        label_by_quality(opened("kaggle"))
    for keep in (np.ones(4, bool), np.ones(5, int)):
        message = re.escape(
            f"a bool for each of the 5 items, got shape {keep.shape} of {keep.dtype}"
        )
        with pytest.raises(InputError, match=message):
            label_by_grade(opened("kaggle"), keep=keep)


def test_views_feed_the_pipeline(opened):
    source = label_by_grade(opened("kaggle"))
    batch = next(training_batches(source, np.arange(5), batch_size=4, seed=0))
    assert batch["image"].shape == (4, SIZE, SIZE, 3) and sorted(batch["label"]) == [0, 0, 1, 1]
    arrays = load_arrays(source, np.array([4, 0]), fields=("image", "name"))
    assert list(arrays["name"]) == ["15_right", "10_left"]


def test_patients_stay_in_one_part(opened):
    source = label_by_grade(opened("kaggle"))
    parts = split(source.labels, {"train": 0.6, "test": 0.4}, seed=0, groups=source.patients)
    train, test = (set(source.patients[items]) for items in parts.values())
    assert not train & test and train | test == {"10", "13", "15"}
