"""Training of a network that gives each pixel a class, such as lungs and heart in radiographs
(Singla et al. 2020, "Explanation by Progressive Exaggeration", section 4.2, who measure hearts by a
UNet trained on masks; neither its settings nor its code are published, so these are ours).

For images x with the class m of each pixel, and a network f::

    loss = mean over images and pixels of cross_entropy(f(x), m)

    step(state, batch):
        gradients = grad(loss)
        parameters = Adam(parameters, gradients)

``train`` needs ``targets``, the class of each pixel ``(n, h, w)``, which the augmentation must
leave true; the validation has ``mask`` ``(m, h, w)``. It returns the network in evaluation mode,
images -> logits ``(b, h, w, k)``; ``models.per_image`` of it returns the logits of one image.
"""

from dataclasses import dataclass, field
from typing import Any, Literal

import jax.numpy as jnp
import numpy as np
import optax
from flax import nnx
from jax import Array
from jaxtyping import Float, Int, PRNGKeyArray, Shaped

from cfx_jax.checks import InputError, check_positive
from cfx_jax.losses import cross_entropy
from cfx_jax.metrics import dice
from cfx_jax.models import PUBLISHED_FILTERS, NormName, Segmenter, leaves_at_least_float32

from .shared import (
    Batch,
    Evaluate,
    Inputs,
    RunSettings,
    State,
    Step,
    Trainer,
    TrainingBatches,
    descent_step,
    evaluation_view,
    give_network,
    graph_of,
    measure_validation,
    random_start,
    target_batches,
    validation_images,
)


@dataclass(frozen=True)
class Config:
    """A segmentation network. Defaults: background, lungs, heart in grey images of 128 pixels."""

    num_classes: int = 3
    """Classes of a pixel, the background, class 0, among them."""
    in_channels: int = 1
    """Channels of the images."""
    filters: tuple[int, ...] = PUBLISHED_FILTERS
    """Channels at each resolution, the finest first; sides divide by 2 for each but the first."""
    norm: NormName = "affine"
    """The norm before each activation: a scale and a shift, or batch norm, whose first hides what
    is dark."""
    learning_rate: float = 1e-3
    """The learning rate of Adam."""
    select: Literal["dice", "none"] = "dice"
    """Keep the weights of highest ``validation_dice``, or none for the last ones."""
    run: RunSettings = field(
        default_factory=lambda: RunSettings(  # all ours
            num_steps=2000,
            batch_size=16,
            evaluate_every=100,
            checkpoint_every=500,
            eval_batch_size=32,
        )
    )
    """How long the training runs."""


def build(config: Config, rngs: nnx.Rngs) -> nnx.Module:
    """The network of a configuration."""
    return Segmenter(
        num_classes=config.num_classes,
        in_channels=config.in_channels,
        filters=config.filters,
        norm=config.norm,
        rngs=rngs,
    )


def check(config: Config, inputs: Inputs) -> None:
    """Checks the masks of the training images.

    Raises:
        InputError: masks of another size than the images, or values that are no class.
    """
    masks, size = np.asarray(inputs.targets), np.shape(inputs.validation["image"])[1:3]
    check_masks(masks, (len(masks), *size), config.num_classes, name="masks")


def make_batches(config: Config, inputs: Inputs) -> TrainingBatches:
    """Batches of ``image`` and ``target`` (b, h, w); errors as ``target_batches``."""
    return target_batches(config.run, inputs, name="masks", validation=("image", "mask"))


def _make_optimiser(config: Config) -> optax.GradientTransformation:
    check_positive(config.learning_rate, name="learning_rate")
    return optax.adam(config.learning_rate)


def make_step(config: Config, inputs: Inputs) -> Step:
    """One step of training.

    Returns:
        Pure ``step(state, key, batch) -> (state, metrics)``; a batch has ``image`` ``(b, h, w, c)``
        and ``target`` ``(b, h, w)``, the class of each pixel. Metrics: ``loss``, the mean
        cross-entropy of all pixels in nats, and ``accuracy``, the share of pixels that are right.

    Raises:
        InputError: numbers out of range.
    """

    def compute_loss(network: Any, key: PRNGKeyArray, batch: Batch) -> dict[str, Array]:
        del key
        # (b, h, w, k) and (b, h, w)
        logits = leaves_at_least_float32(network(batch["image"]))
        masks = batch["target"].astype(jnp.int32)
        loss = cross_entropy(logits.reshape(-1, logits.shape[-1]), masks.reshape(-1))
        return {"loss": loss, "accuracy": (logits.argmax(axis=-1) == masks).mean()}

    return descent_step(
        inputs.choose(build, config),
        _make_optimiser(config),
        compute_loss,
        config.run,
        inputs.mesh,
    )


def make_evaluate(config: Config, inputs: Inputs) -> Evaluate:
    """The validation of a state on ``image`` ``(n, h, w, c)`` and ``mask`` ``(n, h, w)``.

    Returns:
        ``state -> metrics``: ``validation_accuracy``, the share of pixels that are right;
        ``validation_dice_1`` and so on, the mean Dice score of each class but the background over
        the images where it is, or is found; and ``validation_dice``, their mean over the classes.

    Raises:
        InputError: images outside [0, 1], or masks that do not fit; a class that no mask has.
    """
    images, masks = validation_images(inputs), np.asarray(inputs.validation["mask"])
    check_masks(masks, images.shape[:3], config.num_classes, name="validation masks")
    missing = sorted(set(range(1, config.num_classes)) - set(np.unique(masks).tolist()))
    if missing:
        raise InputError(
            f"validation masks: expected pixels of each class, got none of class {missing[0]}"
        )
    graphdef = graph_of(inputs.choose(build, config))

    def evaluate(state: State) -> dict[str, float]:
        network = evaluation_view(graphdef, state.params, state.rest)
        classes = measure_validation(config.run, inputs, _segment, network, images)
        scores = {
            f"validation_dice_{c}": float(np.nanmean(dice(classes == c, masks == c)))
            for c in range(1, config.num_classes)
        }
        mean = sum(scores.values()) / len(scores)
        accuracy = float((classes == masks).mean())
        return {**scores, "validation_accuracy": accuracy, "validation_dice": mean}

    return evaluate


def check_masks(
    masks: Shaped[np.ndarray, "n h w"], shape: tuple[int, ...], num_classes: int, *, name: str
) -> None:
    """Checks the class of each pixel of images.

    Args:
        masks: the mask of each image.
        shape: the shape that the masks must have.
        num_classes: the background among them.
        name: the name of the masks in the message.

    Raises:
        InputError: another shape, or values that are no class.
    """
    if masks.shape != shape or not np.issubdtype(masks.dtype, np.integer):
        raise InputError(
            f"{name}: expected the class of each pixel, integers of shape {shape}, got"
            f" {masks.dtype} of shape {masks.shape}: put one map for each image together from its"
            " masks"
        )
    if masks.size and not 0 <= masks.min() <= masks.max() < num_classes:
        raise InputError(
            f"{name}: expected classes in 0..{num_classes - 1}, got {masks.min()}..{masks.max()}"
        )


TRAINER = Trainer(
    name="segmentation",
    config=Config,
    selections={"dice": "validation_dice", "none": None},
    check=check,
    make_batches=make_batches,
    init=random_start(build, _make_optimiser),
    make_step=make_step,
    make_evaluate=make_evaluate,
    finish=give_network(build),
    needs=("targets",),
    takes=("model", "augment"),
)


def _segment(network: Any, image: Float[Array, "h w c"]) -> Int[Array, "h w"]:
    return network(image[None])[0].argmax(axis=-1)
