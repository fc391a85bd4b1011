"""Arrays on disk: written in parts, read by map, never taken for whole where they are not."""

import errno
import os
import subprocess
import sys
import threading

import numpy as np
import pytest

from cfx_jax.errors import InputError
from experiments.shared import (
    Workspace,
    array_store,
    choose_rows,
    fill_rows,
    row_slices,
    store_parts,
)
from experiments.shared.array_store import PART_BYTES
from trainers import digest

VALUES = np.random.default_rng(0).normal(size=(7, 2, 3)).astype(np.float32)


def parts(first, made=None):
    for start in range(first, 7, 3):
        if made is not None:
            made.append(start)
        rows = slice(start, start + 3)
        yield {"image": VALUES[rows], "bin": np.arange(7)[rows], "has": np.arange(7)[rows] > 3}


def make_stored(root, make=None):
    """VALUES by the one way; ``make`` is called before each part."""

    def compute(first):
        for part in parts(first):
            if make is not None:
                make()
            yield part

    return store_parts(Workspace(root), "stage", [1], 7, compute)["image"]


def make_filled(root, make=None):
    """VALUES by the other."""

    def rows_of(rows):
        if make is not None:
            make()
        return VALUES[rows]

    Workspace(root)
    return fill_rows(root / "stage-of-one", VALUES.shape, rows_of)


both = pytest.mark.parametrize("way", [make_stored, make_filled])


def test_parts_come_back_as_one_map_and_are_made_once(tmp_path):
    made, workspace = [], Workspace(tmp_path)
    for _ in range(2):
        found = store_parts(workspace, "stage", [1], 7, lambda first: parts(first, made))
    assert made == [0, 3, 6] and set(found) == {"image", "bin", "has"}
    assert all(isinstance(each, np.memmap) for each in found.values())
    np.testing.assert_array_equal(found["image"], VALUES)
    np.testing.assert_array_equal(found["bin"], np.arange(7))
    np.testing.assert_array_equal(found["has"], np.arange(7) > 3)
    assert found["image"].dtype == np.float32 and not found["image"].flags.writeable


def test_a_stage_that_ends_in_the_middle_is_not_taken_for_whole(tmp_path):
    def broken(first):
        assert first == 0
        yield next(parts(first))
        raise KeyboardInterrupt

    workspace = Workspace(tmp_path)
    with pytest.raises(KeyboardInterrupt):
        store_parts(workspace, "stage", [1], 7, broken)
    for number in (8, 6):
        with pytest.raises(RuntimeError, match=f"expected {number} rows over all parts, got 7"):
            store_parts(workspace, "stage", [number], number, parts)
    made = []
    arrays = store_parts(workspace, "stage", [1], 7, lambda first: parts(first, made))
    assert made == [3, 6]  # it goes on where it stopped
    np.testing.assert_array_equal(arrays["image"], VALUES)
    np.testing.assert_array_equal(arrays["has"], np.arange(7) > 3)


def test_rows_are_made_in_parts_and_go_on_where_they_stopped(tmp_path, monkeypatch):
    monkeypatch.setattr(array_store, "PART_BYTES", 3 * 8 * 4)
    values, asked = np.random.default_rng(0).random((10, 2, 4)).astype(np.float32), []

    def make(rows):
        if len(asked) == 2:
            raise KeyboardInterrupt
        asked.append(rows.tolist())
        return values[rows]

    wanted = np.array([0, 1, 2, 4, 5, 7, 9])
    with pytest.raises(KeyboardInterrupt):
        fill_rows(tmp_path, values.shape, make, wanted=wanted)
    assert asked == [[0, 1, 2], [4, 5, 7]]
    asked.clear()
    found = fill_rows(tmp_path, values.shape, make, wanted=wanted)
    assert asked == [[9]] and isinstance(found, np.memmap) and not found.flags.writeable
    np.testing.assert_array_equal(found[wanted], values[wanted])
    assert not found[[3, 6, 8]].any()
    part = choose_rows(found, np.array([9, 0, 4]), tmp_path / "part")
    assert isinstance(part, np.memmap) and isinstance(
        choose_rows(values, wanted, tmp_path / "none"), np.ndarray
    )
    np.testing.assert_array_equal(part, values[[9, 0, 4]])
    assert not (tmp_path / "none").exists()
    assert digest({"image": part}) == digest({"image": values[[9, 0, 4]]})


def test_no_rows_wanted_are_zeros(tmp_path):
    found = fill_rows(tmp_path, (3, 2), lambda rows: 1 / 0, wanted=np.array([], int))
    np.testing.assert_array_equal(found, np.zeros((3, 2)))


KILLED = """
import os, signal, sys
from pathlib import Path
import numpy as np
from experiments.shared.array_store import fill_rows, store_parts
from experiments.shared.workspace import Workspace
import experiments.shared.array_store as store

store.PART_BYTES, root = 2 * 6 * 4, Path(sys.argv[1])
made = []

def make(rows):
    if len(made) == 2:
        os.kill(os.getpid(), signal.SIGKILL)
    made.append(rows)
    return np.full((len(rows), 2, 3), 5.0, np.float32)

if sys.argv[2] == "filled":
    fill_rows(root / "stage-of-one", (7, 2, 3), make)
else:
    same = {"bin": np.arange(2), "has": np.zeros(2, bool)}
    parts = ({"image": make(range(2)), **same} for _ in range(4))
    store_parts(Workspace(root), "stage", [1], 7, lambda first: parts)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="needs SIGKILL")
@both
def test_a_killed_process_leaves_nothing_for_ever(tmp_path, way):
    name = way.__name__.removeprefix("make_")
    environment = {**os.environ, "JAX_PLATFORMS": "cpu"}
    done = subprocess.run(
        [sys.executable, "-c", KILLED, str(tmp_path), name], env=environment, check=False
    )
    assert done.returncode == -9
    found = way(tmp_path)
    np.testing.assert_array_equal(found[:4], np.full((4, 2, 3), 5.0))  # they had reached the disk
    np.testing.assert_array_equal(found[4:], VALUES[4:])
    assert not [each for each in tmp_path.rglob(".*") if each.name.endswith((".tmp", ".lock"))]


@pytest.mark.parametrize(
    "damage", ["cut", "empty", "gone", "list cut", "list empty", "list gone", "other type"]
)
@both
def test_files_that_are_damaged_are_made_anew(tmp_path, capsys, damage, way):
    way(tmp_path)
    of_rows = [path for path in tmp_path.rglob("*.npy") if path.stem in ("image", "values")]
    (path,) = tmp_path.rglob("written.npz") if damage.startswith("list") else of_rows
    if damage == "other type":
        np.save(path, np.zeros((7, 3, 3), object), allow_pickle=True)
    elif damage.endswith("gone"):
        path.unlink()
    else:
        path.write_bytes(path.read_bytes()[: 100 if damage.endswith("cut") else 0])
    capsys.readouterr()
    for _ in range(2):
        np.testing.assert_array_equal(way(tmp_path), VALUES)
    said = [line for line in capsys.readouterr().out.splitlines() if "cannot be read" in line]
    assert len(said) == (damage != "list gone")


def test_a_lost_array_of_several_is_noticed(tmp_path):
    workspace = Workspace(tmp_path)
    store_parts(workspace, "stage", [1], 7, parts)
    (path,) = tmp_path.rglob("bin.npy")
    path.unlink()
    np.testing.assert_array_equal(
        store_parts(workspace, "stage", [1], 7, parts)["bin"], np.arange(7)
    )


@both
@pytest.mark.parametrize(
    "error",
    [
        InputError("size: expected 3, got 4"),
        FileNotFoundError(errno.ENOENT, "No such file", "scan.nii"),
    ],
)
def test_what_computes_the_rows_speaks_for_itself(tmp_path, way, error):
    def fail():
        raise error

    with pytest.raises(type(error)) as caught:
        way(tmp_path, fail)
    assert caught.value is error


@pytest.mark.skipif(sys.platform == "win32", reason="file size limits are POSIX's")
@both
def test_a_file_system_that_really_refuses_is_one_line(tmp_path, way):
    import resource
    import signal

    before, handler = (
        resource.getrlimit(resource.RLIMIT_FSIZE),
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN),
    )
    message = (
        r"^the arrays could not be written to .*stage.* \(File too large\):"
        r" free space there or choose another.*$"
    )
    try:
        with pytest.raises(InputError, match=message) as caught:
            way(tmp_path, lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (150, before[1])))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)
    assert "\n" not in str(caught.value)
    np.testing.assert_array_equal(way(tmp_path), VALUES)


@both
def test_rows_are_on_disk_before_they_are_said_to_be_written(tmp_path, monkeypatch, way):
    synced, replace, real = set(), os.replace, os.fsync

    def fsync(descriptor):
        real(descriptor)
        synced.add(os.fstat(descriptor).st_ino)

    def replaced(source, target):
        if os.path.basename(target) == "written.npz":
            folder = os.path.dirname(target)
            assert {
                os.stat(os.path.join(folder, name)).st_ino
                for name in os.listdir(folder)
                if name.endswith(".npy")
            } <= synced
            assert os.stat(source).st_ino in synced
            synced.clear()
        replace(source, target)

    monkeypatch.setattr(os, "fsync", fsync)
    monkeypatch.setattr(os, "replace", replaced)
    found = way(tmp_path)
    assert os.stat(os.path.dirname(found.filename)).st_ino in synced


@both
def test_one_process_makes_a_folder_at_a_time(tmp_path, way):
    refused = []

    def meanwhile():
        try:
            way(tmp_path)
        except InputError as error:
            refused.append(str(error))

    def make():
        if not refused:
            other = threading.Thread(target=meanwhile)
            other.start()
            other.join()

    np.testing.assert_array_equal(way(tmp_path, make), VALUES)
    assert len(refused) == 1 and "another process makes" in refused[0]
    np.testing.assert_array_equal(way(tmp_path), VALUES)


def test_rows_are_cut_so_that_a_part_has_at_most_its_bytes():
    row = PART_BYTES // 10
    assert list(row_slices(25, row)) == [slice(0, 10), slice(10, 20), slice(20, 25)]
    assert list(row_slices(25, row, multiple=4)) == [
        slice(0, 8),
        slice(8, 16),
        slice(16, 24),
        slice(24, 25),
    ]
    assert list(row_slices(25, row, multiple=4, first=16)) == [slice(16, 24), slice(24, 25)]
    assert list(row_slices(2, 2 * PART_BYTES)) == [slice(0, 1), slice(1, 2)]
    assert list(row_slices(5, PART_BYTES, multiple=4)) == [slice(0, 4), slice(4, 5)]
