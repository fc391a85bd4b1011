"""One run of an experiment, the same for every paper: study, claims, report, printed tables."""

import dataclasses
import json
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar

from cfx_jax.checks import check_configuration
from cfx_jax.files import write_text
from cfx_jax.parallel import (
    check_same,
    check_same_folder,
    first_decides,
    first_process_locks,
    is_first_process,
)
from cfx_jax.report import Claim
from experiments.shared.config import ExperimentConfig
from experiments.shared.folder_images import is_users
from experiments.shared.notices import keep_notices
from experiments.shared.report import Table, format_results
from experiments.shared.stages import Stages
from experiments.shared.workspace import Workspace, fingerprint, source_digest

_STAMP = "drawn_from.txt"
_REPORT = "report"
_DRAWING = ("cfx_jax.metrics", "cfx_jax.report", "experiments.shared")
"""The packages that all experiments draw with: a change of their code draws a report anew."""


class Study(Protocol):
    """The results of a paper's study, as far as all experiments have them."""

    @property
    def identity(self) -> object:
        """Everything that the results depend on, beside the configuration."""

    @property
    def note(self) -> str:
        """The sentence that a reader must know beside every table and figure."""


C = TypeVar("C", bound=ExperimentConfig)
S = TypeVar("S", bound=Study)


@dataclass(frozen=True)
class Experiment(Generic[C, S]):
    """The parts of a paper's experiment, which ``run_experiment`` puts together.

    Attributes:
        name: the name of the experiment, and of its folder of results.
        presets: configurations by name, dataclasses.
        study: trains and measures, ``(config, workspace) -> results``.
        claims: judges the paper's claims by the results.
        write_report: draws tables and figures into a folder, and writes ``report.html`` there.
        tables: what is printed of the results, in this order; a text is printed as it is.
        code: names of the packages that make the report: a change of their code draws it anew.
        stages: names of the stages ahead but for the report, in the order in which the study begins
            them, or a function that gives them for a configuration; they are printed with what is
            stored and with the time that is expected.
        work: the folder of stages below ``config.work``; empty for the experiment's name.
    """

    name: str
    presets: Mapping[str, C]
    study: Callable[[C, Workspace], S]
    claims: Callable[[S], Sequence[Claim]]
    write_report: Callable[[Path, S, Sequence[Claim]], object]
    tables: Callable[[S], Iterable[Table | str]]
    code: Sequence[str]
    stages: Sequence[str] | Callable[[C], Sequence[str]] = ()
    work: str = ""


def run_experiment(experiment: Experiment[C, S], config: C) -> None:
    """Runs every stage that has no result yet, then writes the report and prints tables and claims.

    Args:
        experiment: the parts of the experiment.
        config: one of its presets, or a change of it.

    Raises:
        InputError: a number of the configuration that is NaN or below 0; another process runs the
            same experiment with the same settings; or, of several processes of one run, one has
            other settings or other folders.
    """
    check_configuration(config)
    _check_one_run(config)
    folder = results_folder(experiment.name, config, experiment.presets)
    with alone(experiment.name, folder), _place_to_draw(folder) as place:
        root = Path(config.work) / (experiment.work or experiment.name)
        stages = _plan(experiment, config, root)
        results = experiment.study(config, workspace := Workspace(root, stages))
        workspace.begin(_REPORT)
        claims = experiment.claims(results)
        code = source_digest(*_DRAWING, *experiment.code)
        depends = fingerprint([config, results.identity, code])
        draw = partial(experiment.write_report, place, results, claims)
        draw_once(folder, config, depends, draw)
        if stages is not None:
            stages.end()
        users = is_users(getattr(config, "data", ""))
        print(format_results(experiment.tables(results), claims, users=users))
        print(f"\n{results.note}\nReport: {(folder / 'report.html').resolve()}")


def _plan(experiment: Experiment[C, S], config: C, root: Path) -> Stages | None:
    """Prints the stages ahead; None where the experiment names none."""
    named = experiment.stages
    names = named(config) if callable(named) else named
    if not names:
        return None
    settings = dataclasses.replace(config, results="", work="")
    stages = Stages([*names, _REPORT], root, fingerprint(settings))
    print(stages.plan(), flush=True)
    return stages


def _check_one_run(config: ExperimentConfig) -> None:
    """Checks that all processes of a run have one configuration, and share its folders."""
    check_same("the command", dataclasses.asdict(config))
    check_same_folder("--work", config.work)
    check_same_folder("--results", config.results)


@contextmanager
def _place_to_draw(folder: Path) -> Iterator[Path]:
    """The folder of the report in the first process; in others, which take part in what figures
    compute, a folder that is thrown away."""
    if is_first_process():
        yield folder
        return
    with tempfile.TemporaryDirectory() as thrown_away:
        yield Path(thrown_away)


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
        folder: the folder of the results.

    Raises:
        InputError: another process is at work there.
    """
    with first_process_locks(folder, doing=f"runs {experiment}"), keep_notices():
        yield


def draw_once(folder: Path, config: Any, drawn_from: str, draw: Callable[[], object]) -> None:
    """Draws a report, unless the folder holds one that was drawn from the same results.

    Args:
        folder: the folder of the report; ``config.json`` and a stamp are written beside it.
        config: the run's configuration, a dataclass.
        drawn_from: names all that the report depends on, its code too.
        draw: writes ``report.html`` and what belongs to it.
    """
    stamp = folder / _STAMP
    is_drawn = (folder / "report.html").exists() and stamp.is_file()
    is_drawn = is_drawn and stamp.read_bytes() == drawn_from.encode()
    if first_decides("the report is drawn", is_drawn):
        return
    print("tables and figures ...", flush=True)
    if is_first_process():
        write_text(folder / "config.json", json.dumps(dataclasses.asdict(config), indent=2))
    draw()
    if is_first_process():
        write_text(stamp, drawn_from)
