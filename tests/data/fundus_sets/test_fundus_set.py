import pickle
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import fundus_layouts as layouts
import numpy as np
import pytest
import tensorflow_datasets as tfds

from cfx_jax.data import fundus_sets, load_arrays, split, training_batches
from cfx_jax.data.fundus_sets import FundusSet, builder, labelled, quality_labelled
from cfx_jax.data.fundus_sets.idrid import LESIONS
from cfx_jax.errors import InputError

SIZE = 48
KAGGLE = {"10_left": 0, "10_right": 2, "13_left": 1, "13_right": 0, "15_left": 4, "15_right": 3}
READERS = {
    "kaggle": "read_kaggle",
    "messidor": "read_messidor",
    "idrid": "read_idrid",
    "deepdrid": "read_deepdrid",
}


def writer_of_photographs(black=()):
    """A function that writes another eye at each call; those named in ``black`` show none."""
    calls = iter(range(100))

    def write(path):
        number = next(calls)
        layouts.write_image(
            path, layouts.BLACK if path.stem in black else layouts.photograph(number)
        )

    return write


def write_mask(path):
    """A lesion near the eye's left rim, or its right one for exudates; coded as a palette, as
    IDRiD's are.
    """
    mask = layouts.Image.new("P", (layouts.WIDTH, layouts.HEIGHT))
    mask.putpalette([0, 0, 0, 255, 0, 0])
    left = 260 if path.stem.endswith(("EX", "SE")) else 100
    mask.paste(1, (left, 130, left + 20, 150))
    path.parent.mkdir(parents=True, exist_ok=True)
    mask.save(path)


def write_raw(name, folder):
    """A small set of photographs in its published layout."""
    folder.mkdir(parents=True)
    if name == "kaggle":
        return layouts.write_kaggle(folder, KAGGLE, write=writer_of_photographs(black=("13_left",)))
    if name == "messidor":
        return layouts.write_messidor(
            folder, {"Base11": {"a.tif": 3}, "Base12": {"b.tif": 0}}, writer_of_photographs()
        )
    if name == "idrid":
        lesions = {
            1: ("microaneurysms", "hard_exudates"),
            2: ("haemorrhages", "microaneurysms"),
            3: (),
            4: tuple(LESIONS),
        }
        lesions |= {55: tuple(LESIONS)}
        return layouts.write_idrid(folder, lesions, writer_of_photographs(), write_mask)
    return layouts.write_deepdrid(folder, write=writer_of_photographs())


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """A function: name -> (raw folder, work folder) of a set that has been built."""
    top = tmp_path_factory.mktemp("sets")

    def build(name):
        raw = top / "raw" / name
        if not raw.exists():
            FundusSet(name, write_raw(name, raw), top / "work", size=SIZE, progress=False)
        return raw, top / "work"

    return build


@pytest.fixture
def opened(folders):
    """A function: name -> the set, built before."""
    return lambda name: FundusSet(name, None, folders(name)[1], size=SIZE)


@pytest.mark.parametrize("name", READERS)
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


@pytest.mark.parametrize("name", READERS)
def test_facts_are_those_of_the_reader_in_its_order(folders, opened, name):
    records = getattr(fundus_sets, READERS[name])(folders(name)[0])
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


def test_index_counts_from_the_end_and_stops_at_it(opened):
    source = opened("messidor")
    np.testing.assert_array_equal(source[-1]["image"], source[1]["image"])
    with pytest.raises(IndexError):
        source[2]


def test_set_is_prepared_once(folders, opened, monkeypatch):
    raw, work = folders("kaggle")
    monkeypatch.setattr(builder, "prepare_files", None)
    again = FundusSet("kaggle", raw, work, size=SIZE)
    for one, other in zip(again, opened("kaggle"), strict=True):
        np.testing.assert_array_equal(one["image"], other["image"])


def test_stopped_build_goes_on(folders, tmp_path, monkeypatch):
    raw, _ = folders("kaggle")
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(builder, "png", lambda mask: (_ for _ in ()).throw(KeyboardInterrupt))
        FundusSet("kaggle", raw, tmp_path, size=SIZE, progress=False)
    with pytest.raises(InputError, match="which does not exist: give the folder to build it from"):
        FundusSet("kaggle", None, tmp_path, size=SIZE)
    images = sorted((tmp_path / "48px/prepared/kaggle_dr/images").iterdir())
    written = [path.stat().st_mtime_ns for path in images]
    assert len(FundusSet("kaggle", raw, tmp_path, size=SIZE, progress=False)) == len(images) == 5
    assert [path.stat().st_mtime_ns for path in images] == written


def test_each_size_is_a_set_of_its_own(folders):
    raw, work = folders("messidor")
    small, large = (
        FundusSet("messidor", raw, work, size=size, progress=False) for size in (32, SIZE)
    )
    assert small[0]["image"].shape == (32, 32, 3) and large[0]["image"].shape == (SIZE, SIZE, 3)
    assert small.identity != large.identity


def test_identity_is_that_of_the_contents(folders, opened, tmp_path):
    raw, _ = folders("messidor")
    assert (
        FundusSet("messidor", raw, tmp_path, size=SIZE, progress=False).identity
        == opened("messidor").identity
    )
    assert len({opened(name).identity for name in READERS}) == 4


def test_other_raw_files_are_noticed(folders, tmp_path):
    _, work = folders("kaggle")
    other = layouts.write_kaggle(tmp_path, {**KAGGLE, "10_left": 1})
    with pytest.raises(
        InputError,
        match=r"expected what '.*48px.kaggle_dr.1.0.0' was built from, but '.*' has other"
        r" photographs",
    ):
        FundusSet("kaggle", other, work, size=SIZE)


def test_set_without_any_usable_photograph_is_explained(tmp_path):
    raw = layouts.write_messidor(
        tmp_path / "raw", {"Base11": {"a.tif": 0}}, writer_of_photographs(black=("a",))
    )
    with pytest.raises(
        InputError,
        match=r"none of the 1 photographs can be used, the first, 'a', because: .*: check",
    ):
        FundusSet("messidor", raw, tmp_path / "work", size=SIZE, progress=False)


def test_work_folder_that_cannot_be_written_is_explained(folders, tmp_path):
    raw, _ = folders("messidor")
    (tmp_path / "file").touch()
    with pytest.raises(
        InputError, match=r"cannot write .*file.48px.messidor.1.0.0: .*; free space there or choose"
    ):
        FundusSet("messidor", raw, tmp_path / "file", size=SIZE, progress=False)


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


def test_pickled_copy_and_threads_read_the_same(opened):
    source = opened("deepdrid")
    expected = [item["image"] for item in source]
    copy = pickle.loads(pickle.dumps(source))
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda index: copy[index % 6]["image"], range(96)))
    for index, image in enumerate(found):
        np.testing.assert_array_equal(image, expected[index % 6])


def test_tfds_builder_serves_alone(folders, tmp_path, opened):
    raw, _ = folders("idrid")
    made = builder.IDRiD(data_dir=tmp_path, size=SIZE, progress=False)
    made.download_and_prepare(download_config=tfds.download.DownloadConfig(manual_dir=raw))
    examples = made.as_data_source("images")
    assert [each["name"].decode() for each in examples] == list(opened("idrid").names)
    np.testing.assert_array_equal(examples[0]["image"], np.round(255 * opened("idrid")[0]["image"]))


def test_grades_become_two_classes(opened):
    source = labelled(opened("kaggle"))
    assert source.class_names == ("healthy", "DR") and len(source) == 5
    np.testing.assert_array_equal(source.labels, [0, 1, 0, 1, 1])
    item = source[1]
    assert item["label"] == 1 and item["name"] == "10_right" and item["grade"] == 2
    assert list(source.patients) == ["10", "10", "13", "15", "15"]


def test_mild_grade_is_left_out_unless_wanted(opened):
    fundus = opened("deepdrid")  # grades 3 4 1 1 0 2
    np.testing.assert_array_equal(labelled(fundus).indices, [0, 1, 4, 5])
    np.testing.assert_array_equal(labelled(fundus, drop=()).labels, [1, 1, 1, 1, 0, 1])
    np.testing.assert_array_equal(
        labelled(fundus, drop=(1, 2), keep=fundus.gradables == 0).indices, [0, 1]
    )


def test_items_without_a_grade_are_left_out(opened):
    source = labelled(opened("idrid"))
    assert [item["name"] for item in map(source.__getitem__, range(4))] == [
        "IDRiD_01",
        "IDRiD_02",
        "IDRiD_04",
        "IDRiD_55",
    ]
    assert source.labels.all()


def test_quality_becomes_two_classes(opened):
    source = quality_labelled(opened("deepdrid"))
    assert source.class_names == ("ungradable", "gradable")
    np.testing.assert_array_equal(source.labels, [0, 0, 0, 0, 1, 1])
    assert [item["label"] for item in map(source.__getitem__, range(6))] == [0, 0, 0, 0, 1, 1]


def test_views_without_items_are_explained(opened):
    with pytest.raises(
        InputError,
        match="items of the set 'messidor' with a wanted grade, none of 2 has one: choose",
    ):
        labelled(opened("messidor"), drop=(0, 3))
    with pytest.raises(
        InputError,
        match="of the set 'kaggle' with a wanted assessment of quality, none of 5 has one",
    ):
        quality_labelled(opened("kaggle"))
    for keep in (np.ones(4, bool), np.ones(5, int)):
        message = re.escape(
            f"a bool for each of the 5 items, got shape {keep.shape} of {keep.dtype}"
        )
        with pytest.raises(InputError, match=message):
            labelled(opened("kaggle"), keep=keep)


def test_views_feed_the_pipeline(opened):
    source = labelled(opened("kaggle"))
    batch = next(training_batches(source, np.arange(5), batch_size=4, seed=0))
    assert batch["image"].shape == (4, SIZE, SIZE, 3) and sorted(batch["label"]) == [0, 0, 1, 1]
    arrays = load_arrays(source, np.array([4, 0]), fields=("image", "name"))
    assert list(arrays["name"]) == ["15_right", "10_left"]


def test_patients_stay_in_one_part(opened):
    source = labelled(opened("kaggle"))
    parts = split(source.labels, {"train": 0.6, "test": 0.4}, seed=0, groups=source.patients)
    train, test = (set(source.patients[items]) for items in parts.values())
    assert not train & test and train | test == {"10", "13", "15"}


def test_tensorflow_is_not_imported_where_it_is_installed(folders, tmp_path):
    """Neither to build a set nor to read it: here it is a package that cannot be imported."""
    raw, _ = folders("idrid")
    package = tmp_path / "packages" / "tensorflow"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("raise AssertionError('TensorFlow is imported')")
    program = f"""
import sys
sys.path.insert(0, {str(package.parent)!r})
from cfx_jax.data.fundus_sets import FundusSet
assert not {{"tensorflow_datasets", "cv2", "xlrd", "openpyxl"}} & set(sys.modules), "imported where it is not used"
for _ in range(2):
    fundus = FundusSet("idrid", {str(raw)!r}, {str(tmp_path)!r}, size={SIZE}, progress=False)
    print(len(fundus), fundus[0]["image"].shape)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.stdout == f"5 ({SIZE}, {SIZE}, 3)\n" * 2, done.stderr
