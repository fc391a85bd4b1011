"""The stages of a run: told ahead, counted, and timed for the next start."""

import time

import numpy as np
import pytest

from experiments.shared import Workspace
from experiments.shared.stages import Stages

NAMES = ("images", "training", "report")


@pytest.fixture
def clock(monkeypatch):
    now = [0.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    return now


def run(root, clock, seconds=60.0):
    """One run of two stages, of which each takes some seconds to compute."""
    stages = Stages(NAMES, root, "0123")
    workspace = Workspace(root, stages)

    def compute():
        clock[0] += seconds
        return {"values": np.zeros(2)}

    for name in NAMES[:2]:
        workspace.begin(name)
        workspace.cached(name, 1, compute)
    workspace.begin("report")
    clock[0] += 3.0
    stages.end()


def test_a_first_start_tells_the_stages_and_that_no_time_is_known(tmp_path):
    told = Stages(NAMES, tmp_path, "0123").plan()
    assert told.startswith("3 stages: images, training, report; each training and search tells")


def test_stages_are_counted_as_they_begin(tmp_path, clock, capsys):
    run(tmp_path, clock)
    lines = [line for line in capsys.readouterr().out.splitlines() if "stage " in line]
    assert [line.partition("] ")[2] for line in lines] == [
        "stage 1 of 3: images",
        "stage 2 of 3: training; about 60 s so far",
        "stage 3 of 3: report; about 2 min so far",
    ]
    assert [line.count("#") for line in lines] == [0, 6, 13]


def test_a_second_start_tells_what_is_stored_and_how_long_the_rest_takes(tmp_path, clock, capsys):
    run(tmp_path, clock)
    told = Stages(NAMES, tmp_path, "0123").plan()
    assert "images (stored), training (stored), report (about 3 s before)" in told
    assert told.endswith("about 13 s in all")  # two stages are read
    capsys.readouterr()
    run(tmp_path, clock)
    assert (
        "stage 2 of 3: training (stored); about 0 s so far, about 8 s ahead"
        in capsys.readouterr().out
    )


def test_a_stage_whose_folder_is_gone_takes_what_it_took(tmp_path, clock):
    run(tmp_path, clock, seconds=600.0)
    run(tmp_path, clock, seconds=600.0)  # reads
    folder = next(tmp_path.glob("training-*"))
    (folder / "arrays.npz").unlink()
    folder.rmdir()
    told = Stages(NAMES, tmp_path, "0123").plan()
    assert "training (about 10 min before)" in told
    assert told.endswith("about 10 min in all")


def test_another_configuration_and_a_damaged_file_know_nothing(tmp_path, clock):
    run(tmp_path, clock)
    assert "stored" not in Stages(NAMES, tmp_path, "4567").plan()
    next(tmp_path.glob(".stages-*")).write_text('{"images": 3}')
    assert "stored" not in Stages(NAMES, tmp_path, "0123").plan()


def test_every_experiment_begins_the_stages_that_it_tells():
    import inspect

    from experiments.fundus_vce import study as fundus
    from experiments.path_attribution import study as paths
    from experiments.progressive_exaggeration import study as progressive

    for study in (fundus, paths, progressive):
        source = inspect.getsource(study.run_study)
        begun = [line.split('"')[1] for line in source.splitlines() if "workspace.begin(" in line]
        assert tuple(begun) == study.STAGES
