"""``cfx explain`` on two processes: each explains a shard, the first writes the page."""

import signal
import time
from pathlib import Path

import cv2
import numpy as np
import pytest
from several_processes import ends, last_line, start_processes

from cfx_jax.explain import load_explanations

MODEL = """
import jax.numpy as jnp

def classifier():
    def classify(image):
        value = 8 * (image[:4].mean() - image[4:].mean())
        return jnp.stack([-value, value])
    return classify
"""
SLOW_MODEL = """
import time
import jax, jax.numpy as jnp

def classifier():
    def wait(value):
        time.sleep(0.02)
        return value
    @jax.custom_jvp
    def slow(value):
        return jax.pure_callback(wait, value, value, vmap_method="sequential")
    @slow.defjvp
    def slope(values, tangents):
        return slow(*values), tangents[0]
    def classify(image):
        value = slow(8 * (image[:4].mean() - image[4:].mean()))
        return jnp.stack([-value, value])
    return classify
"""
EXPLAIN = [
    "-m",
    "cfx_jax.explain",
    "explain",
    "--model",
    "own_model:classifier",
    "--images",
    "images",
]


def draw_pictures(folder, numbers):
    rng = np.random.default_rng(0)
    for number in numbers:
        picture = rng.integers(60, 200, size=(8, 8, 3), dtype=np.uint8)
        cv2.imwrite(str(folder / f"{number}.png"), picture)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    (tmp_path / "images").mkdir()
    draw_pictures(tmp_path / "images", range(5))
    (tmp_path / "own_model.py").write_text(MODEL)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def start(out, count, *more, **options):
    chosen = ["--out", str(out), "--num-steps", "4", "--methods", "vce", "--batch-size", "2"]
    return start_processes([*EXPLAIN, *chosen, *more], count, **options)


def explain(out, count, *more):
    return ends(start(out, count, *more), seconds=240)


@pytest.mark.slow
def test_two_processes_explain_what_one_explains(folder):
    (one,) = explain("alone", 1)
    first, second = explain("both", 2)
    assert (one[0], first[0], second[0]) == (0, 0, 0), one[2] + first[2] + second[2]
    assert Path("both/page.html").is_file() and "Page: " in first[1] and "Page" not in second[1]
    alone, both = load_explanations("alone"), load_explanations("both")
    assert both.names == alone.names and len(both) == 5
    for expected, item in zip(alone, both, strict=True):
        np.testing.assert_allclose(item.logits, expected.logits, rtol=1e-5, atol=1e-6)
        np.testing.assert_allclose(
            item.pictures["vce"], expected.pictures["vce"], rtol=1e-4, atol=1e-5
        )
    assert "vce: a batch takes" in first[2] and "stage 3 of 3: page" in first[2]
    files = {path: path.stat().st_mtime_ns for path in Path("both/images").rglob("*.npz")}
    for status, _, errors in explain("both", 2):
        assert status == 0, errors
    assert files == {path: path.stat().st_mtime_ns for path in files} and len(files) == 5


@pytest.mark.slow
@pytest.mark.parametrize("killed", [0, 1])
def test_a_killed_process_ends_the_other_and_the_same_command_explains_the_rest(folder, killed):
    (folder / "own_model.py").write_text(SLOW_MODEL)
    # A result is written when the next ones are under way, so either process needs several images.
    draw_pictures(folder / "images", range(5, 13))
    slowly = ("--num-steps", "40", "--batch-size", "1")
    processes = start("both", 2, *slowly)
    until = time.monotonic() + 240
    while not list(Path("both").rglob("*.npz")) and time.monotonic() < until:
        time.sleep(0.05)
    processes[killed].send_signal(signal.SIGKILL)
    ((status, _, errors),) = ends([processes[1 - killed]], seconds=100)
    assert status == 75
    assert last_line(errors).startswith(f"stopped: process {killed} of 2 has not answered for 30 s")
    written = {path: path.stat().st_mtime_ns for path in Path("both").rglob("*.npz")}
    assert 0 < len(written) < 13 and not Path("both/page.html").exists()
    for status, _, errors in explain("both", 2, *slowly):
        assert status == 0, errors
    assert len(load_explanations("both")) == 13 and Path("both/page.html").is_file()
    assert written == {path: path.stat().st_mtime_ns for path in written}


@pytest.mark.slow
def test_a_shard_beside_several_processes_is_refused(folder):
    for status, _, errors in explain("out", 2, "--shard", "1/2"):
        assert status == 2
        assert last_line(errors).startswith("cfx: --shard: expected none with several processes")
