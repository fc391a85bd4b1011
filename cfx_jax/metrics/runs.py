"""Mean and standard error over runs: how sure a number is that one training gives."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from cfx_jax.errors import InputError
from cfx_jax.metrics.value_arrays import as_numbers


class MeanOfRuns(NamedTuple):
    """A mean and how far it may be off. Unpacks as a plain ``(mean, standard_error)``."""

    mean: float
    """The mean over runs."""
    standard_error: float
    """The runs' standard deviation over the root of their number, in their unit."""


def mean_and_standard_error(runs: Float[np.ndarray, " runs"], *, ddof: int = 1) -> MeanOfRuns:
    """The mean of a number over runs with different seeds, and its standard error.

    Args:
        runs: the number that each run gave, say an accuracy; finite.
        ddof: 1 for the usual, unbiased variance; 0 for the one that Fontanella et al. 2023 report, a fifth smaller for
            three runs.

    Returns:
        The mean and its standard error, 0 for equal runs.

    Raises:
        InputError: no more runs than ``ddof``, another ``ddof``, NaN or infinity.
    """
    runs = as_numbers(runs, name="runs")
    if ddof not in (0, 1):
        raise InputError(f"ddof: expected 0 or 1, got {ddof!r}")
    if len(runs) <= ddof:
        raise InputError(f"runs: expected at least two for a standard error, got {len(runs)}")
    return MeanOfRuns(float(runs.mean()), float(runs.std(ddof=ddof) / np.sqrt(len(runs))))
