"""Where an experiment's report goes, and whether it has been drawn from the same results already."""

import dataclasses
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from cfx_jax.files import write_text
from experiments.stages import fingerprint

_STAMP = "drawn_from.txt"


def results_folder(experiment: str, config: Any, presets: Mapping[str, Any]) -> Path:
    """``RESULTS/EXPERIMENT/PRESET``, and a name of its own for settings that differ from the preset's.

    Args:
        experiment: its name.
        config: a dataclass with the fields ``preset``, ``results`` and ``work``.
        presets: configurations by name.
    """
    settings = dataclasses.replace(config, results="", work="")
    unchanged = settings == dataclasses.replace(presets[config.preset], results="", work="")
    name = config.preset if unchanged else f"{config.preset}-{fingerprint(settings)}"
    return Path(config.results) / experiment / name


def draw_once(folder: Path, config: Any, drawn_from: str, draw: Callable[[], Any]) -> None:
    """Draws a report, unless the folder holds one that was drawn from the same.

    Args:
        folder: of the report; ``config.json`` and a stamp are written beside it.
        config: the run's configuration, a dataclass.
        drawn_from: names all that the report depends on, its code too.
        draw: writes ``report.html`` and what belongs to it.
    """
    stamp = folder / _STAMP
    if (folder / "report.html").exists() and stamp.exists() and stamp.read_text() == drawn_from:
        return
    print("tables and figures ...", flush=True)
    write_text(folder / "config.json", json.dumps(dataclasses.asdict(config), indent=2))
    draw()
    write_text(stamp, drawn_from)
