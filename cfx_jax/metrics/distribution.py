"""How far one set of images is from another, by features of a network.

With the pooling features of Inception-v3 the Fréchet and the kernel distance are the FID (Heusel et
al. 2017) and the KID (Bińkowski et al. 2018). With features of another network they compare only
with each other, so name the network. The Fréchet distance is far too large where there are fewer
images than features: give all methods equally many images, and report how many, and the distance of
two halves of the real images beside it. The kernel distance has no such bias.
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int

from cfx_jax.checks import as_numpy, check_type
from cfx_jax.errors import InputError
from cfx_jax.metrics.checks import as_rows

_ROWS_AT_ONCE = 1024


def frechet_distance(first: Float[np.ndarray, "n d"], second: Float[np.ndarray, "m d"]) -> float:
    """Computes the squared Fréchet distance of two sets of features.

    It is the distance of two Gaussians with the sets' means and covariances, ``|mu1 - mu2|^2 +
    tr(S1 + S2 - 2 (S1 S2)^(1/2))``.

    Args:
        first: the features of each image of one set, at least two images.
        second: the features of each image of the other set, at least two images.

    Returns:
        A number of at least 0, in squared units of the features; 0 for equal means and covariances.

    Raises:
        InputError: there are too few images, a feature is not finite, or the numbers of features
            differ.

    >>> frechet_distance(np.array([[0.0], [2.0]]), np.array([[3.0], [5.0]]))
    9.0
    """
    first, second = _as_feature_sets(first, second)
    return gaussian_distance(gaussian_of(first), gaussian_of(second))


class Gaussian(NamedTuple):
    """The Gaussian with the mean and the sample covariance of a set.

    Attributes:
        mean: (d,), one number for each feature.
        root: R (r, d) with R' R the covariance, of at most as many rows as there are features.
    """

    mean: Float[np.ndarray, " d"]
    root: Float[np.ndarray, "r d"]


def gaussian_of(
    features: Float[np.ndarray, "n d"], *, counts: Int[np.ndarray, " n"] | None = None
) -> Gaussian:
    """Computes the Gaussian of a set, in which images may occur several times.

    Compute it once for distances to several other sets, ``gaussian_distance``.

    Args:
        features: the features of each image, finite.
        counts: how often each image occurs, at least two in all; None for once. The result is the
            same as for ``np.repeat(features, counts)``, without the copies.

    Raises:
        InputError: there are fewer than two images, a feature is not finite, or a count is no whole
            number of at least 0 for each image.

    >>> gaussian_of(np.array([[0.0], [2.0]])).mean
    array([1.])
    """
    features = as_rows(features, name="features", at_least=2 if counts is None else 1)
    if counts is not None:
        counts = _check_counts(as_numpy(counts, name="counts"), len(features))
        features, counts = features[counts > 0], counts[counts > 0]
    weights = np.ones(len(features)) if counts is None else counts.astype(float)
    mean = weights @ features / weights.sum()
    scaled = (features - mean) * np.sqrt(weights / (weights.sum() - 1))[:, None]
    return Gaussian(mean, np.asarray(np.linalg.qr(scaled, mode="r")))


def _check_counts(counts: Int[np.ndarray, " n"], count: int) -> Int[np.ndarray, " n"]:
    """The counts, after a check of their kind and of their sum."""
    if counts.shape != (count,) or counts.dtype.kind not in "iu" or counts.min() < 0:
        raise InputError(
            f"counts: expected a whole number of at least 0 for each of the {count} images, got"
            f" {counts.dtype} of shape {counts.shape}"
        )
    if counts.sum() < 2:
        raise InputError(f"counts: expected at least two images in all, got {counts.sum()}")
    return counts


def gaussian_distance(first: Gaussian, second: Gaussian) -> float:
    """Computes the squared Fréchet distance of two Gaussians.

    It is the ``frechet_distance`` of the sets that the Gaussians are of.

    Raises:
        InputError: one of them is no ``Gaussian``.

    >>> first, second = np.array([[0.0], [2.0]]), np.array([[3.0], [5.0]])
    >>> gaussian_distance(gaussian_of(first), gaussian_of(second))
    9.0
    """
    for name, gaussian in (("first", first), ("second", second)):
        check_type(gaussian, Gaussian, name=name, wanted="what gaussian_of gives")
    shift = first.mean - second.mean
    # With S = R' R, the trace of (S1 S2)^(1/2) is the sum of the singular values of R1 R2'. This
    # needs no root of a matrix, and is exact for fewer images than features.
    overlap = np.linalg.svd(first.root @ second.root.T, compute_uv=False).sum()
    distance = shift @ shift + np.sum(first.root**2) + np.sum(second.root**2) - 2 * overlap
    return max(float(distance), 0.0)  # rounding may leave -1e-15 where the two are equal


def kernel_distance(first: Float[np.ndarray, "n d"], second: Float[np.ndarray, "m d"]) -> float:
    """Computes the squared maximum mean discrepancy of two sets, without bias.

    The kernel is ``(x . y / d + 1)^3``, over all images at once; the KID of Bińkowski et al. 2018
    is often the mean of this over random subsets.

    Args:
        first: the features of each image of one set, at least two images.
        second: the features of each image of the other set, at least two images.

    Returns:
        A number near 0, or a little below, for sets from one distribution; larger for others.

    Raises:
        InputError: there are too few images, a feature is not finite, or the numbers of features
            differ.

    >>> kernel_distance(np.array([[0.0], [0.0]]), np.array([[1.0], [1.0]]))
    7.0
    """
    first, second = _as_feature_sets(first, second)
    return (
        _mean_of_pairs(first)
        + _mean_of_pairs(second)
        - 2 * _kernel_sum(first, second) / (len(first) * len(second))
    )


def _as_feature_sets(first: np.ndarray, second: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    first, second = (
        as_rows(first, name="first", at_least=2),
        as_rows(second, name="second", at_least=2),
    )
    if first.shape[1] != second.shape[1]:
        raise InputError(
            f"second: expected the {first.shape[1]} features of first, got {second.shape[1]}"
        )
    return first, second


def _kernel(products: np.ndarray, num_features: int) -> np.ndarray:
    return (products / num_features + 1) ** 3


def _mean_of_pairs(features: np.ndarray) -> float:
    """Computes the mean kernel of two different images of a set."""
    same = _kernel((features**2).sum(axis=1), features.shape[1]).sum()
    return (_kernel_sum(features, features) - float(same)) / (len(features) * (len(features) - 1))


def _kernel_sum(first: np.ndarray, second: np.ndarray) -> float:
    """Sums the kernel over all pairs, by blocks of rows: all pairs at once would not fit."""
    blocks = (first[start : start + _ROWS_AT_ONCE] for start in range(0, len(first), _ROWS_AT_ONCE))
    return float(sum(_kernel(block @ second.T, first.shape[1]).sum() for block in blocks))
