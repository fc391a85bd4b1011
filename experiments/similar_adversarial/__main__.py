"""Explanations by similar and adversarial images (Charachon et al., ICPR 2020).

python -m experiments.similar_adversarial --preset demo
python -m experiments.similar_adversarial --preset images --data folder:PATH --classes healthy sick
python -m experiments.similar_adversarial --preset paper --data rsna:PATH

A classifier is trained, then eight ways to train generators of a similar image, which is decided as
the image is, and an adversarial one, which is not. What the two differ in explains the decision.

Demo: 15 to 25 minutes on two CPU cores, on synthetic brain slices of 64 pixels; three times as long
with --num-runs 3. Expect of the eight generators 88 to 95 % of decisions turned over by the
adversarial image, 95 to 98.5 % kept by the similar one. Maps differ between trainings: IoU at
percentile 98 of Single AE2 (W,TV) 0.19 and 0.43; gradient 0.25, averaged over augmentations 0.51.

Paper: a GPU; eight trainings of 70 epochs of 11,917 images of 224 pixels (not run yet).
"""

from functools import partial

from experiments.shared import Experiment, command_line, run_experiment
from experiments.similar_adversarial.claims import make_claims
from experiments.similar_adversarial.presets import PRESETS
from experiments.similar_adversarial.report import write_report
from experiments.similar_adversarial.study import run_study, stages
from experiments.similar_adversarial.tables import summary_tables

EXPERIMENT = Experiment(
    name="similar_adversarial",
    presets=PRESETS,
    study=run_study,
    stages=stages,
    claims=make_claims,
    write_report=write_report,
    tables=summary_tables,
    code=["experiments.charachon_shared", "experiments.similar_adversarial"],
    work="generation",
)
main = partial(run_experiment, EXPERIMENT)
"""Runs every stage that has no result yet, then writes the report and prints the tables."""

if __name__ == "__main__":
    command_line.run(main, PRESETS, default="demo", every_core=True)
