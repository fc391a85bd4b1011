"""Training of a robust classifier with TRADES (Zhang et al. 2019, "Theoretically Principled
Trade-off between Robustness and Accuracy"), as in Boreiko et al. 2022.

For images x with labels y, a network f with probabilities p, and the ball of the attack::

    x_a  = argmax over the ball around x of KL(p(x), p(.))       # by losses.trades_attack
    loss = mean cross_entropy(f(x), y) + beta mean KL(p(x), p(x_a))

    step(state, key, batch):
        x_a = attack(f in evaluation mode, x)
        gradients = grad(loss)      # x and x_a in one forward pass of f in training mode
        parameters = optimiser(parameters, gradients)

In the one forward pass clean and adversarial images are interleaved, so that both share their batch
statistics (the original TRADES code uses two passes).

The source has ``image`` and ``label``, the validation too. ``train`` returns the network in
evaluation mode, images -> logits.
"""

from dataclasses import dataclass, field, fields
from typing import Any, Literal

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jaxtyping import Float, PRNGKeyArray

from cfx_jax.array_types import at_least_float32
from cfx_jax.checks import InputError, check_choice, check_positive, limits
from cfx_jax.geometry import lp_norm
from cfx_jax.losses import ORDERS, Order, trades_attack, trades_divergence, trades_loss
from cfx_jax.losses.trades_attack import check_start
from cfx_jax.objectives import Classifier, decision

from .shared import (
    Batch,
    Evaluate,
    Inputs,
    State,
    Step,
    Trainer,
    classifier_of,
    descend,
    graph_of,
    make_optimiser,
    mean_gradients,
    measure_validation,
    training_view,
    variables_of,
)
from .shared.supervised import (
    SupervisedConfig,
    check_data,
    choose_model,
    finish,
    init,
    make_batches,
    score_logits,
)
from .shared.supervised import make_evaluate as make_clean_evaluate


@dataclass(frozen=True)
class AttackConfig:
    """Settings of the inner maximisation."""

    p: float = field(default=2.0, metadata=limits(least=1, may_be_infinite=True))
    """Norm of the ball, 2 or inf (paper: 2)."""
    radius: float = 0.25
    """Radius of the ball, in units of the image's values (paper: 0.25 at 224 x 224 x 3)."""
    num_steps: int = 20
    """Gradient steps (run label of the released code: 20)."""
    step_size: float = 0.2
    """Length of a step in units of the radius (defaults of the sibling code bases)."""
    momentum: float = 0.9
    """Weight of the earlier directions, in [0, 1) (released code: 0.9)."""
    start: tuple[float, float] = (0.1, 0.5)
    """Least and largest distance of the random start, in units of the radius (ours: 0.1 and 0.5;
    released code: 0 and 0, where the gradient vanishes)."""


@dataclass(frozen=True)
class Config(SupervisedConfig):
    """A robust classifier. Defaults: the robust network of Boreiko et al. 2022."""

    beta: float = 6.0
    """Weight of the divergence (paper: 6)."""
    attack: AttackConfig = field(default_factory=AttackConfig)
    """How adversarial images are found."""
    divergence_order: Order = "clean_first"
    """First argument of the divergence, in the loss and in the attack (released code: clean_first;
    paper, equation 1: adversarial_first)."""
    select: Literal[
        "balanced_accuracy",
        "accuracy",
        "adversarial_accuracy",
        "adversarial_balanced_accuracy",
        "none",
    ] = "balanced_accuracy"
    """Validation metric by which the best weights are kept (paper: balanced accuracy; released
    code: accuracy under the training's own attack); none for the last weights."""


def check(config: Config, inputs: Inputs) -> None:
    """Checks the attack, and the classes and channels of the data.

    Raises:
        InputError: as ``check_attack``; data of other classes or channels.
    """
    check_attack(config)
    check_data(config, inputs)


def check_attack(config: Config) -> None:
    """Checks the attack and the loss.

    Raises:
        InputError: a norm other than 2 and inf, numbers out of range, an unknown order.
    """
    check_choice(config.attack.p, (2.0, float("inf")), name="attack.p")
    check_positive(config.attack.radius, name="attack.radius")
    check_positive(config.attack.step_size, name="attack.step_size")
    check_start(config.attack.start, name="attack.start")
    check_choice(config.divergence_order, ORDERS, name="divergence_order")
    if not config.beta >= 0:
        raise InputError(f"beta: expected a weight of at least 0, got {config.beta}")


def attack(
    config: Config, key: PRNGKeyArray, classifier: Classifier, image: Float[Array, "h w c"]
) -> Float[Array, "h w c"]:
    """The adversarial image of one image in the training; see ``losses.trades_attack``."""
    options = {option.name: getattr(config.attack, option.name) for option in fields(AttackConfig)}
    return trades_attack(key, classifier, image, order=config.divergence_order, **options)


def make_step(config: Config, inputs: Inputs) -> Step:
    """One step of training.

    Returns:
        Pure ``step(state, key, batch) -> (state, metrics)``; a batch has ``image`` ``(b, h, w, c)``
        and ``label`` ``(b,)``. Metrics: ``loss``; ``accuracy`` and ``adversarial_accuracy`` of the
        forward pass; ``divergence`` in nats; ``distance``, the mean length of the changes in units
        of the radius, which an attack that works brings above 0.9.

    Raises:
        InputError: as ``check_attack``; an unknown model, optimiser or schedule.
    """
    check_attack(config)
    graphdef = graph_of(choose_model(config, inputs), remat=config.run.remat)
    optimiser, order = make_optimiser(config.optimiser, config.run), config.divergence_order

    def step(state: State, key: PRNGKeyArray, batch: Batch) -> tuple[State, dict[str, Array]]:
        # Attacked in evaluation mode, so that an image's attack does not depend on its batch; with
        # the weights before the step, so that no gradient flows through it.
        classifier = classifier_of(graphdef, state.params, state.rest)

        def loss_of(params: Any, rest: Any, key: PRNGKeyArray, batch: Batch) -> Any:
            images, labels = batch["image"], batch["label"]  # (b, h, w, c) and (b,)
            adversarial = jax.vmap(lambda key, image: attack(config, key, classifier, image))(
                jax.random.split(key, len(images)), images
            )
            network = training_view(graphdef, params, rest)
            # (2 b, h, w, c) -> (2 b, k) -> twice (b, k)
            logits = at_least_float32(network(_interleave(images, adversarial)))
            clean, attacked = _separate(logits)
            metrics = {
                "loss": trades_loss(clean, attacked, labels, beta=config.beta, order=order),
                "accuracy": jnp.mean(decision(clean) == labels),
                "adversarial_accuracy": jnp.mean(decision(attacked) == labels),
                "divergence": trades_divergence(clean, attacked, order=order).mean(),
                "distance": _mean_length(config.attack, adversarial - images),
            }
            return metrics["loss"], (variables_of(network)[1], metrics)

        gradients, rest, metrics = mean_gradients(
            loss_of, state, key, batch, config.run, inputs.mesh
        )
        params, opt_state = descend(optimiser, state.params, state.opt_state, gradients)
        return State(params, rest, opt_state), metrics

    return step


def make_evaluate(config: Config, inputs: Inputs) -> Evaluate:
    """The validation of a state, on adversarial images too where ``select`` looks at them.

    Returns:
        ``state -> metrics``: the metrics of ``shared.supervised.make_evaluate``, and also the
        metrics of ``make_robust_evaluate`` where ``select`` names one of them.

    Raises:
        InputError: images outside [0, 1], labels that are no class.
    """
    evaluate_clean = make_clean_evaluate(config, inputs)
    if not config.select.startswith("adversarial"):
        return evaluate_clean
    evaluate_robust = make_robust_evaluate(config, inputs)
    return lambda state: evaluate_clean(state) | evaluate_robust(state)


def make_robust_evaluate(config: Config, inputs: Inputs) -> Evaluate:
    """The validation of a state on images attacked as in the training.

    Each image has one random start, drawn from the seed.

    Returns:
        ``state -> {"validation_adversarial_accuracy",
        "validation_adversarial_balanced_accuracy"}``.
    """
    graphdef = graph_of(choose_model(config, inputs))
    images, labels = (np.asarray(inputs.validation[name]) for name in ("image", "label"))
    keys = jax.random.split(jax.random.key(config.run.seed), len(images))

    def attack_and_classify(
        classifier: Classifier, example: tuple[PRNGKeyArray, Array]
    ) -> Float[Array, " k"]:
        return classifier(attack(config, example[0], classifier, example[1]))

    def evaluate(state: State) -> dict[str, float]:
        classifier, examples = classifier_of(graphdef, state.params, state.rest), (keys, images)
        logits = measure_validation(config.run, inputs, attack_and_classify, classifier, examples)
        return score_logits("validation_adversarial", logits, labels)

    return evaluate


TRAINER = Trainer(
    name="trades",
    config=Config,
    selections={
        "balanced_accuracy": "validation_balanced_accuracy",
        "accuracy": "validation_accuracy",
        "adversarial_accuracy": "validation_adversarial_accuracy",
        "adversarial_balanced_accuracy": "validation_adversarial_balanced_accuracy",
        "none": None,
    },
    check=check,
    make_batches=make_batches,
    init=init,
    make_step=make_step,
    make_evaluate=make_evaluate,
    finish=finish,
    takes=("model", "start", "augment"),
)


def _interleave(
    first: Float[Array, "b *rest"], second: Float[Array, "b *rest"]
) -> Float[Array, "2*b *rest"]:
    """First, second, first, second ...: so each device keeps its share of a batch."""
    return jnp.stack([first, second], axis=1).reshape(-1, *first.shape[1:])


def _separate(both: Float[Array, "2*b k"]) -> tuple[Float[Array, "b k"], Float[Array, "b k"]]:
    return both[0::2], both[1::2]


def _mean_length(config: AttackConfig, changes: Float[Array, "b h w c"]) -> Float[Array, ""]:
    lengths = jax.vmap(lambda change: lp_norm(change, config.p))(changes)  # (b,)
    return lengths.mean() / config.radius
