"""Where an experiment's report goes, and whether it has been drawn from the same results already."""

import dataclasses
import functools
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any, TypeVar

import cfx_jax.metrics
import cfx_jax.report
from cfx_jax.files import write_text
from cfx_jax.locks import locked
from experiments.shared import image_set, interval_claims, notices, presenter, provenance
from experiments.shared.stages import fingerprint, source_digest

C = TypeVar("C")

_STAMP = "drawn_from.txt"


def results_folder(experiment: str, config: Any, presets: Mapping[str, Any]) -> Path:
    """``RESULTS/EXPERIMENT/PRESET``, and a name of its own for settings that differ from the
    preset's.

    Args:
        experiment: its name.
        config: a dataclass with the fields ``preset``, ``results`` and ``work``.
        presets: configurations by name.
    """
    settings = dataclasses.replace(config, results="", work="")
    unchanged = settings == dataclasses.replace(presets[config.preset], results="", work="")
    name = config.preset if unchanged else f"{config.preset}-{fingerprint(settings)}"
    return Path(config.results) / experiment / name


def drawing_digest(*modules: ModuleType) -> str:
    """A digest of the code that makes a report of results: that of all experiments, and the modules
    of one.
    """
    shared = image_set, interval_claims, presenter, notices, provenance
    return source_digest(cfx_jax.metrics, cfx_jax.report, *shared, *modules)


def alone(
    experiment: str, presets: Mapping[str, C]
) -> Callable[[Callable[[C], None]], Callable[[C], None]]:
    """Decorates an experiment, so that no two processes run it with the same settings into the same
    results.

    Its warnings are kept meanwhile, for its report.

    Args:
        experiment: its name.
        presets: configurations by name, as of ``results_folder``.

    The decorated function raises ``InputError`` where another process is at work.
    """

    def decorate(main: Callable[[C], None]) -> Callable[[C], None]:
        @functools.wraps(main)
        def run(config: C) -> None:
            place = results_folder(experiment, config, presets)
            with locked(place, doing=f"runs {experiment}"), notices.keep_notices():
                main(config)

        return run

    return decorate


def draw_once(folder: Path, config: Any, drawn_from: str, draw: Callable[[], Any]) -> None:
    """Draws a report, unless the folder holds one that was drawn from the same.

    Args:
        folder: of the report; ``config.json`` and a stamp are written beside it.
        config: the run's configuration, a dataclass.
        drawn_from: names all that the report depends on, its code too.
        draw: writes ``report.html`` and what belongs to it.
    """
    stamp = folder / _STAMP
    if (
        (folder / "report.html").exists()
        and stamp.is_file()
        and stamp.read_bytes() == drawn_from.encode()
    ):
        return
    print("tables and figures ...", flush=True)
    write_text(folder / "config.json", json.dumps(dataclasses.asdict(config), indent=2))
    draw()
    write_text(stamp, drawn_from)
