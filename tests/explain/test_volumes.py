import sys

import jax.numpy as jnp
import nibabel
import numpy as np
import pytest
from flax import nnx
from PIL import Image
from small_classifiers import linear_classifier

from cfx_jax.data import open_images
from cfx_jax.explain import Network, explain, load_explanations, trained_generator
from cfx_jax.explain.command import main
from cfx_jax.explain.volumes import write_volumes
from cfx_jax.models import SingleAE

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


def test_an_image_damaged_behind_its_header_is_told_and_left_out(tmp_path, model, capsys):
    for number in range(3):
        pixels = RNG.integers(0, 255, (300, 300), np.uint8)
        Image.fromarray(pixels).save(tmp_path / f"{number}.png")
    (tmp_path / "1.png").write_bytes((tmp_path / "1.png").read_bytes()[:-100])
    given = ("--model", model, "--images", str(tmp_path), "--size", "8", "8")
    assert main(["check", *given]) == 0
    assert "skipped: 1.png: is cut short" in capsys.readouterr().err
    options = ("--methods", "gradient", "--out", "out")
    assert main(["explain", *given, *options]) == 0
    assert "skipped: 1.png: is cut short" in capsys.readouterr().err
    assert load_explanations("out").names == ("0.png", "2.png")
    for number in (0, 2):
        (tmp_path / f"{number}.png").unlink()
    assert main(["check", *given]) == 2
    assert "expected one that can be decoded, got none" in capsys.readouterr().err


def test_shards_together_give_the_volume_back(tmp_path, volume, model):
    """Of two slices each shard has one, and so has the volume that the last of them writes."""
    given = ("--model", model, "--images", str(volume), "--batch-size", "1", "--num-steps", "3")
    options = ("--methods", "gradient", "vce")
    assert main(["explain", *given, *options, "--out", "alone"]) == 0
    for part in ("1/2", "2/2"):
        assert not list((tmp_path / "shared").glob("*.nii.gz"))
        assert main(["explain", *given, *options, "--out", "shared", "--shard", part]) == 0
    for name in ("brain_gradient.nii.gz", "brain_vce.nii.gz"):
        whole, joined = (
            nibabel.load(tmp_path / folder / name).get_fdata() for folder in ("alone", "shared")
        )
        np.testing.assert_array_equal(joined, whole)
        assert all(joined[..., number].any() for number in (0, 2))


def test_maps_are_summed_and_changes_averaged_over_channels(tmp_path, volume):
    images = open_images(volume, channels=3)

    def classifier(image):
        values = jnp.tanh(image @ jnp.array([3.0, 2.0, 1.0]))
        return jnp.stack([values.mean(), -values.mean()])

    answers = explain(classifier, images, methods=["gradient", "vce"], num_steps=3, radius=0.5)
    paths = write_volumes(tmp_path, images, answers)
    assert [path.name for path in paths] == ["brain_gradient.nii.gz", "brain_vce.nii.gz"]
    before, gradient, vce = (
        nibabel.load(path).get_fdata()[::-1, ::-1] for path in (volume, *paths)
    )
    for place, number in enumerate((0, 2)):
        summed = answers.pictures["gradient"][place].sum(2)
        np.testing.assert_allclose(gradient[..., number].T, summed, rtol=1e-5, atol=1e-7)
        changed = (answers.pictures["vce"] - answers.images)[place].mean(2) * before.max()
        np.testing.assert_allclose((vce - before)[..., number].T, changed, atol=1e-3)
    assert not gradient[..., 1].any() and not (vce - before)[..., 1].any()


def test_a_generators_picture_is_added_as_a_change_and_its_map_is_written(tmp_path, volume):
    images = open_images(volume)
    options = {"in_channels": 1, "filters": [2, 3], "head_filters": [2]}
    network = SingleAE(**options, rngs=nnx.Rngs(0))
    generator = trained_generator(
        "similar_adversarial",
        [Network("SingleAE", options, network)],
        linear_classifier,
        classes=("a", "b"),
        sides=((0,), (1,)),
        shape=(8, 8, 1),
        model="linear",
        training={},
    )
    answers = explain(linear_classifier, images, methods=(), generators=[generator])
    paths = write_volumes(tmp_path, images, answers)
    names = ["brain_similar_adversarial.nii.gz", "brain_similar_adversarial_map.nii.gz"]
    assert [path.name for path in paths] == names
    before, drawn, heat = (nibabel.load(path).get_fdata()[::-1, ::-1] for path in (volume, *paths))
    slices = jnp.stack([images[0]["image"], images[1]["image"]])
    similar, adversarial = network(slices)
    for place, number in enumerate((0, 2)):
        change = (adversarial - slices)[place, ..., 0] * before.max()
        np.testing.assert_allclose((drawn - before)[..., number].T, change, atol=1e-3)
        difference = jnp.abs(similar - adversarial)[place, ..., 0]
        np.testing.assert_allclose(heat[..., number].T, difference, atol=1e-5)


def test_volumes_whose_names_coincide_are_written_apart(tmp_path, volume):
    (tmp_path / "scans/a").mkdir(parents=True)
    scan = nibabel.load(volume)
    for place, name in enumerate(("a.nii", "a.nii.gz", "a/b.nii", "a_b.nii")):
        shifted = np.diag([1.0, 1, 3, 1])
        shifted[0, 3] = place
        nibabel.save(nibabel.Nifti1Image(scan.get_fdata(), shifted), tmp_path / "scans" / name)
    images = open_images(tmp_path / "scans")
    answers = explain(lambda image: image[:2, 0, 0], images, methods=["gradient"])
    paths = write_volumes(tmp_path, images, answers)
    assert len({str(path).casefold() for path in paths}) == 4
    assert {nibabel.load(path).affine[0, 3] for path in paths} == {0, 1, 2, 3}


def test_maps_are_not_written_among_the_volumes_that_are_explained(volume, model, capsys):
    folder = str(volume.parent)
    given = ("explain", "--model", model, "--methods", "gradient", "--images", folder)
    assert main([*given, "--out", f"{folder}/out"]) == 2
    assert "--out: expected a folder outside of" in capsys.readouterr().err


def test_a_volume_without_explained_slices_is_not_written(tmp_path, volume):
    images = open_images(volume)
    answers = explain(lambda image: image[:2, 0, 0], images, methods=["gradient"])
    assert write_volumes(tmp_path, images, answers[:0]) == []


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
    mistakes = [line for line in lines if "stage" not in line]
    assert len(mistakes) == 1 and message in mistakes[0], lines
