"""The bins of a classifier's probability, and training images chosen evenly from them.

Singla et al. 2020, "Explanation by Progressive Exaggeration", section 3: [0, 1] is cut into K equal
bins [lo, hi), the last one closed. Confident classifiers leave the middle nearly empty, so their
authors train on as many images of each bin, and of bin i choose the share i / K with the true label
1 (released code, ``Process_Classifier_Output.ipynb``), which makes the classifier calibrated on the
images chosen. Deviation: a probability of 1 is in the last bin, where the released code counts it
to a further bin that it then drops.
"""

import warnings

import numpy as np
from jaxtyping import Float, Int, Shaped

from cfx_jax.checks import as_numpy, check_count, check_seed
from cfx_jax.errors import InputError

_NUM_BINS = 10

_ROUNDING = 1e-5  # of ``exp(log p)`` in float32
_FEW = 10
"""A bin with fewer images than this is worth a warning."""


def probability_bins(
    probabilities: Float[np.ndarray, " n"], *, num_bins: int = _NUM_BINS
) -> Int[np.ndarray, " n"]:
    """The bin of each probability, ``min(floor(K p), K - 1)``.

    Args:
        probabilities: the probability of class 1 at each image, in [0, 1]; float32 0.7 is in bin 7,
            as float64 0.7 is.
        num_bins: K, at least 1 (paper: 10).

    Returns:
        One bin for each, in 0..K-1.

    Raises:
        InputError: no probability, one outside [0, 1], or no bin.

    Example:
        >>> probability_bins(np.array([0.0, 0.49, 0.5, 1.0]), num_bins=4)
        array([0, 1, 2, 3])
    """
    check_count(num_bins, name="num_bins")
    values = _vector(probabilities, name="probabilities")
    if not ((values >= -_ROUNDING) & (values <= 1 + _ROUNDING)).all():  # NaN is in no range
        raise InputError(
            f"probabilities: expected probabilities in [0, 1], got [{values.min():g},"
            f" {values.max():g}]: apply sigmoid or softmax"
        )
    return np.minimum((values * num_bins).astype(np.int64), num_bins - 1)


def bin_counts(bins: Int[np.ndarray, " n"], *, num_bins: int = _NUM_BINS) -> Int[np.ndarray, " k"]:
    """The number of images in each bin.

    A warning counts the bins that are empty or have fewer than ten images. No image is in an empty
    bin; the images of a small one recur often where bins are balanced.

    Args:
        bins: the bin of each image, from ``probability_bins``.
        num_bins: K, as there.

    Returns:
        One number for each bin.

    Raises:
        InputError: a bin outside of 0..K-1, or a classifier that never leaves one bin.

    Example:
        >>> bin_counts(np.repeat([0, 1], [12, 10]), num_bins=2)
        array([12, 10])
    """
    counts = np.bincount(_check_bins(bins, num_bins), minlength=num_bins)
    if np.count_nonzero(counts) == 1:
        raise InputError(
            f"classifier: expected probabilities in several of the {num_bins} bins, got all"
            f" {counts.sum()} images in bin {counts.argmax()}: take other images, train the"
            " classifier further, or change it with models.calibrated"
        )
    few = np.flatnonzero(counts < _FEW)
    if few.size:
        described = ", ".join(f"{i} ({counts[i]})" for i in few)
        _warn(
            f"{few.size} of {num_bins} bins have fewer than {_FEW} images: {described}: take more"
            " images, or fewer bins"
        )
    return counts


def calibrated_sample(
    bins: Int[np.ndarray, " n"],
    labels: Int[np.ndarray, " n"],
    *,
    per_bin: int,
    seed: int,
    num_bins: int = _NUM_BINS,
) -> Int[np.ndarray, " m"]:
    """Chooses as many images of each bin, labelled 1 in the share that the bin's lower edge says.

    Of bin i ``(1 - i / K) per_bin`` images, rounded, have the true label 0 and the others label 1.
    Where images of label 0 run short, images of label 1 fill the bin up; where these run short it
    stays smaller, and a warning counts such bins.

    Args:
        bins: the bin of each image, from ``probability_bins``.
        labels: the true labels, 0 or 1; not the classifier's decisions.
        per_bin: images wanted of each bin.
        seed: fixes the choice, which is without replacement; 0 or more.
        num_bins: K, as in ``probability_bins``.

    Returns:
        Positions in ``bins``, ascending, each at most once.

    Raises:
        InputError: labels other than 0 and 1, or all of one class; another number of them than of
            bins; a bin outside of 0..K-1; a classifier that never leaves one bin; numbers out of
            range.

    Example:
        >>> bins, labels = np.repeat([0, 1], 40), np.tile([0, 1], 40)
        >>> chosen = calibrated_sample(bins, labels, per_bin=10, seed=0, num_bins=2)
        >>> [labels[chosen][bins[chosen] == number].sum().item() for number in (0, 1)]
        [0, 5]
    """
    check_count(per_bin, name="per_bin")
    check_seed(seed)
    bins = _check_bins(bins, num_bins)
    labels = _check_labels(labels)
    if bins.shape != labels.shape:
        raise InputError(f"labels: expected the shape of bins {bins.shape}, got {labels.shape}")
    bin_counts(bins, num_bins=num_bins)
    chosen = []
    for number in range(num_bins):
        items, share = np.flatnonzero(bins == number), (num_bins - number, num_bins)
        rng = np.random.default_rng([seed, number])
        chosen.append(_choose_of_bin(items, labels, share, per_bin, rng))
    short = [f"{i} ({len(items)})" for i, items in enumerate(chosen) if len(items) < per_bin]
    if short:
        _warn(
            f"{len(short)} of {num_bins} bins give fewer than {per_bin} images: {', '.join(short)}"
        )
    return np.sort(np.concatenate(chosen))


def _choose_of_bin(
    items: Int[np.ndarray, " n"],
    labels: Int[np.ndarray, " all"],
    share: tuple[int, int],
    number: int,
    rng: np.random.Generator,
) -> Int[np.ndarray, " m"]:
    """Chooses some items; ``share`` is the share of label 0, as numerator and denominator."""
    part, total = share
    negatives, positives = (rng.permutation(items[labels[items] == label]) for label in (0, 1))
    # In integers, since (1 - 0.9) * 5000 falls short of 500.
    quota = (2 * number * part + total) // (2 * total)
    taken = negatives[:quota]
    return np.concatenate([taken, positives[: number - len(taken)]])


def _check_bins(bins: Int[np.ndarray, " n"], num_bins: int) -> Int[np.ndarray, " n"]:
    check_count(num_bins, name="num_bins")
    bins = _vector(bins, name="bins")
    if not np.issubdtype(bins.dtype, np.integer) or bins.min() < 0 or bins.max() >= num_bins:
        raise InputError(
            f"bins: expected integers in 0..{num_bins - 1}, got {bins.dtype} in [{bins.min():g},"
            f" {bins.max():g}]: data.probability_bins makes them of probabilities"
        )
    return bins


def _check_labels(labels: Shaped[np.ndarray, " n"]) -> Int[np.ndarray, " n"]:
    values = _vector(labels, name="labels")
    if (values == -1).any():
        raise InputError("labels: expected 0 and 1, got -1: turn -1 into 0, by `labels > 0`")
    others = values[~np.isin(values, (0, 1))]
    if others.size:
        raise InputError(
            f"labels: expected 0 and 1, got {others[0]:g}: give the true classes, not the"
            " classifier's probabilities"
        )
    if len(np.unique(values)) == 1:
        raise InputError(
            f"labels: expected both classes, got {values[0]:g} for all {len(values)} images"
        )
    return values.astype(np.int64)


def _vector(values: Shaped[np.ndarray, " n"], *, name: str) -> Shaped[np.ndarray, " n"]:
    """The numbers as an array, once there is one for each of at least one image."""
    numbers = as_numpy(values, name=name)
    if numbers.ndim != 1 or not numbers.size or numbers.dtype.kind not in "biuf":
        raise InputError(
            f"{name}: expected one real number for each of at least one image (n,), got shape"
            f" {numbers.shape} of {numbers.dtype}"
        )
    return numbers


def _warn(message: str) -> None:
    warnings.warn(message, stacklevel=3)
