"""Training of the autoencoder in whose latents ACAT's counterfactuals are made (Fontanella et al.
2023, "ACAT", appendix B): slices of scans as images, mean squared error. The labels of the data
play no part.

Schedule of ``alessandro-f/Dif-fuse``, by the same first author, since the paper prints none.
``slice_source.SliceSource`` gives the slices of a source of volumes.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import jax.numpy as jnp
import numpy as np
from flax import nnx
from jax import Array
from jax.sharding import Mesh
from jaxtyping import Float, Int, PRNGKeyArray

from cfx_jax.checks import check_choice, check_images
from cfx_jax.metrics import psnr_of_mse
from cfx_jax.models.generators.residual_autoencoder import ResidualAutoencoder
from cfx_jax.parallel import data_mesh, map_examples
from trainers.annealed_adam import AnnealedAdamConfig, annealed_adam
from trainers.descent import descent_step, first_state
from trainers.epochs import by_steps
from trainers.nnx_views import ModelFactory, evaluation_view, graph_of, trained
from trainers.result import load_model
from trainers.running import Batch, Evaluate, State, Step, check_batch_size
from trainers.unlabelled import run_unlabelled

_TRAINER = "autoencoder"
_SMALLEST = float(np.finfo(np.float32).tiny)


@dataclass(frozen=True)
class Config:
    """An autoencoder of slices. Defaults: as released."""

    width: int = 128
    """Channels of the first convolution (released: 128)."""
    filters: tuple[int, ...] = (6, 12, 16)
    """Channels of each encoding stage (released); sides divide by 2 for each but the first."""
    decoder_filters: tuple[int, ...] = (16, 12, 12)
    """Channels of each decoding stage (released)."""
    norms: bool = True
    """Whether the network has batch norms (released); without them it draws small noisy slices
    better (ours).
    """
    optimiser: AnnealedAdamConfig = field(
        default_factory=lambda: AnnealedAdamConfig(learning_rate=3e-4, weight_decay=0.0)
    )
    """How weights move (released: Adam, 3e-4 down to 1e-7, no penalty)."""
    epochs: float = 200
    """Passes over the training slices, where num_steps is 0 (released: 200)."""
    num_steps: int = 0
    """Optimiser steps; 0 for as many as the epochs have, of whole batches."""
    batch_size: int = 64
    """Slices of one step, over all devices (released: 64)."""
    select: Literal["psnr", "none"] = "psnr"
    """Keep the weights of highest ``validation_psnr`` (released), or none for the last ones."""
    evaluate_every: int = 0
    """Steps between evaluations on the validation set; 0 for an epoch."""
    checkpoint_every: int = 0
    """Steps between checkpoints, 0 for an epoch; at most so much is lost when the training is
    stopped.
    """
    log_every: int = 50
    """Steps between lines of metrics."""
    eval_batch_size: int = 64
    """Slices of one batch of the evaluation; does not change its result."""
    seed: int = 0
    """Seed of the initial weights and of the order of slices."""


def init(key: PRNGKeyArray, config: Config, *, model: ModelFactory | None = None) -> State:
    """The state before the first step.

    Args:
        key: draws the initial weights.
        config: names the network and the optimiser.
        model: makes another network from ``nnx.Rngs``, with ``encode`` and ``decode`` of images;
            None for the configuration's.

    Returns:
        Parameters, batch statistics and a fresh state of the optimiser.

    Raises:
        InputError: numbers out of range.
    """
    return first_state(
        key, _choose(config, model), annealed_adam(config.optimiser, config.num_steps)
    )


def make_step(config: Config, *, model: ModelFactory | None = None) -> Step:
    """One step of training.

    Args:
        config: the training.
        model: as in ``init``.

    Returns:
        Pure ``step(state, key, batch) -> (state, {"loss"})``; a batch has ``image``
        ``(b, h, w, c)``, and the loss is the mean squared error of all of its pixels.

    Raises:
        InputError: numbers out of range.
    """

    def judge(module: Any, key: PRNGKeyArray, batch: Batch) -> dict[str, Array]:
        del key
        return {"loss": _squared_error(module, batch["image"])}

    return descent_step(
        _choose(config, model), annealed_adam(config.optimiser, config.num_steps), judge
    )


def make_evaluate(
    config: Config,
    validation: Mapping[str, np.ndarray],
    *,
    model: ModelFactory | None = None,
    mesh: Mesh | None = None,
) -> Evaluate:
    """The validation of a state, with the network in evaluation mode.

    Args:
        config: of the training.
        validation: ``image`` ``(n, h, w, c)`` in [0, 1].
        model: as in ``init``.
        mesh: devices to spread the images over.

    Returns:
        ``state -> {"validation_loss", "validation_psnr"}``: mean squared error of all pixels, and
        the peak signal-to-noise ratio in decibels that follows from it.

    Raises:
        InputError: images outside [0, 1].
    """
    images = np.asarray(validation["image"])
    check_images(images, name="validation images")
    graphdef = graph_of(_choose(config, model))

    def evaluate(state: State) -> dict[str, float]:
        module = evaluation_view(graphdef, state.params, state.rest)
        errors = map_examples(
            _error_of_one, module, images, batch_size=config.eval_batch_size, mesh=mesh
        )
        loss = float(errors.mean())
        return {
            "validation_loss": loss,
            "validation_psnr": float(psnr_of_mse(max(loss, _SMALLEST))),
        }

    return evaluate


def train(
    config: Config,
    source: Any,
    train_indices: Int[np.ndarray, " n"],
    validation: Mapping[str, np.ndarray],
    workdir: str | Path,
    *,
    model: ModelFactory | None = None,
    mesh: Mesh | None = None,
    progress: bool = True,
) -> Any:
    """Trains the autoencoder, or goes on with a training that was stopped; a finished one is only
    read.

    Args:
        config: the training; lengths of 0 steps follow from its epochs and the number of items.
        source: random-access data set whose items hold ``image`` (h, w, c), such as a
            ``SliceSource``.
        train_indices: the items to train on.
        validation: ``image`` ``(m, h, w, c)`` in [0, 1].
        workdir: folder of this training.
        model: as in ``init``.
        mesh: devices to train on; None for all.
        progress: shows a progress bar.

    Returns:
        The selected network in evaluation mode, for ``models.residual_autoencoder.coder_of``.

    Raises:
        InputError: as ``training.fit``; an unknown ``select``; numbers out of range; images that
            cannot be used.
    """
    check_choice(config.select, ("psnr", "none"), name="select")
    mesh = data_mesh() if mesh is None else mesh
    check_batch_size(config.batch_size, mesh)
    config = by_steps(config, num_images=len(train_indices))
    selected = run_unlabelled(
        _TRAINER,
        config,
        make_step(config, model=model),
        lambda key: init(key, config, model=model),
        make_evaluate(config, validation, model=model, mesh=mesh),
        None if config.select == "none" else "validation_psnr",
        (source, train_indices, validation),
        workdir,
        augment=None,
        mesh=mesh,
        progress=progress,
    )
    return trained(_choose(config, model), selected.params, selected.rest)


def load(
    workdir: str | Path, *, model: ModelFactory | None = None, unfinished: bool = False
) -> nnx.Module:
    """The selected network of a training.

    Args:
        workdir: folder of the training.
        model: the factory that the training was given, if any.
        unfinished: accept the best network so far of a training that was stopped.

    Returns:
        The network in evaluation mode.

    Raises:
        InputError: no such training, no readable checkpoint, another model, or a training that is
            not finished.
    """
    return load_model(_TRAINER, Config, workdir, init, _choose, model=model, unfinished=unfinished)


def _choose(config: Config, model: ModelFactory | None) -> ModelFactory:
    return model or (
        lambda rngs: ResidualAutoencoder(
            width=config.width,
            filters=config.filters,
            decoder_filters=config.decoder_filters,
            norms=config.norms,
            rngs=rngs,
        )
    )


def _squared_error(module: Any, images: Float[Array, "b h w c"]) -> Float[Array, ""]:
    return jnp.mean((module.decode(module.encode(images)) - images) ** 2)


def _error_of_one(module: Any, image: Float[Array, "h w c"]) -> Float[Array, ""]:
    return _squared_error(module, image[None])
