"""Scores the votes of a questionnaire (Singla et al. 2020, Table 4).

python -m experiments.score_votes --key results/progressive_exaggeration/demo/human_study/key.json
--votes anna.json ben.json
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from cfx_jax.metrics import count_votes, majority_vote, score_votes
from cfx_jax.report import (
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
from experiments.shared import AT_LEAST, MORE, Claim, InputError, Statement, Table, command_line

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


class _Ordering(NamedTuple):
    """A claim of the paper that the first of two kinds of items is answered rightly more often."""

    statement: Statement
    kinds: tuple[str, str]
    bounds: Mapping[str, Any]


def _orderings(categories: Sequence[str]) -> list[_Ordering]:
    """The orderings C10, for each label that Task 1 was asked of, C11 and C12."""
    third, fourth = (
        f"section 4.6, {number} paragraph, and Table 4" for number in ("third", "fourth")
    )
    easy = {name for name in categories if name.startswith("task 1") and name.endswith(" easy")}
    orderings = []
    for task in sorted(name.removesuffix(" easy") for name in easy):
        text = f"The extremes of a series are easier to tell apart than other pairs, {task}."
        statement = Statement(f"C10{task.removeprefix('task 1')}", text, third)
        orderings.append(_Ordering(statement, (f"{task} easy", f"{task} hard"), MORE))
    smile = "A change of the smile is recognised more often than one of bangs."
    alone = "Where the classifier is unbiased the label alone is named at least as often."
    statements = Statement("C11", smile, fourth), Statement("C12", alone, fourth)
    return [
        *orderings,
        _Ordering(statements[0], ("task 2 smiling", "task 2 bangs"), MORE),
        _Ordering(statements[1], ("task 3 unbiased", "task 3 biased"), AT_LEAST),
    ]


@dataclass(frozen=True)
class Config:
    """Files of one questionnaire."""

    key: str
    """The file with the right answers, as it was written beside the questionnaire."""
    votes: tuple[str, ...] = field(default_factory=tuple)
    """The files that its raters saved, one for each rater, two or more."""
    out: str = ""
    """The file of the table, as .csv and .md; empty: ``table_4_votes`` beside the key."""


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
    for name, items in _groups(key):
        options = max(len(key.options[item]) for item in items)
        score = score_votes(votes.votes[items], key.truth[items], num_options=options)
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
    """Claims C10, C11 and C12 where their items were asked; intervals are over items."""
    options = max(map(len, key.options))
    majority = majority_vote(count_votes(votes.votes, num_categories=options))
    is_hit = (majority == key.truth).astype(float)
    categories = np.array([published.plain(name) for name in key.categories])
    claims = []
    for ordering in _orderings(categories.tolist()):
        ours = {kind: is_hit[categories == kind] for kind in ordering.kinds}
        if all(len(values) for values in ours.values()):
            papers = {kind: published.votes(kind).accuracy for kind in ordering.kinds}
            paper = {kind: value for kind, value in papers.items() if value is not None}
            claim = ordering.statement.settle_unpaired(
                paper, ours, "accuracy", unit="items", **ordering.bounds
            )
            claims.append(claim)
    return claims


def _groups(key: Key) -> list[tuple[str, np.ndarray]]:
    """The items of each category, and of those that begin alike, as "task 2", "task 1 smiling"."""
    categories = [published.plain(name) for name in key.categories]
    beginnings = {" ".join(name.split()[:2]) for name in categories}
    beginnings |= {name.rpartition(" ")[0] for name in categories if name.startswith("task 1 ")}
    names = [*sorted(set(categories)), *sorted(beginnings - set(categories))]
    return [
        (name, np.flatnonzero([f"{category} ".startswith(f"{name} ") for category in categories]))
        for name in names
    ]


if __name__ == "__main__":
    command_line.command(main, Config)
