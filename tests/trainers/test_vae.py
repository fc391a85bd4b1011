"""Training of the autoencoder: one step by hand, images come back, and a stopped training goes on
to the same bits.
"""

import json
import shutil
from dataclasses import asdict, replace
from functools import cache, partial
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax import nnx
from toy_progressive import PATTERN, data, images_of
from toy_training import bits, with_options

from cfx_jax.errors import InputError
from cfx_jax.training.workdir import prepare_workdir
from trainers import Inputs, load, train, with_run
from trainers.shared import graph_of, restore_config, training_view, variables_of
from trainers.vae import TRAINER, Config, check, make_evaluate, make_step


class Line(nnx.Module):
    """A latent of one number along a learned image, and a batch norm that moves."""

    def __init__(self, rngs: nnx.Rngs) -> None:
        self.into = nnx.Linear(64, 2, rngs=rngs)
        self.out = nnx.Linear(1, 64, kernel_init=nnx.initializers.normal(0.1), rngs=rngs)
        self.norm = nnx.BatchNorm(64, momentum=0.9, rngs=rngs)

    def encode(self, images: jax.Array) -> tuple[jax.Array, jax.Array]:
        both = self.into(self.norm(images.reshape(len(images), -1)))
        return both[:, :1], both[:, 1:]

    def decode(self, latent: jax.Array) -> jax.Array:
        return 0.5 + self.out(latent).reshape(-1, 8, 8, 1)


def line(rngs: nnx.Rngs) -> Line:
    return Line(rngs)


def _config(num_steps: int, **options: Any) -> Config:
    given: dict[str, Any] = {
        "size": (8, 8),
        "in_channels": 1,
        "filters": (4,),
        "latent": 2,
        "beta": 1e-3,
        "learning_rate": 2e-2,
        "batch_size": 16,
        "eval_batch_size": 16,
        "log_every": 10,
        "evaluate_every": 4,
        "checkpoint_every": 3,
    }
    return with_options(Config(), num_steps=num_steps, **{**given, **options})


@cache
def _compiled(config: Config) -> Any:
    return jax.jit(make_step(config, Inputs(model=line)))


def _train(workdir: Path, config: Config) -> Any:
    alike = replace(with_run(config, num_steps=1, checkpoint_every=1), select="none")
    compiled = replace(TRAINER, make_step=lambda config, inputs: _compiled(alike))
    images = data(), np.arange(64), {"image": images_of(32, 1)}
    return train(compiled, config, *images, workdir, model=line, progress=False)


def test_defaults_are_those_of_the_method_card() -> None:
    config = Config()
    assert (config.size, config.filters, config.latent, config.beta) == (
        (64, 64),
        (64, 128, 256, 512),
        32,
        0.1,
    )
    assert (config.learning_rate, config.first_moment, config.run.batch_size) == (2e-4, 0.5, 64)
    assert (config.run.epochs, config.run.num_steps) == (50, 0)


def test_one_step_by_hand() -> None:
    config, key, images = _config(1, beta=0.3), jax.random.key(3), jnp.asarray(images_of(16, 2))
    state = TRAINER.init(jax.random.key(0), config, Inputs(model=line))
    moved, metrics = _compiled(config)(state, key, {"image": images})

    def terms_of(params: Any) -> dict[str, jax.Array]:
        module: Any = training_view(graph_of(line), params, state.rest)
        mean, log_variance = module.encode(images)
        drawn = mean + jnp.sqrt(jnp.exp(log_variance)) * jax.random.normal(key, mean.shape)
        squared = ((2 * images - 1) - (2 * module.decode(drawn) - 1)) ** 2
        divergence = 0.5 * (mean**2 + jnp.exp(log_variance) - 1 - log_variance)
        return {"reconstruction": squared.mean(), "divergence": 0.3 * divergence.mean()}

    @jax.jit
    @partial(jax.grad, has_aux=True)
    def total(params: Any) -> tuple[jax.Array, dict[str, jax.Array]]:
        terms = terms_of(params)
        return sum(terms.values(), jnp.zeros(())), terms

    slopes, terms = total(state.params)
    adam = optax.adam(2e-2, b1=0.5)
    expected = optax.apply_updates(state.params, adam.update(slopes, adam.init(state.params))[0])
    for one, two in zip(jax.tree.leaves(moved.params), jax.tree.leaves(expected), strict=True):
        np.testing.assert_allclose(one, two, rtol=1e-4, atol=2e-5)
    assert {name: float(metrics[name]) for name in terms} == pytest.approx(
        {name: float(value) for name, value in terms.items()}, rel=1e-4
    )
    assert float(metrics["loss"]) == pytest.approx(float(sum(terms.values())), rel=1e-4)


@pytest.mark.slow
def test_training_gives_images_back_and_goes_on_from_a_checkpoint_to_the_same_bits(
    tmp_path: Path,
) -> None:
    config = _config(100, select="loss", checkpoint_every=75)
    model = _train(tmp_path, config)
    whole = bits(variables_of(model))
    assert bits(variables_of(load(TRAINER, tmp_path, model=line))) == whole
    written = (tmp_path / "metrics.jsonl").read_text()
    shutil.rmtree(tmp_path / "checkpoints" / "step_00000100")
    with pytest.raises(InputError, match="stands at step 75 of 100: call train again"):
        load(TRAINER, tmp_path, model=line)
    assert bits(variables_of(_train(tmp_path, config))) == whole
    assert (tmp_path / "metrics.jsonl").read_text() == written
    lines = [each for each in map(json.loads, written.splitlines()) if "validation_loss" in each]
    assert lines[-1]["validation_reconstruction"] < 0.3 * lines[0]["validation_reconstruction"]
    assert all(each["validation_score"] == -each["validation_loss"] for each in lines)
    images = jnp.asarray(images_of(32, 1))
    back = model.decode(model.encode(images)[0])
    degree = [(PATTERN * each).mean(axis=(1, 2, 3)) for each in (images, back)]
    assert np.corrcoef(*degree)[0, 1] > 0.95


def test_the_configured_network_is_validated_with_the_same_draws_whatever_the_batch() -> None:
    state = TRAINER.init(jax.random.key(0), _config(1), Inputs())
    moved, metrics = jax.jit(make_step(_config(1), Inputs()))(
        state, jax.random.key(1), {"image": images_of(16, 2)}
    )
    assert np.isfinite(metrics["loss"])
    assert all(
        jax.tree.leaves(jax.tree.map(lambda a, b: bool((a != b).any()), moved.rest, state.rest))
    )
    inputs = Inputs(validation={"image": images_of(12, 1)})
    one, two = (make_evaluate(_config(1, eval_batch_size=size), inputs)(moved) for size in (5, 12))
    assert one == pytest.approx(two, rel=1e-5)


def test_a_configuration_is_read_back_from_its_file_as_it_was() -> None:
    config = _config(1, filters=(3, 4))
    assert restore_config(Config, json.loads(json.dumps(asdict(config)))) == config


def test_mistakes_are_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"beta: expected a weight of at least 0, got -1\.0"):
        make_step(_config(1, beta=-1.0), Inputs(model=line))
    with pytest.raises(InputError, match="learning_rate: expected a finite number above 0, got 0"):
        check(_config(1, learning_rate=0.0), Inputs())
    with pytest.raises(InputError, match=r"first_moment: expected a share in \[0, 1\), got 1.0"):
        check(_config(1, first_moment=1.0), Inputs())
    with pytest.raises(InputError, match=r"validation images: expected values in \[0, 1\]"):
        make_evaluate(_config(1), Inputs(validation={"image": 2 + images_of(2, 0)}, model=line))
    with pytest.raises(InputError, match="select: expected one of 'loss', 'none', got 'score'"):
        _train(tmp_path, _config(1, select="score"))
    with pytest.raises(InputError, match="batch_size: expected a multiple of the 1 devices, got 0"):
        _train(tmp_path, _config(1, batch_size=0))
    prepare_workdir(tmp_path, {"trainer": "trades"})
    with pytest.raises(InputError, match=r"expected a training of vae, .* is of trades"):
        load(TRAINER, tmp_path)
