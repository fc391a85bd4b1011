"""Training of the autoencoder in whose latents ACAT's counterfactuals are made (Fontanella et al.
2023, "ACAT: Adversarial Counterfactual Attention for Classification and Detection in Medical
Imaging", appendix B): slices of scans as images, mean squared error.

For slices x, an encoder E and a decoder D::

    loss = mean over slices and pixels of (D(E(x)) - x)^2

    step(state, batch):
        gradients = grad(loss)          # in training mode: batch statistics move
        parameters = Adam(parameters, gradients)

The paper prints no schedule: this one is from ``alessandro-f/Dif-fuse``, by the same first author.
The labels of the data play no part; ``SliceSource`` returns the slices of volumes. ``train``
returns the network in evaluation mode, for ``models.residual_autoencoder.coder_of``.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import jax.numpy as jnp
import numpy as np
import optax
from flax import nnx
from jax import Array
from jaxtyping import Float, Int, PRNGKeyArray

from cfx_jax.data import labels_of
from cfx_jax.errors import InputError
from cfx_jax.models import ResidualAutoencoder

from .shared import (
    Batch,
    Evaluate,
    Inputs,
    OptimiserSettings,
    RunSettings,
    State,
    Step,
    Trainer,
    descent_step,
    evaluation_view,
    give_network,
    graph_of,
    make_optimiser,
    measure_validation,
    random_start,
    unlabelled_batches,
    validation_images,
)

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
    better (ours)."""
    fold_pixels: bool = False
    """Whether squares of 2x2 pixels become channels before the first convolution, which spares the
    layers at full resolution and halves the maps once more (ours)."""
    optimiser: OptimiserSettings = field(
        default_factory=lambda: OptimiserSettings(
            rule="adam",  # released
            learning_rate=3e-4,  # released
            weight_decay=0.0,  # released
            schedule="cosine_by_epoch",  # released
            smallest=1e-7,  # released
        )
    )
    """How weights move."""
    select: Literal["psnr", "none"] = "psnr"
    """Keep the weights of highest ``validation_psnr`` (released), or none for the last ones."""
    run: RunSettings = field(
        default_factory=lambda: RunSettings(
            epochs=200,  # released
            batch_size=64,  # released
            eval_batch_size=64,
        )
    )
    """How long the training runs."""


@dataclass(frozen=True, eq=False)
class SliceSource:
    """The slices of volumes as images: slice ``j`` of volume ``i`` is ``i * num_slices + j``.

    Each has its volume's label, and reads its whole volume: hold volumes in memory
    (``data.ArraySource``) where reading them takes long.

    Attributes:
        source: random-access, the ``image`` of its items (s, h, w, c).
        num_slices: s, the same in every volume.
    """

    source: Any
    num_slices: int

    @property
    def class_names(self) -> Sequence[str]:
        """The classes of the volumes."""
        return self.source.class_names

    @property
    def labels(self) -> Int[np.ndarray, " n"]:
        """The label of every slice."""
        return np.repeat(labels_of(self.source), self.num_slices)

    def __len__(self) -> int:
        return len(self.source) * self.num_slices

    def __getitem__(self, index: int, /) -> Mapping[str, Any]:
        number, row = divmod(index, self.num_slices)
        volume = self.source[number]
        if volume["image"].ndim != 4 or len(volume["image"]) != self.num_slices:
            raise InputError(
                f"volume {number}: expected {self.num_slices} slices (s, h, w, c), got shape"
                f" {volume['image'].shape}: sample as many slices of each volume first"
            )
        return {"image": volume["image"][row], "label": volume["label"]}


def build(config: Config, rngs: nnx.Rngs) -> nnx.Module:
    """The network of a configuration."""
    return ResidualAutoencoder(
        width=config.width,
        filters=config.filters,
        decoder_filters=config.decoder_filters,
        norms=config.norms,
        fold_pixels=config.fold_pixels,
        rngs=rngs,
    )


def _make_optimiser(config: Config) -> optax.GradientTransformation:
    return make_optimiser(config.optimiser, config.run)


def make_step(config: Config, inputs: Inputs) -> Step:
    """One step of training.

    Returns:
        Pure ``step(state, key, batch) -> (state, {"loss"})``; a batch has ``image``
        ``(b, h, w, c)``, and the loss is the mean squared error of all of its pixels.

    Raises:
        InputError: numbers out of range.
    """

    def compute_loss(network: Any, key: PRNGKeyArray, batch: Batch) -> dict[str, Array]:
        del key
        return {"loss": _squared_error(network, batch["image"])}

    return descent_step(
        inputs.choose(build, config),
        _make_optimiser(config),
        compute_loss,
        config.run,
        inputs.mesh,
    )


def make_evaluate(config: Config, inputs: Inputs) -> Evaluate:
    """The validation of a state on ``image`` ``(n, h, w, c)``.

    Returns:
        ``state -> {"validation_loss", "validation_psnr"}``: mean squared error of all pixels, and
        the peak signal-to-noise ratio in decibels that follows from it.

    Raises:
        InputError: images outside [0, 1].
    """
    images = validation_images(inputs)
    graphdef = graph_of(inputs.choose(build, config))

    def evaluate(state: State) -> dict[str, float]:
        network = evaluation_view(graphdef, state.params, state.rest)
        errors = measure_validation(config.run, inputs, _error_of_one, network, images)
        loss = float(errors.mean())
        psnr = float(-10 * np.log10(max(loss, _SMALLEST)))
        return {"validation_loss": loss, "validation_psnr": psnr}

    return evaluate


TRAINER = Trainer(
    name="autoencoder",
    config=Config,
    selections={"psnr": "validation_psnr", "none": None},
    make_batches=unlabelled_batches,
    init=random_start(build, _make_optimiser),
    make_step=make_step,
    make_evaluate=make_evaluate,
    finish=give_network(build),
)


def _squared_error(network: Any, images: Float[Array, "b h w c"]) -> Float[Array, ""]:
    return jnp.mean((network.decode(network.encode(images)) - images) ** 2)


def _error_of_one(network: Any, image: Float[Array, "h w c"]) -> Float[Array, ""]:
    return _squared_error(network, image[None])
