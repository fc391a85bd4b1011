"""Every kind of source feeds a training with the pictures that it was made of."""

import numpy as np
import pytest

from benchmarks import feeding

pytest.importorskip("pydicom")
SMALL = feeding.Config(image_size=32, camera_size=64, num_images=4, batch_size=2, seconds=0.05)


@pytest.mark.parametrize("name", ["memory", "stored", "png"])
def test_a_source_without_loss_holds_the_pictures(tmp_path, name):
    source = feeding._SOURCES[name](SMALL, tmp_path)
    found = [source[i]["image"] for i in range(4)]
    expected = feeding._pictures(SMALL, 32) / np.float32(255)
    if name == "png":  # OpenCV writes blue first; files are sorted by class
        expected = expected[[0, 2, 1, 3]][..., ::-1]
    np.testing.assert_allclose(found, expected, atol=1e-6)
    assert np.bincount(source.labels).tolist() == [2, 2]


@pytest.mark.parametrize("name", ["jpeg", "dicom"])
def test_other_files_come_in_the_size_of_the_training(tmp_path, name):
    source = feeding._SOURCES[name](SMALL, tmp_path)
    image = source[3]["image"]
    assert image.shape == (32, 32, 3) and image.dtype == np.float32 and 0.05 < image.std() < 0.5


def test_a_rate_counts_images_and_processor_time(tmp_path):
    source = feeding._SOURCES["memory"](SMALL, tmp_path)
    options = {"num_threads": 1, "num_workers": 0}
    for augmented in (False, True):
        rate, per_core = feeding._rate(SMALL, source, augmented, options)
        assert 1 < rate < 1e7 and 1 < per_core < 1e7
