import pickle

import numpy as np
import pytest
import tensorflow_datasets as tfds

from cfx_jax.data.sets.builders import BUILDERS

SHAPES = {  # the name that TFDS knows -> shape of an image at 64 pixels, or of a scan
    "kaggle_dr": (64, 64, 3),
    "messidor": (64, 64, 3),
    "idrid": (64, 64, 3),
    "deepdrid": (64, 64, 3),
    "rsna_pneumonia": (64, 64, 1),
    "msd_brain_tumour": (64, 64, 1),
    "chexpert_radiographs": (64, 64, 1),
    "mosmed_covid19_1110": (60, 10, 1),
    "ist3_scans": (60, 10, 1),
    "celeba_faces": (64, 64, 3),
}


@pytest.mark.parametrize("name", SHAPES)
def test_builders_are_known_to_tfds_by_name(tmp_path, name):
    scans = SHAPES[name] == (60, 10, 1)
    made = tfds.builder(name, data_dir=tmp_path, size=(5, 12, 10) if scans else 64)
    assert type(made) is BUILDERS[name]
    assert str(made.data_path) == str(
        tmp_path / ("5x12x10px" if scans else "64px") / name / "1.0.0"
    )
    assert made.info.features["image"].shape == SHAPES[name]
    assert made.info.homepage == made.spec.page
    copy = pickle.loads(pickle.dumps(made))
    assert copy.data_path == made.data_path and copy.info.features["image"].shape == SHAPES[name]


def test_all_sets_have_builders():
    assert set(BUILDERS) == set(SHAPES)


def test_empty_manual_folder_is_explained_by_the_page(tmp_path):
    (tmp_path / "empty").mkdir()
    download = tfds.download.DownloadConfig(manual_dir=tmp_path / "empty")
    with pytest.raises(
        AssertionError,
        match=r"Download the set from https://github.com/deepdrdoc/DeepDRiD and unpack",
    ):
        made = tfds.builder("deepdrid", data_dir=tmp_path / "work")
        made.download_and_prepare(download_config=download)


def test_tfds_builder_serves_alone(folders, tmp_path, opened):
    raw, _ = folders("idrid")
    made = tfds.builder("idrid", data_dir=tmp_path, size=48, progress=False)
    made.download_and_prepare(download_config=tfds.download.DownloadConfig(manual_dir=raw))
    examples, source = made.as_data_source("images"), opened("idrid")
    assert [example["name"].decode() for example in examples] == list(source.names)
    np.testing.assert_array_equal(examples[0]["image"], np.round(255 * source[0]["image"]))
