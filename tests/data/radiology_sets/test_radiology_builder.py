import pickle

import numpy as np
import pytest
import tensorflow_datasets as tfds

from cfx_jax.data.radiology_sets import builder


@pytest.mark.parametrize(
    ("kind", "name"), [("RSNA", "rsna_pneumonia"), ("MSDBrain", "msd_brain_tumour")]
)
def test_builders_are_known_to_tfds_by_name(tmp_path, kind, name):
    made = tfds.builder(name, data_dir=tmp_path, size=64)
    assert type(made) is getattr(builder, kind)
    assert str(made.data_path) == str(tmp_path / "64px" / name / "1.0.0")
    assert made.info.features["image"].shape == (64, 64, 1) and made.info.homepage == made.page
    assert pickle.loads(pickle.dumps(made)).data_path == made.data_path


def test_empty_manual_folder_is_explained_by_the_page(tmp_path):
    (tmp_path / "empty").mkdir()
    download = tfds.download.DownloadConfig(manual_dir=tmp_path / "empty")
    with pytest.raises(
        AssertionError, match=r"Download the set from http://medicaldecathlon.com/ and unpack"
    ):
        builder.MSDBrain(data_dir=tmp_path / "work").download_and_prepare(download_config=download)


def test_box_takes_the_pixels_whose_centre_is_inside():
    rng = np.random.default_rng(0)
    centres = np.arange(56) + 0.5
    for _ in range(50):
        y0, y1, x0, x1 = [*np.sort(rng.uniform(0, 100, 2)), *np.sort(rng.uniform(0, 200, 2))]
        rows, columns = (
            np.flatnonzero((low * scale <= centres) & (centres < high * scale))
            for low, high, scale in ((y0, y1, 0.56), (x0, x1, 0.28))
        )
        if rows.size and columns.size:
            expected = [rows[0], columns[0], rows[-1] + 1, columns[-1] + 1]
            np.testing.assert_array_equal(
                builder.scaled_box((y0, x0, y1, x1), (100, 200), 56), expected
            )


def test_box_that_is_smaller_than_a_pixel_keeps_one():
    np.testing.assert_array_equal(
        builder.scaled_box((51, 10, 52, 90), (100, 100), 10), [5, 1, 6, 9]
    )


def test_box_that_reaches_out_ends_at_the_frame():
    np.testing.assert_array_equal(
        builder.scaled_box((-20, 50, 50, 130), (100, 100), 10), [0, 5, 5, 10]
    )
    np.testing.assert_array_equal(
        builder.scaled_box((120, 0, 130, 100), (100, 100), 10), [9, 0, 10, 10]
    )
