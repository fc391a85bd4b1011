"""Predictions of volumes, logits of classes, or of a lesion and its side; their loss and scores."""

from collections.abc import Mapping
from dataclasses import dataclass
from inspect import signature
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jaxtyping import Float, Int

from cfx_jax.checks import InputError
from cfx_jax.losses import multi_task_terms, weighted_cross_entropy
from cfx_jax.metrics import accuracy, balanced_accuracy
from cfx_jax.models import HalfBrainLogits, joint_decision, leaves_at_least_float32
from cfx_jax.objectives import decision

Logits = Float[Array, "b k"] | HalfBrainLogits


@dataclass(frozen=True)
class PredictVolume:
    """The logits of one volume, as ``map_examples`` takes it; equal settings compile once.

    Attributes:
        saliency: whether the network takes a saliency map of each volume too.
        sides: whether it also names the side of a lesion.
        num_classes: the number of classes of a network that names no side.
    """

    saliency: bool
    sides: bool
    num_classes: int

    def __call__(self, network: Any, example: Mapping[str, Array]) -> Logits:
        batch = {name: value[None] for name, value in example.items()}
        return jax.tree.map(lambda leaf: leaf[0], self.batch(network, batch))

    def batch(self, network: Any, batch: Mapping[str, Any]) -> Logits:
        """The logits of several volumes.

        Args:
            network: it takes volumes, and their maps where ``saliency`` says so.
            batch: ``image`` (b, s, h, w, c), and ``saliency`` (b, s, h, w, 1) where it is taken.

        Raises:
            InputError: a network that takes something else, or logits of another form or number,
                than the settings say.
        """
        inputs = (batch["image"], batch["saliency"]) if self.saliency else (batch["image"],)
        _check_takes(network, inputs)
        logits = leaves_at_least_float32(network(*inputs))
        names_sides = isinstance(logits, HalfBrainLogits)
        if self.sides != names_sides:
            kind = "of lesion and side" if names_sides else "of classes"
            raise InputError(
                f"sides: expected {names_sides}, since the network's logits are {kind}, got"
                f" {self.sides}"
            )
        if not names_sides and logits.shape[-1] != self.num_classes:
            raise InputError(
                f"num_classes: expected {logits.shape[-1]}, the network's logits, got"
                f" {self.num_classes}"
            )
        return logits


def decide_classes(logits: Logits) -> Int[Array, " b"]:
    """The class that is decided on for each volume; with sides, one of none, left, right, both."""
    return joint_decision(logits) if isinstance(logits, HalfBrainLogits) else decision(logits)


def compute_terms(
    logits: Logits, labels: Int[Array, " b"], class_weights: Float[Array, " k"]
) -> dict[str, Float[Array, ""]]:
    """The terms whose sum is the loss.

    Args:
        logits: the logits of volumes.
        labels: their classes.
        class_weights: the weight of each class; with sides, the weights of none and of lesion.

    Returns:
        ``cross_entropy``, or ``lesion`` and ``side``, in nats.
    """
    weights = jnp.asarray(class_weights)
    if isinstance(logits, HalfBrainLogits):
        return multi_task_terms(*logits, labels, weights[(labels > 0).astype(jnp.int32)])
    return {"cross_entropy": weighted_cross_entropy(logits, labels, weights[labels])}


def score_volumes(logits: Logits, labels: Int[np.ndarray, " n"]) -> dict[str, float]:
    """The accuracy and the cross-entropy of a classifier of volumes.

    Args:
        logits: the logits of volumes.
        labels: their classes.

    Returns:
        ``validation_accuracy``, ``validation_balanced_accuracy`` and ``validation_cross_entropy``,
        in nats and without weights of classes. With sides, accuracies count the four classes,
        ``validation_lesion_accuracy`` counts lesion or none, and the cross-entropy is the sum of
        both terms.
    """
    decisions, has_sides = np.asarray(decide_classes(logits)), isinstance(logits, HalfBrainLogits)
    num_weights = 2 if isinstance(logits, HalfBrainLogits) else logits.shape[-1]
    terms = compute_terms(logits, jnp.asarray(labels), jnp.ones(num_weights))
    scores = {
        "validation_accuracy": accuracy(decisions == labels),
        "validation_balanced_accuracy": balanced_accuracy(decisions == labels, labels),
        "validation_cross_entropy": float(sum(terms.values())),
    }
    if has_sides:
        scores["validation_lesion_accuracy"] = accuracy((decisions > 0) == (labels > 0))
    return scores


def _check_takes(network: Any, inputs: tuple[Array, ...]) -> None:
    try:
        signature(network).bind(*inputs)
    except TypeError:
        takes_maps = len(inputs) == 1
        taken = "volumes and saliency maps" if takes_maps else "volumes alone"
        raise InputError(
            f"saliency: expected {takes_maps}, since {type(network).__name__} takes {taken}, got"
            f" {not takes_maps}"
        ) from None
