"""Training of a generator of masks (Dabkowski and Gal 2017, "Real time image saliency for black box
classifiers"; without a class selector, as Charachon et al. 2020 and 2021 use it).

The classifier is frozen, and so is the encoder, the network that classifies: only the decoder is
trained and stored. Its decisions, not the labels, are what a mask is to keep inside and to destroy
outside. Terms and settings are those of the authors' released script; deviations: one background
serves both sides of a mask, and a validation, always against the same backgrounds, can select the
weights.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import nnx
from jax import Array
from jax.sharding import Mesh
from jax.tree_util import Partial
from jaxtyping import Float, Int, PRNGKeyArray

from cfx_jax.callables import as_pytree
from cfx_jax.checks import check_choice, check_images, check_positive
from cfx_jax.errors import InputError
from cfx_jax.losses.mask_generator import (
    MaskGeneratorWeights,
    blend,
    mask_generator_terms,
    random_backgrounds,
)
from cfx_jax.models.generators.mask_generator import MaskGenerator
from cfx_jax.models.images.finding_classifier import FindingClassifier
from cfx_jax.objectives import Classifier, decision
from cfx_jax.parallel import data_mesh, map_examples
from cfx_jax.training import load_config
from trainers.decisions import decided_source
from trainers.identity import describe_classifier, describe_data, digest
from trainers.result import load_state
from trainers.running import Batch, Evaluate, State, Step, batches_of, check_batch_size, run

_TRAINER = "mask_generator"
_DECODER = nnx.All(nnx.Param, nnx.Not(nnx.PathContains("encoder")))
_EVALUATE_EVERY = 500


@dataclass(frozen=True)
class Config:
    """A generator of masks. Defaults: as released, for images of 224 pixels."""

    width: int = 32
    """Channels of the decoder at its finest maps, doubled at each coarser ones."""
    weights: MaskGeneratorWeights = field(default_factory=MaskGeneratorWeights)
    """The price of each term of the loss (released); the smoothness is a sum over pixels, so it
    grows with the image.
    """
    blurred: float = 0.5
    """Share of backgrounds that are the blurred image, the others being a colour with noise
    (released: 0.5).
    """
    blur_sigma: float = 11.0
    """Standard deviation of that blur, in pixels (released: 11 for 224 pixels)."""
    learning_rate: float = 1e-3
    """Of Adam (released: 1e-3)."""
    weight_decay: float = 1e-4
    """How much of the decoder's weights is added to their gradients (released: 1e-4)."""
    num_steps: int = 3000
    """Optimiser steps (released: 3000)."""
    batch_size: int = 64
    """Images of one step, over all devices (released: 64)."""
    balanced: bool = False
    """Whether a batch has as many images of each decision of the classifier, which then has two
    classes.
    """
    select: Literal["loss", "none"] = "loss"
    """Keep the weights of lowest validation loss, or none for the last ones."""
    evaluate_every: int = _EVALUATE_EVERY
    """Steps between evaluations on the validation set."""
    checkpoint_every: int = _EVALUATE_EVERY
    """Steps between checkpoints; at most so much is lost when the training is stopped."""
    log_every: int = 50
    """Steps between lines of metrics."""
    eval_batch_size: int = 64
    """Images of one batch of the evaluation; does not change its result."""
    seed: int = 0
    """Seed of the initial weights, of the order of images and of all random draws."""


def init(key: PRNGKeyArray, config: Config, encoder: nnx.Module) -> State:
    """The state before the first step.

    Args:
        key: draws the initial weights.
        config: width of the decoder, and the optimiser.
        encoder: the trained network that classifies, a ``ResNet`` or a ``FindingClassifier`` with
            one.

    Returns:
        The decoder's parameters and a fresh state of the optimiser; there are no other variables.

    Raises:
        InputError: another encoder, or numbers out of range.
    """
    decoder = _take_apart(key, config, encoder).decoder
    return State(decoder, {}, _make_optimiser(config).init(decoder))


def make_step(config: Config, classifier: Classifier, encoder: nnx.Module) -> Step:
    """One step of training.

    Args:
        config: the training.
        classifier: one image -> logits, frozen; its weights and the encoder's are arguments of the
            compiled step.
        encoder: as in ``init``.

    Returns:
        Pure ``step(state, key, batch) -> (state, metrics)``; a batch has ``image``
        ``(b, h, w, c)``. Metrics: ``loss``, its weighted terms ``destroyer``, ``preserver``,
        ``area`` and ``smoothness``, and those of ``answers``.

    Raises:
        InputError: as ``init``.
    """
    network, optimiser = _take_apart(jax.random.key(0), config, encoder), _make_optimiser(config)
    judge = _judge_of(config)
    graph = network._replace(decoder=None, frozen=None)  # the step holds no weights of its own

    def step(
        encoded: Any, frozen: Classifier, state: State, key: PRNGKeyArray, batch: Batch
    ) -> tuple[State, dict[str, Array]]:
        def loss_of(decoder: Any) -> tuple[Array, dict[str, Array]]:
            generator = graph._replace(frozen=encoded).with_decoder(decoder)
            metrics = judge.batch(generator, frozen, key, batch["image"])
            return metrics["loss"], metrics

        (_, metrics), gradients = jax.value_and_grad(loss_of, has_aux=True)(state.params)
        updates, opt_state = optimiser.update(gradients, state.opt_state, state.params)
        return State(optax.apply_updates(state.params, updates), state.rest, opt_state), metrics

    return Partial(step, network.frozen, as_pytree(classifier))


def answers(
    decided: Int[Array, " b"],
    masks: Float[Array, "b h w 1"],
    preserved_logits: Float[Array, "b k"],
    destroyed_logits: Float[Array, "b k"],
) -> dict[str, Array]:
    """What masks reach, as shares.

    Args:
        decided: the classifier's decision on each image.
        masks: in [0, 1], 1 where the image is kept.
        preserved_logits: the classifier's, of what is inside of the masks.
        destroyed_logits: of what is outside.

    Returns:
        ``preserved``, the share of decisions that stay inside; ``destroyed``, that of decisions
        that change outside; ``covered``, the mean of the masks.
    """
    return {
        "preserved": (decision(preserved_logits) == decided).mean(),
        "destroyed": (decision(destroyed_logits) != decided).mean(),
        "covered": masks.mean(),
    }


def make_evaluate(
    config: Config,
    classifier: Classifier,
    encoder: nnx.Module,
    validation: Mapping[str, np.ndarray],
    *,
    mesh: Mesh | None = None,
) -> Evaluate:
    """The validation of a state, each image always against the same background.

    Args:
        config: of the training.
        classifier: the frozen one.
        encoder: as in ``init``.
        validation: ``image`` ``(n, h, w, c)`` in [0, 1].
        mesh: devices to spread the images over.

    Returns:
        ``state -> metrics``, those of the step with ``validation_`` before their names, and
        ``validation_score``, the negative loss.

    Raises:
        InputError: as ``init``; images outside [0, 1].
    """
    images = np.asarray(validation["image"])
    check_images(images, name="validation images")
    examples = {"image": images, "key": jax.random.split(jax.random.key(config.seed), len(images))}
    network, frozen = _take_apart(jax.random.key(0), config, encoder), as_pytree(classifier)

    def evaluate(state: State) -> dict[str, float]:
        shared = (network.with_decoder(state.params), frozen)
        values = map_examples(
            _judge_of(config), shared, examples, batch_size=config.eval_batch_size, mesh=mesh
        )
        means = {f"validation_{name}": float(each.mean()) for name, each in values.items()}
        return means | {"validation_score": -means["validation_loss"]}

    return evaluate


def train(
    config: Config,
    classifier: Classifier,
    encoder: nnx.Module,
    source: Any,
    train_indices: Int[np.ndarray, " n"],
    validation: Mapping[str, np.ndarray],
    workdir: str | Path,
    *,
    augment: Callable[..., Any] | None = None,
    mesh: Mesh | None = None,
    progress: bool = True,
) -> MaskGenerator:
    """Trains a generator of masks, or goes on with a training that was stopped; a finished one is
    only read.

    Args:
        config: the training.
        classifier: one image -> logits, such as ``models.per_image(encoder)``; it is not changed.
        encoder: the trained network that classifies, a ``ResNet`` or a ``FindingClassifier`` with
            one; it is not changed.
        source: random-access data set whose items hold ``image``.
        train_indices: the items to train on.
        validation: ``image`` ``(m, h, w, c)`` in [0, 1].
        workdir: folder of this training.
        augment: ``(image, rng) -> image``, applied to training images.
        mesh: devices to train on; None for all.
        progress: shows a progress bar.

    Returns:
        The selected generator; ``models.per_image`` makes it a function of one image -> its mask
        (h, w, 1).

    Raises:
        InputError: as ``training.fit``; an unknown name; numbers out of range; another encoder;
            validation images that cannot be used; balanced batches for a classifier that decides on
            one class alone.
    """
    check_choice(config.select, ("loss", "none"), name="select")
    mesh = data_mesh() if mesh is None else mesh
    check_batch_size(config.batch_size, mesh)
    images = decided_source(
        classifier,
        source,
        train_indices,
        balanced=config.balanced,
        batch_size=config.eval_batch_size,
        mesh=mesh,
    )
    selected = run(
        _TRAINER,
        config,
        make_step(config, classifier, encoder),
        lambda key: init(key, config, encoder),
        batches_of(
            images,
            np.arange(len(images)),
            batch_size=config.batch_size,
            seed=config.seed,
            balanced=config.balanced,
            augment=augment,
        ),
        workdir,
        evaluate=make_evaluate(config, classifier, encoder, validation, mesh=mesh),
        select=None if config.select == "none" else "validation_score",
        data={
            **describe_data(source, train_indices, {"image": validation["image"]}, augment, None),
            "decisions": digest(images.labels),
            "classifier": describe_classifier(classifier, validation["image"]),
            "encoder": _describe(encoder),
        },
        mesh=mesh,
        progress=progress,
    )
    return _take_apart(jax.random.key(0), config, encoder).with_decoder(selected.params)


def load(workdir: str | Path, encoder: nnx.Module, *, unfinished: bool = False) -> MaskGenerator:
    """The selected generator of a training.

    Args:
        workdir: folder of the training.
        encoder: the network that the training was given; the folder holds the decoder alone.
        unfinished: accept the best generator so far of a training that was stopped.

    Returns:
        The generator.

    Raises:
        InputError: no such training, no readable checkpoint, another encoder, or a training that is
            not finished.
    """
    config, state = load_state(
        _TRAINER,
        Config,
        workdir,
        lambda key, config: init(key, config, encoder),
        unfinished=unfinished,
    )
    if load_config(workdir)["data"]["encoder"] != _describe(encoder):
        raise InputError(
            f"encoder: expected the network that the masks of {workdir} were trained with, got"
            f" another one"
        )
    return _take_apart(jax.random.key(0), config, encoder).with_decoder(state.params)


class _Network(NamedTuple):
    """A generator of masks taken apart into what is trained and what is not."""

    graphdef: Any
    decoder: Any
    frozen: Any

    def with_decoder(self, decoder: Any) -> MaskGenerator:
        return nnx.merge(self.graphdef, decoder, self.frozen, copy=True)


def _take_apart(key: PRNGKeyArray, config: Config, encoder: nnx.Module) -> _Network:
    model = MaskGenerator(_backbone(encoder), width=config.width, rngs=nnx.Rngs(key))
    return _Network(*nnx.split(model, _DECODER, ...))


def _backbone(encoder: nnx.Module) -> Any:
    return encoder.backbone if isinstance(encoder, FindingClassifier) else encoder


def _describe(encoder: nnx.Module) -> str:
    return digest(nnx.state(_backbone(encoder)))


def _make_optimiser(config: Config) -> optax.GradientTransformation:
    """Adam on the loss with the squares of the weights added, not the decoupled decay of AdamW."""
    check_positive(config.learning_rate, name="learning_rate")
    return optax.chain(
        optax.add_decayed_weights(config.weight_decay), optax.adam(config.learning_rate)
    )


@dataclass(frozen=True)
class _Judge:
    """Loss, terms and answers of one image, or of a batch; equal settings compile once."""

    weights: MaskGeneratorWeights
    blurred: float
    blur_sigma: float

    def __call__(
        self, shared: tuple[MaskGenerator, Classifier], example: Mapping[str, Array]
    ) -> dict[str, Array]:
        return self.batch(*shared, example["key"], example["image"][None])

    def batch(
        self,
        model: MaskGenerator,
        classifier: Classifier,
        key: PRNGKeyArray,
        images: Float[Array, "b h w c"],
    ) -> dict[str, Array]:
        masks = model(images)
        backgrounds = random_backgrounds(key, images, blurred=self.blurred, sigma=self.blur_sigma)
        logits, inside, outside = (
            jax.vmap(classifier)(each)
            for each in (
                images,
                blend(images, masks, backgrounds),
                blend(images, 1 - masks, backgrounds),
            )
        )
        decided = decision(logits)
        terms = mask_generator_terms(masks, decided, inside, outside, weights=self.weights)
        return {
            "loss": sum(terms.values(), jnp.zeros(())),
            **terms,
            **answers(decided, masks, inside, outside),
        }


def _judge_of(config: Config) -> _Judge:
    return _Judge(config.weights, config.blurred, config.blur_sigma)
