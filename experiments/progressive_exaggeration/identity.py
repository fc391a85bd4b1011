"""Table 2: whether the explanations still show their queries.

Closeness is of the latents of each method's own encoder, as in the paper: its figures compare explanations of one method.
Verification needs a network that recognises faces; without one other features stand in, whose threshold is where as many
pairs of different people pass as pairs of one person are refused: a stand-in that knows labels better than people, to be
named wherever its figures are.
"""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Bool, Float, Int

from cfx_jax.metrics import cosine_distance, latent_space_closeness
from cfx_jax.parallel import map_examples
from experiments.image_set import ImageSet
from experiments.progressive_exaggeration.features import Features
from experiments.progressive_exaggeration.sweeps import Sweeps
from experiments.stages import Arrays, Workspace


class Verifier(NamedTuple):
    """When two images count as one person.

    Attributes:
        threshold: of the cosine distance.
        error: the share of pairs of either kind that it gets wrong, on real images.
    """

    threshold: float
    error: float


class Identity(NamedTuple):
    """Table 2 for one method, each (n, k), of every query and bin.

    Attributes:
        closeness: whether each explanation is nearer to its query than to every other query's explanation.
        verified: whether it counts as the same person; None where no pair of pictures of one person is known.
    """

    closeness: Bool[np.ndarray, "n k"]
    verified: Bool[np.ndarray, "n k"] | None


def identity_of(
    found: Sweeps, queries: ImageSet, features: Features, verifier: Verifier | None, workspace: Workspace
) -> Identity:
    """Both measures of one method.

    Args:
        found: its series.
        queries: the images that they explain.
        features: what the verifier compares.
        verifier: as ``calibrate`` finds it, or None.
        workspace: keeps the closeness.
    """

    def compute() -> Arrays:
        return {"values": closeness(*_latents(found, queries.arrays["image"], features.batch_size))}

    close = workspace.cached("closeness", [found.identity, queries.identity], compute)["values"]
    if verifier is None:
        return Identity(close, None)
    own, explanations = features.of_images(queries), features.of_sweeps(found)
    away = [cosine_distance(own, explanations[:, each]) for each in range(explanations.shape[1])]
    return Identity(close, np.stack(away, axis=1) < verifier.threshold)


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


def _latents(
    found: Sweeps, queries: Float[np.ndarray, "n h w c"], batch_size: int
) -> tuple[Float[np.ndarray, "n d"], Float[np.ndarray, "n k d"]]:
    """The latents of queries, encoded with their own bins, and of explanations, with theirs."""
    images = np.asarray(found.found.images)
    number, bins = images.shape[:2]

    def encode(images: np.ndarray, bins: Int[np.ndarray, " m"]) -> np.ndarray:
        return map_examples(_encode, found.encode, (images, bins), batch_size=batch_size * 10)

    explained = encode(images.reshape(-1, *images.shape[2:]), np.tile(np.arange(bins), number))
    return encode(queries, np.asarray(found.found.source_bin)), explained.reshape(number, bins, -1)


def _encode(encode: Callable[..., Float[np.ndarray, "..."]], given: tuple[np.ndarray, np.ndarray]) -> jax.Array:
    return jnp.ravel(encode(*given))
