"""``cfx explain`` on two processes: each explains a shard, the first writes the page."""

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
EXPLAIN = [
    "-m",
    "cfx_jax.explain",
    "explain",
    "--model",
    "own_model:classifier",
    "--images",
    "images",
]


@pytest.fixture
def folder(tmp_path, monkeypatch):
    rng = np.random.default_rng(0)
    (tmp_path / "images").mkdir()
    for number in range(5):
        picture = rng.integers(60, 200, size=(8, 8, 3), dtype=np.uint8)
        cv2.imwrite(str(tmp_path / "images" / f"{number}.png"), picture)
    (tmp_path / "own_model.py").write_text(MODEL)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def explain(out, count, *more):
    options = ["--out", str(out), "--num-steps", "4", "--methods", "vce", "--batch-size", "2"]
    return ends(start_processes([*EXPLAIN, *options, *more], count), seconds=240)


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
    first, second = explain("both", 2)
    assert (first[0], second[0]) == (2, 2) or first[0] == 0


@pytest.mark.slow
def test_a_shard_beside_several_processes_is_refused(folder):
    for status, _, errors in explain("out", 2, "--shard", "1/2"):
        assert status == 2
        assert last_line(errors).startswith("cfx: --shard: expected none with several processes")
