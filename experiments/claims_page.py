"""Writes one page with every claim of the five papers, its verdict, and why it fails.

``python -m experiments.claims_page --results results`` reads every ``claims.json`` below a folder
of results and writes ``docs/results/claims.md``. The words that no run can write, why a claim
fails, stay in ``docs/results/reasons.toml``, so the command can be run again at any time.
"""

import json
import math
import re
import textwrap
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from cfx_jax.files import write_text
from cfx_jax.report import markdown_table
from experiments.shared import InputError, command_line, level_sentences

PAPERS: Mapping[str, str] = {
    "fundus_vce": "Boreiko et al. 2022, visual counterfactuals of fundus images",
    "similar_adversarial": "Charachon et al. 2020, similar and adversarial images (SAGen)",
    "path_attribution": "Charachon et al. 2021, path attribution between generated images",
    "progressive_exaggeration": "Singla et al. 2020, progressive exaggeration",
    "acat": "Fontanella et al. 2023, adversarial counterfactual attention (ACAT)",
}
"""The five papers by the names of their experiments, in the order of the page."""

KINDS: Mapping[str, str] = {
    "statement": "Statements of the paper",
    "ordering": "Read off its tables and figures",
    "target": "Targets of ours",
}
"""The kinds of claims, as in ``cfx_jax.report.Claim``."""

_VERDICTS = ("holds", "fails", "undecided")
_WIDTH = 100
_FILE = "claims.json"
_ABOUT = "about"  # the key of a paper's reasons that says what was run

_INTRODUCTION = """\
# Claims

Every claim of the five papers that these runs can test, made by
`python -m experiments.claims_page` from the `claims.json` of each run. Synthetic images say nothing
about clinical performance.

A claim **holds** where its whole 95 % interval agrees with it, **fails** where the whole interval
contradicts it, and is **undecided** between. *Power* is half the interval's width: an effect has to
lie further than that from the claim's bound to be decided by a run of this size. "n/a" stands where
there is no interval, as where one training cannot tell what other trainings would give. *Why* leads
to the reasons below a table; a sentence on a control says that a map, or a network, is no better
than something without any training.
"""


@dataclass(frozen=True)
class Config:
    """Writes the page of all claims."""

    results: tuple[Path, ...] = (Path("results"),)
    """Folders of results; every ``claims.json`` in ``EXPERIMENT/PRESET`` below them is read."""
    reasons: Path = Path("docs/results/reasons.toml")
    """Why claims fail, in words: a table for each experiment, with the beginning of a claim's name
    as key; ``about`` says what was run."""
    out: Path = Path("docs/results/claims.md")
    """The page."""


class Run(NamedTuple):
    """The claims of one run.

    Attributes:
        experiment, preset: the folders where they lie.
        note: about all of them.
        claims: as ``cfx_jax.report.write_claims`` writes them.
    """

    experiment: str
    preset: str
    note: str
    claims: tuple[Mapping[str, Any], ...]


def main(config: Config) -> None:
    """Writes the page, and prints what has no reason yet."""
    runs, reasons = read_runs(config.results), read_reasons(config.reasons)
    write_text(config.out, make_page(runs, reasons))
    for name in PAPERS:
        if not any(run.experiment == name for run in runs):
            print(f"{name}: not run")
    for run in runs:
        missing = list_unexplained(run, reasons.get(run.experiment, {}))
        if missing:
            print(f"{run.experiment}: no reason in {config.reasons} for {'; '.join(missing)}")
    print(f"Page: {config.out}")


def read_runs(folders: Sequence[Path]) -> list[Run]:
    """Reads the claims of all runs below folders, in the order of the papers.

    Raises:
        InputError: a folder that is not there, no claims, claims of no paper, or a run twice.
    """
    paths: list[Path] = []
    for folder in folders:
        if not folder.is_dir():
            raise InputError(f"--results: expected a folder of results, but '{folder}' is none")
        paths += sorted(folder.rglob(_FILE))
    runs: dict[tuple[str, str], Run] = {}
    for path in paths:
        preset, experiment = path.parent.name, path.parent.parent.name
        if experiment not in PAPERS:
            raise InputError(
                f"--results: expected {_FILE} in EXPERIMENT/PRESET, where EXPERIMENT is one of"
                f" {', '.join(PAPERS)}, got '{path}'"
            )
        if (experiment, preset) in runs:
            raise InputError(f"--results: {experiment}/{preset} is there twice: name one folder")
        runs[experiment, preset] = _read_run(path, experiment, preset)
    if not runs:
        raise InputError(
            f"--results: expected {_FILE} below {', '.join(map(str, folders))}, got none: run an"
            " experiment first"
        )
    order = list(PAPERS)
    return sorted(runs.values(), key=lambda run: (order.index(run.experiment), run.preset))


def read_reasons(path: Path) -> dict[str, dict[str, str]]:
    """Reads the reasons, by experiment and by the beginning of a claim's name.

    Raises:
        InputError: no such file, no TOML, or tables that are of no experiment or hold no texts.
    """
    try:
        reasons = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"--reasons: {path} cannot be read: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"--reasons: {path} is no TOML: {error}") from None
    for name, of_paper in reasons.items():
        if name not in PAPERS or not isinstance(of_paper, dict):
            raise InputError(
                f"--reasons: expected tables of {', '.join(PAPERS)} in {path}, got '{name}'"
            )
        for key, text in of_paper.items():
            if not isinstance(text, str):
                raise InputError(f"--reasons: expected a text for '{key}' in {path}, got {text!r}")
    return reasons


def find_reason(claim: str, reasons: Mapping[str, str]) -> str | None:
    """The key of the reason of a claim: the longest one with which the claim's name begins.

    A key ends where a word of the name ends.
    """
    keys = [
        key
        for key in reasons
        if key != _ABOUT and claim.startswith(key) and not re.match(r"\w", claim[len(key) :])
    ]
    return max(keys, key=len, default=None)


def list_unexplained(run: Run, reasons: Mapping[str, str]) -> list[str]:
    """The names of the failing claims that have no reason."""
    return [
        claim["id"]
        for claim in run.claims
        if claim["verdict"] == "fails" and find_reason(claim["id"], reasons) is None
    ]


def make_page(runs: Sequence[Run], reasons: Mapping[str, Mapping[str, str]]) -> str:
    """The whole page, in Markdown.

    Args:
        runs: the runs, in the order of the page.
        reasons: the reasons by experiment and by the beginning of a claim's name.
    """
    parts = [_INTRODUCTION, *_summarise(runs)]
    for name, title in PAPERS.items():
        of_paper = [run for run in runs if run.experiment == name]
        parts.append(f"## {title}\n")
        if not of_paper:
            parts.append(_fill(f"`python -m experiments.{name}`: not run."))
        for run in of_paper:
            parts += _describe(run, reasons.get(name, {}))
    return "\n".join(parts)


def count(claims: Sequence[Mapping[str, Any]], kind: str) -> dict[str, int]:
    """The number of claims of a kind by verdict."""
    verdicts = [claim["verdict"] for claim in claims if claim["kind"] == kind]
    return {verdict: verdicts.count(verdict) for verdict in _VERDICTS}


def _read_run(path: Path, experiment: str, preset: str) -> Run:
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
        return Run(experiment, preset, document["note"], tuple(document["claims"]))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(f"--results: {path} holds no claims of a run: {error!r}") from None


def _summarise(runs: Sequence[Run]) -> Iterator[str]:
    """Yields how many claims hold: a table, and a sentence on the papers' statements."""
    rows: list[list[Any]] = []
    for name in PAPERS:
        of_paper = [run for run in runs if run.experiment == name]
        for run in of_paper:
            counts = [count(run.claims, kind)[verdict] for kind in KINDS for verdict in _VERDICTS]
            rows.append([f"{name}, {run.preset}", *counts, _share(run.claims)])
        if not of_paper:
            rows.append([f"{name}, not run", *[None] * (len(KINDS) * len(_VERDICTS) + 1)])
    columns = [f"{kind}s: {verdict}" for kind in KINDS for verdict in _VERDICTS]
    yield "## Summary\n"
    yield markdown_table(["paper", *columns, "decided statements that hold"], rows)
    every = [claim for run in runs for claim in run.claims]
    decided = count(every, "statement")
    number = decided["holds"] + decided["fails"]
    share = f", {decided['holds'] / number:.0%}" if number else ""
    yield _fill(
        f"Of the {number} decided claims that are statements of the papers, {decided['holds']}"
        f" hold{share}; {decided['undecided']} are undecided."
    )


def _share(claims: Sequence[Mapping[str, Any]]) -> str:
    decided = count(claims, "statement")
    number = decided["holds"] + decided["fails"]
    return f"{decided['holds']} of {number}" if number else "none decided"


def _describe(run: Run, reasons: Mapping[str, str]) -> Iterator[str]:
    """Yields the tables of a run's claims, and the reasons that they lead to."""
    about = reasons.get(_ABOUT, "")
    yield _fill(f"`python -m experiments.{run.experiment} --preset {run.preset}`. {about}")
    if run.note:
        yield _fill(f"*{run.note}*")
    columns = ["claim", "verdict", "ours [95 %]", "power", "what is claimed", "where", "of", "why"]
    for kind, title in KINDS.items():
        rows = [_row(claim, reasons) for claim in run.claims if claim["kind"] == kind]
        if rows:
            yield f"### {title}: {run.experiment}, {run.preset}\n"
            yield markdown_table(columns, rows)
    used = {
        key
        for claim in run.claims
        if claim["verdict"] != "holds" and (key := find_reason(claim["id"], reasons)) is not None
    }
    if used:
        yield f"### Why: {run.experiment}, {run.preset}\n"
    for key in (key for key in reasons if key in used):
        yield _fill(f"**{key}**: {reasons[key]}", indent="  ", first="- ")


def _row(claim: Mapping[str, Any], reasons: Mapping[str, str]) -> list[Any]:
    interval = claim["interval"] or {}
    ends = [interval.get(name) for name in ("estimate", "low", "high")]
    estimate, low, high = (math.nan if end is None else float(end) for end in ends)
    ours = "n/a" if math.isnan(estimate) else f"{estimate:.3g} [{_end(low)}, {_end(high)}]"
    power = (high - low) / 2
    reason = find_reason(claim["id"], reasons) if claim["verdict"] != "holds" else None
    if reason is None:
        reason = "not explained" if claim["verdict"] == "fails" else ""
    return [
        claim["id"],
        claim["verdict"],
        ours,
        f"{power:.2g}" if math.isfinite(power) else "n/a",
        claim["text"],
        claim["place"],
        claim["statistic"],
        " ".join(filter(None, [reason, *level_sentences(claim["note"])])),
    ]


def _end(value: float) -> str:
    return f"{value:.3g}" if math.isfinite(value) else "n/a"


def _fill(text: str, *, indent: str = "", first: str = "") -> str:
    """A paragraph in lines that fit a page. No line breaks within code."""
    spaces = "\0"  # codes and links stay on one line
    kept = re.sub(r"`[^`]*`|\[[^\]]*\]\([^)]*\)", lambda code: code[0].replace(" ", spaces), text)
    lines = textwrap.wrap(
        " ".join(kept.split(" ")),
        _WIDTH,
        initial_indent=first,
        subsequent_indent=indent,
        break_long_words=False,
        break_on_hyphens=False,
    )
    return "\n".join(lines).replace(spaces, " ") + "\n"


if __name__ == "__main__":
    command_line.command(main, Config)
