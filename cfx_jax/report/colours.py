"""Colours of differences and maps, the same in figures and animations.

Signed values: red above 0, white at 0, blue below (Matplotlib's ``RdBu_r``, readable with the
common colour-vision deficiencies). Maps over an image: the grey image with the kept pixels from red
to yellow.
"""

from typing import Any

import numpy as np
from jaxtyping import Float

from cfx_jax.checks import as_numpy, check_positive, check_real
from cfx_jax.errors import InputError, import_extra
from cfx_jax.report.checks import check_choice

SIGNED_MAP = "RdBu_r"
HEAT_MAP = "magma"
# Okabe and Ito (2008), "Color universal design", without the yellow that white paper swallows.
LINE_COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")

_OVERLAY_MAP = "autumn"
_OVERLAY_STRENGTH = 0.8
_LUMA = np.array([0.299, 0.587, 0.114], np.float32)  # ITU-R BT.601


def grey(image: Float[np.ndarray, "h w c"]) -> Float[np.ndarray, "h w"]:
    """Computes the luma of an image (ITU-R BT.601 weights).

    Args:
        image: ``(h, w, 1)`` or ``(h, w, 3)`` in [0, 1].

    Returns:
        ``(h, w)`` in [0, 1].

    >>> grey(np.ones((1, 1, 3), np.float32)).round(3).tolist()
    [[1.0]]
    """
    return image[..., 0] if image.shape[-1] == 1 else image @ _LUMA


def signed_difference(
    image: Float[np.ndarray, "*b h w c"],
    original: Float[np.ndarray, "h w c"],
    *,
    reduce: str = "mean",
) -> Float[np.ndarray, "*b h w"]:
    """Computes ``image - original`` with its channels reduced to one signed number per pixel.

    Args:
        image: ``(..., h, w, c)``, one or many changed images.
        original: ``(h, w, c)``.
        reduce: ``"mean"`` over the channels, or ``"max_abs"``: the channel that changed most, with
            its sign. A change of hue at constant mean is visible only with the second.

    Returns:
        ``(..., h, w)`` in [-1, 1].

    Raises:
        InputError: the shapes differ, or ``reduce`` is unknown.

    >>> signed_difference(np.full((1, 1, 1), 0.5), np.full((1, 1, 1), 0.75)).tolist()
    [[-0.25]]
    """
    check_choice(reduce, ("mean", "max_abs"), "channel reduction")
    image, original = as_numpy(image, name="image"), as_numpy(original, name="original")
    if image.shape[-3:] != original.shape:
        raise InputError(f"a difference needs equal shapes, got {image.shape} and {original.shape}")
    change = image - original
    if reduce == "mean":
        return change.mean(axis=-1)
    largest = np.abs(change).argmax(axis=-1)[..., None]
    return np.take_along_axis(change, largest, axis=-1)[..., 0]


def signed_colours(
    values: Float[np.ndarray, "*b h w"], *, scale: float
) -> Float[np.ndarray, "*b h w 3"]:
    """Computes the colours of signed values, the same as in ``counterfactual_grid``.

    Args:
        values: ``(..., h, w)``, any range.
        scale: the value, above 0, that gets the strongest red; its negative gets the strongest
            blue.

    Returns:
        ``(..., h, w, 3)`` in [0, 1].

    Raises:
        InputError: values that are no real numbers, or a scale that is not above 0.

    >>> signed_colours(np.array([[1.0]]), scale=1.0).round(2).tolist()  # the strongest red
    [[[0.4000000059604645, 0.0, 0.11999999731779099]]]
    """
    check_real(values, name="values")
    check_positive(scale, name="scale")
    return _map_colours(SIGNED_MAP, 0.5 + np.asarray(values) / (2 * scale))


def overlay(
    image: Float[np.ndarray, "h w c"], saliency: Float[np.ndarray, "h w"]
) -> Float[np.ndarray, "h w 3"]:
    """Draws the pixels that a thresholded map kept over the grey image.

    Their colours go from red (lowest kept) to yellow (highest).

    Args:
        image: ``(h, w, c)`` in [0, 1].
        saliency: ``(h, w)``, 0 where the map was thresholded away, positive elsewhere; or boolean.

    Returns:
        ``(h, w, 3)`` in [0, 1].
    """
    saliency = np.asarray(saliency, np.float32)
    base = np.repeat(grey(image)[..., None], 3, axis=-1)
    kept = saliency > 0
    if not kept.any():
        return base
    colours = _map_colours(_OVERLAY_MAP, _stretch(saliency, kept))
    mixed = (1 - _OVERLAY_STRENGTH) * base + _OVERLAY_STRENGTH * colours
    return np.where(kept[..., None], mixed, base)


def _stretch(saliency: np.ndarray, kept: np.ndarray) -> np.ndarray:
    """Stretches the kept values to [0, 1]; all become 0.5 where they are equal."""
    low, high = saliency[kept].min(), saliency[kept].max()
    return np.full_like(saliency, 0.5) if high == low else (saliency - low) / (high - low)


def _map_colours(name: str, values: Any) -> np.ndarray:
    colormap = import_extra("matplotlib", "colouring maps").colormaps[name]
    return colormap(np.clip(values, 0.0, 1.0))[..., :3].astype(np.float32)
