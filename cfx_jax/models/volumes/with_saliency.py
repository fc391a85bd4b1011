"""A model of volumes with saliency maps as a classifier of one volume with a fixed map."""

from collections.abc import Callable
from typing import Any

import jax
from flax import nnx
from jax.tree_util import Partial
from jaxtyping import Array, Float

from cfx_jax.array_types import AnyArray
from cfx_jax.checks import check_array
from cfx_jax.errors import InputError
from cfx_jax.models.views import in_inference_mode


def with_saliency(model: nnx.Module, saliency: Float[AnyArray, "s h w 1"]) -> Partial:
    """Turns a model of volumes and saliency maps into a classifier of one volume.

    The model is in inference mode.

    Batch norm uses its running averages and dropout is off, whatever mode the given model is in.
    The result is a pytree, as the result of ``per_image``, with the map as one of its leaves; for
    several volumes make it inside of ``jax.vmap``.

    Args:
        model: an NNX module, volumes (b, s, h, w, c) and saliency (b, s, h, w, 1) -> logits (b, k),
            such as ``ACAT``.
        saliency: (s, h, w, 1), the saliency map of the volume that is to be classified. It stays as
            it is when an explanation changes the volume.

    Returns:
        The classifier, volume (s, h, w, c) -> logits (k,).

    Raises:
        InputError: ``model`` is not an NNX module that can be called, or the map has another rank;
            when called, a model with several heads.

    >>> import jax.numpy as jnp
    >>> from cfx_jax.models import build_acat
    >>> model = nnx.eval_shape(lambda: build_acat("slice_small", num_slices=2, rngs=nnx.Rngs(0)))
    >>> volume = jnp.zeros((2, 32, 32, 1))
    >>> classifier = with_saliency(model, saliency=volume)
    >>> jax.eval_shape(lambda classifier, volume: classifier(volume), classifier, volume).shape
    (2,)
    """
    if not isinstance(model, nnx.Module) or not callable(model):
        raise InputError(
            f"model: expected an NNX model of volumes and saliency maps, got {type(model).__name__}"
        )
    check_array(saliency, name="saliency")
    if saliency.ndim != 4:
        raise InputError(
            f"saliency: expected the map of one volume (s, h, w, 1), got shape {saliency.shape}"
        )
    return Partial(_classify_one, in_inference_mode(model), saliency)


def _classify_one(
    model: Callable[[jax.Array, jax.Array], Any],
    saliency: Float[Array, "s h w 1"],
    volume: Float[Array, "s h w c"],
) -> Float[Array, "k"]:
    logits = model(volume[None], saliency[None])
    if isinstance(logits, tuple):
        raise InputError(
            f"model: expected volumes and saliency maps -> logits, got {len(logits)} heads:"
            " models.LesionHead has one"
        )
    return logits[0]
