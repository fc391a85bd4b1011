"""Trainings of classifiers: settings that the images decide, and the check of the network."""

import numpy as np
import pytest
from flax import nnx

from cfx_jax.errors import InputError
from experiments.shared import ImageSet, StoredImages, Workspace, fit_to_images, train_network
from trainers import classifier, with_run

IMAGES = np.random.default_rng(0).uniform(size=(20, 8, 8, 3)).astype(np.float32)


@pytest.fixture
def images():
    arrays = {"image": IMAGES, "label": np.arange(20) % 2}
    return ImageSet.whole(StoredImages(arrays, ("a", "b")), "made by hand")


def test_a_training_is_normalised_by_its_images(images, tmp_path):
    settings = with_run(classifier.Config(in_channels=1), num_steps=3)
    fitted = fit_to_images(settings, images, Workspace(tmp_path))
    assert (fitted.num_classes, fitted.in_channels, fitted.run.num_steps) == (2, 3, 3)
    np.testing.assert_allclose(fitted.mean, IMAGES.mean((0, 1, 2)), atol=1e-4)
    np.testing.assert_allclose(fitted.std, IMAGES.std((0, 1, 2)), atol=1e-4)


class Network(nnx.Module):
    """Two logits of the mean of each image, times a factor."""

    def __init__(self, factor):
        self.factor = nnx.Param(np.float32(factor))

    def __call__(self, images):
        mean = images.mean((1, 2, 3))
        return self.factor[...] * np.array([-1.0, 1.0]) * (mean[:, None] - 0.5)


@pytest.mark.parametrize("factor", [1.0, 0.0])
def test_a_network_is_trained_on_its_images_and_one_that_ignores_them_is_refused(
    images, tmp_path, monkeypatch, capsys, factor
):
    calls = []

    def train(trainer, settings, source, indices, validation, folder, *, augment):
        calls.append((source, indices.tolist(), len(validation["label"]), folder, augment))
        return Network(factor)

    part, settings = images.take(np.arange(12)), with_run(classifier.Config(), num_steps=7)
    validation = images.take(np.arange(12, 20))

    def make():
        given = settings, part, validation, tmp_path
        return train_network("toy", classifier.TRAINER, *given, augment="none")

    monkeypatch.setattr("experiments.shared.training.train", train)

    if factor:
        assert isinstance(make(), Network)
    else:
        with pytest.raises(InputError):
            make()
    assert calls == [(images.source, list(range(12)), 8, tmp_path, "none")]
    assert f"toy: 7 steps in {tmp_path}" in capsys.readouterr().out
