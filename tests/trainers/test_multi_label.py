"""Training of a classifier of several labels: each is learned, and a stopped training goes on to
the same bits.
"""

import json
import shutil
from dataclasses import asdict, replace
from functools import cache
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from sklearn.metrics import roc_auc_score
from toy_training import OPTIONS, bits, with_options

from cfx_jax.data import ArraySource
from cfx_jax.errors import InputError
from cfx_jax.training.workdir import prepare_workdir
from trainers import Inputs, OptimiserSettings, count_steps, load, train, with_run
from trainers.multi_label import (
    TRAINER,
    Config,
    init,
    make_evaluate,
    make_step,
    score_labels,
)
from trainers.shared import restore_config, variables_of

ADAM = OptimiserSettings(rule="adamw", learning_rate=3e-2)


class Net(nnx.Module):
    """A linear layer after a batch norm."""

    def __init__(self, rngs: nnx.Rngs) -> None:
        self.norm = nnx.BatchNorm(64, momentum=0.9, rngs=rngs)
        self.head = nnx.Linear(64, 3, rngs=rngs)

    def __call__(self, images: jax.Array) -> jax.Array:
        return self.head(self.norm(images.reshape(len(images), -1)))


def net(rngs: nnx.Rngs) -> Net:
    return Net(rngs)


def labelled(count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Noise in which each of three labels brightens a part of the image of its own."""
    rng = np.random.default_rng(seed)
    labels = (rng.random((count, 3)) < [0.5, 0.3, 0.7]).astype(np.int64)
    images = 0.4 + 0.05 * rng.normal(size=(count, 8, 8, 1))
    for label in range(3):
        images[:, 2 * label : 2 * label + 2, ..., 0] += 0.2 * labels[:, label, None, None]
    return images.clip(0, 1).astype(np.float32), labels


def _config(num_steps: int, **options: Any) -> Config:
    given: dict[str, Any] = {**OPTIONS, "num_classes": 3, "optimiser": ADAM, "checkpoint_every": 3}
    return with_options(Config(), num_steps=num_steps, **{**given, **options})


@cache
def _compiled() -> Any:
    """The step, compiled once; numbers of steps play no part in one of a constant rate."""
    return jax.jit(make_step(_config(1), Inputs(model=net)))


def _train(workdir: Path, config: Config, **options: Any) -> Any:
    images, labels = labelled(96, 0)
    source = ArraySource(images, np.zeros(96, np.int32), ("a", "b"))
    validation = dict(zip(("image", "label"), labelled(64, 1), strict=True))
    given: dict[str, Any] = {"targets": labels[:64], "model": net, "progress": False, **options}
    compiled = replace(TRAINER, make_step=lambda config, inputs: _compiled())
    return train(compiled, config, source, np.arange(64), validation, workdir, **given)


def test_defaults_are_those_of_the_method_card() -> None:
    config = Config()
    assert (config.model, config.mean[0], config.std[0]) == ("densenet121", 0.5, 0.5)
    assert config.optimiser == OptimiserSettings("adamw", 1e-4, 0.9)
    assert (config.run.batch_size, config.run.epochs, config.run.num_steps) == (32, 5, 0)
    assert config.select == "none"


def test_the_loss_is_the_mean_over_images_and_labels_of_independent_sigmoids() -> None:
    state = init(jax.random.key(0), _config(1), Inputs(model=net))
    head = state.params["head"]
    head["kernel"][...], head["bias"][...] = jnp.zeros((64, 3)), jnp.array([0.0, 1.0, -2.0])
    images, labels = labelled(32, 2)
    _, metrics = _compiled()(state, jax.random.key(0), {"image": images, "target": labels})
    probability = 1 / (1 + np.exp(-np.array([0.0, 1.0, -2.0])))
    expected = -(labels * np.log(probability) + (1 - labels) * np.log(1 - probability)).mean()
    assert float(metrics["loss"]) == pytest.approx(expected, rel=1e-5)
    assert float(metrics["accuracy"]) == pytest.approx((labels == [1, 1, 0]).mean())


class Linear(nnx.Module):
    """One label's log-odds, linear in the image."""

    def __init__(self, rngs: nnx.Rngs) -> None:
        self.head = nnx.Linear(64, 1, rngs=rngs)

    def __call__(self, images: jax.Array) -> jax.Array:
        return self.head(images.reshape(len(images), -1))


@pytest.mark.parametrize("steps", [1, 3])
def test_attacked_images_have_the_margin_of_a_linear_classifier_less_the_radius(steps: int) -> None:
    """The worst image within a distance r lowers the margin of a linear one by r times its norm."""
    radius = 0.05
    config = _config(1, num_classes=1, attack_radius=radius, attack_steps=steps)
    state = init(jax.random.key(1), config, Inputs(model=Linear))
    images, labels = labelled(16, 2)
    batch = {"image": images, "target": labels[:, :1]}
    _, metrics = make_step(config, Inputs(model=Linear))(state, jax.random.key(0), batch)
    kernel = np.asarray(state.params["head"]["kernel"][...])[:, 0]
    signs = 2 * labels[:, 0] - 1
    margins = signs * (images.reshape(16, 64) @ kernel) - radius * np.linalg.norm(kernel)
    assert images.min() > radius and images.max() < 1 - radius  # no image is clipped
    assert float(metrics["loss"]) == pytest.approx(np.log1p(np.exp(-margins)).mean(), rel=1e-4)
    assert float(metrics["accuracy"]) == pytest.approx((margins >= 0).mean())


@pytest.mark.slow
def test_training_learns_each_label_and_goes_on_from_a_checkpoint_to_the_same_bits(
    tmp_path: Path,
) -> None:
    config = _config(40, select="auc", checkpoint_every=30)
    model = _train(tmp_path, config)
    whole = bits(variables_of(model))
    assert bits(variables_of(load(TRAINER, tmp_path, model=net))) == whole
    written = (tmp_path / "metrics.jsonl").read_text()
    shutil.rmtree(tmp_path / "checkpoints" / "step_00000040")
    with pytest.raises(InputError, match="stands at step 30 of 40: call train again"):
        load(TRAINER, tmp_path, model=net)
    assert bits(variables_of(_train(tmp_path, config))) == whole
    assert (tmp_path / "metrics.jsonl").read_text() == written
    lines = [each for each in map(json.loads, written.splitlines()) if "validation_auc" in each]
    assert min(lines[-1][f"validation_auc_{label}"] for label in range(3)) > 0.95
    images, labels = labelled(64, 1)
    found = roc_auc_score(labels, np.asarray(model(images)))
    assert max(each["validation_auc"] for each in lines) == pytest.approx(found, rel=1e-6)


def test_scores_by_hand() -> None:
    logits = np.array([[1.0, -1.0], [-1.0, 2.0], [3.0, 1.0], [0.0, -3.0]])
    labels = np.array([[1, 0], [0, 0], [0, 1], [1, 0]])
    assert score_labels(logits, labels) == {
        "validation_accuracy_0": 0.75,
        "validation_accuracy_1": 0.75,
        "validation_accuracy": 0.75,
        # Positives 1 and 0 against negatives -1 and 3: two of four pairs; positive 1 against -1, 2
        # and -3: two of three.
        "validation_auc_0": 0.5,
        "validation_auc_1": pytest.approx(2 / 3),
        "validation_auc": pytest.approx(7 / 12),
    }


def test_a_configuration_is_read_back_from_its_file_as_it_was() -> None:
    config = _config(1, select="accuracy")
    assert restore_config(Config, json.loads(json.dumps(asdict(config)))) == config


def test_mistakes_are_named(tmp_path: Path) -> None:
    for options in ({"attack_radius": -1.0}, {"attack_steps": 0}):
        with pytest.raises(InputError, match=next(iter(options))):
            _train(tmp_path, _config(1, **options))
    images, labels = labelled(64, 0)
    with pytest.raises(
        InputError, match=r"^labels: expected 0 and 1, got -1: turn -1 into 0, by `labels > 0`"
    ):
        _train(tmp_path, _config(1), targets=2 * labels - 1)
    with pytest.raises(
        InputError, match=r"^labels: expected 0 and 1, got 0.3: decide on uncertain ones first"
    ):
        _train(tmp_path, _config(1), targets=np.full((64, 3), 0.3))
    with pytest.raises(
        InputError, match=r"^labels: .* each of 3 labels, shape \(64, 3\), got shape \(64,\): num_"
    ):
        _train(tmp_path, _config(1), targets=labels[:, 0])
    with pytest.raises(
        InputError, match="labels: expected one for each of the 64 training images, got 63"
    ):
        _train(tmp_path, _config(1), targets=labels[1:])
    with pytest.raises(
        InputError,
        match="validation labels: expected images with and without each label, got 1 for all of",
    ):
        constant = {"image": images, "label": np.maximum(labels, [0, 1, 0])}
        make_evaluate(_config(1), Inputs(validation=constant, model=net))
    with pytest.raises(InputError, match=r"validation images: expected values in \[0, 1\]"):
        outside = {"image": 2 + images, "label": labels}
        make_evaluate(_config(1), Inputs(validation=outside, model=net))
    with pytest.raises(
        InputError,
        match="balanced: expected False, since several labels cannot be balanced at once",
    ):
        _train(tmp_path, _config(1, balanced=True))
    with pytest.raises(
        InputError, match="select: expected one of 'auc', 'accuracy', 'none', got 'loss'"
    ):
        _train(tmp_path, _config(1, select="loss"))
    with pytest.raises(InputError, match="in_channels: expected 1 as the images have, got 3"):
        _train(tmp_path, _config(1), model=None)
    with pytest.raises(InputError, match="batch_size: expected a multiple of the 1 devices, got 0"):
        _train(tmp_path, _config(1, batch_size=0))
    prepare_workdir(tmp_path, {"trainer": "trades"})
    with pytest.raises(InputError, match=r"expected a training of multi_label, .* is of trades"):
        load(TRAINER, tmp_path)


@pytest.mark.parametrize(
    ("number", "steps"), [(182_592, 5 * 5706), (40_000, 5 * 1250), (33, 5), (3, 5)]
)
def test_the_steps_of_epochs_follow_the_number_of_images(number: int, steps: int) -> None:
    """Full batches of 32 alone, as released; one at least."""
    run = count_steps(Config(), num_images=number).run
    assert (run.num_steps, run.evaluate_every) == (steps, steps // 5)
    assert count_steps(with_run(Config(), num_steps=7), num_images=number).run.num_steps == 7
    with pytest.raises(InputError, match=r"^epochs: expected enough for one of \d+ steps, got -1$"):
        count_steps(with_run(Config(), epochs=-1), num_images=number)


def test_a_training_takes_the_steps_of_its_epochs(tmp_path: Path) -> None:
    def stop(config: Config, inputs: Inputs) -> Any:
        assert (config.run.num_steps, config.run.evaluate_every) == (4, 2)
        raise StopIteration

    images, labels = labelled(40, 0)
    data = ArraySource(images, labels[:, 0], ("a", "b")), np.arange(40)
    config = _config(0, epochs=2, batch_size=16, evaluate_every=0)
    validation = {"image": images, "label": labels}
    stopping = replace(TRAINER, make_step=stop)
    with pytest.raises(StopIteration):
        train(stopping, config, *data, validation, tmp_path, targets=labels, model=net)
