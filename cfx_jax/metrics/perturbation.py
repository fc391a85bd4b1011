"""What a classifier says while the regions of an image are replaced in the order that a map gives
them.

Samek et al. 2017, "Evaluating the visualization of what a deep neural network has learned". Random
values, zeros and blur take an image away from all that the classifier was trained on; Charachon et
al. 2021 overwrite with an image that a generator, independent of every explanation, has translated
to the other class. The curves are summed up in ``metrics.faithfulness``.
"""

from collections.abc import Callable
from typing import Any, Literal, TypeAlias

import jax.numpy as jnp
import numpy as np
from jax import Array, lax
from jaxtyping import Bool, Float, Int

from cfx_jax.checks import (
    check_array,
    check_callable,
    check_choice,
    check_count,
    check_image,
    check_real,
    check_unit_range,
    is_concrete,
)
from cfx_jax.errors import InputError
from cfx_jax.programs import compiled

Replace: TypeAlias = Callable[[Float[Array, "h w c"], Bool[Array, "h w"]], Float[Array, "h w c"]]
"""``(image, removed)`` -> the image with the removed pixels replaced."""


def overwrite_with(other: float | Float[Array, "h w c"]) -> Replace:
    """Replaces removed pixels by those of another image.

    Args:
        other: an image of the same shape (a translation to the other class, uniform noise, a
            blurred copy), or one value for all pixels. For an honest comparison the same for all
            methods, and made by none of them.

    Returns:
        The operator, for ``perturbation_curve``.

    Raises:
        InputError: values outside of [0, 1]; when applied, another shape than the image's.
    """
    check_real(other, name="other")
    pixels = jnp.asarray(other)
    check_unit_range(pixels, name="other")

    def replace(image: Float[Array, "h w c"], removed: Bool[Array, "h w"]) -> Float[Array, "h w c"]:
        if pixels.shape not in ((), image.shape):
            raise InputError(
                f"other: expected a number or the image's shape {image.shape}, got {pixels.shape}"
            )
        return jnp.where(removed[..., None], pixels.astype(image.dtype), image)

    return replace


def perturbation_curve(
    output: Callable[[Float[Array, "h w c"]], Any],
    image: Float[Array, "h w c"],
    relevance: Float[Array, "h w"],
    replace: Replace,
    *,
    order: Literal["most_relevant_first", "least_relevant_first"] = "most_relevant_first",
    region: int = 8,
    regions_per_step: int = 1,
    num_steps: int | None = None,
    steps_per_batch: int = 32,
) -> Any:
    """The output for an image of which 0, 1, 2, ... steps' worth of regions have been replaced.

    Regions are square tiles, ranked by the sum of the map over each; those at the right and lower
    border are smaller where the side does not divide the image. Of equally relevant regions the one
    that comes first, row by row, counts as more relevant, and least relevant first is the same
    order backwards. After all steps both arrive at the same image: look whether its output differs
    from the first at all, or no map can do well.

    Args:
        output: one image -> the explained class's probability, or logits, or any arrays.
        image: values in [0, 1].
        relevance: a map without channels, larger is more relevant; take absolute values first where
            the sign does not matter.
        replace: the operator, such as ``overwrite_with(adversary)``; given the original image and
            all pixels removed so far.
        order: which regions go first.
        region: side of a tile in pixels, at least 1; Samek et al. use 9.
        regions_per_step: at least 1; with ``region=1``, one step replaces that many pixels.
        num_steps: how many steps, from 1 to as many as replace every region (None); the last may
            replace fewer.
        steps_per_batch: how many steps are evaluated at once, which bounds the memory.

    Returns:
        The outputs with a leading axis of ``num_steps + 1``, the first of the image itself.

    Raises:
        InputError: no valid image, a map of another shape or with NaN, or a number or an order that
            is not possible.
    """
    check_image(image)
    check_array(relevance, name="relevance")
    check_callable(output, name="output", gives="one image -> arrays")
    check_callable(replace, name="replace", gives="an image and what is removed -> image")
    _check_relevance(relevance, image.shape[:2])
    check_choice(order, ("most_relevant_first", "least_relevant_first"), name="order")
    for name, value in dict(
        region=region, regions_per_step=regions_per_step, steps_per_batch=steps_per_batch
    ).items():
        check_count(value, name=name)
    height, width, _ = image.shape
    all_steps = -(-(-(-height // region) * -(-width // region)) // regions_per_step)
    steps = all_steps if num_steps is None else num_steps
    if (
        not isinstance(steps, int)
        or isinstance(steps, bool)
        or steps not in range(1, all_steps + 1)
    ):
        raise InputError(
            f"num_steps: expected 1 to {all_steps}, which replaces every region, got {num_steps!r}"
        )
    options = {
        "order": order,
        "region": region,
        "regions_per_step": regions_per_step,
        "steps": steps,
    }
    values = jnp.asarray(image), _in_single(relevance)
    return compiled(_outputs, output, *values, replace, **options, steps_per_batch=steps_per_batch)


def _outputs(
    output: Callable[[Float[Array, "h w c"]], Any],
    image: Float[Array, "h w c"],
    relevance: Float[Array, "h w"],
    replace: Replace,
    *,
    order: str,
    region: int,
    regions_per_step: int,
    steps: int,
    steps_per_batch: int,
) -> Any:
    heat = _tile_sums(relevance, region)
    step_of_tile = _ranks(heat, order) // regions_per_step
    step_of_pixel = _spread(step_of_tile, region)[: image.shape[0], : image.shape[1]]
    return lax.map(
        lambda step: output(replace(image, step_of_pixel < step)),
        jnp.arange(steps + 1),
        batch_size=steps_per_batch,
    )


def _in_single(relevance: Float[Array, "h w"]) -> Float[Array, "h w"]:
    """In at least float32: sums of half precision would not keep the regions' order."""
    relevance = jnp.asarray(relevance)
    return relevance.astype(jnp.promote_types(relevance.dtype, jnp.float32))


def _tile_sums(relevance: Float[Array, "h w"], side: int) -> Float[Array, "rows columns"]:
    height, width = relevance.shape
    padded = jnp.pad(relevance, ((0, -height % side), (0, -width % side)))
    return padded.reshape(-(-height // side), side, -(-width // side), side).sum(axis=(1, 3))


def _spread(tiles: Int[Array, "rows columns"], side: int) -> Int[Array, "h w"]:
    """Every tile's value on each of its pixels."""
    return jnp.repeat(jnp.repeat(tiles, side, axis=0), side, axis=1)


def _ranks(heat: Float[Array, "rows columns"], order: str) -> Int[Array, "rows columns"]:
    """The place of each tile in the order of replacement, from 0."""
    ranks = jnp.argsort(jnp.argsort(-heat.ravel(), stable=True)).reshape(heat.shape)
    return ranks if order == "most_relevant_first" else heat.size - 1 - ranks


def _check_relevance(relevance: Array, shape: tuple[int, ...]) -> None:
    if relevance.shape != shape:
        raise InputError(
            f"relevance: expected the image's shape without channels {shape}, got {relevance.shape}"
        )
    if is_concrete(relevance) and not np.isfinite(relevance).all():
        raise InputError(
            "relevance: expected finite values, got NaN or infinity: look at how the map was made"
        )
