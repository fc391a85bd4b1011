"""The first experiment: where its results go, what it refuses; and, slow, a whole smoke run on both kinds of data."""

import dataclasses
import json
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from cfx_jax.errors import InputError
from experiments.fundus_vce.__main__ import main, results_folder
from experiments.fundus_vce.config import DEMO, PRESETS, SMOKE
from experiments.fundus_vce.data import load
from experiments.stages import Workspace

ROOT = Path(__file__).parents[2]


def write_folder(folder, *, classes=("sad", "glad"), count=40):
    rng = np.random.default_rng(0)
    for brightness, name in enumerate(classes):
        (folder / name).mkdir(parents=True)
        for number in range(count):
            image = rng.integers(0, 120, (32, 32)).astype(np.uint8) + np.uint8(60 * brightness)
            cv2.imwrite(str(folder / name / f"{number}.png"), image)
    return folder


def test_every_preset_knows_its_name():
    assert {name: config.preset for name, config in PRESETS.items()} == {name: name for name in PRESETS}


def test_results_of_other_settings_have_a_folder_of_their_own():
    changed = dataclasses.replace(DEMO, num_images=99)
    assert results_folder(DEMO) == Path("results/fundus_vce/demo")
    assert results_folder(dataclasses.replace(DEMO, work="elsewhere")) == Path("results/fundus_vce/demo")
    assert results_folder(changed) != results_folder(DEMO)
    assert results_folder(changed) == results_folder(changed)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"data": "retina"}, "--data: expected 'synthetic' or 'folder:PATH', got 'retina'"),
        ({"data": "folder:nowhere"}, "nowhere"),
        ({"channels": 1}, "the synthetic images have their own"),
        ({"test": 0.9}, "expected a sum below 1, got 1.3"),
    ],
)
def test_mistakes_are_named(tmp_path, change, message):
    with pytest.raises(InputError, match=message):
        load(dataclasses.replace(SMOKE, **change), Workspace(tmp_path))


def test_three_classes_need_a_choice(tmp_path):
    folder = write_folder(tmp_path / "images", classes=("a", "b", "c"), count=5)
    config = dataclasses.replace(SMOKE, data=f"folder:{folder}", channels=1)
    with pytest.raises(InputError, match=r"expected two classes, found 3 \(a, b, c\): choose two, e.g. --classes a b"):
        load(config, Workspace(tmp_path))


def test_parts_are_disjoint_and_keep_the_classes(tmp_path):
    data = load(SMOKE, Workspace(tmp_path))
    positions = np.concatenate(list(data.parts.values()))
    assert len(set(positions)) == len(positions) == SMOKE.num_images
    assert all(0.3 < data.part(name)["label"].mean() < 0.7 for name in data.parts)


@pytest.mark.slow
def test_smoke_run_on_a_folder_writes_everything_and_a_second_start_reads_it(tmp_path, capsys):
    folder = write_folder(tmp_path / "images")
    config = dataclasses.replace(
        SMOKE,
        data=f"folder:{folder}",
        classes=("sad", "glad"),
        channels=1,
        results=str(tmp_path / "r"),
        work=str(tmp_path / "w"),
    )
    main(config)
    written = {path.name for path in (tmp_path / "r").rglob("*") if path.is_file()}
    assert {"report.html", "claims.json", "config.json", "table_1_accuracy.csv", "animation_radius.gif"} <= written
    assert "table_2_overlap.csv" not in written
    (claims,) = (tmp_path / "r").rglob("claims.json")
    assert {each["verdict"] for each in json.loads(claims.read_text())["claims"]} <= {"holds", "fails", "undecided"}
    capsys.readouterr()
    main(config)
    assert "..." not in capsys.readouterr().out


@pytest.mark.slow
def test_the_command_line_runs_on_synthetic_images(tmp_path):
    command = [sys.executable, "-m", "experiments.fundus_vce", "--preset", "smoke"]
    done = subprocess.run(
        [*command, "--work", str(tmp_path / "w"), "--results", str(tmp_path / "r")],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "report.html" in done.stdout.splitlines()[-1]
    assert (tmp_path / "r" / "fundus_vce" / "smoke" / "table_2_overlap.csv").exists()
