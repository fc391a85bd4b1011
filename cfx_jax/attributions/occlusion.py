"""Occlusion: how much a score falls when a window of the image is hidden.

Zeiler and Fergus 2014, "Visualizing and understanding convolutional networks", section 4.2. They
show the score for each place of a grey square; here, as in Captum, a pixel gets the mean fall over
the windows that hide it.
"""

import jax.numpy as jnp
import numpy as np
from jax import Array
from jaxtyping import Float, Int

from cfx_jax.array_types import AnyArray
from cfx_jax.attributions.bounded_memory_sum import sum_over
from cfx_jax.attributions.gradient import Score, check_score
from cfx_jax.checks import check_count, check_image, check_real
from cfx_jax.compilation import compiled
from cfx_jax.errors import InputError


def occlusion(
    score: Score,
    image: Float[Array, "h w c"],
    *,
    window: int,
    stride: int | None = None,
    baseline: float | Float[AnyArray, " c"] | Float[AnyArray, "h w c"] = 0.0,
    windows_per_batch: int | None = 32,
) -> Float[Array, "h w"]:
    """The mean fall of a score over the windows that hide a pixel.

    A square window moves over the image by ``stride``; the last ones in a row and a column are cut
    off at the border. There is no gradient, but a forward pass for each window and one more.

    Args:
        score: one image -> scalar.
        image: values in [0, 1].
        window: side of the square in pixels, at most the shorter side of the image.
        stride: from one window to the next in pixels, at most ``window``, so that every pixel is
            hidden; None takes half a window, rounded up.
        baseline: what a window shows: one value, one for each channel, or an image, such as the
            blurred one. 0 is black, 0.5 the grey of the paper.
        windows_per_batch: how many hidden images are scored at once, which bounds the memory; None
            takes all.

    Returns:
        The signed map, in units of the score: positive where hiding lowers it.

    Raises:
        InputError: no valid image, a score that is no scalar, a window or stride that does not fit,
            a baseline of another shape, ``windows_per_batch`` below 1.

    Example:
        >>> image = jnp.array([[1.0, 0.5, 0.25, 0.0]] * 2)[..., None]
        >>> occlusion(jnp.sum, image, window=2)[0].tolist()
        [3.0, 2.25, 1.0, 0.5]
    """
    check_image(image)
    check_score(score, image)
    check_count(windows_per_batch, name="windows_per_batch", or_none=True)
    check_count(window, name="window")
    stride = -(-window // 2) if stride is None else stride
    check_count(stride, name="stride")
    if window > min(image.shape[:2]) or stride > window:
        raise InputError(
            f"window: expected at most {min(image.shape[:2])} pixels, the shorter side, and a"
            f" stride of at most the window, got a window of {window} and a stride of {stride}"
        )
    check_real(baseline, name="baseline")
    try:
        hidden = jnp.broadcast_to(jnp.asarray(baseline, image.dtype), image.shape)
    except ValueError as error:
        raise InputError(
            f"baseline: expected one value, one for each channel or an image {image.shape}, got"
            f" shape {np.shape(baseline)}"
        ) from error
    return compiled(
        _mean_falls,
        score,
        jnp.asarray(image),
        hidden,
        window=window,
        stride=stride,
        windows_per_batch=windows_per_batch,
    )


def _mean_falls(
    score: Score,
    image: Float[Array, "h w c"],
    hidden: Float[Array, "h w c"],
    *,
    window: int,
    stride: int,
    windows_per_batch: int | None,
) -> Float[Array, "h w"]:
    starts = [range(0, max(side - window, 0) + stride, stride) for side in image.shape[:2]]
    rows, columns = (jnp.arange(side) for side in image.shape[:2])
    value = score(image)

    def inside(pixels: Int[Array, " n"], start: Int[Array, ""]) -> Array:
        return (pixels >= start) & (pixels < start + window)

    def fall(index: Int[Array, ""]) -> Float[Array, "h w"]:
        row, column = index // len(starts[1]) * stride, index % len(starts[1]) * stride
        mask = inside(rows, row)[:, None] & inside(columns, column)  # (h, w)
        drop = value - score(jnp.where(mask[..., None], hidden, image))
        return jnp.where(mask, drop, 0)

    falls = sum_over(fall, len(starts[0]) * len(starts[1]), per_batch=windows_per_batch)
    # Windows over a pixel: those over its row times those over its column.
    counts = [
        sum((np.arange(side) >= start) & (np.arange(side) < start + window) for start in places)
        for side, places in zip(image.shape[:2], starts, strict=True)
    ]
    return falls / jnp.asarray(np.multiply.outer(*counts), falls.dtype)
