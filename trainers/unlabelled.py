"""The run of a training on images alone: the labels of the data play no part."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from jax.sharding import Mesh
from jaxtyping import Int, PRNGKeyArray

from cfx_jax.data.source import check_indices
from trainers.identity import describe_data
from trainers.relabelled import RelabelledSource
from trainers.running import Evaluate, RunConfig, State, Step, batches_of, check_batch_size, run


class UnlabelledConfig(RunConfig, Protocol):
    """What this run asks of a trainer's configuration."""

    @property
    def batch_size(self) -> int:
        """Images of one step, over all devices."""


def run_unlabelled(
    trainer: str,
    config: UnlabelledConfig,
    step: Step,
    init: Callable[[PRNGKeyArray], State],
    evaluate: Evaluate,
    select: str | None,
    data: tuple[Any, Int[np.ndarray, " n"], Mapping[str, np.ndarray]],
    workdir: str | Path,
    *,
    augment: Callable[..., Any] | None,
    mesh: Mesh,
    progress: bool,
) -> State:
    """Trains, or goes on with a training that was stopped.

    Args:
        trainer, config, step, init, evaluate, select, workdir, mesh, progress: as in
            ``running.run``.
        data: random-access data set whose items hold ``image``, the items to train on, and the
            validation's ``image``.
        augment: ``(image, rng) -> image``, applied to training images.

    Returns:
        The selected state.

    Raises:
        InputError: as ``training.fit``; a batch that the devices cannot share; indices that do not
            fit the source.
    """
    source, indices, validation = data
    check_batch_size(config.batch_size, mesh)
    positions = check_indices(source, indices)
    images = RelabelledSource(source, positions, np.zeros(len(positions), np.int64), ("image",))
    return run(
        trainer,
        config,
        step,
        init,
        batches_of(
            images,
            np.arange(len(images)),
            batch_size=config.batch_size,
            seed=config.seed,
            balanced=False,
            augment=augment,
        ),
        workdir,
        evaluate=evaluate,
        select=select,
        data=describe_data(source, indices, {"image": validation["image"]}, augment, None),
        mesh=mesh,
        progress=progress,
    )
