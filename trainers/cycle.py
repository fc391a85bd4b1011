"""Training of the generators of SyCE and CyCE (Charachon et al. 2021, "Leveraging Conditional
Generative Models in a General Explanation Framework of Classifier Decisions"; as released).

There are two generators: g_c turns over images that the frozen classifier f decides c. Of an image
x decided c they make the adversary x_a and the image that comes back to x::

    x_a  = g_c(x)             decided 1 - c
    x_s  = g_c(x_a)           SyCE: like x, decided c
    x_cy = g_{1-c}(x_a)       CyCE: x again

and two discriminators: D_c tells images decided c from adversaries that are to be decided c.
``losses.cycle`` has the terms. One step, with groups x_0 and x_1 of as many images of either
decision::

    step(g, D, x_0, x_1, rate):
        for groups in ((0,), (1,)) if separated else ((0, 1),):
            g = Adam(g, rate, sum of generator losses of these groups, with D as it is)
        D_c = Adam(D_c, rate, real x_c, fake x_a made of x_{1-c} above) for both c

All networks are in evaluation mode. The decisions, not the labels, group the images, once, before
the first step. The rate falls while the validation loss does not.

Deviations:

- The smaller group is extended by random duplicates, where the released code stops an epoch at its
  end.
- The training does not end early where the learning rate has reached its smallest.
- Images are not rescaled to their own range.
- Pixels that a generator draws outside of [0, 1] are led back (``unit_clip_leading_back``).

``train`` needs ``classifier``, one image -> two logits, and returns g_0 and g_1;
``tuple(map(models.generator_of, ...))`` makes them generators of one image.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Literal, NamedTuple

import jax
import jax.numpy as jnp
import optax
from flax import nnx
from jax import Array
from jax.tree_util import Partial
from jaxtyping import Float, PRNGKeyArray

from cfx_jax.checks import InputError, check_choice
from cfx_jax.losses import CYCE, SYCE, CycleWeights, cycle_terms, discriminator_terms
from cfx_jax.models import PUBLISHED_FILTERS, Discriminator, UNetGenerator, unit_clip_leading_back
from cfx_jax.objectives import Classifier, decision

from .shared import (
    Batch,
    Evaluate,
    Inputs,
    Plateau,
    PlateauSettings,
    RatedBatches,
    RunSettings,
    State,
    Step,
    Trainer,
    TrainingBatches,
    check_plateau,
    decide_validation,
    decided_batches,
    evaluation_view,
    first_state,
    graph_of,
    join_parts,
    measure_validation,
    trained_network,
)

_TURNS: dict[str, tuple[tuple[int, ...], ...]] = {"separated": ((0,), (1,)), "together": ((0, 1),)}
"""The updates of the generators in one step: for each, the decisions whose images it uses."""

_LEAST_ERROR = 1e-10
"""The mean square that the peak signal-to-noise ratio of equal images is computed with: 100 dB."""


@dataclass(frozen=True)
class Config:
    """Two generators and two discriminators. Defaults: SyCE as released for 28 pixels.

    ``CYCE_CONFIG`` is CyCE.
    """

    method: Literal["syce", "cyce"] = "syce"
    """The two images of an explanation: x_a and x_s, or x_a and the image itself."""
    size: tuple[int, int] = (28, 28)
    """Height and width of the images, in pixels."""
    in_channels: int = 1
    """Channels of the images; the generated ones have as many."""
    filters: tuple[int, ...] = PUBLISHED_FILTERS
    """Channels of the generators at each resolution (released: 16, 32, 64; a start for 224 pixels:
    16, ..., 256)."""
    residual: bool = False
    """Whether generators add their output to the image instead of giving it as the image (ours;
    released: no)."""
    discriminator_filters: tuple[int, ...] = (32, 64, 96)
    """Channels of the discriminators (released: 32, 64, 96; a start for 224 pixels: 32, ..., 512).
    """
    weights: CycleWeights = SYCE
    """The price of each term of the generators' loss (released: SYCE or CYCE)."""
    penalty: float = 1.0
    """Weight of the discriminators' gradient penalty (released: 1)."""
    update: Literal["separated", "together"] = "separated"
    """One step of both generators for the images of each decision in turn, or one for all
    (released: separated for SyCE, together for CyCE)."""
    optimiser: PlateauSettings = field(
        default_factory=lambda: PlateauSettings(
            learning_rate=1e-4,  # released code
            factor=0.3,  # released code
            patience=4,  # released code: 4 epochs; here validations
            smallest=1e-5,  # released code
        )
    )
    """Learning rate of the Adams of generators and discriminators."""
    select: Literal["loss", "answers", "none"] = "loss"
    """loss: keep the weights of lowest validation loss. answers: keep those whose lowest share, of
    turned or of kept decisions, is highest; no discriminator has a part in it (ours). none: keep
    the last ones."""
    run: RunSettings = field(
        default_factory=lambda: RunSettings(
            epochs=60,  # released; over the images of the rarer decision
            batch_size=64,  # released; images of each decision
            eval_batch_size=64,
        )
    )
    """How long the training runs."""


CYCE_CONFIG = Config(method="cyce", weights=CYCE, update="together")


class Networks(nnx.Module):
    """The trained networks: each list has the network of class 0 and the network of class 1.

    Args:
        generators: g_0 and g_1; g_c turns over what is decided c.
        discriminators: D_0 and D_1; D_c recognises images decided c.
    """

    def __init__(self, generators: list[nnx.Module], discriminators: list[nnx.Module]) -> None:
        self.generators, self.discriminators = nnx.List(generators), nnx.List(discriminators)


def build(config: Config, rngs: nnx.Rngs) -> Networks:
    """The networks of a configuration."""
    make_generator = partial(UNetGenerator, **generator_options(config), rngs=rngs)
    make_discriminator = partial(
        Discriminator,
        size=config.size,
        in_channels=config.in_channels,
        filters=config.discriminator_filters,
        rngs=rngs,
    )
    return Networks([make_generator() for _ in range(2)], [make_discriminator() for _ in range(2)])


def generator_options(config: Config) -> dict[str, Any]:
    """The arguments of a generator's class, but for its random weights."""
    return {name: getattr(config, name) for name in ("in_channels", "filters", "residual")}


def check(config: Config, inputs: Inputs) -> None:
    """Checks the method, the update, the plateau and the weights of the loss.

    Raises:
        InputError: an unknown method or update, weights of the other method, numbers out of range.
    """
    del inputs
    check_choice(config.method, ("syce", "cyce"), name="method")
    check_choice(config.update, tuple(_TURNS), name="update")
    check_plateau(config.optimiser)
    if not config.penalty >= 0:
        raise InputError(f"penalty: expected a weight of at least 0, got {config.penalty}")
    if (config.method == "syce") != (config.weights.symmetric > 0):
        wanted = {
            "syce": "a weight of `symmetric` above 0, as SYCE has",
            "cyce": "none of `symmetric`, as CYCE has",
        }
        raise InputError(
            f"weights: expected {wanted[config.method]}, for method {config.method!r}, got"
            f" {config.weights}"
        )


def make_batches(config: Config, inputs: Inputs) -> TrainingBatches:
    """Batches of ``image`` decided 0, 1, 0, 1 ..., and ``learning_rate``, one value."""
    size = 2 * config.run.batch_size
    decided = decided_batches(
        config.run, inputs, balanced=True, batch_size=size, epoch_of_rarer=True
    )
    rated = RatedBatches(decided.batches, Plateau(config.optimiser))
    return decided._replace(batches=rated, observe=rated.observe)


def init(key: PRNGKeyArray, config: Config, inputs: Inputs) -> State:
    """The state before the first step: networks, and fresh states of the two Adams.

    Raises:
        InputError: numbers of filters out of range.
    """
    networks = inputs.choose(build, config)(nnx.Rngs(key))
    return first_state(networks, {part: _adam() for part in ("generators", "discriminators")})


def make_step(config: Config, inputs: Inputs) -> Step:
    """One step of training.

    Returns:
        Pure ``step(state, key, batch) -> (state, metrics)``; a batch has ``image``
        ``(2 b, h, w, c)``, decided 0, 1, 0, 1 ..., and ``learning_rate`` ``(2 b,)``, one value.
        Metrics, means over the two decisions: ``loss`` of the generators, each of its weighted
        terms, ``turned``, ``kept``, ``psnr`` and ``saturated`` (see ``measure_answers``), and the
        discriminators' ``discriminator_real``, ``discriminator_fake`` and
        ``discriminator_penalty``.

    Raises:
        InputError: as ``check``.
    """
    check(config, inputs)
    graphdef = graph_of(inputs.choose(build, config), remat=config.run.remat)

    def step(
        frozen: Classifier, state: State, key: PRNGKeyArray, batch: Batch
    ) -> tuple[State, dict[str, Array]]:
        # (2 b, h, w, c) -> two groups (b, h, w, c); of each device's share both have as many.
        groups, rate = (batch["image"][0::2], batch["image"][1::2]), batch["learning_rate"][0]
        parts = {name: state.params[name] for name in state.opt_state}
        moments = dict(state.opt_state)

        def update(part: str, loss: Callable[[Any], tuple[Array, Any]]) -> Any:
            """Updates one part by Adam; gives what its loss reports beside its value."""

            def loss_of(params: Any) -> tuple[Array, Any]:
                return loss(_view(graphdef, {**parts, part: params}, state.rest))

            (_, report), gradients = jax.value_and_grad(loss_of, has_aux=True)(parts[part])
            parts[part], moments[part] = _descend(parts[part], moments[part], gradients, rate)
            return report

        answers: list[_Answers] = []  # of the images decided 0, then 1
        for decisions in _TURNS[config.update]:
            loss = partial(_generator_loss, config, frozen, decisions, groups)
            answers += update("generators", loss)
        verdicts = update(
            "discriminators", partial(_discriminator_loss, config, key, groups, answers)
        )
        metrics = _average([answer.metrics for answer in answers])
        metrics |= {f"discriminator_{name}": value for name, value in verdicts.items()}
        return State(join_parts(parts), state.rest, moments), metrics

    return Partial(step, inputs.frozen_classifier)


def measure_answers(
    decided: int,
    images: Float[Array, "b h w c"],
    adversarial: tuple[Float[Array, "b h w c"], Float[Array, "b 2"]],
    returned: tuple[Float[Array, "b h w c"], Float[Array, "b 2"]],
) -> dict[str, Array]:
    """Measures what the generated images of one decision reach.

    Args:
        decided: the decision, 0 or 1.
        images: the images, values in [0, 1].
        adversarial: x_a and the classifier's logits of it.
        returned: the image that the training brings back to x, x_s in SyCE and x_cy in CyCE, and
            its logits.

    Returns:
        A dict of means over the images:

        - ``turned``, the share of adversaries with the other decision;
        - ``kept``, the share of returned images with the image's own decision;
        - ``psnr``, the mean peak signal-to-noise ratio of returned images in dB, at most 100;
        - ``saturated``, the share of the adversaries' values at 0 or 1.
    """
    error = jnp.square(images - returned[0]).mean(axis=(1, 2, 3))  # (b,)
    return {
        "turned": (decision(adversarial[1]) != decided).mean(),
        "kept": (decision(returned[1]) == decided).mean(),
        "psnr": -10 * jnp.log10(jnp.maximum(error, _LEAST_ERROR)).mean(),
        "saturated": ((adversarial[0] <= 0) | (adversarial[0] >= 1)).mean(),
    }


def make_evaluate(config: Config, inputs: Inputs) -> Evaluate:
    """The validation of a state on ``image`` ``(n, h, w, c)``.

    Returns:
        ``state -> metrics``, the generators' of the step with ``validation_`` before their names,
        each a mean over the two decisions; ``validation_score``, the negative loss; and
        ``validation_answers``, the lowest of the shares ``turned`` and ``kept`` of either decision.

    Raises:
        InputError: images outside [0, 1], or all of one decision.
    """
    images, decisions = decide_validation(config.run, inputs)
    graphdef, frozen = graph_of(inputs.choose(build, config)), inputs.frozen_classifier
    groups = [(_MeasureOne(config, c), images[decisions == c]) for c in (0, 1)]

    def evaluate(state: State) -> dict[str, float]:
        shared = (evaluation_view(graphdef, state.params, state.rest), frozen)
        values = [
            measure_validation(config.run, inputs, measure, shared, group)
            for measure, group in groups
        ]
        both = [{name: float(of.mean()) for name, of in group.items()} for group in values]
        means = {f"validation_{name}": value for name, value in _average(both).items()}
        lowest = min(group[name] for group in both for name in ("turned", "kept"))
        return means | {"validation_score": -means["validation_loss"], "validation_answers": lowest}

    return evaluate


def finish(config: Config, inputs: Inputs, state: State) -> tuple[nnx.Module, nnx.Module]:
    """The trained generators, g_0 and g_1."""
    networks = trained_network(inputs.choose(build, config), state)
    return networks.generators[0], networks.generators[1]


TRAINER = Trainer(
    name="cycle",
    config=Config,
    selections={"loss": "validation_score", "answers": "validation_answers", "none": None},
    check=check,
    make_batches=make_batches,
    init=init,
    make_step=make_step,
    make_evaluate=make_evaluate,
    finish=finish,
    needs=("classifier",),
    takes=("model", "augment"),
    accumulates=False,
)


class _Answers(NamedTuple):
    """The generators' loss, its terms and what they reach on images of one decision; their x_a."""

    metrics: dict[str, Array]
    adversarial: Float[Array, "b h w c"]


def _generator_loss(
    config: Config,
    frozen: Classifier,
    decisions: tuple[int, ...],
    groups: tuple[Float[Array, "b h w c"], Float[Array, "b h w c"]],
    networks: Any,
) -> tuple[Array, list[_Answers]]:
    """The loss of the generators for the images of these decisions, and the answers of each."""
    answers = [_answers(config, networks, frozen, c, groups[c]) for c in decisions]
    return sum((answer.metrics["loss"] for answer in answers), jnp.zeros(())), answers


def _answers(
    config: Config,
    networks: Any,
    classifier: Classifier,
    decided: int,
    images: Float[Array, "b h w c"],
) -> _Answers:
    turn, turn_back = networks.generators[decided], networks.generators[1 - decided]
    adversarial = turn(images)
    generated = adversarial, turn(adversarial), turn_back(adversarial)  # x_a, x_s, x_cy
    adversarial_logits, similar_logits, cycled_logits = (
        jax.vmap(classifier)(drawn)
        for drawn in generated  # each (b, 2)
    )
    terms = cycle_terms(
        images,
        generated,
        jnp.full(len(images), decided),
        (adversarial_logits, similar_logits, cycled_logits),
        networks.discriminators[1 - decided](adversarial),
        weights=config.weights,
    )
    _, similar, cycled = generated
    returned = (similar, similar_logits) if config.method == "syce" else (cycled, cycled_logits)
    reached = measure_answers(decided, images, (adversarial, adversarial_logits), returned)
    return _Answers({"loss": sum(terms.values(), jnp.zeros(())), **terms, **reached}, adversarial)


def _discriminator_loss(
    config: Config,
    key: PRNGKeyArray,
    groups: tuple[Float[Array, "b h w c"], Float[Array, "b h w c"]],
    answers: list[_Answers],
    networks: Any,
) -> tuple[Array, dict[str, Array]]:
    """The loss of both discriminators, and its terms, means over the two."""
    # Real for D_c are the images decided c, fake are the adversaries of the others.
    fakes = answers[1].adversarial, answers[0].adversarial
    terms = [
        discriminator_terms(
            group_key, partial(_realness, discriminator), real, fake, penalty=config.penalty
        )
        for group_key, discriminator, real, fake in zip(
            jax.random.split(key), networks.discriminators, groups, fakes, strict=True
        )
    ]
    means = _average(terms)
    return 2 * sum(means.values(), jnp.zeros(())), means


@dataclass(frozen=True)
class _MeasureOne:
    """Loss, terms and answers of one image of a decision; equal configurations compile once."""

    config: Config
    decided: int

    def __call__(
        self, shared: tuple[Any, Classifier], image: Float[Array, "h w c"]
    ) -> dict[str, Array]:
        return _answers(self.config, *shared, self.decided, image[None]).metrics


def _view(graphdef: Any, parts: Mapping[str, Any], rest: Any) -> Any:
    """The networks for a step: in evaluation mode, as released, clipped pixels led back."""
    networks = evaluation_view(graphdef, join_parts(parts), rest)
    return nnx.with_attributes(networks, limit=unit_clip_leading_back, raise_if_not_found=False)


def _adam() -> optax.GradientTransformation:
    """Adam's directions with Keras' epsilon; the batches bring the learning rate."""
    return optax.scale_by_adam(eps=1e-7)


def _descend(params: Any, moments: Any, gradients: Any, rate: Float[Array, ""]) -> tuple[Any, Any]:
    directions, moments = _adam().update(gradients, moments)
    updates = jax.tree.map(lambda direction: -rate * direction, directions)
    return optax.apply_updates(params, updates), moments


def _realness(discriminator: Any, image: Float[Array, "h w c"]) -> Float[Array, ""]:
    return discriminator(image[None])[0]


def _average(both: list[dict[str, Any]]) -> dict[str, Any]:
    """The mean of each metric over the two decisions."""
    return {name: (both[0][name] + both[1][name]) / 2 for name in both[0]}
