import itertools
from pathlib import Path

import nibabel
import numpy as np
import pytest

from cfx_jax.data.nifti_slices import read_slices, write_slices
from cfx_jax.errors import InputError

RNG = np.random.default_rng(0)
SHAPE = (3, 4, 5)
VOXELS = RNG.normal(size=SHAPE).astype(np.float32)


def saved(path, values=VOXELS, *, affine=None, sides=(1, 1, 1), change=None):
    image = nibabel.Nifti1Image(values, np.diag([*sides, 1.0]) if affine is None else affine)
    if change is not None:
        change(image.header)
    nibabel.save(image, path)
    return path


def places(path, index):
    """Where the voxel of an index of the file lies: to the right, to the front, to the head."""
    return nibabel.affines.apply_affine(nibabel.load(path).affine, index)


# world axes of (slices, rows, columns), and the sense in which each grows
AXIAL, CORONAL, SAGITTAL = (
    ((2, 1), (1, -1), (0, -1)),
    ((1, -1), (2, -1), (0, -1)),
    (
        (0, -1),
        (2, -1),
        (1, -1),
    ),
)


@pytest.mark.parametrize(
    ("sides", "named", "view"),
    [
        ((1, 1, 1), None, AXIAL),
        ((1, 1, 5), None, AXIAL),
        ((1, 5, 1), None, CORONAL),
        ((5, 1, 1), None, SAGITTAL),
        ((1.05, 1, 1), None, AXIAL),
        ((1, 1, 1), 0, SAGITTAL),
        ((1, 1, 5), 1, CORONAL),
    ],
)
def test_slices_follow_the_axis_of_the_stack_with_the_head_or_nose_up(tmp_path, sides, named, view):
    """Each voxel holds its own index in the file; nibabel says where that lies in the world."""
    numbers = np.arange(60, dtype=np.float32).reshape(SHAPE)
    change = None if named is None else lambda header: header.set_dim_info(slice=named)
    path = saved(tmp_path / "a.nii", numbers, sides=sides, change=change)
    stack = read_slices(path).array
    for axis, (world, sense) in enumerate(view):
        line = np.moveaxis(stack, axis, 0)[:, 0, 0]
        where = [places(path, np.argwhere(numbers == value)[0])[world] for value in line]
        assert (np.diff(where) * sense > 0).all()


def test_every_orientation_is_written_back_as_it_was(tmp_path):
    for order, signs in itertools.product(
        itertools.permutations(range(3)), itertools.product((1, -1), repeat=3)
    ):
        affine = np.zeros((4, 4))
        affine[order, range(3)] = np.array(signs) * (1.0, 2.0, 3.0)
        affine[:, 3] = 10, -20, 30, 1
        path = saved(tmp_path / "a.nii.gz", affine=affine)
        stack = read_slices(path).array
        written = write_slices(tmp_path / "b.nii.gz", dict(enumerate(stack)), like=path)
        back, before = nibabel.load(written), nibabel.load(path)
        np.testing.assert_array_equal(back.get_fdata(), VOXELS)
        np.testing.assert_allclose(back.affine, before.affine)
        assert back.get_data_dtype() == np.float32


def test_slices_that_are_not_given_are_zero_or_stay_as_they_are(tmp_path):
    path = saved(tmp_path / "a.nii", VOXELS[..., None], change=None)  # a fourth axis of length one
    ones = np.ones((4, 3), np.float32)
    alone = nibabel.load(write_slices(tmp_path / "b.nii", {2: ones}, like=path))
    assert alone.shape == (*SHAPE, 1)
    np.testing.assert_array_equal(alone.get_fdata().sum((0, 1, 3)), [0, 0, 12, 0, 0])
    added = nibabel.load(write_slices(tmp_path / "c.nii", {2: ones}, like=path, add=True))
    change = added.get_fdata()[..., 0] - VOXELS
    np.testing.assert_allclose(change, alone.get_fdata()[..., 0], atol=1e-6)


def test_slices_of_another_size_are_resized(tmp_path):
    path = saved(tmp_path / "a.nii")
    half = np.full((2, 2), 0.5, np.float32)
    written = nibabel.load(write_slices(tmp_path / "b.nii", {0: half}, like=path)).get_fdata()
    np.testing.assert_allclose(written[..., 0], 0.5)


def test_codes_units_and_a_scaled_file_survive(tmp_path):
    def change(header):
        header.set_xyzt_units("mm")
        header.set_slope_inter(2.0, 1.0)

    path = saved(tmp_path / "a.nii", (VOXELS * 100).astype(np.int16), change=change)
    image = nibabel.load(path)
    image.set_sform(image.affine, code=4)
    nibabel.save(image, path)
    written = nibabel.load(write_slices(tmp_path / "b.nii", {}, like=path, add=True))
    np.testing.assert_allclose(written.get_fdata(), nibabel.load(path).get_fdata(), atol=1e-4)
    assert written.get_sform(coded=True)[1] == 4
    assert written.header.get_xyzt_units()[0] == "mm"


def test_the_window_of_the_header_is_told(tmp_path):
    def change(header):
        header["cal_min"], header["cal_max"] = -10, 30

    assert read_slices(saved(tmp_path / "a.nii", change=change)).window == (-10, 30)
    assert read_slices(saved(tmp_path / "b.nii")).window is None


def test_mistakes_are_explained(tmp_path):
    path = saved(tmp_path / "a.nii", np.stack([VOXELS, VOXELS], -1))
    with pytest.raises(InputError, match=r"one volume of three axes, got shape \(3, 4, 5, 2\)"):
        read_slices(path)
    path = saved(tmp_path / "b.nii")
    with pytest.raises(InputError, match=r"expected numbers in 0..4 of .*b.nii', got 5"):
        write_slices(tmp_path / "c.nii", {5: VOXELS[..., 0].T}, like=path)
    assert not Path(tmp_path / "c.nii").exists()
