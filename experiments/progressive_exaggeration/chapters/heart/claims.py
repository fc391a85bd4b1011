"""The paper's statements on hearts, each with an interval over images and a verdict."""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from jaxtyping import Float

from cfx_jax.metrics import Interval
from experiments.progressive_exaggeration.chapters.heart.group_comparisons import (
    ENLARGED,
    NORMAL,
    PUBLISHED,
    TO_ENLARGED,
    TO_NORMAL,
    difference,
    moved,
)
from experiments.progressive_exaggeration.chapters.heart.size_statistics import (
    Series,
    correlation,
    errors,
)
from experiments.shared import MORE, Claim, Statement

_PLACE = "section 4.2, second paragraph, and Figure 4"
_SIZE = "area of the heart over that of the thorax"


def make_claims(series: Mapping[str, Series]) -> Iterator[Claim]:
    """Yields all claims that some series can test.

    Args:
        series: one measure by each way of finding hearts; the groups are compared by the first way.
    """
    for way, hearts in series.items():
        yield _rise(way, hearts)
    first = next(iter(series.values()))
    yield from _moves(first)
    yield from _like_real(first)
    yield _counterfactuals(first)


def _rise(way: str, series: Series) -> Claim:
    """Figure 4a: the heart grows with the desired probability."""
    interval = correlation(series)
    return _settle(
        Statement(
            f"Figure 4a {way}",
            "The heart grows with the probability of cardiomegaly that was asked for; hearts"
            f" {way}.",
            _PLACE,
        ),
        {},
        {} if interval is None else {"rank correlation": interval.estimate},
        interval,
        f"Spearman's correlation of desired probability and {_SIZE} over all pairs of"
        f" {series.number} queries",
        **MORE,
    )


def _moves(series: Series) -> Iterator[Claim]:
    """Yields the claims of Figure 4b's dependent tests: small hearts grow, large ones shrink."""
    for enlarged, name, text, first, second, bounds in (
        (
            False,
            "Figure 4b grow",
            "Explained as enlarged, normal hearts grow.",
            TO_ENLARGED,
            NORMAL,
            {"minimum": 0.0},
        ),
        (
            True,
            "Figure 4b shrink",
            "Explained as normal, enlarged hearts shrink.",
            TO_NORMAL,
            ENLARGED,
            {"maximum": 0.0},
        ),
    ):
        hearts = moved(series, enlarged=enlarged)
        yield _settle_pair(
            Statement(name, text, _PLACE),
            {"p": PUBLISHED[first, second]},
            {first: hearts.after, second: hearts.before},
            _SIZE,
            **bounds,
            strict=True,
        )


def _like_real(series: Series) -> Iterator[Claim]:
    """Yields the claims of Figure 4b's independent tests, as tests of equivalence."""
    low, high = moved(series, enlarged=False), moved(series, enlarged=True)
    gap = difference(high.real, low.real)
    margin = 0.0 if gap is None else abs(gap.estimate) / 2
    for first, after, second, real in (
        (TO_NORMAL, high.after, NORMAL, low.real),
        (TO_ENLARGED, low.after, ENLARGED, high.real),
    ):
        yield _settle(
            Statement(
                f"Figure 4b as {second}",
                f"Hearts explained as {second} are as large as real {second} ones: their mean"
                " differs by less than half of what real normal and enlarged hearts differ by.",
                _PLACE,
            ),
            {"p": PUBLISHED[first, second]},
            {
                name: float(sizes.mean())
                for name, sizes in ((first, after), (second, real))
                if len(sizes)
            },
            None if gap is None else difference(after, real),
            f"{_SIZE}; {first} minus {second}, Welch's interval over {len(after)} and {len(real)}"
            f" images; half is {margin:.3g}, a bound of ours",
            minimum=-margin,
            maximum=margin,
        )


def _counterfactuals(series: Series) -> Claim:
    """Explanations come nearer to the true counterfactuals' sizes than their queries are."""
    off = errors(series)
    return _settle_pair(
        Statement(
            "heart counterfactual",
            "At the opposite extreme the heart is nearer in size to that of the same person's true"
            " counterfactual than the query's own heart is.",
            kind="target",
        ),
        {},
        {"explanation": off.explanation, "query": off.query},
        f"error of the {_SIZE}",
        maximum=0.0,
        strict=True,
    )


def _settle_pair(
    statement: Statement,
    paper: Mapping[str, Any],
    ours: Mapping[str, Float[np.ndarray, " n"]],
    statistic: str,
    **bounds: Any,
) -> Claim:
    """The claim by a mean difference over queries; undecided without any query."""
    if min(map(len, ours.values())) < 1:
        return statement.settle(paper, {}, None, f"{statistic}; no image")
    return statement.settle_pair(paper, ours, statistic, unit="queries", **bounds)


def _settle(
    statement: Statement,
    paper: Mapping[str, Any],
    ours: Mapping[str, Any],
    interval: Interval | None,
    statistic: str,
    **bounds: Any,
) -> Claim:
    """The claim by an interval; undecided where images are too few for one."""
    if interval is None:
        statistic += "; too few images"
    return statement.settle(paper, ours, interval, statistic, **bounds)
