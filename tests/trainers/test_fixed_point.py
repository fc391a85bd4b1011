"""Training of the independent adversary: it learns to turn decisions over, the classifier stays,
and a stopped training goes on to the same bits."""

import json
import os
import shutil
import subprocess
import sys
from dataclasses import asdict, replace
from functools import cache
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
import toy_training
from flax import nnx
from toy_training import bits, images_and_labels, source, validation, with_options

from cfx_jax.counterfactuals import fixed_point
from cfx_jax.errors import InputError
from cfx_jax.losses import FixedPointWeights, Translations, critic_terms, fixed_point_terms
from cfx_jax.models import Verdict, translation_of
from cfx_jax.training.workdir import prepare_workdir
from trainers import Inputs, OptimiserSettings, load, train
from trainers.fixed_point import (
    TRAINER,
    Config,
    Networks,
    _make_optimisers,
    make_evaluate,
    make_step,
    measure_answers,
)
from trainers.shared import evaluation_view, graph_of, restore_config, variables_of

PATTERN = np.sign(3.5 - np.arange(8))[None, :, None].astype(np.float32)


def classifier(image: jax.Array) -> jax.Array:
    """Reads the strong pattern of the toy data, left half against right half."""
    score = 8 * (PATTERN * image).mean()
    return jnp.stack([-score, score])


def _config(num_steps: int, **options: Any) -> Config:
    small = {
        "size": (8, 8),
        "filters": 4,
        "num_halvings": 1,
        "num_blocks": 1,
        "critic_filters": 4,
        "critic_depth": 2,
        "limit": "clip",
        "critic_steps": 2,
        "batch_size": 8,
        "eval_batch_size": 64,
        "log_every": 10,
        "evaluate_every": 4,
        "checkpoint_every": 3,
        "optimiser": replace(Config().optimiser, learning_rate=2e-2),
        "num_steps": num_steps,
    }
    return with_options(Config(), **{**small, **options})


class Shift(nnx.Module):
    """Adds a learned image for each domain: quick to compile."""

    def __init__(self, rngs: nnx.Rngs) -> None:
        self.shifts = nnx.Param(0.01 * jax.random.normal(rngs.params(), (2, 8, 8, 1)))

    def __call__(self, images: jax.Array, domain: jax.Array) -> jax.Array:
        return images + self.shifts[...][domain]


class LinearCritic(nnx.Module):
    """Two weighted sums of pixels."""

    def __init__(self, rngs: nnx.Rngs) -> None:
        self.head = nnx.Linear(64, 2, rngs=rngs)

    def __call__(self, images: jax.Array) -> Verdict:
        realness, logit = self.head(images.reshape(len(images), -1)).T
        return Verdict(realness[:, None, None], jnp.stack([jnp.zeros_like(logit), logit], axis=1))


def linear(rngs: nnx.Rngs) -> Networks:
    return Networks(Shift(rngs), LinearCritic(rngs))


INPUTS = Inputs(classifier=classifier, model=linear)


def decided_batch(seed: int, config: Config) -> dict[str, np.ndarray]:
    """Images decided 0, 1, 0, 1 ..., enough for each update of a step."""
    count = config.run.batch_size * config.critic_steps
    images = images_and_labels(8 * count, seed=seed)[0]
    decided = (PATTERN * images).mean(axis=(1, 2, 3)) >= 0
    pairs = np.stack([images[~decided][:count], images[decided][:count]], axis=1)
    return {"image": pairs.reshape(2 * count, 8, 8, 1)}


@cache
def _compiled(config: Config) -> Any:
    return jax.jit(make_step(config, INPUTS))


def _train(workdir: Path, config: Config) -> Any:
    compiled = replace(TRAINER, make_step=lambda config, inputs: _compiled(config))
    images = source(64), np.arange(64), validation(64)
    options: dict[str, Any] = {"classifier": classifier, "model": linear, "progress": False}
    return train(compiled, config, *images, workdir, **options)


def test_defaults_are_those_of_the_method_card() -> None:
    config = Config()
    assert (config.filters, config.num_halvings, config.num_blocks, config.limit) == (
        64,
        2,
        6,
        "tanh",
    )
    assert (config.critic_filters, config.critic_depth, config.critic_steps, config.penalty) == (
        64,
        6,
        5,
        10.0,
    )
    assert config.weights == FixedPointWeights()
    assert config.optimiser == OptimiserSettings("adam", 1e-4, 0.5, schedule="line", turn=0.5)
    assert config.run.num_steps * config.critic_steps == 200_000 and config.run.batch_size == 8


def test_one_step_by_hand() -> None:
    """Two updates of the critic and one of the translator, with losses and gradients computed
    apart.
    """
    config = _config(4, optimiser=OptimiserSettings("adam", 1e-2, 0.5))
    key, batch, predicted = jax.random.key(5), decided_batch(0, config), jnp.arange(16) % 2
    state = TRAINER.init(jax.random.key(0), config, INPUTS)
    moved, metrics = _compiled(config)(state, key, batch)
    graph = graph_of(linear)
    # Pairs take turns: the first is for the first update, the second for the second, the third for
    # the first again.
    pairs = batch["image"].reshape(8, 2, 2, 8, 8, 1)
    groups = [pairs[:, update].reshape(16, 8, 8, 1) for update in range(2)]

    def view(params: Any) -> Any:
        return evaluation_view(graph, params, state.rest)

    def verdict_loss(params: Any, key: jax.Array, images: jax.Array) -> jax.Array:
        networks = view(params)
        fake = networks.translator(images, 1 - predicted)
        return sum(
            critic_terms(key, networks.critic, images, fake, predicted).values(), jnp.zeros(())
        )

    def translation_terms(params: Any, images: jax.Array) -> dict[str, jax.Array]:
        networks = view(params)
        translate = networks.translator
        crossed, same = translate(images, 1 - predicted), translate(images, predicted)
        all_four = Translations(
            crossed, translate(crossed, predicted), same, translate(same, predicted)
        )
        verdicts, logits = (
            (networks.critic(crossed), networks.critic(same)),
            jax.vmap(classifier)(crossed),
        )
        return fixed_point_terms(
            images, all_four, predicted, verdicts, logits, weights=config.weights
        )

    adam = optax.adam(1e-2, b1=0.5)
    params, moments = state.params, adam.init(state.params["critic"])
    gradient = jax.jit(jax.grad(verdict_loss))
    for each_key, images in zip(jax.random.split(key, 2), groups, strict=True):
        directions, moments = adam.update(gradient(params, each_key, images)["critic"], moments)
        params = nnx.State({**params, "critic": optax.apply_updates(params["critic"], directions)})
    terms = jax.jit(translation_terms)(params, groups[-1])
    slopes = jax.jit(jax.grad(lambda *given: sum(translation_terms(*given).values())))(
        params, groups[-1]
    )
    directions, _ = adam.update(slopes["translator"], adam.init(params["translator"]))
    expected = {**params, "translator": optax.apply_updates(params["translator"], directions)}
    for part in ("critic", "translator"):
        for one, two in zip(
            jax.tree.leaves(moved.params[part]), jax.tree.leaves(expected[part]), strict=True
        ):
            np.testing.assert_allclose(one, two, rtol=1e-4, atol=2e-5)
    assert {name: float(metrics[name]) for name in terms} == {
        name: pytest.approx(float(value), rel=1e-3, abs=1e-5) for name, value in terms.items()
    }
    assert float(metrics["loss"]) == pytest.approx(float(sum(terms.values())), rel=1e-4)


def test_answers_by_hand() -> None:
    images = jnp.full((2, 1, 2, 1), 0.5)
    translations = Translations(images + 0.25, images, images - 0.125, images)
    logits = jnp.array([[0.0, 1.0], [0.0, 0.0]]), jnp.array([[1.0, 0.0], [1.0, 0.0]])
    found = measure_answers(images, translations, jnp.array([0, 1]), logits)
    # One half is decided 1.
    assert {name: float(value) for name, value in found.items()} == {
        "turned": 0.5,
        "kept": 0.5,
        "change": 0.25,
        "moved": 0.125,
    }


def test_both_rates_fall_to_0_with_the_last_step_whatever_the_updates_of_a_step() -> None:
    config = _config(8, optimiser=OptimiserSettings("adam", 0.1, 0.5, schedule="line", turn=0.75))
    rates = [0.1] * 12 + [0.1, 0.075, 0.05, 0.025]
    optimisers = _make_optimisers(config)
    for part, expected in (("critic", rates), ("translator", rates[::2])):
        adam, sizes = optimisers[part], []
        state = adam.init(jnp.zeros(()))
        for _ in expected:
            update, state = adam.update(jnp.ones(()), state, jnp.zeros(()))
            sizes.append(-float(update))
        assert sizes == pytest.approx(expected, rel=1e-4)


@pytest.mark.slow
def test_training_learns_and_goes_on_from_a_checkpoint_to_the_same_bits(tmp_path: Path) -> None:
    # An addition for each domain cannot leave the images of that domain alone.
    weights = FixedPointWeights(reconstruction=0.1, identity=0.1)
    config = _config(40, select="turned", checkpoint_every=30, weights=weights)
    translator = _train(tmp_path, config)
    whole = bits(variables_of(translator))
    assert bits(variables_of(load(TRAINER, tmp_path, model=linear))) == whole
    written = (tmp_path / "metrics.jsonl").read_text()
    shutil.rmtree(tmp_path / "checkpoints" / "step_00000040")
    with pytest.raises(InputError, match="stands at step 30 of 40: call train again"):
        load(TRAINER, tmp_path, model=linear)
    assert bits(variables_of(_train(tmp_path, config))) == whole
    assert (tmp_path / "metrics.jsonl").read_text() == written
    lines = [line for line in map(json.loads, written.splitlines()) if "validation_loss" in line]
    assert lines[-1]["validation_decision"] < 0.5 * lines[0]["validation_decision"]
    best = max(line["validation_score"] for line in lines)
    assert best > 0.95 > lines[0]["validation_score"]
    assert all(
        line["validation_score"] == min(line[f"validation_turned_{c}"] for c in (0, 1))
        for line in lines
    )
    images = validation(64)["image"]
    pairs = jax.jit(
        jax.vmap(lambda image: fixed_point(translation_of(translator), classifier, image))
    )(images)
    before, after = (jax.vmap(classifier)(each).argmax(axis=1) for each in pairs)
    assert min((before != after)[before == c].mean() for c in (0, 1)) == pytest.approx(best)


@pytest.mark.slow
def test_convolutional_networks_turn_decisions_over_and_keep_the_rest() -> None:
    adam = replace(Config().optimiser, learning_rate=3e-3)
    config = _config(300, optimiser=adam, weights=FixedPointWeights(decision=4.0))
    inputs = Inputs(validation={"image": validation(128)["image"]}, classifier=classifier)
    state = TRAINER.init(jax.random.key(0), config, inputs)
    step = jax.jit(make_step(config, inputs))
    for index in range(config.run.num_steps):
        state, _ = step(state, jax.random.key(index), decided_batch(100 + index, config))
    found = make_evaluate(config, inputs)(state)
    print({name: round(value, 3) for name, value in found.items()})
    assert found["validation_score"] > 0.95 and found["validation_kept"] > 0.95
    assert found["validation_moved"] < 0.5 * found["validation_change"]


def test_a_configuration_is_read_back_from_its_file_as_it_was() -> None:
    config = _config(1, weights=FixedPointWeights(decision=2.0))
    assert restore_config(Config, json.loads(json.dumps(asdict(config)))) == config


def test_a_classifier_that_decides_one_way_is_refused() -> None:
    def always(image: jax.Array) -> jax.Array:
        return jnp.stack([image.mean() + 1, image.mean()])

    with pytest.raises(
        InputError, match=r"on the validation images,.* got class 0 for 4 and class 1 for 0 of them"
    ):
        make_evaluate(_config(1), Inputs(validation=validation(4), classifier=always, model=linear))


def test_mistakes_are_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"penalty: expected a weight of at least 0, got -1\.0"):
        make_step(_config(1, penalty=-1.0), INPUTS)
    with pytest.raises(InputError, match="critic_steps: expected an integer of at least 1"):
        make_step(_config(1, critic_steps=0), INPUTS)
    with pytest.raises(InputError, match=r"turn: expected a share of all steps in \(0, 1\)"):
        wrong = replace(Config().optimiser, turn=-1.0)
        TRAINER.init(jax.random.key(0), _config(1, optimiser=wrong), INPUTS)
    with pytest.raises(InputError, match="select: expected one of 'turned', 'none', got 'loss'"):
        _train(tmp_path, _config(1, select="loss"))
    with pytest.raises(InputError, match="batch_size: expected a multiple of the 1 devices, got 0"):
        _train(tmp_path, _config(1, batch_size=0))
    with pytest.raises(InputError, match=r"validation images: expected values in \[0, 1\]"):
        make_evaluate(_config(1), Inputs(validation={"image": 2 + validation(2)["image"]}))
    prepare_workdir(tmp_path, {"trainer": "trades"})
    with pytest.raises(InputError, match=r"expected a training of fixed_point, .* is of trades"):
        load(TRAINER, tmp_path)


SHARDED = """
import jax, numpy as np
from cfx_jax.parallel import data_mesh, replicate, shard
from test_fixed_point import INPUTS, _config, decided_batch
from trainers.fixed_point import TRAINER, make_step

assert len(jax.devices()) == 4
config = _config(3)
step = jax.jit(make_step(config, INPUTS))
alone = TRAINER.init(jax.random.key(0), config, INPUTS)
spread = replicate(alone, data_mesh())
for index in range(3):
    key, batch = jax.random.key(index), decided_batch(index, config)
    alone, metrics = step(alone, key, batch)
    spread, other = step(spread, key, shard(batch, data_mesh()))
leaves = jax.tree.leaves((alone, metrics)), jax.tree.leaves((spread, other))
for one, two in zip(*leaves, strict=True):
    np.testing.assert_allclose(one, two, rtol=1e-3, atol=1e-5)
print("same")
"""


@pytest.mark.slow
def test_a_step_over_four_devices_equals_one_device() -> None:
    folders = Path(toy_training.__file__).parent, Path(__file__).parent, Path(__file__).parents[2]
    paths = {"PYTHONPATH": os.pathsep.join(map(str, folders))}
    environment = {**os.environ, "JAX_PLATFORMS": "cpu", "JAX_NUM_CPU_DEVICES": "4", **paths}
    result = subprocess.run(
        [sys.executable, "-c", SHARDED], capture_output=True, text=True, env=environment
    )
    assert result.stdout == "same\n", result.stderr
