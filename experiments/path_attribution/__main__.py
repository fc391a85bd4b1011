"""Path-based attribution between generated images (Charachon et al. 2021).

python -m experiments.path_attribution --preset demo
python -m experiments.path_attribution --preset demo --data chest
python -m experiments.path_attribution --preset images --data folder:PATH --classes healthy sick
python -m experiments.path_attribution --preset paper --data rsna:PATH
"""

from pathlib import Path

import experiments.charachon
import experiments.path_attribution
from cfx_jax.report import format_claims, format_table
from experiments.charachon.images import load_images
from experiments.path_attribution import published, tables
from experiments.path_attribution.claims import Scores
from experiments.path_attribution.claims import claims as make_claims
from experiments.path_attribution.config import Config
from experiments.path_attribution.faithfulness import NotMeasured
from experiments.path_attribution.present import Presenter
from experiments.path_attribution.presets import PRESETS
from experiments.path_attribution.published import FDR, IOU
from experiments.path_attribution.study import Study, study
from experiments.shared import cli
from experiments.shared.results import alone, draw_once, drawing_digest, results_folder
from experiments.shared.stages import Workspace, fingerprint


@alone("path_attribution", PRESETS)
def main(config: Config) -> None:
    """Runs every stage that has no result yet, then writes the report and prints the tables."""
    workspace = Workspace(Path(config.work) / "generation")
    data = load_images(config, workspace)
    found, task = study(config, data, workspace), published.task_of(config.data)
    claims = make_claims(task, _scores(found), found.faithfulness, note=data.note)
    folder = results_folder("path_attribution", config, PRESETS)

    def draw() -> None:
        presenter = Presenter(folder, config, data, found)
        presenter.everything()
        presenter.finish(claims, config)

    code = drawing_digest(experiments.charachon, experiments.path_attribution)
    draw_once(folder, config, fingerprint([config, found.identity, code]), draw)
    shown = [tables.generator_table(found)]
    shown += [tables.localisation_table(task, found)] if found.localisation else []
    shown += (
        []
        if isinstance(found.faithfulness, NotMeasured)
        else [tables.relevance_table(task, found.faithfulness)]
    )
    print("", *(format_table(*table) for table in shown), format_claims(claims), sep="\n\n")
    print(f"\n{data.note}\nReport: {(folder / 'report.html').resolve()}")


def _scores(found: Study) -> Scores | None:
    """IoU and FDR of each image, row by row of Table 1; None where nothing is annotated."""
    if not found.localisation:
        return None
    rows = [(measure, percentile) for measure in (IOU, FDR) for percentile in found.percentiles]
    values = {
        row: {name: tables.values_of(each, *row) for name, each in found.localisation.items()}
        for row in rows
    }
    explained = found.explained
    return Scores(values, explained.groups_of(explained.localised), explained.group_unit)


if __name__ == "__main__":
    cli.run(main, PRESETS, default="demo", every_core=True)
