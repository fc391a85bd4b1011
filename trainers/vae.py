"""Training of the variational autoencoder whose latents xGEM moves (Singla et al. 2020,
"Explanation by Progressive Exaggeration", appendix A.2; settings of the code that it names,
LynnHo/VAE-Tensorflow).

For images x, an encoder that gives mean and variance of a normal distribution q(z | x), and a
decoder D::

    loss = mean squared error of D(z), z drawn from q(z | x), + beta KL(q(z | x), N(0, 1))

    step(state, key, batch):
        gradients = grad(loss)          # in training mode: batch statistics move
        parameters = Adam(parameters, gradients)

It takes no classifier, and the labels of the data play no part. Deviation: a validation, always
with the same draws of latents, can select the weights. ``train`` returns the network in evaluation
mode, for ``counterfactuals.xgem``.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import jax
import jax.numpy as jnp
import optax
from flax import nnx
from jax import Array
from jaxtyping import Float, PRNGKeyArray

from cfx_jax.checks import InputError, check_positive
from cfx_jax.losses import sample_latents, vae_terms
from cfx_jax.models import VAE
from cfx_jax.models.layers.checks import check_shares

from .shared import (
    Batch,
    Evaluate,
    Inputs,
    RunSettings,
    State,
    Step,
    Trainer,
    descent_step,
    evaluation_view,
    give_network,
    graph_of,
    mean_metrics,
    measure_validation,
    random_start,
    unlabelled_batches,
    validation_images,
)


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
    """The learning rate of Adam (released: 2e-4)."""
    first_moment: float = 0.5
    """Decay rate of Adam's first moment, in [0, 1) (released: 0.5)."""
    select: Literal["loss", "none"] = "none"
    """Keep the weights of lowest validation loss, or none for the last ones (released)."""
    run: RunSettings = field(
        default_factory=lambda: RunSettings(
            epochs=50,  # released
            batch_size=64,  # released
            checkpoint_every=1000,
            eval_batch_size=64,
        )
    )
    """How long the training runs."""


def build(config: Config, rngs: nnx.Rngs) -> nnx.Module:
    """The network of a configuration."""
    return VAE(
        size=config.size,
        in_channels=config.in_channels,
        filters=config.filters,
        latent=config.latent,
        rngs=rngs,
    )


def check(config: Config, inputs: Inputs) -> None:
    """Checks the weight of the divergence and the settings of Adam.

    Raises:
        InputError: numbers out of range.
    """
    del inputs
    if not config.beta >= 0:
        raise InputError(f"beta: expected a weight of at least 0, got {config.beta}")
    check_positive(config.learning_rate, name="learning_rate")
    check_shares({"first_moment": config.first_moment})


def _make_optimiser(config: Config) -> optax.GradientTransformation:
    return optax.adam(config.learning_rate, b1=config.first_moment)


def make_step(config: Config, inputs: Inputs) -> Step:
    """One step of training.

    Returns:
        Pure ``step(state, key, batch) -> (state, metrics)``; a batch has ``image``
        ``(b, h, w, c)``. Metrics: ``loss`` and its weighted terms ``reconstruction`` and
        ``divergence``.

    Raises:
        InputError: as ``check``.
    """
    check(config, inputs)

    def compute_loss(network: Any, key: PRNGKeyArray, batch: Batch) -> dict[str, Array]:
        return _compute_loss(config, network, key, batch["image"])

    return descent_step(
        inputs.choose(build, config),
        _make_optimiser(config),
        compute_loss,
        config.run,
        inputs.mesh,
    )


def make_evaluate(config: Config, inputs: Inputs) -> Evaluate:
    """The validation of a state on ``image`` ``(n, h, w, c)``, with a fixed draw of each latent.

    Returns:
        ``state -> metrics``: the step's metrics with ``validation_`` before their names, and
        ``validation_score``, the negative loss.

    Raises:
        InputError: images outside [0, 1].
    """
    images = validation_images(inputs)
    keys = jax.random.split(jax.random.key(config.run.seed), len(images))
    graphdef, examples = graph_of(inputs.choose(build, config)), {"image": images, "key": keys}

    def evaluate(state: State) -> dict[str, float]:
        network = evaluation_view(graphdef, state.params, state.rest)
        measure = _LossOfOne(config)
        return mean_metrics(measure_validation(config.run, inputs, measure, network, examples))

    return evaluate


TRAINER = Trainer(
    name="vae",
    config=Config,
    selections={"loss": "validation_score", "none": None},
    check=check,
    make_batches=unlabelled_batches,
    init=random_start(build, _make_optimiser),
    make_step=make_step,
    make_evaluate=make_evaluate,
    finish=give_network(build),
    takes=("model", "augment"),
)


@dataclass(frozen=True)
class _LossOfOne:
    """Loss and terms of one image; equal configurations compile once."""

    config: Config

    def __call__(self, network: Any, example: Mapping[str, Array]) -> dict[str, Array]:
        return _compute_loss(self.config, network, example["key"], example["image"][None])


def _compute_loss(
    config: Config, network: Any, key: PRNGKeyArray, images: Float[Array, "b h w c"]
) -> dict[str, Array]:
    mean, log_variance = network.encode(images)  # both (b, latent)
    reconstructions = network.decode(sample_latents(key, mean, log_variance))
    terms = vae_terms(images, reconstructions, mean, log_variance, beta=config.beta)
    return {"loss": sum(terms.values(), jnp.zeros(())), **terms}
