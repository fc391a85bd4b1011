"""Training of classifiers of volumes: loss by hand, weights of classes, start from another network,
ties, resumption.
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
import tyro
from flax import nnx
from toy_training import bits, with_options
from toy_volumes import data, dropping, guided, slices, two_headed, validation

from cfx_jax.data import ArraySource
from cfx_jax.errors import InputError
from cfx_jax.training.workdir import prepare_workdir
from trainers import Inputs, OptimiserSettings, Trainer, load, train, with_run
from trainers.shared import graph_of, restore_config, training_view, variables_of
from trainers.volume_classifier import (
    FROM_BASELINE,
    TRAINER,
    Config,
    init,
    make_evaluate,
    make_step,
)

CONSTANT = OptimiserSettings(rule="adam", learning_rate=2e-2)
"""Of which numbers of steps are no part."""


def _config(num_steps: int, **options: Any) -> Config:
    given: dict[str, Any] = {
        "batch_size": 8,
        "eval_batch_size": 8,
        "log_every": 10,
        "evaluate_every": 10,
        "checkpoint_every": 20,
        "horizontal_flip": False,
        "vertical_flip": False,
        "optimiser": CONSTANT,
    }
    return with_options(Config(), num_steps=num_steps, **{**given, **options})


@cache
def _compiled(model: Any, sides: bool, saliency: bool) -> Any:
    """The step without weights of classes, compiled once; with a constant rate numbers of steps
    play no part in it.
    """
    config = _config(1, sides=sides, saliency=saliency, weighted=False)
    return jax.jit(make_step(config, Inputs(model=model)))


def _train(workdir: Path, config: Config, model: Any = slices, **options: Any) -> Any:
    volumes = data(sides=config.sides), np.arange(48), validation(sides=config.sides)
    return train(_compiled_trainer(model), config, *volumes, workdir, model=model, **options)


def _compiled_trainer(model: Any) -> Trainer[Config]:
    return replace(
        TRAINER,
        make_step=lambda config, inputs: _compiled(model, config.sides, config.saliency),
    )


def _evaluations(workdir: Path) -> list[dict[str, float]]:
    lines = map(json.loads, (workdir / "metrics.jsonl").read_text().splitlines())
    return [line for line in lines if "validation_accuracy" in line]


def _minus_log(logits: np.ndarray, labels: np.ndarray) -> np.ndarray:
    shares = np.exp(np.float64(logits))
    return -np.log(shares[np.arange(len(labels)), labels] / shares.sum(axis=1))


def test_defaults_are_those_of_the_method_card() -> None:
    config, tuned = Config(), FROM_BASELINE
    assert (config.model, config.num_slices, config.weighted) == ("slice_resnet50", 11, True)
    run = config.run
    assert (run.epochs, run.num_steps, run.steps_per_epoch, run.evaluate_every) == (200, 0, 0, 0)
    assert (run.batch_size, config.select) == (8, "accuracy")
    assert config.optimiser == OptimiserSettings(
        "adam", 1e-4, weight_decay=5e-5, schedule="cosine_by_epoch", smallest=1e-7
    )
    assert (config.horizontal_flip, config.vertical_flip, config.saliency) == (True, True, False)
    assert tuned.model == "acat_slice_resnet50"
    assert tuned.run == replace(run, epochs=100)
    assert tuned.optimiser == replace(config.optimiser, learning_rate=1e-5) and tuned.saliency
    assert not tuned.horizontal_flip and not tuned.vertical_flip


@pytest.mark.parametrize(("number", "epoch"), [(48, 6), (45, 5), (3, 1)])
def test_epochs_are_counted_out_for_the_scans_at_hand(
    tmp_path: Path, number: int, epoch: int
) -> None:
    configs: list[Config] = []
    stopping = replace(TRAINER, make_step=lambda config, inputs: configs.append(config) or 1 / 0)
    volumes = data(), np.arange(number), validation()
    for config in (Config(), FROM_BASELINE, with_run(Config(), num_steps=7, evaluate_every=2)):
        given = replace(config, saliency=False, weighted=False)
        with pytest.raises(ZeroDivisionError):
            train(stopping, given, *volumes, tmp_path, model=slices)
    runs = [config.run for config in configs]
    assert [run.num_steps for run in runs] == [200 * epoch, 100 * epoch, 7]
    assert [run.evaluate_every for run in runs] == [epoch, epoch, 2]
    assert all(run.checkpoint_every == run.steps_per_epoch == epoch for run in runs)


def test_the_loss_weighs_each_class_by_the_share_of_the_other() -> None:
    batch, config = validation(8), _config(1)
    shares = np.array([0.25, 0.75])  # of none and lesion, in the batch and in the data
    inputs = Inputs(data(), np.arange(48), model=slices)
    state = init(jax.random.key(0), config, inputs)
    _, metrics = jax.jit(make_step(config, inputs))(state, jax.random.key(1), batch)
    logits = np.asarray(training_view(graph_of(slices), state.params, state.rest)(batch["image"]))
    each = shares[::-1][batch["label"]]
    expected = (each * _minus_log(logits, batch["label"])).sum() / each.sum()
    assert float(metrics["loss"]) == pytest.approx(expected, rel=1e-4)
    assert float(metrics["accuracy"]) == pytest.approx(
        (logits.argmax(axis=1) == batch["label"]).mean()
    )


def test_with_sides_the_loss_is_that_of_the_lesion_and_of_the_sides_of_lesions() -> None:
    batch, config = validation(8, sides=True), _config(1, sides=True)
    state = init(jax.random.key(0), config, Inputs(model=two_headed))
    _, metrics = _compiled(two_headed, True, False)(state, jax.random.key(1), batch)
    lesion, side = training_view(graph_of(two_headed), state.params, state.rest)(batch["image"])
    ill = batch["label"] > 0
    lesion_term = _minus_log(np.asarray(lesion), ill.astype(int)).mean()
    side_term = _minus_log(np.asarray(side)[ill], batch["label"][ill] - 1).mean()
    found = [float(metrics[name]) for name in ("lesion", "side", "loss")]
    assert found == pytest.approx([lesion_term, side_term, lesion_term + side_term], rel=1e-4)
    # Weighted, none is three times as rare as lesion; one volume more of it changes the mean.
    inputs = Inputs(data(sides=True), np.arange(48), model=two_headed)
    _, metrics = jax.jit(make_step(config, inputs))(state, jax.random.key(1), batch)
    terms = _minus_log(np.asarray(lesion), ill.astype(int))
    weights = np.where(ill, 2 / 3, 2)
    assert float(metrics["lesion"]) == pytest.approx((weights * terms).sum() / 8, rel=1e-4)


def test_training_finds_lesions_and_the_selected_weights_come_back(tmp_path: Path) -> None:
    model = _train(tmp_path, _config(60))
    truth = validation()
    right = np.asarray(model(truth["image"])).argmax(axis=1) == truth["label"]
    found = _evaluations(tmp_path)
    assert right.mean() == max(line["validation_accuracy"] for line in found) > 0.9
    assert found[-1]["validation_cross_entropy"] < 0.7 * found[0]["validation_cross_entropy"]
    assert bits(variables_of(load(TRAINER, tmp_path, model=slices))) == bits(variables_of(model))


@pytest.mark.slow
def test_training_finds_sides_though_volumes_are_mirrored(tmp_path: Path) -> None:
    config = _config(150, sides=True, horizontal_flip=True, vertical_flip=True, evaluate_every=50)
    _train(tmp_path, config, two_headed)
    last = _evaluations(tmp_path)[-1]
    assert (
        last["validation_accuracy"] > 0.8
        and last["validation_lesion_accuracy"] >= last["validation_accuracy"]
    )


@pytest.mark.slow
def test_a_stopped_training_goes_on_to_the_same_bits_with_dropout_and_batch_norm(
    tmp_path: Path,
) -> None:
    config = _config(24, checkpoint_every=9, horizontal_flip=True, vertical_flip=True)
    whole = bits(variables_of(_train(tmp_path, config, dropping)))
    written = (tmp_path / "metrics.jsonl").read_text()
    shutil.rmtree(tmp_path / "checkpoints" / "step_00000024")
    with pytest.raises(InputError, match="stands at step 18 of 24: call train again"):
        load(TRAINER, tmp_path, model=dropping)
    assert bits(variables_of(_train(tmp_path, config, dropping))) == whole
    assert (tmp_path / "metrics.jsonl").read_text() == written


def test_of_equally_good_states_the_later_one_is_kept(tmp_path: Path) -> None:
    seen, accuracies = [], iter((0.5, 0.75, 0.75, 0.25))

    def evaluate(state: Any) -> dict[str, float]:
        seen.append(bits(state.params))
        return {"validation_accuracy": next(accuracies)}

    told = replace(_compiled_trainer(slices), make_evaluate=lambda config, inputs: evaluate)
    config, volumes = _config(8, evaluate_every=2), (data(), np.arange(48), validation())
    selected = train(told, config, *volumes, tmp_path, model=slices)
    assert [params == bits(variables_of(selected)[0]) for params in seen] == [
        False,
        False,
        True,
        False,
    ]


def test_start_gives_shared_parts_and_the_rest_is_drawn(tmp_path: Path) -> None:
    start = slices(nnx.Rngs(5))
    start.norm.mean[...] = jnp.arange(8.0)
    before, config = bits(variables_of(start)), _config(4, saliency=True)
    state, fresh = (
        init(jax.random.key(1), config, Inputs(model=guided, start=each)) for each in (start, None)
    )
    for part in ("hidden", "norm", "head"):
        assert bits(state.params[part]) == bits(nnx.state(getattr(start, part), nnx.Param))
    np.testing.assert_array_equal(state.rest["norm"]["mean"][...], np.arange(8))
    assert bits(state.params["branch"]) == bits(fresh.params["branch"])
    given = Inputs(model=guided, start=start, skip=("head",))
    skipped = init(jax.random.key(1), config, given)
    assert bits(skipped.params["head"]) == bits(fresh.params["head"]) != bits(state.params["head"])
    assert bits(skipped.params["hidden"]) == bits(state.params["hidden"])
    _train(tmp_path, config, guided, start=start)
    assert bits(variables_of(start)) == before
    for options, field in (
        ({"start": slices(nnx.Rngs(6))}, "start"),
        ({"start": start, "skip": ["head"]}, "skip"),
    ):
        with pytest.raises(InputError, match=rf"another configuration \(data.{field} was"):
            _train(tmp_path, config, guided, **options)


def test_saliency_maps_reach_the_network_in_training_and_validation() -> None:
    config, batch = _config(1, saliency=True), validation(8)
    state, step = (
        init(jax.random.key(0), config, Inputs(model=guided)),
        _compiled(guided, False, True),
    )
    other = {**batch, "saliency": batch["saliency"][::-1]}
    one, two = (step(state, jax.random.key(1), each)[1]["loss"] for each in (batch, other))
    assert one != two
    one, two = (
        make_evaluate(config, Inputs(validation=each, model=guided))(state)
        for each in (batch, other)
    )
    assert one["validation_cross_entropy"] != two["validation_cross_entropy"]


@pytest.mark.parametrize(("sides", "model"), [(False, slices), (True, two_headed)])
def test_validation_does_not_depend_on_batches(sides: bool, model: Any) -> None:
    config, truth = _config(1, sides=sides), validation(12, sides=sides)
    state = init(jax.random.key(0), config, Inputs(model=model))
    one, two = (
        make_evaluate(
            _config(1, sides=sides, eval_batch_size=size), Inputs(validation=truth, model=model)
        )(state)
        for size in (5, 12)
    )
    assert one == pytest.approx(two, rel=1e-5)


def _configured(name: str) -> tuple[Config, dict[str, Any]]:
    volumes = np.random.default_rng(0).random((4, 2, 32, 32, 1), np.float32)
    batch = {"image": volumes, "saliency": 1 - volumes, "label": np.array([0, 1, 1, 0], np.int32)}
    takes: dict[str, bool] = {"saliency": "acat" in name, "sides": "half" in name}
    config = _config(1, model=name, weighted=False, num_slices=2, **takes)
    return config, batch if config.saliency else {**batch, "saliency": None}


@pytest.mark.parametrize("name", ["half_brain_small", "acat_slice_small"])
def test_the_configured_network_is_trained_in_the_form_that_it_has(name: str) -> None:
    config, batch = _configured(name)
    state = jax.eval_shape(lambda key: init(key, config, Inputs()), jax.random.key(0))
    moved, metrics = jax.eval_shape(make_step(config, Inputs()), state, jax.random.key(1), batch)
    assert jax.tree.structure(moved) == jax.tree.structure(state)
    assert set(metrics) == {"loss", "accuracy"} | (
        {"lesion", "side"} if config.sides else {"cross_entropy"}
    )


def test_runs_that_differ_by_their_seeds_share_a_step() -> None:
    first, second = (
        _config(7, model="half_brain_small", sides=True, num_slices=2, seed=seed) for seed in (0, 1)
    )
    inputs, fewer = (Inputs(data(sides=True), np.arange(number)) for number in (48, 47))
    step = make_step(first, inputs)
    assert make_step(second, inputs) is step
    assert make_step(second, fewer) is not step  # it has other weights of classes
    assert make_step(with_run(second, num_steps=8), inputs) is not step


@pytest.mark.slow
def test_every_weight_of_acat_moves() -> None:
    config, batch = _configured("acat_half_brain_small")
    state = init(jax.random.key(0), config, Inputs())
    moved, metrics = jax.jit(make_step(config, Inputs()))(state, jax.random.key(1), batch)
    changed = jax.tree.map(lambda one, two: bool((one != two).any()), state.params, moved.params)
    assert np.isfinite(metrics["loss"]) and all(jax.tree.leaves(changed))


def test_a_configuration_is_read_back_from_its_file_and_from_the_command_line() -> None:
    config = _config(1, saliency=True, model="acat_slice_small")
    assert restore_config(Config, json.loads(json.dumps(asdict(config)))) == config
    told = tyro.cli(Config, args=["--sides", "--run.steps-per-epoch", "5"])
    assert told == with_run(Config(sides=True), steps_per_epoch=5)


def test_mistakes_of_data_are_named(tmp_path: Path) -> None:
    truth = validation(4)
    for wrong, message in (
        (
            {"image": truth["image"][:, 0]},
            r"validation volumes: expected volumes \(n, s, h, w, c\), got shape \(4, 8, 8, 1\)",
        ),
        ({"image": truth["image"] + 2}, r"validation volumes: expected values in \[0, 1\]"),
        ({"label": truth["label"] + 1}, r"validation labels: expected a class in 0\.\.1, got 2"),
        (
            {"saliency": truth["saliency"][:, 1:]},
            r"validation saliency: expected float32 of shape \(4, 3, 8, 8, 1\)",
        ),
    ):
        with pytest.raises(InputError, match=message):
            inputs = Inputs(validation={**truth, **wrong}, model=guided)
            make_evaluate(_config(1, saliency=True), inputs)
    del truth["saliency"]
    with pytest.raises(
        InputError, match="validation: expected saliency, since the network takes maps, got none"
    ):
        make_evaluate(_config(1, saliency=True), Inputs(validation=truth, model=guided))
    plain = ArraySource(truth["image"], truth["label"], ("none", "lesion"))
    with pytest.raises(
        InputError, match=r"fields: expected some of image, label, .* got 'saliency'"
    ):
        volumes = plain, np.arange(4), validation(4)
        train(TRAINER, _config(1, saliency=True), *volumes, tmp_path / "a", model=guided)
    with pytest.raises(
        InputError, match=r"labels: expected images of each of the 2 classes, got \[0, 3\]"
    ):
        train(TRAINER, _config(1), plain, np.arange(1, 4), truth, tmp_path / "b", model=slices)


def test_mistakes_of_the_configuration_are_named(tmp_path: Path) -> None:
    batch, key = validation(4), jax.random.key(0)
    for config, model, message in (
        (
            _config(1, sides=True),
            slices,
            "sides: expected False, since the network's logits are of classes, got True",
        ),
        (
            _config(1),
            two_headed,
            "sides: expected True, since the network's logits are of lesion and side, got False",
        ),
        (
            _config(1),
            guided,
            "saliency: expected True, since Guided takes volumes and saliency maps, got False",
        ),
        (
            _config(1, saliency=True),
            slices,
            "saliency: expected False, since Slices takes volumes alone, got True",
        ),
        (_config(1, num_classes=3), slices, "num_classes: expected 2, the network's logits, got 3"),
    ):
        with pytest.raises(InputError, match=message):
            given, inputs = replace(config, weighted=False), Inputs(model=model)
            make_step(given, inputs)(init(key, given, inputs), key, batch)
    with pytest.raises(
        InputError, match=r"source: expected 3 classes \(num_classes\), got none, lesion: change"
    ):
        _train(tmp_path, _config(1, num_classes=3))
    with pytest.raises(
        InputError,
        match=r"source: expected 4 classes \(none, left, right, both\), got none, lesion",
    ):
        volumes = data(), np.arange(8), batch
        train(TRAINER, _config(1, sides=True), *volumes, tmp_path, model=two_headed)
    with pytest.raises(
        InputError,
        match="select: expected one of 'accuracy', 'balanced_accuracy', 'none', got 'loss'",
    ):
        _train(tmp_path, _config(1, select="loss"))
    with pytest.raises(InputError, match="batch_size: expected a multiple of the 1 devices, got 0"):
        _train(tmp_path, _config(1, batch_size=0))
    with pytest.raises(InputError, match="model: expected one of 'slice_resnet50'"):
        init(key, _config(1, model="resnet"), Inputs())
    prepare_workdir(tmp_path, {"trainer": "trades"})
    with pytest.raises(
        InputError, match=r"expected a training of volume_classifier, .* is of trades"
    ):
        load(TRAINER, tmp_path)
