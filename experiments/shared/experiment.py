"""One run of an experiment, the same for every paper: study, claims, report, printed tables."""

import dataclasses
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any, Protocol, TypeVar

import cfx_jax.metrics
import cfx_jax.report
import experiments.shared
from cfx_jax.files import write_text
from cfx_jax.locks import locked
from cfx_jax.report import Claim, format_claims, format_table
from experiments.shared.folder_images import is_users
from experiments.shared.notices import keep_notices
from experiments.shared.report import Table
from experiments.shared.users_words import as_target, without_paper
from experiments.shared.workspace import Workspace, fingerprint, source_digest

_STAMP = "drawn_from.txt"


class Settings(Protocol):
    """The configuration of an experiment, a dataclass, as far as every experiment knows it."""

    @property
    def preset(self) -> str:
        """The name of the preset from which it comes."""

    @property
    def results(self) -> str:
        """The folder of all reports."""

    @property
    def work(self) -> str:
        """The folder of trained models and intermediate results."""


class Study(Protocol):
    """The results of a paper's study, as far as every experiment knows them."""

    @property
    def identity(self) -> object:
        """Everything that the results depend on, beside the configuration."""

    @property
    def note(self) -> str:
        """The sentence that a reader must know beside every table and figure."""


C = TypeVar("C", bound=Settings)
S = TypeVar("S", bound=Study)


def run_experiment(
    name: str,
    config: C,
    presets: Mapping[str, C],
    *,
    study: Callable[[C, Workspace], S],
    claims: Callable[[S], Sequence[Claim]],
    write_report: Callable[[Path, S, Sequence[Claim]], object],
    tables: Callable[[S], Iterable[Table | str]],
    code: Sequence[ModuleType],
    work: str | None = None,
) -> None:
    """Runs every stage that has no result yet, then writes the report and prints tables and claims.

    Args:
        name: of the experiment, and of its folder of results.
        config: a dataclass, one of the presets or a change of it.
        presets: configurations by name.
        study: trains and measures, ``(config, workspace) -> results``.
        claims: judges the paper's claims by the results.
        write_report: draws tables and figures into a folder, and writes ``report.html`` there.
        tables: what is printed of the results, in this order; a text is printed as it is.
        code: the packages that make the report: a change of their code draws it anew.
        work: the folder of stages below ``config.work``; None for the experiment's name.

    Raises:
        InputError: another process runs the same experiment with the same settings.
    """
    folder = results_folder(name, config, presets)
    with alone(name, folder):
        workspace = Workspace(Path(config.work) / (work or name))
        results = study(config, workspace)
        judged = claims(results)
        depends = fingerprint([config, results.identity, drawing_digest(*code)])
        draw_once(folder, config, depends, lambda: write_report(folder, results, judged))
        users = is_users(getattr(config, "data", ""))
        ours = without_paper if users else _unchanged
        judged = [as_target(claim) for claim in judged] if users else judged
        shown = [
            part if isinstance(part, str) else format_table(*ours(part)) for part in tables(results)
        ]
        print("", *shown, format_claims(judged), sep="\n\n")
        print(f"\n{results.note}\nReport: {(folder / 'report.html').resolve()}")


def _unchanged(table: Table) -> Table:
    return table


def results_folder(experiment: str, config: Any, presets: Mapping[str, Any]) -> Path:
    """``RESULTS/EXPERIMENT/PRESET``; settings that differ from the preset's have another name.

    Args:
        experiment: its name.
        config: a dataclass with the fields ``preset``, ``results`` and ``work``.
        presets: configurations by name.
    """
    settings = dataclasses.replace(config, results="", work="")
    unchanged = settings == dataclasses.replace(presets[config.preset], results="", work="")
    name = config.preset if unchanged else f"{config.preset}-{fingerprint(settings)}"
    return Path(config.results) / experiment / name


@contextmanager
def alone(experiment: str, folder: Path) -> Iterator[None]:
    """Keeps other processes away from a folder of results, and keeps warnings for the report.

    Args:
        experiment: its name.
        folder: of the results.

    Raises:
        InputError: another process is at work there.
    """
    with locked(folder, doing=f"runs {experiment}"), keep_notices():
        yield


def drawing_digest(*modules: ModuleType) -> str:
    """A digest of the code that makes a report of results: what experiments share, and modules."""
    return source_digest(cfx_jax.metrics, cfx_jax.report, experiments.shared, *modules)


def draw_once(folder: Path, config: Any, drawn_from: str, draw: Callable[[], object]) -> None:
    """Draws a report, unless the folder holds one that was drawn from the same results.

    Args:
        folder: of the report; ``config.json`` and a stamp are written beside it.
        config: the run's configuration, a dataclass.
        drawn_from: names all that the report depends on, its code too.
        draw: writes ``report.html`` and what belongs to it.
    """
    stamp = folder / _STAMP
    is_drawn = (folder / "report.html").exists() and stamp.is_file()
    if is_drawn and stamp.read_bytes() == drawn_from.encode():
        return
    print("tables and figures ...", flush=True)
    write_text(folder / "config.json", json.dumps(dataclasses.asdict(config), indent=2))
    draw()
    write_text(stamp, drawn_from)
