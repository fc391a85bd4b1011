"""Smoke runs of experiments, each made once for all tests that look at it."""

import fcntl
import os
from pathlib import Path

import pytest
from several_processes import ends, start_experiment


@pytest.fixture(scope="session")
def smoke_run(tmp_path_factory):
    """Runs ``experiments.NAME --preset smoke OPTIONS``, on two devices of one process of its own.

    Gives the folder with its ``results`` and its ``work``. A run that another test has made is
    given again, also one of another worker of pytest-xdist.
    """
    base = tmp_path_factory.getbasetemp()
    place = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base

    def run(name: str, *options: str) -> Path:
        folder = place / "smoke_runs" / name
        folder.mkdir(parents=True, exist_ok=True)
        with (folder / "one_at_a_time").open("w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            if not (folder / "results").exists():
                ((status, _, errors),) = ends(
                    start_experiment(name, folder, 1, *options), seconds=3600
                )
                assert status == 0, errors[-3000:]
        return folder

    return run
