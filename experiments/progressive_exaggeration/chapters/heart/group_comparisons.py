"""The paper's four groups of hearts (Figure 4b) and its t-tests between them.

Real radiographs count as normal or enlarged where the classifier is sure of it (a probability below
0.1, or above 0.9), and explanations where it is as sure of the opposite. The paper takes a test
that does not reject equal means for equality; this says little of small groups, so that the
difference comes with its interval too.
"""

from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from cfx_jax.errors import import_extra
from cfx_jax.metrics import Interval, TTest, dependent_t_test, independent_t_test
from experiments.progressive_exaggeration.chapters.heart.size_statistics import Series

_LOW, _HIGH = 0.1, 0.9

NORMAL, ENLARGED = "normal", "enlarged"
TO_ENLARGED, TO_NORMAL = "normal, explained as enlarged", "enlarged, explained as normal"
GROUPS = (NORMAL, TO_ENLARGED, ENLARGED, TO_NORMAL)

PUBLISHED = {
    (TO_ENLARGED, NORMAL): "far below 0.001",
    (TO_NORMAL, ENLARGED): "far below 0.001",
    (TO_NORMAL, NORMAL): "above 0.01",
    (TO_ENLARGED, ENLARGED): "below 0.01",
}
"""The paper's p-values; its text takes the last one for equality, against the number."""


class Moved(NamedTuple):
    """Queries that the classifier is sure of, and their explanations for the other extreme.

    Attributes:
        real: the size in each of these queries (n,).
        before: the size in the queries whose explanation makes the classifier as sure of the
            opposite (m,).
        after: the size in these explanations (m,).
    """

    real: Float[np.ndarray, " n"]
    before: Float[np.ndarray, " m"]
    after: Float[np.ndarray, " m"]


class Comparison(NamedTuple):
    """A t-test of two groups.

    Attributes:
        first, second: the names of the groups.
        kind: the kind of the test.
        result: the difference of the first less the second; None where one has fewer than two
            images.
    """

    first: str
    second: str
    kind: str
    result: TTest | None


def moved(series: Series, *, enlarged: bool) -> Moved:
    """One of the paper's two populations.

    Args:
        series: without gaps.
        enlarged: the enlarged hearts, else the normal ones.
    """
    if enlarged:
        sure, reached, bin = series.probability > _HIGH, series.achieved[:, 0] < _LOW, 0
    else:
        sure, reached, bin = series.probability < _LOW, series.achieved[:, -1] > _HIGH, -1
    both = sure & reached
    return Moved(series.queries[sure], series.queries[both], series.explanations[both, bin])


def groups(series: Series) -> dict[str, Float[np.ndarray, " m"]]:
    """The sizes in each group of ``GROUPS``."""
    low, high = moved(series, enlarged=False), moved(series, enlarged=True)
    return dict(zip(GROUPS, (low.real, low.after, high.real, high.after), strict=True))


def comparisons(series: Series) -> Iterator[Comparison]:
    """The paper's four tests, the independent ones both as Welch's and as Student's."""
    low, high = moved(series, enlarged=False), moved(series, enlarged=True)
    yield Comparison(
        TO_ENLARGED, NORMAL, "dependent", _test(dependent_t_test, low.after, low.before)
    )
    yield Comparison(
        TO_NORMAL, ENLARGED, "dependent", _test(dependent_t_test, high.after, high.before)
    )
    for kind, equal in (("independent, Welch", False), ("independent, Student", True)):
        for name, after, other, real in (
            (TO_NORMAL, high.after, NORMAL, low.real),
            (TO_ENLARGED, low.after, ENLARGED, high.real),
        ):
            yield Comparison(
                name, other, kind, _test(independent_t_test, after, real, equal_variances=equal)
            )


def difference(first: Float[np.ndarray, " n"], second: Float[np.ndarray, " m"]) -> Interval | None:
    """The difference of the means of two samples with Welch's 95 % interval.

    None is returned where a sample has fewer than two images. The ends are NaN where neither
    sample has a spread: it cannot show how far its mean may be off.
    """
    result = _test(independent_t_test, first, second)
    if result is None:
        return None
    error = float(np.sqrt(sum(sample.var(ddof=1) / len(sample) for sample in (first, second))))
    mean = float(first.mean() - second.mean())
    if error == 0:
        return Interval(mean, float("nan"), float("nan"))
    share = import_extra("scipy.stats", "t-tests").t.ppf(0.975, result.degrees_of_freedom)
    return Interval(mean, mean - float(share) * error, mean + float(share) * error)


def _test(
    test: Callable[..., TTest],
    first: Float[np.ndarray, " n"],
    second: Float[np.ndarray, " m"],
    **options: bool,
) -> TTest | None:
    return test(first, second, **options) if min(len(first), len(second)) > 1 else None
