"""A Flax NNX network taken apart and put together again, and one step down the gradient.

A training moves a ``State``: parameters, other variables and the optimiser's state, all pytrees.
The static part of the network, its graph, is known from the function that makes it.
"""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, TypeAlias

import jax
import jax.numpy as jnp
import optax
from flax import nnx
from jax import Array
from jax.sharding import Mesh
from jaxtyping import Float, PRNGKeyArray

from cfx_jax.backend import loop_body
from cfx_jax.models import computing_in, per_image, with_remat
from cfx_jax.models.views import in_inference_mode

from .run_settings import RunSettings

ModelFactory = Callable[[nnx.Rngs], nnx.Module]
Batch = Mapping[str, Array]
Step = Callable[["State", PRNGKeyArray, Batch], tuple["State", dict[str, Array]]]
Evaluate = Callable[["State"], dict[str, float]]
Optimisers: TypeAlias = optax.GradientTransformation | Mapping[str, optax.GradientTransformation]
"""The optimiser of a network, or one for each of its parts, by name."""
Loss = Callable[[Any, PRNGKeyArray, Batch], Mapping[str, Array]]
"""``(network, key, batch) -> metrics``, scalars with ``loss`` among them."""
PartLoss = Callable[[Any, Any, PRNGKeyArray, Batch], tuple[Array, tuple[Any, dict[str, Array]]]]
"""``(params, rest, key, batch) -> (loss, (rest, metrics))`` of a batch, or of a part of one."""


class State(NamedTuple):
    """The state that a training changes.

    Attributes:
        params: the parameters, an ``nnx.State``.
        rest: the other variables, batch statistics above all.
        opt_state: the optimiser's state, or one for each part of the network.
    """

    params: Any
    rest: Any
    opt_state: Any


def computed_as(run: RunSettings, make: ModelFactory, rngs: nnx.Rngs) -> nnx.Module:
    """The network of a factory, whose layers compute in the number type of a run."""
    network = make(rngs)
    if run.compute_dtype == "float32":
        return network
    return computing_in(network, run.compute_dtype)


def graph_of(model: ModelFactory, *, remat: bool = False) -> Any:
    """The static part of the network that a factory makes, without computing weights.

    Args:
        model: makes the network.
        remat: whether its blocks keep their input alone for the gradient, as in a training step.
    """
    abstract = nnx.eval_shape(lambda: model(nnx.Rngs(0)))
    return nnx.split(with_remat(abstract) if remat else abstract, nnx.Param, ...)[0]


def variables_of(network: nnx.Module) -> tuple[Any, Any]:
    """The parameters, and the other variables (batch statistics, counters of dropout)."""
    variables = nnx.state(network, nnx.Param, ...)
    return variables[0], variables[1]


def training_view(graphdef: Any, params: Any, rest: Any) -> nnx.Module:
    """A network of its own variables that uses and updates batch statistics, with dropout on."""
    network = nnx.merge(graphdef, params, rest, copy=True)
    return nnx.view(
        network, use_running_average=False, deterministic=False, raise_if_not_found=False
    )


def evaluation_view(graphdef: Any, params: Any, rest: Any) -> nnx.Module:
    """A network of its own variables that uses its running statistics, with dropout off."""
    return in_inference_mode(nnx.merge(graphdef, params, rest, copy=True))


def trained_network(model: ModelFactory, state: State) -> Any:
    """The network that a factory makes, with the variables of a state, in evaluation mode."""
    return evaluation_view(graph_of(model), state.params, state.rest)


def classifier_of(
    graphdef: Any, params: Any, rest: Any
) -> Callable[[Float[Array, "h w c"]], Float[Array, " k"]]:
    """The network in evaluation mode as a function of one image, a pytree."""
    return per_image(evaluation_view(graphdef, params, rest))


def join_parts(parts: Mapping[str, nnx.State]) -> nnx.State:
    """The parameters of a network from the parameters of its parts, as ``variables_of`` returns
    them.

    A state with states inside of it is another pytree than one with dictionaries, for which a step
    would compile anew.
    """
    return nnx.State({name: part.raw_mapping for name, part in parts.items()})


def first_state(network: nnx.Module, optimiser: Optimisers) -> State:
    """The state before the first step.

    Args:
        network: the network with its initial weights.
        optimiser: moves all parameters; or one for each part of the network, by its name.
    """
    params, rest = variables_of(network)
    if isinstance(optimiser, Mapping):
        moments = {part: rule.init(params[part]) for part, rule in optimiser.items()}
        return State(params, rest, moments)
    return State(params, rest, optimiser.init(params))


def descend(
    optimiser: optax.GradientTransformation, params: Any, opt_state: Any, gradients: Any
) -> tuple[Any, Any]:
    """One update: the new parameters, and the optimiser's new state."""
    updates, opt_state = optimiser.update(gradients, opt_state, params)
    return optax.apply_updates(params, updates), opt_state


def descent_step(
    model: ModelFactory,
    optimiser: optax.GradientTransformation,
    compute_loss: Loss,
    run: RunSettings,
    mesh: Mesh | None = None,
) -> Step:
    """One step down the gradient of the loss, with the network in training mode.

    Args:
        model: makes the network.
        optimiser: moves its weights.
        compute_loss: computes the loss and the metrics of the step.
        run: says in how many parts a batch is computed, and whether blocks keep their maps.
        mesh: the devices that share a batch.

    Returns:
        Pure ``step(state, key, batch) -> (state, metrics)`` with the metrics of ``compute_loss``.
    """
    graphdef = graph_of(model, remat=run.remat)

    def loss_of(params: Any, rest: Any, key: PRNGKeyArray, batch: Batch) -> Any:
        network = training_view(graphdef, params, rest)
        metrics = dict(compute_loss(network, key, batch))
        # Batch statistics have moved in the forward pass.
        return metrics["loss"], (variables_of(network)[1], metrics)

    def step(state: State, key: PRNGKeyArray, batch: Batch) -> tuple[State, dict[str, Array]]:
        gradients, rest, metrics = mean_gradients(loss_of, state, key, batch, run, mesh)
        params, opt_state = descend(optimiser, state.params, state.opt_state, gradients)
        return State(params, rest, opt_state), metrics

    return step


def mean_gradients(
    loss_of: PartLoss,
    state: State,
    key: PRNGKeyArray,
    batch: Batch,
    run: RunSettings,
    mesh: Mesh | None = None,
) -> tuple[Any, Any, dict[str, Array]]:
    """The gradient of a loss by the parameters, part by part of the batch where a run says so.

    Args:
        loss_of: the loss of a batch, a mean over its images.
        state: the parameters and the other variables. The latter go from part to part: running
            averages move once for each, by the statistics of that part alone.
        key: the key of the step; each part draws from a key of its own.
        batch: arrays with the images along their first axis.
        run: the settings, whose ``accumulate`` is the number of parts.
        mesh: the devices that share a batch; each keeps its own images.

    Returns:
        The mean of the gradients over the parts, the other variables, and the mean of the metrics.
    """
    differentiate = jax.grad(loss_of, has_aux=True)
    if run.accumulate == 1:
        gradients, (rest, metrics) = differentiate(state.params, state.rest, key, batch)
        return gradients, rest, metrics

    def add(carry: tuple[Any, Any], part: tuple[PRNGKeyArray, Batch]) -> Any:
        total, rest = carry
        gradients, (rest, metrics) = differentiate(state.params, rest, *part)
        return (jax.tree.map(jnp.add, total, gradients), rest), metrics

    start = jax.tree.map(jnp.zeros_like, state.params), state.rest
    num_devices = 1 if mesh is None else mesh.size
    parts = jax.random.split(key, run.accumulate), _parts(batch, run.accumulate, num_devices)
    (total, rest), metrics = jax.lax.scan(loop_body(add), start, parts)
    gradients = jax.tree.map(lambda leaf: leaf / run.accumulate, total)
    return gradients, rest, {name: values.mean(axis=0) for name, values in metrics.items()}


def _parts(batch: Batch, number: int, num_devices: int) -> Batch:
    """The parts of a batch along a new first axis; of each device's images every part has some."""

    def split(values: Array) -> Array:
        shares = values.reshape(num_devices, number, -1, *values.shape[1:])
        return shares.swapaxes(0, 1).reshape(number, -1, *values.shape[1:])

    return jax.tree.map(split, batch)
