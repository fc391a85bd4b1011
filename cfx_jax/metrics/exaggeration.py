"""Scores of explanations by progressive exaggeration, to compare states of one training.

Each is one number for all images (Singla et al. 2020, section 4.1).
"""

from collections.abc import Mapping

import numpy as np
from jaxtyping import Bool, Float, Int

from cfx_jax.checks import check_type
from cfx_jax.errors import InputError
from cfx_jax.metrics.calibration import decision_flips
from cfx_jax.metrics.checks import as_decisions
from cfx_jax.metrics.ranks import rank_correlation

_FINEST_PSNR = 60.0
"""Decibels; images of 8 bits tell no more."""
_OF_IMAGES, _OF_BINS = ("probability", "psnr", "spread"), ("desired", "achieved")


def score_exaggerations(
    explained: Mapping[str, np.ndarray], decisions: Int[np.ndarray, " n"]
) -> dict[str, float]:
    """Scores how far the explanations of images for all bins of a probability reach.

    Args:
        explained: arrays by name:

            - ``probability`` ``(n,)`` of class 1;
            - ``desired`` and ``achieved`` ``(n, k)``, the probabilities for each bin;
            - ``psnr`` ``(n,)`` of the drawing for the image's own bin, in decibels;
            - ``spread`` ``(n,)``, the mean magnitude of the difference between the drawings for the
              last and the first bin.
        decisions: the classifier's decision on each image, 0 or 1; both occur.

    Returns:
        A dict of numbers, the first four each a mean over the two decisions:

        - ``compatibility``, the magnitude of achieved minus desired;
        - ``crossed``, the share of images whose decision turns over at the opposite extreme bin;
        - ``psnr`` in decibels, of an image at most 60;
        - ``spread``, about 0 where the bin has no effect;
        - ``rank_correlation`` of achieved and desired, 0 where all achieved are alike;
        - ``score``, crossed times psnr.

    Raises:
        InputError: an array is missing, their shapes do not fit each other, or the decisions are
            other numbers than 0 and 1, or all the same.

    Example:
        >>> explained = {"probability": [0.1, 0.9], "psnr": [30.0, 28.0], "spread": [0.2, 0.1]}
        >>> bins = {"desired": [[0.05, 0.95]] * 2, "achieved": [[0.1, 0.9], [0.4, 0.9]]}
        >>> arrays = {name: np.array(values) for name, values in (explained | bins).items()}
        >>> scores = score_exaggerations(arrays, np.array([0, 1]))
        >>> scores["crossed"], scores["psnr"], round(scores["compatibility"], 3)
        (1.0, 29.0, 0.125)
    """
    explained, decisions = _as_arrays(explained, decisions)
    achieved = explained["achieved"]  # (n, k)
    opposite = np.where(decisions, 0, achieved.shape[1] - 1)
    extreme = np.take_along_axis(achieved, opposite[:, None], axis=1)[:, 0]
    of_images = {
        "compatibility": np.abs(achieved - explained["desired"]).mean(axis=1),
        "crossed": decision_flips(explained["probability"], extreme),
        "psnr": np.minimum(explained["psnr"], _FINEST_PSNR),
        "spread": explained["spread"],
    }
    means = {
        name: float(np.mean([values[decisions == c].mean() for c in (0, 1)]))
        for name, values in of_images.items()
    }
    correlation = rank_correlation(explained["desired"].ravel(), achieved.ravel())
    score = means["crossed"] * means["psnr"]
    return means | {
        "rank_correlation": float(np.nan_to_num(correlation)),
        "score": score,
    }


def _as_arrays(
    explained: Mapping[str, np.ndarray], decisions: Int[np.ndarray, " n"]
) -> tuple[dict[str, Float[np.ndarray, "n *k"]], Bool[np.ndarray, " n"]]:
    """The arrays by name and the decisions, after a check that they fit each other."""
    decisions = as_decisions(decisions, name="decisions")
    if decisions.all() or not decisions.any():
        raise InputError("decisions: expected both 0 and 1, got one of them: give more images")
    names = (*_OF_IMAGES, *_OF_BINS)
    check_type(explained, Mapping, name="explained", wanted="arrays by name")
    missing = [name for name in names if name not in explained]
    if missing:
        raise InputError(f"explained: expected {', '.join(names)}, got no {missing[0]}")
    arrays = {name: np.asarray(explained[name]) for name in names}
    num_bins = arrays["achieved"].shape[1:]
    for name in names:
        shape = (len(decisions), *(num_bins if name in _OF_BINS else ()))
        if arrays[name].shape != shape or len(num_bins) != 1:
            wanted = "(n, k)" if name in _OF_BINS else "(n,)"
            raise InputError(
                f"{name}: expected {wanted} of n = {len(decisions)} images, and as many bins k in"
                f" desired as in achieved, got shape {arrays[name].shape}"
            )
    return arrays, decisions
