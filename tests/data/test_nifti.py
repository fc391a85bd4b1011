import bz2
import gzip
import itertools
import math
import sys
from pathlib import Path

import nibabel
import numpy as np
import pytest
from scipy import ndimage

from cfx_jax.data import Volume, read_ct_scan, read_nifti, resample_volume, unit_slices
from cfx_jax.errors import InputError

SHIPPED = Path(nibabel.__file__).parent / "tests" / "data"
RNG = np.random.default_rng(0)
VOXELS = RNG.normal(size=(4, 5, 6)).astype(np.float32)  # slices, rows, columns
SPACING = (3.0, 2.0, 0.5)
# World axes lead right, forward and up; slices go up, rows back, columns left.
TOWARDS = np.array([[0, 0, 1], [0, -1, 0], [-1, 0, 0]], float)
SIGNS = list(itertools.product((1, -1), repeat=3))
ORIENTATIONS = list(itertools.product(itertools.permutations(range(3)), SIGNS))


def saved(values, path, affine=None, kind=nibabel.Nifti1Image):
    nibabel.save(kind(values, np.diag([1.0, 1, 1, 1]) if affine is None else affine), path)
    return path


def turned(array, order, signs):
    """The array as a file may hold it, its axes in another order and some reversed, with the affine
    that says so.
    """
    values = array[tuple(slice(None, None, sign) for sign in signs)].transpose(
        *order, *range(3, array.ndim)
    )
    columns = TOWARDS * np.array(SPACING)[:, None] * np.array(signs)[:, None]
    affine = np.eye(4)
    affine[:3, :3] = columns[list(order)].T
    affine[:3, 3] = [10, -20, 30]
    return values, affine


@pytest.mark.parametrize("kind", [nibabel.Nifti1Image, nibabel.Nifti2Image])
@pytest.mark.parametrize("array", [VOXELS, np.stack([VOXELS, -VOXELS], -1)], ids=["one", "two"])
def test_all_48_orientations_give_the_same_volume(tmp_path, kind, array):
    for order, signs in ORIENTATIONS:
        values, affine = turned(array, order, signs)
        volume = read_nifti(saved(values, tmp_path / "a.nii", affine, kind))
        assert volume.array.dtype == np.float32 and volume.array.flags.c_contiguous
        np.testing.assert_array_equal(volume.array, array)
        np.testing.assert_allclose(volume.spacing, SPACING, rtol=1e-6)


def test_slices_go_up_rows_back_and_columns_left(tmp_path):
    """A voxel's place in the world, which nibabel gives, grows or falls along each axis."""
    places = np.indices((3, 4, 5)).reshape(3, -1)
    affine = np.array([[0, 2, 0, 1], [0, 0, -1, 5], [3, 0, 0, -9], [0, 0, 0, 1.0]])
    for axis, (index, sign) in enumerate(
        [(2, 1), (1, -1), (0, -1)]
    ):  # along slices z grows, along rows y falls, ...
        world = (
            nibabel.affines.apply_affine(affine, places.T)[:, index]
            .reshape(3, 4, 5)
            .astype(np.float32)
        )
        steps = np.diff(read_nifti(saved(world, tmp_path / f"{axis}.nii", affine)).array, axis=axis)
        assert (np.sign(steps) == sign).all()


@pytest.mark.parametrize(
    "name", ["example4d.nii.gz", "standard.nii.gz", "anatomical.nii", "functional.nii"]
)
def test_files_of_nibabel_as_its_own_functions_turn_them(name):
    image = nibabel.load(SHIPPED / name)
    closest = nibabel.as_closest_canonical(image)
    expected = closest.get_fdata()[::-1, ::-1].swapaxes(
        0, 2
    )  # right, forward, up -> up, back, left
    volume = read_nifti(SHIPPED / name)
    np.testing.assert_allclose(volume.array, expected, rtol=1e-6)
    np.testing.assert_allclose(volume.spacing, nibabel.affines.voxel_sizes(closest.affine)[::-1])


def test_mask_is_placed_as_its_image_whatever_its_own_header_says(tmp_path):
    mask = (VOXELS > 0).astype(np.uint8)
    for order, signs in ORIENTATIONS[::7]:
        values, affine = turned(VOXELS, order, signs)
        saved(values, tmp_path / "image.nii", affine)
        saved(turned(mask, order, signs)[0], tmp_path / "mask.nii")
        placed = read_nifti(tmp_path / "mask.nii", labels=True, placed_as=tmp_path / "image.nii")
        np.testing.assert_array_equal(placed.array, mask)
        np.testing.assert_allclose(placed.spacing, SPACING, rtol=1e-6)


def test_mask_of_another_shape_than_its_image_is_refused(tmp_path):
    saved(VOXELS, tmp_path / "image.nii"), saved(VOXELS[1:], tmp_path / "mask.nii")
    with pytest.raises(
        InputError,
        match=r"mask.nii': expected the shape of .*image.nii', \(4, 5, 6\), got \(3, 5, 6\): copy",
    ):
        read_nifti(tmp_path / "mask.nii", placed_as=tmp_path / "image.nii")


def test_header_scales_the_values(tmp_path):
    image = nibabel.Nifti1Image((VOXELS * 100).astype(np.int16), np.eye(4))
    image.header.set_slope_inter(0.25, -3)
    nibabel.save(image, tmp_path / "a.nii.gz")
    expected = nibabel.load(tmp_path / "a.nii.gz").get_fdata()[::-1, ::-1].swapaxes(0, 2)
    np.testing.assert_allclose(read_nifti(tmp_path / "a.nii.gz").array, expected, rtol=1e-6)


def test_one_sequence_is_that_of_the_whole(tmp_path):
    path = saved(RNG.normal(size=(4, 5, 6, 3)).astype(np.float32), tmp_path / "a.nii.gz")
    whole = read_nifti(path, num_sequences=3).array
    assert whole.shape == (6, 5, 4, 3)
    for number in range(3):
        np.testing.assert_array_equal(read_nifti(path, sequence=number).array, whole[..., number])
    flat = saved(VOXELS, tmp_path / "b.nii")
    np.testing.assert_array_equal(
        read_nifti(flat, sequence=0, num_sequences=1).array, read_nifti(flat).array
    )


def test_labels_are_whole_numbers(tmp_path):
    classes = RNG.integers(0, 4, (4, 5, 6)).astype(np.uint8)
    volume = read_nifti(saved(classes, tmp_path / "a.nii"), labels=True)
    assert volume.array.dtype == np.int32
    np.testing.assert_array_equal(volume.array, classes[::-1, ::-1].swapaxes(0, 2))
    with pytest.raises(
        InputError,
        match=r"b.nii': expected classes, which are whole numbers, got .*\..*: give the file",
    ):
        read_nifti(saved(VOXELS, tmp_path / "b.nii"), labels=True)


def test_pair_of_files_serves_as_well(tmp_path):
    saved(VOXELS, tmp_path / "a.img", kind=nibabel.Nifti1Pair)
    saved(VOXELS, tmp_path / "a.nii")
    np.testing.assert_array_equal(
        read_nifti(tmp_path / "a.hdr").array, read_nifti(tmp_path / "a.nii").array
    )


def lead_nowhere(path):
    """Writes a file whose affine matrix has no second direction."""
    image = nibabel.Nifti1Image(VOXELS, np.eye(4))
    image.header.set_sform(np.diag([1.0, 0, 1, 1]), code=1)
    image.header.set_qform(None, code=0)
    image.header["vox_offset"] = 352
    path.write_bytes(image.header.binaryblock + b"\0" * 4 + VOXELS.tobytes(order="F"))


def test_files_that_are_no_volume_are_explained(tmp_path):
    (tmp_path / "text.nii").write_text("no volume at all")
    nan = VOXELS.copy()
    nan[1, 1, 1:3] = np.nan, np.inf
    lead_nowhere(tmp_path / "lost.nii")
    cases = {
        tmp_path
        / "nowhere.nii": "path: expected a NIfTI file, but there is no file '.*nowhere.nii': check"
        " the spelling",
        tmp_path
        / "text.nii": r"text.nii' is no NIfTI file, or cut short: expected .nii, .nii.gz, or a pair"
        r" .hdr and .img",
        SHIPPED / "test.mgz": "test.mgz' is no NIfTI file but a MGHImage: convert it",
        saved(
            VOXELS[0], tmp_path / "flat.nii"
        ): r"flat.nii': expected three axes, or four .*, got shape \(5, 6\)",
        saved(
            VOXELS.astype(np.complex64), tmp_path / "c.nii"
        ): "c.nii': expected real numbers, got complex64: convert",
        saved(
            nan, tmp_path / "nan.nii"
        ): "nan.nii': expected finite values of float32, 2 are not: repair the file",
        tmp_path
        / "lost.nii": r"lost.nii': expected an affine matrix that leads into three directions, got"
        r" \[\[1.0,",
    }
    for path, message in cases.items():
        with pytest.raises(InputError, match=message):
            read_nifti(path)


def test_file_that_is_cut_within_its_header_is_refused(tmp_path):
    (tmp_path / "a.nii").write_bytes(saved(VOXELS, tmp_path / "a.nii").read_bytes()[:60])
    with pytest.raises(InputError, match=r"a.nii' is no NIfTI file, or cut short: expected .nii"):
        read_nifti(tmp_path / "a.nii")


@pytest.mark.parametrize("name", ["a.nii", "a.nii.gz"])
def test_file_that_is_cut_short_is_damaged(tmp_path, name):
    content = saved(np.tile(VOXELS, (9, 9, 9)), tmp_path / name).read_bytes()
    (tmp_path / name).write_bytes(content[: len(content) - 40])
    with pytest.raises(InputError, match=rf"{name}' is damaged \(.+\): copy or download it again"):
        read_nifti(tmp_path / name)


def test_changed_bytes_of_a_compressed_file_are_noticed(tmp_path):
    content = bytearray(saved(RNG.normal(size=(20, 20, 20)), tmp_path / "a.nii.gz").read_bytes())
    for place in range(200, len(content) - 200, 5000):
        (tmp_path / "a.nii.gz").write_bytes(content[:place] + bytes(100) + content[place + 100 :])
        with pytest.raises(InputError, match=r"a.nii.gz' is damaged \(.+\): copy"):
            read_nifti(tmp_path / "a.nii.gz")


def test_another_number_of_sequences_is_refused(tmp_path):
    path = saved(RNG.normal(size=(4, 5, 6, 3)).astype(np.float32), tmp_path / "a.nii")
    with pytest.raises(
        InputError, match=r"a.nii': expected 4 sequences, got 3 \(shape \(4, 5, 6, 3\)\)"
    ):
        read_nifti(path, num_sequences=4)
    for sequence in (3, -1):
        with pytest.raises(
            InputError, match=rf"expected one of the 3 in '.*a.nii', 0..2, got {sequence}"
        ):
            read_nifti(path, sequence=sequence)


def along(array, axis, length):
    """Linear interpolation between the centres of voxels, written for one axis."""
    number = array.shape[axis]
    places = (np.arange(length) + 0.5) * number / length - 0.5
    return np.apply_along_axis(lambda line: np.interp(places, np.arange(number), line), axis, array)


def test_enlarging_interpolates_linearly():
    volume = resample_volume(Volume(VOXELS, SPACING), shape=(9, 5, 13))
    assert volume.array.shape == (9, 5, 13) and volume.array.dtype == np.float32
    np.testing.assert_allclose(volume.array, along(along(VOXELS, 0, 9), 2, 13), atol=1e-5)
    np.testing.assert_allclose(volume.spacing, (3 * 4 / 9, 2, 0.5 * 6 / 13))


def test_shrinking_smooths_first():
    noise = RNG.normal(size=(8, 30, 30)).astype(np.float32)
    volume = resample_volume(Volume(noise, (1, 1, 1)), shape=(8, 10, 30))
    smooth = ndimage.gaussian_filter1d(noise, 1.0, axis=1, mode="nearest")
    np.testing.assert_allclose(volume.array, along(smooth, 1, 10), atol=1e-5)
    assert volume.array.std() < 0.6 * along(noise, 1, 10).std()


def test_sequences_are_resampled_alike():
    both = resample_volume(
        Volume(np.stack([VOXELS, 2 * VOXELS], -1), SPACING), shape=(3, 7, 6)
    ).array
    one = resample_volume(Volume(VOXELS, SPACING), shape=(3, 7, 6)).array
    np.testing.assert_allclose(both, np.stack([one, 2 * one], -1), atol=1e-6)


def test_same_shape_changes_nothing():
    for array in (VOXELS, (9 * VOXELS).astype(np.int32)):
        np.testing.assert_array_equal(
            resample_volume(Volume(array, SPACING), shape=(4, 5, 6)).array, array
        )


def test_labels_take_the_nearest_voxel():
    classes = RNG.integers(0, 4, (4, 5, 6)).astype(np.int32)
    volume = resample_volume(Volume(classes, SPACING), shape=(12, 5, 2))
    assert volume.array.dtype == np.int32
    np.testing.assert_array_equal(volume.array, classes.repeat(3, axis=0)[:, :, [1, 4]])


def test_wanted_spacing_is_reached_as_nearly_as_voxels_allow():
    volume = resample_volume(
        Volume(np.zeros((10, 20, 30), np.float32), (2.0, 1.0, 1.0)), spacing=(1.0, 2.0, 0.7)
    )
    assert volume.array.shape == (20, 10, 43)
    np.testing.assert_allclose(volume.spacing, (1.0, 2.0, 30 / 43))
    assert resample_volume(Volume(VOXELS, SPACING), spacing=(99.0, 99.0, 99.0)).array.shape == (
        1,
        1,
        1,
    )


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, "expected either shape or spacing, got shape=None and spacing=None: give one of them"),
        (
            {"shape": (1, 1, 1), "spacing": (1, 1, 1)},
            r"expected either shape or spacing, got shape=\(1, 1, 1\) and",
        ),
        (
            {"shape": (4, 4)},
            r"shape: expected three whole numbers above 0 \(slices, rows, columns\), got \(4, 4\)",
        ),
        ({"shape": (4, 0, 4)}, "shape: expected three whole numbers above 0"),
        ({"shape": (4, 4.5, 4)}, "shape: expected three whole numbers above 0"),
        (
            {"spacing": (1, -1, 1)},
            r"spacing: expected three numbers of mm above 0 .*, got \(1, -1, 1\)",
        ),
        *(
            ({"spacing": spacing}, "spacing: expected three numbers of mm above 0")
            for spacing in ((1, np.inf, 1), (1, np.nan, 1), ("1", "1", "1"), "123", 2.0, [1, [2]])
        ),
        ({"shape": (True, 1, 1)}, "shape: expected three whole numbers above 0"),
        ({"shape": (10**7, 10**7, 1)}, "shape: expected a volume of at most"),
        ({"spacing": (1e-12, 1.0, 1.0)}, "spacing: expected a volume of at most"),
    ],
)
def test_wrong_sizes_are_refused(options, message):
    with pytest.raises(InputError, match=message):
        resample_volume(Volume(VOXELS, SPACING), **options)


def test_each_slice_fills_the_unit_range():
    array = np.concatenate([VOXELS * 7, np.full((1, 5, 6), 3, np.float32)])
    scaled = unit_slices(array)
    assert scaled.dtype == np.float32 and not scaled[4].any()
    for before, after in zip(array[:4], scaled, strict=False):
        np.testing.assert_allclose(
            after, (before - before.min()) / (before.max() - before.min()), atol=1e-6
        )


def test_package_that_is_needed_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "nibabel", None)
    with pytest.raises(
        InputError,
        match=r"the package 'nibabel' is needed for reading NIfTI .* `pip install nibabel`",
    ):
        read_nifti(SHIPPED / "anatomical.nii")


def header(shape, offset=352.0, dtype=np.float32, slope=1.0):
    """The first 352 bytes of a file, with the offset and the scale factor as given, possible or
    not.
    """
    made = nibabel.Nifti1Header()
    made.set_data_dtype(dtype)
    made.set_sform(np.eye(4), code=1)
    made["dim"][: len(shape) + 1] = [len(shape), *shape]
    made["vox_offset"], made["magic"], made["scl_slope"] = offset, b"n+1", slope
    return made.binaryblock + bytes(4)


@pytest.mark.parametrize("name", ["a.nii", "a.nii.gz", "a.nii.bz2"])
@pytest.mark.parametrize(
    "shape", [(1300, 1300, 1300), (32_000, 32_000, 32_000), (4, 5, 7), (4, 5, 6, 2)]
)
def test_header_that_tells_of_more_than_there_is_is_damage(tmp_path, name, shape, monkeypatch):
    pack = {".gz": gzip.compress, ".bz2": bz2.compress}.get((tmp_path / name).suffix, bytes)
    (tmp_path / name).write_bytes(pack(header(shape) + VOXELS.tobytes()))
    needed = 352 + 4 * math.prod(shape)
    with pytest.raises(
        InputError,
        match=rf"{name}' is damaged \(its header tells of {needed} bytes, there are 832\)",
    ):
        read_nifti(tmp_path / name)


@pytest.mark.parametrize("offset", [1e30, -1e9, np.nan, np.inf, 833.0])
def test_impossible_place_of_the_values_is_damage(tmp_path, offset, capfd):
    (tmp_path / "a.nii").write_bytes(header((4, 5, 6), offset) + VOXELS.tobytes())
    with pytest.raises(InputError, match=r"a.nii' is damaged \(.+\): copy or download it again"):
        read_nifti(tmp_path / "a.nii")
    assert not capfd.readouterr().err


@pytest.mark.parametrize("shape", [(-5, 5, 6), (4, 5, -6), (-4, -5, 6), (4, 0, 6)])
def test_impossible_sizes_are_refused(tmp_path, shape):
    (tmp_path / "a.nii").write_bytes(header(shape) + VOXELS.tobytes())
    with pytest.raises(
        InputError, match=r"a.nii': expected three axes, .*, got shape|a.nii' is damaged"
    ):
        read_nifti(tmp_path / "a.nii")


def test_volumes_larger_than_allowed_are_refused(tmp_path, monkeypatch):
    monkeypatch.setenv("CFX_UNPACK_LIMIT_MIB", "1")
    whole = np.zeros((64, 64, 64, 2), np.float32)
    saved(whole, tmp_path / "a.nii"), saved(whole, tmp_path / "a.nii.gz")
    assert read_nifti(tmp_path / "a.nii", sequence=1).array.shape == (64, 64, 64)
    for name in ("a.nii", "a.nii.gz"):
        with pytest.raises(
            InputError, match=rf"{name}' is damaged \(unpacks to \d MiB, more than the 1 MiB"
        ):
            read_nifti(tmp_path / name)


@pytest.mark.parametrize(
    ("dtype", "top"), [(np.uint8, 1), (np.uint8, 3), (np.int16, 1), (np.int16, 60)]
)
def test_classes_that_went_through_a_scale_factor_are_rounded(tmp_path, dtype, top):
    classes = RNG.integers(0, top + 1, (4, 5, 6))
    classes[0, 0, :2] = 0, top
    image = nibabel.Nifti1Image(classes.astype(np.float64), np.eye(4))
    image.set_data_dtype(dtype)
    nibabel.save(image, tmp_path / "a.nii")
    stored = nibabel.load(tmp_path / "a.nii").get_fdata()
    assert (stored != classes).any() and np.abs(stored - classes).max() < 1e-3
    read = read_nifti(tmp_path / "a.nii", labels=True).array
    np.testing.assert_array_equal(read, classes[::-1, ::-1].swapaxes(0, 2))
    for wrong in (1.01, np.nan, np.inf, 2.0**40):
        saved(np.where(classes == top, wrong, classes), tmp_path / "b.nii")
        with pytest.raises(
            InputError,
            match=r"b.nii': expected classes, which are whole numbers, got [\d.]*[1n9if]",
        ):
            read_nifti(tmp_path / "b.nii", labels=True)


@pytest.mark.parametrize("further", [(1,), (1, 1), (1, 1, 1, 1)])
def test_axes_of_length_one_hold_nothing_apart(tmp_path, further):
    flat = read_nifti(saved(VOXELS, tmp_path / "a.nii"))
    path = saved(VOXELS.reshape(*VOXELS.shape, *further), tmp_path / "b.nii.gz")
    for options in ({}, {"num_sequences": 1}, {"sequence": 0}, {"sequence": 0, "num_sequences": 1}):
        np.testing.assert_array_equal(read_nifti(path, **options).array, flat.array)
    marks = saved(
        (VOXELS > 0).astype(np.uint8).reshape(*VOXELS.shape, *further), tmp_path / "m.nii"
    )
    for place in (tmp_path / "a.nii", path):
        placed = read_nifti(marks, labels=True, num_sequences=1, placed_as=place)
        np.testing.assert_array_equal(placed.array, flat.array > 0)


def test_sequences_behind_an_axis_of_length_one(tmp_path):
    several = RNG.normal(size=(4, 5, 6, 3)).astype(np.float32)
    flat, path = (
        saved(several, tmp_path / "a.nii"),
        saved(several[:, :, :, None], tmp_path / "b.nii"),
    )
    np.testing.assert_array_equal(read_nifti(path, num_sequences=3).array, read_nifti(flat).array)
    np.testing.assert_array_equal(
        read_nifti(path, sequence=2).array, read_nifti(flat, sequence=2).array
    )


@pytest.mark.parametrize("slope", [0.0, np.nan, np.inf])
def test_scale_factor_that_is_none_is_not_applied(tmp_path, slope):
    (tmp_path / "a.nii").write_bytes(header((4, 5, 6), slope=slope) + VOXELS.tobytes(order="F"))
    read = read_nifti(tmp_path / "a.nii").array
    np.testing.assert_array_equal(read, VOXELS[::-1, ::-1].swapaxes(0, 2))


def test_scan_of_one_sequence_in_a_file_of_four_axes(tmp_path):
    units = RNG.integers(-1000, 1000, (9, 8, 14)).astype(np.int16)
    options = {"window": (-1000, 400), "shape": (3, 8, 8)}
    flat = read_ct_scan(saved(units, tmp_path / "a.nii"), **options)
    four = read_ct_scan(saved(units[..., None], tmp_path / "b.nii"), **options)
    np.testing.assert_array_equal(flat.slices, four.slices)
    assert flat.native_shape == four.native_shape == (14, 8, 9)


def test_an_affine_matrix_that_leads_nowhere_is_told_of_the_file_that_has_it(tmp_path):
    image = tmp_path / "image.nii"
    lead_nowhere(image)
    marks = saved(VOXELS.round(), tmp_path / "marks.nii")
    with pytest.raises(InputError, match=r"image\.nii': expected an affine matrix"):
        read_nifti(marks, placed_as=image)
    with pytest.raises(InputError, match=r"^placed_as: .* no file"):
        read_nifti(marks, placed_as=tmp_path / "missing.nii")
