"""A Flax NNX classifier taken apart into graph, parameters and the rest, and put together again."""

from collections.abc import Callable, Mapping
from typing import Any

from flax import nnx
from jaxtyping import Array, Float

from cfx_jax.models import per_image
from cfx_jax.models.views.per_image import in_inference_mode

ModelFactory = Callable[[nnx.Rngs], nnx.Module]


def graph_of(model: ModelFactory) -> Any:
    """The static part of the model that a factory makes, found without computing weights."""
    abstract = nnx.eval_shape(lambda: model(nnx.Rngs(0)))
    return nnx.split(abstract, nnx.Param, ...)[0]


def training_view(graphdef: Any, params: Any, rest: Any) -> nnx.Module:
    """A model with variables of its own that uses and updates batch statistics, with dropout on."""
    module = nnx.merge(graphdef, params, rest, copy=True)
    return nnx.view(
        module, use_running_average=False, deterministic=False, raise_if_not_found=False
    )


def evaluation_view(graphdef: Any, params: Any, rest: Any) -> nnx.Module:
    """A model with variables of its own that uses its running statistics, with dropout off."""
    return in_inference_mode(nnx.merge(graphdef, params, rest, copy=True))


def trained(model: ModelFactory, params: Any, rest: Any) -> Any:
    """The network that a factory makes, with the variables of a training, in evaluation mode."""
    return evaluation_view(graph_of(model), params, rest)


def classifier_of(
    graphdef: Any, params: Any, rest: Any
) -> Callable[[Float[Array, "h w c"]], Float[Array, " k"]]:
    """The model in evaluation mode as a function of one image, a pytree."""
    return per_image(evaluation_view(graphdef, params, rest))


def variables_of(module: nnx.Module) -> tuple[Any, Any]:
    """The parameters, and the other variables (batch statistics, counters of dropout) as they
    stand.
    """
    variables = nnx.state(module, nnx.Param, ...)
    return variables[0], variables[1]


def joined(parts: Mapping[str, nnx.State]) -> nnx.State:
    """The parameters of networks from those of their parts, of the very structure that
    ``variables_of`` gives.

    A state with states inside of it is another pytree than one with dictionaries, for which a step
    would compile anew.
    """
    return nnx.State({name: part.raw_mapping for name, part in parts.items()})
