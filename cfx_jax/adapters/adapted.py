"""A model of another framework as a classifier of one image, with its layers by name."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from cfx_jax.adapters.feature_maps import find_orders, no_maps, shape_of_maps
from cfx_jax.adapters.inputs_outputs import Inputs, Outputs
from cfx_jax.adapters.layers import unknown_layer
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
            ``(fh, fw, f)`` of feature maps, whatever the model's own layout. A layer's second call
            is ``name:2``.

        Raises:
            InputError: a model without layers, such as a function of ``jax.export``.
        """
        orders = self._orders(image)
        return {
            name: shape_of_maps(shape, orders.get(name))
            for name, shape in self._shapes(image).items()
        }

    def feature_maps(self, image: Float[Array, "h w c"]) -> dict[str, tuple[int, ...]]:
        """Finds the layers that hold feature maps, which class activation maps can read.

        Args:
            image: one image, or anything of its shape and dtype.

        Returns:
            Those of ``layers`` whose value is maps, with their shape ``(fh, fw, f)``.

        Raises:
            InputError: a model without layers.
        """
        orders = self._orders(image)
        return {name: shape for name, shape in self.layers(image).items() if name in orders}

    def last_spatial_layer(self, image: Float[Array, "h w c"]) -> str:
        """Finds the layer that class activation maps read by default.

        It is the last one to end whose values have spatial axes with more than one position.

        Args:
            image: one image, or anything of its shape and dtype.

        Raises:
            InputError: no layer has spatial axes.
        """
        layers, maps = self.layers(image), self.feature_maps(image)
        spatial = [name for name, (height, width, _) in maps.items() if height * width > 1]
        if not spatial:
            raise InputError(
                "layer: expected a model with a layer of feature maps (fh, fw, f), as class"
                f" activation maps need one, got none among {len(layers)} layers"
            )
        return spatial[-1]

    def check_maps(self, layer: str, image: Float[Array, "h w c"]) -> None:
        """Checks that class activation maps can read a layer.

        Args:
            layer: its name.
            image: one image, or anything of its shape and dtype.

        Raises:
            InputError: no such layer, one without feature maps, or with maps larger than the image.
        """
        layers, maps = self.layers(image), self.feature_maps(image)
        if layer not in layers:
            raise unknown_layer(layer, maps or layers)
        height, width = image.shape[:2]
        fitting = [name for name, (h, w, _) in maps.items() if h <= height and w <= width]
        if layer not in fitting:
            raise no_maps(layer, layers[layer], fitting)

    def tap(self, layer: str) -> "LayerTap":
        """A tap of a layer, for class activation maps.

        Args:
            layer: a name of ``layers``.

        Returns:
            The tap; called, it raises an ``InputError`` where the model has no such layer, or
            where the layer's value has three axes that are not those of feature maps.

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

    def _shapes(self, image: Float[Array, "h w c"]) -> dict[str, tuple[int, ...]]:
        """The shapes of the layers' values in the model's own order of axes."""
        if not hasattr(self.batched, "layers"):
            raise InputError(_NO_LAYERS.format("a serialised function"))
        layers = _called(self.batched.layers, self._prepared(image))
        if not layers:
            raise InputError(_NO_LAYERS.format("one of TorchScript, or a bare function"))
        return layers

    def _orders(self, image: Float[Array, "h w c"]) -> dict[str, str]:
        """The order of axes of each layer that holds feature maps."""
        batch, layout = self._prepared(image), self.inputs.layout
        rows, columns = (2, 3) if layout == "channels_first" else (1, 2)

        def layers_of_larger(axis: int) -> dict[str, tuple[int, ...]]:
            sides = [2 * side if at == axis else side for at, side in enumerate(batch.shape)]
            larger = jax.ShapeDtypeStruct(tuple(sides), batch.dtype)
            return self.batched.layers(larger, as_far=True)

        return find_orders(
            self._shapes(image),
            layers_of_larger(rows),
            layers_of_larger(columns),
            image=(batch.shape[rows], batch.shape[columns]),
            layout=layout,
            convolutions=self.batched.convolutions,
        )

    def _prepared(self, image: Float[Array, "h w c"]) -> jax.ShapeDtypeStruct:
        """The shape of the batch of one image that the model is given."""
        return jax.eval_shape(self.inputs.prepare, jax.ShapeDtypeStruct(image.shape, jnp.float32))


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
        is_first = self._order(image) == "channels_first"
        moved = None if shift is None else shift[None]
        if moved is not None and is_first:
            moved = moved.transpose(0, 3, 1, 2)
        batch, tapped = self.classifier.inputs.prepare(image), self.classifier.batched.tapped
        values, value = _called(tapped, self.layer, batch, moved)
        value = value[0].transpose(1, 2, 0) if is_first else value[0]
        return Tapped(self.classifier._logits(values), value)

    def _order(self, image: Float[Array, "h w c"]) -> str | None:
        """The order of axes of the layer's maps; None where its value has other than three axes."""
        shape = self.classifier._shapes(image).get(self.layer, ())
        if len(shape) != 3:
            return None
        orders = self.classifier._orders(image)
        if self.layer not in orders:
            raise no_maps(self.layer, shape, orders)
        return orders[self.layer]


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
