"""Equinox networks as classifiers."""

from collections.abc import Iterator
from dataclasses import fields
from typing import Any

import jax
from jax.tree_util import Partial, register_static
from jaxtyping import Array, Float

from cfx_jax.adapters.adapted import Adapted
from cfx_jax.adapters.fixed import Fixed
from cfx_jax.adapters.inputs_outputs import Inputs, Outputs
from cfx_jax.adapters.layers import Traced, Visit, shown_calls
from cfx_jax.errors import InputError, import_extra


def from_equinox(
    module: Any,
    *,
    state: Any = None,
    inputs: Inputs | None = None,
    outputs: Outputs | None = None,
) -> Adapted:
    """Turns an Equinox module of one image into a classifier, in inference mode.

    Args:
        module: image ``(c, h, w)`` -> values ``(k,)``, or with a state ``(values, state)``.
        state: the ``equinox.nn.State`` of a module with batch norms; None of one without.
        inputs: how it expects its images; None: channels first, values in [0, 1] as they are.
        outputs: what its values mean; None: logits.

    Returns:
        The classifier, image ``(h, w, c)`` -> logits ``(k,)``, a pytree with the weights as leaves.

    Raises:
        InputError: no Equinox module, or Equinox is not installed.

    Example:
        >>> import equinox as eqx
        >>> import jax, jax.numpy as jnp
        >>> from cfx_jax.adapters import from_equinox
        >>> layers = [eqx.nn.Lambda(jnp.ravel), eqx.nn.Linear(48, 2, key=jax.random.key(0))]
        >>> from_equinox(eqx.nn.Sequential(layers))(jnp.ones((4, 4, 3))).shape
        (2,)
    """
    eqx = import_extra("equinox", "Equinox networks")
    if not isinstance(module, eqx.Module):
        raise InputError(f"module: expected an equinox.Module, got {type(module).__name__}")
    arrays, rest = eqx.partition((eqx.nn.inference_mode(module), state), eqx.is_array)
    batched = Traced(Partial(_run, _Rest(rest), arrays[0], Fixed(arrays[1])))
    return Adapted(batched, inputs or Inputs(layout="channels_first"), outputs or Outputs())


@register_static
class _Rest:
    """A module without its arrays; equal to itself alone."""

    def __init__(self, tree: Any) -> None:
        self.tree = tree


def _run(
    rest: _Rest,
    arrays: Any,
    state_arrays: Fixed,
    visit: Visit | None,
    images: Float[Array, "1 c h w"],
) -> Float[Array, "1 k"]:
    eqx = import_extra("equinox", "Equinox networks")
    module, state = eqx.combine((arrays, state_arrays.tree), rest.tree)
    named = dict(_modules(eqx, module, ""))
    names = {id(layer): name for name, layer in named.items() if name}
    shown = None if visit is None else _of_batches(visit)
    with shown_calls(names, set(map(type, named.values())), shown):
        values = module(images[0]) if state is None else module(images[0], state)[0]
    return values[None]


def _modules(eqx: Any, value: Any, name: str) -> Iterator[tuple[str, Any]]:
    """The modules inside of a value that can be called, by their path, itself included."""
    if isinstance(value, eqx.Module):
        if callable(value):
            yield name, value
        children = {field.name: getattr(value, field.name, None) for field in fields(value)}
    elif isinstance(value, (list, tuple)):
        children = {str(number): child for number, child in enumerate(value)}
    else:
        children = value if isinstance(value, dict) else {}
    for key, child in children.items():
        yield from _modules(eqx, child, f"{name}.{key}" if name else str(key))


def _of_batches(visit: Visit) -> Visit:
    """A visit of one image's values, ``(c, h, w)`` or the first of ``(values, state)``."""

    def show(name: str, value: Any) -> Any:
        if isinstance(value, tuple):
            return (show(name, value[0]), *value[1:])
        return visit(name, value[None])[0] if isinstance(value, jax.Array) else value

    return show
