"""Keras 3 networks as classifiers, with the backends JAX and PyTorch."""

import os
import sys
from pathlib import Path
from typing import Any

import jax.numpy as jnp
from jax.tree_util import Partial, register_static
from jaxtyping import Array, Float

from cfx_jax.adapters.adapted import Adapted
from cfx_jax.adapters.fixed import Fixed
from cfx_jax.adapters.inputs_outputs import Inputs, Outputs
from cfx_jax.adapters.layers import Traced, Visit, shown_calls
from cfx_jax.adapters.torch import from_torch
from cfx_jax.errors import InputError, import_extra, reason_of


def from_keras(
    model: Any, *, inputs: Inputs | None = None, outputs: Outputs | None = None
) -> Adapted:
    """Turns a Keras 3 model into a classifier, in inference mode.

    Args:
        model: images ``(n, h, w, c)`` -> values ``(n, k)``; or the path of a ``.keras`` file.
        inputs: how it expects its images; None: the layout of Keras' settings, values in [0, 1] as
            they are.
        outputs: what its values mean; None: logits. Many Keras models end in a softmax: say
            ``Outputs("probabilities")``.

    Returns:
        The classifier, image ``(h, w, c)`` -> logits ``(k,)``. With Keras' backend JAX a pytree
        with the weights as leaves; with PyTorch the callback of ``from_torch``.

    Raises:
        InputError: no Keras model, a file that cannot be read, Keras not installed, or Keras runs
            on another backend.

    Example:
        >>> import keras
        >>> import jax.numpy as jnp
        >>> from cfx_jax.adapters import from_keras
        >>> layers = [keras.layers.Input((4, 4, 3)), keras.layers.Flatten(), keras.layers.Dense(2)]
        >>> from_keras(keras.Sequential(layers))(jnp.ones((4, 4, 3))).shape
        (2,)
    """
    if "keras" not in sys.modules:
        os.environ.setdefault("KERAS_BACKEND", "jax")  # Keras reads it when it is imported
    keras = import_extra("keras", "Keras networks")
    if isinstance(model, (str, Path)):
        model = _load(keras, Path(model))
    if not isinstance(model, keras.Model):
        raise InputError(
            f"model: expected a keras.Model or a .keras file, got {type(model).__name__}"
        )
    inputs = inputs or Inputs(layout=keras.config.image_data_format())
    backend = keras.backend.backend()
    if backend == "torch":
        return from_torch(model, inputs=inputs, outputs=outputs)
    if backend != "jax":
        raise InputError(
            f"model: expected Keras to run on JAX or PyTorch, got {backend}: start Python with"
            " KERAS_BACKEND=jax"
        )
    trainable, fixed = (
        [jnp.asarray(variable.value) for variable in variables]
        for variables in (model.trainable_variables, model.non_trainable_variables)
    )
    batched = Traced(Partial(_run, _Keras(model), trainable, Fixed(fixed)))
    return Adapted(batched, inputs, outputs or Outputs())


def _load(keras: Any, path: Path) -> Any:
    if not path.is_file():
        raise InputError(f"{path}: expected a .keras file, found none")
    try:
        return keras.saving.load_model(path, compile=False, safe_mode=True)
    except Exception as error:  # whatever Keras raises of a damaged file
        raise InputError(f"{path}: expected a .keras file, got: {reason_of(error)}") from error


@register_static
class _Keras:
    """A model without its weights; equal to itself alone."""

    def __init__(self, model: Any) -> None:
        self.model = model


def _run(
    network: _Keras,
    trainable: list[Array],
    fixed: Fixed,
    visit: Visit | None,
    images: Float[Array, "n h w c"],
) -> Float[Array, "n k"]:
    layers = list(network.model._flatten_layers(include_self=False))
    names = {id(layer): layer.name for layer in layers}
    with shown_calls(names, set(map(type, layers)), visit):
        values, _ = network.model.stateless_call(trainable, fixed.tree, images, training=False)
    return values
