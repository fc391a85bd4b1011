"""Training of an adversary that is independent of every explanation, a translator into the other
class's domain (Fixed-Point GAN: Siddiquee et al. 2019, "Learning Fixed Points in Generative
Adversarial Networks"; as released).

The domains are what a frozen classifier f decides, not the labels. The translator T draws an image
x of domain d in any domain; the critic D tells how real an image is, and its domain::

    x_o = T(x, 1 - d)    crossed      x_b = T(x_o, d)    back again, to be x
    x_s = T(x, d)        the same     x_p = T(x_s, d)    once more, to be x

``losses.fixed_point`` has the terms; the cross-entropy of f(x_o) is a further one. One step, with
images for each of its updates of the critic::

    step(T, D, key, batch):
        for x in shares of batch: D = Adam(D, critic's loss of x and T(x, 1 - d), with a penalty)
        T = Adam(T, translator's loss of the last x)

The networks are in evaluation mode.

Deviations:

- Each batch has as many images of either decision.
- The learning rate falls at every step of the second half of the training, where the released code
  lowers it every 1000 updates.

``train`` needs ``classifier``, one image -> two logits. It returns the translator, ``(images,
domain) -> images``, for ``models.translation_of`` and ``counterfactuals.fixed_point``.
"""

from collections.abc import Mapping
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
from cfx_jax.checks import InputError, check_count
from cfx_jax.losses import FixedPointWeights, Translations, critic_terms, fixed_point_terms
from cfx_jax.models import FixedPointTranslator, LimitName, PatchCritic, unit_clip_leading_back
from cfx_jax.objectives import Classifier, decision

from .shared import (
    Batch,
    Evaluate,
    Inputs,
    OptimiserSettings,
    RunSettings,
    State,
    Step,
    Trainer,
    TrainingBatches,
    decide_validation,
    decided_batches,
    descend,
    evaluation_view,
    graph_of,
    join_parts,
    make_optimiser,
    measure_validation,
    random_start,
    trained_network,
)


@dataclass(frozen=True)
class Config:
    """A translator and a critic. Defaults: as released for faces of 128 pixels, two domains."""

    size: tuple[int, int] = (128, 128)
    """Height and width of the images, in pixels."""
    in_channels: int = 1
    """Channels of the images; the translated ones have as many."""
    filters: int = 64
    """Channels of the translator at full resolution, doubled by each halving (released: 64)."""
    num_halvings: int = 2
    """Halvings of the translator (released: 2)."""
    num_blocks: int = 6
    """Residual blocks of the translator (released: 6)."""
    limit: LimitName = "tanh"
    """The function that leads the sum of image and change back to [0, 1]: tanh, as released, which
    no image passes unchanged; or clip, which starts as the identity."""
    critic_filters: int = 64
    """Channels of the critic's first convolution, doubled by each further one (released: 64)."""
    critic_depth: int = 6
    """The critic's convolutions (released: 6)."""
    weights: FixedPointWeights = field(default_factory=FixedPointWeights)
    """The price of each term of the translator's loss; the price of ``domain`` holds for the critic
    too."""
    penalty: float = 10.0
    """Weight of the critic's gradient penalty (released: 10)."""
    critic_steps: int = 5
    """Updates of the critic in one step (released: 5)."""
    optimiser: OptimiserSettings = field(
        default_factory=lambda: OptimiserSettings(
            rule="adam",  # released
            learning_rate=1e-4,  # released
            momentum=0.5,  # released
            schedule="line",  # released
            turn=0.5,  # released: constant in the first half of the training
        )
    )
    """How the weights of translator and critic move."""
    select: Literal["turned", "none"] = "none"
    """Keep the weights that turn over most of the decision they turn over less, or none for the
    last ones (released)."""
    run: RunSettings = field(
        default_factory=lambda: RunSettings(
            num_steps=40_000,  # updates of the translator; released: 200,000 of the critic
            batch_size=8,  # images of each decision in one update; released: 16 of both
            evaluate_every=2000,
            checkpoint_every=2000,
            eval_batch_size=32,
        )
    )
    """How long the training runs."""


class Networks(nnx.Module):
    """The networks that are trained.

    Args:
        translator: ``(images, domain) -> images``.
        critic: images -> ``models.fixed_point.Verdict``.
    """

    def __init__(self, translator: nnx.Module, critic: nnx.Module) -> None:
        self.translator, self.critic = translator, critic


def build(config: Config, rngs: nnx.Rngs) -> Networks:
    """The networks of a configuration."""
    translator = FixedPointTranslator(
        in_channels=config.in_channels,
        filters=config.filters,
        num_halvings=config.num_halvings,
        num_blocks=config.num_blocks,
        limit=config.limit,
        rngs=rngs,
    )
    critic = PatchCritic(
        size=config.size,
        in_channels=config.in_channels,
        filters=config.critic_filters,
        depth=config.critic_depth,
        rngs=rngs,
    )
    return Networks(translator, critic)


def check(config: Config, inputs: Inputs) -> None:
    """Checks the gradient penalty and the number of the critic's updates.

    Raises:
        InputError: a number out of its range.
    """
    del inputs
    if not config.penalty >= 0:
        raise InputError(f"penalty: expected a weight of at least 0, got {config.penalty}")
    check_count(config.critic_steps, name="critic_steps")


def make_batches(config: Config, inputs: Inputs) -> TrainingBatches:
    """Batches of ``image`` decided 0, 1, 0, 1 ..., enough for each update of the critic."""
    size = 2 * config.run.batch_size * config.critic_steps
    return decided_batches(config.run, inputs, balanced=True, batch_size=size)


def _make_optimisers(config: Config) -> dict[str, optax.GradientTransformation]:
    critic_steps = config.critic_steps
    return {
        "translator": make_optimiser(config.optimiser, config.run),
        "critic": make_optimiser(config.optimiser, config.run, updates=critic_steps),
    }


def make_step(config: Config, inputs: Inputs) -> Step:
    """One step of training.

    Returns:
        Pure ``step(state, key, batch) -> (state, metrics)``; a batch has ``image`` ``(2 b
        critic_steps, h, w, c)``, decided 0, 1, 0, 1 .... Metrics: ``loss`` of the translator, each
        of its weighted terms and the metrics of ``measure_answers``, and the critic's
        ``critic_real``, ``critic_fake``, ``critic_domain`` and ``critic_penalty``, means over its
        updates.

    Raises:
        InputError: a number out of its range.
    """
    check(config, inputs)
    graphdef = graph_of(inputs.choose(build, config), remat=config.run.remat)
    optimisers = _make_optimisers(config)

    def step(
        frozen: Classifier, state: State, key: PRNGKeyArray, batch: Batch
    ) -> tuple[State, dict[str, Array]]:
        shares = _split_batch(batch["image"], config.critic_steps)  # (critic_steps, 2 b, h, w, c)
        predicted = jnp.arange(shares.shape[1]) % 2  # (2 b,)
        translator = state.params["translator"]

        def view(translator: Any, critic: Any) -> Any:
            return _view(config, graphdef, {"translator": translator, "critic": critic}, state.rest)

        def critic_loss(
            critic: Any, key: PRNGKeyArray, real: Array, fake: Array
        ) -> tuple[Array, dict[str, Array]]:
            terms = critic_terms(
                key,
                view(translator, critic).critic,
                real,
                fake,
                predicted,
                domain=config.weights.domain,
                penalty=config.penalty,
            )
            return sum(terms.values(), jnp.zeros(())), terms

        def update_critic(
            carry: tuple[Any, Any], given: tuple[PRNGKeyArray, Array, Array]
        ) -> tuple[Any, dict[str, Array]]:
            critic, moments = carry
            gradients, terms = jax.grad(critic_loss, has_aux=True)(critic, *given)
            return descend(optimisers["critic"], critic, moments, gradients), terms

        def translator_loss(translator: Any) -> tuple[Array, dict[str, Array]]:
            values = _measure(config, view(translator, critic), frozen, shares[-1], predicted)
            return values["loss"], values

        moments = dict(state.opt_state)
        # The translator stays while the critic learns: its images are drawn once for all updates.
        translate = view(translator, state.params["critic"]).translator
        fakes = jax.vmap(lambda images: translate(images, 1 - predicted))(shares)
        (critic, moments["critic"]), terms = jax.lax.scan(
            loop_body(update_critic),
            (state.params["critic"], moments["critic"]),
            (jax.random.split(key, config.critic_steps), shares, fakes),
        )
        gradients, metrics = jax.grad(translator_loss, has_aux=True)(translator)
        translator, moments["translator"] = descend(
            optimisers["translator"], translator, moments["translator"], gradients
        )
        metrics |= {f"critic_{name}": values.mean() for name, values in terms.items()}
        params = join_parts({"translator": translator, "critic": critic})
        return State(params, state.rest, moments), metrics

    return Partial(step, inputs.frozen_classifier)


def measure_answers(
    images: Float[Array, "b h w c"],
    translations: Translations,
    predicted: Int[Array, " b"],
    logits: tuple[Float[Array, "b 2"], Float[Array, "b 2"]],
) -> dict[str, Array]:
    """Measures what translations reach.

    Args:
        images: the images, values in [0, 1].
        translations: the translations of these images.
        predicted: the class that the classifier decides on for each image.
        logits: the classifier's logits of ``crossed`` and of ``same``.

    Returns:
        A dict of means over the images:

        - ``turned``, the share of crossed images with the other decision;
        - ``kept``, the share of same-domain images with the image's own decision;
        - ``change``, the mean magnitude of the change that crosses, in units of [0, 1];
        - ``moved``, the mean magnitude of the change within the own domain, which should be 0.
    """
    crossed, same = (decision(values) for values in logits)
    return {
        "turned": (crossed != predicted).mean(),
        "kept": (same == predicted).mean(),
        "change": jnp.abs(translations.crossed - images).mean(),
        "moved": jnp.abs(translations.same - images).mean(),
    }


def make_evaluate(config: Config, inputs: Inputs) -> Evaluate:
    """The validation of a state on ``image`` ``(n, h, w, c)``.

    Returns:
        ``state -> metrics``, the translator's of the step with ``validation_`` before their names,
        each a mean over the two decisions; ``validation_turned_0`` and ``validation_turned_1`` of
        either, and ``validation_score``, the lower one.

    Raises:
        InputError: images outside [0, 1], or all of one decision.
    """
    images, decisions = decide_validation(config.run, inputs)
    graphdef, frozen = graph_of(inputs.choose(build, config)), inputs.frozen_classifier
    examples = {"image": images, "predicted": decisions}

    def evaluate(state: State) -> dict[str, float]:
        shared = (evaluation_view(graphdef, state.params, state.rest), frozen)
        values = measure_validation(config.run, inputs, _MeasureOne(config), shared, examples)
        groups = [
            {name: float(of[decisions == c].mean()) for name, of in values.items()} for c in (0, 1)
        ]
        means = {f"validation_{name}": (groups[0][name] + groups[1][name]) / 2 for name in values}
        turned = {f"validation_turned_{c}": group["turned"] for c, group in enumerate(groups)}
        return means | turned | {"validation_score": min(turned.values())}

    return evaluate


def finish(config: Config, inputs: Inputs, state: State) -> nnx.Module:
    """The translator in evaluation mode."""
    return trained_network(inputs.choose(build, config), state).translator


TRAINER = Trainer(
    name="fixed_point",
    config=Config,
    selections={"turned": "validation_score", "none": None},
    check=check,
    make_batches=make_batches,
    init=random_start(build, _make_optimisers),
    make_step=make_step,
    make_evaluate=make_evaluate,
    finish=finish,
    needs=("classifier",),
    takes=("model", "augment"),
    accumulates=False,
)


def _split_batch(images: Float[Array, "n h w c"], number: int) -> Float[Array, "number b h w c"]:
    """Images decided 0, 1, 0, 1 ... as batches that are so too; each device keeps its own."""
    pairs = images.reshape(-1, number, 2, *images.shape[1:])
    return jnp.moveaxis(pairs, 1, 0).reshape(number, -1, *images.shape[1:])


def _view(config: Config, graphdef: Any, parts: Mapping[str, Any], rest: Any) -> Any:
    """The networks for a step; clipped pixels have gradients that lead them back."""
    networks = evaluation_view(graphdef, join_parts(parts), rest)
    if config.limit != "clip":
        return networks
    return nnx.with_attributes(networks, limit=unit_clip_leading_back, raise_if_not_found=False)


@dataclass(frozen=True)
class _MeasureOne:
    """Loss, terms and answers of one image; equal configurations compile once."""

    config: Config

    def __call__(
        self, shared: tuple[Any, Classifier], example: Mapping[str, Array]
    ) -> dict[str, Array]:
        return _measure(self.config, *shared, example["image"][None], example["predicted"][None])


def _measure(
    config: Config,
    networks: Any,
    classifier: Classifier,
    images: Float[Array, "b h w c"],
    predicted: Int[Array, " b"],
) -> dict[str, Array]:
    """Loss of the translator, its terms and answers."""
    translate, critic = networks.translator, networks.critic
    crossed, same = translate(images, 1 - predicted), translate(images, predicted)
    translations = Translations(
        crossed, translate(crossed, predicted), same, translate(same, predicted)
    )
    logits = jax.vmap(classifier)(crossed), jax.vmap(classifier)(same)  # each (b, 2)
    verdicts = critic(crossed), critic(same)
    terms = fixed_point_terms(
        images, translations, predicted, verdicts, logits[0], weights=config.weights
    )
    answers = measure_answers(images, translations, predicted, logits)
    return {"loss": sum(terms.values(), jnp.zeros(())), **terms, **answers}
