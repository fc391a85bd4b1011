"""What is done to a map: channel sum, scaling, thresholds. One map ``(h, w, c)`` or ``(h, w)``; ``vmap`` for more."""

import jax.numpy as jnp
from jax import Array
from jaxtyping import Bool, Float

from cfx_jax.arrays import AnyArray
from cfx_jax.errors import InputError


def channel_sum(saliency: Float[AnyArray, "*batch h w c"]) -> Float[Array, "*batch h w"]:
    """The sum of absolute values over channels.

    Args:
        saliency: a signed map.

    Returns:
        A map without channels, at least 0.
    """
    return jnp.abs(saliency).sum(axis=-1)


def min_max(saliency: Float[Array, "h w"]) -> Float[Array, "h w"]:
    """Rescales one map to [0, 1]; a constant map becomes 0."""
    low, high = saliency.min(), saliency.max()
    return (saliency - low) / jnp.where(high > low, high - low, 1)


def quantile_threshold(
    saliency: Float[Array, "h w"], quantile: float, *, mask: Bool[Array, "h w"] | None = None
) -> Bool[Array, "h w"]:
    """The pixels at or above a quantile of one map, within a mask (Boreiko et al. 2022, section 2.4).

    The quantile is over the whole map, interpolated linearly, and the mask is applied afterwards, as published. Of a
    constant map every pixel is kept.

    Args:
        saliency: a map without channels.
        quantile: in [0, 1]; 0.96 keeps 2,008 pixels of 224 x 224.
        mask: where pixels may be kept.

    Returns:
        True where kept.

    Raises:
        InputError: a quantile outside [0, 1], a map with channels, or a mask of another shape.
    """
    if not 0 <= quantile <= 1:
        raise InputError(f"quantile: expected a number in [0, 1], got {quantile}")
    if saliency.ndim != 2:
        raise InputError(f"saliency: expected one map (h, w), got shape {saliency.shape}: sum over channels, or vmap")
    if mask is not None and mask.shape != saliency.shape:
        raise InputError(f"mask: expected the map's shape {saliency.shape}, got {mask.shape}")
    kept = saliency >= jnp.quantile(saliency, quantile)
    return kept if mask is None else kept & mask
