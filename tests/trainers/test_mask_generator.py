"""Training of a generator of masks: the decoder learns, encoder and classifier stay, and a stopped
training goes on to the same bits."""

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
from toy_training import bits, with_options

from cfx_jax.data import ArraySource
from cfx_jax.errors import InputError
from cfx_jax.losses import MaskGeneratorWeights, blend, random_backgrounds
from cfx_jax.models import FindingClassifier, ResNet, per_image
from cfx_jax.parallel import data_mesh, replicate, shard
from cfx_jax.training.workdir import prepare_workdir
from trainers import Inputs, load, train
from trainers.mask_generator import (
    TRAINER,
    Config,
    _make_optimiser,
    build,
    init,
    make_evaluate,
    make_step,
    measure_answers,
)
from trainers.shared import restore_config


@cache
@nnx.jit
def network() -> ResNet:
    return ResNet(
        block="basic",
        stage_sizes=(1, 1),
        widths=(4, 6),
        num_classes=2,
        in_channels=1,
        mean=0.5,
        std=0.3,
        stem="imagenet",
        rngs=nnx.Rngs(0),
    )


def classifier(image: jax.Array) -> jax.Array:
    """Looks at one quarter of the image alone: bright, as no background is, is class 1."""
    score = 20 * (image[:4, :4].mean() - 0.68)
    return jnp.stack([-score, score])


def images_of(count: int, seed: int) -> np.ndarray:
    """Grey images with noise whose first quarter is bright or dark, in turn."""
    images = 0.5 + 0.1 * np.random.default_rng(seed).uniform(-1, 1, size=(count, 8, 8, 1))
    images[0::2, :4, :4] -= 0.35
    images[1::2, :4, :4] += 0.35
    return images.astype(np.float32)


def data() -> ArraySource:
    return ArraySource(images_of(32, seed=0), np.zeros(32, np.int32), ("healthy", "ill"))


def validation() -> dict[str, np.ndarray]:
    return {"image": images_of(12, seed=1)}


def _config(num_steps: int, **options: Any) -> Config:
    small = {
        "width": 3,
        "batch_size": 16,
        "eval_batch_size": 8,
        "blur_sigma": 2.0,
        "blurred": 0.0,
        "learning_rate": 1e-2,
        "weights": MaskGeneratorWeights(smoothness=0.0, area_power=1.0),
        "log_every": 10,
        "evaluate_every": 4,
        "checkpoint_every": 3,
    }
    return with_options(Config(), num_steps=num_steps, **{**small, **options})


def inputs() -> Inputs:
    return Inputs(validation=validation(), classifier=classifier, encoder=network())


@cache
def _compiled() -> Any:
    """The step, compiled once; numbers of steps and sizes of batches play no part in it."""
    return jax.jit(make_step(_config(1), inputs()))


def _step(state: Any, key: jax.Array, images: np.ndarray) -> Any:
    """Placed as a training does, so that both share what is compiled."""
    return _compiled()(replicate(state, data_mesh()), key, shard({"image": images}, data_mesh()))


@jax.jit
def _masks(decoder: Any, images: jax.Array) -> jax.Array:
    """By the function of one image, as an explanation takes them."""
    model = build(_config(1), network(), nnx.Rngs(0)).with_decoder(decoder)
    return jax.vmap(per_image(model))(images)


def _train(workdir: Path, config: Config) -> Any:
    compiled = replace(TRAINER, make_step=lambda config, inputs: _compiled())
    images = data(), np.arange(32), validation()
    options: dict[str, Any] = {"classifier": classifier, "encoder": network(), "progress": False}
    return train(compiled, config, *images, workdir, **options)


def test_defaults_are_those_of_the_released_script() -> None:
    config = Config()
    assert (config.learning_rate, config.weight_decay) == (1e-3, 1e-4)
    assert (config.run.num_steps, config.run.batch_size) == (3000, 64)
    assert (config.blurred, config.blur_sigma) == (0.5, 11.0)
    assert config.weights == MaskGeneratorWeights(1, 0.3, 8, 0.005, 5, 1, 0.3, 0.3)


def test_one_step_by_hand() -> None:
    """The loss and what the masks reach, from the model's masks."""
    config, images, key = _config(1), images_of(16, seed=2), jax.random.key(5)
    state = init(jax.random.key(0), config, inputs())
    _, metrics = _step(state, key, images)
    masks = np.asarray(_masks(state.params, images))
    backgrounds = jax.jit(lambda x: random_backgrounds(key, x, blurred=0.0, sigma=2.0))(images)
    inside, outside = (
        np.asarray(blend(jnp.asarray(images), each, backgrounds)) for each in (masks, 1 - masks)
    )
    lead = [
        40
        * np.where(images[:, :4, :4].mean((1, 2, 3)) >= 0.68, 1, -1)
        * (each[:, :4, :4].mean((1, 2, 3)) - 0.68)
        for each in (inside, outside)
    ]
    expected = {
        "preserver": 0.3 * np.maximum(1 - lead[0], 0).mean(),
        "destroyer": np.maximum(lead[1] + 5, 0).mean(),
        "area": 8 * (masks + 5e-4).mean(),
        "smoothness": 0.0,
        "preserved": (lead[0] > 0).mean(),
        "destroyed": (lead[1] < 0).mean(),
        "covered": masks.mean(),
    }
    expected["loss"] = sum(expected[name] for name in ("preserver", "destroyer", "area"))
    assert {name: float(value) for name, value in metrics.items()} == pytest.approx(
        expected, rel=1e-4, abs=1e-6
    )


def test_weight_decay_is_added_to_the_gradient_before_adam() -> None:
    optimiser, weights = (
        _make_optimiser(_config(1, weight_decay=0.5)),
        jnp.array([4.0, -1.0, 0.0]),
    )
    gradients = jnp.array([-1.0, 0.25, 3.0])
    updates, _ = optimiser.update(gradients, optimiser.init(weights), weights)
    # Adam's first step is the sign of the sums, which are 1, -0.25 and 3.
    np.testing.assert_allclose(updates, [-1e-2, 1e-2, -1e-2], rtol=1e-3)


def test_masks_cover_what_decides_and_the_encoder_stays() -> None:
    config, before = _config(150), bits(nnx.state(network()))
    state, history = init(jax.random.key(0), config, inputs()), []
    for index in range(config.run.num_steps):
        state, metrics = _step(
            state, jax.random.fold_in(jax.random.key(1), index), images_of(16, seed=100 + index)
        )
        history.append({name: float(value) for name, value in metrics.items()})
    assert history[-1]["loss"] < 0.7 * history[0]["loss"]
    # No background is decided 1, so every image decided 0 stays so.
    assert history[-1]["preserved"] == 1 and history[-1]["destroyed"] > 0.4
    masks = np.asarray(_masks(state.params, images_of(16, seed=1)))
    assert masks.shape == (16, 8, 8, 1)
    assert masks[:, :4, :4].mean() > 0.7 > 4 * masks[:, 4:].mean()
    assert bits(nnx.state(network())) == before


def test_the_step_stores_the_decoder_alone_and_moves_all_of_it() -> None:
    state = init(jax.random.key(0), _config(1), inputs())
    assert set(state.params) == {"up", "head"} and not jax.tree.leaves(state.rest)
    moved, _ = _step(state, jax.random.key(0), images_of(16, seed=0))
    changed = jax.tree.map(lambda a, b: bool((a != b).any()), moved.params, state.params)
    assert all(jax.tree.leaves(changed))


@pytest.mark.slow
def test_a_validation_sees_each_image_against_the_same_background_whatever_the_batch() -> None:
    state = init(jax.random.key(0), _config(1), inputs())
    found = [make_evaluate(_config(1, eval_batch_size=size), inputs())(state) for size in (5, 8)]
    assert found[0] == pytest.approx(found[1], rel=1e-5)
    assert found[0]["validation_score"] == -found[0]["validation_loss"]
    assert {"validation_destroyer", "validation_preserved", "validation_covered"} < set(found[0])


def test_answers_by_hand() -> None:
    masks = jnp.concatenate([jnp.zeros((1, 2, 2, 1)), jnp.full((1, 2, 2, 1), 0.5)])
    inside, outside = jnp.array([[0.0, 1.0], [1.0, 0.0]]), jnp.array([[1.0, 0.0], [0.0, 2.0]])
    found = measure_answers(jnp.array([1, 1]), masks, inside, outside)
    assert {name: float(value) for name, value in found.items()} == {
        "preserved": 0.5,
        "destroyed": 0.5,
        "covered": 0.25,
    }


@pytest.mark.slow
def test_training_gives_masks_and_goes_on_from_a_checkpoint_to_the_same_bits(
    tmp_path: Path,
) -> None:
    config = _config(8)
    whole = bits(nnx.state(_train(tmp_path, config)))
    assert bits(nnx.state(load(TRAINER, tmp_path, encoder=network()))) == whole
    written = (tmp_path / "metrics.jsonl").read_text()
    shutil.rmtree(tmp_path / "checkpoints" / "step_00000008")
    with pytest.raises(InputError, match="stands at step 6 of 8: call train again"):
        load(TRAINER, tmp_path, encoder=network())
    assert bits(nnx.state(_train(tmp_path, config))) == whole
    assert (tmp_path / "metrics.jsonl").read_text() == written
    evaluated = [
        line for line in map(json.loads, written.splitlines()) if "validation_loss" in line
    ]
    assert [line["step"] for line in evaluated] == [4, 8]


def test_the_encoder_may_be_the_backbone_of_a_finding_classifier_and_has_to_be_the_trained_one(
    tmp_path: Path,
) -> None:
    finding = FindingClassifier(network(), rngs=nnx.Rngs(1))
    assert bits(init(jax.random.key(0), _config(1), Inputs(encoder=finding))) == bits(
        init(jax.random.key(0), _config(1), inputs())
    )
    _train(tmp_path, _config(1))
    with pytest.raises(
        InputError, match=r"encoder: expected the network that .* was trained with, got another one"
    ):
        load(TRAINER, tmp_path, encoder=jax.tree.map(lambda leaf: leaf + 1, network()))


def test_a_configuration_is_read_back_from_its_file_as_it_was() -> None:
    config = _config(1, balanced=True)
    assert restore_config(Config, json.loads(json.dumps(asdict(config)))) == config


def test_mistakes_are_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="encoder: expected a ResNet, got Linear"):
        init(jax.random.key(0), _config(1), Inputs(encoder=nnx.Linear(2, 2, rngs=nnx.Rngs(0))))
    with pytest.raises(InputError, match="learning_rate: expected a finite number above 0, got 0"):
        init(jax.random.key(0), _config(1, learning_rate=0.0), inputs())
    with pytest.raises(InputError, match=r"validation images: expected values in \[0, 1\]"):
        make_evaluate(
            _config(1), replace(inputs(), validation={"image": 2 + validation()["image"]})
        )
    with pytest.raises(InputError, match="select: expected one of 'loss', 'none', got 'area'"):
        _train(tmp_path, _config(1, select="area"))
    with pytest.raises(InputError, match="batch_size: expected a multiple of the 1 devices, got 0"):
        _train(tmp_path, _config(1, batch_size=0))
    prepare_workdir(tmp_path, {"trainer": "trades"})
    with pytest.raises(InputError, match=r"expected a training of mask_generator, .* is of trades"):
        load(TRAINER, tmp_path, encoder=network())
