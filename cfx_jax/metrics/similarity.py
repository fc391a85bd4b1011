"""How alike two images are: peak signal-to-noise ratio and structural similarity. One pair;
``vmap`` for more.

Structural similarity: Wang et al. 2004, with their constants K1 = 0.01, K2 = 0.03 and a range of 1,
each channel by itself and averaged. The window is their Gaussian, or the uniform one with sample
covariances that scikit-image uses by default; the two differ in the third decimal, so name the one
you report. Means, variances and covariances are taken where the window lies inside the image.
"""

import functools
from typing import Literal, TypeAlias

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array, lax
from jaxtyping import Float

from cfx_jax.arrays import AnyArray
from cfx_jax.checks import check_choice, check_image
from cfx_jax.errors import InputError

Window: TypeAlias = Literal["gaussian", "uniform"]

_SIZES = {"gaussian": 11, "uniform": 7}
_SIGMA = 1.5
_C1, _C2 = 0.01**2, 0.03**2


def psnr(first: Float[AnyArray, "h w c"], second: Float[AnyArray, "h w c"]) -> Float[Array, ""]:
    """Peak signal-to-noise ratio in decibels, ``10 log10(1 / mean squared difference)``.

    Args:
        first: values in [0, 1].
        second: values in [0, 1].

    Returns:
        A scalar of at least 0; infinity for equal images.

    Raises:
        InputError: values outside [0, 1], or the shapes differ.
    """
    _check_pair(first, second)
    return -10 * jnp.log10(jnp.mean((jnp.asarray(first) - second) ** 2))


def ssim(
    first: Float[AnyArray, "h w c"],
    second: Float[AnyArray, "h w c"],
    *,
    window: Window = "gaussian",
) -> Float[Array, ""]:
    """Mean structural similarity of two images (Wang et al. 2004).

    Args:
        first: values in [0, 1], at least as high and wide as the window.
        second: values in [0, 1].
        window: ``"gaussian"``, 11 x 11 with standard deviation 1.5, or ``"uniform"``, 7 x 7 with
            sample covariances.

    Returns:
        A scalar in [-1, 1], 1 for equal images.

    Raises:
        InputError: values outside [0, 1], an image smaller than the window, another window, or the
            shapes differ.
    """
    _check_pair(first, second)
    check_choice(window, tuple(_SIZES), name="window")
    size = _SIZES[window]
    if min(first.shape[:2]) < size:
        raise InputError(
            f"first: expected at least {size} x {size} pixels for window {window!r}, got shape"
            f" {first.shape}"
        )
    return _ssim(jnp.asarray(first), jnp.asarray(second), window)


@functools.partial(jax.jit, static_argnums=2)
def _ssim(
    first: Float[Array, "h w c"], second: Float[Array, "h w c"], window: Window
) -> Float[Array, ""]:
    taps, correction = _taps(window)
    # Centred on a value near both: covariances do not change, and float32 loses no digits where an
    # image is flat.
    centre = jnp.mean(first, axis=(0, 1), keepdims=True)
    x, y = first - centre, second - centre
    mean_x, mean_y, xx, yy, xy = _filtered(jnp.stack([x, y, x * x, y * y, x * y]), taps)
    spread = correction * (xx - mean_x**2 + yy - mean_y**2)
    covariance = correction * (xy - mean_x * mean_y)
    mean_x, mean_y = mean_x + centre, mean_y + centre
    luminance = (2 * mean_x * mean_y + _C1) / (mean_x**2 + mean_y**2 + _C1)
    return jnp.mean(luminance * (2 * covariance + _C2) / (spread + _C2))


def _taps(window: Window) -> tuple[Float[np.ndarray, " size"], float]:
    """The window along one axis, and the factor from its second moments to covariances."""
    size = _SIZES[window]
    if window == "uniform":
        return np.full(size, 1 / size), size**2 / (size**2 - 1)
    taps = np.exp(-0.5 * ((np.arange(size) - size // 2) / _SIGMA) ** 2)
    return taps / taps.sum(), 1.0


def _filtered(
    maps: Float[Array, "m h w c"], taps: Float[np.ndarray, " size"]
) -> Float[Array, "m i j c"]:
    """Weighted means over the window where it fits: two products of matrices, faster than a
    convolution on a CPU.
    """
    rows, columns = (jnp.asarray(_band(length, taps), maps.dtype) for length in maps.shape[1:3])
    return jnp.einsum("ih,mhwc,jw->mijc", rows, maps, columns, precision=lax.Precision.HIGHEST)


def _band(length: int, taps: Float[np.ndarray, " size"]) -> Float[np.ndarray, "i length"]:
    """The matrix whose row i holds the window at position i."""
    return np.stack(
        [np.pad(taps, (i, length - len(taps) - i)) for i in range(length - len(taps) + 1)]
    )


def _check_pair(first: AnyArray, second: AnyArray) -> None:
    check_image(first, name="first")
    check_image(second, name="second")
    if first.shape != second.shape:
        raise InputError(f"second: expected the shape of first {first.shape}, got {second.shape}")
