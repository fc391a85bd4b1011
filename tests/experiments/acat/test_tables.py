"""ACAT's tables, on made-up numbers."""

import numpy as np
import pytest
from acat_results import made_up_study, row_of

from experiments.acat import tables
from experiments.acat.data import UNKNOWN
from experiments.acat.maps import OURS, RANDOM, WITH_ACAT
from experiments.acat.networks import (
    ACAT,
    BASELINE,
)


def test_the_standard_error_is_the_papers():
    first = row_of(tables.accuracy_table(made_up_study(38, 45, 47)), BASELINE)
    # Three runs of 64 scans, of which 38, 45 and 47 are right, are printed as 67.71 (3.48).
    assert (round(100 * first["accuracy"], 2), round(100 * first["SE"], 2)) == (67.71, 3.48)
    assert (first["right"], first["scans"], first["best in runs"]) == (130, 192, 0)


def test_differences_of_networks_have_the_spread_of_the_runs():
    acat = row_of(tables.accuracy_table(made_up_study(38, 45, 47)), ACAT)
    # By hand: differences of 25, 18 and 16 of 64; of three runs, other scans in each, Student's
    # with two degrees of freedom.
    differences = np.array([25, 18, 16]) / 64
    half = 4.302653 * differences.std(ddof=1) / np.sqrt(3)
    assert acat["less baseline"] == pytest.approx(
        (differences.mean(), differences.mean() - half, differences.mean() + half)
    )
    assert acat["best in runs"] == 3
    # The same difference in both runs says nothing of other runs.
    same = row_of(tables.accuracy_table(made_up_study(40, 40)), ACAT)["less baseline"]
    assert np.isnan([same.low, same.high]).all()


def test_scans_of_unknown_size_are_not_among_the_healthy():
    study = made_up_study(38, 45)
    sizes = np.where(np.arange(64) < 4, UNKNOWN, 0)
    runs = [run._replace(answers=run.answers._replace(sizes=sizes)) for run in study.runs]
    columns, rows = tables.size_table(study._replace(runs=tuple(runs)))
    assert columns == ["network", "size not known (8 scans)", "none (120 scans)", "paper none"]
    assert rows[0][1:] == [1.0, (34 + 41) / 120, pytest.approx(0.8141)]


def test_tables_of_maps_give_counts_and_references():
    study = made_up_study(38, 45)
    ours = row_of(tables.hit_table(study), OURS)
    assert (ours["hits"], ours["scans"], ours["flat"], ours["likeness"]) == (10, 12, 0, 1.0)
    assert ours["paper"] == pytest.approx(0.6505) and ours["inside the lesion"] is None
    assert row_of(tables.hit_table(study), RANDOM)["hit score"] == 0
    assert WITH_ACAT not in tables.compared_maps(study)
    cells = row_of(tables.reach_table(study), OURS)
    assert cells["below 0.2"].estimate == 1 and cells["after one step"] == pytest.approx(0.86)
