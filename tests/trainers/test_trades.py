import json
import os
import subprocess
import sys
from functools import cache, partial
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import toy_training
from flax import nnx
from toy_training import (
    OPTIONS,
    RADIUS,
    batch,
    bits,
    images_and_labels,
    net,
    source,
    validation,
    with_options,
)

from cfx_jax.errors import InputError
from cfx_jax.losses import cross_entropy, kl_divergence, trades_attack
from cfx_jax.metrics import robustly_correct
from cfx_jax.models import per_image
from trainers import Inputs, classifier, load, train
from trainers.shared import classifier_of, graph_of, training_view, variables_of
from trainers.trades import TRAINER, AttackConfig, Config, attack, init, make_step

ATTACK = AttackConfig(radius=RADIUS, num_steps=5)


def _config(num_steps: int = 60, **options: Any) -> Config:
    return with_options(Config(), num_steps=num_steps, **{"attack": ATTACK, **OPTIONS, **options})


@cache
def _trained(num_steps: int = 60) -> tuple[Any, list[dict[str, float]]]:
    """State and metrics after some steps on changing batches."""
    config = _config(num_steps)
    state, step = (
        init(jax.random.key(0), config, Inputs(model=net)),
        jax.jit(make_step(config, Inputs(model=net))),
    )
    history = []
    for index in range(num_steps):
        images, labels = images_and_labels(32, seed=100 + index)
        state, metrics = step(state, jax.random.key(index), {"image": images, "label": labels})
        history.append({name: float(value) for name, value in metrics.items()})
    return state, history


@partial(jax.jit, static_argnums=0)
def _attack_all(config: AttackConfig, keys: jax.Array, model: Any, images: jax.Array) -> jax.Array:
    return jax.vmap(lambda key, image: attack(_config(attack=config), key, model, image))(
        keys, images
    )


def test_defaults_are_those_of_the_method_card() -> None:
    config = Config()
    assert (config.beta, config.attack.p, config.attack.radius, config.attack.num_steps) == (
        6.0,
        2.0,
        0.25,
        20,
    )
    assert (config.attack.momentum, config.attack.step_size * config.attack.radius) == (0.9, 0.05)
    assert (config.attack.start, config.divergence_order) == ((0.1, 0.5), "clean_first")
    assert (config.optimiser, config.run) == (
        classifier.Config().optimiser,
        classifier.Config().run,
    )


def test_loss_falls_and_attacks_use_their_radius() -> None:
    _, history = _trained()
    assert np.mean([line["loss"] for line in history[-10:]]) < 0.7 * np.mean(
        [line["loss"] for line in history[:10]]
    )
    assert all(line["divergence"] >= 0 for line in history)
    assert all(0.9 < line["distance"] <= 1 + 1e-5 for line in history)
    assert all(line["loss"] > 6 * line["divergence"] for line in history)


def test_adversarial_divergence_exceeds_that_of_the_start_and_stays_in_the_ball() -> None:
    state, _ = _trained()
    images = jnp.asarray(images_and_labels(512, seed=3)[0])
    model = classifier_of(graph_of(net), state.params, state.rest)
    keys = jax.random.split(jax.random.key(0), len(images))
    still = AttackConfig(radius=RADIUS, num_steps=1, step_size=1e-7)
    found, start = (_attack_all(config, keys, model, images) for config in (ATTACK, still))
    clean, adversarial, started = (jax.vmap(model)(x) for x in (images, found, start))
    assert (kl_divergence(clean, adversarial) > kl_divergence(clean, started)).mean() > 0.99
    lengths = np.linalg.norm(np.asarray(found - images).reshape(512, -1), axis=1) / RADIUS
    assert lengths.max() <= 1 + 1e-5 and lengths.mean() > 0.9


def test_clean_and_adversarial_images_share_one_forward_pass_and_its_statistics() -> None:
    config, data = _config(), batch()
    state = init(jax.random.key(0), config, Inputs(model=net))
    model = classifier_of(graph_of(net), state.params, state.rest)
    keys = jax.random.split(jax.random.key(9), 32)
    adversarial = _attack_all(ATTACK, keys, model, data["image"])
    module: Any = training_view(graph_of(net), state.params, state.rest)
    both = module(jnp.concatenate([data["image"], adversarial]))
    new, metrics = jax.jit(make_step(config, Inputs(model=net)))(state, jax.random.key(9), data)
    np.testing.assert_allclose(
        new.rest["norm"]["mean"][...], variables_of(module)[1]["norm"]["mean"][...], atol=1e-5
    )
    assert metrics["divergence"] == pytest.approx(
        float(kl_divergence(both[:32], both[32:]).mean()), rel=1e-3
    )
    assert metrics["accuracy"] == (both[:32].argmax(axis=1) == data["label"]).mean()


def test_the_order_of_the_divergence_reaches_the_attack_the_loss_and_the_metrics() -> None:
    config, data, key = _config(divergence_order="adversarial_first"), batch(), jax.random.key(9)
    state = init(jax.random.key(0), config, Inputs(model=net))
    state = state._replace(
        params=jax.tree.map(lambda weight: 3 * weight, state.params)
    )  # predictions far from even
    model = classifier_of(graph_of(net), state.params, state.rest)

    def attack_one(key: jax.Array, image: jax.Array) -> jax.Array:
        return trades_attack(
            key, model, image, radius=RADIUS, num_steps=5, order="adversarial_first"
        )

    adversarial = jax.jit(jax.vmap(attack_one))(jax.random.split(key, 32), data["image"])
    module: Any = training_view(graph_of(net), state.params, state.rest)
    clean, attacked = jnp.split(module(jnp.concatenate([data["image"], adversarial])), 2)
    _, metrics = jax.jit(make_step(config, Inputs(model=net)))(state, key, data)
    divergence = float(kl_divergence(attacked, clean).mean())
    assert divergence != pytest.approx(float(kl_divergence(clean, attacked).mean()), rel=1e-2)
    assert metrics["divergence"] == pytest.approx(divergence, rel=1e-3)
    expected = float(cross_entropy(clean, data["label"])) + 6 * divergence
    assert metrics["loss"] == pytest.approx(expected, rel=1e-3)


def test_the_start_reaches_the_attack() -> None:
    # On a network that does not depend on the image no step is taken, and the start is the answer.
    def distances(start: tuple[float, float]) -> np.ndarray:
        config = _config(attack=AttackConfig(radius=RADIUS, num_steps=1, start=start))
        images = jnp.full((20, 8, 8, 1), 0.5)
        found = jax.vmap(lambda key, image: attack(config, key, lambda x: jnp.zeros(2), image))(
            jax.random.split(jax.random.key(0), 20), images
        )
        return np.linalg.norm(np.asarray(found - images).reshape(20, -1), axis=1) / RADIUS

    np.testing.assert_array_equal(distances((0.0, 0.0)), 0)
    np.testing.assert_allclose(distances((0.7, 0.7)), 0.7, rtol=1e-5)


def test_the_network_that_is_attacked_is_in_evaluation_mode() -> None:
    # An image's adversarial twin must not depend on the other images of its batch.
    state, data = _trained()[0], batch()
    model = classifier_of(graph_of(net), state.params, state.rest)
    keys, images = jax.random.split(jax.random.key(9), 32), data["image"]
    among = _attack_all(ATTACK, keys, model, images)
    other = _attack_all(ATTACK, keys, model, np.concatenate([images[:1], 1 - images[1:]]))
    np.testing.assert_array_equal(among[0], other[0])


@pytest.mark.slow
def test_robust_training_withstands_attacks_that_break_plain_training(tmp_path: Path) -> None:
    data = (source(), np.arange(256), validation())
    plain_config = with_options(classifier.Config(), num_steps=100, **OPTIONS)
    options: dict[str, Any] = {"model": net, "progress": False}
    plain = train(classifier.TRAINER, plain_config, *data, tmp_path / "plain", **options)
    robust = train(TRAINER, _config(100), *data, tmp_path / "robust", **options)

    def accuracies(model: nnx.Module) -> tuple[float, float]:
        images, labels = jnp.asarray(data[2]["image"]), jnp.asarray(data[2]["label"])
        clean = (jax.vmap(per_image(model))(images).argmax(axis=1) == labels).mean()
        held = robustly_correct(
            jax.random.key(0),
            per_image(model),
            images,
            labels,
            radius=RADIUS,
            num_steps=20,
            num_restarts=1,
        )
        return float(clean), float(held.mean())

    (plain_clean, plain_robust), (robust_clean, robust_robust) = (
        accuracies(plain),
        accuracies(robust),
    )
    assert plain_clean > 0.95 and robust_clean > 0.8
    assert robust_robust > plain_robust + 0.3


def test_validation_can_be_attacked_and_select(tmp_path: Path) -> None:
    config = _config(20, evaluate_every=10, select="adversarial_accuracy")
    images = source(), np.arange(256), validation()
    model = train(TRAINER, config, *images, tmp_path, model=net, progress=False)
    assert bits(variables_of(load(TRAINER, tmp_path, model=net))) == bits(variables_of(model))
    lines = [json.loads(line) for line in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    scores = [line["validation_adversarial_accuracy"] for line in lines]
    assert [line["step"] for line in lines] == [10, 20]
    data, keys = validation(), jax.random.split(jax.random.key(config.run.seed), 128)
    adversarial = _attack_all(ATTACK, keys, per_image(model), data["image"])
    right = jax.vmap(per_image(model))(adversarial).argmax(axis=1) == data["label"]
    assert max(scores) == pytest.approx(float(right.mean()))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"attack": AttackConfig(p=1.0)}, "attack.p: expected one of 2.0, inf, got 1.0"),
        (
            {"attack": AttackConfig(radius=0.0)},
            "attack.radius: expected a finite number above 0, got 0.0",
        ),
        (
            {"attack": AttackConfig(step_size=-1.0)},
            "attack.step_size: expected a finite number above 0, got -1.0",
        ),
        (
            {"attack": AttackConfig(start=(0.5, 0.1))},
            r"attack.start: expected two rising shares .*, got \(0.5, 0.1\)",
        ),
        (
            {"divergence_order": "both"},
            "divergence_order: expected one of 'clean_first', 'adversarial_first', got 'both'",
        ),
        ({"beta": -1.0}, "beta: expected a weight of at least 0, got -1.0"),
    ],
)
def test_impossible_options_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        make_step(_config(**options), Inputs(model=net))


def test_an_unknown_metric_of_selection_is_refused(tmp_path: Path) -> None:
    images, message = (source(), np.arange(256), validation()), "'accuracy', 'adversarial_accuracy'"
    with pytest.raises(InputError, match=f"select: expected one of 'balanced_accuracy', {message}"):
        train(TRAINER, _config(2, select="f1"), *images, tmp_path, model=net)


SHARDED = """
import jax, numpy as np
from cfx_jax.parallel import data_mesh, replicate, shard
from toy_training import batch, net, with_options
from trainers import Inputs
from trainers.trades import AttackConfig, Config, init, make_step

assert len(jax.devices()) == 4
config = with_options(Config(), num_steps=3, attack=AttackConfig(radius=0.4, num_steps=3))
step = jax.jit(make_step(config, Inputs(model=net)))
alone = spread = init(jax.random.key(0), config, Inputs(model=net))
spread = replicate(spread, data_mesh())
for index in range(3):
    key = jax.random.key(index)
    alone, metrics = step(alone, key, batch())
    spread, other = step(spread, key, shard(batch(), data_mesh()))
leaves = jax.tree.leaves((alone.params, metrics)), jax.tree.leaves((spread.params, other))
for one, two in zip(*leaves, strict=True):
    np.testing.assert_allclose(one, two, rtol=1e-3, atol=1e-5)
assert spread.params["head"]["kernel"][...].sharding.is_fully_replicated
print("same")
"""


@pytest.mark.slow
def test_a_step_over_four_devices_equals_one_device() -> None:
    here, root = Path(toy_training.__file__).parent, Path(__file__).parents[2]
    paths = {"PYTHONPATH": f"{here}{os.pathsep}{root}"}
    environment = {**os.environ, "JAX_PLATFORMS": "cpu", "JAX_NUM_CPU_DEVICES": "4", **paths}
    result = subprocess.run(
        [sys.executable, "-c", SHARDED], capture_output=True, text=True, env=environment
    )
    assert result.stdout == "same\n", result.stderr
