"""Scores the votes of a questionnaire (Singla et al. 2020, Table 4).

python -m experiments.score_votes --key results/progressive_exaggeration/demo/human_study/key.json --votes anna.json ben.json
"""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

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
from experiments import cli
from experiments.interval_claims import unpaired_claim
from experiments.presenter import Table

_COLUMNS = ["items", "number", "accuracy", "ties", "kappa", "agreement"]
_ABOVE: dict[str, Any] = {"minimum": 0.0, "strict": True}
_ORDERINGS: tuple[tuple[str, str, dict[str, float], dict[str, Any]], ...] = (
    (
        "C10",
        "The extremes of a series are easier to tell apart than other pairs.",
        {"task 1 easy": 0.895, "task 1 hard": 0.66},
        _ABOVE,
    ),
    (
        "C11",
        "A change of the smile is recognised more often than one of bangs.",
        {"task 2 smiling": 0.99, "task 2 bangs": 0.50},
        _ABOVE,
    ),
    (
        "C12",
        "Where the classifier is unbiased the label alone is named at least as often.",
        {"task 3 unbiased": 1.0, "task 3 biased": 0.875},
        {"minimum": 0.0},
    ),
)


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
        raise InputError(f"--votes: expected the files of two raters or more, got {len(config.votes)}")
    key = read_key(config.key)
    votes = read_votes(config.votes, key=key)
    table, note = vote_table(key, votes), f"{len(config.votes)} raters"
    out = Path(config.out) if config.out else Path(config.key).parent / "table_4_votes"
    write_table(out, *table, note=note)
    claims = vote_claims(key, votes)
    write_claims(out.with_name(f"{out.name}_claims.json"), claims, note=note)
    print(format_table(*table), format_claims(claims), f"Table: {out}.csv", sep="\n\n")


def vote_table(key: Key, votes: Votes) -> Table:
    """Table 4: each kind of item, each task, and all."""
    rows: list[list[Any]] = []
    for name, chosen in _groups(key):
        options = max(len(key.options[each]) for each in chosen)
        score = score_votes(votes.votes[chosen], key.truth[chosen], num_options=options)
        rows.append([name, score.num_items, score.accuracy, score.ties, score.kappa, score.agreement])
    return _COLUMNS, rows


def vote_claims(key: Key, votes: Votes) -> list[Claim]:
    """C10, C11 and C12, of those whose items there are; intervals are over items."""
    options = max(map(len, key.options))
    right = (majority_vote(count_votes(votes.votes, num_categories=options)) == key.truth).astype(float)
    found, categories = [], np.array(key.categories)
    for name, text, paper, bounds in _ORDERINGS:
        ours = {each: right[categories == each] for each in paper}
        if all(len(each) for each in ours.values()):
            found.append(unpaired_claim(name, text, paper, ours, "accuracy over items", **bounds))
    return found


def _groups(key: Key) -> list[tuple[str, np.ndarray]]:
    """Positions of the items of each category, and of those whose categories begin with the same two words."""
    categories = np.array(key.categories)
    tasks = np.array([" ".join(each.split()[:2]) for each in key.categories])
    groups = [(name, np.flatnonzero(categories == name)) for name in sorted(set(key.categories))]
    known = {name for name, _ in groups}
    return groups + [(name, np.flatnonzero(tasks == name)) for name in sorted(set(tasks.tolist()) - known)]


if __name__ == "__main__":
    cli.command(main, Config)
