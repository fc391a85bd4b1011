import pickle

import pytest
import tensorflow_datasets as tfds

from cfx_jax.data.fundus_sets import builder


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        ("KaggleDR", "kaggle_dr"),
        ("Messidor", "messidor"),
        ("IDRiD", "idrid"),
        ("DeepDRiD", "deepdrid"),
    ],
)
def test_builders_are_known_to_tfds_by_name(tmp_path, kind, name):
    made = tfds.builder(name, data_dir=tmp_path, size=64)
    assert type(made) is getattr(builder, kind)
    assert str(made.data_path) == str(tmp_path / "64px" / name / "1.0.0")
    assert made.info.features["image"].shape == (64, 64, 3) and made.info.homepage == made.page


def test_pickled_copy_keeps_size_and_place(tmp_path):
    made = builder.IDRiD(data_dir=tmp_path, size=64)
    copy = pickle.loads(pickle.dumps(made))
    assert copy.data_path == made.data_path and copy.info.features["eye_mask"].shape == (64, 64, 1)


def test_empty_manual_folder_is_explained_by_the_page(tmp_path):
    (tmp_path / "empty").mkdir()
    download = tfds.download.DownloadConfig(manual_dir=tmp_path / "empty")
    with pytest.raises(
        AssertionError,
        match=r"Download the set from https://github.com/deepdrdoc/DeepDRiD and unpack",
    ):
        builder.DeepDRiD(data_dir=tmp_path / "work").download_and_prepare(download_config=download)
