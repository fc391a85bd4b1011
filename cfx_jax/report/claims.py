"""Claims of a paper and their tests: the claim, our finding, and whether that settles it.

A verdict comes from an interval, never from a bare number: a claim holds where the whole interval
agrees with it, fails where the whole interval contradicts it, and is undecided between. A claim
that fails stays in the report.
"""

import json
import math
import os
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from cfx_jax.checks import check_flag, check_integer, check_number, check_text, check_type
from cfx_jax.errors import InputError
from cfx_jax.files import write_text
from cfx_jax.report.checks import check_choice
from cfx_jax.report.table import format_table
from cfx_jax.report.table_cells import format_cell

Verdict = Literal["holds", "fails", "undecided"]

VERDICTS: tuple[Verdict, ...] = ("holds", "fails", "undecided")

Kind = Literal["statement", "ordering", "target"]

KINDS: tuple[Kind, ...] = ("statement", "ordering", "target")


@dataclass(frozen=True, kw_only=True)
class Claim:
    """A claim with our finding: a paper's claim, or a target that we set ourselves."""

    id: str
    """Short name, unique within a report."""
    text: str
    """The claim in a sentence."""
    paper: Mapping[str, Any]
    """The paper's figures by name: cells as in ``cfx_jax.report.table_cells``."""
    ours: Mapping[str, Any]
    """Our figures by name."""
    interval: tuple[float, float, float] | None
    """``(estimate, low, high)`` of ``statistic``, such as a bootstrap ``Interval``; None where
    there is none.
    """
    verdict: Verdict
    """``"holds"``, ``"fails"`` or ``"undecided"``; ``verdict(interval, ...)`` gives it."""
    kind: Kind = "target"
    """``"statement"`` for a sentence of the paper, ``"ordering"`` for what its tables or figures
    show without a sentence that says so, ``"target"`` for a bound of ours.
    """
    place: str = ""
    """Where the paper says or shows it, e.g. "section 4.2, second paragraph" or "Table 2"."""
    statistic: str = ""
    """The number that the interval is of, e.g. "mean IoU, robust minus plain, paired over 41
    images".
    """
    note: str = ""
    """A remark that a reader needs to judge the claim, e.g. that the data are synthetic."""

    def __post_init__(self) -> None:
        check_choice(self.verdict, VERDICTS, "verdict")
        check_choice(self.kind, KINDS, "kind")
        if self.kind != "target" and not self.place:
            raise InputError(f"claim {self.id}: what the paper says needs a place, e.g. 'Table 2'")
        if not self.id or not self.text:
            raise InputError("a claim needs an id and a text")
        if self.interval is not None:
            _check_interval(self.interval)


def verdict(
    interval: tuple[float, float, float],
    *,
    minimum: float = -math.inf,
    maximum: float = math.inf,
    strict: bool = False,
) -> Verdict:
    """Judges by an interval the claim that a statistic lies between two bounds.

    Args:
        interval: ``(estimate, low, high)`` of the statistic; NaN ends leave the claim undecided.
        minimum: the claim says the statistic is at least this.
        maximum: the claim says the statistic is at most this.
        strict: the claim says "more than" and "less than": a statistic equal to a bound contradicts
            it.

    Returns:
        ``"holds"`` where every value of the interval agrees with the claim, ``"fails"`` where none
        does, ``"undecided"`` otherwise.

    Raises:
        InputError: neither bound is given, they are in the wrong order, or the interval is not one.

    >>> verdict((0.3, 0.2, 0.4), minimum=0.0), verdict((0.1, -0.1, 0.3), minimum=0.0)
    ('holds', 'undecided')
    """
    _check_interval(interval)
    check_flag(strict, name="strict")
    check_number(minimum, name="minimum")
    check_number(maximum, name="maximum")
    if math.isinf(minimum) and math.isinf(maximum):
        raise InputError("a verdict needs a bound: give minimum, maximum or both")
    if minimum > maximum:
        raise InputError(f"minimum must not exceed maximum, got {minimum} and {maximum}")
    _, low, high = interval
    if strict:
        holds, fails = minimum < low and high < maximum, high <= minimum or low >= maximum
    else:
        holds, fails = minimum <= low and high <= maximum, high < minimum or low > maximum
    return "holds" if holds else "fails" if fails else "undecided"


def write_claims(path: str | os.PathLike[str], claims: Sequence[Claim], *, note: str = "") -> Path:
    """Writes claims as JSON, in one move.

    Args:
        path: the file, usually ``claims.json``.
        claims: in the order in which they are to be read, with different ids.
        note: about all of them, such as "synthetic data".

    Returns:
        The path. The file holds ``note``, ``summary`` (see ``summary``) and ``claims``; numbers
        that are not finite are written as null.

    Raises:
        InputError: two claims share an id, a value cannot be written, or the file cannot be
            written.

    >>> import tempfile
    >>> claim = Claim(
    ...     id="C1", text="It helps.", paper={}, ours={}, interval=None, verdict="undecided"
    ... )
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_claims(f"{folder}/claims.json", [claim]).name
    'claims.json'
    """
    check_text(note, name="note")
    _check_claims(claims)
    twice = [name for name, count in Counter(claim.id for claim in claims).items() if count > 1]
    if twice:
        raise InputError(f"claims need different ids, used more than once: {', '.join(twice)}")
    document = {
        "note": note,
        "summary": summary(claims),
        "claims": [_as_json(claim) for claim in claims],
    }
    return write_text(
        path, json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
    )


def summary(claims: Sequence[Claim]) -> dict[str, dict[str, int]]:
    """Counts the claims of each verdict, the paper's own apart from our targets.

    Args:
        claims: any number.

    Returns:
        ``{"paper": counts, "targets": counts}``, where counts has a number for each of the three
        verdicts. Statements and orderings are the paper's.

    >>> summary([])["paper"]
    {'holds': 0, 'fails': 0, 'undecided': 0}
    """

    _check_claims(claims)

    def counts(chosen: Iterable[Claim]) -> dict[str, int]:
        counted = Counter(claim.verdict for claim in chosen)
        return {name: counted[name] for name in VERDICTS}

    return {
        "paper": counts(claim for claim in claims if claim.kind != "target"),
        "targets": counts(claim for claim in claims if claim.kind == "target"),
    }


def format_claims(claims: Sequence[Claim], *, digits: int = 3) -> str:
    """Formats claims as text for the console.

    Args:
        claims: in reading order.
        digits: decimals.

    Returns:
        One line per claim: verdict, id, kind, interval and text.

    >>> claim = Claim(
    ...     id="C1", text="It helps.", paper={}, ours={}, interval=(0.3, 0.2, 0.4), verdict="holds"
    ... )
    >>> print(format_claims([claim]).splitlines()[2])
    holds    C1     target  0.300 [0.200, 0.400]  It helps.
    """
    _check_claims(claims)
    check_integer(digits, name="digits", at_least=0)
    rows = [
        [c.verdict, c.id, c.kind, format_cell(c.interval, digits=digits), c.text] for c in claims
    ]
    return format_table(["verdict", "claim", "kind", "estimate [interval]", "text"], rows)


def _check_claims(claims: Sequence[Claim]) -> None:
    check_type(claims, Sequence, name="claims", wanted="a list of Claim")
    for claim in claims:
        check_type(claim, Claim, name="claims", wanted="a list of Claim")


def _check_interval(interval: tuple[float, float, float]) -> None:
    if not isinstance(interval, Sequence):
        raise InputError(f"an interval is (estimate, low, high), got {interval!r}")
    if len(interval) != 3:
        raise InputError(f"an interval is (estimate, low, high), got {len(interval)} numbers")
    if interval[1] > interval[2]:
        raise InputError(
            f"an interval is (estimate, low, high) with low <= high, got {tuple(interval)}"
        )


def _as_json(claim: Claim) -> dict[str, Any]:
    names = ("estimate", "low", "high")
    interval = claim.interval and dict(zip(names, map(_plain, claim.interval), strict=True))
    return {
        "id": claim.id,
        "text": claim.text,
        "kind": claim.kind,
        "place": claim.place,
        "paper": {name: _plain(value) for name, value in claim.paper.items()},
        "ours": {name: _plain(value) for name, value in claim.ours.items()},
        "statistic": claim.statistic,
        "interval": interval,
        "verdict": claim.verdict,
        "note": claim.note,
    }


def _plain(value: Any) -> Any:
    """Converts a cell to JSON's own types."""
    if isinstance(value, tuple):
        return [_plain(part) for part in value]
    if isinstance(value, np.generic):
        value = value.item()
    if value is None or isinstance(value, str | bool | int):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    raise InputError(
        f"a claim's figure is a string, a number, None or a tuple of numbers, got {value!r}"
    )
