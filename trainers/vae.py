"""Training of the variational autoencoder whose latents xGEM moves (Singla et al. 2020, appendix
A.2; settings of the code that it names, LynnHo/VAE-Tensorflow). It knows no classifier, and the
labels of the data play no part.

Deviation: a validation, always with the same draws of latents, can select the weights.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import nnx
from jax import Array
from jax.sharding import Mesh
from jaxtyping import Float, Int, PRNGKeyArray

from cfx_jax.checks import check_choice, check_images, check_positive
from cfx_jax.errors import InputError
from cfx_jax.losses.vae import sample_latents, vae_terms
from cfx_jax.models.generators.vae import VAE
from cfx_jax.models.layers.checks import check_shares
from cfx_jax.parallel import data_mesh, map_examples
from trainers.descent import descent_step, first_state
from trainers.epochs import by_steps
from trainers.nnx_views import ModelFactory, evaluation_view, graph_of, trained
from trainers.result import load_model
from trainers.running import Batch, Evaluate, State, Step, check_batch_size
from trainers.unlabelled import run_unlabelled

_TRAINER = "vae"


@dataclass(frozen=True)
class Config:
    """A variational autoencoder. Defaults: as released, for CelebA and images of 64 pixels."""

    size: tuple[int, int] = (64, 64)
    """Height and width of the images, in pixels; each divides by 2 for each filter."""
    in_channels: int = 3
    """Channels of the images."""
    filters: tuple[int, ...] = (64, 128, 256, 512)
    """Channels after each halving (released, for 64 pixels); a fifth suits 128."""
    latent: int = 32
    """Length of the latent vector (released: 32)."""
    beta: float = 0.1
    """Weight of the divergence from the standard normal distribution (released: 0.1)."""
    learning_rate: float = 2e-4
    """Of Adam (released: 2e-4)."""
    first_moment: float = 0.5
    """Decay rate of Adam's first moment, in [0, 1) (released: 0.5)."""
    epochs: float = 50
    """Passes over the training images, where num_steps is 0 (released: 50)."""
    num_steps: int = 0
    """Optimiser steps; 0 for as many as the epochs have."""
    batch_size: int = 64
    """Images of one step, over all devices (released: 64)."""
    select: Literal["loss", "none"] = "none"
    """Keep the weights of lowest validation loss, or none for the last ones (released)."""
    evaluate_every: int = 0
    """Steps between evaluations on the validation set; 0 for an epoch."""
    checkpoint_every: int = 1000
    """Steps between checkpoints; at most so much is lost when the training is stopped."""
    log_every: int = 50
    """Steps between lines of metrics."""
    eval_batch_size: int = 64
    """Images of one batch of the evaluation; does not change its result."""
    seed: int = 0
    """Seed of the initial weights, of the order of images and of all random draws."""


def init(key: PRNGKeyArray, config: Config, *, model: ModelFactory | None = None) -> State:
    """The state before the first step.

    Args:
        key: draws the initial weights.
        config: names the network and the optimiser.
        model: makes another network from ``nnx.Rngs``; None for the configuration's.

    Returns:
        Parameters, batch statistics and a fresh state of the optimiser.

    Raises:
        InputError: numbers out of range.
    """
    return first_state(key, _choose(config, model), _make_optimiser(config))


def make_step(config: Config, *, model: ModelFactory | None = None) -> Step:
    """One step of training.

    Args:
        config: the training.
        model: as in ``init``.

    Returns:
        Pure ``step(state, key, batch) -> (state, metrics)``; a batch has ``image``
        ``(b, h, w, c)``. Metrics: ``loss`` and its weighted terms ``reconstruction`` and
        ``divergence``.

    Raises:
        InputError: numbers out of range.
    """
    if not config.beta >= 0:
        raise InputError(f"beta: expected a weight of at least 0, got {config.beta}")

    def judge(module: Any, key: PRNGKeyArray, batch: Batch) -> dict[str, Array]:
        return _judge(config, module, key, batch["image"])

    return descent_step(_choose(config, model), _make_optimiser(config), judge)


def make_evaluate(
    config: Config,
    validation: Mapping[str, np.ndarray],
    *,
    model: ModelFactory | None = None,
    mesh: Mesh | None = None,
) -> Evaluate:
    """The validation of a state, each image always with the same draw of its latent.

    Args:
        config: of the training.
        validation: ``image`` ``(n, h, w, c)`` in [0, 1].
        model: as in ``init``.
        mesh: devices to spread the images over.

    Returns:
        ``state -> metrics``, those of the step with ``validation_`` before their names, and
        ``validation_score``, the negative loss.

    Raises:
        InputError: images outside [0, 1].
    """
    images = np.asarray(validation["image"])
    check_images(images, name="validation images")
    examples = {"image": images, "key": jax.random.split(jax.random.key(config.seed), len(images))}
    graphdef = graph_of(_choose(config, model))

    def evaluate(state: State) -> dict[str, float]:
        module = evaluation_view(graphdef, state.params, state.rest)
        values = map_examples(
            _Judge(config), module, examples, batch_size=config.eval_batch_size, mesh=mesh
        )
        means = {f"validation_{name}": float(each.mean()) for name, each in values.items()}
        return means | {"validation_score": -means["validation_loss"]}

    return evaluate


def train(
    config: Config,
    source: Any,
    train_indices: Int[np.ndarray, " n"],
    validation: Mapping[str, np.ndarray],
    workdir: str | Path,
    *,
    model: ModelFactory | None = None,
    augment: Callable[..., Any] | None = None,
    mesh: Mesh | None = None,
    progress: bool = True,
) -> nnx.Module:
    """Trains the autoencoder, or goes on with a training that was stopped; a finished one is only
    read.

    Args:
        config: the training.
        source: random-access data set whose items hold ``image``.
        train_indices: the items to train on.
        validation: ``image`` ``(m, h, w, c)`` in [0, 1].
        workdir: folder of this training.
        model: makes the network from ``nnx.Rngs``, with ``encode`` and ``decode`` as ``models.VAE``
            has them; None for the configuration's.
        augment: ``(image, rng) -> image``, applied to training images.
        mesh: devices to train on; None for all.
        progress: shows a progress bar.

    Returns:
        The selected network in evaluation mode, for ``counterfactuals.xgem``.

    Raises:
        InputError: as ``training.fit``; an unknown ``select``; numbers out of range; validation
            images that cannot be used.
    """
    check_choice(config.select, ("loss", "none"), name="select")
    mesh = data_mesh() if mesh is None else mesh
    check_batch_size(config.batch_size, mesh)
    config = by_steps(config, num_images=len(train_indices))
    selected = run_unlabelled(
        _TRAINER,
        config,
        make_step(config, model=model),
        lambda key: init(key, config, model=model),
        make_evaluate(config, validation, model=model, mesh=mesh),
        None if config.select == "none" else "validation_score",
        (source, train_indices, validation),
        workdir,
        augment=augment,
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
        lambda rngs: VAE(
            size=config.size,
            in_channels=config.in_channels,
            filters=config.filters,
            latent=config.latent,
            rngs=rngs,
        )
    )


def _make_optimiser(config: Config) -> optax.GradientTransformation:
    check_positive(config.learning_rate, name="learning_rate")
    check_shares({"first_moment": config.first_moment})
    return optax.adam(config.learning_rate, b1=config.first_moment)


@dataclass(frozen=True)
class _Judge:
    """Loss and terms of one image; equal configurations compile once."""

    config: Config

    def __call__(self, module: Any, example: Mapping[str, Array]) -> dict[str, Array]:
        return _judge(self.config, module, example["key"], example["image"][None])


def _judge(
    config: Config, module: Any, key: PRNGKeyArray, images: Float[Array, "b h w c"]
) -> dict[str, Array]:
    mean, log_variance = module.encode(images)
    reconstructions = module.decode(sample_latents(key, mean, log_variance))
    terms = vae_terms(images, reconstructions, mean, log_variance, beta=config.beta)
    return {"loss": sum(terms.values(), jnp.zeros(())), **terms}
