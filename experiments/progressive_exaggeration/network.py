"""The classifier that is explained, with one sigmoid for each label, and a second one that judges the explanations."""

import dataclasses
from typing import NamedTuple

import jax
import numpy as np
from flax import nnx
from jax.tree_util import Partial
from jaxtyping import Float

from cfx_jax.callables import call
from cfx_jax.data import Transform, compose, random_flip, random_noise
from cfx_jax.metrics import roc_auc
from cfx_jax.models import one_label, per_image
from cfx_jax.objectives import Classifier
from cfx_jax.parallel import map_examples
from experiments.image_set import predict
from experiments.normalisation import fit_to_images
from experiments.progressive_exaggeration.config import Config
from experiments.progressive_exaggeration.images import Data
from experiments.stages import Workspace
from trainers import multi_label as trainer

EXPLAINED, JUDGE, ORACLE = "classifier", "judge", "oracle"
_JUDGE_SEED = 1_000
"""Added to the seed of the explained classifier's training for those of the ones that judge."""


class Network(NamedTuple):
    """A trained classifier of all labels.

    Attributes:
        model: of batches of images, in evaluation mode.
        logits: of the test images (n, k).
        auc: area under the ROC curve of each label on the test images (k,).
        identity: what the weights depend on.
    """

    model: nnx.Module
    logits: Float[np.ndarray, "n k"]
    auc: Float[np.ndarray, " k"]
    identity: object

    @property
    def outputs(self) -> Partial:
        """One image -> the logits of all labels."""
        return per_image(self.model)

    def of_label(self, label: int) -> Classifier:
        """One image -> the two logits of a label."""
        return one_label(self.outputs, label)

    def probabilities(self, images: Float[np.ndarray, "n h w c"], *, batch_size: int) -> Float[np.ndarray, "n k"]:
        """Of each label, for every image; so many images at once."""
        return np.asarray(jax.nn.sigmoid(map_examples(call, self.outputs, images, batch_size=batch_size)))


def train_network(name: str, config: Config, data: Data, workspace: Workspace) -> Network:
    """Trains a classifier of all labels, or reads it from the workspace.

    Args:
        name: ``EXPLAINED`` or another, or ``JUDGE`` or ``ORACLE`` for the same training from another seed.
        config: of the run.
        data: the images and labels.
        workspace: keeps the weights.
    """
    seed = config.classifier.seed + (_JUDGE_SEED if name in (JUDGE, ORACLE) else 0)
    fitted = fit_to_images(config.classifier, data.train.images, workspace)
    settings = dataclasses.replace(fitted, num_classes=len(data.names), seed=seed)
    identity = [
        settings, data.names, data.train.images.identity, data.validation.images.identity, config.mirrored, config.noise
    ]  # fmt: skip
    folder = workspace.folder(name, identity)
    print(f"{name}: {settings.num_steps} steps in {folder}", flush=True)
    model = trainer.train(
        settings,
        data.train.images.source,
        data.train.images.indices,
        data.train.labels,
        {"image": data.validation.pixels, "label": data.validation.labels},
        folder,
        augment=_with_noise(augmentation(config), config.noise),
    )
    stored = workspace.cached(
        f"logits {name}",
        [identity, data.test.images.identity],
        lambda: {"logits": predict(per_image(model), data.test.images, progress="test")},
    )
    auc = np.array([roc_auc(*each) for each in zip(stored["logits"].T, data.test.labels.T, strict=True)])
    return Network(model, stored["logits"], auc, identity)


def augmentation(config: Config) -> Transform | None:
    """The augmentation of all trainings."""
    return random_flip("horizontal") if config.mirrored else None


def _with_noise(transform: Transform | None, most: float) -> Transform | None:
    """A classifier's: then noise of at most this standard deviation."""
    if not most:
        return transform
    noise = random_noise(scale=(0.0, most))
    return compose(transform, noise) if transform else noise
