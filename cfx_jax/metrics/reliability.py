"""How often what a classifier says comes true (DeGroot and Fienberg 1983; Guo et al. 2017, figure
1).
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int

from cfx_jax.checks import check_count
from cfx_jax.metrics.value_arrays import (
    as_decisions,
    as_probabilities,
    as_vector,
    check_same_shape,
    ratio,
)


class ReliabilityCurve(NamedTuple):
    """What was said and what came true, for each bin of the stated probability."""

    stated: Float[np.ndarray, " bins"]
    """Mean of the stated probability; NaN in a bin without an image."""
    observed: Float[np.ndarray, " bins"]
    """Share of the images for which it came true; NaN in a bin without an image."""
    num_images: Int[np.ndarray, " bins"]
    """Number of images."""


def reliability_curve(
    probabilities: Float[np.ndarray, " n"], occurred: Bool[np.ndarray, " n"], *, num_bins: int = 20
) -> ReliabilityCurve:
    """The share of the images for which a stated probability came true, against that probability.

    Of the confidences, ``probabilities.max(axis=1)`` with whether ``argmax`` is the label, it is
    the curve whose distance from the diagonal, weighted with the numbers of images, is the
    ``expected_calibration_error``. Of two classes it may be drawn for the positive one, with the
    labels.

    Args:
        probabilities: one for each image, in [0, 1].
        occurred: whether it came true, 1 (True) for yes.
        num_bins: equal bins (lo, hi] of [0, 1], the first one closed; at least 1.

    Returns:
        The curve, from the bin at 0 to that at 1; on the diagonal for a calibrated classifier.

    Raises:
        InputError: no image, probabilities outside [0, 1], other values than 0 and 1, the shapes
            differ, or no bin.
    """
    probabilities = as_vector(probabilities, name="probabilities")
    values, true = (
        as_probabilities(probabilities, name="probabilities"),
        as_decisions(occurred, name="occurred"),
    )
    check_same_shape(values, true, names=("probabilities", "occurred"))
    check_count(num_bins, name="num_bins")
    # Compared in the probabilities' own precision: float32 0.6 is on the edge at 0.6, not above it.
    own = np.result_type(probabilities, np.float32)
    bins = np.searchsorted(
        np.linspace(0, 1, num_bins + 1)[1:-1].astype(own), probabilities.astype(own)
    )
    count = np.bincount(bins, minlength=num_bins)
    stated, observed = (
        ratio(np.bincount(bins, each, minlength=num_bins), count) for each in (values, true)
    )
    return ReliabilityCurve(stated, observed, count)
