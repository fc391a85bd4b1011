"""Processes know each other, and a child ends when its parent is gone."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from cfx_jax import processes
from cfx_jax.processes import Process, is_gone, this_process

PARENT = """
import os, time
from experiments.shared import synthetic_images

class Slow:
    class_names = ("a",)
    def __init__(self, folder): self.folder = folder
    def __len__(self): return 4
    def __getitem__(self, index):
        open(f"{self.folder}/{os.getpid()}", "w").close()
        time.sleep(0 if index == 0 else 120)
        return {"image": index}

if __name__ == "__main__":
    import sys
    synthetic_images._AT_ONCE = 1
    synthetic_images.draw_fields(Slow, {"folder": sys.argv[1]}, ("image",))
"""


@pytest.mark.slow
def test_processes_that_draw_images_end_with_a_parent_that_is_killed(tmp_path: Path) -> None:
    script, pids = tmp_path / "parent.py", tmp_path / "pids"
    pids.mkdir()
    script.write_text(PARENT)
    environment = {**os.environ, "PYTHONPATH": os.getcwd()}
    parent = subprocess.Popen(
        [sys.executable, str(script), str(pids)], env=environment, stderr=subprocess.DEVNULL
    )
    wanted = min(4, os.cpu_count() or 1)
    until = time.monotonic() + 60
    while len(list(pids.iterdir())) < wanted and time.monotonic() < until:
        time.sleep(0.05)
    children = [
        Process(this_process().host, int(path.name), processes._life(int(path.name)) or "")
        for path in pids.iterdir()
    ]
    assert len(children) == wanted and not any(map(is_gone, children))
    parent.kill()
    parent.wait()
    until = time.monotonic() + 20
    while not all(map(is_gone, children)) and time.monotonic() < until:
        time.sleep(0.05)
    assert all(map(is_gone, children))


def test_a_process_is_told_from_its_like() -> None:
    own = this_process()
    assert own.pid == os.getpid() and not is_gone(own)
    ended = subprocess.Popen([sys.executable, "-c", ""])
    there = own._replace(pid=ended.pid)
    ended.wait()
    assert is_gone(there)
    assert not is_gone(there._replace(host="elsewhere"))
    assert is_gone(own._replace(pid=2**40))
    if own.life:
        assert is_gone(own._replace(life="0" * 10))
