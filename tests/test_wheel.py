"""The wheel: what an installed user has, who has no clone."""

import ast
import os
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

import cv2
import numpy as np
import pytest

ROOT = Path(__file__).parents[1]
MODEL = """
import jax.numpy as jnp

def classifier():
    def classify(image):
        value = 8 * (image[:, :4].mean() - image[:, 4:].mean())
        return jnp.stack([-value, value])
    return classify
"""
SHORT = (
    *("--config.filters", 2, 3, "--config.head-filters", 2, "--config.run.num-steps", 2),
    *("--config.run.batch-size", 4, "--config.run.eval-batch-size", 8),
    *("--config.run.evaluate-every", 2, "--config.run.checkpoint-every", 2),
)


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """An environment with the wheel, that sees the dependencies of this one."""
    pytest.importorskip("hatchling")
    folder = tmp_path_factory.mktemp("installed")
    pip = [sys.executable, "-m", "pip"]
    build = ["wheel", "--no-deps", "--no-build-isolation", "-w", folder / "wheels", ROOT]
    subprocess.run([*pip, *build], check=True, capture_output=True)
    venv.create(folder / "environment", with_pip=False)
    python = folder / "environment/bin/python"
    (wheel,) = (folder / "wheels").glob("*.whl")
    install = ["--python", python, "install", "--no-deps", "--no-index", wheel]
    subprocess.run([*pip, *install], check=True, capture_output=True)
    (packages,) = (folder / "environment/lib").glob("python*/site-packages")
    (packages / "others.pth").write_text(sysconfig.get_path("purelib"))
    return folder


def run(installed, *command):
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    return subprocess.run(
        [str(installed / "environment/bin" / command[0]), *map(str, command[1:])],
        cwd=installed,
        env=environment,
        capture_output=True,
        text=True,
    )


def test_trainers_import_each_other_by_relative_names():
    """The wheel ships them under another name."""
    for path in sorted((ROOT / "trainers").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and not node.level:
                assert (node.module or "").split(".")[0] != "trainers", path
            if isinstance(node, ast.Import):
                assert all(alias.name.split(".")[0] != "trainers" for alias in node.names), path


@pytest.mark.slow
def test_the_trainers_are_installed_under_a_name_of_their_own(installed):
    code = (
        "import cfx_jax, cfx_jax_trainers, importlib.util as util;"
        "print(cfx_jax.__file__, cfx_jax_trainers.__file__, util.find_spec('trainers'))"
    )
    printed = run(installed, "python", "-c", code).stdout.split()
    assert all(str(installed) in place for place in printed[:2])
    assert printed[2] == "None"


@pytest.mark.slow
def test_an_installed_user_trains_a_generator_and_explains_by_it(installed):
    rng = np.random.default_rng(0)
    (installed / "images").mkdir()
    for number in range(24):
        picture = rng.integers(60, 180, size=(8, 8), dtype=np.uint8)
        cv2.imwrite(str(installed / f"images/{number:02}.png"), picture)
    (installed / "own_model.py").write_text(MODEL)
    given = ("--model", "own_model:classifier", "--images", "images")
    trained = run(installed, "cfx", "train", "similar_adversarial", *given, "--out", "work", *SHORT)
    assert trained.returncode == 0, trained.stderr[-2000:]
    explained = run(
        installed, "cfx", "explain", *given, "--methods", "gradient", "--generator", "work"
    )
    assert explained.returncode == 0, explained.stderr[-2000:]
    page = (installed / "explanations/page.html").read_text(encoding="utf-8")
    assert "similar_adversarial" in page
    assert "train" in run(installed, "cfx", "--help").stdout
