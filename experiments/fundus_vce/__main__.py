"""Visual counterfactuals from a plain + robust ensemble (Boreiko et al., MICCAI 2022).

python -m experiments.fundus_vce --preset demo
python -m experiments.fundus_vce --preset images --data folder:PATH --classes healthy sick
python -m experiments.fundus_vce --preset paper --data fundus:PATH

A plain network sees best, a robust one explains best: the ensemble of both is to be as accurate as
the first, with maps as good as the second's.

demo: 2 CPU cores, 4 to 8 minutes, synthetic images. Expect on the test set accuracies of 0.90
plain, 0.77 robust, 0.88 ensemble; robust accuracies of 0.13, 0.61, 0.19; and an overlap of the
ensemble's counterfactual maps with the lesions of 0.19, where the plain network's have 0.10.
paper: a GPU. The paper prints 0.895, 0.784, 0.897; 0.152, 0.666, 0.194; and 0.13 above 0.07.
"""

from functools import partial

from experiments.fundus_vce.claims import make_claims
from experiments.fundus_vce.presets import PRESETS
from experiments.fundus_vce.report import write_report
from experiments.fundus_vce.study import STAGES, run_study
from experiments.fundus_vce.tables import summary_tables
from experiments.shared import Experiment, command_line, run_experiment

EXPERIMENT = Experiment(
    name="fundus_vce",
    presets=PRESETS,
    study=run_study,
    stages=STAGES,
    claims=make_claims,
    write_report=write_report,
    tables=summary_tables,
    code=["experiments.fundus_vce"],
)
main = partial(run_experiment, EXPERIMENT)
"""Runs every stage that has no result yet, then writes the report and prints the tables."""

if __name__ == "__main__":
    command_line.run(main, PRESETS, default="demo", every_core=True)
