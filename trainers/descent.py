"""One network, one loss and one optimiser: the first state of a training, and its step."""

from collections.abc import Callable, Mapping
from typing import Any

import jax
import optax
from flax import nnx
from jax import Array
from jaxtyping import PRNGKeyArray

from trainers.nnx_views import ModelFactory, graph_of, training_view, variables_of
from trainers.running import Batch, State, Step

Judge = Callable[[Any, PRNGKeyArray, Batch], Mapping[str, Array]]
"""``(network, key, batch) -> metrics``, scalars with ``loss`` among them."""


def first_state(
    key: PRNGKeyArray, model: ModelFactory, optimiser: optax.GradientTransformation
) -> State:
    """The state before the first step.

    Args:
        key: draws the initial weights.
        model: makes the network.
        optimiser: moves its weights.

    Returns:
        Parameters, other variables and a fresh state of the optimiser.
    """
    params, rest = variables_of(model(nnx.Rngs(key)))
    return State(params, rest, optimiser.init(params))


def descent_step(
    model: ModelFactory, optimiser: optax.GradientTransformation, judge: Judge
) -> Step:
    """One step down the gradient of the loss, with the network in training mode.

    Args:
        model: makes the network.
        optimiser: moves its weights.
        judge: gives the loss and the metrics of the step.

    Returns:
        Pure ``step(state, key, batch) -> (state, metrics)``, the metrics being the judge's.
    """
    graphdef = graph_of(model)

    def step(state: State, key: PRNGKeyArray, batch: Batch) -> tuple[State, dict[str, Array]]:
        def loss_of(params: Any) -> tuple[Array, tuple[Any, dict[str, Array]]]:
            module = training_view(graphdef, params, state.rest)
            metrics = dict(judge(module, key, batch))
            return metrics["loss"], (variables_of(module)[1], metrics)

        gradients, (rest, metrics) = jax.grad(loss_of, has_aux=True)(state.params)
        params, opt_state = descend(optimiser, state.params, state.opt_state, gradients)
        return State(params, rest, opt_state), metrics

    return step


def descend(
    optimiser: optax.GradientTransformation, params: Any, opt_state: Any, gradients: Any
) -> tuple[Any, Any]:
    """One update: the new parameters, and the optimiser's new state."""
    updates, opt_state = optimiser.update(gradients, opt_state, params)
    return optax.apply_updates(params, updates), opt_state
