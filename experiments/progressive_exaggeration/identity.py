"""Table 2: whether the explanations still show their queries.

Closeness is of embeddings by the explainer's own encoder for its explanations, and by the autoencoder's for xGEM's, as in
the paper; for one ruler both are measured by the judge's features too. Verification needs a network that recognises faces;
without one the judge's features stand in, whose threshold is where as many pairs of different people pass as pairs of one
person are refused: a stand-in that knows labels better than people, to be named wherever its figures are.
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float

from cfx_jax.metrics import cosine_distance, latent_space_closeness


class Verifier(NamedTuple):
    """When two images count as one person.

    Attributes:
        threshold: of the cosine distance.
        error: the share of pairs of either kind that it gets wrong, on real images.
    """

    threshold: float
    error: float


def closeness(queries: Float[np.ndarray, "n d"], explanations: Float[np.ndarray, "n k d"]) -> Bool[np.ndarray, "n k"]:
    """Whether each explanation is nearer to its query than to every other query's explanation for the same bin."""
    bins = range(explanations.shape[1])
    return np.stack([latent_space_closeness(queries, explanations[:, each]) for each in bins], axis=1)


def calibrate(images: Float[np.ndarray, "n d"], again: Float[np.ndarray, "n d"], *, seed: int) -> Verifier:
    """The threshold at which both kinds of error are equally frequent.

    Args:
        images: features of real images.
        again: of another picture of the same.
        seed: pairs each image with another one's.
    """
    others = (np.arange(len(images)) + np.random.default_rng(seed).integers(1, len(images), len(images))) % len(images)
    same, different = cosine_distance(images, again), cosine_distance(images, images[others])
    candidates = np.unique(np.concatenate([same, different]))
    refused = np.array([(same >= each).mean() for each in candidates])
    passed = np.array([(different < each).mean() for each in candidates])
    best = int(np.abs(refused - passed).argmin())
    return Verifier(float(candidates[best]), float((refused[best] + passed[best]) / 2))
