"""A classifier as a function of its parameters, for training it further.

Parameters are what the framework trains: of Flax NNX the ``nnx.Param``, of Linen the collection
``params``, of Equinox the module's arrays, of Keras the trainable variables, of PyTorch
``parameters()``, by the bridge to JAX. All else stays as it is: statistics of batch norms above all
(``Fixed``). Of any other pytree, such as a function of arrays, all floating-point leaves are
parameters.
"""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Float

from cfx_jax.adapters.adapted import Adapted
from cfx_jax.adapters.fixed import Fixed
from cfx_jax.adapters.torch import from_torch
from cfx_jax.adapters.torch_network import Network
from cfx_jax.array_types import AnyArray
from cfx_jax.compilation import as_pytree
from cfx_jax.errors import InputError
from cfx_jax.objectives import Classifier


class Trainable(NamedTuple):
    """A classifier that can be trained further.

    Attributes:
        parameters: arrays by their paths in the classifier.
        rebuild: parameters of the same names -> the classifier with these, in evaluation mode.
    """

    parameters: dict[str, Float[Array, "..."]]
    rebuild: Callable[[Mapping[str, Float[AnyArray, "..."]]], Classifier]


def trainable(classifier: Classifier) -> Trainable:
    """Takes the parameters out of a classifier.

    Args:
        classifier: image -> logits, from an adapter or ``models.per_image``, or any pytree that is
            called.

    Returns:
        The parameters, and what puts others in their place; the classifier itself stays.

    Raises:
        InputError: a classifier whose parameters JAX does not know: a function that has closed over
            them, one of ``jax.export``, TorchScript.

    Example:
        >>> from jax.tree_util import Partial
        >>> def brightness(weight, image):
        ...     return weight * jnp.stack([0.5, image.mean()])
        >>> parts = trainable(Partial(brightness, jnp.array(2.0)))
        >>> doubled = parts.rebuild({name: 2 * values for name, values in parts.parameters.items()})
        >>> doubled(jnp.ones((4, 4, 1))).tolist()
        [2.0, 4.0]
    """
    pytree = as_pytree(_in_jax(classifier))
    named, structure = jax.tree_util.tree_flatten_with_path(
        pytree, is_leaf=lambda node: isinstance(node, (Fixed, nnx.Variable))
    )
    names = [jax.tree_util.keystr(path) for path, _ in named]
    leaves = dict(zip(names, (leaf for _, leaf in named), strict=True))
    parameters = {name: _value(leaf) for name, leaf in leaves.items() if _is_parameter(leaf)}
    if not parameters:
        raise InputError(
            "model: expected one whose parameters JAX knows (Flax NNX or Linen, Equinox, Keras on"
            " JAX, a PyTorch module), got one without: give the network itself to its adapter"
        )

    def rebuild(given: Mapping[str, Float[AnyArray, "..."]]) -> Classifier:
        _check_same(given, parameters)
        changed = [
            _with_value(leaf, jnp.asarray(given[name])) if name in given else leaf
            for name, leaf in leaves.items()
        ]
        rebuilt: Classifier = jax.tree_util.tree_unflatten(structure, changed)
        return rebuilt

    return Trainable(parameters, rebuild)


def _in_jax(classifier: Classifier) -> Classifier:
    """A PyTorch module behind a callback, translated to JAX; any other classifier as it is."""
    if not isinstance(classifier, Adapted) or not isinstance(classifier.batched, Network):
        return classifier
    module, inputs, outputs = classifier.batched.module, classifier.inputs, classifier.outputs
    return from_torch(module, inputs=inputs, outputs=outputs, bridge="jax")


def _is_parameter(leaf: Any) -> bool:
    if isinstance(leaf, nnx.Variable):
        return isinstance(leaf, nnx.Param)
    is_array = not isinstance(leaf, Fixed) and hasattr(leaf, "dtype")
    return is_array and jnp.issubdtype(leaf.dtype, jnp.floating)


def _value(leaf: Any) -> Float[Array, "..."]:
    return leaf[...] if isinstance(leaf, nnx.Variable) else jnp.asarray(leaf)


def _with_value(leaf: Any, value: Float[Array, "..."]) -> Any:
    return leaf.replace(value) if isinstance(leaf, nnx.Variable) else value


def _check_same(given: Mapping[str, Any], wanted: Mapping[str, Any]) -> None:
    shapes = {name: tuple(values.shape) for name, values in wanted.items()}
    came = {name: tuple(values.shape) for name, values in given.items()}
    if came != shapes:
        name = next(name for name in {**shapes, **came} if shapes.get(name) != came.get(name))
        raise InputError(
            f"parameters: expected {name or 'one array'} of shape {shapes.get(name, 'none')}, got"
            f" {came.get(name, 'none')}: give the model that was trained"
        )
