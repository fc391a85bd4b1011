"""Scores the votes of a questionnaire (Singla et al. 2020, Table 4).

python -m experiments.score_votes --key results/progressive_exaggeration/demo/human_study/key.json
--votes anna.json ben.json
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from cfx_jax.errors import InputError
from cfx_jax.metrics import count_votes, majority_vote, score_votes
from cfx_jax.report import (
    Claim,
    Key,
    Votes,
    format_claims,
    format_table,
    read_key,
    read_votes,
    write_claims,
    write_table,
)
from experiments.progressive_exaggeration import published
from experiments.progressive_exaggeration.published import plain
from experiments.shared import cli
from experiments.shared.interval_claims import unpaired_claim
from experiments.shared.presenter import Table

_COLUMNS = [
    "items",
    "number",
    "accuracy",
    "paper accuracy",
    "ties",
    "kappa",
    "paper kappa",
    "agreement",
]
_ABOVE: dict[str, Any] = {"minimum": 0.0, "strict": True}


class _Ordering(NamedTuple):
    """What the paper says of two kinds of items: the first is answered rightly more often."""

    name: str
    text: str
    kinds: tuple[str, str]
    place: str
    bounds: dict[str, Any]


def _orderings(categories: Sequence[str]) -> list[_Ordering]:
    """C10 for each label that Task 1 was asked of, C11 and C12."""
    asked = sorted(
        {
            each[: -len(" easy")]
            for each in categories
            if each.startswith("task 1") and each.endswith(" easy")
        }
    )
    place = "section 4.6, third paragraph, and Table 4"
    easier = "The extremes of a series are easier to tell apart than other pairs"
    found = [
        _Ordering(
            f"C10{each.removeprefix('task 1')}",
            f"{easier}, {each}.",
            (f"{each} easy", f"{each} hard"),
            place,
            _ABOVE,
        )
        for each in asked
    ]
    smile = "A change of the smile is recognised more often than one of bangs."
    place = "section 4.6, fourth paragraph, and Table 4"
    alone = "Where the classifier is unbiased the label alone is named at least as often."
    return [
        *found,
        _Ordering("C11", smile, ("task 2 smiling", "task 2 bangs"), place, _ABOVE),
        _Ordering("C12", alone, ("task 3 unbiased", "task 3 biased"), place, {"minimum": 0.0}),
    ]


@dataclass(frozen=True)
class Config:
    """Files of one questionnaire."""

    key: str
    """The file with the right answers, as it was written beside the questionnaire."""
    votes: tuple[str, ...] = field(default_factory=tuple)
    """The files that its raters saved, one for each rater, two or more."""
    out: str = ""
    """Where the table goes, as .csv and .md; empty: ``table_4_votes`` beside the key."""


def main(config: Config) -> None:
    """Prints and writes the table."""
    if len(config.votes) < 2:
        raise InputError(
            f"--votes: expected the files of two raters or more, got {len(config.votes)}"
        )
    key = read_key(config.key)
    votes = read_votes(config.votes, key=key)
    table, note = vote_table(key, votes), f"{len(config.votes)} raters"
    out = Path(config.out) if config.out else Path(config.key).parent / "table_4_votes"
    write_table(out, *table, note=note)
    claims = vote_claims(key, votes)
    write_claims(out.with_name(f"{out.name}_claims.json"), claims, note=note)
    print(format_table(*table), format_claims(claims), f"Table: {out}.csv", sep="\n\n")


def vote_table(key: Key, votes: Votes) -> Table:
    """Table 4: each kind of item, each task, and all, beside the paper's."""
    rows: list[list[Any]] = []
    for name, chosen in _groups(key):
        options = max(len(key.options[each]) for each in chosen)
        score = score_votes(votes.votes[chosen], key.truth[chosen], num_options=options)
        paper = published.votes(name)
        cells = [
            score.num_items,
            score.accuracy,
            paper.accuracy,
            score.ties,
            score.kappa,
            paper.kappa,
            score.agreement,
        ]
        rows.append([name, *cells])
    return _COLUMNS, rows


def vote_claims(key: Key, votes: Votes) -> list[Claim]:
    """C10, C11 and C12, of those whose items there are; intervals are over items."""
    options = max(map(len, key.options))
    right = (majority_vote(count_votes(votes.votes, num_categories=options)) == key.truth).astype(
        float
    )
    categories = np.array([plain(each) for each in key.categories])
    found = []
    for each in _orderings(categories.tolist()):
        ours = {kind: right[categories == kind] for kind in each.kinds}
        if all(len(values) for values in ours.values()):
            papers = {kind: published.votes(kind).accuracy for kind in each.kinds}
            paper = {kind: value for kind, value in papers.items() if value is not None}
            claim = unpaired_claim(
                each.name,
                each.text,
                paper,
                ours,
                "accuracy",
                kind="statement",
                place=each.place,
                unit="items",
                **each.bounds,
            )
            found.append(claim)
    return found


def _groups(key: Key) -> list[tuple[str, np.ndarray]]:
    """Positions of the items of each category, and of those whose categories begin alike: "task 2",
    "task 1 smiling".
    """
    categories = [plain(each) for each in key.categories]
    begun = {" ".join(each.split()[:2]) for each in categories}
    begun |= {each.rpartition(" ")[0] for each in categories if each.startswith("task 1 ")}
    names = [*sorted(set(categories)), *sorted(begun - set(categories))]
    members = {
        name: [each == name or each.startswith(f"{name} ") for each in categories] for name in names
    }
    return [(name, np.flatnonzero(members[name])) for name in names]


if __name__ == "__main__":
    cli.command(main, Config)
