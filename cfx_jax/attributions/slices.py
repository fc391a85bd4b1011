"""Explanations of volumes by methods of the plane, slice by slice.

Grad-CAM, Score-CAM, mask perturbation, averages over augmentations and visual counterfactuals
explain one image. Methods that treat every pixel alike (gradient, input times gradient, SmoothGrad,
integrated gradients, guided backprop, paths) need none of this: they take a volume as it is.
"""

from collections.abc import Callable
from typing import Any, TypeVar

import jax
import jax.numpy as jnp
from jax import Array, lax
from jaxtyping import Float, Int

from cfx_jax.backend import loop_body
from cfx_jax.checks import check_callable, check_count, check_volume, is_concrete, shape_and_dtype
from cfx_jax.compilation import compiled
from cfx_jax.errors import InputError

SliceExplanation = Callable[[Float[Array, "h w c"], Int[Array, ""]], Any]
Answer = TypeVar("Answer")


def over_slices(
    explain: SliceExplanation,
    volume: Float[Array, "s h w c"],
    *,
    slices_per_batch: int | None = None,
) -> Any:
    """Explains each slice of a volume as an image.

    Of a score of one slice: ``lambda image, index: mask_perturbation(score, image)``. Of a score of
    the volume: ``lambda image, index: mask_perturbation(of_slice(score, volume, index), image)``;
    the maps of two slices then leave out what both do together. Of a network of slices whose
    features ``all_maps`` (s, fh, fw, f) a head joins: ``lambda image, index:
    grad_cam(Parts(features, lambda maps: head(all_maps.at[index].set(maps))), image, target)``,
    which is the Grad-CAM of each slice in the volume.

    Args:
        explain: one slice and its index, which is traced -> map ``(h, w)`` or ``(h, w, c)``, or any
            pytree of arrays, such as a counterfactual. A random method takes
            ``jax.random.fold_in(key, index)``.
        volume: values in [0, 1].
        slices_per_batch: how many slices are explained at once, which bounds the memory; None takes
            all.

    Returns:
        The results of ``explain``, stacked along a leading axis over slices.

    Raises:
        InputError: no valid volume, or ``slices_per_batch`` below 1.

    Example:
        >>> volume = jnp.arange(16.0).reshape(4, 2, 2, 1) / 16
        >>> over_slices(lambda image, index: image.sum() + index, volume).tolist()
        [0.375, 2.375, 4.375, 6.375]
    """
    check_volume(volume)
    check_callable(explain, name="explain", gives="one slice and its index -> map")
    check_count(slices_per_batch, name="slices_per_batch", or_none=True)
    return compiled(_map_slices, explain, jnp.asarray(volume), slices_per_batch=slices_per_batch)


def _map_slices(
    explain: SliceExplanation, volume: Float[Array, "s h w c"], *, slices_per_batch: int | None
) -> Any:
    num_slices = volume.shape[0]
    pairs = volume, jnp.arange(num_slices)
    if slices_per_batch is None or slices_per_batch >= num_slices:
        return jax.vmap(explain)(*pairs)
    return lax.map(loop_body(lambda pair: explain(*pair)), pairs, batch_size=slices_per_batch)


def of_slice(
    function: Callable[[Float[Array, "s h w c"]], Answer],
    volume: Float[Array, "s h w c"],
    index: int | Int[Array, ""],
) -> Callable[[Float[Array, "h w c"]], Answer]:
    """A function of a volume as one of a single slice, with the others held fixed.

    Args:
        function: one volume -> anything: a score, or a classifier's logits.
        volume: values in [0, 1].
        index: the index of the slice, from 0; may be traced.

    Returns:
        One image, in the slice's place -> the result of ``function``.

    Raises:
        InputError: no valid volume, or an index outside of the volume.

    Example:
        >>> volume = jnp.full((3, 2, 2, 1), 0.25)
        >>> float(of_slice(jnp.sum, volume, 1)(jnp.ones((2, 2, 1))))  # 1 + 4 + 1
        6.0
    """
    check_volume(volume)
    shape, dtype = shape_and_dtype(index)
    if shape or not jnp.issubdtype(dtype, jnp.integer):
        raise InputError(f"index: expected one whole number, got {index!r}")
    if is_concrete(index) and not 0 <= index < volume.shape[0]:
        raise InputError(f"index: expected a slice in 0..{volume.shape[0] - 1}, got {index}")
    others = jnp.asarray(volume)
    return lambda image: function(others.at[index].set(image))
