"""Visual counterfactuals from a plain + robust ensemble (Boreiko et al., MICCAI 2022).

python -m experiments.fundus_vce --preset demo
python -m experiments.fundus_vce --preset images --data folder:PATH --classes healthy sick
"""

import dataclasses
import json
from pathlib import Path

import cfx_jax.report
import experiments.fundus_vce
from cfx_jax.files import write_text
from cfx_jax.report import format_claims, format_table
from experiments import cli
from experiments.fundus_vce import present
from experiments.fundus_vce.claims import claims as make_claims
from experiments.fundus_vce.config import PRESETS, Config
from experiments.fundus_vce.data import load
from experiments.fundus_vce.evaluate import evaluate
from experiments.fundus_vce.explain import explain
from experiments.fundus_vce.train import train
from experiments.stages import Workspace, fingerprint, source_digest

_STAMP = "drawn_from.txt"


def main(config: Config) -> None:
    """Runs every stage that has no result yet, then writes the report and prints the tables."""
    workspace = Workspace(Path(config.work) / "fundus_vce")
    data = load(config, workspace)
    classifiers = train(config, data, workspace)
    evaluation = evaluate(config, data, classifiers, workspace)
    shown, localised = explain(config, data, classifiers, workspace)
    claims = make_claims(evaluation, localised, data.note)
    folder = results_folder(config)
    drawn_from = fingerprint([config, classifiers.identity, source_digest(cfx_jax.report, experiments.fundus_vce)])
    if not _is_drawn(folder, drawn_from):
        print("tables and figures ...", flush=True)
        write_text(folder / "config.json", json.dumps(dataclasses.asdict(config), indent=2))
        present.write_all(folder, config, data, evaluation, shown, localised, claims, classifiers.temperatures)
        write_text(folder / _STAMP, drawn_from)
    print()
    print(format_table(*present.accuracy_table(evaluation)))
    if localised is not None:
        print()
        print(format_table(*present.overlap_table(localised)))
    print()
    print(format_claims(claims))
    print(f"\n{data.note}\nReport: {(folder / 'report.html').resolve()}")


def _is_drawn(folder: Path, drawn_from: str) -> bool:
    stamp = folder / _STAMP
    return (folder / "report.html").exists() and stamp.exists() and stamp.read_text() == drawn_from


def results_folder(config: Config) -> Path:
    """``RESULTS/fundus_vce/PRESET``, and a name of its own for settings that differ from the preset's."""
    settings = dataclasses.replace(config, results="", work="")
    unchanged = settings == dataclasses.replace(PRESETS[config.preset], results="", work="")
    name = config.preset if unchanged else f"{config.preset}-{fingerprint(settings)}"
    return Path(config.results) / "fundus_vce" / name


if __name__ == "__main__":
    cli.run(main, PRESETS, default="demo")
