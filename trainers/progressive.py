"""Training of an explainer by progressive exaggeration (Singla et al. 2020, "Explanation by
Progressive Exaggeration", section 3, and the authors' code).

[0, 1] is cut in bins. The frozen classifier f gives an image x a probability of class 1, which lies
in bin s. From the latent E(x) the generator G draws x again, for a desired bin t. The discriminator
D tells how real an image of a bin is::

    x_t = G(E(x), t)          f(x_t) is to be the probability of bin t (compatibility)
    x_s = G(E(x), s)          is to be x (reconstruction)
    x_r = G(E(x_t), s)        is to be x again (cycle)

``losses.progressive`` has the terms. One step, with images and bins for each update of D::

    step(G, E, D, key, batch):
        for x, s, t in shares of batch: D = Adam(D, hinge loss of x with s and x_t with t)
        G, E = Adam(G, E, loss of the last x, s, t)

The bin of each training image is computed once, and the labels of the data play no part. All norms
of the generator use the statistics of the batch. Explanations use running averages instead, which
move once in a step, when x is encoded and x_t is drawn for the generator's update. The vectors of
spectral norm move once with each update of the discriminator, on its generated images.

Deviations:

- A validation can select the weights.
- A conditional encoder always takes the bin of x, so that one encoding serves all drawings (the
  released encoder takes t when it encodes x for x_t).

The paper and the code that its authors released differ; ``PAPER_FIXED`` is the paper, mended where
it contradicts itself, and ``CODE_HEAD`` is the code as far as a training goes. Batch statistics in
testing, the code's other difference, are a matter of how the network is called: see
``models.exaggerator_of``.

``train`` needs ``classifier``, one image -> two logits, such as ``models.per_image(model)`` or
``models.one_label`` of a network of several labels. It returns the selected generator, for
``models.exaggerator_of`` and then ``counterfactuals.progressive``. A ``start`` is a generator whose
parameters and batch statistics are taken, such as one that explains another classifier; the
discriminator starts at random.
"""

from dataclasses import dataclass, field
from typing import Any, Literal

import jax
import jax.numpy as jnp
import optax
from flax import nnx
from jax import Array
from jax.tree_util import Partial
from jaxtyping import Float, Int, PRNGKeyArray

from cfx_jax.backend import loop_body
from cfx_jax.checks import InputError, check_choice, check_count
from cfx_jax.counterfactuals import Exaggerator, progressive
from cfx_jax.losses import ProgressiveWeights, compatibility, desired_probability
from cfx_jax.losses.progressive import (
    Exaggerations,
    ReconstructionName,
    TargetName,
    discriminator_terms,
    generator_terms,
)
from cfx_jax.metrics import score_exaggerations
from cfx_jax.models import (
    BatchNormDiscriminator,
    BendingGenerator,
    ProgressiveGenerator,
    ProjectionDiscriminator,
    ProjectionName,
    exaggerator_of,
    warm_start,
)
from cfx_jax.objectives import Classifier

from .shared import (
    Batch,
    Evaluate,
    Inputs,
    RunSettings,
    State,
    Step,
    Trainer,
    TrainingBatches,
    binned_batches,
    decide_validation,
    descend,
    evaluation_view,
    first_state,
    graph_of,
    join_parts,
    measure_validation,
    trained_network,
    training_view,
    variables_of,
)


@dataclass(frozen=True)
class Config:
    """An explainer and a discriminator. Defaults: Singla et al. 2020, RGB images of 128 pixels."""

    in_channels: int = 3
    """Channels of the images."""
    num_bins: int = 10
    """Equal parts of the probability of class 1 (paper: 10)."""
    networks: Literal["released", "small"] = "released"
    """The paper's networks, or small ones for short trainings on a CPU (ours): a generator that
    bends and shades an image, and a discriminator with batch norm. Small networks use these
    options: ``filters``, the first at half the resolution; ``discriminator_filters``, the first at
    a quarter; ``momentum``, ``reach``, ``shade`` and ``symmetric``."""
    reach: float = 0.1
    """Largest displacement of a pixel by small networks, as a share of the image's height (ours).
    """
    shade: float = 0.6
    """Largest change of the log-odds of brightness by small networks (ours)."""
    symmetric: bool = False
    """Whether small networks change both sides of an image alike, as suits faces (ours)."""
    filters: tuple[int, ...] = (64, 128, 256, 512, 1024, 1024)
    """Channels of the generator's first convolution and after each halving (released)."""
    conditional_encoder: bool = False
    """Whether the encoder takes a bin too, the bin of x (paper: no; released code: yes, for x_t the
    desired one)."""
    stem_activation: bool = True
    """Whether the norm of the image is followed by a ReLU, as released, which takes away what is
    dark."""
    momentum: float = 0.9
    """Share that a running average of the generator's norms keeps in a step, in [0, 1) (ours;
    released: never used)."""
    discriminator_filters: tuple[int, ...] = (64, 128, 256, 512, 1024)
    """Channels of the discriminator after each halving (released)."""
    last_block: bool = False
    """Whether the discriminator has a further block without halving, the sixth (paper: no; released
    code: yes)."""
    projection: ProjectionName = "ordinal"
    """How the discriminator takes the bin: a direction for each step (paper), tied (released code),
    or none."""
    classifier_gradient: bool = True
    """Whether the generator is trained through the classifier (paper; the released code blocks this
    gradient)."""
    target: TargetName = "centre"
    """The probability that a bin asks for: its centre, or its lower edge (released code)."""
    reconstruction: ReconstructionName = "pixels"
    """The kind of reconstruction: of the image (paper), or of its latent after x_t (released
    code)."""
    weights: ProgressiveWeights = field(default_factory=ProgressiveWeights)
    """The price of each term of the generator's loss; the price of ``adversarial`` holds for the
    discriminator too."""
    critic_steps: int = 5
    """Updates of the discriminator in one step (released: 5)."""
    learning_rate: float = 2e-4
    """The learning rate of the Adam of either network (released: 2e-4)."""
    anneal: bool = False
    """Whether the rate falls to 0 over the training, along half a cosine (ours, for short
    trainings; released: constant)."""
    first_moment: float = 0.0
    """Decay rate of Adam's first moment, in [0, 1) (released: 0)."""
    second_moment: float = 0.9
    """Decay rate of Adam's second moment, in [0, 1) (released: 0.9)."""
    sampling: Literal["equal", "none"] = "equal"
    """As many images of each bin that has any, or images as they come, such as the images of
    ``data.calibrated_sample``."""
    select: Literal["score", "none"] = "none"
    """Keep the weights of highest ``validation_score``, or none for the last ones (released)."""
    run: RunSettings = field(
        default_factory=lambda: RunSettings(
            num_steps=20_000,  # updates of the generator; released: 100,000 of the discriminator
            batch_size=32,  # released; images of one update
            evaluate_every=1000,
            checkpoint_every=100,  # released: 500 updates of the discriminator
            eval_batch_size=8,  # each image is drawn for all bins
        )
    )
    """How long the training runs."""


PAPER_FIXED = Config()
"""The paper, with centres of bins as desired probabilities."""

CODE_HEAD = Config(
    conditional_encoder=True,
    projection="tied",
    last_block=True,
    classifier_gradient=False,
    target="edge",
    reconstruction="latent",
    weights=ProgressiveWeights(returned_class=1.0),
)
"""The code that the authors released last. One thing differs: the encoder that encodes x for x_t
takes the bin of x, in the released code the target bin.
"""


class Networks(nnx.Module):
    """The networks that are trained.

    Args:
        generator: has ``encode(images, bins)``, ``decode(latent, bins)`` and ``num_bins``.
        discriminator: ``(images, bins) -> logits (b,)``.
    """

    def __init__(self, generator: nnx.Module, discriminator: nnx.Module) -> None:
        self.generator, self.discriminator = generator, discriminator


def build(config: Config, rngs: nnx.Rngs) -> Networks:
    """The networks of a configuration."""
    make = BendingGenerator if config.networks == "small" else ProgressiveGenerator
    generator = make(**generator_options(config), rngs=rngs)
    return Networks(generator, _build_discriminator(config, rngs))


def generator_options(config: Config) -> dict[str, Any]:
    """The arguments of the generator's class, but for its random weights."""
    names = ("in_channels", "filters", "num_bins", "momentum")
    of_its_class = (
        ("reach", "shade", "symmetric")
        if config.networks == "small"
        else ("conditional_encoder", "stem_activation")
    )
    return {name: getattr(config, name) for name in (*names, *of_its_class)}


def _build_discriminator(config: Config, rngs: nnx.Rngs) -> nnx.Module:
    if config.networks == "small":
        return BatchNormDiscriminator(
            in_channels=config.in_channels,
            filters=config.discriminator_filters,
            num_bins=config.num_bins,
            rngs=rngs,
        )
    return ProjectionDiscriminator(
        in_channels=config.in_channels,
        filters=config.discriminator_filters,
        last_block=config.last_block,
        projection=config.projection,
        num_bins=config.num_bins,
        rngs=rngs,
    )


def check(config: Config, inputs: Inputs) -> None:
    """Checks the names and numbers of the configuration.

    Raises:
        InputError: an unknown name, or numbers out of range.
    """
    del inputs
    check_choice(config.networks, ("released", "small"), name="networks")
    check_choice(config.sampling, ("equal", "none"), name="sampling")
    check_choice(config.target, ("centre", "edge"), name="target")
    check_choice(config.reconstruction, ("pixels", "latent"), name="reconstruction")
    check_count(config.critic_steps, name="critic_steps")


def make_batches(config: Config, inputs: Inputs) -> TrainingBatches:
    """Batches of ``image`` and ``label``, its bin, enough for each update of the discriminator."""
    return binned_batches(
        config.run,
        inputs,
        num_bins=config.num_bins,
        balanced=config.sampling == "equal",
        batch_size=config.run.batch_size * config.critic_steps,
    )


def init(key: PRNGKeyArray, config: Config, inputs: Inputs) -> State:
    """The state before the first step: networks, and fresh states of the two Adams.

    Raises:
        InputError: numbers out of range; a start of other sizes, or with nothing in common.
    """
    networks: Any = inputs.choose(build, config)(nnx.Rngs(key))
    if inputs.start is not None:
        networks.generator = warm_start(networks.generator, inputs.start).model
    adam = make_optimiser(config)
    return first_state(networks, {"generator": adam, "discriminator": adam})


def make_optimiser(config: Config, *, updates: int = 1) -> optax.GradientTransformation:
    """The Adam of either network.

    Args:
        config: the training.
        updates: how often the network is updated in one step.

    Raises:
        InputError: a number out of its range.
    """
    moments = config.first_moment, config.second_moment
    if not (config.learning_rate > 0 and all(0 <= moment < 1 for moment in moments)):
        raise InputError(
            "optimiser: expected a learning_rate above 0 and moments in [0, 1), got"
            f" {config.learning_rate} and {moments}"
        )
    rate: optax.ScalarOrSchedule = config.learning_rate
    if config.anneal:
        steps = max(config.run.num_steps, 1) * updates
        rate = optax.cosine_decay_schedule(config.learning_rate, steps)
    return optax.adam(rate, b1=moments[0], b2=moments[1])


def make_step(config: Config, inputs: Inputs) -> Step:
    """One step of training.

    Returns:
        Pure ``step(state, key, batch) -> (state, metrics)``; a batch has ``image``
        ``(b critic_steps, h, w, c)`` and ``label``, the bin of each. Metrics: ``loss`` of the
        generator, each of its weighted terms, ``divergence`` in nats and ``error``, both of the
        classifier's probability of x_t from the desired one; and the discriminator's
        ``discriminator_real`` and ``discriminator_fake``, means over its updates.

    Raises:
        InputError: as ``check``.
    """
    check(config, inputs)
    graphdef = graph_of(inputs.choose(build, config), remat=config.run.remat)
    adam = make_optimiser(config)
    critic_adam = make_optimiser(config, updates=config.critic_steps)

    def step(
        frozen: Classifier, state: State, key: PRNGKeyArray, batch: Batch
    ) -> tuple[State, dict[str, Array]]:
        share_key, target_key = jax.random.split(key)
        # (critic_steps, b, h, w, c) and (critic_steps, b)
        images, sources = _split_batch(share_key, batch, config.critic_steps)
        targets = jax.random.randint(target_key, sources.shape, 0, config.num_bins)
        generator = state.params["generator"]

        def networks_of(generator: Any, discriminator: Any, rest: Any) -> Any:
            params = join_parts({"generator": generator, "discriminator": discriminator})
            return training_view(graphdef, params, rest)

        def draw(generator: Any, index: int) -> tuple[tuple[Array, Array], Any]:
            networks = networks_of(generator, state.params["discriminator"], state.rest)
            drawn = _exaggerate(networks.generator, images[index], sources[index], targets[index])
            return drawn, variables_of(networks)[1]

        # The discriminator's last images are the generator's, drawn once for both; only then are
        # running averages kept.
        last, pull_back, averages = jax.vjp(
            lambda generator: draw(generator, -1), generator, has_aux=True
        )
        fakes = jnp.stack(
            [*(draw(generator, index)[0][1] for index in range(len(images) - 1)), last[1]]
        )

        def discriminator_loss(
            discriminator: Any, rest: Any, given: tuple[Array, Array, Array, Array]
        ) -> Any:
            networks = networks_of(generator, discriminator, rest)
            terms = _discriminate(config, networks.discriminator, *given)
            return sum(terms.values(), jnp.zeros(())), (variables_of(networks)[1], terms)

        def update_discriminator(
            carry: tuple[Any, Any, Any], given: tuple[Array, Array, Array, Array]
        ) -> Any:
            discriminator, moments, rest = carry
            gradients, (rest, terms) = jax.grad(discriminator_loss, has_aux=True)(
                discriminator, rest, given
            )
            return (*descend(critic_adam, discriminator, moments, gradients), rest), terms

        moments = dict(state.opt_state)
        (discriminator, moments["discriminator"], rest), terms = jax.lax.scan(
            loop_body(update_discriminator),
            (state.params["discriminator"], moments["discriminator"], averages),
            (fakes, images, sources, targets),
        )

        def generator_loss(
            generator: Any, drawn: tuple[Array, Array]
        ) -> tuple[Array, dict[str, Array]]:
            networks = networks_of(generator, discriminator, rest)
            metrics = _measure(
                config, networks, frozen, drawn, images[-1], sources[-1], targets[-1]
            )
            return metrics["loss"], metrics

        (direct, through_drawn), metrics = jax.grad(generator_loss, argnums=(0, 1), has_aux=True)(
            generator, last
        )
        gradients = jax.tree.map(jnp.add, direct, *pull_back(through_drawn))
        generator, moments["generator"] = descend(adam, generator, moments["generator"], gradients)
        metrics |= {f"discriminator_{name}": values.mean() for name, values in terms.items()}
        params = join_parts({"generator": generator, "discriminator": discriminator})
        return State(params, rest, moments), metrics

    return Partial(step, inputs.frozen_classifier)


def make_evaluate(config: Config, inputs: Inputs) -> Evaluate:
    """The validation of a state, by the explanations of each ``image`` for all bins.

    Returns:
        ``state -> metrics``: the metrics of ``score_exaggerations`` with ``validation_`` before
        their names.

    Raises:
        InputError: images outside [0, 1], another number of classes, or all images of one decision.
    """
    images, decisions = decide_validation(config.run, inputs)
    graphdef, frozen = graph_of(inputs.choose(build, config)), inputs.frozen_classifier

    def evaluate(state: State) -> dict[str, float]:
        networks: Any = evaluation_view(graphdef, state.params, state.rest)
        shared = exaggerator_of(networks.generator), frozen
        explained = measure_validation(config.run, inputs, _explain, shared, images)
        scores = score_exaggerations(explained, decisions)
        return {f"validation_{name}": value for name, value in scores.items()}

    return evaluate


def finish(config: Config, inputs: Inputs, state: State) -> nnx.Module:
    """The generator in evaluation mode."""
    return trained_network(inputs.choose(build, config), state).generator


TRAINER = Trainer(
    name="progressive",
    config=Config,
    selections={"score": "validation_score", "none": None},
    check=check,
    make_batches=make_batches,
    init=init,
    make_step=make_step,
    make_evaluate=make_evaluate,
    finish=finish,
    needs=("classifier",),
    takes=("model", "start", "augment"),
    accumulates=False,
)


def _explain(
    shared: tuple[Exaggerator, Classifier], image: Float[Array, "h w c"]
) -> dict[str, Any]:
    """Explains one image, and measures what ``score_exaggerations`` needs."""
    explained = progressive(*shared, image)
    squared = jnp.square(explained.images[explained.source_bin] - image).mean()
    return {
        "probability": explained.probability,
        "desired": explained.desired,
        "achieved": explained.probabilities,
        "psnr": -10 * jnp.log10(squared),
        "spread": jnp.abs(explained.images[-1] - explained.images[0]).mean(),
    }


def _split_batch(
    key: PRNGKeyArray, batch: Batch, number: int
) -> tuple[Float[Array, "number b h w c"], Int[Array, "number b"]]:
    """Images and their bins as batches, one for each update.

    Every ``number`` images in a row are dealt out at random, one to each batch. So each device
    keeps its own, and no batch always has the same bins where the source alternates between them.
    """
    rows = len(batch["label"]) // number
    order = jnp.broadcast_to(jnp.arange(number), (rows, number))
    order = jax.random.permutation(key, order, axis=1, independent=True)

    def share(values: Array) -> Array:
        dealt = jax.vmap(lambda row, places: row[places])(
            values.reshape(rows, number, *values.shape[1:]), order
        )
        return jnp.moveaxis(dealt, 1, 0)

    return share(batch["image"]), share(batch["label"])


def _exaggerate(
    generator: Any,
    images: Float[Array, "b h w c"],
    sources: Int[Array, " b"],
    targets: Int[Array, " b"],
) -> tuple[Array, Float[Array, "b h w c"]]:
    """The latent of images, and x_t."""
    latent = generator.encode(images, sources)
    return latent, generator.decode(latent, targets)


def _discriminate(
    config: Config,
    discriminator: Any,
    fake: Float[Array, "b h w c"],
    images: Float[Array, "b h w c"],
    sources: Int[Array, " b"],
    targets: Int[Array, " b"],
) -> dict[str, Array]:
    """The discriminator's weighted terms; generated images move the vectors of spectral norm."""
    moving = nnx.view(discriminator, update_spectral=True, raise_if_not_found=False)
    # Real images first, so that both find the same vectors, and so the same kernels.
    real_logits = discriminator(images, sources)
    terms = discriminator_terms(real_logits, moving(fake, targets))
    return {name: config.weights.adversarial * term for name, term in terms.items()}


def _measure(
    config: Config,
    networks: Any,
    classifier: Classifier,
    exaggerated: tuple[Array, Float[Array, "b h w c"]],
    images: Float[Array, "b h w c"],
    sources: Int[Array, " b"],
    targets: Int[Array, " b"],
) -> dict[str, Array]:
    """Loss of the generator, its terms, and how far the classifier is from where it is to be."""
    generator, (latent, drawn) = networks.generator, exaggerated
    back = generator.encode(drawn, sources)
    made = Exaggerations(
        drawn, generator.decode(latent, sources), generator.decode(back, sources), (latent, back)
    )
    of_images, of_drawn, of_returned = (
        _logits(config, classifier, x) for x in (images, drawn, made.returned)
    )
    desired = desired_probability(targets, config.num_bins, target=config.target)
    terms = generator_terms(
        images,
        made,
        networks.discriminator(drawn, targets),
        (of_images, of_drawn, of_returned),
        desired,
        reconstruction=config.reconstruction,
        weights=config.weights,
    )
    loss = sum(terms.values(), jnp.zeros(()))
    answers = {
        "divergence": compatibility(of_drawn, desired).divergence,
        "error": jnp.abs(jax.nn.softmax(of_drawn)[:, 1] - desired).mean(),
    }
    return {"loss": loss, **terms, **answers}


def _logits(
    config: Config, classifier: Classifier, images: Float[Array, "b h w c"]
) -> Float[Array, "b 2"]:
    logits = jax.vmap(classifier)(images)
    return logits if config.classifier_gradient else jax.lax.stop_gradient(logits)
