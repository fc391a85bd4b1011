"""Training of a robust classifier with TRADES (Zhang et al. 2019), as in Boreiko et al. 2022.

Each step attacks every image with the network in evaluation mode, then sends clean and adversarial
images through one forward pass in training mode, interleaved, so that both share their batch
statistics (the original TRADES code uses two passes), and descends cross-entropy plus ``beta``
times the divergence between the two predictions.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Literal

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jax import Array
from jax.sharding import Mesh
from jaxtyping import Float, Int, PRNGKeyArray

from cfx_jax.checks import check_choice, check_positive
from cfx_jax.data.source import check_indices, labels_of
from cfx_jax.errors import InputError
from cfx_jax.geometry import lp_norm
from cfx_jax.losses import trades_attack, trades_divergence, trades_loss
from cfx_jax.losses.trades import ORDERS, Order
from cfx_jax.losses.trades_attack import check_start
from cfx_jax.objectives import Classifier, decision
from cfx_jax.parallel import map_examples
from trainers.nnx_views import ModelFactory, classifier_of, graph_of, training_view, variables_of
from trainers.result import load_model
from trainers.running import Batch, Evaluate, State, Step
from trainers.supervised import (
    SupervisedConfig,
    choose_model,
    make_evaluate,
    make_update,
    run_training,
    scheduled,
    scores,
)
from trainers.supervised import init as init

_SELECT = (
    "balanced_accuracy",
    "accuracy",
    "adversarial_accuracy",
    "adversarial_balanced_accuracy",
    "none",
)


@dataclass(frozen=True)
class AttackConfig:
    """The inner maximisation."""

    p: float = 2.0
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
    """Validation metric of which the best weights are kept (paper: balanced accuracy; released
    code: accuracy under the training's own attack); none for the last weights."""


def attack(
    config: Config, key: PRNGKeyArray, classifier: Classifier, image: Float[Array, "h w c"]
) -> Float[Array, "h w c"]:
    """The adversarial image of one image, as the training makes it; see ``losses.trades_attack``."""
    options = {each.name: getattr(config.attack, each.name) for each in fields(AttackConfig)}
    return trades_attack(key, classifier, image, order=config.divergence_order, **options)


def make_step(config: Config, *, model: ModelFactory | None = None) -> Step:
    """One step of training.

    Args:
        config: names the model, the optimiser and the attack.
        model: as in ``init``.

    Returns:
        Pure ``step(state, key, batch) -> (state, metrics)``; a batch has ``image`` ``(b, h, w, c)``
        and ``label`` ``(b,)``. Metrics: ``loss``; ``accuracy`` and ``adversarial_accuracy`` of the
        forward pass; ``divergence`` in nats; ``distance``, the mean length of the changes in units
        of the radius, which an attack that works brings above 0.9.

    Raises:
        InputError: a norm other than 2 and inf, numbers out of range, an unknown order.
    """
    _check(config)
    graphdef, update = graph_of(choose_model(config, model)), make_update(config)

    def step(state: State, key: PRNGKeyArray, batch: Batch) -> tuple[State, dict[str, Array]]:
        images, labels = batch["image"], batch["label"]
        classifier = classifier_of(graphdef, state.params, state.rest)
        keys = jax.random.split(key, len(images))
        adversarial = jax.vmap(lambda key, image: attack(config, key, classifier, image))(
            keys, images
        )

        def loss_of(params: Any) -> tuple[Array, tuple[Any, Array, Array]]:
            module = training_view(graphdef, params, state.rest)
            clean, attacked = _separate(module(_interleave(images, adversarial)))
            loss = trades_loss(
                clean, attacked, labels, beta=config.beta, order=config.divergence_order
            )
            return loss, (variables_of(module)[1], clean, attacked)

        (loss, (rest, clean, attacked)), gradients = jax.value_and_grad(loss_of, has_aux=True)(
            state.params
        )
        metrics = {"loss": loss, **_metrics(clean, attacked, labels)}
        metrics["divergence"] = trades_divergence(
            clean, attacked, order=config.divergence_order
        ).mean()
        metrics["distance"] = _mean_length(config.attack, adversarial - images)
        return update(state, gradients, rest), metrics

    return step


def make_robust_evaluate(
    config: Config,
    validation: Mapping[str, np.ndarray],
    *,
    model: ModelFactory | None = None,
    mesh: Mesh | None = None,
) -> Evaluate:
    """Validation on adversarial images: the training's attack with one start for each image, drawn
    from the seed.

    Args:
        config: of the training.
        validation: ``image`` ``(n, h, w, c)`` in [0, 1] and ``label`` ``(n,)``.
        model: as in ``init``.
        mesh: devices to spread the images over.

    Returns:
        ``state -> {"validation_adversarial_accuracy",
        "validation_adversarial_balanced_accuracy"}``.
    """
    graphdef = graph_of(choose_model(config, model))
    images, labels = np.asarray(validation["image"]), np.asarray(validation["label"])
    keys = jax.random.split(jax.random.key(config.seed), len(images))

    def attacked(classifier: Classifier, example: tuple[PRNGKeyArray, Array]) -> Float[Array, " k"]:
        return classifier(attack(config, example[0], classifier, example[1]))

    def evaluate(state: State) -> dict[str, float]:
        classifier = classifier_of(graphdef, state.params, state.rest)
        examples, size = (keys, images), config.eval_batch_size
        logits = map_examples(attacked, classifier, examples, batch_size=size, mesh=mesh)
        return scores("validation_adversarial", logits, labels)

    return evaluate


def train(
    config: Config,
    source: Any,
    train_indices: Int[np.ndarray, " n"],
    validation: Mapping[str, np.ndarray],
    workdir: str | Path,
    *,
    model: ModelFactory | None = None,
    start: nnx.Module | None = None,
    augment: Callable[..., Any] | None = None,
    mesh: Mesh | None = None,
    progress: bool = True,
) -> nnx.Module:
    """Trains a robust classifier, or goes on with a training that was stopped; a finished one is
    only read.

    Arguments, result and errors are those of ``trainers.classifier.train``. Where ``config.select``
    is adversarial, the validation images are attacked as well.
    """
    config = scheduled(config, labels_of(source)[check_indices(source, train_indices)])
    evaluations = [make_evaluate(config, validation, model=model, mesh=mesh)]
    if config.select.startswith("adversarial"):
        evaluations.append(make_robust_evaluate(config, validation, model=model, mesh=mesh))
    return run_training(
        "trades",
        config,
        make_step(config, model=model),
        lambda state: {
            name: value for evaluate in evaluations for name, value in evaluate(state).items()
        },
        None if config.select == "none" else f"validation_{config.select}",
        (source, train_indices, validation),
        workdir,
        model=model,
        start=start,
        augment=augment,
        mesh=mesh,
        progress=progress,
    )


def load(
    workdir: str | Path, *, model: ModelFactory | None = None, unfinished: bool = False
) -> nnx.Module:
    """The selected model of a training; arguments, result and errors as
    ``trainers.classifier.load``.
    """
    return load_model(
        "trades", Config, workdir, init, choose_model, model=model, unfinished=unfinished
    )


def _check(config: Config) -> None:
    check_choice(config.select, _SELECT, name="select")
    check_choice(config.attack.p, (2.0, float("inf")), name="attack.p")
    check_positive(config.attack.radius, name="attack.radius")
    check_positive(config.attack.step_size, name="attack.step_size")
    check_start(config.attack.start, name="attack.start")
    check_choice(config.divergence_order, ORDERS, name="divergence_order")
    if not config.beta >= 0:
        raise InputError(f"beta: expected a weight of at least 0, got {config.beta}")


def _interleave(
    first: Float[Array, "b *rest"], second: Float[Array, "b *rest"]
) -> Float[Array, "2*b *rest"]:
    """First, second, first, second ...: so each device keeps its share of a batch."""
    return jnp.stack([first, second], axis=1).reshape(-1, *first.shape[1:])


def _separate(both: Float[Array, "2*b k"]) -> tuple[Float[Array, "b k"], Float[Array, "b k"]]:
    return both[0::2], both[1::2]


def _metrics(
    clean: Float[Array, "b k"], attacked: Float[Array, "b k"], labels: Int[Array, " b"]
) -> dict[str, Array]:
    return {
        "accuracy": jnp.mean(decision(clean) == labels),
        "adversarial_accuracy": jnp.mean(decision(attacked) == labels),
    }


def _mean_length(config: AttackConfig, changes: Float[Array, "b h w c"]) -> Float[Array, ""]:
    return jax.vmap(lambda change: lp_norm(change, config.p))(changes).mean() / config.radius
