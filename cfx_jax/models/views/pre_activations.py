"""The values that the convolutions of a network compute, before batch norm and non-linearity.

They are for ``metrics.pre_activation_variances`` (Fontanella et al. 2023, table 3).
"""

from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from functools import partial, reduce
from typing import Any

import jax
from flax import nnx
from jaxtyping import Array, Float

from cfx_jax.checks import check_choice
from cfx_jax.errors import InputError
from cfx_jax.models.views.compute_dtype import leaves_at_least_float32
from cfx_jax.models.views.per_image import in_inference_mode

LayerPath = tuple[Hashable, ...]
"""Names and places that lead from a model to one of its layers."""

_LAYERS = (nnx.Conv, nnx.Linear)
"""A linear layer on maps is a 1x1 convolution; one on vectors is none, and is left out."""


@jax.tree_util.register_dataclass
@dataclass(frozen=True, eq=False)
class PreActivations:
    """A function that computes the values of each convolution of a network.

    It is a pytree, to be passed through ``jax.jit`` as an argument.

    Attributes:
        model: the network in inference mode.
        names: the paths of the layers; others compile anew.
    """

    model: Any
    names: tuple[LayerPath, ...] = field(metadata={"static": True})

    def __call__(self, *inputs: Float[Array, "b ..."]) -> dict[str, Float[Array, "b ..."]]:
        """Computes the values of each convolution, by its name, such as ``"stages.0.conv1"``.

        They come in the order in which they are made; under ``jax.jit`` in the order of their
        names.

        Args:
            inputs: the batch that the model is called with, the first axis running over images or
                volumes.

        Returns:
            Arrays whose first axis is the inputs' first axis: (b, h, w, c) of images, (b, n, h, w,
            c) where a model of volumes turns each into n images.
        """
        values: dict[str, jax.Array] = {}
        _recording(self.model, self.names, values)(*inputs)
        return {name: _by_input(value, len(inputs[0])) for name, value in values.items()}


def pre_activations(model: nnx.Module, *, part: str | None = None) -> PreActivations:
    """Returns a view of a model as a function that computes the values of its convolutions.

    The model takes batches and is viewed in inference mode. Compare two networks on the same
    images, plain and with the same noise, batch by batch::

        values = jax.jit(lambda capture, images: capture(images))
        pre_activation_variances(values(pre_activations(model), images) for images in batches)

    Args:
        model: an NNX module of batches of images, volumes, or volumes with their saliency. Layers
            of the classes ``nnx.Conv`` and, on maps, ``nnx.Linear`` count; one that is called twice
            gives its last values.
        part: the attribute of the model, such as ``"stages"``, whose convolutions alone are wanted;
            None for all.

    Returns:
        The function.

    Raises:
        InputError: ``model`` is not an NNX module, no part of it has a convolution, or ``part`` is
            none that has.

    >>> from cfx_jax.models import resnet_small
    >>> model = nnx.eval_shape(lambda: resnet_small(num_classes=2, rngs=nnx.Rngs(0)))
    >>> pre_activations(model, part="stem").names
    (('stem', 'conv'),)
    """
    if not isinstance(model, nnx.Module):
        raise InputError(
            f"model: expected an NNX model of batches, got {type(model).__name__}: give the model,"
            " no view"
        )
    names = tuple(path for path, module in nnx.iter_modules(model) if isinstance(module, _LAYERS))
    if not names:
        raise InputError(
            f"model: {type(model).__name__} has no convolution (nnx.Conv, or nnx.Linear on maps)"
        )
    if part is not None:
        check_choice(part, tuple(dict.fromkeys(path[0] for path in names)), name="part")
        names = tuple(path for path in names if path[0] == part)
    return PreActivations(in_inference_mode(model), names)


class _Recorder(nnx.Module):
    """A layer that records the maps that it computes."""

    def __init__(self, layer: Any, record: Callable[[jax.Array], None]) -> None:
        self.layer, self.record = layer, record

    def __call__(self, x: jax.Array) -> jax.Array:
        y = self.layer(x)
        if y.ndim == 4:
            self.record(leaves_at_least_float32(y))
        return y


def _recording(model: Any, names: tuple[LayerPath, ...], values: dict[str, jax.Array]) -> Any:
    """Makes a copy of the model whose layers put their values into ``values``."""
    copy = nnx.clone(model)
    for path in names:
        holder = reduce(_child, path[:-1], copy)
        record = partial(values.__setitem__, ".".join(map(str, path)))
        recorder = _Recorder(_child(holder, path[-1]), record)
        if isinstance(path[-1], int):
            holder[path[-1]] = recorder
        else:
            setattr(holder, str(path[-1]), recorder)
    return copy


def _child(module: Any, name: Hashable) -> Any:
    return module[name] if isinstance(name, int) else getattr(module, str(name))


def _by_input(value: Float[Array, "n h w c"], num_inputs: int) -> Float[Array, "b ..."]:
    return value if len(value) == num_inputs else value.reshape(num_inputs, -1, *value.shape[1:])
