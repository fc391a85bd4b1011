"""The explanations of the test images: by the trained explainer, and by xGEM in the latents of an autoencoder."""

import dataclasses
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import numpy as np
import optax
from flax import nnx
from jax.tree_util import Partial
from jaxtyping import Bool, Float, Int

from cfx_jax.callables import call
from cfx_jax.counterfactuals import Exaggeration, Exaggerator, progressive, xgem_batch
from cfx_jax.losses.progressive import ProgressiveWeights
from cfx_jax.metrics import flipped
from cfx_jax.models import exaggerator_of, generator_of
from cfx_jax.optimise import from_optax
from cfx_jax.parallel import map_examples
from experiments.progressive_exaggeration.config import Config
from experiments.progressive_exaggeration.network import Network, augmentation
from experiments.progressive_exaggeration.subject import Subject, first_of_either
from experiments.stages import Arrays, Workspace
from trainers import progressive as explainer_trainer
from trainers import vae as vae_trainer

OURS, XGEM = "progressive exaggeration", "xGEM"
_VALIDATED = 128  # images that an explainer draws for all bins in each of its validations


class Explainer(NamedTuple):
    """A trained explainer.

    Attributes:
        generator: in evaluation mode.
        identity: what the weights depend on.
    """

    generator: nnx.Module
    identity: object

    @property
    def explain(self) -> Exaggerator:
        """One image and its bin -> latent -> image, a pytree."""
        return exaggerator_of(self.generator)


class Sweeps(NamedTuple):
    """The series of every query by one method.

    Attributes:
        name: of the method.
        found: with leading axis n; ``images`` (n, k, h, w, c).
        identity: what all of it depends on.
        encode: one image and its bin -> its latent in the method's own coder, a pytree.
    """

    name: str
    found: Exaggeration
    identity: object
    encode: Callable[..., Any]

    @property
    def decided(self) -> Bool[np.ndarray, " n"]:
        """Whether the classifier decides that each query has the label."""
        return np.asarray(self.found.probability) >= 0.5

    @property
    def opposite(self) -> Int[np.ndarray, " n"]:
        """The bin at the opposite extreme of each query's decision."""
        return np.where(self.decided, 0, self.found.images.shape[1] - 1)

    @property
    def extremes(self) -> Float[np.ndarray, "n h w c"]:
        """The image for that bin."""
        return np.asarray(self.found.images)[np.arange(len(self.opposite)), self.opposite]

    @property
    def crossed(self) -> Float[np.ndarray, " n"]:
        """1 where the decision turns over at the opposite extreme, else 0."""
        extreme = np.take_along_axis(np.asarray(self.found.probabilities), self.opposite[:, None], axis=1)[:, 0]
        return flipped(np.asarray(self.found.probability), extreme).astype(float)

    @property
    def reconstructions(self) -> Float[np.ndarray, "n h w c"]:
        """The image of each query's own bin."""
        return np.asarray(self.found.images)[np.arange(len(self.found.source_bin)), np.asarray(self.found.source_bin)]

    def first(self, number: int) -> Int[np.ndarray, " m"]:
        """Positions of the first queries, half of them of either decision: those that figures show."""
        return first_of_either(self.decided, number // 2)


def train_explainer(
    settings: explainer_trainer.Config,
    subject: Subject,
    config: Config,
    workspace: Workspace,
    *,
    start: Explainer | None = None,
) -> Explainer:
    """Trains encoder and generator for one subject, or reads them from the workspace.

    Args:
        settings: of the training; channels are set by the images.
        subject: what is explained.
        config: names the augmentation.
        workspace: keeps the weights.
        start: another one, from whose weights the training starts.
    """
    data = subject.data
    settings = dataclasses.replace(settings, in_channels=data.validation.pixels.shape[-1])
    identity = [settings, subject.identity, data.train.images.identity, config.mirrored]
    identity += [] if start is None else [start.identity]
    folder = workspace.folder("explainer", identity)
    print(f"explainer of {data.names[subject.label]!r}: {settings.num_steps} steps in {folder}", flush=True)
    model = explainer_trainer.train(
        settings,
        subject.classifier,
        data.train.images.source,
        data.train.images.indices,
        {"image": data.validation.pixels[:_VALIDATED]},
        folder,
        start=None if start is None else start.generator,
        augment=augmentation(config),
    )
    return Explainer(model, identity)


def further_explainer(
    subject: Subject,
    config: Config,
    workspace: Workspace,
    *,
    weights: ProgressiveWeights | None = None,
    start: Explainer | None = None,
) -> Explainer:
    """An explainer of a chapter: trained as the first one, for as many steps as chapters may take.

    Args:
        subject, config, workspace, start: as in ``train_explainer``.
        weights: of the generator's loss, where they are others.
    """
    settings = dataclasses.replace(
        config.explainer,
        num_steps=config.chapter_steps or config.explainer.num_steps,
        weights=weights or config.explainer.weights,
    )
    return train_explainer(settings, subject, config, workspace, start=start)


def sweep(explainer: Explainer, subject: Subject, config: Config, workspace: Workspace, *, name: str = OURS) -> Sweeps:
    """The explanation of every query for every bin, kept in the workspace."""
    identity = [explainer.identity, subject.queries.identity]

    def compute() -> Arrays:
        explain = Partial(progressive, explainer.explain, subject.classifier)
        pixels = subject.queries.arrays["image"]
        return _arrays(map_examples(call, explain, pixels, batch_size=config.batch_size, progress="sweeps"))

    return Sweeps(
        name, Exaggeration(**workspace.cached("sweeps", identity, compute)), identity, explainer.explain.encode
    )


def xgem_sweep(subject: Subject, config: Config, workspace: Workspace) -> Sweeps:
    """The series of xGEM for every query; its autoencoder is trained, or read from the workspace."""
    data = subject.data
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
    identity = [coder_identity, subject.identity, config.xgem, subject.queries.identity]

    def compute() -> Arrays:
        search = config.xgem
        found = xgem_batch(
            generator_of(model),
            subject.classifier,
            subject.queries.arrays["image"],
            from_optax(optax.adam(search.learning_rate), num_steps=search.num_steps),
            weight=search.weight,
            until=search.until,
            num_bins=config.explainer.num_bins,
            batch_size=config.batch_size,
            progress="xGEM",
        )
        return _arrays(found.series)

    encode = Partial(_mean_latent, generator_of(model).encode)
    return Sweeps(XGEM, Exaggeration(**workspace.cached("xGEM", identity, compute)), identity, encode)


def seen_by(judge: Network, found: Sweeps, config: Config, workspace: Workspace) -> Float[np.ndarray, "n k labels"]:
    """What a classifier that the explainer was not trained against says of every image: the probability of each label."""

    def compute() -> Arrays:
        images = np.asarray(found.found.images)
        flat = images.reshape(-1, *images.shape[2:])
        values = judge.probabilities(flat, batch_size=config.batch_size * images.shape[1])
        return {"values": values.reshape(*images.shape[:2], -1)}

    return workspace.cached("judged", [judge.identity, found.identity], compute)["values"]


def _mean_latent(encode: Callable[..., Any], image: Float[jax.Array, "h w c"], bin: Int[jax.Array, ""]) -> jax.Array:
    del bin
    mean, _ = encode(image)
    return mean


def _arrays(found: Exaggeration) -> Arrays:
    return {name: np.asarray(values) for name, values in found._asdict().items()}


def spread(found: Sweeps) -> Float[np.ndarray, " n"]:
    """The mean magnitude of the difference between the two extremes of each query; about 0 where the bin has no effect."""
    images = np.asarray(found.found.images)
    return np.abs(images[:, -1] - images[:, 0]).mean((1, 2, 3))
