"""Visual counterfactuals from a plain + robust ensemble (Boreiko et al., MICCAI 2022).

python -m experiments.fundus_vce --preset demo
python -m experiments.fundus_vce --preset images --data folder:PATH --classes healthy sick
python -m experiments.fundus_vce --preset paper --data fundus:PATH
"""

import dataclasses
from pathlib import Path

import experiments.fundus_vce
from cfx_jax.report import format_claims, format_table
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
from experiments.shared import cli
from experiments.shared.results import alone, draw_once, drawing_digest, results_folder
from experiments.shared.stages import Workspace, fingerprint


@alone("fundus_vce", PRESETS)
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
    studied = explain(
        config, data, evaluations, search, None if localised is None else localised.radii
    )
    claims = make_claims(config, data, evaluations, studied, localised)
    folder = results_folder("fundus_vce", config, PRESETS)

    def draw() -> None:
        presenter = Presenter(folder, config, data)
        presenter.images()
        presenter.quality(quality)
        presenter.classifiers(evaluations, classifiers)
        presenter.localisation(localised)
        presenter.counterfactuals(studied, localised)
        title = "Claims of the paper" if data.published else "What the method promises"
        presenter.finish(claims, dataclasses.replace(config, **classifiers.settings), title=title)

    code = drawing_digest(experiments.fundus_vce)
    draw_once(
        folder, config, fingerprint([config, classifiers.identity, sources.identity, code]), draw
    )
    with_paper = data.published
    shown = [
        tables.accuracy_table(evaluations, place, with_paper=with_paper) for place in data.tests
    ]
    shown += [tables.overlap_table(localised)] if localised is not None else []
    shown += [tables.quality_table(quality)] if quality is not None else []
    print("", *(format_table(*table) for table in shown), format_claims(claims), sep="\n\n")
    print(f"\n{data.note}\nReport: {(folder / 'report.html').resolve()}")


if __name__ == "__main__":
    cli.run(main, PRESETS, default="demo")
