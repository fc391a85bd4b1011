"""What every training here shares: the state that it changes, its batches, and the run itself."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, ClassVar, NamedTuple, Protocol, TypeVar

import jax
import numpy as np
from jax import Array
from jax.sharding import Mesh
from jaxtyping import Int, PRNGKeyArray

from cfx_jax.data import training_batches
from cfx_jax.data.pipeline import AugmentItem
from cfx_jax.errors import InputError
from cfx_jax.training import fit
from cfx_jax.training.loop import Batches
from cfx_jax.training.selection import Ties

Batch = Mapping[str, Array]
Step = Callable[["State", PRNGKeyArray, Batch], tuple["State", dict[str, Array]]]
Evaluate = Callable[["State"], dict[str, float]]
C = TypeVar("C")


class State(NamedTuple):
    """What a training changes.

    Attributes:
        params: the model's parameters, an ``nnx.State``.
        rest: its other variables, batch statistics above all.
        opt_state: the optimiser's state.
    """

    params: Any
    rest: Any
    opt_state: Any


class RunConfig(Protocol):
    """What the run asks of a trainer's configuration, a dataclass."""

    __dataclass_fields__: ClassVar[dict[str, Any]]

    @property
    def num_steps(self) -> int:
        """Optimiser steps."""

    @property
    def evaluate_every(self) -> int:
        """Steps between evaluations."""

    @property
    def checkpoint_every(self) -> int:
        """Steps between checkpoints."""

    @property
    def log_every(self) -> int:
        """Steps between lines of metrics."""

    @property
    def seed(self) -> int:
        """Seed of the initial weights and of all random draws."""


def check_batch_size(batch_size: int, mesh: Mesh) -> None:
    """Checks that the devices can share a batch evenly.

    Raises:
        InputError: naming the number of devices.
    """
    if batch_size < 1 or batch_size % mesh.size:
        raise InputError(
            f"batch_size: expected a multiple of the {mesh.size} devices, got {batch_size}"
        )


def batches_of(
    source: Any,
    indices: Int[np.ndarray, " n"],
    *,
    batch_size: int,
    seed: int,
    balanced: bool,
    augment: Callable[..., Any] | None,
    fields: Sequence[str] = (),
    augment_item: AugmentItem | None = None,
) -> Batches:
    """This process's share of the training batches; arguments as ``data.training_batches``."""
    return training_batches(
        source,
        indices,
        batch_size=batch_size,
        seed=seed,
        balanced=balanced,
        augment=augment,
        fields=fields,
        augment_item=augment_item,
        process_index=jax.process_index(),
        process_count=jax.process_count(),
    )


def run(
    trainer: str,
    config: RunConfig,
    step: Step,
    init: Callable[[PRNGKeyArray], State],
    batches: Batches,
    workdir: str | Path,
    *,
    evaluate: Evaluate,
    select: str | None,
    data: Mapping[str, str],
    mesh: Mesh,
    progress: bool,
    ties: Ties = "earlier",
) -> State:
    """Trains, or goes on with a training that was stopped.

    Args:
        trainer: the trainer's name, kept with the configuration so that no other trainer goes on
            with it.
        config: the training; all of its fields are kept.
        step: ``(state, key, batch) -> (state, metrics)``.
        init: key -> the state before the first step.
        batches: at their beginning.
        workdir: folder of this training.
        evaluate: state -> metrics.
        select: the metric whose best state is given; None for the last state.
        data: what the training depends on besides ``config``, in few words.
        mesh: devices to train on.
        progress: shows a progress bar.
        ties: whether earlier or later states win ties of ``select``.

    Returns:
        The selected state.

    Raises:
        InputError: as ``training.fit``.
    """
    init_key, step_key = jax.random.split(jax.random.key(config.seed))
    result = fit(
        step,
        init(init_key),
        batches,
        key=step_key,
        num_steps=config.num_steps,
        workdir=workdir,
        config={"trainer": trainer, **asdict(config), "data": dict(data)},
        evaluate=evaluate,
        evaluate_every=config.evaluate_every,
        select=select,
        ties=ties,
        checkpoint_every=config.checkpoint_every,
        log_every=config.log_every,
        mesh=mesh,
        progress=progress,
    )
    return result.best
