import pickle
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import chexpert_layouts
import ct_layouts
import face_layouts
import fundus_layouts
import numpy as np
import pytest
import radiology_layouts
from set_layouts import FUNDUS, GRADES, SHAPE, SIZE, WRITERS, open_set

from cfx_jax.data import labels_of, load_arrays, training_batches
from cfx_jax.data.sets.stored import builder
from cfx_jax.errors import InputError

LABELLED = sorted(set(WRITERS) - set(FUNDUS))
SMALL = {name: (3, 8, 8) if name in ("mosmed", "ist3") else 16 for name in WRITERS}
OTHER = {  # a set -> writes one with other facts, and what its entries are called
    "kaggle": (lambda to: fundus_layouts.write_kaggle(to, {**GRADES, "10_left": 1}), "photographs"),
    "rsna": (
        lambda to: radiology_layouts.write_rsna(
            to, {**radiology_layouts.CHEST, "00313ee0": ("Lung Opacity", [(1.0, 1.0, 9.0, 9.0)])}
        ),
        "radiographs",
    ),
    "msd": (lambda to: radiology_layouts.write_msd(to, ("BRATS_001",)), "volumes"),
    "chexpert": (lambda to: chexpert_layouts.write_chexpert(to, valid=None), "radiographs"),
    "mosmed": (
        lambda to: ct_layouts.write_mosmed(to, {**ct_layouts.MOSMED, "study_0002": (2, False)}),
        "scans",
    ),
    "celeba": (lambda to: face_layouts.write_celeba(to, with_people=False), "photographs"),
}


@pytest.mark.parametrize("name", LABELLED)
def test_items_have_images_of_the_size_and_the_labels_of_the_source(opened, name):
    source = opened(name)
    for index in range(len(source)):
        item = source[index]
        shape = item["image"].shape
        assert shape[:-1] == (SHAPE if name in ("mosmed", "ist3") else (SIZE, SIZE))
        assert shape[-1] == (3 if name == "celeba" else 1)
        assert item["image"].dtype == np.float32
        assert 0 <= item["image"].min() < item["image"].max() <= 1
        assert isinstance(item["label"], int) and item["label"] == source.labels[index]
        for mask in (value for kind, value in item.items() if kind.endswith("_mask")):
            assert mask.shape == shape[:-1] and mask.dtype == bool
        for kind, known in (("patient", "patients"), ("name", "names")):
            assert kind not in item or item[kind] == getattr(source, known)[index]
    np.testing.assert_array_equal(labels_of(source), source.labels)
    assert source.labels.dtype == np.int64 and len(source.class_names) == 2


@pytest.mark.parametrize("name", WRITERS)
def test_index_counts_from_the_end_and_stops_at_it(opened, name):
    source = opened(name)
    last = source[len(source) - 1]
    for key, value in source[-1].items():
        np.testing.assert_array_equal(value, last[key])
    with pytest.raises(IndexError):
        source[len(source)]


@pytest.mark.parametrize("name", WRITERS)
def test_pickled_copy_and_threads_read_the_same(opened, name):
    source = opened(name)
    number = min(4, len(source))
    expected = [source[index]["image"] for index in range(number)]
    copy = pickle.loads(pickle.dumps(source))
    with ThreadPoolExecutor(8) as pool:
        images = pool.map(lambda index: copy[index % number]["image"], range(32))
        for index, image in enumerate(images):
            np.testing.assert_array_equal(image, expected[index % number])


@pytest.mark.parametrize("name", ["rsna", "msd", "chexpert", "celeba"])
def test_sets_feed_the_pipeline(opened, name):
    source = opened(name)
    items = [np.flatnonzero(source.labels == label)[:2] for label in (0, 1)]
    batch = next(training_batches(source, np.concatenate(items), batch_size=4, seed=0))
    assert batch["image"].shape[:3] == (4, SIZE, SIZE) and sorted(batch["label"]) == [0, 0, 1, 1]
    assert load_arrays(source, np.array([2, 0]))["image"].shape[:3] == (2, SIZE, SIZE)


@pytest.mark.parametrize("name", WRITERS)
def test_set_is_prepared_once_and_each_size_is_its_own(folders, opened, name, monkeypatch):
    raw, work = folders(name)
    small = open_set(name, raw, work, size=SMALL[name])
    assert small[0]["image"].shape[0] == (SMALL[name][0] if name in ("mosmed", "ist3") else 16)
    assert small.identity != opened(name).identity
    monkeypatch.setattr(builder, "in_order", None)
    assert open_set(name, raw, work).identity == opened(name).identity


def test_identity_is_that_of_the_contents(folders, opened, tmp_path):
    again = open_set("messidor", folders("messidor")[0], tmp_path)
    assert again.identity == opened("messidor").identity
    assert len({opened(name).identity for name in WRITERS}) == len(WRITERS)


@pytest.mark.parametrize("name", OTHER)
def test_other_raw_files_are_noticed(folders, tmp_path, name):
    write, entries = OTHER[name]
    with pytest.raises(
        InputError,
        match=rf"expected what '.*1.0.0' was built from, but '.*' has other {entries} or labels:"
        " remove the former",
    ):
        open_set(name, write(tmp_path), folders(name)[1])


@pytest.mark.parametrize("name", WRITERS)
def test_wrong_sizes_and_folders_are_explained(tmp_path, name):
    if name not in ("mosmed", "ist3"):
        with pytest.raises(
            InputError, match=r"size: expected a side in pixels, 1 or more, got -1: give e.g. 224"
        ):
            open_set(name, tmp_path, tmp_path, size=-1)
    with pytest.raises(
        InputError, match=r"', which does not exist|found none: (download|unpack) .* http"
    ):
        open_set(name, tmp_path / "nowhere", tmp_path)
    with pytest.raises(
        InputError,
        match=r"raw_folder: expected the set in '.*px.*1.0.0', which does not exist: give the fold",
    ):
        open_set(name, None, tmp_path)
    assert not list(tmp_path.iterdir())


def test_work_folder_that_cannot_be_written_is_explained(folders, tmp_path):
    raw, _ = folders("messidor")
    (tmp_path / "file").touch()
    with pytest.raises(
        InputError, match=r"cannot write .*file.48px.messidor.1.0.0: .*; free space there or choose"
    ):
        open_set("messidor", raw, tmp_path / "file")


@pytest.mark.slow
def test_tensorflow_is_not_imported_where_it_is_installed(folders, tmp_path):
    """Neither to build the sets nor to read them: here it is a package that cannot be imported."""
    package = tmp_path / "packages" / "tensorflow"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("raise AssertionError('TensorFlow is imported')")
    raws = {name: str(folders(name)[0]) for name in WRITERS}
    program = f"""
import sys
sys.path.insert(0, {str(package.parent)!r})
from cfx_jax.data import sets
late = {{"tensorflow_datasets", "cv2", "pydicom", "nibabel", "xlrd", "openpyxl"}}
assert not late & set(sys.modules), "imported where it is not used"
sys.path[:0] = {sys.path!r}
from set_layouts import open_set
for name, raw in {raws!r}.items():
    for _ in range(2):
        print(name, len(open_set(name, raw, {str(tmp_path)!r}, size={SMALL!r}[name])[0]["image"]))
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    expected = [f"{name} {3 if name in ('mosmed', 'ist3') else 16}\n" * 2 for name in WRITERS]
    assert done.stdout == "".join(expected), done.stderr
