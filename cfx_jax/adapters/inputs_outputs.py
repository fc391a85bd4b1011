"""Facts on a model of another framework: what it expects of images, and what its values mean.

The library explains classifiers of one float32 image ``(h, w, c)`` in [0, 1] that give logits
``(k,)``. ``Inputs`` says how such an image becomes what the model expects, ``Outputs`` how its
values become logits. Both are part of the classifier, so that all gradients are by the image.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.tree_util import register_static
from jaxtyping import Array, Float

from cfx_jax.checks import check_choice, check_integer
from cfx_jax.errors import InputError

_LAYOUTS = ("channels_first", "channels_last")
_ORDERS = ("rgb", "bgr")
_KINDS = ("logits", "probabilities", "log_probabilities")
_SMALLEST = 1e-12
"""The least probability whose logarithm is taken: float32 keeps it, and 1 minus it is 1."""


@register_static
@dataclass(frozen=True)
class Inputs:
    """How a model expects its images.

    Attributes:
        layout: ``"channels_first"`` (PyTorch) or ``"channels_last"``.
        channels: 1 or 3; grey images are repeated for a model of three channels, colour images
            become their luminance for a model of one. None takes them as they are.
        size: height and width in pixels that images are resized to (bilinear, antialiased); None
            leaves the size.
        value_range: what 0 and 1 become before ``mean`` and ``std``: ``(0, 255)`` for a model of
            8-bit values, ``(-1024, 1024)`` for torchxrayvision.
        mean: subtracted, one number or one per channel, in units of ``value_range``.
        std: divided by, likewise.
        channel_order: ``"rgb"``, or ``"bgr"`` of a model that was trained on images read by OpenCV,
            or on Caffe's; ``mean`` and ``std`` are in this order.

    Raises:
        InputError: an unknown layout or order, channels other than 1 and 3, a size that is not two
            integers, an empty range, a standard deviation of 0, numbers that are not finite.
    """

    layout: str = "channels_last"
    channels: int | None = None
    size: tuple[int, int] | None = None
    value_range: tuple[float, float] = (0.0, 1.0)
    mean: float | tuple[float, ...] = 0.0
    std: float | tuple[float, ...] = 1.0
    channel_order: str = "rgb"

    def __post_init__(self) -> None:
        check_choice(self.layout, _LAYOUTS, name="layout")
        check_choice(self.channel_order, _ORDERS, name="channel_order")
        if self.channels not in (None, 1, 3) or self.channels is True:
            raise InputError(f"channels: expected 1, 3 or None, got {self.channels!r}")
        if self.size is not None:
            object.__setattr__(self, "size", _sides(self.size))
        for name in ("value_range", "mean", "std"):
            object.__setattr__(self, name, _numbers(getattr(self, name), name))
        if not isinstance(self.value_range, tuple) or len(self.value_range) != 2:
            raise InputError(f"value_range: expected two numbers, got {self.value_range}")
        if self.value_range[0] == self.value_range[1]:
            raise InputError(f"value_range: expected two different values, got {self.value_range}")
        if 0 in (self.std if isinstance(self.std, tuple) else (self.std,)):
            raise InputError("std: expected values other than 0, got 0")

    def prepare(self, image: Float[Array, "h w c"]) -> Float[Array, "1 ..."]:
        """The batch of one image that the model is given.

        Args:
            image: values in [0, 1].

        Returns:
            ``(1, c, h, w)`` or ``(1, h, w, c)``, by ``layout``.

        Raises:
            InputError: no image, one of other channels than 1, 3 or ``channels``, or of other
                channels than ``mean`` and ``std`` have.
        """
        if image.ndim != 3:
            raise InputError(f"image: expected shape (h, w, c), got {image.shape}")
        values = _with_channels(image, self.channels)
        if self.size is not None and values.shape[:2] != self.size:
            shape = (*self.size, values.shape[2])
            values = jax.image.resize(values, shape, "linear", antialias=True)
        if self.channel_order == "bgr":
            values = values[..., ::-1]
        low, high = self.value_range
        values = values * (high - low) + low
        values = (values - _per_channel(self.mean, values, "mean")) / _per_channel(
            self.std, values, "std"
        )
        if self.layout == "channels_first":
            values = values.transpose(2, 0, 1)
        return values[None]


@register_static
@dataclass(frozen=True)
class Outputs:
    """The meaning of a model's values.

    Attributes:
        kind: ``"logits"``, ``"probabilities"`` or ``"log_probabilities"``. Probabilities below
            1e-12 are taken for 1e-12.
        label: the label of a model of several labels, each with a sigmoid of its own; the
            classifier then has the two classes "without" and "with" it. None for classes that
            exclude each other, and for a model of one value.

    Raises:
        InputError: an unknown kind, a label below 0.
    """

    kind: str = "logits"
    label: int | None = None

    def __post_init__(self) -> None:
        check_choice(self.kind, _KINDS, name="kind")
        if self.label is not None:
            check_integer(self.label, name="label", at_least=0)

    def logits(self, values: Float[Array, "*k"]) -> Float[Array, " k"]:
        """The logits of the classes.

        Args:
            values: what the model gives for one image: one value for each class or label, or a
                single one, that of class 1.

        Returns:
            One logit for each class; of one value or label ``(0, log-odds)``.

        Raises:
            InputError: values of another shape, a label that the model has not.
        """
        if values.ndim > 1:
            raise InputError(
                f"model: expected values (k,) for an image, got {values.shape}: give a model that"
                " ends in one value for each class"
            )
        values = jnp.atleast_1d(values)
        if self.label is not None:
            if self.label >= len(values):
                raise InputError(f"label: expected below {len(values)}, got {self.label}")
            values = values[self.label : self.label + 1]
        return _log_odds(values, self.kind) if len(values) == 1 else _to_logits(values, self.kind)


def _with_channels(image: Float[Array, "h w c"], channels: int | None) -> Float[Array, "h w c"]:
    if channels is None or image.shape[2] == channels:
        return image
    if channels == 3 and image.shape[2] == 1:
        return jnp.repeat(image, 3, axis=2)
    if channels == 1 and image.shape[2] == 3:
        luma = jnp.array([0.299, 0.587, 0.114], image.dtype)  # ITU-R BT.601
        return (image * luma).sum(axis=2, keepdims=True)
    raise InputError(
        f"image: expected {channels} channels, or 1 or 3 to make them of, got {image.shape[2]}"
    )


def _sides(size: Any) -> tuple[int, int]:
    sides = tuple(size) if isinstance(size, Sequence) and not isinstance(size, str) else ()
    if len(sides) != 2:
        raise InputError(f"size: expected height and width in pixels, got {size!r}")
    for side in sides:
        check_integer(side, name="size", at_least=1)
    return int(sides[0]), int(sides[1])


def _numbers(given: Any, name: str) -> float | tuple[float, ...]:
    """One number, or several as a tuple, which compares by value."""
    try:
        values = np.asarray(given, np.float64)
    except (TypeError, ValueError):
        values = np.array(np.nan)
    if values.ndim > 1 or not values.size or not np.isfinite(values).all():
        raise InputError(f"{name}: expected one finite number or one per channel, got {given!r}")
    return tuple(values.tolist()) if values.ndim else values.item()


def _per_channel(
    number: float | tuple[float, ...], values: Float[Array, "h w c"], name: str
) -> Float[Array, "*c"]:
    if isinstance(number, tuple) and len(number) not in (1, values.shape[2]):
        raise InputError(
            f"{name}: expected one number or {values.shape[2]}, one per channel, got {len(number)}"
        )
    return jnp.asarray(number, values.dtype)


def _log_odds(value: Float[Array, "1"], kind: str) -> Float[Array, "2"]:
    if kind == "probabilities":
        value = jnp.clip(value, _SMALLEST, 1.0)
        value = jnp.log(value) - jnp.log(jnp.maximum(1 - value, _SMALLEST))
    elif kind == "log_probabilities":
        value = value - jnp.log(jnp.maximum(-jnp.expm1(value), _SMALLEST))
    return jnp.concatenate([jnp.zeros_like(value), value])


def _to_logits(values: Float[Array, " k"], kind: str) -> Float[Array, " k"]:
    return jnp.log(jnp.maximum(values, _SMALLEST)) if kind == "probabilities" else values
