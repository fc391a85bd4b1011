"""Visual counterfactuals from a plain + robust ensemble (Boreiko et al., MICCAI 2022).

python -m experiments.fundus_vce --preset demo
python -m experiments.fundus_vce --preset images --data folder:PATH --classes healthy sick
python -m experiments.fundus_vce --preset paper --data fundus:PATH
"""

import dataclasses
import json
from pathlib import Path

import cfx_jax.report
import experiments.fundus_vce
from cfx_jax.files import write_text
from cfx_jax.report import format_claims, format_table
from experiments import cli
from experiments.fundus_vce import tables
from experiments.fundus_vce.claims import claims as make_claims
from experiments.fundus_vce.config import Config
from experiments.fundus_vce.data import split_data
from experiments.fundus_vce.evaluate import evaluate
from experiments.fundus_vce.explain import explain
from experiments.fundus_vce.localise import localise
from experiments.fundus_vce.present import Presenter
from experiments.fundus_vce.presets import PRESETS
from experiments.fundus_vce.quality import filter_gradable
from experiments.fundus_vce.search import Search
from experiments.fundus_vce.sources import load_sources
from experiments.fundus_vce.train import train
from experiments.stages import Workspace, fingerprint, source_digest

_STAMP = "drawn_from.txt"


def main(config: Config) -> None:
    """Runs every stage that has no result yet, then writes the report and prints the tables."""
    workspace = Workspace(Path(config.work) / "fundus_vce")
    sources = load_sources(config, workspace)
    quality = filter_gradable(config, sources, workspace)
    data = split_data(config, sources, quality)
    classifiers = train(config, data, workspace)
    evaluations = evaluate(config, data, classifiers, workspace)
    search = Search(config, classifiers, workspace)
    localised = localise(config, data, search)
    studied = explain(config, data, evaluations, search)
    claims = make_claims(config, data, evaluations, studied, localised)
    folder = results_folder(config)
    code = source_digest(cfx_jax.report, experiments.fundus_vce)
    drawn_from = fingerprint([config, classifiers.identity, sources.identity, code])
    if not _is_drawn(folder, drawn_from):
        print("tables and figures ...", flush=True)
        write_text(folder / "config.json", json.dumps(dataclasses.asdict(config), indent=2))
        presenter = Presenter(folder, config, data)
        presenter.quality(quality)
        presenter.classifiers(evaluations, classifiers.temperatures)
        presenter.localisation(localised)
        presenter.counterfactuals(studied)
        presenter.finish(claims)
        write_text(folder / _STAMP, drawn_from)
    found = [tables.accuracy_table(evaluations, place) for place in data.tests]
    found += [tables.overlap_table(localised)] if localised is not None else []
    found += [tables.quality_table(quality)] if quality is not None else []
    print("", *(format_table(*table) for table in found), format_claims(claims), sep="\n\n")
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
