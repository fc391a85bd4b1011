"""Classifiers that show the value of a layer, which class activation maps read.

A tap is a function of an image, and of a shift that is added to the layer's value on its way. It
returns the logits and the shifted value. The gradient by the shift is the gradient at the layer,
and another value is a shift too, so that one function is all that a method needs.
"""

from collections.abc import Callable
from typing import Any, NamedTuple, Protocol

import jax
import jax.numpy as jnp
from jax import Array
from jaxtyping import Float, Int

from cfx_jax.checks import check_callable, check_image, check_target, num_classes
from cfx_jax.compilation import shape_of
from cfx_jax.errors import InputError
from cfx_jax.objectives import value_of_class


class Tapped(NamedTuple):
    """The result of a tap for one image.

    Attributes:
        logits: ``(k,)``.
        value: the layer's output, the shift included; feature maps ``(fh, fw, f)`` where the layer
            has spatial axes.
    """

    logits: Float[Array, " k"]
    value: Float[Array, "*shape"]


class Tap(Protocol):
    """A classifier of one image with a layer to read; ``shift`` is of the shape of its value."""

    def __call__(
        self, image: Float[Array, "h w c"], shift: Float[Array, "*shape"] | None = None, /
    ) -> Tapped: ...


class Parts(NamedTuple):
    """A classifier of one image as two functions, ``classifier(image) = head(features(image))``.

    It is the tap between the two.

    Attributes:
        features: image (h, w, c) -> feature maps (fh, fw, f), usually of the last convolution.
        head: feature maps -> logits (k,).

    >>> means = Parts(lambda image: image[::2, ::2], lambda maps: maps.mean((0, 1)))
    >>> means(jnp.ones((4, 4, 2)), jnp.ones((2, 2, 2))).logits.tolist()
    [2.0, 2.0]
    """

    features: Callable[[Float[Array, "h w c"]], Float[Array, "fh fw f"]]
    head: Callable[[Float[Array, "fh fw f"]], Float[Array, " k"]]

    def __call__(
        self, image: Float[Array, "h w c"], shift: Float[Array, "fh fw f"] | None = None, /
    ) -> Tapped:
        """Computes logits and maps of one image."""
        maps = self.features(image)
        maps = maps if shift is None else maps + shift
        return Tapped(self.head(maps), maps)


def check_tap(tap: Tap, image: Float[Array, "h w c"], target: int | Int[Array, ""]) -> None:
    """Checks a tap of feature maps, an image and a target.

    Raises:
        InputError: no valid image, a layer without spatial axes or with larger maps than the image,
            no logits, or a target that is no class.
    """
    check_image(image)
    if isinstance(tap, Parts):
        check_callable(tap.features, name="features", gives="one image -> feature maps")
        check_callable(tap.head, name="head", gives="feature maps -> logits")
    check_callable(tap, name="tap", gives="one image -> logits and feature maps")
    name, shape = "tap", _shape_of_maps(tap, image)
    if isinstance(tap, Parts):
        name = "features"
    if len(shape) != 3 or shape[0] > image.shape[0] or shape[1] > image.shape[1]:
        raise InputError(
            f"{name}: expected one image {image.shape} -> maps (fh, fw, f) no larger than it, got"
            f" {shape}: models.parts gives a tap of a batched model, classifier.tap one of a layer"
        )
    check_target(target, num_classes(lambda x: tap(x).logits, image))


def _shape_of_maps(tap: Tap, image: Float[Array, "h w c"]) -> tuple[int, ...]:
    if isinstance(tap, Parts):  # whose head need not take what is no maps
        return getattr(shape_of(tap.features, image), "shape", ())
    return getattr(shape_of(tap, image), "value", jnp.zeros(())).shape


def value_and_slope(
    tap: Tap, image: Float[Array, "h w c"], target: Int[Array, ""]
) -> tuple[Float[Array, "*shape"], Float[Array, "*shape"]]:
    """The value of a layer, and the gradient of a class's logit by it.

    Args:
        tap: shows the layer.
        image: (h, w, c).
        target: the class.
    """
    value: Any = jax.eval_shape(lambda: tap(image).value)

    def logit(shift: Float[Array, "*shape"]) -> tuple[Float[Array, ""], Float[Array, "*shape"]]:
        logits, moved = tap(image, shift)
        return value_of_class(logits, target), moved

    slope, value = jax.grad(logit, has_aux=True)(jnp.zeros(value.shape, value.dtype))
    return value, slope
