"""How much the values inside a network vary from image to image.

Fontanella et al. 2023, table 3.
"""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from cfx_jax.array_types import AnyArray
from cfx_jax.checks import check_type
from cfx_jax.errors import InputError


def pre_activation_variances(
    batches: Iterable[Mapping[str, Float[AnyArray, "n ..."]]],
) -> dict[str, float]:
    """Measures the variance of each unit over images, averaged over the units of each layer.

    The paper's values are the outputs of each convolution before its non-linearity, on plain images
    and on images with standard normal noise. Compare two networks under the same noise. Batches are
    merged exactly (Chan et al. 1979): only one is held at a time, and their sizes do not matter.

    Args:
        batches: for each batch of images, the values of each layer by the layer's name, the first
            axis running over images; two images or more in all.

    Returns:
        For each layer, in the order of the first batch, a number of at least 0: the variance
        (divided by the number of images), in the squared unit of the values.

    Raises:
        InputError: there are fewer than two images, values that are not finite, or a batch whose
            layers or shapes differ from the first batch.

    >>> pre_activation_variances([{"conv": np.array([[0.0], [2.0]])}])
    {'conv': 1.0}
    """
    moments: dict[str, _Moments] = {}
    if not isinstance(batches, Iterable):
        raise InputError(f"batches: expected several, got {type(batches).__name__}")
    for batch in batches:
        check_type(batch, Mapping, name="batches", wanted="values by the layer's name in each")
        if moments and batch.keys() != moments.keys():
            raise InputError(
                f"batches: expected the layers {', '.join(moments)} in each, got {', '.join(batch)}"
            )
        moments = {
            name: _merge(name, moments.get(name), np.asarray(batch[name]))
            for name in moments or batch
        }
    count = min((layer.num_images for layer in moments.values()), default=0)
    if count < 2:
        raise InputError(
            f"batches: expected the values of at least two images, got {count}: variance needs a"
            " spread"
        )
    return {
        name: float(np.mean(layer.squares / layer.num_images)) for name, layer in moments.items()
    }


class _Moments(NamedTuple):
    """The first two moments of each unit of a layer, over the images so far."""

    num_images: int
    mean: np.ndarray
    squares: np.ndarray
    """Sum of squared distances from the mean."""


def _merge(name: str, before: _Moments | None, values: np.ndarray) -> _Moments:
    """Adds a batch to the moments of the batches before it."""
    _check_values(name, before, values)
    mean = values.mean(axis=0, dtype=float)
    new = _Moments(len(values), mean, ((values - mean) ** 2).sum(axis=0))
    if before is None:
        return new
    count = before.num_images + new.num_images
    shift = new.mean - before.mean
    squares = before.squares + new.squares + shift**2 * (before.num_images * new.num_images / count)
    return _Moments(count, before.mean + shift * (new.num_images / count), squares)


def _check_values(name: str, before: _Moments | None, values: np.ndarray) -> None:
    if values.ndim < 1 or values.size == 0:
        raise InputError(
            f"{name}: expected values (n, ...) of at least one image, got shape {values.shape}"
        )
    if before is not None and values.shape[1:] != before.mean.shape:
        raise InputError(
            f"{name}: expected the units {before.mean.shape} of the first batch, got"
            f" {values.shape[1:]}"
        )
    if not np.isfinite(values).all():
        raise InputError(
            f"{name}: expected finite values, got NaN or infinity: check the network on these"
            " images"
        )
