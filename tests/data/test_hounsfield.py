import numpy as np
import pytest

from cfx_jax.data import hounsfield_units, unit_window
from cfx_jax.data.hounsfield import BRAIN, LUNG
from cfx_jax.errors import InputError

RNG = np.random.default_rng(0)
SCAN = RNG.integers(-1024, 1500, (3, 8, 9)).astype(np.int16)


@pytest.mark.parametrize("dtype", [np.int16, np.int32, np.float32, np.float64])
def test_hounsfield_units_are_left_as_they_are(dtype):
    units = hounsfield_units(SCAN.astype(dtype))
    assert units.dtype == np.float32
    np.testing.assert_array_equal(units, SCAN)


@pytest.mark.parametrize("dtype", [np.uint16, np.int32, np.float32])
def test_signs_that_storage_has_lost_are_given_back(dtype):
    np.testing.assert_array_equal(hounsfield_units(SCAN.view(np.uint16).astype(dtype)), SCAN)


def test_values_by_which_scanners_fill_are_allowed():
    filled = np.concatenate([SCAN, np.full((1, 8, 9), -3024, np.int16)])
    np.testing.assert_array_equal(hounsfield_units(filled.view(np.uint16)), filled)


def test_tissue_without_air_is_allowed_where_that_is_said():
    tissue = np.abs(SCAN)
    np.testing.assert_array_equal(hounsfield_units(tissue, has_air=False), tissue)


def changed(value):
    scan = SCAN.astype(np.float32)
    scan[0, 0, 0] = value
    return scan


@pytest.mark.parametrize(
    ("scan", "message"),
    [
        (
            SCAN[0],
            r"a.nii: expected a volume \(s, h, w\) of at least one voxel, got shape \(8, 9\)",
        ),
        (SCAN[:0], r"a.nii: expected a volume .*, got shape \(0, 8, 9\)"),
        (
            changed(np.nan),
            "a.nii: expected finite Hounsfield units, got NaN or infinity: repair the file or leave"
            " it out",
        ),
        (changed(np.inf), "a.nii: expected finite Hounsfield units"),
        (np.full((2, 3, 3), 7), "a.nii: expected a scan, got 7 in all voxels: leave it out"),
        (
            changed(2**15),
            r"a.nii: expected Hounsfield units in -5000..32767, got -10\d\d..32768: convert it"
            r" again",
        ),
        (
            changed(-5001),
            r"a.nii: expected Hounsfield units in -5000..32767, got -5001..1\d\d\d: convert it"
            r" again",
        ),
        (
            changed(2**16 - 1) + 2048,
            "a.nii: expected Hounsfield units in -5000..32767, got .*: convert it again",
        ),
        (
            SCAN.view(np.uint16) + 0.5,
            "a.nii: expected Hounsfield units in -5000..32767, got .*: convert it again",
        ),
        (
            SCAN + 1048,
            r"a.nii: expected Hounsfield units with air at about -1000, got none below \d+:"
            r" subtract 1024 if",
        ),
    ],
)
def test_other_values_are_refused(scan, message):
    with pytest.raises(InputError, match=message):
        hounsfield_units(scan, name="a.nii")


@pytest.mark.parametrize("window", [LUNG, BRAIN])
def test_window_is_a_line_between_its_ends(window):
    unit = unit_window(SCAN, *window)
    assert unit.dtype == np.float32
    np.testing.assert_allclose(unit, np.interp(SCAN, window, (0, 1)), atol=1e-6)


@pytest.mark.parametrize(
    ("scan", "window", "message"),
    [
        (
            SCAN,
            (40, 40),
            "low and high: expected finite numbers, the first below the second, got 40 and 40",
        ),
        (SCAN, (0, np.inf), "low and high: expected finite numbers, .*, got 0 and inf"),
        (
            changed(np.nan),
            LUNG,
            "volume: expected Hounsfield units, got NaN: repair the scan or leave it out",
        ),
        (
            SCAN,
            (2000, 3000),
            r"values within the window 2000..3000, got -10\d\d..1\d\d\d, which it makes constant:"
            r" give",
        ),
    ],
)
def test_windows_that_show_nothing_are_refused(scan, window, message):
    with pytest.raises(InputError, match=message):
        unit_window(scan, *window)


def test_voxels_that_a_scanner_filled_far_below_air_are_told_with_what_to_do():
    filled = np.concatenate([SCAN, np.full((1, 8, 9), -8192, np.int16)])
    message = (
        r"got -8192..\d+: convert it again .*, or raise the 72 voxels below to -1024 if the scanner"
        " filled what"
    )
    with pytest.raises(InputError, match=message):
        hounsfield_units(filled)
    assert hounsfield_units(np.maximum(filled, -1024)).min() == -1024
