"""Sizes of hearts as numbers: by the desired probability, and by the true counterfactuals."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int

from cfx_jax.metrics import HeartSize, Interval, bootstrap_interval, rank_correlation

_DRAWS = 200  # of queries, for a correlation over thousands of pairs


class Series(NamedTuple):
    """Hearts by one way of finding them and one measure of size.

    Attributes:
        queries: the size in each query (n,).
        explanations: the size in the explanation for each bin (n, k).
        counterfactuals: the size in the true counterfactuals, found in the same way (n,).
        known: the size in the true counterfactuals by their true masks (n,).
        desired: the probability asked for (n, k).
        probability: the classifier's probability at each query (n,).
        achieved: the classifier's probability at each explanation (n, k).
        labels: the true label of each query (n,).
    """

    queries: Float[np.ndarray, " n"]
    explanations: Float[np.ndarray, "n k"]
    counterfactuals: Float[np.ndarray, " n"]
    known: Float[np.ndarray, " n"]
    desired: Float[np.ndarray, "n k"]
    probability: Float[np.ndarray, " n"]
    achieved: Float[np.ndarray, "n k"]
    labels: Int[np.ndarray, " n"]

    def of(self, chosen: Bool[np.ndarray, " n"]) -> "Series":
        """The series of the chosen queries."""
        return Series(*(values[chosen] for values in self))

    @property
    def number(self) -> int:
        """The number of queries."""
        return len(self.queries)

    @property
    def complete(self) -> "Series":
        """The queries all of whose images have a size: where no lung is found there is none."""
        every = np.column_stack([self.queries, self.explanations, self.counterfactuals, self.known])
        return self.of(np.isfinite(every).all(axis=1))

    @property
    def decided_rightly(self) -> "Series":
        """The queries whose opposite extreme is of the class of their true counterfactual."""
        return self.of((self.probability >= 0.5) == (self.labels == 1))

    @property
    def opposite(self) -> Float[np.ndarray, " n"]:
        """The size at the opposite extreme of each query's decision."""
        return np.where(self.probability >= 0.5, self.explanations[:, 0], self.explanations[:, -1])


AllSeries = Mapping[tuple[str, str], Series]
"""The series by way of finding the heart and measure of its size, without gaps."""

MEASURES = HeartSize._fields
"""The measures of a heart's size."""


def spoken(measure: str) -> str:
    """The name of a measure in words."""
    return measure.replace("_", " ")


class Errors(NamedTuple):
    """The errors of sizes, against the true counterfactuals, of queries that were decided rightly.

    Attributes:
        explanation: the error at the opposite extreme, both sizes found in the same way (m,).
        query: the error of the query itself, found in the same way (m,).
        way: the error of the way of finding: the size that it finds in the true counterfactual less
            the size by its true masks (m,).
    """

    explanation: Float[np.ndarray, " m"]
    query: Float[np.ndarray, " m"]
    way: Float[np.ndarray, " m"]


def errors(series: Series) -> Errors:
    """The errors of a series without gaps."""
    rightly = series.decided_rightly
    goal = rightly.counterfactuals
    return Errors(
        np.abs(rightly.opposite - goal),
        np.abs(rightly.queries - goal),
        np.abs(goal - rightly.known),
    )


def correlation(series: Series) -> Interval | None:
    """Spearman's correlation of size and desired probability over all pairs.

    It is 0 where no size differs. Queries are drawn again for its interval; None for fewer than
    two.
    """
    pairs = np.stack([series.desired, series.explanations], axis=-1)
    return interval_of(pairs, statistic=_over_pairs, num_resamples=_DRAWS)


def correlation_per_query(series: Series) -> Interval | None:
    """The mean of the correlations within each query's series, 0 where its size stays.

    None is returned for fewer than two queries.
    """
    pairs = zip(series.desired, series.explanations, strict=True)
    # A statistic of ours: correlations that are all 0 or 1 are no answers.
    return interval_of(
        np.array([_rank_correlation(desired, sizes) for desired, sizes in pairs]),
        statistic=np.mean,
        bounds=(-1.0, 1.0),
    )


def interval_of(values: Float[np.ndarray, "n ..."], **options: Any) -> Interval | None:
    """The bootstrap interval of a statistic, the mean unless another is named.

    None is returned for fewer than two images.
    """
    return bootstrap_interval(values, **options) if len(values) > 1 else None


def _over_pairs(pairs: Float[np.ndarray, "n k 2"]) -> float:
    return _rank_correlation(pairs[..., 0].ravel(), pairs[..., 1].ravel())


def _rank_correlation(desired: Float[np.ndarray, " m"], sizes: Float[np.ndarray, " m"]) -> float:
    return float(np.nan_to_num(rank_correlation(desired, sizes)))
