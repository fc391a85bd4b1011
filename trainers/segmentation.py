"""Training of a network that gives each pixel a class, such as lungs and heart in radiographs
(Singla et al. 2020, section 4.2, who measure hearts by a UNet trained on masks; neither its
settings nor its code are published, so these are ours).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import jax.numpy as jnp
import numpy as np
import optax
from flax import nnx
from jax import Array
from jax.sharding import Mesh
from jaxtyping import Float, Int, PRNGKeyArray, Shaped

from cfx_jax.checks import check_choice, check_images, check_positive
from cfx_jax.errors import InputError
from cfx_jax.losses.cross_entropy import cross_entropy
from cfx_jax.metrics import dice
from cfx_jax.models.generators.segmentation import Segmenter
from cfx_jax.models.generators.unet import PUBLISHED_FILTERS, NormName
from cfx_jax.parallel import data_mesh, map_examples
from trainers.descent import descent_step, first_state
from trainers.identity import describe_data, digest
from trainers.nnx_views import ModelFactory, evaluation_view, graph_of, trained
from trainers.result import load_model
from trainers.running import Batch, Evaluate, State, Step, check_batch_size, run
from trainers.targets import batches_with_targets

_TRAINER = "segmentation"


@dataclass(frozen=True)
class Config:
    """A segmentation network. Defaults: background, lungs and heart in grey images of 128 pixels."""

    num_classes: int = 3
    """Classes of a pixel, the background, class 0, among them."""
    in_channels: int = 1
    """Channels of the images."""
    filters: tuple[int, ...] = PUBLISHED_FILTERS
    """Channels at each resolution, the finest first; sides divide by 2 for each but the first."""
    norm: NormName = "affine"
    """What comes before each activation: a scale and a shift, or batch norm, whose first hides what
    is dark.
    """
    learning_rate: float = 1e-3
    """Of Adam."""
    num_steps: int = 2000
    """Optimiser steps."""
    batch_size: int = 16
    """Images of one step, over all devices."""
    select: Literal["dice", "none"] = "dice"
    """Keep the weights of highest ``validation_dice``, or none for the last ones."""
    evaluate_every: int = 100
    """Steps between evaluations on the validation set."""
    checkpoint_every: int = 500
    """Steps between checkpoints; at most so much is lost when the training is stopped."""
    log_every: int = 50
    """Steps between lines of metrics."""
    eval_batch_size: int = 32
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
        Parameters, other variables and a fresh state of the optimiser.

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
        Pure ``step(state, key, batch) -> (state, metrics)``; a batch has ``image`` ``(b, h, w, c)``
        and ``target`` ``(b, h, w)``, the class of each pixel. Metrics: ``loss``, the mean
        cross-entropy of all pixels in nats, and ``accuracy``, the share of pixels that are right.

    Raises:
        InputError: numbers out of range.
    """

    def judge(module: Any, key: PRNGKeyArray, batch: Batch) -> dict[str, Array]:
        del key
        logits, masks = module(batch["image"]), batch["target"].astype(jnp.int32)
        loss = cross_entropy(logits.reshape(-1, logits.shape[-1]), masks.reshape(-1))
        return {"loss": loss, "accuracy": (logits.argmax(axis=-1) == masks).mean()}

    return descent_step(_choose(config, model), _make_optimiser(config), judge)


def make_evaluate(
    config: Config,
    validation: Mapping[str, np.ndarray],
    *,
    model: ModelFactory | None = None,
    mesh: Mesh | None = None,
) -> Evaluate:
    """The validation of a state.

    Args:
        config: of the training.
        validation: ``image`` ``(n, h, w, c)`` in [0, 1] and ``mask`` ``(n, h, w)``, the class of
            each pixel.
        model: as in ``init``.
        mesh: devices to spread the images over.

    Returns:
        ``state -> metrics``: ``validation_accuracy``, the share of pixels that are right;
        ``validation_dice_1`` and so on, the mean Dice score of each class but the background over
        the images where it is, or is found; and ``validation_dice``, their mean over the classes.

    Raises:
        InputError: images outside [0, 1], or masks that do not fit; a class that no mask has.
    """
    images, masks = np.asarray(validation["image"]), np.asarray(validation["mask"])
    check_images(images, name="validation images")
    _check_masks(masks, images.shape[:3], config.num_classes, name="validation masks")
    missing = sorted(set(range(1, config.num_classes)) - set(np.unique(masks).tolist()))
    if missing:
        raise InputError(
            f"validation masks: expected pixels of each class, got none of class {missing[0]}"
        )
    graphdef = graph_of(_choose(config, model))

    def evaluate(state: State) -> dict[str, float]:
        module = evaluation_view(graphdef, state.params, state.rest)
        found = map_examples(_segment, module, images, batch_size=config.eval_batch_size, mesh=mesh)
        scores = {
            f"validation_dice_{c}": float(np.nanmean(dice(found == c, masks == c)))
            for c in range(1, config.num_classes)
        }
        mean = sum(scores.values()) / len(scores)
        return {
            **scores,
            "validation_accuracy": float((found == masks).mean()),
            "validation_dice": mean,
        }

    return evaluate


def train(
    config: Config,
    source: Any,
    train_indices: Int[np.ndarray, " n"],
    masks: Int[np.ndarray, "n h w"],
    validation: Mapping[str, np.ndarray],
    workdir: str | Path,
    *,
    model: ModelFactory | None = None,
    augment: Callable[..., Any] | None = None,
    mesh: Mesh | None = None,
    progress: bool = True,
) -> nnx.Module:
    """Trains the network, or goes on with a training that was stopped; a finished one is only read.

    Args:
        config: the training.
        source: random-access data set whose items hold ``image``.
        train_indices: the items to train on.
        masks: the class of each pixel of these items, in their order.
        validation: ``image`` ``(m, h, w, c)`` in [0, 1] and ``mask`` ``(m, h, w)``.
        workdir: folder of this training.
        model: makes the network from ``nnx.Rngs``, images -> logits ``(b, h, w, k)``; None for the
            configuration's.
        augment: ``(image, rng) -> image``, applied to training images; it must leave every pixel
            where it is.
        mesh: devices to train on; None for all.
        progress: shows a progress bar.

    Returns:
        The selected network in evaluation mode; ``models.per_image`` of it gives the logits of one
        image.

    Raises:
        InputError: as ``training.fit``; an unknown ``select``; numbers out of range; images or
            masks that cannot be used.
    """
    check_choice(config.select, ("dice", "none"), name="select")
    mesh = data_mesh() if mesh is None else mesh
    check_batch_size(config.batch_size, mesh)
    masks, truth = (
        np.asarray(masks),
        {name: np.asarray(validation[name]) for name in ("image", "mask")},
    )
    _check_masks(masks, (len(masks), *truth["image"].shape[1:3]), config.num_classes, name="masks")
    selected = run(
        _TRAINER,
        config,
        make_step(config, model=model),
        lambda key: init(key, config, model=model),
        batches_with_targets(
            source,
            train_indices,
            masks,
            batch_size=config.batch_size,
            seed=config.seed,
            augment=augment,
            name="masks",
        ),
        workdir,
        evaluate=make_evaluate(config, validation, model=model, mesh=mesh),
        select=None if config.select == "none" else "validation_dice",
        data={**describe_data(source, train_indices, truth, augment, None), "masks": digest(masks)},
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
        lambda rngs: Segmenter(
            num_classes=config.num_classes,
            in_channels=config.in_channels,
            filters=config.filters,
            norm=config.norm,
            rngs=rngs,
        )
    )


def _make_optimiser(config: Config) -> optax.GradientTransformation:
    check_positive(config.learning_rate, name="learning_rate")
    return optax.adam(config.learning_rate)


def _check_masks(
    masks: Shaped[np.ndarray, "n h w"], shape: tuple[int, ...], num_classes: int, *, name: str
) -> None:
    if masks.shape != shape or not np.issubdtype(masks.dtype, np.integer):
        raise InputError(
            f"{name}: expected the class of each pixel, integers of shape {shape}, got"
            f" {masks.dtype} of shape"
            f" {masks.shape}: put one map for each image together from its masks"
        )
    if masks.size and not 0 <= masks.min() <= masks.max() < num_classes:
        raise InputError(
            f"{name}: expected classes in 0..{num_classes - 1}, got {masks.min()}..{masks.max()}"
        )


def _segment(module: Any, image: Float[Array, "h w c"]) -> Int[Array, "h w"]:
    return module(image[None])[0].argmax(axis=-1)
