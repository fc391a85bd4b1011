"""Flax networks as classifiers: NNX modules, and Linen modules with their variables."""

from collections.abc import Mapping
from typing import Any

from flax import linen, nnx
from jax.tree_util import Partial, register_static
from jaxtyping import Array, Float

from cfx_jax.adapters.adapted import Adapted
from cfx_jax.adapters.inputs_outputs import Inputs, Outputs
from cfx_jax.adapters.layers import Traced, Visit, shown_calls
from cfx_jax.errors import InputError
from cfx_jax.models.views import in_inference_mode


def from_nnx(
    module: nnx.Module, *, inputs: Inputs | None = None, outputs: Outputs | None = None
) -> Adapted:
    """Turns an NNX module of batches into a classifier, in inference mode.

    Args:
        module: images ``(n, h, w, c)`` -> values ``(n, k)``; it stays in its mode.
        inputs: how it expects its images; None: channels last, values in [0, 1] as they are.
        outputs: what its values mean; None: logits.

    Returns:
        The classifier, image ``(h, w, c)`` -> logits ``(k,)``, a pytree with the weights as leaves.

    Raises:
        InputError: no NNX module.

    Example:
        >>> import jax.numpy as jnp
        >>> from flax import nnx
        >>> from cfx_jax.adapters import Inputs, from_nnx
        >>> network = nnx.Sequential(lambda x: x.mean((1, 2)), nnx.Linear(3, 2, rngs=nnx.Rngs(0)))
        >>> from_nnx(network, inputs=Inputs(value_range=(0, 255)))(jnp.ones((4, 4, 3))).shape
        (2,)
    """
    if not isinstance(module, nnx.Module):
        raise InputError(f"module: expected an nnx.Module, got {type(module).__name__}")
    batched = Traced(Partial(_run_nnx, in_inference_mode(module)))
    return Adapted(batched, inputs or Inputs(), outputs or Outputs())


def from_linen(
    module: linen.Module,
    variables: Mapping[str, Any],
    *,
    inputs: Inputs | None = None,
    outputs: Outputs | None = None,
    **options: Any,
) -> Adapted:
    """Turns a Linen module into a classifier.

    Args:
        module: images ``(n, h, w, c)`` -> values ``(n, k)``.
        variables: what ``module.init`` gave and a training has changed: ``params`` and, say,
            ``batch_stats``.
        inputs: how it expects its images; None: channels last, values in [0, 1] as they are.
        outputs: what its values mean; None: logits.
        options: what the module's call needs to be in evaluation mode, such as ``train=False``.

    Returns:
        The classifier, image ``(h, w, c)`` -> logits ``(k,)``, a pytree with the variables as
        leaves.

    Raises:
        InputError: no Linen module.

    Example:
        >>> import jax, jax.numpy as jnp
        >>> from flax import linen
        >>> from cfx_jax.adapters import from_linen
        >>> network = linen.Sequential([lambda x: x.mean((1, 2)), linen.Dense(2)])
        >>> variables = network.init(jax.random.key(0), jnp.ones((1, 4, 4, 3)))
        >>> from_linen(network, variables)(jnp.ones((4, 4, 3))).shape
        (2,)
    """
    if not isinstance(module, linen.Module):
        raise InputError(f"module: expected a flax.linen.Module, got {type(module).__name__}")
    batched = Traced(Partial(_run_linen, _Linen(module, options), dict(variables)))
    return Adapted(batched, inputs or Inputs(), outputs or Outputs())


@register_static
class _Linen:
    """A module and the options of its call; equal to itself alone."""

    def __init__(self, module: linen.Module, options: dict[str, Any]) -> None:
        self.module, self.options = module, options


def _run_nnx(
    module: Any, visit: Visit | None, images: Float[Array, "n h w c"]
) -> Float[Array, "n k"]:
    layers = [(path, layer) for path, layer in nnx.iter_modules(module) if callable(layer)]
    names = {id(layer): ".".join(map(str, path)) for path, layer in layers if path}
    with shown_calls(names, {type(layer) for _, layer in layers}, visit):
        return module(images)


def _run_linen(
    network: _Linen,
    variables: dict[str, Any],
    visit: Visit | None,
    images: Float[Array, "n h w c"],
) -> Float[Array, "n k"]:
    def show(method: Any, arguments: Any, options: Any, context: Any) -> Any:
        value = method(*arguments, **options)
        path = context.module.path
        is_layer = visit is not None and path and context.method_name == "__call__"
        return visit(".".join(path), value) if visit is not None and is_layer else value

    with linen.intercept_methods(show):
        values: Any = network.module.apply(variables, images, **network.options)
    return values
