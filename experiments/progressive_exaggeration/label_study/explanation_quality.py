"""The measures of explanations: Tables 1 and 2, correlation, likeness, and faults."""

from collections.abc import Mapping
from functools import partial
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Shaped

from cfx_jax.metrics import Interval, bootstrap_interval, psnr_of_mse, rank_correlation
from experiments.progressive_exaggeration import published
from experiments.progressive_exaggeration.label_study.classifiers import Subject
from experiments.progressive_exaggeration.label_study.distances import Cloud, Distances, distances
from experiments.progressive_exaggeration.label_study.explanations import OURS, Sweeps, spread
from experiments.progressive_exaggeration.label_study.features import Features
from experiments.progressive_exaggeration.label_study.identity import (
    Identity,
    Verifier,
    identity_of,
)
from experiments.shared import ImageSet

_RANGES = 5  # of the queries' own probability, one curve each
_FINEST = 1e-6  # mean square that images of 8 bits tell nothing below
_CORRELATIONS = 200  # draws of queries, each of thousands of pairs
_NOTHING = 1 / 255  # mean difference of extremes that images of 8 bits hardly show


class Measures(NamedTuple):
    """Tables 1 and 2 for some methods.

    Attributes:
        distances: Table 1.
        identity: Table 2, by method.
        groups: which queries are drawn together, of one person or one picture; None where every
            query is one of its own.
    """

    distances: Distances
    identity: Mapping[str, Identity]
    groups: Shaped[np.ndarray, " n"] | None


def measure(
    subject: Subject,
    sweeps: tuple[Sweeps, ...],
    features: Features,
    verifier: Verifier | None,
    *,
    seed: int,
) -> Measures:
    """Tables 1 and 2 of one subject.

    Args:
        subject: the explained label.
        sweeps: the explanations of one method or of several; their names differ.
        features: the features whose distances are measured.
        verifier: tells faces apart, or None.
        seed: the seed of the choice of images and of the bootstrap.
    """
    test = subject.data.test
    real = Cloud(
        features.of_images(test.images), subject.probability, units_of(test.groups, len(test))
    )
    units = units_of(subject.groups, len(subject.queries))
    clouds = {method.name: _cloud(method, features, units) for method in sweeps}
    depends = [
        seed,
        [subject.identity, test.images.identity],
        [features.name, features.identity],
        [(method.name, method.identity) for method in sweeps],
        [np.unique(cloud.units, return_inverse=True)[1] for cloud in (real, *clouds.values())],
    ]
    table = distances(
        real, clouds, seed=seed, keep=partial(features.workspace.cached, "distances", depends)
    )
    identity = {
        method.name: identity_of(method, subject.queries, features, verifier, features.workspace)
        for method in sweeps
    }
    return Measures(table, identity, subject.groups)


def units_of(groups: Shaped[np.ndarray, " n"] | None, number: int) -> Shaped[np.ndarray, " n"]:
    """The unit of each image: its group, or itself."""
    return np.arange(number) if groups is None else groups


def _cloud(sweeps: Sweeps, features: Features, units: Shaped[np.ndarray, " n"]) -> Cloud:
    """All explanations of all queries; the queries of one unit belong together."""
    vectors, probabilities = features.of_sweeps(sweeps), np.asarray(sweeps.series.probabilities)
    flat = vectors.reshape(probabilities.size, -1)
    return Cloud(flat, probabilities.ravel(), np.repeat(units, probabilities.shape[1]))


def correlation(
    desired: Float[np.ndarray, "n k"],
    achieved: Float[np.ndarray, "n k"],
    groups: Shaped[np.ndarray, " n"] | None,
) -> Interval:
    """Spearman's correlation of desired and achieved probability over all pairs.

    Queries are drawn with all of their pairs.
    """
    pairs = np.stack([desired, achieved], axis=-1)
    return bootstrap_interval(
        pairs, statistic=_correlation, num_resamples=_CORRELATIONS, groups=groups
    )


def correlation_by_query(
    desired: Float[np.ndarray, "n k"],
    achieved: Float[np.ndarray, "n k"],
    groups: Shaped[np.ndarray, " n"] | None,
) -> Float[np.ndarray, " m"]:
    """The share of each query, or group of queries, in Spearman's correlation over all pairs.

    The jackknife's pseudo-values, m r - (m - 1) r_i, with r_i the correlation without unit i: their
    mean is the correlation, less its bias of order 1 / m, and their spread its own.
    """
    pairs = np.stack([desired, achieved], axis=-1)
    units = units_of(groups, len(pairs))
    names, every = np.unique(units), _correlation(pairs)
    without = np.array([_correlation(pairs[units != name]) for name in names])
    return len(names) * every - (len(names) - 1) * without


def _correlation(pairs: Float[np.ndarray, "n k 2"]) -> float:
    """Spearman's correlation of pairs; 0 where all that is achieved is alike."""
    return float(np.nan_to_num(rank_correlation(pairs[..., 0].ravel(), pairs[..., 1].ravel())))


def own_psnr(queries: ImageSet, sweeps: Sweeps) -> np.ndarray:
    """PSNR of each query's drawing for its own bin, in decibels, at most 60."""
    squared = [
        np.square(queries.read(rows) - drawn, dtype=np.float64).mean((1, 2, 3))
        for rows, drawn in sweeps.drawn(np.asarray(sweeps.series.source_bin))
    ]
    return psnr_of_mse(np.maximum(np.concatenate(squared), _FINEST))


def ranges(probability: np.ndarray) -> list[tuple[float, float, np.ndarray]]:
    """The paper's ranges of the queries' own probability, with the queries in each."""
    which = np.minimum((probability * _RANGES).astype(int), _RANGES - 1)
    return [(part / _RANGES, (part + 1) / _RANGES, which == part) for part in range(_RANGES)]


def remarks(sweeps: Sweeps, collapsed: float) -> str:
    """The fault of a method in a few words, or "none".

    Images that leave all bins alike turn one of the two decisions over.
    """
    share = min(float(sweeps.crossed[sweeps.decided == answer].mean()) for answer in (False, True))
    if float(spread(sweeps).mean()) < _NOTHING:
        return "collapsed: all bins look alike"
    return f"collapsed: turns over {share:.0%} of one decision" if share < collapsed else "none"


def share_of(answers: Bool[np.ndarray, "n k"], groups: Shaped[np.ndarray, " n"] | None) -> Interval:
    """The share of yes over all bins, with its interval over queries or groups of queries."""
    return bootstrap_interval(answers.mean(axis=1), groups=groups, bounds=(0, 1))


def measure_columns() -> list[str]:
    """Names of the cells of ``measure_cells``."""
    names = (published.PRESENT, published.ABSENT, published.OVERALL, "closeness", "verified")
    return [column for name in names for column in (name, f"paper {name}")]


def measure_cells(measures: Measures, paper: published.Row | None) -> list[Any]:
    """Tables 1 and 2 of the paper's method in one row, as Tables 5 and 6 print them.

    Beside each figure stands the paper's.
    """
    identity, distances = measures.identity[OURS], measures.distances.cells
    ours: list[Any] = [
        distances[group, OURS].interval
        for group in (published.PRESENT, published.ABSENT, published.OVERALL)
    ]
    ours.append(share_of(identity.closeness, measures.groups))
    ours.append(None if identity.verified is None else share_of(identity.verified, measures.groups))
    return [cell for pair in zip(ours, paper or (None,) * len(ours), strict=True) for cell in pair]
