"""Training of the explainer: each loss moves what it is to move, the classifier stays, averages and
vectors move as said, and a stopped training goes on to the same bits."""

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
import optax
import pytest
import toy_training
from flax import nnx
from toy_progressive import (
    INPUTS,
    NUM_BINS,
    PATTERN,
    batch_of,
    bins_of,
    classifier,
    data,
    images_of,
    linear,
    small,
)
from toy_training import bits

from cfx_jax.counterfactuals import progressive
from cfx_jax.errors import InputError
from cfx_jax.losses import ProgressiveWeights
from cfx_jax.models import (
    BatchNormDiscriminator,
    BendingGenerator,
    ProgressiveGenerator,
    exaggerator_of,
)
from cfx_jax.models.generators.layers import power_step
from cfx_jax.training.workdir import prepare_workdir
from trainers import Inputs, load, train, with_run
from trainers.progressive import (
    CODE_HEAD,
    PAPER_FIXED,
    TRAINER,
    Config,
    _split_batch,
    build,
    init,
    make_batches,
    make_evaluate,
    make_optimiser,
    make_step,
)
from trainers.shared import (
    evaluation_view,
    graph_of,
    restore_config,
    trained_network,
    training_view,
    variables_of,
)

ONLY_COMPATIBILITY = ProgressiveWeights(adversarial=0.0, reconstruction=0.0, cycle=0.0)


@cache
def _compiled(config: Config) -> Any:
    return jax.jit(make_step(config, INPUTS))


def _train(workdir: Path, config: Config, **options: Any) -> Any:
    # Numbers of steps, lines and checkpoints play no part in a step.
    lengths = {"num_steps": 1, "checkpoint_every": 1, "evaluate_every": 1}
    alike = replace(with_run(config, **lengths), select="none")
    compiled = replace(TRAINER, make_step=lambda config, inputs: _compiled(alike))
    images = data(), np.arange(64), {"image": images_of(32, 1)}
    given: dict[str, Any] = {"classifier": classifier, "model": linear, "progress": False}
    return train(compiled, config, *images, workdir, **given, **options)


def test_defaults_are_those_of_the_method_card() -> None:
    config = Config()
    assert (config.filters, config.discriminator_filters) == (
        (64, 128, 256, 512, 1024, 1024),
        (64, 128, 256, 512, 1024),
    )
    assert (config.num_bins, config.critic_steps, config.run.batch_size) == (10, 5, 32)
    assert (config.learning_rate, config.first_moment, config.second_moment) == (2e-4, 0.0, 0.9)
    assert (config.run.num_steps * config.critic_steps, config.weights) == (
        100_000,
        ProgressiveWeights(1, 1, 100, 100, 0),
    )


def test_the_two_profiles_differ_in_what_the_card_lists() -> None:
    assert Config() == PAPER_FIXED
    paper, code = asdict(PAPER_FIXED), asdict(CODE_HEAD)
    changed = {name: (paper[name], code[name]) for name in paper if paper[name] != code[name]}
    weights = changed.pop("weights")
    assert changed == {
        "classifier_gradient": (True, False),
        "conditional_encoder": (False, True),
        "reconstruction": ("pixels", "latent"),
        "projection": ("ordinal", "tied"),
        "target": ("centre", "edge"),
        "last_block": (False, True),
    }
    assert [each["returned_class"] for each in weights] == [0, 1]


def test_one_step_by_hand() -> None:
    """Two updates of the discriminator and one of the generator, with losses and gradients computed
    apart.
    """
    config = small(1, weights=ProgressiveWeights(0.5, 1.0, 3.0, 2.0, 0.25))
    key, batch = jax.random.key(5), batch_of(16, 0)
    state = init(jax.random.key(0), config, INPUTS)
    moved, metrics = _compiled(config)(state, key, batch)
    share_key, target_key = jax.random.split(key)
    images, sources = _split_batch(
        share_key, {name: jnp.asarray(x) for name, x in batch.items()}, 2
    )
    targets, graph = jax.random.randint(target_key, (2, 8), 0, NUM_BINS), graph_of(linear)

    def hinge(
        part: Any, params: Any, rest: Any, fake: jax.Array, update: int
    ) -> tuple[jax.Array, Any]:
        networks: Any = training_view(graph, nnx.State({**params, "discriminator": part}), rest)
        real = networks.discriminator(images[update], sources[update])
        made = nnx.view(networks.discriminator, update_spectral=True, raise_if_not_found=False)(
            fake, targets[update]
        )
        loss = 0.5 * (jnp.maximum(0, 1 - real).mean() + jnp.maximum(0, 1 + made).mean())
        return loss, variables_of(networks)[1]

    def drawn(params: Any, rest: Any, update: int) -> jax.Array:
        generator = training_view(graph, params, rest).generator  # type: ignore[attr-defined]
        return generator.decode(generator.encode(images[update], sources[update]), targets[update])

    def terms_of(part: Any, params: Any, rest: Any) -> dict[str, jax.Array]:
        networks: Any = training_view(graph, nnx.State({**params, "generator": part}), rest)
        x, source, target, generator = images[-1], sources[-1], targets[-1], networks.generator
        latent = generator.encode(x, source)
        fake, same = generator.decode(latent, target), generator.decode(latent, source)
        returned = generator.decode(generator.encode(fake, source), source)
        of_x, of_fake, of_returned = (
            jax.nn.softmax(jax.vmap(classifier)(each)) for each in (x, fake, returned)
        )
        desired = ((target + 0.5) / NUM_BINS)[:, None]
        wanted = jnp.concatenate([1 - desired, desired], axis=1)
        return {
            "adversarial": -0.5 * networks.discriminator(fake, target).mean(),
            "compatibility": -(wanted * jnp.log(of_fake)).sum(axis=1).mean(),
            "reconstruction": 3 * jnp.abs((2 * x - 1) - (2 * same - 1)).mean(),
            "cycle": 2 * jnp.abs((2 * x - 1) - (2 * returned - 1)).mean(),
            "returned_class": -0.25 * (of_x * jnp.log(of_returned)).sum(axis=1).mean(),
        }

    adam = optax.adam(1e-2, b1=0.0, b2=0.9)
    params, rest, moments = state.params, state.rest, adam.init(state.params["discriminator"])
    draw, slope = jax.jit(drawn), jax.jit(jax.grad(hinge, has_aux=True))
    for update in range(2):
        fake = draw(params, rest, update)
        gradients, rest = slope(params["discriminator"], params, rest, fake, update)
        directions, moments = adam.update(gradients, moments)
        params = nnx.State(
            {**params, "discriminator": optax.apply_updates(params["discriminator"], directions)}
        )

    @jax.jit
    @partial(jax.grad, has_aux=True)
    def total(part: Any, params: Any, rest: Any) -> tuple[jax.Array, dict[str, jax.Array]]:
        terms = terms_of(part, params, rest)
        return sum(terms.values(), jnp.zeros(())), terms

    slopes, terms = total(params["generator"], params, rest)
    directions, _ = adam.update(slopes, adam.init(params["generator"]))
    params = nnx.State(
        {**params, "generator": optax.apply_updates(params["generator"], directions)}
    )
    for part in ("generator", "discriminator"):
        for one, two in zip(
            jax.tree.leaves(moved.params[part]), jax.tree.leaves(params[part]), strict=True
        ):
            np.testing.assert_allclose(one, two, rtol=1e-4, atol=2e-5)
    assert {name: float(metrics[name]) for name in terms} == {
        name: pytest.approx(float(value), rel=1e-3, abs=1e-5) for name, value in terms.items()
    }
    assert float(metrics["loss"]) == pytest.approx(float(sum(terms.values())), rel=1e-4)


def test_the_compatibility_alone_moves_the_generator_through_the_classifier_and_nothing_else() -> (
    None
):
    config = small(1, weights=ONLY_COMPATIBILITY)
    state = init(jax.random.key(0), config, INPUTS)
    moved, metrics = _compiled(config)(state, jax.random.key(1), batch_of(16, 0))
    before, after = state.params["generator"], moved.params["generator"]
    assert all((before[name][...] != after[name][...]).any() for name in ("direction", "shifts"))
    assert bits(moved.params["discriminator"]) == bits(state.params["discriminator"])
    assert metrics["compatibility"] > metrics["divergence"] > 0


def test_a_blocked_gradient_logs_the_terms_of_the_classifier_and_moves_nothing() -> None:
    weights = replace(ONLY_COMPATIBILITY, returned_class=1.0)
    config = small(1, weights=weights, classifier_gradient=False)
    state = init(jax.random.key(0), config, INPUTS)
    moved, metrics = _compiled(config)(state, jax.random.key(1), batch_of(16, 0))
    assert bits(moved.params) == bits(state.params)
    assert min(metrics["compatibility"], metrics["returned_class"]) > 0


def test_several_updates_of_the_discriminator_for_one_of_the_generator() -> None:
    config = small(1, checkpoint_every=1, evaluate_every=1, select="none")  # compiled for trainings
    state = init(jax.random.key(0), config, INPUTS)
    for index in range(4):
        state, _ = _compiled(config)(state, jax.random.key(index), batch_of(16, index))
    counts = {
        part: int(optax.tree_utils.tree_get(moments, "count"))
        for part, moments in state.opt_state.items()
    }
    assert counts == {"generator": 4, "discriminator": 8}


def test_every_update_has_images_of_its_own_with_their_bins() -> None:
    numbers = np.arange(30)
    batch = {"image": jnp.asarray(numbers[:, None, None, None] / 30), "label": jnp.asarray(numbers)}
    images, bins = _split_batch(jax.random.key(0), batch, 3)
    assert images.shape == (3, 10, 1, 1, 1) and sorted(np.ravel(bins).tolist()) == numbers.tolist()
    np.testing.assert_allclose(30 * images[..., 0, 0, 0], bins, rtol=1e-6)
    # The i-th image of every batch is one of the i-th three, so that devices keep their own.
    np.testing.assert_array_equal(bins // 3, np.broadcast_to(np.arange(10), (3, 10)))
    many = jax.vmap(lambda key: _split_batch(key, batch, 3)[1] % 3)(
        jax.random.split(jax.random.key(1), 300)
    )
    assert np.abs(np.mean(many, axis=(0, 2)) - 1).max() < 0.1


def test_averages_move_with_one_pass_and_vectors_once_with_each_update_of_the_discriminator() -> (
    None
):
    config = small(1, weights=ONLY_COMPATIBILITY, critic_steps=3)
    state, key, batch = (
        init(jax.random.key(0), config, INPUTS),
        jax.random.key(2),
        batch_of(24, 0),
    )
    moved, _ = _compiled(config)(state, key, batch)
    share_key, target_key = jax.random.split(key)
    images, sources = _split_batch(
        share_key, {name: jnp.asarray(x) for name, x in batch.items()}, 3
    )
    targets = jax.random.randint(target_key, (3, 8), 0, NUM_BINS)
    networks: Any = training_view(graph_of(linear), state.params, state.rest)
    networks.generator.decode(networks.generator.encode(images[-1], sources[-1]), targets[-1])
    expected = variables_of(networks)[1]["generator"]
    for one, two in zip(
        jax.tree.leaves(moved.rest["generator"]), jax.tree.leaves(expected), strict=True
    ):
        np.testing.assert_allclose(one, two, rtol=1e-5, atol=1e-7)
    # The discriminator stays, as its weight is 0, so that its vector moves by three steps of the
    # iteration.
    kernel, vector = (
        state.params["discriminator"]["head"]["kernel"][...],
        state.rest["discriminator"]["head"]["vector"],
    )
    right = vector[...]
    for _ in range(3):
        _, right = power_step(kernel, right)
    np.testing.assert_allclose(moved.rest["discriminator"]["head"]["vector"][...], right, rtol=1e-5)


@pytest.mark.slow
def test_training_learns_and_goes_on_from_a_checkpoint_to_the_same_bits(tmp_path: Path) -> None:
    config = small(
        60,
        select="score",
        checkpoint_every=45,
        weights=ProgressiveWeights(0.05, 1.0, 1.0, 1.0, 0.0),
    )
    generator = _train(tmp_path, config)
    whole = bits(variables_of(generator))
    assert bits(variables_of(load(TRAINER, tmp_path, model=linear))) == whole
    written = (tmp_path / "metrics.jsonl").read_text()
    last = tmp_path / "checkpoints" / "step_00000060"
    shutil.rmtree(last)
    with pytest.raises(InputError, match="stands at step 45 of 60: call train again"):
        load(TRAINER, tmp_path, model=linear)
    assert bits(variables_of(_train(tmp_path, config))) == whole
    assert (tmp_path / "metrics.jsonl").read_text() == written
    lines = [line for line in map(json.loads, written.splitlines()) if "validation_score" in line]
    assert lines[-1]["validation_compatibility"] < 0.5 * lines[0]["validation_compatibility"]
    assert lines[-1]["validation_crossed"] > 0.95 > lines[0]["validation_crossed"]
    assert lines[-1]["validation_rank_correlation"] > 0.9
    assert lines[-1]["validation_spread"] > lines[0]["validation_spread"]
    best = max(lines, key=lambda line: line["validation_score"])
    images = images_of(32, 1)
    sweep = jax.jit(
        jax.vmap(lambda image: progressive(exaggerator_of(generator), classifier, image))
    )
    found = sweep(jnp.asarray(images))
    np.testing.assert_array_equal(found.source_bin, bins_of(images))
    errors = np.abs(found.probabilities - found.desired).mean(axis=1)
    decided = found.probability >= 0.5
    both = np.mean([errors[decided].mean(), errors[~decided].mean()])
    assert best["validation_compatibility"] == pytest.approx(both, rel=1e-4)


def test_a_start_gives_the_generator_and_the_discriminator_is_drawn(tmp_path: Path) -> None:
    explainer = trained_network(linear, init(jax.random.key(5), small(1), INPUTS)).generator
    before = bits(variables_of(explainer))
    started, drawn = (
        init(jax.random.key(0), small(1), replace(INPUTS, start=start))
        for start in (explainer, None)
    )
    assert (
        bits(started.params["generator"])
        == bits(variables_of(explainer)[0])
        != bits(drawn.params["generator"])
    )
    assert bits(started.params["discriminator"]) == bits(drawn.params["discriminator"])
    assert bits(variables_of(_train(tmp_path, small(3), start=explainer))) != before
    assert bits(variables_of(explainer)) == before
    with pytest.raises(InputError, match="expected parts that"):
        other = nnx.Linear(2, 2, rngs=nnx.Rngs(0))
        init(jax.random.key(0), small(1), replace(INPUTS, start=other))


def test_no_step_changes_the_classifier() -> None:
    frozen = {"pattern": jnp.asarray(PATTERN)}
    before = bits(frozen)
    inputs = replace(INPUTS, classifier=lambda x: jnp.stack([0.0, (frozen["pattern"] * x).sum()]))
    step, state = jax.jit(make_step(small(1), inputs)), init(jax.random.key(0), small(1), inputs)
    for index in range(100):
        state, _ = step(state, jax.random.key(index), batch_of(16, index))
    assert bits(frozen) == before


def test_the_configured_networks_take_a_step() -> None:
    """Of the released code's profile, made small; all of what is trained moves, and the loss is
    finite.
    """
    options = asdict(CODE_HEAD) | {"weights": CODE_HEAD.weights}
    kept = (
        "conditional_encoder",
        "projection",
        "classifier_gradient",
        "target",
        "reconstruction",
        "weights",
    )
    config = small(1, critic_steps=1, **{name: options[name] for name in kept})
    inputs = Inputs(classifier=classifier)
    state = init(jax.random.key(0), config, inputs)
    moved, metrics = jax.jit(make_step(config, inputs))(state, jax.random.key(1), batch_of(8, 0))
    assert set(metrics) == {
        "loss",
        "adversarial",
        "compatibility",
        "reconstruction",
        "cycle",
        "returned_class",
        "divergence",
        "error",
        "discriminator_real",
        "discriminator_fake",
    }
    assert all(np.isfinite(value) for value in metrics.values())
    for part in ("generator", "discriminator"):
        pairs = zip(
            jax.tree.leaves(moved.params[part]), jax.tree.leaves(state.params[part]), strict=True
        )
        assert np.mean([(one != two).any() for one, two in pairs]) > 0.9
        rest = zip(
            jax.tree.leaves(moved.rest[part]), jax.tree.leaves(state.rest[part]), strict=True
        )
        assert all((one != two).any() for one, two in rest)
    networks: Any = evaluation_view(graph_of(partial(build, config)), *moved[:2])
    assert (
        isinstance(networks.generator, ProgressiveGenerator)
        and networks.generator.conditional_encoder
    )


def test_the_small_networks_take_a_step_and_meet_the_same_terms() -> None:
    """All of what is trained moves; the networks are those of the configuration."""
    config = small(1, critic_steps=1, networks="small", symmetric=True, reach=0.2, shade=0.3)
    inputs = Inputs(classifier=classifier)
    state = init(jax.random.key(0), config, inputs)
    moved, metrics = jax.jit(make_step(config, inputs))(state, jax.random.key(1), batch_of(8, 0))
    assert {"adversarial", "compatibility", "reconstruction", "cycle"} < set(metrics)
    assert all(np.isfinite(value) for value in metrics.values())
    for part in ("generator", "discriminator"):
        pairs = zip(
            jax.tree.leaves(moved.params[part]), jax.tree.leaves(state.params[part]), strict=True
        )
        assert np.mean([(one != two).any() for one, two in pairs]) > 0.7
    networks: Any = evaluation_view(graph_of(partial(build, config)), *moved[:2])
    assert isinstance(networks.generator, BendingGenerator)
    assert isinstance(networks.discriminator, BatchNormDiscriminator)
    made = networks.generator
    assert (made.symmetric, made.reach, made.shade) == (True, 0.2, 0.3)


def test_a_configuration_is_read_back_from_its_file_as_it_was() -> None:
    config = small(1, weights=ProgressiveWeights(cycle=2.0), projection="tied")
    assert restore_config(Config, json.loads(json.dumps(asdict(config)))) == config


@pytest.mark.filterwarnings("ignore:.*bins have fewer than 10 images")
def test_images_as_they_come_keep_their_shares() -> None:
    inputs = replace(INPUTS, source=data(), train_indices=np.r_[0:64, np.zeros(64, int)])
    inputs = replace(inputs, validation={"image": images_of(4, 1)})
    labels = bins_of(images_of(64, 0))
    for sampling in ("equal", "none"):
        batches = make_batches(small(1, sampling=sampling, batch_size=64), inputs).batches
        counts = np.bincount(next(batches)["label"], minlength=NUM_BINS)
        alike = np.full(NUM_BINS, 32)
        as_they_come = np.bincount(np.r_[labels, np.full(64, labels[0])], minlength=NUM_BINS)
        np.testing.assert_array_equal(counts, alike if sampling == "equal" else as_they_come)


@pytest.mark.parametrize("updates", [1, 3])
def test_an_annealed_rate_falls_along_half_a_cosine_over_all_updates(updates: int) -> None:
    config, number = small(4, learning_rate=0.2), 4 * updates
    for annealed in (False, True):
        adam = make_optimiser(replace(config, anneal=annealed), updates=updates)
        state, moves = adam.init(jnp.zeros(())), []
        for _ in range(number):  # of a constant gradient each update is the rate
            move, state = adam.update(jnp.ones(()), state)
            moves.append(-float(move))
        rates = (
            0.2 * (1 + np.cos(np.pi * np.arange(number) / number)) / 2
            if annealed
            else np.full(number, 0.2)
        )
        np.testing.assert_allclose(moves, rates, rtol=1e-3)


def test_mistakes_are_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="select: expected one of 'score', 'none', got 'loss'"):
        _train(tmp_path, small(1, select="loss"))
    with pytest.raises(InputError, match="sampling: expected one of 'equal', 'none', got 'half'"):
        make_step(small(1, sampling="half"), INPUTS)
    with pytest.raises(InputError, match="target: expected one of 'centre', 'edge', got 'top'"):
        make_step(small(1, target="top"), INPUTS)
    with pytest.raises(
        InputError, match="reconstruction: expected one of 'pixels', 'latent', got 'both'"
    ):
        make_step(small(1, reconstruction="both"), INPUTS)
    with pytest.raises(InputError, match="critic_steps: expected an integer of at least 1, got 0"):
        make_step(small(1, critic_steps=0), INPUTS)
    with pytest.raises(
        InputError,
        match=r"optimiser: expected a learning_rate above 0 and moments in \[0, 1\), got 0.01",
    ):
        make_optimiser(small(1, second_moment=1.0))
    with pytest.raises(InputError, match="batch_size: expected a multiple of the 1 devices, got 0"):
        _train(tmp_path, small(1, batch_size=0))
    with pytest.raises(InputError, match=r"validation images: expected values in \[0, 1\]"):
        make_evaluate(small(1), replace(INPUTS, validation={"image": 2 + images_of(2, 0)}))
    with pytest.raises(InputError, match="both classes on the validation images"):
        given = Inputs(
            validation={"image": images_of(4, 0)},
            classifier=lambda x: jnp.stack([x.mean(), -x.mean()]),
        )
        make_evaluate(small(1), given)
    prepare_workdir(tmp_path, {"trainer": "trades"})
    with pytest.raises(InputError, match=r"expected a training of progressive, .* is of trades"):
        load(TRAINER, tmp_path)


SHARDED = """
import jax, numpy as np
from cfx_jax.parallel import data_mesh, replicate, shard
from toy_progressive import INPUTS, batch_of, small
from trainers.progressive import init, make_step

assert len(jax.devices()) == 4
config = small(3)
step = jax.jit(make_step(config, INPUTS))
alone = init(jax.random.key(0), config, INPUTS)
spread = replicate(alone, data_mesh())
for index in range(3):
    key, batch = jax.random.key(index), batch_of(16, index)
    alone, metrics = step(alone, key, batch)
    spread, other = step(spread, key, shard(batch, data_mesh()))
leaves = jax.tree.leaves((alone, metrics)), jax.tree.leaves((spread, other))
for one, two in zip(*leaves, strict=True):
    np.testing.assert_allclose(one, two, rtol=1e-3, atol=1e-5)
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
