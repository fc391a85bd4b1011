"""ACAT: adversarial counterfactual attention for classification and detection (Fontanella et al.,
ICML 2023).

python -m experiments.acat --preset demo
python -m experiments.acat --preset paper --data mosmed:PATH ist3:PATH
"""

from pathlib import Path

import experiments.acat
from cfx_jax.report import format_claims, format_table
from experiments.acat import tables
from experiments.acat.claims import claims as make_claims
from experiments.acat.config import Config
from experiments.acat.present import Presenter
from experiments.acat.presets import PRESETS
from experiments.acat.scans import load_scans
from experiments.acat.study import planned, study
from experiments.shared import cli
from experiments.shared.results import alone, draw_once, drawing_digest, results_folder
from experiments.shared.stages import Workspace, fingerprint


@alone("acat", PRESETS)
def main(config: Config) -> None:
    """Runs every stage that has no result yet, then writes the report and prints the tables."""
    workspace = Workspace(Path(config.work) / "acat")
    loaded = [load_scans(config, kind, workspace) for kind in config.data]
    plans = [
        planned(config, scans) for scans in loaded
    ]  # of all kinds, before the first is trained on
    studies = [
        study(config, scans, workspace, plan=plan)
        for scans, plan in zip(loaded, plans, strict=True)
    ]
    claims = [claim for each in studies for claim in make_claims(each)]
    folder = results_folder("acat", config, PRESETS)

    def draw() -> None:
        presenter = Presenter(folder, config, studies)
        presenter.everything()
        presenter.finish(claims, config)

    code = drawing_digest(experiments.acat)
    draw_once(
        folder, config, fingerprint([config, [each.identity for each in studies], code]), draw
    )
    for each in studies:
        print(f"\n{each.scans.note}\n", format_table(*tables.accuracy_table(each)), sep="\n")
        if all(run.detection.known("hits") for run in each.runs):
            print("", format_table(*tables.hit_table(each)), sep="\n")
        print("", format_table(*tables.reach_table(each)), sep="\n")
    print("", format_claims(claims), f"\nReport: {(folder / 'report.html').resolve()}", sep="\n")


if __name__ == "__main__":
    cli.run(main, PRESETS, default="demo")
