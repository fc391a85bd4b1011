"""How processes find each other: the command line, SLURM, Open MPI."""

import pytest

from cfx_jax.errors import InputError
from cfx_jax.parallel import start, start_distributed, start_from_arguments

SLURM = {
    "SLURM_JOB_ID": "4097",
    "SLURM_STEP_NODELIST": "node[07-08]",
    "SLURM_PROCID": "1",
    "SLURM_LOCALID": "0",
}


@pytest.fixture(autouse=True)
def no_cluster(monkeypatch):
    for name in (*SLURM, "SLURM_NTASKS", "OMPI_COMM_WORLD_SIZE", "OMPI_COMM_WORLD_RANK"):
        monkeypatch.delenv(name, raising=False)


def slurm(monkeypatch, tasks):
    for name, value in {**SLURM, "SLURM_NTASKS": str(tasks)}.items():
        monkeypatch.setenv(name, value)


def test_other_arguments_are_given_back_and_one_process_is_alone():
    rest = ["--preset", "demo", "--distributed.num-processes", "1", "--seed=3"]
    assert start_from_arguments(rest) == ["--preset", "demo", "--seed=3"]
    assert start_from_arguments(["--dist", "x"]) == ["--dist", "x"]


def test_a_number_that_is_none_is_one_line():
    with pytest.raises(InputError, match=r"--distributed\.index: invalid int value: 'one'"):
        start_from_arguments(["--distributed.index", "one"])


def test_arguments_that_are_missing_are_named():
    with pytest.raises(InputError, match=r"coordinator HOST:PORT, number and index of processes"):
        start_from_arguments(["--distributed.num-processes", "2", "--distributed.index", "0"])
    with pytest.raises(InputError, match=r"index: expected a process in 0\.\.1, got 2"):
        start_distributed(coordinator="localhost:1234", num_processes=2, index=2)


def test_slurm_is_found_where_there_are_several_tasks(monkeypatch):
    assert not start._is_in_cluster()
    slurm(monkeypatch, 1)
    assert not start._is_in_cluster()
    slurm(monkeypatch, 2)
    assert start._is_in_cluster()
    place = start._find_place(None, None, None)
    assert place.coordinator.startswith("node07:")
    assert (place.num_processes, place.process) == (2, 1)


def test_a_batch_script_outside_of_srun_is_alone(monkeypatch):
    slurm(monkeypatch, 4)
    monkeypatch.delenv("SLURM_STEP_NODELIST")
    assert not start._is_in_cluster()


def test_open_mpi_names_its_processes_where_the_coordinator_is_given(monkeypatch):
    monkeypatch.setenv("OMPI_COMM_WORLD_SIZE", "4")
    monkeypatch.setenv("OMPI_COMM_WORLD_RANK", "3")
    assert start._find_place("host0:4321", None, None) == ("host0:4321", 4, 3)
