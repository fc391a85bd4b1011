"""Getting what was trained back from the folder of its training."""

import dataclasses
import typing
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import jax
from jaxtyping import PRNGKeyArray

from cfx_jax.errors import InputError
from cfx_jax.training import CheckpointStore, load_config
from trainers.nnx_views import ModelFactory, trained
from trainers.running import RunConfig, State

C = TypeVar("C")
R = TypeVar("R", bound=RunConfig)


def load_model(
    trainer: str,
    config_class: type[R],
    workdir: str | Path,
    init: Callable[..., State],
    choose: Callable[[R, ModelFactory | None], ModelFactory],
    *,
    model: ModelFactory | None,
    unfinished: bool,
) -> Any:
    """The selected network of a training, in evaluation mode.

    Args:
        trainer, config_class, workdir, unfinished: as in ``load_state``.
        init: the trainer's, ``(key, config, model=...) -> state``.
        choose: the factory that the training used, from its configuration and the one that it was
            given.
        model: the factory that the training was given, if any.

    Returns:
        All that was trained.

    Raises:
        InputError: as ``load_state``.
    """
    config, state = load_state(
        trainer,
        config_class,
        workdir,
        lambda key, config: init(key, config, model=model),
        unfinished=unfinished,
    )
    return trained(choose(config, model), state.params, state.rest)


def load_state(
    trainer: str,
    config_class: type[R],
    workdir: str | Path,
    init: Callable[[PRNGKeyArray, R], State],
    *,
    unfinished: bool,
) -> tuple[R, State]:
    """The configuration and the selected state of a training.

    Args:
        trainer: the name of the trainer that is expected.
        config_class: of its configuration.
        workdir: folder of the training.
        init: key and configuration -> a state of the trained one's structure.
        unfinished: accept the best state so far of a training that was stopped.

    Returns:
        The configuration, and the best state where one was selected, else the last.

    Raises:
        InputError: no such training, no readable checkpoint, another model, or a training that is
            not finished.
    """
    fields = load_config(workdir)
    if fields.get("trainer") != trainer:
        raise InputError(
            f"workdir: expected a training of {trainer}, {workdir} is of {fields.get('trainer')}"
        )
    config = config_from(config_class, fields)
    checkpoint = CheckpointStore(workdir, fields).restore(init(jax.random.key(0), config))
    if checkpoint is None:
        raise InputError(f"workdir: {workdir} has no checkpoint yet: train first")
    if checkpoint.step < config.num_steps and not unfinished:
        raise InputError(
            f"workdir: the training in {workdir} stands at step {checkpoint.step} of"
            f" {config.num_steps}:"
            " call train again to finish it, or pass unfinished=True"
        )
    return config, checkpoint.state if checkpoint.best is None else checkpoint.best


def config_from(config_class: type[C], fields: Mapping[str, Any]) -> C:
    """A configuration from its stored fields, nested classes and tuples too; other fields are
    ignored.

    Raises:
        InputError: a field is not of its type, as in a file that was edited.
    """
    hints = typing.get_type_hints(config_class)
    names = [each.name for each in dataclasses.fields(config_class)]  # type: ignore[arg-type]
    return config_class(
        **{name: _value(name, hints[name], fields[name]) for name in names if name in fields}
    )


def _value(name: str, hint: Any, value: Any) -> Any:
    if not _fits(hint, value):
        kind = getattr(hint, "__name__", str(hint))
        raise InputError(
            f"{name}: expected {kind}, got {value!r} in the stored configuration: restore"
            f" training.json"
        )
    if dataclasses.is_dataclass(hint):
        return config_from(hint, value)  # type: ignore[arg-type]
    return tuple(value) if isinstance(value, list) else value


def _fits(hint: Any, value: Any) -> bool:
    """Whether a value that JSON gave is of a type; of types that are not looked into here, any is."""
    if dataclasses.is_dataclass(hint):
        return isinstance(value, Mapping)
    if typing.get_origin(hint) is tuple:
        return isinstance(value, list | tuple)
    if typing.get_origin(hint) is typing.Literal:
        return value in typing.get_args(hint)
    if hint in (int, float, str, bool):
        wanted = (int, float) if hint is float else hint
        return isinstance(value, wanted) and (hint is bool or not isinstance(value, bool))
    return True
