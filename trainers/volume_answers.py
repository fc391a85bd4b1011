"""What a classifier of volumes says, in either of its forms: logits of classes, or of a lesion and
of its side.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from inspect import signature
from typing import Any

import jax
import jax.numpy as jnp
from jax import Array
from jaxtyping import Float, Int

from cfx_jax.errors import InputError
from cfx_jax.losses.multi_task import multi_task_terms
from cfx_jax.losses.weighted_cross_entropy import weighted_cross_entropy
from cfx_jax.models.volumes.half_brain import HalfBrainLogits, joint_decision
from cfx_jax.objectives import decision
from trainers.volume_config import Config

Logits = Float[Array, "b k"] | HalfBrainLogits

NUM_SIDES = 4
"""None, left, right and both."""


def number_of_classes(config: Config) -> int:
    """How many classes the labels of a training name."""
    return NUM_SIDES if config.sides else config.num_classes


def logits_of(config: Config, network: Any, batch: Mapping[str, Any]) -> Logits:
    """What a network says of volumes.

    Args:
        config: says whether it takes saliency maps, and whether it names sides.
        network: the network.
        batch: ``image`` (b, s, h, w, c), with ``saliency`` (b, s, h, w, 1) where the network takes
            it.

    Raises:
        InputError: a network that takes something else, or logits of another form or number, than
            the configuration says.
    """
    inputs = (batch["image"], batch["saliency"]) if config.saliency else (batch["image"],)
    _check_inputs(network, inputs)
    logits = network(*inputs)
    names_sides = isinstance(logits, HalfBrainLogits)
    if config.sides != names_sides:
        found = "of lesion and side" if names_sides else "of classes"
        raise InputError(
            f"sides: expected {names_sides}, since the network's logits are {found}, got"
            f" {config.sides}"
        )
    if not names_sides and logits.shape[-1] != config.num_classes:
        raise InputError(
            f"num_classes: expected {logits.shape[-1]}, the network's logits, got"
            f" {config.num_classes}"
        )
    return logits


@dataclass(frozen=True)
class Answer:
    """The logits of one volume, as ``map_examples`` takes it; equal configurations compile once.

    Attributes:
        config: of the training, see ``logits_of``; ``seedless``, for one program for all seeds.
    """

    config: Config

    def __call__(self, network: Any, example: Mapping[str, Array]) -> Logits:
        batch = {name: value[None] for name, value in example.items()}
        return jax.tree.map(lambda leaf: leaf[0], logits_of(self.config, network, batch))


def _check_inputs(network: Any, inputs: tuple[Array, ...]) -> None:
    try:
        signature(network).bind(*inputs)
    except TypeError:
        takes_maps = len(inputs) == 1
        what = "volumes and saliency maps" if takes_maps else "volumes alone"
        raise InputError(
            f"saliency: expected {takes_maps}, since {type(network).__name__} takes {what}, got"
            f" {not takes_maps}"
        ) from None


def decided(logits: Logits) -> Int[Array, " b"]:
    """The class that is decided on for each volume; with sides, one of none, left, right, both."""
    return joint_decision(logits) if isinstance(logits, HalfBrainLogits) else decision(logits)


def loss_terms(
    logits: Logits, labels: Int[Array, " b"], class_weights: Float[Array, " k"]
) -> dict[str, Float[Array, ""]]:
    """The terms whose sum is the loss.

    Args:
        logits: of volumes.
        labels: their classes.
        class_weights: of each class; with sides, of none and lesion.

    Returns:
        ``cross_entropy``, or ``lesion`` and ``side``, in nats.
    """
    weights = jnp.asarray(class_weights)
    if isinstance(logits, HalfBrainLogits):
        return multi_task_terms(*logits, labels, weights[(labels > 0).astype(jnp.int32)])
    return {"cross_entropy": weighted_cross_entropy(logits, labels, weights[labels])}
