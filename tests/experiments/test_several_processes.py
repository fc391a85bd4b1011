"""Every experiment on several processes of one host: the results of one process, also after a stop.

Two processes with one device each add in the order of one process with two: they give its bits.
Four add in another order, which a training enlarges: they give its verdicts.
"""

import json
import signal
import time

import numpy as np
import pytest
from several_processes import ends, last_line, start_experiment

RUNS = {
    "acat": ("--data", "stroke", "--training-sizes", "20"),
    "fundus_vce": (),
    "path_attribution": (),
    "progressive_exaggeration": (),
    "similar_adversarial": (),
}
KILLED_AFTER = {"fundus_vce": "work/fundus_vce/plain-*/checkpoints/step_*"}
"""What an experiment has written when one of its processes is killed."""
MEASURED_TIMES = ("timings",)
CLAIMS_OF_TIMES = ("16c ",)
_LIMIT = 3600.0


def claims_of(folder):
    """The claims of the run in a folder by name, as ``claims.json`` has them, but for times."""
    (path,) = folder.glob("results/*/*/claims.json")
    claims = json.loads(path.read_text())["claims"]
    return {claim["id"]: claim for claim in claims if not claim["id"].startswith(CLAIMS_OF_TIMES)}


def arrays_of(folder):
    """The bytes of all arrays that stages of a run have stored, but for times, by file and name."""
    arrays = {}
    for path in (folder / "work").rglob("*.npz"):
        with np.load(path) as file:
            stored = {name: file[name].tobytes() for name in file.files}
        name = str(path.relative_to(folder))
        arrays |= {(name, key): stored[key] for key in stored if key not in MEASURED_TIMES}
    for path in [*(folder / "work").rglob("*.npy"), *(folder / "work").rglob("metrics.jsonl")]:
        arrays[str(path.relative_to(folder)), ""] = path.read_bytes()
    return arrays


def kill_one(name, folder, options, written):
    """Starts an experiment on two processes, and kills the second once a file is written."""
    processes = start_experiment(name, folder, 2, *options)
    until = time.monotonic() + _LIMIT
    while not list(folder.glob(written)) and time.monotonic() < until:
        assert processes[1].poll() is None, processes[1].communicate()[1][-3000:]
        time.sleep(0.1)
    processes[1].send_signal(signal.SIGKILL)
    ((status, _, errors),) = ends(processes[:1], seconds=120)
    assert status == 75
    assert last_line(errors).startswith("stopped: process 1 of 2 has not answered for 30 s")


def marked(name):
    """The quickest experiment is a slow test, the others are long ones."""
    is_quickest = name == "similar_adversarial"
    return pytest.param(name, marks=pytest.mark.slow if is_quickest else pytest.mark.long)


@pytest.mark.parametrize("name", [marked(name) for name in RUNS])
def test_two_processes_give_the_bits_of_one(tmp_path, smoke_run, name):
    one = smoke_run(name, *RUNS[name])
    if name in KILLED_AFTER:
        kill_one(name, tmp_path, RUNS[name], KILLED_AFTER[name])
    for status, _, errors in ends(start_experiment(name, tmp_path, 2, *RUNS[name]), seconds=_LIMIT):
        assert status == 0, errors[-3000:]
    expected, arrays = arrays_of(one), arrays_of(tmp_path)
    assert arrays.keys() == expected.keys() and len(arrays) > 10
    assert [place for place in arrays if arrays[place] != expected[place]] == []
    assert claims_of(tmp_path) == claims_of(one)


@pytest.mark.long
def test_four_processes_give_the_verdicts_of_one(tmp_path, smoke_run):
    one = claims_of(smoke_run("fundus_vce"))
    for status, _, errors in ends(start_experiment("fundus_vce", tmp_path, 4), seconds=_LIMIT):
        assert status == 0, errors[-3000:]
    four = claims_of(tmp_path)
    assert {name: claim["verdict"] for name, claim in four.items()} == {
        name: claim["verdict"] for name, claim in one.items()
    }
