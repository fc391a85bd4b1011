"""Explanation by progressive exaggeration (Singla et al., ICLR 2020).

python -m experiments.progressive_exaggeration --preset demo
python -m experiments.progressive_exaggeration --preset images --data folder:PATH \
    --classes neutral smile
python -m experiments.progressive_exaggeration --preset paper --data celeba:PATH \
    --recogniser MODULE:FUNCTION
"""

import experiments.progressive_exaggeration
from experiments.progressive_exaggeration.claims import make_claims
from experiments.progressive_exaggeration.config import Config
from experiments.progressive_exaggeration.presets import PRESETS
from experiments.progressive_exaggeration.report import write_report
from experiments.progressive_exaggeration.study import run_study
from experiments.progressive_exaggeration.tables import summary_tables
from experiments.shared import cli, run_experiment


def main(config: Config) -> None:
    """Runs every stage that has no result yet, then writes the report and prints the tables."""
    run_experiment(
        "progressive_exaggeration",
        config,
        PRESETS,
        study=run_study,
        claims=make_claims,
        write_report=write_report,
        tables=summary_tables,
        code=[experiments.progressive_exaggeration],
    )


if __name__ == "__main__":
    cli.run(main, PRESETS, default="demo")
