"""``cfx train`` on two processes: they train one generator together, and the first writes it."""

from pathlib import Path

import cv2
import numpy as np
import pytest
from several_processes import ends, last_line, start_processes

MODEL = """
import jax.numpy as jnp

def two():
    def classify(image):
        value = 8 * (image[:, :4].mean() - image[:, 4:].mean())
        return jnp.stack([-value, value])
    return classify
"""
TRAIN = (
    *("--model", "own_model:two", "--images", "images", "--classes", "right", "left"),
    *("--config.filters", "2", "3", "--config.head-filters", "2", "--config.run.num-steps", "2"),
    *("--config.run.eval-batch-size", "8", "--config.run.evaluate-every", "2"),
    *("--config.run.checkpoint-every", "1", "--config.run.batch-size", "4"),
)
_LIMIT = 240.0


@pytest.fixture
def folder(tmp_path, monkeypatch):
    rng = np.random.default_rng(0)
    (tmp_path / "images").mkdir()
    for number in range(24):
        picture = rng.integers(60, 140, size=(8, 8), dtype=np.uint8)
        picture[:, :4] += np.uint8(40 * (number % 2))
        cv2.imwrite(str(tmp_path / f"images/{number:02}.png"), picture)
    (tmp_path / "own_model.py").write_text(MODEL)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def train(count, out, *more):
    command = ["-m", "trainers", "similar_adversarial", "--out", out, *TRAIN, *more]
    return ends(start_processes(command, count), seconds=_LIMIT)


def weights(folder):
    with np.load(Path(folder) / "generator.npz") as arrays:
        return {name: arrays[name].tobytes() for name in arrays.files}


@pytest.mark.slow
def test_two_processes_train_the_generator_of_one(folder):
    (alone,) = train(1, "alone")
    first, second = train(2, "both")
    assert (alone[0], first[0], second[0]) == (0, 0, 0), alone[2] + first[2] + second[2]
    assert weights("both") == weights("alone")
    said = [line for line in alone[1].splitlines() if "validation images" in line]
    assert said and said == [line for line in first[1].splitlines() if "validation" in line]
    assert not second[1] and not second[2]
    assert "stage 2 of 2" in first[2] and "a step takes" in first[2]


@pytest.mark.slow
def test_a_mistake_is_told_by_every_process_in_one_line(folder):
    for status, _, errors in train(2, "out", "--target", "up"):
        assert status == 2
        assert last_line(errors).startswith("cfx train: --target: expected one of right, left")
