"""Training of SyCE's and CyCE's generators: they learn, the classifier stays, and a stopped
training goes on to the same bits."""

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
from jax.tree_util import Partial
from toy_training import bits, images_and_labels, source, validation, with_options

from cfx_jax.counterfactuals import cyce, syce
from cfx_jax.data import ArraySource
from cfx_jax.diagnosis import check_generators, generator_answers
from cfx_jax.errors import InputError
from cfx_jax.losses import CYCE, SYCE, cycle_terms, discriminator_terms
from cfx_jax.models import generator_of
from cfx_jax.models.generators.unet import LinearHead
from cfx_jax.models.views import unit_clip
from cfx_jax.training import load_config
from cfx_jax.training.workdir import prepare_workdir
from trainers import Inputs, PlateauSettings, load, train
from trainers.cycle import (
    CYCE_CONFIG,
    TRAINER,
    Config,
    Networks,
    build,
    init,
    make_evaluate,
    make_step,
    measure_answers,
)
from trainers.shared import evaluation_view, graph_of, restore_config, variables_of

PATTERN = np.sign(3.5 - np.arange(8))[None, :, None].astype(np.float32)
RATE = PlateauSettings(1e-2, patience=1, smallest=1e-3)


def classifier(image: jax.Array) -> jax.Array:
    """Reads the strong pattern of the toy data, left half against right half."""
    score = 8 * (PATTERN * image).mean()
    return jnp.stack([-score, score])


def _config(num_steps: int, start: Config | None = None, **options: Any) -> Config:
    small = {
        "size": (8, 8),
        "filters": (3, 4),
        "discriminator_filters": (4,),
        "batch_size": 16,
        "eval_batch_size": 64,
        "log_every": 10,
        "evaluate_every": 2,
        "checkpoint_every": 3,
        "optimiser": RATE,
        "num_steps": num_steps,
    }
    return with_options(start or Config(), **{**small, **options})


class LinearGenerator(nnx.Module):
    """Scales and shifts an image: quick to compile. Without the attribute ``limit``, so that
    clipping is plain.
    """

    def __init__(self, rngs: nnx.Rngs) -> None:
        self.head = LinearHead(1, (), 1, rngs=rngs)

    def __call__(self, images: jax.Array) -> jax.Array:
        return getattr(self, "limit", unit_clip)(self.head(images))


class LinearDiscriminator(nnx.Module):
    """A weighted sum of pixels."""

    def __init__(self, rngs: nnx.Rngs) -> None:
        self.head = nnx.Linear(64, 1, rngs=rngs)

    def __call__(self, images: jax.Array) -> jax.Array:
        return self.head(images.reshape(len(images), -1))[:, 0]


def linear(rngs: nnx.Rngs) -> Networks:
    return Networks(
        [LinearGenerator(rngs), LinearGenerator(rngs)],
        [LinearDiscriminator(rngs) for _ in range(2)],
    )


INPUTS = Inputs(classifier=classifier, model=linear)


def varied(images: np.ndarray, seed: int) -> np.ndarray:
    """Each image with an own difference of upper and lower half, which no decision depends on."""
    amount = np.random.default_rng(seed).uniform(-0.15, 0.15, size=(len(images), 1, 1, 1))
    return np.clip(images + amount * PATTERN.transpose(1, 0, 2), 0, 1).astype(np.float32)


def decided_batch(seed: int, count: int = 16, rate: float = 1e-2) -> dict[str, np.ndarray]:
    """Images decided 0, 1, 0, 1 ..., with the learning rate."""
    images = varied(images_and_labels(8 * count, seed=seed)[0], seed)
    decided = (PATTERN * images).mean(axis=(1, 2, 3)) >= 0
    pairs = np.stack([images[~decided][:count], images[decided][:count]], axis=1)
    return {
        "image": pairs.reshape(2 * count, 8, 8, 1),
        "learning_rate": np.full(2 * count, rate, np.float32),
    }


@cache
def _compiled(start: Config) -> Any:
    """The step of linear networks, compiled once; numbers of steps, rates and sizes play no part in
    it.
    """
    return jax.jit(make_step(_config(1, start), INPUTS))


def _train(workdir: Path, config: Config, data: ArraySource | None = None) -> Any:
    compiled = replace(TRAINER, make_step=lambda config, inputs: _compiled(CYCE_CONFIG))
    images = data or source(64), np.arange(64), validation(64)
    given: dict[str, Any] = {"classifier": classifier, "model": linear, "progress": False}
    return train(compiled, config, *images, workdir, **given)


def test_defaults_are_those_of_the_method_card() -> None:
    config = Config()
    assert (config.filters, config.discriminator_filters) == ((16, 32, 64), (32, 64, 96))
    assert config.run.batch_size == 64
    assert (config.weights, config.update, config.penalty) == (SYCE, "separated", 1.0)
    assert (CYCE_CONFIG.weights, CYCE_CONFIG.update, CYCE_CONFIG.method) == (
        CYCE,
        "together",
        "cyce",
    )
    assert config.optimiser == PlateauSettings(1e-4, 0.3, 4, 1e-5)
    # Steps are counted out for the images at hand.
    assert (config.run.epochs, config.run.num_steps, config.run.evaluate_every) == (60, 0, 0)


@pytest.mark.parametrize(
    "start",
    [
        pytest.param(Config(), id="syce", marks=pytest.mark.slow),
        pytest.param(CYCE_CONFIG, id="cyce"),
    ],
)
def test_one_step_by_hand(start: Config) -> None:
    """Losses and gradients computed apart, and the first step of Adam, which is the sign of the
    gradient.
    """
    config, batch, key = _config(1, start), decided_batch(0), jax.random.key(5)
    state = init(jax.random.key(0), config, INPUTS)
    moved, metrics = _compiled(start)(state, key, batch)
    groups = batch["image"][0::2], batch["image"][1::2]
    graph = graph_of(linear)

    def terms(params: Any, decided: int) -> dict[str, jax.Array]:
        networks: Any = evaluation_view(graph, params, state.rest)
        own, other = networks.generators[decided], networks.generators[1 - decided]
        adversarial = own(groups[decided])
        generated = (adversarial, own(adversarial), other(adversarial))
        logits = tuple(jax.vmap(classifier)(each) for each in generated)
        realness = networks.discriminators[1 - decided](adversarial)
        return cycle_terms(
            groups[decided],
            generated,
            jnp.full(16, decided),
            logits,
            realness,
            weights=config.weights,
        )

    @partial(jax.jit, static_argnums=1)
    @jax.value_and_grad
    def total(params: Any, decisions: tuple[int, ...]) -> jax.Array:
        return sum((sum(terms(params, each).values()) for each in decisions), jnp.zeros(()))

    def adam(params: Any, first: Any, second: Any) -> Any:
        """Directions after gradients ``first`` and, where given, ``second``."""
        if second is None:
            return jax.tree.map(lambda p, g: p - 1e-2 * g / (jnp.abs(g) + 1e-7), params, first)
        mean = jax.tree.map(lambda f, s: (0.09 * f + 0.1 * s) / (1 - 0.9**2), first, second)
        square = jax.tree.map(
            lambda f, s: (0.000999 * f**2 + 0.001 * s**2) / (1 - 0.999**2), first, second
        )
        return jax.tree.map(
            lambda p, m, v: p - 1e-2 * m / (jnp.sqrt(v) + 1e-7), params, mean, square
        )

    if config.update == "together":
        loss, gradients = total(state.params, (0, 1))
        expected = adam(state.params, gradients, None)
    else:
        first_loss, first = total(state.params, (0,))
        between = adam(state.params, first, None)
        between["discriminators"] = state.params["discriminators"]
        second_loss, second = total(between, (1,))
        expected, loss = adam(between, first, second), first_loss + second_loss
    np.testing.assert_allclose(metrics["loss"], loss / 2, rtol=1e-5)
    priced = {name for name, weight in asdict(config.weights).items() if weight}
    assert set(asdict(SYCE)) & set(metrics) == priced
    np.testing.assert_allclose(sum(metrics[name] for name in priced), loss / 2, rtol=1e-5)
    for one, two in zip(
        jax.tree.leaves(moved.params["generators"]),
        jax.tree.leaves(expected["generators"]),
        strict=True,
    ):
        np.testing.assert_allclose(one, two, rtol=1e-4, atol=1e-6)

    @jax.jit
    @jax.value_and_grad
    def verdicts(params: Any) -> jax.Array:
        """D_1 sees images decided 1 and g_0's adversaries; D_0 the others, where g_1 has moved in
        separate updates.
        """
        makers = [state.params, state.params if config.update == "together" else between]
        networks: Any = evaluation_view(graph, params, state.rest)
        fakes = [
            evaluation_view(graph, makers[c], state.rest).generators[c](groups[c]) for c in (0, 1)
        ]  # type: ignore[attr-defined]
        keys, losses = jax.random.split(key), []
        for decided in (0, 1):
            judge = networks.discriminators[decided]
            each = discriminator_terms(
                keys[decided],
                lambda x, judge=judge: judge(x[None])[0],
                groups[decided],
                fakes[1 - decided],
            )
            losses.append(sum(each.values()))
        return sum(losses, jnp.zeros(()))

    verdict, gradients = verdicts(state.params)
    expected = adam(state.params, gradients, None)
    for one, two in zip(
        jax.tree.leaves(moved.params["discriminators"]),
        jax.tree.leaves(expected["discriminators"]),
        strict=True,
    ):
        np.testing.assert_allclose(one, two, rtol=1e-4, atol=1e-6)
    found = sum(float(metrics[f"discriminator_{name}"]) for name in ("real", "fake", "penalty"))
    assert found == pytest.approx(float(verdict) / 2, rel=1e-5)


@pytest.mark.slow
def test_generators_that_draw_all_pixels_too_bright_learn_nevertheless() -> None:
    def bright(rngs: nnx.Rngs) -> Networks:
        networks = linear(rngs)
        for generator in networks.generators:
            generator.limit, generator.head.layers.layers[0].bias[...] = unit_clip, jnp.full(1, 5.0)
        return networks

    config = _config(1, CYCE_CONFIG)
    inputs = replace(INPUTS, model=bright)
    state = init(jax.random.key(0), config, inputs)
    moved, metrics = jax.jit(make_step(config, inputs))(state, jax.random.key(0), decided_batch(0))
    assert metrics["saturated"] == 1
    before, after = (jax.tree.leaves(each.params["generators"]) for each in (state, moved))
    assert all((one != two).all() for one, two in zip(before, after, strict=True))


def test_answers_by_hand() -> None:
    images = jnp.full((2, 1, 2, 1), 0.5)
    adversarial = jnp.array([0.0, 0.5, 1.0, 0.25]).reshape(2, 1, 2, 1)
    returned = jnp.array([0.5, 0.5, 0.6, 0.6]).reshape(2, 1, 2, 1)
    logits = jnp.array([[0.0, 1.0], [1.0, 0.0]])
    found = measure_answers(
        0, images, (adversarial, logits), (returned, jnp.array([[1.0, 0.0], [0.0, 0.0]]))
    )
    # One half is decided 1; equal images count as 100 dB.
    assert {name: pytest.approx(float(value), rel=1e-4) for name, value in found.items()} == {
        "turned": 0.5,
        "kept": 0.5,
        "psnr": (100 + 20) / 2,
        "saturated": 0.5,
    }


@pytest.mark.slow
def test_training_gives_generators_and_goes_on_from_a_checkpoint_to_the_same_bits(
    tmp_path: Path,
) -> None:
    config = _config(8, CYCE_CONFIG)
    whole = [bits(variables_of(each)) for each in _train(tmp_path, config)]
    assert [bits(variables_of(each)) for each in load(TRAINER, tmp_path, model=linear)] == whole
    written = (tmp_path / "metrics.jsonl").read_text()
    shutil.rmtree(tmp_path / "checkpoints" / "step_00000008")
    with pytest.raises(InputError, match="stands at step 6 of 8: call train again"):
        load(TRAINER, tmp_path, model=linear)
    assert [bits(variables_of(each)) for each in _train(tmp_path, config)] == whole
    assert (tmp_path / "metrics.jsonl").read_text() == written
    # A plain function has no weights to tell it by, and no address that another process would not
    # have: two logits of 16.
    assert load_config(tmp_path)["data"]["classifier"].startswith("32 values")
    evaluated = [
        line for line in map(json.loads, written.splitlines()) if "validation_loss" in line
    ]
    assert [line["step"] for line in evaluated] == [2, 4, 6, 8]
    assert all(line["validation_score"] == -line["validation_loss"] for line in evaluated)


def test_the_answers_to_select_by_are_the_lowest_share_of_either_decision() -> None:
    config, images = _config(1, CYCE_CONFIG), varied(validation(24)["image"], 1)
    state = init(jax.random.key(5), config, INPUTS)
    networks: Any = evaluation_view(graph_of(linear), state.params, state.rest)
    decided, shares = np.asarray(jax.vmap(classifier)(images)).argmax(axis=1), []
    for own in (0, 1):
        adversarial = networks.generators[own](images[decided == own])
        back = networks.generators[1 - own](adversarial)
        says = [
            np.asarray(jax.vmap(classifier)(each)).argmax(axis=1) for each in (adversarial, back)
        ]
        shares += [(says[0] != own).mean(), (says[1] == own).mean()]
    found = make_evaluate(config, replace(INPUTS, validation={"image": images}))(state)
    assert found["validation_answers"] == pytest.approx(min(shares)) and min(shares) < max(shares)
    assert found["validation_turned"] == pytest.approx((shares[0] + shares[2]) / 2)


def test_the_learning_rate_follows_the_validation_loss_over_a_stop(tmp_path: Path) -> None:
    """With a rate that ruins the loss at once each evaluation lowers it, and a checkpoint remembers
    how far.
    """
    config = _config(
        6,
        CYCE_CONFIG,
        optimiser=replace(RATE, learning_rate=3.0),
        evaluate_every=1,
        checkpoint_every=2,
        select="none",
    )
    _train(tmp_path, config)
    lines = [json.loads(line) for line in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    losses, rates = (
        [line[name] for line in lines] for name in ("validation_loss", "learning_rate")
    )
    expected, lowest = [3.0], losses[0]
    for loss in losses[1:]:
        expected.append(expected[-1])
        if loss >= lowest * (1 - 1e-4):
            expected[-1] = max(0.3 * expected[-1], 1e-3)
        lowest = min(lowest, loss)
    # The line of an evaluation tells the rate of the step before it.
    assert rates == pytest.approx([3.0, *expected[:-1]]) and rates[-1] < 3.0
    shutil.rmtree(tmp_path / "checkpoints" / "step_00000006")
    _train(tmp_path, config)
    again = [json.loads(line) for line in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    assert again == lines


def test_a_configuration_is_read_back_from_its_file_as_it_was() -> None:
    config = _config(1, CYCE_CONFIG, penalty=0.5)
    assert restore_config(Config, json.loads(json.dumps(asdict(config)))) == config


def test_a_classifier_that_decides_one_way_is_refused(tmp_path: Path) -> None:
    def always(image: jax.Array) -> jax.Array:
        return jnp.stack([image.mean() + 1, image.mean()])

    with pytest.raises(
        InputError,
        match=r"on the validation images, .* got class 0 for 4 and class 1 for 0 of them",
    ):
        make_evaluate(_config(1), Inputs(validation=validation(4), classifier=always, model=linear))
    images, _ = images_and_labels(64, seed=0)
    lit = ArraySource(
        (0.5 + 0.4 * (PATTERN > 0) + 0 * images).astype(np.float32),
        np.zeros(64, np.int32),
        ("healthy", "ill"),
    )
    with pytest.raises(
        InputError,
        match=r"on the training images, .* got class 0 for 0 and class 1 for 64 of them: add",
    ):
        _train(tmp_path, _config(1, CYCE_CONFIG), lit)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"method": "cycle"}, "method: expected one of 'syce', 'cyce', got 'cycle'"),
        ({"update": "apart"}, "update: expected one of 'separated', 'together', got 'apart'"),
        ({"penalty": -1.0}, "penalty: expected a weight of at least 0, got -1.0"),
        (
            {"method": "cyce"},
            "weights: expected none of `symmetric`, as CYCE has, for method 'cyce', got"
            " .*symmetric=10.0",
        ),
        (
            {"weights": CYCE},
            "weights: expected a weight of `symmetric` above 0, as SYCE has, for method 'syce'",
        ),
    ],
)
def test_impossible_options_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        make_step(_config(1, **options), INPUTS)


def test_mistakes_of_the_run_are_named(tmp_path: Path) -> None:
    with pytest.raises(
        InputError, match="select: expected one of 'loss', 'answers', 'none', got 'kept'"
    ):
        _train(tmp_path, _config(1, select="kept"))
    with pytest.raises(InputError, match=r"validation images: expected values in \[0, 1\]"):
        make_evaluate(_config(1), replace(INPUTS, validation={"image": 2 + validation(2)["image"]}))
    with pytest.raises(InputError, match="batch_size: expected a multiple of the 1 devices, got 0"):
        _train(tmp_path, _config(1, batch_size=0))
    with pytest.raises(InputError, match="optimiser: expected a factor"):
        _train(tmp_path, _config(1, optimiser=PlateauSettings(factor=2.0)))
    prepare_workdir(tmp_path, {"trainer": "trades"})
    with pytest.raises(InputError, match=r"expected a training of cycle, .* is of trades"):
        load(TRAINER, tmp_path)


@cache
def _trained(start: Config) -> tuple[Config, Any, list[dict[str, float]]]:
    """UNets and convolutional discriminators after some steps on changing batches."""
    config, inputs = _config(300, start), Inputs(classifier=classifier)
    state, step = init(jax.random.key(0), config, inputs), jax.jit(make_step(config, inputs))
    history = []
    for index in range(config.run.num_steps):
        state, metrics = step(
            state, jax.random.fold_in(jax.random.key(1), index), decided_batch(100 + index)
        )
        history.append({name: float(value) for name, value in metrics.items()})
    return config, state, history


@pytest.mark.slow
@pytest.mark.parametrize("start", [Config(), CYCE_CONFIG], ids=["syce", "cyce"])
def test_loss_falls_until_decisions_are_turned_over_and_the_way_back_is_found(
    start: Config,
) -> None:
    config, state, history = _trained(start)
    assert history[-1]["loss"] < 0.5 * history[0]["loss"]
    images = varied(validation(128)["image"], 1)
    inputs = Inputs(validation={"image": images}, classifier=classifier)
    found = make_evaluate(config, inputs)(state)
    print({name: round(value, 3) for name, value in found.items()})
    assert found["validation_turned"] > 0.95 and found["validation_kept"] > 0.98
    assert found["validation_psnr"] > 20
    graph = graph_of(partial(build, config))
    networks: Any = evaluation_view(graph, state.params, state.rest)
    pair = Partial(
        syce if start.method == "syce" else cyce,
        list(map(generator_of, networks.generators)),
        classifier,
    )
    reached = generator_answers(pair, classifier, images, batch_size=64)
    print(reached)
    check_generators(reached)
    assert (reached.spread > 0.5).all()


SHARDED = """
import jax, numpy as np
from cfx_jax.parallel import data_mesh, replicate, shard
from test_cycle import INPUTS, _config, decided_batch
from trainers.cycle import init, make_step

assert len(jax.devices()) == 4
config = _config(3)
step = jax.jit(make_step(config, INPUTS))
alone = init(jax.random.key(0), config, INPUTS)
spread = replicate(alone, data_mesh())
for index in range(3):
    key, batch = jax.random.key(index), decided_batch(index)
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
