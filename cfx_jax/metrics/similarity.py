"""How alike two images are: peak signal-to-noise ratio and structural similarity.

The functions take one pair of images; ``vmap`` them for more.

Structural similarity follows Wang et al. 2004, with their constants K1 = 0.01, K2 = 0.03 and a
range of 1, for each channel, then averaged. The window is their Gaussian, or the uniform one with
sample covariances that scikit-image uses by default. The two differ in the third decimal, so name
the one that you report. Means, variances and covariances are taken where the window lies inside the
image.
"""

import functools
from typing import Literal, TypeAlias, TypeVar

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array, lax
from jaxtyping import Float

from cfx_jax.array_types import AnyArray
from cfx_jax.checks import check_choice, check_image, check_real
from cfx_jax.errors import InputError

_A = TypeVar("_A", Array, np.ndarray)

Window: TypeAlias = Literal["gaussian", "uniform"]

_SIZES = {"gaussian": 11, "uniform": 7}
_SIGMA = 1.5
_C1, _C2 = 0.01**2, 0.03**2


def psnr(first: Float[AnyArray, "h w c"], second: Float[AnyArray, "h w c"]) -> Float[Array, ""]:
    """Computes the peak signal-to-noise ratio of two images, in decibels.

    It is ``10 log10(1 / mse)``, with the mean squared difference ``mse``. For volumes, or values
    outside of [0, 1], use ``psnr_of_mse``.

    Args:
        first: values in [0, 1].
        second: values in [0, 1].

    Returns:
        A scalar of at least 0; infinity for equal images.

    Raises:
        InputError: a value lies outside of [0, 1], or the shapes differ.

    >>> round(float(psnr(np.zeros((2, 2, 1)), np.full((2, 2, 1), 0.1))), 3)
    20.0
    """
    _check_pair(first, second)
    return psnr_of_mse(jnp.mean((jnp.asarray(first) - second) ** 2))


def psnr_of_mse(mse: Float[_A, "*b"]) -> Float[_A, "*b"]:
    """Computes the peak signal-to-noise ratio of mean squared differences, in decibels.

    Args:
        mse: one or more mean squared differences of values with a range of 1. Pass
            ``maximum(mse, 1e-10)``, or another lower bound, for a finite ratio of equal images.

    Returns:
        ``-10 log10(mse)``, an array of the same kind and shape.

    Raises:
        InputError: something else than real numbers.

    >>> psnr_of_mse(np.array([1.0, 0.01]))
    array([-0., 20.])
    """
    check_real(mse, name="mse")
    log10 = jnp.log10 if isinstance(mse, Array) else np.log10
    return -10 * log10(mse)


def ssim(
    first: Float[AnyArray, "h w c"],
    second: Float[AnyArray, "h w c"],
    *,
    window: Window = "gaussian",
) -> Float[Array, ""]:
    """Computes the mean structural similarity of two images (Wang et al. 2004).

    Args:
        first: values in [0, 1], at least as high and wide as the window.
        second: values in [0, 1].
        window: ``"gaussian"``, 11 x 11 with standard deviation 1.5, or ``"uniform"``, 7 x 7 with
            sample covariances.

    Returns:
        A scalar in [-1, 1], 1 for equal images.

    Raises:
        InputError: a value lies outside of [0, 1], an image is smaller than the window, the window
            is unknown, or the shapes differ.

    >>> image = np.linspace(0, 1, 144).reshape(12, 12, 1)
    >>> round(float(ssim(image, image)), 3)
    1.0
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
    # image is flat. Five maps (5, h, w, c) are averaged over the window, (5, i, j, c).
    centre = jnp.mean(first, axis=(0, 1), keepdims=True)
    x, y = first - centre, second - centre
    mean_x, mean_y, xx, yy, xy = _window_means(jnp.stack([x, y, x * x, y * y, x * y]), taps)
    spread = correction * (xx - mean_x**2 + yy - mean_y**2)
    covariance = correction * (xy - mean_x * mean_y)
    mean_x, mean_y = mean_x + centre, mean_y + centre
    luminance = (2 * mean_x * mean_y + _C1) / (mean_x**2 + mean_y**2 + _C1)
    return jnp.mean(luminance * (2 * covariance + _C2) / (spread + _C2))


def _taps(window: Window) -> tuple[Float[np.ndarray, " size"], float]:
    """Computes the window along one axis, and the factor from second moments to covariances."""
    size = _SIZES[window]
    if window == "uniform":
        return np.full(size, 1 / size), size**2 / (size**2 - 1)
    taps = np.exp(-0.5 * ((np.arange(size) - size // 2) / _SIGMA) ** 2)
    return taps / taps.sum(), 1.0


def _window_means(
    maps: Float[Array, "m h w c"], taps: Float[np.ndarray, " size"]
) -> Float[Array, "m i j c"]:
    """Computes weighted means over the window, at each position where it fits.

    Two products of matrices are faster than a convolution on a CPU.
    """
    rows, columns = (jnp.asarray(_band(length, taps), maps.dtype) for length in maps.shape[1:3])
    return jnp.einsum("ih,mhwc,jw->mijc", rows, maps, columns, precision=lax.Precision.HIGHEST)


def _band(length: int, taps: Float[np.ndarray, " size"]) -> Float[np.ndarray, "i length"]:
    """Makes the matrix whose row i holds the window at position i."""
    return np.stack(
        [np.pad(taps, (i, length - len(taps) - i)) for i in range(length - len(taps) + 1)]
    )


def _check_pair(first: AnyArray, second: AnyArray) -> None:
    check_image(first, name="first")
    check_image(second, name="second")
    if first.shape != second.shape:
        raise InputError(f"second: expected the shape of first {first.shape}, got {second.shape}")
