"""Explanations averaged over geometric augmentations.

Charachon et al. 2020, "Combining similarity and adversarial learning to generate visual
explanation", equation 11 and Table II.

A map is brought back by the inverse of the move's matrix. The authors negate the parameters and
keep their order, which is not the inverse: with their ranges it misplaces a pixel by 0.6 pixels on
average.
"""

import jax
import jax.numpy as jnp
from jax import Array
from jaxtyping import Float, PRNGKeyArray

from cfx_jax.attributions.affine_moves import (
    AugmentationRanges,
    apply_move,
    draw_move,
    invert,
    is_read_inside,
)
from cfx_jax.attributions.bounded_memory_sum import sum_over
from cfx_jax.attributions.smooth_grad import Attribution
from cfx_jax.checks import (
    check_callable,
    check_count,
    check_flag,
    check_image,
    check_integer,
    check_key,
)
from cfx_jax.compilation import compiled
from cfx_jax.errors import InputError


def augment_average(
    key: PRNGKeyArray,
    explain: Attribution,
    image: Float[Array, "h w c"],
    *,
    num: int = 10,
    ranges: AugmentationRanges = AugmentationRanges(),  # noqa: B008 - it is frozen
    visible_only: bool = False,
    samples_per_batch: int | None = None,
) -> Float[Array, "h w *c"]:
    """The mean of an explanation and of the explanations of moved images, moved back.

    Images and maps are interpolated bilinearly; beyond the frame the border is repeated.

    Args:
        key: source of the moves; move i depends on the key and i only.
        explain: one image -> map ``(h, w)`` or ``(h, w, c)``, raw or not; any attribution of this
            package.
        image: values in [0, 1].
        num: number of moved images, at least 0.
        ranges: the ranges of the moves.
        visible_only: whether a map counts only for pixels that its moved image showed. The
            published mean counts all: those that left the frame come back as its border.
        samples_per_batch: how many images are explained at once, which bounds the memory; None
            takes all.

    Returns:
        The mean of ``num + 1`` maps, signed where the explanation is.

    Raises:
        InputError: no valid image, ``num`` below 0, ``samples_per_batch`` below 1, or an
            explanation that has not the height and width of the image.

    Example:
        >>> image = jnp.full((4, 4, 1), 0.5)
        >>> saliency = augment_average(
        ...     jax.random.key(0), lambda moved: gradient(jnp.sum, moved), image, num=2
        ... )
        >>> bool(jnp.allclose(saliency, 1))
        True
    """
    check_image(image)
    check_key(key)
    check_callable(explain, name="explain", gives="one image -> map")
    if not isinstance(ranges, AugmentationRanges):
        raise InputError(f"ranges: expected AugmentationRanges, got {type(ranges).__name__}")
    check_integer(num, name="num", at_least=0)
    check_count(samples_per_batch, name="samples_per_batch", or_none=True)
    image = jnp.asarray(image)
    original = compiled(explain, image)
    shape = getattr(original, "shape", ())
    if len(shape) not in (2, 3) or shape[:2] != image.shape[:2]:
        raise InputError(
            f"explain: expected a map {image.shape[:2]}, with or without channels, got shape"
            f" {shape}"
        )
    check_flag(visible_only, name="visible_only")
    if num == 0:
        return original

    def sample(index: Array) -> Float[Array, "h w *c"]:
        move = draw_move(jax.random.fold_in(key, index), ranges, dtype=image.dtype)
        back = invert(move)
        saliency = apply_move(explain(jnp.clip(apply_move(image, move), 0, 1)), back)
        shown = jnp.ones(image.shape[:2], bool)
        if visible_only:
            shown = is_read_inside(back, image.shape[:2])
        # (h, w), with a channel where the map has channels, over the map's shape.
        weight = jnp.broadcast_to(
            shown.reshape(shown.shape + (1,) * (saliency.ndim - 2)), saliency.shape
        )
        return jnp.stack([jnp.where(weight, saliency, 0), weight.astype(saliency.dtype)])

    total, count = sum_over(sample, num, per_batch=samples_per_batch)
    return (original + total) / (1 + count)
