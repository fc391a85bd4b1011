"""What the paper says of hearts, each with an interval over images and a verdict."""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from jaxtyping import Float

from cfx_jax.metrics import Interval
from cfx_jax.report import Claim
from experiments.progressive_exaggeration.heart.groups import (
    ENLARGED,
    NORMAL,
    PUBLISHED,
    TO_ENLARGED,
    TO_NORMAL,
    difference,
    moved,
)
from experiments.progressive_exaggeration.heart.series import Series, correlation, errors
from experiments.shared.interval_claims import claim, paired_claim

_PLACE = "section 4.2, second paragraph, and Figure 4"
_SIZE = "area of the heart over that of the thorax"


def claims(series: Mapping[str, Series]) -> Iterator[Claim]:
    """All that some series can test.

    Args:
        series: by way of finding hearts, of one measure; of the first way the groups are compared.
    """
    for way, each in series.items():
        yield _rise(way, each)
    first = next(iter(series.values()))
    yield from _moves(first)
    yield from _like_real(first)
    yield _counterfactuals(first)


def _rise(way: str, series: Series) -> Claim:
    interval = correlation(series)
    return _settled(
        f"Figure 4a {way}",
        f"The heart grows with the probability of cardiomegaly that was asked for; hearts {way}.",
        {},
        {} if interval is None else {"rank correlation": interval.estimate},
        interval,
        f"Spearman's correlation of desired probability and {_SIZE} over all pairs of"
        f" {series.number} queries",
        kind="statement",
        place=_PLACE,
        minimum=0.0,
        strict=True,
    )


def _moves(series: Series) -> Iterator[Claim]:
    """The dependent tests."""
    texts = {
        False: "Explained as enlarged, normal hearts grow.",
        True: "Explained as normal, enlarged hearts shrink.",
    }
    for enlarged, text in texts.items():
        found, bound = moved(series, enlarged=enlarged), {"maximum" if enlarged else "minimum": 0.0}
        first, second = (TO_NORMAL, ENLARGED) if enlarged else (TO_ENLARGED, NORMAL)
        yield _paired(
            f"Figure 4b {'shrink' if enlarged else 'grow'}",
            text,
            {"p": PUBLISHED[first, second]},
            {first: found.after, second: found.before},
            _SIZE,
            kind="statement",
            place=_PLACE,
            **bound,
            strict=True,
        )


def _like_real(series: Series) -> Iterator[Claim]:
    """The independent tests, as tests of equivalence."""
    low, high = moved(series, enlarged=False), moved(series, enlarged=True)
    gap = difference(high.real, low.real)
    for first, after, second, real in (
        (TO_NORMAL, high.after, NORMAL, low.real),
        (TO_ENLARGED, low.after, ENLARGED, high.real),
    ):
        margin = 0.0 if gap is None else abs(gap.estimate) / 2
        yield _settled(
            f"Figure 4b as {second}",
            f"Hearts explained as {second} are as large as real {second} ones: their mean differs"
            f" by less than half of what"
            " real normal and enlarged hearts differ by.",
            {"p": PUBLISHED[first, second]},
            {
                name: float(sizes.mean())
                for name, sizes in ((first, after), (second, real))
                if len(sizes)
            },
            None if gap is None else difference(after, real),
            f"{_SIZE}; {first} minus {second}, Welch's interval over {len(after)} and {len(real)}"
            f" images; half is"
            f" {margin:.3g}, a bound of ours",
            kind="statement",
            place=_PLACE,
            minimum=-margin,
            maximum=margin,
        )


def _counterfactuals(series: Series) -> Claim:
    off = errors(series)
    return _paired(
        "heart counterfactual",
        "At the opposite extreme the heart is nearer in size to that of the same person's true"
        " counterfactual than the"
        " query's own heart is.",
        {},
        {"explanation": off.explanation, "query": off.query},
        f"error of the {_SIZE}",
        maximum=0.0,
        strict=True,
    )


def _paired(
    name: str,
    text: str,
    paper: Mapping[str, Any],
    ours: Mapping[str, Float[np.ndarray, " n"]],
    of: str,
    **bounds: Any,
) -> Claim:
    number = min(map(len, ours.values()))
    if number < 1:
        return _undecided(name, text, paper, {}, f"{of}; no image", **_said(bounds))
    return paired_claim(name, text, paper, ours, of, unit="queries", **bounds)


def _settled(
    name: str,
    text: str,
    paper: Mapping[str, Any],
    ours: Mapping[str, Any],
    interval: Interval | None,
    of: str,
    **bounds: Any,
) -> Claim:
    if interval is None:
        return _undecided(name, text, paper, ours, f"{of}; too few images", **_said(bounds))
    return claim(name, text, paper, ours, interval, of, **bounds)


def _said(options: Mapping[str, Any]) -> dict[str, Any]:
    """Whose claim it is and where, of the options of a claim."""
    return {name: options[name] for name in ("kind", "place") if name in options}


def _undecided(
    name: str, text: str, paper: Mapping[str, Any], ours: Mapping[str, Any], of: str, **said: Any
) -> Claim:
    return Claim(
        id=name,
        text=text,
        paper=paper,
        ours=ours,
        interval=None,
        verdict="undecided",
        statistic=of,
        **said,
    )
