import ct_layouts as layouts
import numpy as np
import pytest

from cfx_jax.data import read_ct_scan, slice_indices
from cfx_jax.data.hounsfield import BRAIN, LUNG
from cfx_jax.errors import InputError

SHAPE = (5, 12, 10)


def test_scan_is_prepared_in_the_stated_order(tmp_path):
    """Windowed before it is resized, which here is to half its size and so takes the mean of four
    pixels.
    """
    units = layouts.ct_units("a")
    layouts.save_nifti(tmp_path / "a.nii.gz", units)
    places = slice_indices(14, 5)
    chosen = units.T.astype(np.float32)[places]  # slices up, rows back, columns left
    unit = np.clip((chosen + 1000) / 1400, 0, 1)
    expected = unit.reshape(5, 8, 2, 10, 2).mean(axis=(2, 4))
    scan = read_ct_scan(tmp_path / "a.nii.gz", window=LUNG, shape=(5, 8, 10))
    np.testing.assert_allclose(scan.slices, expected, atol=1e-5)
    assert scan.native_shape == layouts.SHAPE[::-1]


def test_scan_without_anything_in_the_window_is_named(tmp_path):
    layouts.save_nifti(tmp_path / "a.nii", layouts.ct_units("a") - 900)
    with pytest.raises(
        InputError,
        match=r"a.nii': volume: expected values within the window 0..80, got .*: give another",
    ):
        read_ct_scan(tmp_path / "a.nii", window=BRAIN, shape=SHAPE)
