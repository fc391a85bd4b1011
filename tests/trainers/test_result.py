from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest
from flax import nnx
from toy_training import OPTIONS, Net, bits, net, source, validation

from cfx_jax.errors import InputError
from cfx_jax.training import CheckpointStore, load_config
from trainers import classifier, trades
from trainers.nnx_views import variables_of
from trainers.result import config_from


@dataclass(frozen=True)
class Inner:
    size: int = 3


@dataclass(frozen=True)
class Outer:
    inner: Inner = field(default_factory=Inner)
    mean: tuple[float, ...] = (0.0,)
    name: str = "a"
    steps: int = 3
    rate: float = 0.5
    balanced: bool = True
    kind: Literal["one", "two"] = "one"
    radius: float | None = None


def test_configuration_comes_back_from_its_fields() -> None:
    fields = {"inner": {"size": 4}, "mean": [1.0, 2.0], "name": "b", "another": 1}
    assert config_from(Outer, fields) == Outer(Inner(4), (1.0, 2.0), "b")


@pytest.mark.parametrize(
    "fields",
    [
        {"inner": 3},
        {"inner": [{"size": 3}]},
        {"inner": {"size": "3"}},
        {"mean": 0.0},
        {"name": 3},
        {"steps": "3"},
        {"steps": True},
        {"steps": 2.5},
        {"steps": None},
        {"rate": "x"},
        {"balanced": 1},
        {"kind": "three"},
    ],
)
def test_a_field_of_another_type_is_named(fields: dict[str, Any]) -> None:
    with pytest.raises(
        InputError,
        match=r"^(size|inner|mean|name|steps|rate|balanced|kind): expected .*, got .*: restore",
    ):
        config_from(Outer, fields)


def test_whole_numbers_and_none_stand_for_what_they_are() -> None:
    assert config_from(Outer, {"rate": 2, "radius": None, "kind": "two"}) == Outer(
        rate=2, kind="two"
    )


def test_trained_model_comes_back_from_its_folder(tmp_path: Path) -> None:
    config = classifier.Config(num_steps=25, **OPTIONS)  # type: ignore[arg-type]
    data = (source(), np.arange(256), validation())
    model = classifier.train(config, *data, tmp_path / "w", model=net, progress=False)
    loaded = classifier.load(tmp_path / "w", model=net)
    assert bits(variables_of(loaded)) == bits(variables_of(model))
    images = data[2]["image"]
    np.testing.assert_array_equal(loaded(images), model(images))  # type: ignore[operator]
    assert config_from(classifier.Config, load_config(tmp_path / "w")) == config


def test_loading_what_is_no_such_training_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"holds no training \(training.json is missing\)"):
        classifier.load(tmp_path, model=net)
    config = classifier.Config(num_steps=2, **OPTIONS)  # type: ignore[arg-type]
    classifier.train(
        config, source(), np.arange(256), validation(), tmp_path, model=net, progress=False
    )
    with pytest.raises(
        InputError, match=r"workdir: expected a training of trades, .* is of classifier"
    ):
        trades.load(tmp_path, model=net)
    with pytest.raises(InputError, match=r"does not fit this model"):
        classifier.load(tmp_path, model=_wider)


def _wider(rngs: nnx.Rngs) -> Net:
    model = net(rngs)
    model.head = nnx.Linear(16, 3, rngs=rngs)
    return model


def test_an_unfinished_training_is_given_only_when_asked_for(tmp_path: Path) -> None:
    config = classifier.Config(num_steps=40, **OPTIONS)  # type: ignore[arg-type]
    classifier.train(
        config, source(), np.arange(256), validation(), tmp_path / "w", model=net, progress=False
    )
    (newest,) = (tmp_path / "w" / "checkpoints").glob("step_00000040")
    newest.rename(newest.with_name("set_aside"))
    with pytest.raises(
        InputError,
        match=r"stands at step 20 of 40: call train again to finish it, or pass unfinished",
    ):
        classifier.load(tmp_path / "w", model=net)
    assert classifier.load(tmp_path / "w", model=net, unfinished=True) is not None


def test_a_training_without_checkpoint_is_refused(tmp_path: Path) -> None:
    CheckpointStore(tmp_path / "w", {"trainer": "classifier", "num_steps": 1})
    with pytest.raises(InputError, match=r"has no checkpoint yet: train first"):
        classifier.load(tmp_path / "w", model=net)
