"""Explanations by similar and adversarial images (Charachon et al., ICPR 2020).

python -m experiments.similar_adversarial --preset demo
python -m experiments.similar_adversarial --preset images --data folder:PATH --classes healthy sick
python -m experiments.similar_adversarial --preset paper --data rsna:PATH
"""

from pathlib import Path

import experiments.charachon
import experiments.similar_adversarial
from cfx_jax.report import format_claims, format_table
from experiments.charachon.classifier import train_classifier
from experiments.charachon.images import load_images
from experiments.shared import cli
from experiments.shared.results import alone, draw_once, drawing_digest, results_folder
from experiments.shared.stages import Workspace, fingerprint
from experiments.similar_adversarial import tables
from experiments.similar_adversarial.claims import claims as make_claims
from experiments.similar_adversarial.config import Config
from experiments.similar_adversarial.present import Presenter
from experiments.similar_adversarial.presets import PRESETS
from experiments.similar_adversarial.study import run_study


@alone("similar_adversarial", PRESETS)
def main(config: Config) -> None:
    """Runs every stage that has no result yet, then writes the report and prints the tables."""
    workspace = Workspace(Path(config.work) / "generation")
    data = load_images(config, workspace)
    network = train_classifier(config, data, workspace)
    study = run_study(config, data, network, workspace)
    claims = make_claims(config, data, study)
    folder = results_folder("similar_adversarial", config, PRESETS)

    def draw() -> None:
        presenter = Presenter(folder, config, data, network, study)
        presenter.generators()
        presenter.localisation()
        presenter.finish(claims, config)

    code = drawing_digest(experiments.charachon, experiments.similar_adversarial)
    draw_once(folder, config, fingerprint([config, network.identity, data.identity, code]), draw)
    found = [tables.decisions_table(study), tables.similarity_table(study)]
    if study.localised is not None:
        found.append(
            tables.overlap_table(study.localised, tables.compared_names(), config.percentiles)
        )
    print("", *(format_table(*table) for table in found), format_claims(claims), sep="\n\n")
    print(f"\nAUC of the classifier: {network.auc.estimate:.3f}. {data.note}")
    print(f"Report: {(folder / 'report.html').resolve()}")


if __name__ == "__main__":
    cli.run(main, PRESETS, default="demo", every_core=True)
