"""The explanations of the test images: by the trained explainer, and by xGEM in the latents of an autoencoder."""

import dataclasses
from typing import NamedTuple

import numpy as np
import optax
from jax.tree_util import Partial
from jaxtyping import Float, Int

from cfx_jax.callables import call
from cfx_jax.counterfactuals import Exaggeration, Exaggerator, progressive, xgem_batch
from cfx_jax.errors import InputError
from cfx_jax.metrics import flipped
from cfx_jax.models import exaggerator_of, generator_of
from cfx_jax.objectives import Classifier
from cfx_jax.optimise import from_optax
from cfx_jax.parallel import map_examples
from experiments.image_set import ImageSet
from experiments.progressive_exaggeration.config import Config
from experiments.progressive_exaggeration.images import Data
from experiments.progressive_exaggeration.network import augmentation
from experiments.stages import Arrays, Workspace
from trainers import progressive as explainer_trainer
from trainers import vae as vae_trainer

OURS, XGEM = "progressive exaggeration", "xGEM"
_VALIDATED = 128  # images that an explainer draws for all bins in each of its validations


class Explainer(NamedTuple):
    """A trained explainer.

    Attributes:
        explain: one image and its bin -> latent -> image, a pytree.
        identity: what the weights depend on.
    """

    explain: Exaggerator
    identity: object


class Sweeps(NamedTuple):
    """The series of every query by one method.

    Attributes:
        name: of the method.
        found: with leading axis n; ``images`` (n, k, h, w, c).
        identity: what all of it depends on.
    """

    name: str
    found: Exaggeration
    identity: object

    @property
    def opposite(self) -> Int[np.ndarray, " n"]:
        """The bin at the opposite extreme of each query's decision."""
        return np.where(self.found.probability >= 0.5, 0, self.found.images.shape[1] - 1)

    @property
    def crossed(self) -> Float[np.ndarray, " n"]:
        """1 where the decision turns over at the opposite extreme, else 0."""
        extreme = np.take_along_axis(np.asarray(self.found.probabilities), self.opposite[:, None], axis=1)[:, 0]
        return flipped(np.asarray(self.found.probability), extreme).astype(float)

    @property
    def reconstructions(self) -> Float[np.ndarray, "n h w c"]:
        """The image of each query's own bin."""
        return np.asarray(self.found.images)[np.arange(len(self.found.source_bin)), np.asarray(self.found.source_bin)]


def choose_queries(config: Config, data: Data, logits: Float[np.ndarray, " n"]) -> ImageSet:
    """The first test images of either decision, as many of each.

    Raises:
        InputError: a classifier that never decides on one of the two.
    """
    decided = logits >= 0
    each = min(config.num_explained // 2, int(decided.sum()), int((~decided).sum()))
    if each == 0:
        raise InputError(
            f"classifier: expected decisions both ways on the test images, got {data.class_names[int(decided[0])]!r} for all"
            f" {len(decided)}: train longer (--classifier.num-steps)"
        )
    return data.test.images.take(np.sort(np.concatenate([np.flatnonzero(decided == c)[:each] for c in (False, True)])))


def train_explainer(
    settings: explainer_trainer.Config,
    classifier: Classifier,
    depends: object,
    config: Config,
    data: Data,
    workspace: Workspace,
) -> Explainer:
    """Trains encoder and generator for one classifier, or reads them from the workspace.

    Args:
        settings: of the training; channels are set by the images.
        classifier: one image -> two logits.
        depends: what the classifier's answers depend on.
        config: names the augmentation.
        data: the images.
        workspace: keeps the weights.
    """
    settings = dataclasses.replace(settings, in_channels=data.validation.pixels.shape[-1])
    identity = [settings, depends, data.train.images.identity, config.mirrored]
    folder = workspace.folder("explainer", identity)
    print(f"explainer: {settings.num_steps} steps in {folder}", flush=True)
    model = explainer_trainer.train(
        settings,
        classifier,
        data.train.images.source,
        data.train.images.indices,
        {"image": data.validation.pixels[:_VALIDATED]},
        folder,
        augment=augmentation(config),
    )
    return Explainer(exaggerator_of(model), identity)


def sweep(
    explainer: Explainer, classifier: Classifier, queries: ImageSet, config: Config, workspace: Workspace
) -> Sweeps:
    """The explanation of every query for every bin, kept in the workspace."""
    identity = [explainer.identity, queries.identity]

    def compute() -> Arrays:
        explain = Partial(progressive, explainer.explain, classifier)
        return _arrays(
            map_examples(call, explain, queries.arrays["image"], batch_size=config.batch_size, progress="sweeps")
        )

    return Sweeps(OURS, Exaggeration(**workspace.cached("sweeps", identity, compute)), identity)


def xgem_sweep(
    classifier: Classifier, depends: object, queries: ImageSet, config: Config, data: Data, workspace: Workspace
) -> Sweeps:
    """The series of xGEM for every query; its autoencoder is trained, or read from the workspace."""
    height, width, channels = data.validation.pixels.shape[1:]
    settings = dataclasses.replace(config.vae, size=(height, width), in_channels=channels)
    coder_identity = [settings, data.train.images.identity, config.mirrored]
    folder = workspace.folder("vae", coder_identity)
    print(f"autoencoder of xGEM: {settings.num_steps} steps in {folder}", flush=True)
    model = vae_trainer.train(
        settings,
        data.train.images.source,
        data.train.images.indices,
        {"image": data.validation.pixels},
        folder,
        augment=augmentation(config),
    )
    identity = [coder_identity, depends, config.xgem, queries.identity]

    def compute() -> Arrays:
        search = config.xgem
        found = xgem_batch(
            generator_of(model),
            classifier,
            queries.arrays["image"],
            from_optax(optax.adam(search.learning_rate), num_steps=search.num_steps),
            weight=search.weight,
            until=search.until,
            num_bins=config.explainer.num_bins,
            batch_size=config.batch_size,
            progress="xGEM",
        )
        return _arrays(found.series)

    return Sweeps(XGEM, Exaggeration(**workspace.cached("xGEM", identity, compute)), identity)


def _arrays(found: Exaggeration) -> Arrays:
    return {name: np.asarray(values) for name, values in found._asdict().items()}


def spread(found: Sweeps) -> Float[np.ndarray, " n"]:
    """The mean magnitude of the difference between the two extremes of each query; about 0 where the bin has no effect."""
    images = np.asarray(found.found.images)
    return np.abs(images[:, -1] - images[:, 0]).mean((1, 2, 3))
