"""Trainings come back from their folders; what a trainer is not to be given is refused."""

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from toy_training import OPTIONS, Net, bits, net, source, validation, with_options

from cfx_jax.errors import InputError
from cfx_jax.losses import SYCE
from cfx_jax.training import CheckpointStore, load_config
from trainers import OptimiserSettings, RunSettings, classifier, cycle, load, trades, train, vae
from trainers.shared import restore_config, variables_of

DATA = (source(), np.arange(256), validation())


def _train(workdir: Path, num_steps: int, **options: Any) -> Any:
    config = with_options(classifier.Config(), num_steps=num_steps, **OPTIONS)
    given: dict[str, Any] = {"model": net, "progress": False, **options}
    return train(classifier.TRAINER, config, *DATA, workdir, **given)


def _load(workdir: Path, **options: Any) -> Any:
    return load(classifier.TRAINER, workdir, **{"model": net, **options})


def test_trained_model_comes_back_from_its_folder(tmp_path: Path) -> None:
    model = _train(tmp_path / "w", 25)
    loaded = _load(tmp_path / "w")
    assert bits(variables_of(loaded)) == bits(variables_of(model))
    images = DATA[2]["image"]
    np.testing.assert_array_equal(loaded(images), model(images))
    config = with_options(classifier.Config(), num_steps=25, steps_per_epoch=8, **OPTIONS)
    assert restore_config(classifier.Config, load_config(tmp_path / "w")) == config


def test_loading_what_is_no_such_training_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"holds no training \(training.json is missing\)"):
        _load(tmp_path)
    _train(tmp_path, 2)
    with pytest.raises(
        InputError, match=r"workdir: expected a training of trades, .* is of classifier"
    ):
        load(trades.TRAINER, tmp_path, model=net)
    with pytest.raises(InputError, match=r"does not fit this model"):
        _load(tmp_path, model=_wider)


def _wider(rngs: nnx.Rngs) -> Net:
    model = net(rngs)
    model.head = nnx.Linear(16, 3, rngs=rngs)
    return model


def test_an_unfinished_training_is_given_only_when_asked_for(tmp_path: Path) -> None:
    _train(tmp_path / "w", 40)
    (newest,) = (tmp_path / "w" / "checkpoints").glob("step_00000040")
    newest.rename(newest.with_name("set_aside"))
    with pytest.raises(
        InputError,
        match=r"stands at step 20 of 40: call train again to finish it, or pass unfinished",
    ):
        _load(tmp_path / "w")
    assert _load(tmp_path / "w", unfinished=True) is not None


def test_a_training_without_checkpoint_is_refused(tmp_path: Path) -> None:
    CheckpointStore(tmp_path / "w", {"trainer": "classifier", "run": {"num_steps": 1}})
    with pytest.raises(InputError, match=r"has no checkpoint yet: train first"):
        _load(tmp_path / "w")


def test_a_trainer_is_given_what_it_needs_and_nothing_that_it_ignores(tmp_path: Path) -> None:
    data = (*DATA, tmp_path)
    with pytest.raises(InputError, match="classifier: expected one for cycle, got none: pass cla"):
        train(cycle.TRAINER, cycle.Config(), *data)
    with pytest.raises(InputError, match="targets: expected none, since classifier makes no use"):
        train(classifier.TRAINER, classifier.Config(), *data, targets=np.arange(256))
    with pytest.raises(InputError, match="start: expected none, since vae makes no use of it"):
        train(vae.TRAINER, vae.Config(), *data, start=net(nnx.Rngs(0)))
    with pytest.raises(InputError, match="skip: expected none, since classifier makes no use of"):
        train(classifier.TRAINER, classifier.Config(), *data, skip=("head",))
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("config", "message"),
    [
        (classifier.Config(run=RunSettings(num_steps=-3)), r"run\.num_steps: .*, got -3"),
        (with_options(classifier.Config(), num_steps=2.5), "num_steps: expected an integer"),
        (with_options(classifier.Config(), eval_batch_size=0), "eval_batch_size: .*, got 0"),
        (with_options(classifier.Config(), log_every=0), "log_every: .*, got 0"),
        (with_options(classifier.Config(), weights=2.5), "weights: expected a text, got 2.5"),
        (
            with_options(classifier.Config(), weighted=None),
            "weighted: expected True or False, got None",
        ),
        (with_options(classifier.Config(), mean=0.5), r"mean: expected tuple.*, got 0.5"),
        (
            classifier.Config(optimiser=OptimiserSettings(momentum="x")),  # type: ignore[arg-type]
            r"optimiser\.momentum: expected a number, got 'x'",
        ),
        (with_options(classifier.Config(), seed=2**63), "seed: expected an integer from 0 to"),
        (
            cycle.Config(weights=replace(SYCE, cyclic=math.nan)),
            r"weights\.cyclic: expected a finite number of at least 0, got nan",
        ),
        (
            trades.Config(attack=trades.AttackConfig(step_size=-0.1)),
            r"attack\.step_size: expected a finite number of at least 0, got -0.1",
        ),
    ],
)
def test_numbers_that_no_training_can_have_are_refused_before_anything_is_read(
    tmp_path: Path, config: Any, message: str
) -> None:
    of = {classifier.Config: classifier, cycle.Config: cycle, trades.Config: trades}[type(config)]
    given = {"classifier": lambda image: image} if of is cycle else {}
    with pytest.raises(InputError, match=message):
        train(of.TRAINER, config, None, np.arange(2), {}, tmp_path / "w", **given)
    assert not (tmp_path / "w").exists()


def test_what_a_training_depends_on_is_written_in_short_plain_text(tmp_path: Path) -> None:
    _train(tmp_path, 1)
    depends = load_config(tmp_path)["data"]
    assert set(depends) == {
        "source",
        "train_indices",
        "augment",
        "start",
        "skip",
        "validation_labels",
    }
    assert (depends["source"], depends["start"]) == ("ArraySource of 256", "random")
    assert all(len(text) < 40 for text in depends.values())


@pytest.mark.parametrize("part", ["source", "train_indices", "validation", "start", "augment"])
def test_every_change_of_what_a_training_depends_on_shows(tmp_path: Path, part: str) -> None:
    start, indices, truth = net(nnx.Rngs(0)), np.arange(64), validation()
    given: dict[str, Any] = {
        "source": source(),
        "train_indices": indices,
        "validation": truth,
        "start": start,
        "augment": None,
    }
    changed: dict[str, Any] = {
        "source": source(128),
        "train_indices": indices + 1,
        "validation": {**truth, "label": 1 - truth["label"]},
        "start": net(nnx.Rngs(1)),
        "augment": _mirror,
    }
    config = with_options(classifier.Config(), num_steps=1, **OPTIONS)
    options: dict[str, Any] = {"workdir": tmp_path, "model": net, "progress": False}
    train(classifier.TRAINER, config, **given, **options)
    with pytest.raises(InputError, match=rf"another configuration \(data.{part}\w* was"):
        train(classifier.TRAINER, config, **{**given, part: changed[part]}, **options)


def _mirror(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    del rng
    return image[:, ::-1]


def test_a_bfloat16_training_loads_as_bfloat16_and_one_without_the_setting_as_float32(
    tmp_path: Path,
) -> None:
    config = with_options(
        classifier.Config(), num_steps=3, compute_dtype="bfloat16", accumulate=2, **OPTIONS
    )
    given: dict[str, Any] = {"model": net, "progress": False}
    model = train(classifier.TRAINER, config, *DATA, tmp_path / "w", **given)
    loaded = _load(tmp_path / "w")
    assert model.hidden.dtype == loaded.hidden.dtype == jnp.bfloat16
    assert {leaf.dtype.name for leaf in jax.tree.leaves(variables_of(loaded)[0])} == {"float32"}
    np.testing.assert_array_equal(loaded(DATA[2]["image"]), model(DATA[2]["image"]))
    stored = load_config(tmp_path / "w")["run"]
    assert (stored["compute_dtype"], stored["accumulate"]) == ("bfloat16", 2)
    _train(tmp_path / "f", 3)
    assert "compute_dtype" not in load_config(tmp_path / "f")["run"]  # as earlier versions wrote it
    assert _load(tmp_path / "f").hidden.dtype is None


@pytest.mark.parametrize(
    ("of", "options", "message"),
    [
        (classifier, {"accumulate": 0}, "accumulate: expected an integer of at least 1, got 0"),
        (classifier, {"accumulate": 3}, "batch_size: expected a multiple of the 1 devices times the"
         " 3 parts of accumulate, got 32"),
        (vae, {"compute_dtype": "float16"}, "compute_dtype: expected one of 'float32', 'bfloat16'"),
        (cycle, {"accumulate": 2}, "accumulate: expected 1 for cycle, whose step updates several"),
        (classifier, {"remat": True}, "remat: expected a network of blocks, as models.layers"),
    ],
)  # fmt: skip
def test_ways_of_computing_that_cannot_be_are_refused(
    tmp_path: Path, of: Any, options: dict[str, Any], message: str
) -> None:
    config = with_options(of.Config(), num_steps=3, **{**OPTIONS, **options})
    given: dict[str, Any] = {"model": net} if of is classifier else {}
    if of is cycle:
        given["classifier"] = lambda image: jnp.stack([image.mean(), -image.mean()])
    with pytest.raises(InputError, match=message):
        train(of.TRAINER, config, *DATA, tmp_path, progress=False, **given)
