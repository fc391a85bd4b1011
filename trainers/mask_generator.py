"""Training of a generator of masks (Dabkowski and Gal 2017, "Real time image saliency for black box
classifiers"; without a class selector, as Charachon et al. 2020 and 2021 use it).

For an image x that the frozen classifier f decides c, a mask m in [0, 1] and a background b::

    inside  = m x + (1 - m) b        f is still to decide c: the preserver
    outside = (1 - m) x + m b        f is no longer to decide c: the destroyer
    loss    = preserver + destroyer + area of m + smoothness of m    (losses.mask_generator)

    step(state, key, batch):
        b = blurred x, or a colour with noise, drawn for each image
        gradients = grad(loss)
        decoder = Adam(decoder, gradients)

The classifier is frozen, and so is the encoder, the network that classifies: only the decoder is
trained and stored. f's decisions, not the labels, are what a mask is to keep inside and to destroy
outside. Terms and settings come from the authors' released script; deviations: one background
serves both sides of a mask, and a validation, always against the same backgrounds, can select the
weights.

``train`` needs ``classifier``, one image -> logits, such as ``models.per_image(encoder)``, and
``encoder``, the trained network that classifies, a ``ResNet`` or a ``FindingClassifier`` with one;
``load`` needs the encoder too. They return the generator; ``models.per_image`` makes it a function
of one image -> its mask (h, w, 1).
"""

from dataclasses import dataclass, field
from functools import partial
from typing import Any, Literal, NamedTuple

import jax
import jax.numpy as jnp
import optax
from flax import nnx
from jax import Array
from jax.tree_util import Partial
from jaxtyping import Float, Int, PRNGKeyArray

from cfx_jax.checks import check_positive
from cfx_jax.losses import MaskGeneratorWeights, blend, mask_generator_terms, random_backgrounds
from cfx_jax.models import FindingClassifier, MaskGenerator, with_remat
from cfx_jax.objectives import Classifier, decision

from .shared import (
    Batch,
    Evaluate,
    Inputs,
    RunSettings,
    State,
    Step,
    Trainer,
    TrainingBatches,
    computed_as,
    decided_batches,
    descend,
    mean_gradients,
    mean_metrics,
    measure_validation,
    validation_images,
)

_DECODER = nnx.All(nnx.Param, nnx.Not(nnx.PathContains("encoder")))


@dataclass(frozen=True)
class Config:
    """A generator of masks. Defaults: as released, for images of 224 pixels."""

    width: int = 32
    """Channels of the decoder at its finest maps, doubled at each coarser ones."""
    weights: MaskGeneratorWeights = field(default_factory=MaskGeneratorWeights)
    """The price of each term of the loss (released); the smoothness is a sum over pixels, so it
    grows with the image."""
    blurred: float = 0.5
    """Share of backgrounds that are the blurred image, the others being a colour with noise
    (released: 0.5)."""
    blur_sigma: float = 11.0
    """Standard deviation of that blur, in pixels (released: 11 for 224 pixels)."""
    learning_rate: float = 1e-3
    """The learning rate of Adam (released: 1e-3)."""
    weight_decay: float = 1e-4
    """The share of the decoder's weights that is added to their gradients (released: 1e-4)."""
    balanced: bool = False
    """Whether a batch has as many images of each decision of the classifier, which then has two
    classes."""
    select: Literal["loss", "none"] = "loss"
    """Keep the weights of lowest validation loss, or none for the last ones."""
    run: RunSettings = field(
        default_factory=lambda: RunSettings(
            num_steps=3000,  # released
            batch_size=64,  # released
            evaluate_every=500,
            checkpoint_every=500,
            eval_batch_size=64,
        )
    )
    """How long the training runs."""


class SplitGenerator(NamedTuple):
    """A generator of masks taken apart into what is trained and what is not.

    Attributes:
        graphdef: the static part.
        decoder: the decoder's parameters, which are trained.
        frozen: all other variables, those of the encoder.
    """

    graphdef: Any
    decoder: Any
    frozen: Any

    def with_decoder(self, decoder: Any) -> MaskGenerator:
        """The generator with another decoder."""
        return nnx.merge(self.graphdef, decoder, self.frozen, copy=True)


def build(
    config: Config, encoder: nnx.Module, rngs: nnx.Rngs, *, remat: bool = False
) -> SplitGenerator:
    """The generator of a configuration over the layers of an encoder.

    Args:
        config, encoder, rngs: the configuration, the encoder and the random numbers of the
            training; both networks compute in the number type of its run.
        remat: whether blocks keep their input alone for the gradient.

    Raises:
        InputError: another encoder than a residual network, or numbers out of range.
    """
    backbone: Any = encoder.backbone if isinstance(encoder, FindingClassifier) else encoder
    make = partial(_make_generator, backbone, config.width)
    generator = computed_as(config.run, make, rngs)
    return SplitGenerator(*nnx.split(with_remat(generator) if remat else generator, _DECODER, ...))


def _make_generator(backbone: Any, width: int, rngs: nnx.Rngs) -> MaskGenerator:
    return MaskGenerator(backbone, width=width, rngs=rngs)


def make_batches(config: Config, inputs: Inputs) -> TrainingBatches:
    """Batches of ``image``, balanced by decisions where the configuration says so."""
    return decided_batches(config.run, inputs, balanced=config.balanced)


def init(key: PRNGKeyArray, config: Config, inputs: Inputs) -> State:
    """The state before the first step: the decoder's parameters, and no other variables.

    Raises:
        InputError: as ``build``.
    """
    decoder = build(config, inputs.encoder, nnx.Rngs(key)).decoder
    return State(decoder, {}, _make_optimiser(config).init(decoder))


def make_step(config: Config, inputs: Inputs) -> Step:
    """One step of training.

    Returns:
        Pure ``step(state, key, batch) -> (state, metrics)``; a batch has ``image`` ``(b, h, w,
        c)``. Metrics: ``loss``, its weighted terms ``destroyer``, ``preserver``, ``area`` and
        ``smoothness``, and the metrics of ``measure_answers``.

    Raises:
        InputError: as ``build``.
    """
    generator = _split(config, inputs, remat=config.run.remat)
    optimiser, measure = _make_optimiser(config), _MeasureMasks.of(config)
    graph = generator._replace(decoder=None, frozen=None)  # the step holds no weights of its own

    def step(
        encoded: Any, frozen: Classifier, state: State, key: PRNGKeyArray, batch: Batch
    ) -> tuple[State, dict[str, Array]]:
        def loss_of(decoder: Any, rest: Any, key: PRNGKeyArray, batch: Batch) -> Any:
            model = graph._replace(frozen=encoded).with_decoder(decoder)
            metrics = measure.batch(model, frozen, key, batch["image"])
            return metrics["loss"], (rest, metrics)

        gradients, _, metrics = mean_gradients(loss_of, state, key, batch, config.run, inputs.mesh)
        decoder, opt_state = descend(optimiser, state.params, state.opt_state, gradients)
        return State(decoder, state.rest, opt_state), metrics

    return Partial(step, generator.frozen, inputs.frozen_classifier)


def measure_answers(
    decided: Int[Array, " b"],
    masks: Float[Array, "b h w 1"],
    preserved_logits: Float[Array, "b k"],
    destroyed_logits: Float[Array, "b k"],
) -> dict[str, Array]:
    """Measures what masks reach, as shares.

    Args:
        decided: the classifier's decision on each image.
        masks: the masks, in [0, 1], 1 where the image is kept.
        preserved_logits: the classifier's logits of the images inside of the masks.
        destroyed_logits: the classifier's logits of the images outside of the masks.

    Returns:
        ``preserved``, the share of decisions that stay inside; ``destroyed``, the share of
        decisions that change outside; ``covered``, the mean of the masks.
    """
    return {
        "preserved": (decision(preserved_logits) == decided).mean(),
        "destroyed": (decision(destroyed_logits) != decided).mean(),
        "covered": masks.mean(),
    }


def make_evaluate(config: Config, inputs: Inputs) -> Evaluate:
    """The validation of a state on ``image`` ``(n, h, w, c)``, with a fixed background of each.

    Returns:
        ``state -> metrics``: the step's metrics with ``validation_`` before their names, and
        ``validation_score``, the negative loss.

    Raises:
        InputError: as ``build``; images outside [0, 1].
    """
    images = validation_images(inputs)
    keys = jax.random.split(jax.random.key(config.run.seed), len(images))
    generator, frozen = _split(config, inputs), inputs.frozen_classifier

    def evaluate(state: State) -> dict[str, float]:
        shared, examples = (generator.with_decoder(state.params), frozen), (keys, images)
        measure = _MeasureMasks.of(config)
        return mean_metrics(measure_validation(config.run, inputs, measure, shared, examples))

    return evaluate


def finish(config: Config, inputs: Inputs, state: State) -> MaskGenerator:
    """The trained generator of masks."""
    return _split(config, inputs).with_decoder(state.params)


TRAINER = Trainer(
    name="mask_generator",
    config=Config,
    selections={"loss": "validation_score", "none": None},
    make_batches=make_batches,
    init=init,
    make_step=make_step,
    make_evaluate=make_evaluate,
    finish=finish,
    needs=("classifier", "encoder"),
    takes=("augment",),
)


def _split(config: Config, inputs: Inputs, *, remat: bool = False) -> SplitGenerator:
    """The generator taken apart; its decoder's weights are not the trained ones."""
    return build(config, inputs.encoder, nnx.Rngs(jax.random.key(0)), remat=remat)


def _make_optimiser(config: Config) -> optax.GradientTransformation:
    """Adam on the loss with the squares of the weights added, not the decoupled decay of AdamW."""
    check_positive(config.learning_rate, name="learning_rate")
    return optax.chain(
        optax.add_decayed_weights(config.weight_decay), optax.adam(config.learning_rate)
    )


@dataclass(frozen=True)
class _MeasureMasks:
    """Loss, terms and answers of one image, or of a batch; equal settings compile once."""

    weights: MaskGeneratorWeights
    blurred: float
    blur_sigma: float

    @classmethod
    def of(cls, config: Config) -> "_MeasureMasks":
        return cls(config.weights, config.blurred, config.blur_sigma)

    def __call__(
        self, shared: tuple[MaskGenerator, Classifier], example: tuple[PRNGKeyArray, Array]
    ) -> dict[str, Array]:
        key, image = example
        return self.batch(*shared, key, image[None])

    def batch(
        self,
        model: MaskGenerator,
        classifier: Classifier,
        key: PRNGKeyArray,
        images: Float[Array, "b h w c"],
    ) -> dict[str, Array]:
        masks = model(images)  # (b, h, w, 1)
        backgrounds = random_backgrounds(key, images, blurred=self.blurred, sigma=self.blur_sigma)
        logits, inside, outside = (  # each (b, k)
            jax.vmap(classifier)(seen)
            for seen in (
                images,
                blend(images, masks, backgrounds),
                blend(images, 1 - masks, backgrounds),
            )
        )
        decided = decision(logits)
        terms = mask_generator_terms(masks, decided, inside, outside, weights=self.weights)
        answers = measure_answers(decided, masks, inside, outside)
        return {"loss": sum(terms.values(), jnp.zeros(())), **terms, **answers}
