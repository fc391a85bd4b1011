"""Splitting images so that no patient is in two parts, by numbers of patients."""

from collections.abc import Mapping, Sequence

import numpy as np
from jaxtyping import Int

from cfx_jax.data.splits import split


def split_patients(
    patients: Sequence[str] | np.ndarray, shares: Mapping[str, float], *, seed: int
) -> dict[str, Int[np.ndarray, " m"]]:
    """Splits images at random so that each part has its share of the patients, to within one.

    ``data.split(labels, shares, groups=patients)`` gives each part its share of the images of each
    class instead.

    Args:
        patients: whose image each one is.
        shares: name of each part -> its share of the patients, above 0; at most 1 together.
        seed: fixes the split; 0 or more.

    Returns:
        Name of each part -> positions of its images, ascending.

    Raises:
        InputError: a share is not above 0, their sum is above 1, or a part would be empty.

    Example:
        >>> split_patients(["a", "a", "b", "c"], {"train": 2 / 3, "test": 1 / 3}, seed=0)
        {'train': array([0, 1, 3]), 'test': array([2])}
    """
    names, patient_of = np.unique(np.asarray(patients), return_inverse=True)
    parts = split(np.zeros(len(names), np.int64), shares, seed=seed)
    return {name: np.flatnonzero(np.isin(patient_of, chosen)) for name, chosen in parts.items()}
