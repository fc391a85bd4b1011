"""Training of the generators of a similar and an adversarial image (SAGen: Charachon et al. 2020,
"Combining Similarity and Adversarial Learning to Generate Visual Explanation", section IV-C).

For images x and a frozen classifier f, the generators make x_s, which is to be like x and decided
as x, and x_a, which is to be like x_s and decided otherwise (``losses.similar_adversarial`` has the
terms, with their weights)::

    loss = distances of x, x_s and x_a + classes of f(x_s) and f(x_a) + distance of the generators'
           weights + total variation of x_a - x_s

    step(state, batch):
        gradients = grad(loss)          # generators in training mode
        parameters = Adam(parameters, gradients)    # the rate falls while the mean loss does not

f's decisions, not the labels, are what the generators learn to keep and to turn over. The default
is Single AE2 (W,TV) with the filters that suit 224 pixels, which are ours; the naive formulation
(equations 1 and 2) has the adversarial generator alone, and the image itself stands for the similar
one. Pixels that a generator draws outside of [0, 1] are led back (``unit_clip_leading_back``).

``train`` needs ``classifier``, one image -> logits. It returns the generators in evaluation mode,
for ``models.generator_of`` and then ``counterfactuals.similar_adversarial``, or where naive
``counterfactuals.naive_adversarial``. A ``model`` of one's own is a module that gives the pair and
has the twins as ``similar`` and ``adversarial``, or where naive one that gives adversarial images.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import jax
import jax.numpy as jnp
import optax
import optax.contrib
from flax import nnx
from jax import Array
from jax.tree_util import Partial
from jaxtyping import Float, PRNGKeyArray

from cfx_jax.checks import InputError, check_choice, check_count
from cfx_jax.losses import (
    SimilarAdversarialWeights,
    naive_adversarial_terms,
    similar_adversarial_terms,
)
from cfx_jax.models import (
    AE2_HEAD,
    DuoAE,
    NormName,
    SingleAE,
    UNetGenerator,
    unit_clip_leading_back,
)
from cfx_jax.objectives import Classifier, decision

from .shared import (
    Batch,
    Evaluate,
    Inputs,
    PlateauSettings,
    RunSettings,
    State,
    Step,
    Trainer,
    TrainingBatches,
    check_plateau,
    decided_batches,
    evaluation_view,
    give_network,
    graph_of,
    mean_gradients,
    mean_metrics,
    measure_validation,
    random_start,
    training_view,
    validation_images,
    variables_of,
)

_GENERATORS: dict[str, Callable[..., nnx.Module]] = {
    "single": SingleAE,
    "duo": DuoAE,
    "naive": UNetGenerator,
}


@dataclass(frozen=True)
class Config:
    """A pair of generators. Defaults: Single AE2 (W,TV) of Charachon et al. 2020 at 224 pixels."""

    generator: Literal["single", "duo", "naive"] = "single"
    """One network with two heads, two networks, or one of the adversarial image alone, against the
    image itself."""
    in_channels: int = 1
    """Channels of the images; the generated ones have as many."""
    filters: tuple[int, ...] = (16, 32, 64, 128, 256)
    """Channels at each resolution (released for 28 pixels: 16, 32, 64)."""
    head_filters: tuple[int, ...] = AE2_HEAD
    """Channels of the 3x3 convolutions of each head (AE2: 32, 16; AE1: 32)."""
    norm: NormName = "affine"
    """A scale and a shift for each channel, or batch norm."""
    residual: bool = False
    """Whether generators add their output to the image instead of giving it as the image (ours; the
    paper's do not)."""
    weights: SimilarAdversarialWeights = field(default_factory=SimilarAdversarialWeights)
    """The price of each term of the loss (paper, table I)."""
    margin: float | None = None
    """None for two classes; a number above 0, in units of the logits, for the loss of several
    classes, which the naive formulation does not have."""
    proximity: Literal["norm", "mean_square"] = "norm"
    """How the weights of the two generators are compared (paper: the sum of the norms)."""
    optimiser: PlateauSettings = field(
        default_factory=lambda: PlateauSettings(
            learning_rate=1e-4,  # paper
            factor=1 / 3,  # paper: divided by 3
            patience=3,  # paper; epochs without a lower mean training loss
            smallest=1e-5,  # released code
        )
    )
    """Adam, and a learning rate that falls while the mean loss of an epoch (run.steps_per_epoch)
    is not lower than the lowest so far by one part in 10,000."""
    balanced: bool = False
    """Whether a batch has as many images of each decision of the classifier, which then has two
    classes."""
    select: Literal["loss", "none"] = "loss"
    """Keep the weights of lowest validation loss, or none for the last ones."""
    run: RunSettings = field(
        default_factory=lambda: RunSettings(
            epochs=70,  # paper
            batch_size=8,  # paper; Duo 4
            eval_batch_size=32,
        )
    )
    """How long the training runs."""


def build(config: Config, rngs: nnx.Rngs) -> nnx.Module:
    """The generators of a configuration."""
    return _GENERATORS[config.generator](**generator_options(config), rngs=rngs)


def generator_options(config: Config) -> dict[str, Any]:
    """The arguments of the class of a configuration's network, but for its random weights."""
    names = ("in_channels", "filters", "head_filters", "norm", "residual")
    return {name: getattr(config, name) for name in names}


def check(config: Config, inputs: Inputs) -> None:
    """Checks the kind of generator, the loss and the plateau.

    Raises:
        InputError: an unknown generator, a margin for the naive one, or numbers out of range.
    """
    del inputs
    check_choice(config.generator, tuple(_GENERATORS), name="generator")
    if config.generator == "naive" and config.margin is not None:
        raise InputError(
            "margin: expected None, since the naive loss is one of two classes: leave it out"
        )
    check_plateau(config.optimiser)


def make_batches(config: Config, inputs: Inputs) -> TrainingBatches:
    """Batches of ``image``, balanced by decisions where the configuration says so."""
    return decided_batches(config.run, inputs, balanced=config.balanced)


def make_optimiser(config: Config) -> optax.GradientTransformationExtraArgs:
    """Adam with Keras' epsilon; its update takes the loss as ``value``.

    Raises:
        InputError: a number out of its range; epochs of 0 steps, which ``count_steps`` counts out.
    """
    plateau, epoch = config.optimiser, config.run.steps_per_epoch
    check_plateau(plateau)
    check_count(epoch, name="steps_per_epoch")
    falling = optax.contrib.reduce_on_plateau(
        factor=plateau.factor,
        patience=plateau.patience,
        accumulation_size=epoch,
        min_scale=plateau.smallest / plateau.learning_rate,
    )
    return optax.chain(optax.adam(plateau.learning_rate, eps=1e-7), falling)


def make_step(config: Config, inputs: Inputs) -> Step:
    """One step of training.

    Returns:
        Pure ``step(state, key, batch) -> (state, metrics)``; a batch has ``image`` ``(b, h, w,
        c)``. Metrics: ``loss``, each of its weighted terms, and the metrics of ``measure_answers``.

    Raises:
        InputError: as ``check``; an unknown norm.
    """
    check(config, inputs)
    graphdef = graph_of(inputs.choose(build, config), remat=config.run.remat)
    optimiser = make_optimiser(config)

    def step(
        frozen: Classifier, state: State, key: PRNGKeyArray, batch: Batch
    ) -> tuple[State, dict[str, Array]]:
        def loss_of(params: Any, rest: Any, key: PRNGKeyArray, batch: Batch) -> Any:
            del key
            network = training_view(graphdef, params, rest)
            terms, answers = _measure(config, network, frozen, batch["image"])
            loss = sum(terms.values(), jnp.zeros(()))
            return loss, (variables_of(network)[1], {"loss": loss, **terms, **answers})

        gradients, rest, metrics = mean_gradients(
            loss_of, state, key, batch, config.run, inputs.mesh
        )
        # The plateau is one of the training loss, so the update is told it.
        updates, opt_state = optimiser.update(
            gradients, state.opt_state, state.params, value=metrics["loss"]
        )
        params = optax.apply_updates(state.params, updates)
        return State(params, rest, opt_state), metrics

    return Partial(step, inputs.frozen_classifier)


def measure_answers(
    logits: Float[Array, "b k"],
    similar_logits: Float[Array, "b k"],
    adversarial_logits: Float[Array, "b k"],
    adversarial: Float[Array, "b h w c"],
) -> dict[str, Array]:
    """Measures what the generated images reach, as shares.

    Args:
        logits: the classifier's, of the images.
        similar_logits: the classifier's logits of the similar images.
        adversarial_logits: the classifier's logits of the adversarial images.
        adversarial: the adversarial images, in [0, 1].

    Returns:
        ``kept``, the share of similar images with the image's decision; ``turned``, the share of
        adversarial images with another; ``saturated``, the share of their pixels at 0 or 1.
    """
    decided = decision(logits)
    return {
        "kept": (decision(similar_logits) == decided).mean(),
        "turned": (decision(adversarial_logits) != decided).mean(),
        "saturated": ((adversarial <= 0) | (adversarial >= 1)).mean(),
    }


def make_evaluate(config: Config, inputs: Inputs) -> Evaluate:
    """The validation of a state on ``image`` ``(n, h, w, c)``, with generators in evaluation mode.

    Returns:
        ``state -> metrics``: the step's metrics with ``validation_`` before their names, and
        ``validation_score``, the negative loss.

    Raises:
        InputError: images outside [0, 1].
    """
    images = validation_images(inputs)
    graphdef, frozen = graph_of(inputs.choose(build, config)), inputs.frozen_classifier

    def evaluate(state: State) -> dict[str, float]:
        shared = (evaluation_view(graphdef, state.params, state.rest), frozen)
        measure = _MeasureOne(config)
        return mean_metrics(measure_validation(config.run, inputs, measure, shared, images))

    return evaluate


TRAINER = Trainer(
    name="similar_adversarial",
    config=Config,
    selections={"loss": "validation_score", "none": None},
    check=check,
    make_batches=make_batches,
    init=random_start(build, make_optimiser),
    make_step=make_step,
    make_evaluate=make_evaluate,
    finish=give_network(build),
    needs=("classifier",),
    takes=("model", "augment"),
)


@dataclass(frozen=True)
class _MeasureOne:
    """Loss, terms and answers of one image; equal configurations compile once."""

    config: Config

    def __call__(
        self, shared: tuple[Any, Classifier], image: Float[Array, "h w c"]
    ) -> dict[str, Array]:
        terms, answers = _measure(self.config, *shared, image[None])
        return {"loss": sum(terms.values(), jnp.zeros(())), **terms, **answers}


def _measure(
    config: Config, network: Any, classifier: Classifier, images: Float[Array, "b h w c"]
) -> tuple[Mapping[str, Array], dict[str, Array]]:
    """The terms of the loss of some images, and their answers."""
    # A model of the caller's own may have no such limit.
    learning = nnx.with_attributes(network, limit=unit_clip_leading_back, raise_if_not_found=False)
    naive = config.generator == "naive"
    similar, adversarial = (images, learning(images)) if naive else learning(images)
    logits, similar_logits, adversarial_logits = (  # each (b, k)
        jax.vmap(classifier)(made) for made in (images, similar, adversarial)
    )
    answers = measure_answers(logits, similar_logits, adversarial_logits, adversarial)
    if naive:
        terms = naive_adversarial_terms(
            images, adversarial, logits, adversarial_logits, weights=config.weights
        )
        return terms, answers
    terms = similar_adversarial_terms(
        images,
        (similar, adversarial),
        logits,
        (similar_logits, adversarial_logits),
        (nnx.state(network.similar, nnx.Param), nnx.state(network.adversarial, nnx.Param)),
        weights=config.weights,
        margin=config.margin,
        proximity=config.proximity,
    )
    return terms, answers
