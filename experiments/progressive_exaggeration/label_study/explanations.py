"""The explanations of the test images, by the trained explainer and by xGEM.

xGEM searches in the latents of an autoencoder.
"""

import dataclasses
import math
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import jax
import numpy as np
import optax
from flax import nnx
from jax.tree_util import Partial
from jaxtyping import Bool, Float, Int

from cfx_jax.counterfactuals import Exaggeration, Exaggerator, progressive, xgem_batch
from cfx_jax.data import calibrated_sample, probability_bins
from cfx_jax.losses import ProgressiveWeights
from cfx_jax.metrics import decision_flips
from cfx_jax.models import exaggerator_of, generator_of
from cfx_jax.optimise import from_optax
from cfx_jax.parallel import apply_to_examples, progress_bar
from experiments.progressive_exaggeration.label_study.classifiers import (
    Network,
    Subject,
    first_of_either,
)
from experiments.progressive_exaggeration.setup import Setup
from experiments.shared import (
    Arrays,
    ImageSet,
    row_slices,
    run_training,
    store_parts,
    with_image_shape,
)
from trainers import count_steps, source_probabilities, vae, with_run
from trainers import progressive as explainer_trainer

OURS, XGEM = "progressive exaggeration", "xGEM"
_VALIDATED = 128  # images that an explainer draws for all bins in each of its validations


class Explainer(NamedTuple):
    """A trained explainer of one label.

    Attributes:
        generator: the generator, in evaluation mode.
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
        name: the name of the method.
        series: arrays with leading axis n; ``images`` (n, k, h, w, c) lie on disk and are read
            where they are used.
        identity: what the series depend on.
        encode: one image and its bin -> its latent in the method's own coder, a pytree.
    """

    name: str
    series: Exaggeration
    identity: object
    encode: Callable[..., Any]

    @property
    def decided(self) -> Bool[np.ndarray, " n"]:
        """Whether the classifier decides that each query has the label."""
        return np.asarray(self.series.probability) >= 0.5

    @property
    def opposite(self) -> Int[np.ndarray, " n"]:
        """The bin at the opposite extreme of each query's decision."""
        return np.where(self.decided, 0, self.series.images.shape[1] - 1)

    @property
    def crossed(self) -> Float[np.ndarray, " n"]:
        """1 where the decision turns over at the opposite extreme, else 0."""
        extreme = np.take_along_axis(
            np.asarray(self.series.probabilities), self.opposite[:, None], axis=1
        )[:, 0]
        return decision_flips(np.asarray(self.series.probability), extreme).astype(float)

    def drawn(
        self, bins: Int[np.ndarray, " n"]
    ) -> Iterator[tuple[slice, Float[np.ndarray, "m h w c"]]]:
        """Yields the image of each query for a bin of its own, and its rows, some at a time."""
        for rows in self.parts():
            yield (
                rows,
                np.asarray(self.series.images[rows])[np.arange(rows.stop - rows.start), bins[rows]],
            )

    def parts(self, first: int = 0) -> Iterator[slice]:
        """Rows of queries, from one on, whose series may be in memory at once."""
        images = self.series.images
        return row_slices(len(images), images[0].nbytes, first=first)

    def first(self, number: int) -> Int[np.ndarray, " m"]:
        """Positions of the first queries, half of either decision, which figures show."""
        return first_of_either(self.decided, number // 2)


def train_explainer(
    settings: explainer_trainer.Config,
    subject: Subject,
    *,
    start: Explainer | None = None,
    training: int = 0,
) -> Explainer:
    """Trains encoder and generator for one subject, or reads them from the workspace.

    Args:
        settings: the settings of the training; channels are set by the images.
        subject: the explained label.
        start: another one, from whose weights the training starts.
        training: how many others of the same settings there were before; added to the seed.
    """
    config, data, workspace = subject.setup
    settings = with_image_shape(settings, data.validation.images.shape)
    settings = with_run(settings, seed=settings.run.seed + training)
    images = training_images(subject, settings.num_bins)
    identity = [settings, subject.identity, images.identity, config.mirrored]
    identity += [] if start is None else [start.identity]
    model = run_training(
        f"explainer of {data.names[subject.label]!r}",
        explainer_trainer.TRAINER,
        settings,
        images.source,
        images.indices,
        {"image": data.validation.images.read(slice(_VALIDATED))},
        workspace.folder("explainer", identity),
        classifier=subject.classifier,
        start=None if start is None else start.generator,
        augment=subject.setup.augmentation,
    )
    return Explainer(model, identity)


def training_images(subject: Subject, num_bins: int) -> ImageSet:
    """The images that an explainer is trained on.

    They are all training images, or those on which the classifier is calibrated: as many of each
    bin as ``config.calibrated`` says.

    Args:
        subject: the explained label and its classifier, whose probabilities make the bins.
        num_bins: equal parts of the probability.

    Raises:
        InputError: as ``data.calibrated_sample``.
    """
    config, data, workspace = subject.setup
    train = data.train
    if not config.calibrated:
        return train.images

    def compute() -> Arrays:
        given = subject.classifier, train.images.source, train.images.indices
        return {"values": source_probabilities(*given, batch_size=config.batch_size)}

    depends = [subject.identity, train.images.identity]
    probabilities = workspace.cached("training probabilities", depends, compute)["values"]
    bins = probability_bins(probabilities, num_bins=num_bins)
    truth = train.labels[:, subject.label]
    chosen = calibrated_sample(
        bins, truth, per_bin=config.calibrated, seed=config.seed, num_bins=num_bins
    )
    return train.images.take(chosen)


def further_explainer(
    subject: Subject,
    *,
    weights: ProgressiveWeights | None = None,
    start: Explainer | None = None,
    training: int = 0,
) -> Explainer:
    """An explainer of a chapter: trained as the first one, for as many steps as chapters may take.

    Args:
        subject, start, training: as in ``train_explainer``.
        weights: the weights of the generator's loss, where they are others.
    """
    config, first = subject.setup.config, subject.setup.config.explainer
    settings = dataclasses.replace(first, weights=weights or first.weights)
    settings = with_run(settings, num_steps=config.chapter_steps or first.run.num_steps)
    return train_explainer(settings, subject, start=start, training=training)


def sweep(explainer: Explainer, subject: Subject) -> Sweeps:
    """The explanation of every query for every bin, kept in the workspace."""
    identity = [explainer.identity, subject.queries.identity]
    explain = Partial(progressive, explainer.explain, subject.classifier)

    def compute(pixels: Float[np.ndarray, "m h w c"]) -> Exaggeration:
        return apply_to_examples(explain, pixels, batch_size=subject.setup.config.batch_size)

    series = _kept("sweeps", identity, subject, compute)
    return Sweeps(OURS, series, identity, Partial(_maps, explainer.explain.encode))


def xgem_sweep(subject: Subject) -> Sweeps:
    """Trains the autoencoder of xGEM, or reads it, and gives the series of every query."""
    config, data, workspace = subject.setup
    settings = with_image_shape(config.vae, data.validation.images.shape)
    settings = count_steps(settings, num_images=len(data.train))
    coder_identity = [settings, data.train.images.identity, config.mirrored]
    model = run_training(
        "autoencoder of xGEM",
        vae.TRAINER,
        settings,
        data.train.images.source,
        data.train.images.indices,
        {"image": data.validation.pixels},
        workspace.folder("vae", coder_identity),
        augment=subject.setup.augmentation,
    )
    identity = [
        coder_identity,
        subject.identity,
        config.xgem,
        config.explainer.num_bins,
        subject.queries.identity,
    ]
    optimiser = from_optax(optax.adam(config.xgem.learning_rate), num_steps=config.xgem.num_steps)

    def compute(pixels: Float[np.ndarray, "m h w c"]) -> Exaggeration:
        return xgem_batch(
            generator_of(model),
            subject.classifier,
            pixels,
            optimiser,
            weight=config.xgem.weight,
            until=config.xgem.until,
            num_bins=config.explainer.num_bins,
            batch_size=config.batch_size,
        ).series

    series = _kept("xGEM", identity, subject, compute)
    return Sweeps(XGEM, series, identity, Partial(_mean_latent, generator_of(model).encode))


def _kept(
    stage: str,
    identity: object,
    subject: Subject,
    compute: Callable[[Float[np.ndarray, "m h w c"]], Exaggeration],
) -> Exaggeration:
    """The series of all queries, written a part at a time; only their images stay on disk."""
    queries, (config, _, workspace) = subject.queries, subject.setup
    row_bytes = 4 * config.explainer.num_bins * math.prod(queries.shape)

    def parts(first: int) -> Iterator[Arrays]:
        with progress_bar(len(queries) - first, stage) as bar:
            for rows in row_slices(
                len(queries), row_bytes, multiple=config.batch_size, first=first
            ):
                yield {
                    name: np.asarray(values)
                    for name, values in compute(queries.read(rows))._asdict().items()
                }
                bar.update(rows.stop - rows.start)

    arrays = store_parts(workspace, stage, identity, len(queries), parts)
    return Exaggeration(
        **{
            name: values if name == "images" else np.array(values)
            for name, values in arrays.items()
        }
    )


def seen_by(judge: Network, sweeps: Sweeps, setup: Setup) -> Float[np.ndarray, "n k labels"]:
    """The probabilities that another classifier gives all labels, for every image of every series.

    The explainer was not trained against that classifier.
    """

    def compute() -> Arrays:
        # A view of what lies on disk: batches are read one by one.
        images = np.asarray(sweeps.series.images)
        flat = images.reshape(-1, *images.shape[2:])
        values = judge.probabilities(flat, batch_size=setup.config.batch_size * images.shape[1])
        return {"values": values.reshape(*images.shape[:2], -1)}

    return setup.workspace.cached("judged", [judge.identity, sweeps.identity], compute)["values"]


def _maps(
    encode: Callable[..., Any], image: Float[jax.Array, "h w c"], bin: Int[jax.Array, ""]
) -> jax.Array:
    """The maps of a latent, which come first; a bending generator's has the image beside them."""
    maps: jax.Array = jax.tree.leaves(encode(image, bin))[0]
    return maps


def _mean_latent(
    encode: Callable[..., Any], image: Float[jax.Array, "h w c"], bin: Int[jax.Array, ""]
) -> jax.Array:
    del bin
    mean, _ = encode(image)
    return mean


def spread(sweeps: Sweeps) -> Float[np.ndarray, " n"]:
    """The mean magnitude of the difference between the two extremes of each query.

    It is about 0 where the bin has no effect.
    """
    return np.concatenate([part.mean((1, 2, 3)) for part in differences(sweeps)])


def differences(sweeps: Sweeps) -> Iterator[Float[np.ndarray, "m h w c"]]:
    """Yields the magnitude of the difference between the two extremes, some queries at a time."""
    for rows in sweeps.parts():
        images = sweeps.series.images[rows]
        yield np.abs(images[:, -1] - images[:, 0])
