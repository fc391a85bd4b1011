"""Training of a pair of generators: they learn, the classifier stays, and a stopped training goes
on to the same bits.
"""

import json
import os
import shutil
import subprocess
import sys
from dataclasses import asdict, replace
from functools import cache, partial
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import toy_training
from flax import nnx
from toy_training import bits, images_and_labels, source, validation, with_options

from cfx_jax.counterfactuals import naive_adversarial, similar_adversarial
from cfx_jax.errors import InputError
from cfx_jax.losses import SimilarAdversarialWeights, naive_adversarial_terms
from cfx_jax.models import UNetGenerator, generator_of
from cfx_jax.models.generators.unet import LinearHead
from cfx_jax.training import load_config
from cfx_jax.training.workdir import prepare_workdir
from trainers import Inputs, PlateauSettings, load, train
from trainers.shared import evaluation_view, graph_of, restore_config, variables_of
from trainers.similar_adversarial import (
    TRAINER,
    Config,
    build,
    make_batches,
    make_evaluate,
    make_optimiser,
    make_step,
)

PATTERN = np.sign(3.5 - np.arange(8))[None, :, None].astype(np.float32)


def classifier(image: jax.Array) -> jax.Array:
    """Reads the strong pattern of the toy data, left half against right half."""
    score = 8 * (PATTERN * image).mean()
    return jnp.stack([-score, score])


def _config(num_steps: int, **options: Any) -> Config:
    small = {
        "filters": (3, 4),
        "head_filters": (3,),
        "batch_size": 32,
        "eval_batch_size": 64,
        "log_every": 10,
        "evaluate_every": 4,
        "checkpoint_every": 3,
        "optimiser": replace(Config().optimiser, learning_rate=1e-2, smallest=1e-3),
        "steps_per_epoch": 2,
        "weights": SimilarAdversarialWeights(
            similar_class=1.0, adversarial_class=1.0, proximity=1e-3, variation=0.02
        ),
    }
    return with_options(Config(), num_steps=num_steps, **{**small, **options})


class LinearPair(nnx.Module):
    """Two generators that scale and shift an image: quick to compile."""

    def __init__(self, rngs: nnx.Rngs) -> None:
        self.similar, self.adversarial = (
            LinearHead(1, (), 1, rngs=rngs),
            LinearHead(1, (), 1, rngs=rngs),
        )

    def __call__(self, images: jax.Array) -> tuple[jax.Array, jax.Array]:
        return jnp.clip(self.similar(images), 0, 1), jnp.clip(self.adversarial(images), 0, 1)


class LinearAdversary(nnx.Module):
    """The adversarial one alone, in the two parts that ``generator_of`` asks for."""

    def __init__(self, rngs: nnx.Rngs) -> None:
        self.head = LinearHead(1, (), 1, rngs=rngs)

    def encode(self, images: jax.Array) -> jax.Array:
        return images

    def decode(self, latent: jax.Array) -> jax.Array:
        return jnp.clip(self.head(latent), 0, 1)

    def __call__(self, images: jax.Array) -> jax.Array:
        return self.decode(self.encode(images))


def _train(workdir: Path, config: Config) -> Any:
    data = (source(64), np.arange(64), validation(64))
    options: dict[str, Any] = {"classifier": classifier, "model": LinearPair, "progress": False}
    return train(TRAINER, config, *data, workdir, **options)


@cache
def _trained(num_steps: int = 150) -> tuple[Any, list[dict[str, float]]]:
    """State and metrics after some steps on changing batches, with a learning rate that stays."""
    config, inputs = _config(num_steps, steps_per_epoch=1000), Inputs(classifier=classifier)
    state = TRAINER.init(jax.random.key(0), config, inputs)
    step = jax.jit(make_step(config, inputs))
    history = []
    for index in range(num_steps):
        state, metrics = step(
            state, jax.random.key(0), {"image": images_and_labels(32, seed=100 + index)[0]}
        )
        history.append({name: float(value) for name, value in metrics.items()})
    return state, history


def test_defaults_are_those_of_the_method_card() -> None:
    config = Config()
    assert (config.generator, config.head_filters) == ("single", (32, 16))
    assert config.weights == SimilarAdversarialWeights(3, 1, 1, 0.2, 1e-3, 1e-3, 0.2, 0.2)
    assert config.optimiser == PlateauSettings(1e-4, 1 / 3, 3, 1e-5)
    run = config.run
    assert (run.epochs, run.batch_size) == (70, 8)
    # Steps are counted out for the images at hand.
    assert (run.num_steps, run.evaluate_every, run.steps_per_epoch) == (0, 0, 0)


def test_loss_falls_until_decisions_are_kept_and_turned_over() -> None:
    _, history = _trained()
    first, last = history[0], history[-1]
    assert last["loss"] < 0.5 * first["loss"]
    assert last["kept"] > 0.9 and last["turned"] > 0.9
    terms = SimilarAdversarialWeights.__dataclass_fields__
    assert last["loss"] == pytest.approx(sum(last[name] for name in terms), rel=1e-4)


def test_the_explanation_lies_where_the_classifier_looks() -> None:
    config, (state, _) = _config(150), _trained()
    graph = graph_of(partial(build, config))
    generator = generator_of(evaluation_view(graph, state.params, state.rest))
    images = jnp.asarray(images_and_labels(16, seed=3)[0])
    pairs = jax.jit(
        lambda generator, images: jax.vmap(lambda x: similar_adversarial(generator, x))(images)
    )(generator, images)
    moved = np.asarray(pairs.adversarial - pairs.similar)
    assert (
        np.mean(PATTERN * moved * np.sign(-(PATTERN * images).mean(axis=(1, 2, 3), keepdims=True)))
        > 0.02
    )


@pytest.mark.slow
def test_training_gives_generators_and_goes_on_from_a_checkpoint_to_the_same_bits(
    tmp_path: Path,
) -> None:
    config = _config(8)
    whole = bits(variables_of(_train(tmp_path, config)))
    assert bits(variables_of(load(TRAINER, tmp_path, model=LinearPair))) == whole
    shutil.rmtree(tmp_path / "checkpoints" / "step_00000008")
    with pytest.raises(
        InputError,
        match="stands at step 6 of 8: call train again to finish it, or pass unfinished=True",
    ):
        load(TRAINER, tmp_path, model=LinearPair)
    assert bits(variables_of(_train(tmp_path, config))) == whole
    # A plain function has no weights to tell it by, and no address that another process would not
    # have: two logits of 16.
    assert load_config(tmp_path)["data"]["classifier"].startswith("32 values")
    lines = [json.loads(line) for line in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    evaluated = [line for line in lines if "validation_loss" in line]
    assert [line["step"] for line in evaluated] == [4, 8]
    assert all(line["validation_score"] == -line["validation_loss"] for line in evaluated)


def test_the_naive_loss_knows_the_adversarial_image_alone() -> None:
    config, images = _config(1, generator="naive"), images_and_labels(16, seed=4)[0]
    inputs = Inputs(classifier=classifier, model=LinearAdversary)
    state = TRAINER.init(jax.random.key(0), config, inputs)
    _, metrics = jax.jit(make_step(config, inputs))(state, jax.random.key(0), {"image": images})
    generator: Any = evaluation_view(graph_of(LinearAdversary), state.params, state.rest)
    adversarial = generator(jnp.asarray(images))
    logits, adversarial_logits = (
        jax.vmap(classifier)(jnp.asarray(each)) for each in (images, adversarial)
    )
    terms = naive_adversarial_terms(
        images, adversarial, logits, adversarial_logits, weights=config.weights
    )
    assert {name: float(metrics[name]) for name in terms} == pytest.approx(
        {k: float(v) for k, v in terms.items()}
    )
    assert metrics["loss"] == pytest.approx(float(sum(terms.values())), rel=1e-5)
    assert metrics["kept"] == 1 and set(metrics) == {"loss", "kept", "turned", "saturated", *terms}
    built: Any = nnx.eval_shape(lambda: build(config, nnx.Rngs(0)))
    assert (
        isinstance(built, UNetGenerator)
        and len(built.head.layers.layers) == len(config.head_filters) + 1
    )


def test_a_naive_training_explains_by_the_image_itself_and_its_adversary(tmp_path: Path) -> None:
    config = _config(2, generator="naive", batch_size=16)
    images = source(64), np.arange(64), validation(16)
    options: dict[str, Any] = {"classifier": classifier, "model": LinearAdversary}
    trained = train(TRAINER, config, *images, tmp_path, progress=False, **options)
    assert bits(variables_of(load(TRAINER, tmp_path, model=LinearAdversary))) == bits(
        variables_of(trained)
    )
    image = jnp.asarray(validation(16)["image"][0])
    found = naive_adversarial(generator_of(trained), image)
    np.testing.assert_array_equal(found.similar, image)
    np.testing.assert_array_equal(found.explanation, jnp.abs(image - found.adversarial))


def test_balanced_batches_have_as_many_images_of_each_decision() -> None:
    images, _ = images_and_labels(256, seed=0)
    decided = (PATTERN * images).mean(axis=(1, 2, 3)) >= 0
    rare = np.concatenate([np.flatnonzero(~decided)[:30], np.flatnonzero(decided)[:3]])
    inputs = Inputs(source(256), rare, validation(8), classifier=classifier, model=LinearPair)
    shares: dict[bool, float] = {}
    for balanced in (True, False):
        batches = make_batches(_config(1, balanced=balanced), inputs).batches
        drawn = [next(batches)["image"] for _ in range(4)]
        turned = [(PATTERN * batch).mean(axis=(1, 2, 3)) >= 0 for batch in drawn]
        shares[balanced] = np.array(turned).mean(axis=1).max()
    assert shares[True] == 0.5 and shares[False] < 0.2
    message = r"on the training images, .* got class 0 for 30 and class 1 for 0 of them"
    with pytest.raises(InputError, match=message):
        make_batches(_config(1, balanced=True), replace(inputs, train_indices=rare[:30]))


def test_a_configuration_is_read_back_from_its_file_as_it_was() -> None:
    config = _config(1, margin=0.5, generator="duo")
    assert restore_config(Config, json.loads(json.dumps(asdict(config)))) == config


def test_the_learning_rate_falls_to_a_third_where_the_loss_stands_still() -> None:
    plateau = PlateauSettings(0.9, 1 / 3, patience=3, smallest=0.1)
    optimiser = make_optimiser(_config(1, optimiser=plateau, steps_per_epoch=2))
    params = {"w": jnp.zeros(1)}

    @jax.jit
    def update(state: Any, loss: float) -> tuple[jax.Array, Any]:
        updates, state = optimiser.update({"w": jnp.ones(1)}, state, params, value=loss)
        return -updates["w"][0], state

    state, rates = optimiser.init(params), []
    for loss in [4.0, 2.0] * 14:  # each epoch of two steps has the mean 3
        rate, state = update(state, loss)
        rates.append(float(rate))
    # The first epoch is the best so far; three more without a lower loss end at step 8, and so on.
    expected = [0.9] * 7 + [0.3] * 6 + [0.1] * 15
    np.testing.assert_allclose(rates, expected, rtol=1e-4)
    for loss in (1.0, 1.0):
        rate, state = update(state, loss)
    assert float(rate) == pytest.approx(0.1, rel=1e-4)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"generator": "triple"},
            "generator: expected one of 'single', 'duo', 'naive', got 'triple'",
        ),
        (
            {"generator": "naive", "margin": 1.0},
            "margin: expected None, since the naive loss is one of two classes",
        ),
        (
            {"optimiser": PlateauSettings(factor=1.0)},
            r"optimiser: expected a factor in \(0, 1\), .*factor=1.0",
        ),
        (
            {"optimiser": PlateauSettings(1e-6)},
            "0 < smallest <= learning_rate, got .*learning_rate=1e-06",
        ),
        ({"optimiser": PlateauSettings(patience=0)}, "patience of at least 1"),
        ({"steps_per_epoch": 0}, "steps_per_epoch: expected an integer of at least 1, got 0"),
    ],
)
def test_impossible_options_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        make_step(_config(1, **options), Inputs(classifier=classifier))


def test_mistakes_of_the_run_are_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="select: expected one of 'loss', 'none', got 'kept'"):
        _train(tmp_path, _config(1, select="kept"))
    with pytest.raises(InputError, match=r"validation images: expected values in \[0, 1\]"):
        make_evaluate(_config(1), Inputs(validation={"image": 2 + validation(2)["image"]}))
    with pytest.raises(InputError, match="batch_size: expected a multiple of the 1 devices, got 0"):
        _train(tmp_path, _config(1, batch_size=0))
    prepare_workdir(tmp_path, {"trainer": "trades"})
    with pytest.raises(
        InputError, match=r"expected a training of similar_adversarial, .* is of trades"
    ):
        load(TRAINER, tmp_path)
    shutil.rmtree(tmp_path)
    run = {"num_steps": 1, "steps_per_epoch": 1}
    prepare_workdir(tmp_path, {"trainer": "similar_adversarial", "run": run})
    with pytest.raises(InputError, match="has no checkpoint yet: train first"):
        load(TRAINER, tmp_path, model=LinearPair)


SHARDED = """
import jax, numpy as np
from cfx_jax.parallel import data_mesh, replicate, shard
from test_similar_adversarial import LinearPair, _config, classifier
from toy_training import batch
from trainers import Inputs
from trainers.similar_adversarial import TRAINER, make_step

assert len(jax.devices()) == 4
config = _config(3)
inputs = Inputs(classifier=classifier, model=LinearPair)
step = jax.jit(make_step(config, inputs))
alone = TRAINER.init(jax.random.key(0), config, inputs)
spread = replicate(alone, data_mesh())
for index in range(3):
    key = jax.random.key(index)
    alone, metrics = step(alone, key, batch())
    spread, other = step(spread, key, shard(batch(), data_mesh()))
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
