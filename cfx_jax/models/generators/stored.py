"""Networks that draw images, as their names, options and arrays: what a folder can keep of them.

A stored network needs no code to run but this library's, and no state of a training.
"""

from collections.abc import Callable, Mapping
from typing import Any

import jax.numpy as jnp
import numpy as np
from flax import nnx

from cfx_jax.checks import check_array, check_choice, check_type
from cfx_jax.errors import InputError, reason_of
from cfx_jax.models.generators.progressive import ProgressiveGenerator
from cfx_jax.models.generators.progressive_small import BendingGenerator
from cfx_jax.models.generators.similar_adversarial import DuoAE, SingleAE
from cfx_jax.models.generators.unet import UNetGenerator
from cfx_jax.models.views import computing_in

_NETWORKS: dict[str, Callable[..., nnx.Module]] = {
    network.__name__: network
    for network in (UNetGenerator, SingleAE, DuoAE, ProgressiveGenerator, BendingGenerator)
}


def arrays_of(network: nnx.Module) -> dict[str, np.ndarray]:
    """The parameters and statistics of a network, by their paths.

    Args:
        network: any NNX module; keys and counters of random draws are left out.

    Returns:
        Arrays by names such as ``"head.kernel"``.

    >>> sorted(arrays_of(nnx.Linear(2, 3, rngs=nnx.Rngs(0))))
    ['bias', 'kernel']
    """
    return {name: np.asarray(variable[...]) for name, variable in _variables(network)}


def rebuild(name: str, options: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> nnx.Module:
    """Makes a network with stored arrays.

    Args:
        name: the name of the generator's class: ``UNetGenerator``, ``SingleAE``, ``DuoAE``,
            ``ProgressiveGenerator`` or ``BendingGenerator``.
        options: the options of that class, by name, and ``compute_dtype``, if it computes in
            bfloat16; lists stand for tuples, as JSON has them.
        arrays: the arrays that ``arrays_of`` returned.

    Raises:
        InputError: an unknown class or option, or arrays of another network.

    >>> options = {"in_channels": 1, "filters": [2, 4]}
    >>> network = UNetGenerator(**options, rngs=nnx.Rngs(0))
    >>> copy = rebuild("UNetGenerator", options, arrays_of(network))
    >>> bool((copy(jnp.ones((1, 4, 4, 1))) == network(jnp.ones((1, 4, 4, 1)))).all())
    True
    """
    check_choice(name, tuple(_NETWORKS), name="network")
    check_type(options, Mapping, name="options", wanted="arguments of the network by name")
    check_type(arrays, Mapping, name="arrays", wanted="what arrays_of returned")
    given = {
        key: tuple(value) if isinstance(value, list) else value for key, value in options.items()
    }
    dtype: Any = given.pop("compute_dtype", "float32")
    try:
        network = computing_in(_NETWORKS[name](**given, rngs=nnx.Rngs(0)), dtype)
    except TypeError as error:
        raise InputError(f"network: expected options of {name}: {reason_of(error)}") from error
    for key, array in arrays.items():
        check_array(array, name=f"arrays: {key}")
    variables = dict(_variables(network))
    wanted = {key: variable[...].shape for key, variable in variables.items()}
    came = {key: array.shape for key, array in arrays.items()}
    if wanted != came:
        differing = next(key for key in {**wanted, **came} if wanted.get(key) != came.get(key))
        raise InputError(
            f"network: expected arrays of {name}, got {differing} of shape"
            f" {came.get(differing, 'none')} instead of {wanted.get(differing, 'none')}"
        )
    for key, variable in variables.items():
        variable.set_value(jnp.asarray(arrays[key]))
    return network


def _variables(network: nnx.Module) -> list[tuple[str, Any]]:
    check_type(network, nnx.Module, name="network", wanted="an NNX module")
    flat = nnx.to_flat_state(nnx.state(network))
    return [
        (".".join(map(str, path)), variable)
        for path, variable in flat
        if not isinstance(variable, nnx.RngState)
    ]
