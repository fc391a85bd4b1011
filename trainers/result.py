"""Getting a trained model back from the folder of its training."""

import dataclasses
import typing
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

import jax
from flax import nnx

from cfx_jax.errors import InputError
from cfx_jax.training import CheckpointStore, load_config
from trainers.nnx_views import ModelFactory, evaluation_view, graph_of
from trainers.supervised import SupervisedConfig, choose_model, init

C = TypeVar("C")


def load_model(
    trainer: str,
    config_class: type[SupervisedConfig],
    workdir: str | Path,
    *,
    model: ModelFactory | None,
    unfinished: bool,
) -> nnx.Module:
    """The selected model of a training, in evaluation mode."""
    fields = load_config(workdir)
    if fields.get("trainer") != trainer:
        raise InputError(f"workdir: expected a training of {trainer}, {workdir} is of {fields.get('trainer')}")
    config = config_from(config_class, fields)
    checkpoint = CheckpointStore(workdir, fields).restore(init(jax.random.key(0), config, model=model))
    if checkpoint is None:
        raise InputError(f"workdir: {workdir} has no checkpoint yet: train first")
    if checkpoint.step < config.num_steps and not unfinished:
        raise InputError(
            f"workdir: the training in {workdir} stands at step {checkpoint.step} of {config.num_steps}:"
            " call train again to finish it, or pass unfinished=True"
        )
    state = checkpoint.state if checkpoint.best is None else checkpoint.best
    return evaluation_view(graph_of(choose_model(config, model)), state.params, state.rest)


def config_from(config_class: type[C], fields: Mapping[str, Any]) -> C:
    """A configuration from its stored fields, nested classes and tuples too; other fields are ignored."""
    hints = typing.get_type_hints(config_class)
    names = [each.name for each in dataclasses.fields(config_class)]  # type: ignore[arg-type]
    return config_class(**{name: _value(hints[name], fields[name]) for name in names if name in fields})


def _value(hint: Any, value: Any) -> Any:
    if dataclasses.is_dataclass(hint):
        return config_from(hint, value)  # type: ignore[arg-type]
    return tuple(value) if isinstance(value, list) else value
