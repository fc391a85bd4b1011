"""The image with lesions that Figure 1 shows, and how it is chosen."""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from cfx_jax.counterfactuals import Counterfactual
from experiments.fundus_vce.classifiers import NAMES


class TypicalImage(NamedTuple):
    """The scored image that Figure 1 shows.

    Attributes:
        row: its position among the images scored.
        words: whether it is rightly classified.
        vce: its counterfactual by each classifier, in the chosen norm and the radius that
            ``explanations.radii`` has for it; arrays with a leading axis of 1.
    """

    row: int
    words: str
    vce: Mapping[str, Counterfactual]


def choose_typical(probability: Mapping[str, Float[np.ndarray, " n"]]) -> tuple[int, str]:
    """Chooses the image that Figure 1 shows, and says whether it is rightly classified.

    The first that all classifiers take for the finding, as in the paper; where there is none, the
    first that the ensemble does; else the first.

    Args:
        probability: the probability of the finding, by classifier.

    Returns:
        The position of the image, and words for its caption.
    """
    hits = {name: np.asarray(values) > 0.5 for name, values in probability.items()}
    for names, words in (
        (NAMES, "rightly classified by all classifiers"),
        (("ensemble",), "which the ensemble gets right"),
    ):
        rows = np.flatnonzero(np.all([hits[name] for name in names], axis=0))
        if len(rows):
            return int(rows[0]), words
    return 0, "which the ensemble gets wrong, as it does all that were scored"
