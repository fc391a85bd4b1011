"""Settings of runs: epochs counted out as steps, and configurations read back from their fields."""

import json
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

import numpy as np
import pytest

from cfx_jax.errors import InputError
from trainers import (
    RunSettings,
    SupervisedConfig,
    as_stored,
    count_steps,
    describe_length,
    images_per_epoch,
    with_run,
)
from trainers.classifier import Config
from trainers.shared import restore_config
from trainers.shared.run_settings import check_run

# 75 % of the 42,325 photographs of Boreiko et al.
PAPER_LABELS = np.repeat([0, 1], [25_338, 6_406])


def _counted(config: Any, labels: Any) -> Any:
    return count_steps(config, num_images=images_per_epoch(labels, balanced=config.balanced))


@pytest.mark.parametrize(
    ("options", "balanced", "labels", "expected"),
    [
        ({}, True, PAPER_LABELS, (500 * 395, 395, 395, 395)),
        ({"epochs": 3}, True, PAPER_LABELS, (3 * 395, 395, 395, 395)),
        (
            {"epochs": 50, "batch_size": 32},
            False,
            np.zeros(11_917, int),
            (50 * 372, 372, 372, 372),
        ),
        # Less than a batch is a step.
        ({"epochs": 2, "batch_size": 8}, True, np.array([0, 1, 1, 2]), (2, 1, 1, 1)),
        ({"num_steps": 7, "epochs": 3}, True, PAPER_LABELS, (7, 395, 395, 395)),
        (
            {"num_steps": 7, "evaluate_every": 2, "checkpoint_every": 3},
            True,
            PAPER_LABELS,
            (7, 395, 2, 3),
        ),
        ({"epochs": 3, "steps_per_epoch": 10}, True, PAPER_LABELS, (30, 10, 10, 10)),
    ],
)
def test_epochs_are_counted_out_for_the_training_images(
    options: Any, balanced: bool, labels: Any, expected: Any
) -> None:
    config = with_run(Config(balanced=balanced), **options)
    counted = _counted(config, labels)
    run = counted.run
    lengths = run.num_steps, run.steps_per_epoch, run.evaluate_every, run.checkpoint_every
    assert lengths == expected
    assert _counted(counted, labels) == counted


def test_an_epoch_of_balanced_batches_shows_the_largest_class_once() -> None:
    labels = np.array([0, 0, 0, 2])
    assert [images_per_epoch(labels, balanced=balanced) for balanced in (True, False)] == [6, 4]
    with pytest.raises(InputError, match="train_indices: expected at least one training image"):
        images_per_epoch(labels[:0], balanced=False)


@pytest.mark.parametrize("epochs", [0, -1, 0.001, float("nan"), float("inf")])
def test_a_run_without_steps_is_refused(epochs: float) -> None:
    with pytest.raises(InputError, match="epochs: expected enough for one of 395 steps, got"):
        _counted(with_run(SupervisedConfig(), epochs=epochs), PAPER_LABELS)


def test_a_batch_without_images_is_refused() -> None:
    with pytest.raises(InputError, match="batch_size: expected an integer of at least 1, got 0"):
        count_steps(with_run(Config(), batch_size=0), num_images=8)


def test_a_length_is_told_in_steps_or_in_the_epochs_that_they_follow_from() -> None:
    lengths = RunSettings(num_steps=7, epochs=3), RunSettings(epochs=2.5)
    assert [describe_length(run) for run in lengths] == ["7 steps", "2.5 epochs"]


def test_other_settings_of_the_run_leave_the_rest() -> None:
    config = with_run(Config(weighted=True), seed=3)
    assert (config.weighted, config.run.seed, config.run.batch_size) == (True, 3, 128)


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
    assert restore_config(Outer, fields) == Outer(Inner(4), (1.0, 2.0), "b")


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
        restore_config(Outer, fields)


def test_whole_numbers_and_none_stand_for_what_they_are() -> None:
    assert restore_config(Outer, {"rate": 2, "radius": None, "kind": "two"}) == Outer(
        rate=2, kind="two"
    )


def test_a_trainers_configuration_comes_back_with_its_run_and_optimiser() -> None:
    config = with_run(Config(weighted=True, mean=(0.1,)), seed=3, epochs=2)
    assert restore_config(Config, json.loads(json.dumps(asdict(config)))) == config


def test_settings_of_how_steps_are_computed_are_stored_only_where_they_are_set() -> None:
    """What an earlier version stored is found again; another way of computing is another one."""
    before = asdict(Config())
    for name in ("compute_dtype", "accumulate", "remat"):
        del before["run"][name]
    assert json.dumps(as_stored(Config())) == json.dumps(before)
    changed = with_run(Config(), remat=True, accumulate=2)
    assert as_stored(changed)["run"] == before["run"] | {"accumulate": 2, "remat": True}
    assert restore_config(Config, as_stored(changed)) == changed
    assert as_stored({"of": [Config(), (1, 2)]}) == {"of": [as_stored(Config()), [1, 2]]}


@pytest.mark.parametrize("run", [None, 3, {"num_steps": 2}])
def test_a_run_without_settings_is_refused(run):
    with pytest.raises(InputError, match=r"^run: expected RunSettings"):
        check_run(run)
