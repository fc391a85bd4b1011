"""Explanation by progressive exaggeration (Singla et al., ICLR 2020).

python -m experiments.progressive_exaggeration --preset demo
python -m experiments.progressive_exaggeration --preset images --data folder:PATH --classes neutral
smile python -m experiments.progressive_exaggeration --preset paper --data celeba:PATH --recogniser
MODULE:FUNCTION
"""

from pathlib import Path

import experiments.progressive_exaggeration
from cfx_jax.report import format_claims, format_table
from experiments.progressive_exaggeration import tables
from experiments.progressive_exaggeration.chapters import check_chapters, examine
from experiments.progressive_exaggeration.claims import claims as make_claims
from experiments.progressive_exaggeration.config import Config
from experiments.progressive_exaggeration.human_study import write_human_study
from experiments.progressive_exaggeration.images import load_images
from experiments.progressive_exaggeration.present import Presenter
from experiments.progressive_exaggeration.presets import PRESETS
from experiments.progressive_exaggeration.study import study
from experiments.shared import cli
from experiments.shared.results import alone, draw_once, drawing_digest, results_folder
from experiments.shared.stages import Workspace, fingerprint


@alone("progressive_exaggeration", PRESETS)
def main(config: Config) -> None:
    """Runs every stage that has no result yet, then writes the report and prints the tables."""
    workspace = Workspace(Path(config.work) / "progressive_exaggeration")
    data = load_images(config, workspace)
    check_chapters(config, data)
    found = study(config, data, workspace)
    chapters = examine(found)
    claims = make_claims(found, chapters.values())
    folder = results_folder("progressive_exaggeration", config, PRESETS)

    def draw() -> None:
        presenter = Presenter(folder, found, chapters.values())
        presenter.everything()
        presenter.finish(claims, config)
        if any(config.human_items):
            write_human_study(folder / "human_study", found, chapters)

    code = drawing_digest(experiments.progressive_exaggeration)
    depends = [config, found.dependencies, [each.dependencies for each in chapters.values()], code]
    draw_once(folder, config, fingerprint(depends), draw)
    shown = [tables.reach_table(found), tables.distance_table(found), tables.identity_table(found)]
    print("", *(format_table(*table) for table in shown), format_claims(claims), sep="\n\n")
    print(f"\n{found.data.note}\nReport: {(folder / 'report.html').resolve()}")


if __name__ == "__main__":
    cli.run(main, PRESETS, default="demo")
