"""Table 2: whether the explanations still show their queries.

Closeness is of the latents of each method's own encoder, as in the paper: its figures compare
explanations of one method. Verification needs a network that recognises faces, such as those
trained on VGGFace2, which ``--recogniser`` names: two images show one person where the cosine
distance of their vectors is below 0.5. Without one other features stand in, with the threshold at
which as many pairs of different people pass as pairs of one person are refused, on validation
images: a stand-in that knows labels better than people, to be named wherever its figures are. How
often the threshold is wrong is told of test images.
"""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Bool, Float, Int, Shaped

from cfx_jax.metrics import cosine_distance, latent_space_closeness, same_identity
from cfx_jax.parallel import map_examples
from experiments.progressive_exaggeration.data import Data, Part
from experiments.progressive_exaggeration.label_study.explanations import Sweeps
from experiments.progressive_exaggeration.label_study.features import Features
from experiments.shared import Arrays, ImageSet, Workspace

_PUBLISHED = 0.5
"""Cosine distance below which networks trained on VGGFace2 see one person (section 4.1)."""


class Pairs(NamedTuple):
    """Distances of pairs of real images.

    Attributes:
        same: the distances of two images of one person (n,).
        different: the distances of two images of two people (m,).
    """

    same: Float[np.ndarray, " n"]
    different: Float[np.ndarray, " m"]

    def error(self, threshold: float) -> float:
        """The mean of two shares: pairs of one person that are refused, pairs of two that pass."""
        return float(((self.same >= threshold).mean() + (self.different < threshold).mean()) / 2)


class Verifier(NamedTuple):
    """The rule by which two images count as one person.

    Attributes:
        features: the vectors that are compared.
        threshold: the threshold of the cosine distance.
        error: the error on pairs of real test images, see ``Pairs.error``; None where no pair of
            one person is known.
        stand_in: whether the features are not of a network that recognises faces.
    """

    features: Features
    threshold: float
    error: float | None
    stand_in: bool

    @property
    def who(self) -> str:
        """The name of the judge, in words."""
        return "the stand-in" if self.stand_in else self.features.name

    @property
    def description(self) -> str:
        """The verifier in a sentence, with its threshold and its error."""
        error = (
            ""
            if self.error is None
            else f", where {self.error:.1%} of real test pairs of either kind are judged wrongly"
        )
        kind = "a stand-in for a network that recognises faces: " if self.stand_in else ""
        return (
            f"'verified' is by {kind}the cosine distance of {self.features.name}, below"
            f" {self.threshold:.3g}{error}."
        )


class Identity(NamedTuple):
    """Table 2 for one method, each (n, k), of every query and bin.

    Attributes:
        closeness: whether each explanation is nearer to its query than to every other query's
            explanation.
        verified: whether it counts as the same person; None where there is no verifier.
    """

    closeness: Bool[np.ndarray, "n k"]
    verified: Bool[np.ndarray, "n k"] | None


def verifier_of(
    data: Data, features: Features, recogniser: Features | None, *, seed: int
) -> Verifier | None:
    """The recogniser with the published threshold, or a stand-in.

    There is no stand-in, but None, where no pair of images of one person is known.

    Args:
        data: validation images give a stand-in its threshold, test images the error.
        features: the features of the stand-in.
        recogniser: a network that recognises faces, or None.
        seed: pairs images of different people.
    """
    used = features if recogniser is None else recogniser
    tested = real_pairs(data.test, used, seed=seed)
    if recogniser is not None:
        return Verifier(
            used, _PUBLISHED, None if tested is None else tested.error(_PUBLISHED), False
        )
    chosen_on = real_pairs(data.validation, used, seed=seed)
    if tested is None or chosen_on is None:
        return None
    threshold = equal_error_threshold(chosen_on)
    return Verifier(used, threshold, tested.error(threshold), True)


def real_pairs(part: Part, features: Features, *, seed: int) -> Pairs | None:
    """Pairs of images of one person, and as many of two people.

    One person's images are known by the people's names or by the true counterfactuals; None is
    returned where neither is known.

    Args:
        part: the images, with the person on each.
        features: the vectors that are compared.
        seed: pairs different people.
    """
    if part.people is not None:
        first, second = two_images_of_each(part.people)
        if len(first) < 2:
            return None
        vectors = features.of_images(part.images)
        images, again = vectors[first], vectors[second]
    else:
        counterfactuals = features.of_counterfactuals(part.images)
        if counterfactuals is None or len(counterfactuals) < 2:
            return None
        images, again = features.of_images(part.images), counterfactuals
    shift = np.random.default_rng(seed).integers(1, len(images), len(images))
    others = (np.arange(len(images)) + shift) % len(images)
    return Pairs(cosine_distance(images, again), cosine_distance(images, images[others]))


def two_images_of_each(
    people: Shaped[np.ndarray, " n"],
) -> tuple[Int[np.ndarray, " m"], Int[np.ndarray, " m"]]:
    """Positions of the first and of the second image of everybody who is shown at least twice."""
    order = np.argsort(people, kind="stable")
    starts = np.flatnonzero(np.r_[True, people[order][1:] != people[order][:-1]])
    lengths = np.diff(np.r_[starts, len(order)])
    several = starts[lengths > 1]
    return order[several], order[several + 1]


def equal_error_threshold(pairs: Pairs) -> float:
    """The threshold at which both kinds of error are as nearly as possible equally frequent."""
    candidates = np.unique(np.concatenate([pairs.same, pairs.different]))
    refused = np.array([(pairs.same >= limit).mean() for limit in candidates])
    passed = np.array([(pairs.different < limit).mean() for limit in candidates])
    return max(
        float(candidates[np.abs(refused - passed).argmin()]), float(np.finfo(np.float64).tiny)
    )


def identity_of(
    sweeps: Sweeps,
    queries: ImageSet,
    features: Features,
    verifier: Verifier | None,
    workspace: Workspace,
) -> Identity:
    """Both measures of one method.

    Args:
        sweeps: its series.
        queries: the images that they explain.
        features: say how many images are encoded at once.
        verifier: as ``verifier_of`` returns it, or None.
        workspace: keeps the closeness.
    """

    def compute() -> Arrays:
        bins, size = range(sweeps.series.images.shape[1]), features.batch_size * 10
        latents = latents_of_queries(sweeps, queries, batch_size=size)
        # One bin after the other: the latents of all are gigabytes.
        close = [
            latent_space_closeness(latents, latents_of_bin(sweeps, bin, batch_size=size))
            for bin in bins
        ]
        return {"values": np.stack(close, axis=1)}

    close = workspace.cached("closeness", [sweeps.identity, queries.identity], compute)["values"]
    if verifier is None:
        return Identity(close, None)
    vectors, explanations = (
        verifier.features.of_images(queries),
        verifier.features.of_sweeps(sweeps),
    )
    same = [
        same_identity(vectors, explanations[:, bin], threshold=verifier.threshold)
        for bin in range(explanations.shape[1])
    ]
    return Identity(close, np.stack(same, axis=1))


def latents_of_queries(
    sweeps: Sweeps, queries: ImageSet, *, batch_size: int
) -> Float[np.ndarray, "n d"]:
    """The latents E(x) of the queries, encoded with their own bins."""
    own_bins = np.asarray(sweeps.series.source_bin)
    encoded = [
        map_examples(
            _encode, sweeps.encode, (queries.read(rows), own_bins[rows]), batch_size=batch_size
        )
        for rows in sweeps.parts()
    ]
    return np.concatenate(encoded)


def latents_of_bin(sweeps: Sweeps, bin: int, *, batch_size: int) -> Float[np.ndarray, "n d"]:
    """The latents E(x_delta) of the explanations for one bin.

    An encoder that takes a bin takes the query's bin, as where the training encodes explanations
    for its cycle.
    """
    images, own_bins = (
        np.asarray(sweeps.series.images)[:, bin],
        np.asarray(sweeps.series.source_bin),
    )
    return map_examples(_encode, sweeps.encode, (images, own_bins), batch_size=batch_size)


def _encode(
    encode: Callable[..., Float[np.ndarray, "..."]], given: tuple[np.ndarray, np.ndarray]
) -> jax.Array:
    return jnp.ravel(encode(*given))
