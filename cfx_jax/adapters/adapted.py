"""A model of another framework as a classifier of one image, with its layers by name."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from cfx_jax.adapters.inputs_outputs import Inputs, Outputs
from cfx_jax.errors import InputError, reason_of
from cfx_jax.layer_taps import Tapped
from cfx_jax.models import guided_classifier

_NO_LAYERS = (
    "layer: expected a model with layers by name, got {}, which has none: give the model itself to"
    " the adapter of its framework (from_torch, from_keras, from_nnx, from_linen, from_equinox)"
)


@jax.tree_util.register_dataclass
@dataclass(frozen=True, eq=False)
class Adapted:
    """A model of another framework as a classifier; a pytree with the model's weights as leaves.

    Attributes:
        batched: the model of batches: images in its own layout -> values ``(n, k)`` or ``(n,)``.
        inputs: how it expects its images.
        outputs: what its values mean.
    """

    batched: Any
    inputs: Inputs = field(metadata={"static": True})
    outputs: Outputs = field(metadata={"static": True})

    def __call__(self, image: Float[Array, "h w c"]) -> Float[Array, " k"]:
        """Computes the logits of one image."""
        return self._logits(_called(self.batched, self.inputs.prepare(image)))

    def layers(self, image: Float[Array, "h w c"]) -> dict[str, tuple[int, ...]]:
        """Finds the layers and the shapes of their values, without computing them where possible.

        Args:
            image: one image, or anything of its shape and dtype.

        Returns:
            By name, in the order in which the layers end, the shape of the value for one image:
            ``(fh, fw, f)`` of one with spatial axes, whatever the model's own layout. A layer's
            second call is ``name:2``.

        Raises:
            InputError: a model without layers, such as a function of ``jax.export``.
        """
        if not hasattr(self.batched, "layers"):
            raise InputError(_NO_LAYERS.format("a serialised function"))
        shape = jax.eval_shape(self.inputs.prepare, jax.ShapeDtypeStruct(image.shape, jnp.float32))
        layers = _called(self.batched.layers, shape)
        if not layers:
            raise InputError(_NO_LAYERS.format("one of TorchScript, or a bare function"))
        return {name: self._as_maps(shape) for name, shape in layers.items()}

    def last_spatial_layer(self, image: Float[Array, "h w c"]) -> str:
        """Finds the layer that class activation maps read by default.

        It is the last one to end whose values have spatial axes with more than one position.

        Args:
            image: one image, or anything of its shape and dtype.

        Raises:
            InputError: no layer has spatial axes.
        """
        layers = self.layers(image)
        spatial = [name for name, shape in layers.items() if _is_spatial(shape)]
        if not spatial:
            raise InputError(
                "layer: expected a model with a layer of feature maps (fh, fw, f), as class"
                f" activation maps need one, got none among {len(layers)} layers"
            )
        return spatial[-1]

    def tap(self, layer: str) -> "LayerTap":
        """A tap of a layer, for class activation maps.

        Args:
            layer: a name of ``layers``.

        Returns:
            The tap; called, it raises an ``InputError`` where the model has no such layer.

        Raises:
            InputError: a model without layers.
        """
        if not hasattr(self.batched, "tapped"):
            raise InputError(_NO_LAYERS.format("a serialised function"))
        return LayerTap(self, layer)

    def guided(self) -> Callable[[Float[Array, "h w c"]], Float[Array, " k"]]:
        """Gives a view of the classifier for guided backpropagation, with the same logits.

        Raises:
            InputError: when called, a model without ReLUs.
        """
        if hasattr(self.batched, "guided"):
            return replace(self, batched=self.batched.guided())
        return guided_classifier(self)

    def _logits(self, values: Any) -> Float[Array, " k"]:
        if not hasattr(values, "shape") or values.shape[:1] != (1,):
            got = getattr(values, "shape", type(values).__name__)
            raise InputError(
                f"model: expected images (n, ...) -> values (n, k), got {got} for one image: give a"
                " model that returns one array"
            )
        return self.outputs.logits(values[0].astype(jnp.float32))

    def _as_maps(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        is_first = self.inputs.layout == "channels_first" and len(shape) == 3
        return (*shape[1:], shape[0]) if is_first else shape


@jax.tree_util.register_dataclass
@dataclass(frozen=True, eq=False)
class LayerTap:
    """A classifier that shows the value of one of its layers (see ``taps``); a pytree.

    Attributes:
        classifier: from an adapter.
        layer: the name of the layer.
    """

    classifier: Adapted
    layer: str = field(metadata={"static": True})

    def __call__(
        self, image: Float[Array, "h w c"], shift: Float[Array, "*shape"] | None = None, /
    ) -> Tapped:
        """Computes the logits of one image, and the layer's value with the shift added."""
        inputs = self.classifier.inputs
        is_first = inputs.layout == "channels_first"
        moved = None if shift is None else shift[None]
        if moved is not None and is_first and moved.ndim == 4:
            moved = moved.transpose(0, 3, 1, 2)
        tapped = self.classifier.batched.tapped
        values, value = _called(tapped, self.layer, inputs.prepare(image), moved)
        value = value[0]
        if is_first and value.ndim == 3:
            value = value.transpose(1, 2, 0)
        return Tapped(self.classifier._logits(values), value)


def _is_spatial(shape: tuple[int, ...]) -> bool:
    return len(shape) == 3 and shape[0] * shape[1] > 1


def _called(function: Any, *arguments: Any) -> Any:
    """Calls the model; what it raises of images that it does not take becomes one line."""
    try:
        return function(*arguments)
    except (AttributeError, IndexError, TypeError, ValueError) as error:
        # JAX's own errors say that a program cannot be traced, and are handled by their type.
        is_of_jax = isinstance(error, (jax.errors.JAXTypeError, jax.errors.JAXIndexError))
        if isinstance(error, InputError) or is_of_jax or "callback: Traceback" in str(error):
            raise
        shapes = [argument.shape for argument in arguments if hasattr(argument, "shape")]
        raise InputError(
            f"model: expected one of images {shapes[0]}, but it raised {type(error).__name__}:"
            f" {reason_of(error)}: give Inputs(layout=, channels=, size=)"
        ) from error
