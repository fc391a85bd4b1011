"""Training of the autoencoder of slices: one step by hand, slices come back, a stopped training
goes on to the same bits.
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
import optax
import pytest
from flax import nnx
from toy_progressive import data, images_of
from toy_training import bits, with_options

from cfx_jax.data import ArraySource
from cfx_jax.errors import InputError
from cfx_jax.training.workdir import prepare_workdir
from trainers import Inputs, load, train, with_run
from trainers.autoencoder import (
    TRAINER,
    Config,
    SliceSource,
    make_evaluate,
    make_step,
)
from trainers.shared import evaluation_view, graph_of, restore_config, training_view, variables_of


class Line(nnx.Module):
    """Two numbers for each image, with a batch norm that moves: quick to compile."""

    def __init__(self, rngs: nnx.Rngs) -> None:
        self.into = nnx.Linear(64, 2, rngs=rngs)
        self.out = nnx.Linear(2, 64, kernel_init=nnx.initializers.normal(0.1), rngs=rngs)
        self.norm = nnx.BatchNorm(64, momentum=0.9, rngs=rngs)

    def encode(self, images: jax.Array) -> jax.Array:
        return self.into(self.norm(images.reshape(len(images), -1)))

    def decode(self, latent: jax.Array) -> jax.Array:
        return 0.5 + self.out(latent).reshape(-1, 8, 8, 1)


def line(rngs: nnx.Rngs) -> Line:
    return Line(rngs)


def _config(num_steps: int, **options: Any) -> Config:
    given: dict[str, Any] = {
        "width": 4,
        "filters": (4, 4),
        "decoder_filters": (4, 4),
        "batch_size": 16,
        "eval_batch_size": 16,
        "log_every": 10,
        "evaluate_every": 20,
        "checkpoint_every": 3,
        "optimiser": replace(Config().optimiser, learning_rate=3e-2),
        "steps_per_epoch": 10,
    }
    return with_options(Config(), num_steps=num_steps, **{**given, **options})


@cache
def _compiled(config: Config) -> Any:
    return jax.jit(make_step(config, Inputs(model=line)))


def _train(workdir: Path, config: Config, source: Any = None) -> Any:
    alike = replace(config, select="none")
    compiled = replace(TRAINER, make_step=lambda config, inputs: _compiled(alike))
    images = data() if source is None else source, np.arange(64), {"image": images_of(32, 1)}
    return train(compiled, config, *images, workdir, model=line, progress=False)


def test_defaults_are_those_of_the_method_card() -> None:
    config = Config()
    assert (config.width, config.filters, config.decoder_filters) == (
        128,
        (6, 12, 16),
        (16, 12, 12),
    )
    # Steps, and those of an epoch, are counted out for the slices at hand.
    run, adam = config.run, config.optimiser
    assert (run.batch_size, run.epochs, run.num_steps, run.steps_per_epoch) == (64, 200, 0, 0)
    assert (adam.learning_rate, adam.smallest, adam.weight_decay) == (3e-4, 1e-7, 0.0)
    assert (adam.rule, adam.schedule) == ("adam", "cosine_by_epoch")


def test_epochs_are_counted_out_for_the_slices_at_hand(tmp_path: Path) -> None:
    configs: list[Config] = []
    stopping = replace(TRAINER, make_step=lambda config, inputs: configs.append(config) or 1 / 0)
    images = data(), np.arange(64), {"image": images_of(2, 1)}
    with pytest.raises(ZeroDivisionError):
        train(stopping, with_run(Config(), batch_size=10), *images, tmp_path, model=line)
    (run,) = (config.run for config in configs)  # of 64 slices, six whole batches
    assert (run.num_steps, run.evaluate_every, run.checkpoint_every) == (200 * 6, 6, 6)
    assert run.steps_per_epoch == 6


def test_one_step_by_hand() -> None:
    config, images = _config(1), jnp.asarray(images_of(16, 2))
    state = TRAINER.init(jax.random.key(0), config, Inputs(model=line))
    moved, metrics = _compiled(config)(state, jax.random.key(1), {"image": images})

    @jax.jit
    @jax.value_and_grad
    def error(params: Any) -> jax.Array:
        module: Any = training_view(graph_of(line), params, state.rest)
        return jnp.square(module.decode(module.encode(images)) - images).sum() / images.size

    adam = optax.adam(3e-2)
    loss, slopes = error(state.params)
    expected = optax.apply_updates(state.params, adam.update(slopes, adam.init(state.params))[0])
    assert float(metrics["loss"]) == pytest.approx(float(loss), rel=1e-4)
    for one, two in zip(jax.tree.leaves(moved.params), jax.tree.leaves(expected), strict=True):
        np.testing.assert_allclose(one, two, rtol=1e-4, atol=2e-5)


def test_training_gives_slices_back_and_goes_on_from_a_checkpoint_to_the_same_bits(
    tmp_path: Path,
) -> None:
    volumes = images_of(64, 0).reshape(16, 4, 8, 8, 1)
    source = SliceSource(ArraySource(volumes, np.arange(16) % 2, ("a", "b")), 4)
    config = _config(60, checkpoint_every=45)
    model = _train(tmp_path, config, source)
    whole = bits(variables_of(model))
    assert bits(variables_of(load(TRAINER, tmp_path, model=line))) == whole
    written = (tmp_path / "metrics.jsonl").read_text()
    shutil.rmtree(tmp_path / "checkpoints" / "step_00000060")
    with pytest.raises(InputError, match="stands at step 45 of 60: call train again"):
        load(TRAINER, tmp_path, model=line)
    assert bits(variables_of(_train(tmp_path, config, source))) == whole
    assert (tmp_path / "metrics.jsonl").read_text() == written
    lines = [each for each in map(json.loads, written.splitlines()) if "validation_loss" in each]
    for each in lines:
        assert each["validation_psnr"] == pytest.approx(-10 * np.log10(each["validation_loss"]))
    images = jnp.asarray(images_of(32, 1))
    errors = np.asarray(model.decode(model.encode(images)) - images) ** 2
    assert errors.mean() == pytest.approx(min(each["validation_loss"] for each in lines), rel=1e-4)
    assert errors.mean() < 0.5 * np.var(images)


def test_validation_is_that_of_the_evaluation_mode_whatever_the_batch() -> None:
    images = images_of(12, 1)
    state = TRAINER.init(jax.random.key(0), _config(1), Inputs(model=line))
    one, two = (
        make_evaluate(
            _config(1, eval_batch_size=size), Inputs(validation={"image": images}, model=line)
        )(state)
        for size in (5, 12)
    )
    assert one == pytest.approx(two, rel=1e-5)
    module: Any = evaluation_view(graph_of(line), state.params, state.rest)
    errors = np.asarray(module.decode(module.encode(jnp.asarray(images)))) - images
    assert one["validation_loss"] == pytest.approx(float(np.mean(errors**2)), rel=1e-4)


def test_the_configured_network_is_trained() -> None:
    state = jax.eval_shape(lambda key: TRAINER.init(key, _config(1), Inputs()), jax.random.key(0))
    assert state.params["stem"]["kernel"].shape == (3, 3, 1, 4)
    moved, metrics = jax.eval_shape(
        make_step(_config(1), Inputs()), state, jax.random.key(1), {"image": images_of(16, 2)}
    )
    assert jax.tree.structure(moved) == jax.tree.structure(state) and metrics["loss"].shape == ()


@pytest.mark.slow
def test_every_weight_and_statistic_of_the_configured_network_moves() -> None:
    state = TRAINER.init(jax.random.key(0), _config(1), Inputs())
    moved, metrics = jax.jit(make_step(_config(1), Inputs()))(
        state, jax.random.key(1), {"image": images_of(16, 2)}
    )
    assert np.isfinite(metrics["loss"])
    changed = jax.tree.map(
        lambda one, two: bool((one != two).any()),
        moved._replace(opt_state=()),
        state._replace(opt_state=()),
    )
    assert all(jax.tree.leaves(changed))


def test_a_configuration_is_read_back_from_its_file_as_it_was() -> None:
    config = _config(1, filters=(3, 4))
    assert restore_config(Config, json.loads(json.dumps(asdict(config)))) == config


def test_mistakes_are_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="learning_rate: expected a finite number above 0, got 0"):
        wrong = replace(Config().optimiser, learning_rate=0.0)
        TRAINER.init(jax.random.key(0), _config(1, optimiser=wrong), Inputs(model=line))
    with pytest.raises(InputError, match="weight_decay: expected a weight of at least 0, got -1"):
        wrong = replace(Config().optimiser, weight_decay=-1.0)
        make_step(_config(1, optimiser=wrong), Inputs(model=line))
    with pytest.raises(InputError, match=r"validation images: expected values in \[0, 1\]"):
        make_evaluate(_config(1), Inputs(validation={"image": 2 + images_of(2, 0)}, model=line))
    with pytest.raises(InputError, match="select: expected one of 'psnr', 'none', got 'loss'"):
        _train(tmp_path, _config(1, select="loss"))
    with pytest.raises(InputError, match="batch_size: expected a multiple of the 1 devices, got 0"):
        _train(tmp_path, _config(1, batch_size=0))
    prepare_workdir(tmp_path, {"trainer": "trades"})
    with pytest.raises(InputError, match=r"expected a training of autoencoder, .* is of trades"):
        load(TRAINER, tmp_path)


VOLUMES = np.random.default_rng(0).random((3, 4, 6, 5, 1), dtype=np.float32)
VOLUME_SOURCE = ArraySource(VOLUMES, np.array([0, 1, 1]), ("a", "b"))


def test_slices_follow_one_another_with_their_volumes_labels() -> None:
    slices = SliceSource(VOLUME_SOURCE, 4)
    assert len(slices) == 12 and slices.class_names == ("a", "b")
    for index, image in enumerate(VOLUMES.reshape(-1, 6, 5, 1)):
        np.testing.assert_array_equal(slices[index]["image"], image)
    np.testing.assert_array_equal([slices[index]["label"] for index in range(12)], slices.labels)


def test_volumes_of_another_number_of_slices_are_refused() -> None:
    with pytest.raises(
        InputError,
        match=r"volume 1: expected 5 slices \(s, h, w, c\), got shape \(4, 6, 5, 1\): sample",
    ):
        SliceSource(VOLUME_SOURCE, 5)[7]
