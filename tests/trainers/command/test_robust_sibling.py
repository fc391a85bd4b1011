"""A robust sibling of a network: as accurate, more robust, and its counterfactuals repeat."""

from dataclasses import replace
from functools import cache
from pathlib import Path
from tempfile import mkdtemp

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from cfx_jax.data import ArraySource
from cfx_jax.errors import InputError
from cfx_jax.explain import explain, load_sibling, sibling_of, with_sibling
from cfx_jax.models import per_image
from trainers import OptimiserSettings, trades, with_run
from trainers.command.robust_sibling import CONFIG, measure_robustness, train_sibling

PATTERN = np.where(np.arange(8) < 4, 1, -1)[None, :, None] / 8 * np.ones((8, 8, 1))
RADIUS = 0.2
"""Half of what leads from an image to the edge between the classes along the pattern."""
CLOSE = 0.03
"""The sibling may lose so much of the accuracy: 3 of 100 images."""


class Rough(nnx.Module):
    """The pattern's evidence, and waves so short that their slopes say more than it, for nothing.

    Its statistics stand for those of a batch norm: no training is to move them.
    """

    def __init__(self, rngs: nnx.Rngs) -> None:
        rng = np.random.default_rng(0)
        directions = rng.normal(size=(64, 24))
        self.waves = nnx.BatchStat(
            jnp.asarray(25 * directions / np.linalg.norm(directions, axis=0))
        )
        self.evidence = nnx.Param(jnp.asarray(4 * PATTERN.ravel()))
        self.heights = nnx.Param(jnp.full(24, 0.25))

    def __call__(self, images: jax.Array) -> jax.Array:
        pixels = images.reshape(len(images), -1) - 0.5
        value = pixels @ self.evidence[...]
        value += jnp.sin(pixels @ self.waves[...].astype(pixels.dtype)) @ self.heights[...]
        return jnp.stack([-value / 2, value / 2], axis=1)


def images_and_labels(count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    labels = rng.integers(2, size=count)
    signs = (2 * labels - 1)[:, None, None, None]
    images = 0.5 + 0.45 * signs * PATTERN + 0.04 * rng.normal(size=(count, 8, 8, 1))
    return images.clip(0, 1).astype(np.float32), labels.astype(np.int32)


def plain():
    return per_image(Rough(nnx.Rngs(0)))


def validation(count: int = 100) -> dict[str, np.ndarray]:
    images, labels = images_and_labels(count, seed=1)
    return {"image": images, "label": labels}


def config(**run: int) -> trades.Config:
    settings = {"num_steps": 60, "batch_size": 32, "evaluate_every": 30, "checkpoint_every": 30}
    return replace(
        with_run(CONFIG, eval_batch_size=100, **{**settings, **run}),
        attack=trades.AttackConfig(radius=RADIUS, num_steps=5),
        optimiser=OptimiserSettings(rule="adam", learning_rate=2e-2),
    )


def train(workdir: Path, classifier=None, **run: int):
    source = ArraySource(*images_and_labels(128, seed=0), ("left", "right"))
    return train_sibling(
        classifier or plain(),
        source,
        np.arange(len(source)),
        validation(),
        workdir,
        config=config(**run),
        progress=False,
    )


@cache
def trained():
    return train(Path(mkdtemp()) / "sibling")


def answers(classifier):
    return measure_robustness(classifier, validation(), config().attack, batch_size=100)


def test_images_in_the_order_of_their_classes_are_measured_at_equal_distances():
    """Of 300 images the first 100 would be of one class."""
    images, labels = images_and_labels(300, seed=2)
    order = np.argsort(labels, kind="stable")
    ordered = {"image": images[order], "label": labels[order]}

    def always_left(image):
        return jnp.array([1.0, 0.0]) + 1e-6 * image.sum()

    found = measure_robustness(always_left, ordered, config().attack, batch_size=100)
    assert found.num_images == 100
    assert abs(found.accuracy - (labels == 0).mean()) < 0.02


@pytest.mark.slow
def test_it_is_as_accurate_and_more_robust():
    own, robust = answers(plain()), answers(sibling_of(trained(), plain()))
    both = answers(with_sibling(trained(), plain()))
    assert robust.accuracy >= own.accuracy - CLOSE
    assert robust.robust_accuracy > own.robust_accuracy + 0.3
    assert both.accuracy >= own.accuracy - CLOSE
    assert own.robust_accuracy < both.robust_accuracy


@pytest.mark.slow
def test_a_random_start_repeats_more_of_its_counterfactuals():
    images = validation()["image"][:16]
    options = {"methods": ["vce"], "radius": 0.8, "num_steps": 20}
    own, robust = (
        explain(classifier, images, **options).scores["vce"]["repeated"].mean()
        for classifier in (plain(), sibling_of(trained(), plain()))
    )
    assert own < 0.5 and robust > own + 0.3, (own, robust)


def test_the_folder_keeps_it_and_statistics_stay(tmp_path):
    sibling = train(tmp_path / "work", num_steps=1, evaluate_every=1, checkpoint_every=1)
    again = load_sibling(tmp_path / "work")
    assert again.parameters.keys() == sibling.parameters.keys()
    assert sorted(values.shape for values in again.parameters.values()) == [(24,), (64,)]
    image = validation()["image"][0]
    robust = sibling_of(again, plain())
    np.testing.assert_array_equal(robust(image), sibling_of(sibling, plain())(image))
    assert not np.array_equal(robust(image), plain()(image))
    own, other = again.temperatures
    logits = (plain()(image) / own, robust(image) / other)
    probabilities = np.mean([jax.nn.softmax(one) for one in logits], axis=0)
    found = jax.nn.softmax(with_sibling(again, plain())(image))
    np.testing.assert_allclose(found, probabilities, rtol=1e-5)


def test_another_model_is_refused(tmp_path):
    sibling = train(tmp_path / "work", num_steps=1, evaluate_every=1, checkpoint_every=1)
    other = Rough(nnx.Rngs(0))
    other.evidence[...] = 2 * other.evidence[...]
    with pytest.raises(InputError, match="sibling: it is one of another model, classifier: logits"):
        sibling_of(sibling, per_image(other))
    with pytest.raises(InputError, match="sibling: it is one of another model, classifier: it has"):
        with_sibling(sibling, lambda image: jnp.zeros(3) + image.mean())


def test_a_function_without_parameters_is_refused(tmp_path):
    with pytest.raises(InputError, match="model: expected one whose parameters JAX knows"):
        train(tmp_path, lambda image: jnp.stack([0.5 + 0 * image.mean(), image.mean()]))


def test_folders_without_a_sibling(tmp_path):
    with pytest.raises(InputError, match=r"found no sibling\.json"):
        load_sibling(tmp_path)
    (tmp_path / "training.json").write_text("{}")
    with pytest.raises(InputError, match="is not finished"):
        load_sibling(tmp_path)
