"""Recipe: a robust sibling of a user's own network, trained further from its weights by TRADES.

The network is used in evaluation mode throughout: its batch norms keep the statistics of the given
network, and its dropout is off. Images of a fine-tuning are too few to estimate statistics anew,
and adversarial ones would shift them.
"""

from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jax import Array
from jaxtyping import Float, Int

from cfx_jax.adapters import Trainable, trainable
from cfx_jax.checks import num_classes
from cfx_jax.compilation import as_pytree
from cfx_jax.data import evenly_spread
from cfx_jax.explain import Sibling, make_sibling, save_sibling
from cfx_jax.metrics import accuracy, fit_temperature, robustly_correct
from cfx_jax.objectives import Classifier, decision
from cfx_jax.parallel import apply_to_examples

from .. import trades
from ..shared import OptimiserSettings, RunSettings, train

CONFIG = trades.Config(
    model="the user's",
    optimiser=OptimiserSettings(rule="adam", learning_rate=3e-4, schedule="cosine"),  # ours
    attack=trades.AttackConfig(num_steps=10),  # paper: 20, which takes twice as long
    balanced=False,
    select="adversarial_balanced_accuracy",
    run=RunSettings(epochs=10, batch_size=32, eval_batch_size=32),  # ours
)
"""Fine-tuning: the attack and the loss of Boreiko et al. 2022, a short course from given weights.
"""
_ATTACKED = 100
"""Validation images that the accuracies are measured on at most."""


class Accuracies(NamedTuple):
    """The accuracies of a classifier on validation images, as shares.

    Attributes:
        num_images: how many images they are measured on.
        accuracy: images decided as labelled.
        robust_accuracy: images decided as labelled, also after an attack within the radius of the
            training.
    """

    num_images: int
    accuracy: float
    robust_accuracy: float


class _Weights(nnx.Module):
    """A classifier as a network of batches whose parameters a trainer moves."""

    def __init__(self, parts: Trainable) -> None:
        self.names, self.rebuild = tuple(parts.parameters), parts.rebuild
        # Copies, since training steps donate their arrays.
        self.values = nnx.List([nnx.Param(jnp.array(v)) for v in parts.parameters.values()])

    def __call__(self, images: Float[Array, "b h w c"]) -> Float[Array, "b k"]:
        return jax.vmap(self.rebuild(self.parameters()))(images)

    def parameters(self) -> dict[str, Array]:
        """The parameters by name."""
        return {name: value[...] for name, value in zip(self.names, self.values, strict=True)}


def train_sibling(
    classifier: Classifier,
    source: Any,
    train_indices: Int[np.ndarray, " n"],
    validation: Mapping[str, np.ndarray],
    workdir: str | Path,
    *,
    config: trades.Config | None = None,
    model: str = "classifier",
    calibrate: bool = True,
    num_workers: int = 0,
    progress: bool = True,
) -> Sibling:
    """Trains a robust sibling of a classifier and keeps it for ``explain.with_sibling``.

    A training that was stopped goes on when the call is made again; a finished one is only read.

    Args:
        classifier: one image -> logits ``(k,)``, with parameters that ``adapters.trainable`` finds.
        source: random-access; its items hold ``image``, in [0, 1], and ``label``.
        train_indices: the items to train on.
        validation: other images: ``image`` ``(m, h, w, c)`` and ``label`` ``(m,)``.
        workdir: folder of the training, which then holds the sibling too.
        config: None takes ``CONFIG``. Classes and channels are the classifier's and the images'.
        model: the name of the classifier in messages.
        calibrate: whether both are calibrated on the validation images for their ensemble; not
            where the labels are the classifier's own decisions: they do not show its errors.
        num_workers: processes that read the training images, as ``trainers.train`` has it.
        progress: shows a progress bar.

    Returns:
        The sibling.

    Raises:
        InputError: a classifier without such parameters; as ``trainers.train``.
    """
    height, width, channels = np.shape(validation["image"])[1:]
    shape = (height, width, channels)
    held, parts = as_pytree(classifier), trainable(classifier)
    classes = num_classes(held, np.zeros(shape, np.float32))
    config = replace(config or CONFIG, num_classes=classes, in_channels=shape[2])
    trained: Any = train(
        trades.TRAINER,
        config,
        source,
        train_indices,
        validation,
        workdir,
        model=lambda rngs: _Weights(parts),
        start=_Weights(parts),
        num_workers=num_workers,
        progress=progress,
    )
    parameters = {name: np.asarray(values) for name, values in trained.parameters().items()}
    temperatures = (1.0, 1.0)
    if calibrate:
        both = held, parts.rebuild(parameters)
        own, other = (_temperature(one, validation, config.run.eval_batch_size) for one in both)
        temperatures = own, other
    sibling = make_sibling(
        parameters,
        held,
        shape=shape,
        model=model,
        temperatures=temperatures,
        training={"trainer": trades.TRAINER.name, "config": asdict(config)},
    )
    save_sibling(workdir, sibling)
    return sibling


def measure_robustness(
    classifier: Classifier,
    validation: Mapping[str, np.ndarray],
    attack: trades.AttackConfig,
    *,
    batch_size: int,
) -> Accuracies:
    """Measures a classifier on at most 100 validation images, with and without attacks.

    Of more, which are often in the order of their classes, they are taken at equal distances.

    Args:
        classifier: one image -> logits.
        validation: ``image`` and ``label``.
        attack: names the norm and the radius; the attack is ``metrics.robustly_correct``, with 20
            steps and one restart.
        batch_size: images computed at once.
    """
    places = evenly_spread(len(validation["label"]), most=_ATTACKED)
    images, labels = (validation[name][places] for name in ("image", "label"))
    logits = apply_to_examples(classifier, images, batch_size=batch_size)
    robust = robustly_correct(
        jax.random.key(0),
        classifier,
        images,
        labels,
        radius=attack.radius,
        p=attack.p,
        num_steps=20,
        num_restarts=1,
        batch_size=batch_size,
    )
    hits = np.asarray(decision(logits)) == labels
    return Accuracies(len(labels), accuracy(hits), float(robust.mean()))


def _temperature(
    classifier: Classifier, validation: Mapping[str, np.ndarray], batch_size: int
) -> float:
    logits = apply_to_examples(classifier, validation["image"], batch_size=batch_size)
    return fit_temperature(jnp.asarray(logits), jnp.asarray(validation["label"]))
