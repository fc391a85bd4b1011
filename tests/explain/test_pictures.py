import sys

import nibabel
import numpy as np
import pytest
from PIL import Image

from cfx_jax.data import open_images
from cfx_jax.errors import InputError
from cfx_jax.explain import load_explanations
from cfx_jax.explain.command import main
from cfx_jax.explain.pictures import load_images, write_volumes

RNG = np.random.default_rng(0)
MODEL = """
import jax.numpy as jnp

def classifier():
    def classify(image):
        value = 8 * (image[:4].mean() - image[4:].mean())
        return jnp.stack([-value, value])
    return classify
"""


@pytest.fixture
def volume(tmp_path):
    voxels = RNG.integers(0, 100, (8, 8, 3)).astype(np.float32)
    voxels[..., 1] = 0
    nibabel.save(nibabel.Nifti1Image(voxels, np.diag([1.0, 1, 3, 1])), tmp_path / "brain.nii.gz")
    return tmp_path / "brain.nii.gz"


@pytest.fixture
def model(tmp_path, monkeypatch):
    (tmp_path / "own_model.py").write_text(MODEL)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    yield "own_model:classifier"
    sys.modules.pop("own_model", None)


def test_an_image_damaged_behind_its_header_is_told_and_left_out(tmp_path):
    for number in range(3):
        pixels = RNG.integers(0, 255, (300, 300), np.uint8)
        Image.fromarray(pixels).save(tmp_path / f"{number}.png")
    (tmp_path / "1.png").write_bytes((tmp_path / "1.png").read_bytes()[:-100])
    images = open_images(tmp_path, size=8)
    loaded = load_images(images)
    assert loaded.images.shape == (2, 8, 8, 1) and loaded.places.tolist() == [0, 2]
    assert loaded.damaged == ("1.png: is cut short",)
    assert load_images(images, most=1).places.tolist() == [0]
    for number in (0, 2):
        (tmp_path / f"{number}.png").unlink()
    with pytest.raises(InputError, match="none of 3 can be decoded; the first: 0"):
        load_images(images)


def test_maps_are_summed_and_changes_averaged_over_channels(tmp_path, volume):
    images = open_images(volume, channels=3)
    picture = np.stack([np.full((8, 8), value, np.float32) for value in (0.1, 0.2, 0.3)], -1)
    (path,) = write_volumes(tmp_path, images, "gradient", {1: picture}.get)
    assert path.name == "brain_gradient.nii.gz"
    np.testing.assert_allclose(nibabel.load(path).get_fdata()[..., 2], 0.6, rtol=1e-6)
    (path,) = write_volumes(tmp_path, images, "vce", {1: picture}.get, changes=True)
    before, after = nibabel.load(volume).get_fdata(), nibabel.load(path).get_fdata()
    np.testing.assert_allclose((after - before)[..., 2], 0.2 * before.max(), rtol=1e-4)
    assert write_volumes(tmp_path, images, "gradient", {}.get) == []


def test_the_command_writes_volumes_that_lie_on_theirs(volume, model, capsys):
    options = ("--methods", "vce", "gradient", "--num-steps", "4", "--out", "out")
    given = ("explain", "--model", model, "--images", str(volume), *options)
    assert main([*given, "--window", "50", "100"]) == 0
    assert "1 volumes give 2 slices" in capsys.readouterr().err
    answers, scan = load_explanations("out"), nibabel.load(volume)
    change = nibabel.load("out/brain_vce.nii.gz").get_fdata() - scan.get_fdata()
    for place, number in enumerate((0, 2)):
        expected = 100 * (answers.pictures["vce"] - answers.images)[place, ..., 0]
        np.testing.assert_allclose(change[::-1, ::-1, number].T, expected, atol=1e-3)
    assert not change[..., 1].any()
    maps = nibabel.load("out/brain_gradient.nii.gz")
    assert maps.shape == scan.shape and (maps.affine == scan.affine).all()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--window", "wide", "5"), "--window: expected CENTER WIDTH, got wide 5"),
        (("--window", "5"), "window: expected 'file', 'full', 'values' or"),
        (("--window", "5", "0"), "with a width above 0"),
        (("--groups", "x"), "a pattern with one group"),
        (("--images", "csv:none.csv"), "expected a CSV file, found none at 'none.csv'"),
    ],
)
def test_mistakes_about_images_are_one_line(volume, model, capsys, options, message):
    given = ("check", "--model", model, "--images", str(volume))
    assert main([*given, *options]) == 2
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1 and message in lines[0], lines
