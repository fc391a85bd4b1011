"""Equinox networks as classifiers."""

from typing import Any

import jax
from jax.tree_util import Partial, register_static
from jaxtyping import Array, Float

from cfx_jax.adapters.inputs_outputs import Inputs, Outputs, classifier_of
from cfx_jax.errors import InputError, import_extra


def from_equinox(
    module: Any,
    *,
    state: Any = None,
    inputs: Inputs | None = None,
    outputs: Outputs | None = None,
) -> Partial:
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
        >>> import pytest; eqx = pytest.importorskip("equinox")
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
    batched = Partial(_call, _Rest(rest), arrays)
    return classifier_of(batched, inputs or Inputs(layout="channels_first"), outputs or Outputs())


@register_static
class _Rest:
    """A module without its arrays; equal to itself alone."""

    def __init__(self, tree: Any) -> None:
        self.tree = tree


def _call(rest: _Rest, arrays: Any, images: Float[Array, "n c h w"]) -> Float[Array, "n k"]:
    eqx = import_extra("equinox", "Equinox networks")
    module, state = eqx.combine(arrays, rest.tree)

    def values(image: Float[Array, "c h w"]) -> Float[Array, " k"]:
        return module(image) if state is None else module(image, state)[0]

    return jax.vmap(values)(images)
