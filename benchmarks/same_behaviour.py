"""Whether two checkouts behave alike: what the experiments' smoke runs leave, bit for bit.

Every run is made with the code of each checkout, one after another, in a folder of its own.
Claims, tables, metrics of trainings, stored arrays and the weights of all checkpoints must be
equal. Settings and figures may change on purpose: their differences are listed, and count with
``--strict`` only. Pages hold the day and the command, so only their presence is compared. Measured
times are left out.

Folders of stages end in a fingerprint of their settings. It is left out of their names, and
folders of one name are matched by what they hold. Arrays whose names changed are matched by
shape, type and bytes. Files are read as they lie on the disk, with none of the code that is
compared.

    python -m benchmarks.same_behaviour BEFORE AFTER                     # two checkouts
    python -m benchmarks.same_behaviour BEFORE --save FOLDER             # one, which is kept
    python -m benchmarks.same_behaviour FOLDER AFTER --experiments acat  # kept before, some runs

The status is 0 where everything is equal, 1 where anything differs or a run fails, and 2 for a
mistake in the command. Both sides need the same machine, with the same number of cores.
"""

import argparse
import ast
import csv
import hashlib
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, NamedTuple

import cv2
import numpy as np
import orbax.checkpoint

from cfx_jax.report import format_table

_FOLDER = ("--data", "folder:images", "--classes", "sad", "glad")

RUNS: Mapping[str, tuple[str, ...]] = {
    "fundus_vce-synthetic": (),
    "fundus_vce-folder": (*_FOLDER, "--channels", "1"),
    "similar_adversarial-brain": (),
    "similar_adversarial-folder": _FOLDER,
    "path_attribution-brain": (),
    "path_attribution-chest": ("--data", "chest", "--faithfulness.least-turned", "1"),
    "acat-worlds": (),
    "acat-rows": ("--data", "stroke", "--seeds", "0", "--rows", "competitors", "controls"),
    "progressive_exaggeration-faces": (),
    "progressive_exaggeration-folder": (
        *(*_FOLDER, "--channels", "1", "--chapters", "saliency"),
        *("--human-items", "0", "0", "0"),
    ),
    "progressive_exaggeration-chapters": ("--chapters", "attributes", "discrimination", "ablation"),
}
"""Options besides ``--preset smoke`` of each run, which is named EXPERIMENT-VARIANT."""

Kind = Literal["claims", "tables", "metrics", "arrays", "weights", "pages", "settings", "figures"]
Verdict = Literal["equal", "renamed", "differs", "missing", "failed"]

_Parts = dict[str, Any]
"""Arrays, lines of text or values of JSON, by name."""

_NOTED: tuple[Kind, ...] = ("settings", "figures")
_NAMELESS: tuple[Kind, ...] = ("arrays", "weights")
_SIDES = ("before", "after")
_RECORD = "run.json"
_LEFT_OUT = ("timings", "names", "names of all arrays")  # of stages: times and lists of arrays
_TIMED = "seconds"  # the column of a table, and a word in the statistic of a claim
_OF_TIMES = ("ours", "interval", "verdict")  # fields of a claim
_FINGERPRINT = re.compile(r"-[0-9a-f]{10}(?=/|$)")
_NUMBER = re.compile(r"-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?")
_MOST_CHARACTERS = 60


def main(arguments: Sequence[str] | None = None) -> int:
    """Makes the runs that are asked for, compares them, and prints what is equal and what is not.

    Args:
        arguments: the command line; None for the process's own.

    Returns:
        The status of the process.
    """
    parser = _parser()
    options = parser.parse_args(arguments)
    runs = [name for name in RUNS if {name, name.partition("-")[0]} & set(options.experiments)]
    mistake = _find_mistake(options, runs)
    if mistake:
        parser.error(mistake)
    if options.save is not None:
        make_runs(options.before, runs, options.save, options.python)
        return int(any(_record(options.save / name)["status"] for name in runs))
    with tempfile.TemporaryDirectory() as temporary:
        kept = options.keep or Path(temporary)
        before, after = (
            _outcome_of(side, runs, kept / name, options.python)
            for name, side in zip(_SIDES, (options.before, options.after), strict=True)
        )
        compared = (compare_runs(name, before / name, after / name) for name in runs)
        findings = [finding for part in compared for finding in part]
    print_findings(findings)
    return int(any(finding.counts(strict=options.strict) for finding in findings))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.same_behaviour",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    experiments = [name.partition("-")[0] for name in RUNS]
    names = list(dict.fromkeys([*experiments, *RUNS]))
    add = parser.add_argument
    add("before", type=Path, help="a checkout, or a folder made by --save")
    add("after", type=Path, nargs="?", help="the same; left out with --save")
    add(
        "--experiments",
        nargs="+",
        choices=names,
        default=names,
        metavar="NAME",
        help=", ".join(names),
    )
    add("--save", type=Path, help="a folder for the outcome of one checkout, which is run alone")
    add("--keep", type=Path, help="a folder for the outcomes that are compared")
    add("--python", default=sys.executable, help="the interpreter of the runs")
    add("--strict", action="store_true", help="differences of settings and figures count too")
    return parser


def _find_mistake(options: argparse.Namespace, runs: Sequence[str]) -> str:
    """What is wrong with the command, in one line; empty where nothing is."""
    if (options.after is None) == (options.save is None):
        return "expected AFTER or --save FOLDER, and not both"
    sides = [side for side in (options.before, options.after) if side is not None]
    wrong = filter(None, (_find_mistake_of_side(side, runs) for side in sides))
    places = _new_places(options, runs)
    taken = (f"{place} exists: choose another folder" for place in places if place.exists())
    return next(wrong, "") or next(taken, "")


def _find_mistake_of_side(side: Path, runs: Sequence[str]) -> str:
    if not _is_saved(side):
        is_checkout = (side / "experiments").is_dir()
        return "" if is_checkout else f"{side}: expected a checkout or a folder made by --save"
    missing = [name for name in runs if not (side / name / _RECORD).is_file()]
    if missing:
        return f"{side}: expected all runs, it lacks {', '.join(missing)}: name --experiments"
    cores = {_record(side / name)["cores"] for name in runs} - {_cores()}
    advice = f"made on other cores {sorted(cores)} than the {_cores()} here: run both sides here"
    return f"{side}: {advice}" if cores else ""


def _new_places(options: argparse.Namespace, runs: Sequence[str]) -> list[Path]:
    """The folders of runs that are to be made and kept."""
    if options.save is not None:
        return [options.save / name for name in runs]
    sides = (options.before, options.after) if options.keep is not None else ()
    names = [name for name, side in zip(_SIDES, sides, strict=False) if not _is_saved(side)]
    return [options.keep / name / run for name in names for run in runs]


def _is_saved(side: Path) -> bool:
    return any(side.glob(f"*/{_RECORD}"))


def _outcome_of(side: Path, runs: Sequence[str], folder: Path, python: str) -> Path:
    """The folder of a side's outcome: the side itself, or a new one, in which it is run."""
    if _is_saved(side):
        return side
    make_runs(side, runs, folder, python)
    return folder


# Runs.


def make_runs(checkout: Path, runs: Sequence[str], folder: Path, python: str) -> None:
    """Runs experiments with the code of a checkout, in which nothing is written.

    Args:
        checkout: its folder.
        runs: names of ``RUNS``.
        folder: of the outcome; a run's folder there has its results, work, log and record.
        python: the interpreter.
    """
    checkout = checkout.resolve()
    environment = os.environ | {
        "PYTHONPATH": str(checkout),
        "PYTHONSAFEPATH": "1",
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    _check_code(checkout, environment, python)
    for name in runs:
        experiment, place = name.partition("-")[0], folder / name
        _write_images(place / "images")
        command = [python, "-m", f"experiments.{experiment}", "--preset", "smoke", *RUNS[name]]
        command += ["--results", "results", "--work", "work"]
        start = time.monotonic()
        with (place / "log.txt").open("w") as log:
            done = subprocess.run(
                command,
                cwd=place,
                env=environment,
                stdout=log,
                stderr=subprocess.STDOUT,
                check=False,
            )
        minutes = round((time.monotonic() - start) / 60, 2)
        record = {
            "commit": _commit(checkout),
            "command": command,
            "status": done.returncode,
            "minutes": minutes,
            "cores": _cores(),
        }
        (place / _RECORD).write_text(json.dumps(record, indent=1))
        print(f"{name} of {checkout}: status {done.returncode}, {minutes} minutes", flush=True)


def _check_code(checkout: Path, environment: Mapping[str, str], python: str) -> None:
    """Ends the process where the interpreter would import other code than the checkout's."""
    program = "import cfx_jax, experiments, trainers; "
    program += "print(*(part.__file__ for part in (cfx_jax, experiments, trainers)), sep='\\n')"
    command = [python, "-c", program]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    files = [Path(line).resolve() for line in done.stdout.splitlines()]
    if not files or not all(file.is_relative_to(checkout) for file in files):
        found = done.stdout.split() or done.stderr.strip().splitlines()[-1:]
        print(f"error: {checkout}: expected its own code, got {found}", file=sys.stderr)
        raise SystemExit(2)


def _write_images(folder: Path) -> None:
    """Writes grey images of noise, 40 of each of two classes, of which one is brighter."""
    noise = np.random.default_rng(0)
    for brightness, name in ((0, "sad"), (60, "glad")):
        (folder / name).mkdir(parents=True)
        for number in range(40):
            image = brightness + noise.integers(0, 120, (32, 32))
            cv2.imwrite(str(folder / name / f"{number}.png"), image.astype(np.uint8))


def _commit(checkout: Path) -> str:
    command = ["git", "-C", str(checkout), "describe", "--always", "--dirty"]
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()


def _cores() -> int:
    return len(os.sched_getaffinity(0))


def _record(folder: Path) -> dict[str, Any]:
    return json.loads((folder / _RECORD).read_text())


# What a run left.


@dataclass(frozen=True)
class Entry:
    """A file of a run, or a checkpoint.

    Attributes:
        kind: of the file, which says how it is read and whether its differences count.
        name: its path in the run's results or work, without fingerprints.
        parts: its arrays, lines of text or values of JSON, by name.
    """

    kind: Kind
    name: str
    parts: Mapping[str, Any]

    @cached_property
    def digests(self) -> dict[str, str]:
        """A text for each part, which is equal where the part is, bit for bit."""
        return {name: _digest(part) for name, part in self.parts.items()}

    @cached_property
    def content(self) -> tuple[Any, ...]:
        """The digests, sorted; without the names of arrays, which may change."""
        is_nameless = self.kind in _NAMELESS
        return tuple(sorted(self.digests.values() if is_nameless else self.digests.items()))


def _digest(part: Any) -> str:
    if isinstance(part, np.ndarray):
        return f"{part.dtype}{part.shape} {hashlib.sha256(part.tobytes()).hexdigest()}"
    return repr(part)


def read_entries(folder: Path) -> list[Entry]:
    """All that is compared of a run's folder, in the order of paths."""
    entries = []
    for path in sorted(folder.rglob("*")):
        kind = _kind(path.relative_to(folder))
        if kind is not None:
            place = path.parent if kind == "weights" else path
            entries.append(Entry(kind, _name(place.relative_to(folder)), _read_parts(kind, place)))
    return entries


def _read_parts(kind: Kind, place: Path) -> _Parts:
    if kind == "pages":
        return {}
    of_kind = {"weights": _read_checkpoint, "claims": _read_claims}
    return of_kind.get(kind, _READERS.get(place.suffix, _read_bytes))(place)


def _kind(path: Path) -> Kind | None:
    if path.name in ("config.json", "training.json"):
        return "settings"
    if path.name in ("claims.json", "metrics.jsonl"):
        return "claims" if path.name == "claims.json" else "metrics"
    if path.parts[0] == "work":
        return _KINDS_IN_WORK.get(path.name, _KINDS_IN_WORK.get(path.suffix))
    return _KINDS_IN_RESULTS.get(path.suffix) if path.parts[0] == "results" else None


_KINDS_IN_WORK: Mapping[str, Kind] = {".npz": "arrays", ".npy": "arrays", "record.json": "weights"}
_KINDS_IN_RESULTS: Mapping[str, Kind] = {
    ".csv": "tables",
    ".md": "tables",
    ".json": "tables",
    ".html": "pages",
    ".png": "figures",
    ".gif": "figures",
}


def _name(path: Path) -> str:
    """A path without fingerprints, and without the folders of an experiment and its preset."""
    shared = 3 if path.parts[0] == "results" else 2
    return _FINGERPRINT.sub("", "/".join((path.parts[0], *path.parts[shared:])))


def _read_bytes(path: Path) -> _Parts:
    return {"bytes": np.fromfile(path, np.uint8)}


def _read_lines(path: Path) -> _Parts:
    lines = path.read_text().splitlines()
    return {f"line {number}": line for number, line in enumerate(lines, 1)}


def _read_table(path: Path) -> _Parts:
    """The lines of a table without its column of times."""
    separator = "," if path.suffix == ".csv" else "|"
    rows = list(csv.reader(path.read_text().splitlines(), delimiter=separator))
    timed = [place for row in rows[:1] for place, cell in enumerate(row) if cell.strip() == _TIMED]
    kept = ([cell for place, cell in enumerate(row) if place not in timed] for row in rows)
    return {f"line {number}": separator.join(row) for number, row in enumerate(kept, 1)}


def _read_claims(path: Path) -> _Parts:
    """The values of a file of claims without measured times."""
    document = json.loads(path.read_text())
    for claim in document["claims"]:
        if _TIMED in claim.get("statistic", ""):
            for name in _OF_TIMES:
                claim.pop(name, None)
    return dict(_flatten(document))


def _read_json(path: Path) -> _Parts:
    return dict(_flatten(json.loads(path.read_text())))


def _flatten(value: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    """The numbers, texts and empty containers of a JSON value, by their paths."""
    if isinstance(value, dict) and value:
        for key, inner in value.items():
            yield from _flatten(inner, f"{name}.{key}" if name else key)
    elif isinstance(value, list) and value:
        for index, inner in enumerate(value):
            yield from _flatten(inner, f"{name}[{index}]")
    else:
        yield name, value


def _read_arrays(path: Path) -> _Parts:
    stored = np.load(path)
    if isinstance(stored, np.ndarray):
        return {"array": stored}
    with stored:
        return {name: stored[name] for name in stored.files if name not in _LEFT_OUT}


_READERS: Mapping[str, Callable[[Path], _Parts]] = {
    ".json": _read_json,
    ".jsonl": _read_lines,
    ".csv": _read_table,
    ".md": _read_table,
    ".npz": _read_arrays,
    ".npy": _read_arrays,
}


def _read_checkpoint(folder: Path) -> _Parts:
    """The arrays of a checkpoint by their paths in the tree, and the values of its record.

    Arrays of one type are stored as one vector, "all TYPE", one behind the other.
    """
    content = json.loads((folder / "record.json").read_text())
    stored = orbax.checkpoint.PyTreeCheckpointer().restore((folder / "arrays").absolute())
    parts: _Parts = {}
    taken: Counter[str] = Counter()
    for name, description in content["leaves"].items():
        if name in content["split"]:
            parts[name] = np.asarray(stored[name])
            continue
        dtype, shape = description.split("(", 1)
        shape = ast.literal_eval(f"({shape}")
        size, start = int(np.prod(shape, dtype=int)), taken[dtype]
        parts[name] = np.asarray(stored[f"all {dtype}"])[start : start + size].reshape(shape)
        taken[dtype] += size
    return parts | {f"record.{name}": value for name, value in _flatten(content["record"])}


# Comparison.

_Pair = tuple[Entry | None, Entry | None]


@dataclass(frozen=True)
class Finding:
    """What came out for one entry of a run.

    Attributes:
        run: its name.
        kind: of the entry; "run" for the run itself.
        name: of the entry.
        verdict: renamed where the content is equal and a name is not.
        details: one line for each part that differs.
        largest: the largest difference of numbers, if there is any.
    """

    run: str
    kind: Kind | Literal["run"]
    name: str
    verdict: Verdict
    details: tuple[str, ...] = ()
    largest: float | None = None

    def counts(self, *, strict: bool) -> bool:
        """Whether this makes two checkouts behave differently."""
        return self.verdict not in ("equal", "renamed") and (strict or self.kind not in _NOTED)


def compare_runs(run: str, before: Path, after: Path) -> list[Finding]:
    """Compares what two runs of the same name left.

    Args:
        run: the name.
        before: the folder of one, with its record.
        after: the folder of the other.

    Returns:
        A finding for each entry, and one for each run that failed.
    """
    failed = [folder for folder in (before, after) if _record(folder)["status"] != 0]
    pairs = _pair_entries(read_entries(before), read_entries(after))
    failures = [Finding(run, "run", str(folder), "failed", _last_line(folder)) for folder in failed]
    return failures + [_compare_pair(run, *pair) for pair in pairs]


def _last_line(folder: Path) -> tuple[str, ...]:
    return tuple((folder / "log.txt").read_text().splitlines()[-1:])


def _pair_entries(before: list[Entry], after: list[Entry]) -> list[_Pair]:
    """Pairs entries by name and content, then by content alone, then by name alone.

    What is left stands beside None. Of several of one name the closest is taken.
    """
    pairs: list[_Pair] = []
    keys: tuple[Callable[[Entry], Any], ...] = (
        lambda entry: (entry.kind, entry.name, entry.content),
        lambda entry: (entry.kind, entry.content) if entry.parts else None,
        lambda entry: (entry.kind, entry.name),
    )
    for key in keys:
        unpaired = []
        for entry in before:
            candidates = [other for other in after if key(other) == key(entry) and key(entry)]
            if candidates:
                closest = min(candidates, key=lambda other: _distance(entry, other))
                after = [other for other in after if other is not closest]
                pairs.append((entry, closest))
            else:
                unpaired.append(entry)
        before = unpaired
    return pairs + [(entry, None) for entry in before] + [(None, entry) for entry in after]


def _distance(entry: Entry, other: Entry) -> tuple[int, float]:
    """The number of parts that differ, and the largest difference of numbers."""
    if entry.content == other.content:
        return 0, 0.0
    parts = list(_unequal_parts(entry, other))
    return len(parts), max((part.largest or 0.0 for part in parts), default=0.0)


def _compare_pair(run: str, before: Entry | None, after: Entry | None) -> Finding:
    if before is None or after is None:
        entry, side = (after, "before") if before is None else (before, "after")
        assert entry is not None
        return Finding(run, entry.kind, entry.name, "missing", (f"missing {side}",))
    if before.content == after.content:
        same = before.name == after.name and before.digests == after.digests
        names = before.name if before.name == after.name else f"{before.name} -> {after.name}"
        return Finding(run, before.kind, names, "equal" if same else "renamed")
    parts = list(_unequal_parts(before, after))
    largest = max((part.largest for part in parts if part.largest is not None), default=None)
    texts = tuple(part.text for part in parts)
    return Finding(run, before.kind, before.name, "differs", texts, largest)


class _Unequal(NamedTuple):
    """Two parts that differ, in words, and the largest difference of their numbers."""

    text: str
    largest: float | None = None


def _unequal_parts(before: Entry, after: Entry) -> Iterator[_Unequal]:
    """The parts that differ; arrays of new names are paired by content, then shape and type."""
    for name, part in before.parts.items():
        if name in after.parts and before.digests[name] != after.digests[name]:
            yield _compare_parts(name, part, after.parts[name])
    lost = {name: part for name, part in before.parts.items() if name not in after.parts}
    new = {name: part for name, part in after.parts.items() if name not in before.parts}
    if before.kind in _NAMELESS:
        list(_take_pairs(lost, new, _digest))
        for old_name, new_name in _take_pairs(lost, new, _layout):
            name = f"{old_name} -> {new_name}"
            yield _compare_parts(name, before.parts[old_name], after.parts[new_name])
    yield from (_Unequal(f"{name}: {_show(part)} before only") for name, part in lost.items())
    yield from (_Unequal(f"{name}: {_show(part)} after only") for name, part in new.items())


def _take_pairs(lost: _Parts, new: _Parts, key: Callable[[Any], Any]) -> Iterator[tuple[str, str]]:
    """The names of parts with the same key, which are removed from both sides."""
    for old_name in list(lost):
        same = (name for name, part in new.items() if key(part) == key(lost[old_name]))
        new_name = next(same, None)
        if new_name is not None:
            del lost[old_name], new[new_name]
            yield old_name, new_name


def _layout(part: Any) -> tuple[Any, ...]:
    return np.shape(part), np.asarray(part).dtype


def _compare_parts(name: str, before: Any, after: Any) -> _Unequal:
    if isinstance(before, np.ndarray) and isinstance(after, np.ndarray):
        if _layout(before) != _layout(after):
            return _Unequal(f"{name}: {_show(before)} | {_show(after)}")
        different, largest = _count_different(before, after), _largest_difference(before, after)
        most = "" if largest is None else f", by {largest:.3g} at most"
        return _Unequal(f"{name}: {different} of {before.size} values differ{most}", largest)
    numbers = [np.array(_NUMBER.findall(str(part)), np.float64) for part in (before, after)]
    comparable = numbers[0].shape == numbers[1].shape
    largest = _largest_difference(*numbers) if comparable else None
    same = [first == second for first, second in zip(str(before), str(after), strict=False)]
    start = max([*same, False].index(False) - _MOST_CHARACTERS // 2, 0)
    texts = " | ".join(_show(str(part)[start:]) for part in (before, after))
    return _Unequal(f"{name}: {'...' if start else ''}{texts}", largest)


def _count_different(before: np.ndarray, after: np.ndarray) -> int:
    """How many values have other bits."""
    first, second = (np.frombuffer(part.tobytes(), np.uint8) for part in (before, after))
    return int((first != second).reshape(before.size, -1).any(1).sum())


def _largest_difference(before: np.ndarray, after: np.ndarray) -> float | None:
    """The largest difference of numbers that are finite on both sides; None where none are."""
    if before.dtype.kind not in "biufV":
        return None
    first, second = before.astype(np.float64), after.astype(np.float64)
    finite = np.isfinite(first) & np.isfinite(second)
    return float(np.abs(first - second)[finite].max()) if finite.any() else None


def _show(part: Any) -> str:
    if isinstance(part, np.ndarray):
        return f"{part.dtype}{part.shape}"
    text = str(part)
    return text if len(text) <= _MOST_CHARACTERS else f"{text[: _MOST_CHARACTERS - 3]}..."


# Print.


def print_findings(findings: Sequence[Finding]) -> None:
    """Prints how many entries are equal, then each that is not, then the settings that differ."""
    verdicts: tuple[Verdict, ...] = ("equal", "renamed", "differs", "missing", "failed")
    counts = Counter((finding.run, finding.kind, finding.verdict) for finding in findings)
    places = sorted({(run, kind) for run, kind, _ in counts})
    rows = [[*place, *(counts[*place, verdict] for verdict in verdicts)] for place in places]
    print(format_table(["run", "kind", *verdicts], rows))
    for verdict in reversed(verdicts[1:]):
        for finding in findings:
            if finding.verdict == verdict and finding.kind != "settings":
                print(_line(finding))
    settings = Counter(
        f"{Path(finding.name).name}: {detail}"
        for finding in findings
        if finding.kind == "settings"
        for detail in finding.details
    )
    for text, count in settings.items():
        print(f"settings, {count} times: {text}")


def _line(finding: Finding) -> str:
    first = f": {finding.details[0]}" if finding.details else ""
    more = f" (and {len(finding.details) - 1} more parts)" if len(finding.details) > 1 else ""
    largest = "" if finding.largest is None else f"; largest difference {finding.largest:.3g}"
    return f"{finding.run}: {finding.verdict} {finding.kind} {finding.name}{first}{more}{largest}"


if __name__ == "__main__":
    sys.exit(main())
