"""Arrays on disk: written in parts, read by map, never half of them."""

import numpy as np
import pytest

from experiments.array_store import PART_BYTES, row_slices, stored
from experiments.stages import Workspace

VALUES = np.random.default_rng(0).normal(size=(7, 2, 3)).astype(np.float32)


def parts(made=None):
    for start in (0, 3, 6):
        if made is not None:
            made.append(start)
        rows = slice(start, start + 3)
        yield {"image": VALUES[rows], "bin": np.arange(7)[rows], "has": np.arange(7)[rows] > 3}


def test_parts_come_back_as_one_map_and_are_made_once(tmp_path):
    made, workspace = [], Workspace(tmp_path)
    for _ in range(2):
        found = stored(workspace, "stage", [1], 7, lambda: parts(made))
    assert made == [0, 3, 6] and set(found) == {"image", "bin", "has"}
    assert all(isinstance(each, np.memmap) for each in found.values())
    np.testing.assert_array_equal(found["image"], VALUES)
    np.testing.assert_array_equal(found["bin"], np.arange(7))
    np.testing.assert_array_equal(found["has"], np.arange(7) > 3)
    assert found["image"].dtype == np.float32 and not found["image"].flags.writeable


def test_a_stage_that_ends_in_the_middle_leaves_nothing(tmp_path):
    def broken():
        yield next(parts())
        raise KeyboardInterrupt

    workspace = Workspace(tmp_path)
    with pytest.raises(KeyboardInterrupt):
        stored(workspace, "stage", [1], 7, broken)
    assert not list(workspace.folder("stage", [1]).iterdir())
    with pytest.raises(RuntimeError, match="expected 8 rows over all parts, got 7"):
        stored(workspace, "stage", [1], 8, parts)
    np.testing.assert_array_equal(stored(workspace, "stage", [1], 7, parts)["image"], VALUES)


@pytest.mark.parametrize("damage", ["cut", "empty", "gone"])
def test_files_that_are_damaged_are_made_anew(tmp_path, capsys, damage):
    workspace = Workspace(tmp_path)
    stored(workspace, "stage", [1], 7, parts)
    (path,) = workspace.root.rglob("image.npy")
    if damage == "gone":
        for each in path.parent.iterdir():
            each.unlink()
    else:
        path.write_bytes(path.read_bytes()[: 100 if damage == "cut" else 0])
    np.testing.assert_array_equal(stored(workspace, "stage", [1], 7, parts)["image"], VALUES)
    assert "cannot be read" in capsys.readouterr().out


def test_rows_are_cut_so_that_a_part_has_at_most_its_bytes():
    row = PART_BYTES // 10
    assert list(row_slices(25, row)) == [slice(0, 10), slice(10, 20), slice(20, 25)]
    assert list(row_slices(25, row, multiple=4)) == [slice(0, 8), slice(8, 16), slice(16, 24), slice(24, 25)]
    assert list(row_slices(2, 2 * PART_BYTES)) == [slice(0, 1), slice(1, 2)]
    assert list(row_slices(5, PART_BYTES, multiple=4)) == [slice(0, 4), slice(4, 5)]
