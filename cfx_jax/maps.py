"""Functions of a map: channel sum, scaling, thresholds, Gaussian smoothing, upsampling.

Each function takes one map: ``(h, w, c)`` or ``(h, w)`` of an image, ``(s, h, w, c)`` of a volume.
Some take ``(s, h, w)`` too, and say so. Use ``vmap`` for several maps.

Smoothing and upsampling are written as matrix products along the two axes of the plane. A matrix
product is fast to differentiate everywhere. A convolution is not, inside of a loop on a CPU.
"""

import math

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array, lax
from jaxtyping import Bool, Float

from cfx_jax.array_types import AnyArray
from cfx_jax.checks import (
    check_array,
    check_choice,
    check_flag,
    check_integer,
    check_number,
    check_positive,
    check_real,
    is_concrete,
)
from cfx_jax.errors import InputError

_PADDING = {"reflect": "symmetric", "edge": "edge", "zero": "constant"}


def channel_sum(saliency: Float[AnyArray, "*batch h w c"]) -> Float[Array, "*batch h w"]:
    """The sum of absolute values over channels.

    Args:
        saliency: a signed map.

    Returns:
        A map without channels, at least 0.

    Example:
        >>> channel_sum(jnp.array([[[1.0, -2.0], [0.0, 0.5]]])).tolist()
        [[3.0, 0.5]]
    """
    check_array(saliency, name="saliency")
    if not saliency.ndim:
        raise InputError("saliency: expected a map with channels last, got a number")
    return jnp.abs(saliency).sum(axis=-1)


def min_max(saliency: Float[Array, "*s h w"]) -> Float[Array, "*s h w"]:
    """Rescales one map, or all slices of a volume's map together, to [0, 1].

    A constant map becomes 0.

    Example:
        >>> min_max(jnp.array([[-1.0, 0.0, 3.0]])).tolist()
        [[0.0, 0.25, 1.0]]
    """
    check_array(saliency, name="saliency")
    _check_pixels(saliency)
    low, high = saliency.min(), saliency.max()
    return (saliency - low) / jnp.where(high > low, high - low, 1)


def quantile_threshold(
    saliency: Float[Array, "*s h w"],
    quantile: float,
    *,
    mask: Bool[Array, "*s h w"] | None = None,
    volume: bool = False,
) -> Bool[Array, "*s h w"]:
    """The pixels at or above a quantile of one map, within a mask.

    Boreiko et al. 2022, section 2.4.

    The quantile is over the whole map, interpolated linearly, and the mask is applied afterwards,
    as published. Of a constant map every pixel is kept.

    Args:
        saliency: a map without channels.
        quantile: in [0, 1]; 0.96 keeps 2,008 pixels of 224 x 224.
        mask: where pixels may be kept.
        volume: whether the map is a volume's, ``(s, h, w)``, with one quantile over all slices.

    Returns:
        True where kept.

    Raises:
        InputError: a quantile outside [0, 1], a map with channels, or a mask of another shape.

    Example:
        >>> quantile_threshold(jnp.array([[0.0, 1.0, 2.0, 3.0]]), 0.5).tolist()
        [[False, False, True, True]]
    """
    check_array(saliency, name="saliency")
    check_real(saliency, name="saliency")
    check_number(quantile, name="quantile")
    if not 0 <= quantile <= 1:
        raise InputError(f"quantile: expected a number in [0, 1], got {quantile}")
    check_flag(volume, name="volume")
    if saliency.ndim != 2 + volume:
        expected = "one map of a volume (s, h, w)" if volume else "one map (h, w)"
        raise InputError(
            f"saliency: expected {expected}, got shape {saliency.shape}: sum over channels, or vmap"
        )
    if mask is not None:
        check_array(mask, name="mask")
        if mask.dtype != bool:
            raise InputError(f"mask: expected booleans, got {mask.dtype}: give e.g. mask > 0")
    if mask is not None and mask.shape != saliency.shape:
        raise InputError(f"mask: expected the map's shape {saliency.shape}, got {mask.shape}")
    if is_concrete(saliency) and np.isnan(np.asarray(saliency)).any():
        raise InputError(
            "saliency: expected a map without NaN: look for the cause in the score's gradient"
        )
    kept = saliency >= jnp.quantile(saliency, float(quantile))
    return kept if mask is None else kept & mask


def smooth(
    saliency: Float[AnyArray, "h w *c"] | Float[AnyArray, "s h w c"],
    *,
    sigma: float | Float[Array, ""],
    radius: int | None = None,
    border: str = "reflect",
) -> Float[Array, "h w *c"] | Float[Array, "s h w c"]:
    """Blurs one map or image with a Gaussian whose taps sum to 1.

    Channels and slices are blurred each for itself.

    Args:
        saliency: a map with or without channels, or an image; or, with channels, a volume's.
        sigma: standard deviation in pixels, above 0.
        radius: the kernel has ``2 * radius + 1`` taps; None takes the radius nearest to
            ``4 * sigma``. The "28 x 28" kernel of Charachon et al. 2021 has radius 14.
        border: what is beyond the border: ``"reflect"`` mirrors at the outer edge of the last pixel
            and so keeps the map's sum, ``"edge"`` repeats the last pixel, ``"zero"`` darkens the
            border.

    Returns:
        The blurred map, of the same shape.

    Raises:
        InputError: sigma not above 0, a radius below 0, none where sigma is traced, an unknown
            border, or no map.

    Example:
        >>> blurred = smooth(jnp.array([[0.0, 0.0, 8.0, 0.0, 0.0]]), sigma=1.0, radius=1)
        >>> [round(value, 2) for value in blurred[0].tolist()]
        [0.0, 2.19, 3.61, 2.19, 0.0]
    """
    _check_map(saliency)
    check_positive(sigma, name="sigma")
    check_choice(border, tuple(_PADDING), name="border")
    radius = _kernel_radius(sigma, radius)
    values = jnp.asarray(saliency, jnp.result_type(saliency, jnp.float32))
    _, size, _ = _axes(values)
    down, across = (_blur_matrix(side, sigma, radius, border).astype(values.dtype) for side in size)

    def blur(plane: Float[Array, "h w *c"]) -> Float[Array, "h w *c"]:
        return jnp.einsum(
            "ih,jw,hw...->ij...", down, across, plane, precision=lax.Precision.HIGHEST
        )

    return jax.vmap(blur)(values) if values.ndim == 4 else blur(values)


def upsample(
    saliency: Float[AnyArray, "h w *c"] | Float[AnyArray, "s h w c"], size: tuple[int, ...]
) -> Float[Array, "H W *c"] | Float[Array, "s H W c"]:
    """Enlarges one map by bilinear interpolation in the plane.

    Pixels are squares: the centre of pixel i is at i + 1/2, and beyond the outermost centres the
    map is constant (as ``align_corners=False`` in PyTorch).

    Args:
        saliency: a map with or without channels, such as the feature maps of a network; or, with
            channels, a volume's.
        size: new height and width in pixels, each at least the old.

    Returns:
        The enlarged map.

    Raises:
        InputError: no map, or a size below the map's own.

    Example:
        >>> upsample(jnp.array([[0.0, 1.0]]), (1, 4)).tolist()
        [[0.0, 0.25, 0.75, 1.0]]
    """
    _check_map(saliency)
    slices, (height, width), channels = _axes(saliency)
    is_pair = np.shape(size) == (2,) and np.asarray(size).dtype.kind in "iu"
    if not is_pair or size[0] < height or size[1] < width:
        raise InputError(
            f"size: expected (height, width) of at least ({height}, {width}), got {size}"
        )
    return jax.image.resize(saliency, (*slices, *size, *channels), "bilinear")


def _check_pixels(saliency: AnyArray) -> None:
    check_real(saliency, name="saliency")
    if not saliency.size:
        raise InputError(f"saliency: expected a map with pixels, got shape {saliency.shape}")


def _check_map(saliency: AnyArray) -> None:
    check_array(saliency, name="saliency")
    _check_pixels(saliency)
    if saliency.ndim not in (2, 3, 4):
        raise InputError(
            "saliency: expected one map (h, w), (h, w, c) or (s, h, w, c), got shape"
            f" {saliency.shape}: use jax.vmap"
        )


def _axes(saliency: AnyArray) -> tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...]]:
    """The sizes before the plane (of slices), of the plane, and after it (of channels)."""
    first = 1 if saliency.ndim == 4 else 0
    return saliency.shape[:first], saliency.shape[first : first + 2], saliency.shape[first + 2 :]


def _kernel_radius(sigma: float | Float[Array, ""], radius: int | None) -> int:
    if radius is None and not is_concrete(sigma):
        raise InputError(
            "radius: expected a number of pixels where sigma is traced, got None: pass e.g."
            " radius=8"
        )
    if radius is None:
        return math.floor(4 * float(sigma) + 0.5)
    check_integer(radius, name="radius", at_least=0)
    return radius


def _blur_matrix(
    size: int, sigma: float | Float[Array, ""], radius: int, border: str
) -> Float[Array, "size size"]:
    """The matrix that blurs a column of ``size`` pixels.

    A blur pads the column, then averages it by the taps around each pixel. Both are linear, so the
    matrix is their product.
    """
    pad = jnp.pad(jnp.eye(size), ((radius, radius), (0, 0)), mode=_PADDING[border])
    offset = jnp.arange(size + 2 * radius) - jnp.arange(size)[:, None] - radius
    taps = jnp.where(abs(offset) <= radius, jnp.exp(-0.5 * (offset / sigma) ** 2), 0)
    average = taps / taps.sum(axis=1, keepdims=True)  # (size, size + 2 * radius)
    return jnp.matmul(average, pad, precision=lax.Precision.HIGHEST)
