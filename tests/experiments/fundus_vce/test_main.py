"""The first experiment: where its results go, what it refuses; and, slow, whole smoke runs on each
kind of data.
"""

import dataclasses
import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from image_folders import write_folder

from cfx_jax.errors import InputError
from experiments.fundus_vce.__main__ import main
from experiments.fundus_vce.data import load_sources, split_data
from experiments.fundus_vce.presets import DEMO, PRESETS, SMOKE
from experiments.shared import Workspace, results_folder

ROOT = Path(__file__).parents[3]
NO_FILTER = dataclasses.replace(SMOKE, quality=dataclasses.replace(SMOKE.quality, num_members=0))


def test_every_preset_knows_its_name():
    assert {name: config.preset for name, config in PRESETS.items()} == {
        name: name for name in PRESETS
    }


def test_results_of_other_settings_have_a_folder_of_their_own():
    changed = dataclasses.replace(DEMO, seed=99)
    assert results_folder("fundus_vce", DEMO, PRESETS) == Path("results/fundus_vce/demo")
    assert results_folder(
        "fundus_vce", dataclasses.replace(DEMO, work="elsewhere"), PRESETS
    ) == Path("results/fundus_vce/demo")
    assert results_folder("fundus_vce", changed, PRESETS) != results_folder(
        "fundus_vce", DEMO, PRESETS
    )
    assert results_folder("fundus_vce", changed, PRESETS) == results_folder(
        "fundus_vce", changed, PRESETS
    )


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"data": "retina"},
            "--data: expected 'synthetic', 'folder:PATH', 'csv:PATH' or 'fundus:PATH', got"
            " 'retina'",
        ),
        ({"data": "folder:nowhere"}, "nowhere"),
        (
            {"data": "fundus:nowhere"},
            "expected the folder that holds kaggle, messidor, ..., 'nowhere' is none",
        ),
        ({"channels": 1}, "the synthetic images have their own"),
    ],
)
def test_data_that_cannot_be_used_is_named(tmp_path, change, message):
    with pytest.raises(InputError, match=message):
        load_sources(dataclasses.replace(SMOKE, **change), Workspace(tmp_path))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"test": 0.9}, "expected a sum below 1, got 1.3"),
        (
            {"localisation": dataclasses.replace(SMOKE.localisation, num_tuning=9, num_scored=0)},
            "--localisation.num-tuning: expected at least two images left to score, 9 images with"
            " lesions are there",
        ),
    ],
)
def test_splits_that_cannot_be_made_are_named(tmp_path, change, message):
    config = dataclasses.replace(NO_FILTER, **change)
    with pytest.raises(InputError, match=message):
        split_data(config, load_sources(config, Workspace(tmp_path)), None)


def test_a_part_with_one_class_only_is_named(tmp_path):
    folder = write_folder(tmp_path / "images", count=12)
    for path in list((folder / "glad").iterdir())[2:]:
        path.unlink()
    config = dataclasses.replace(NO_FILTER, data=f"folder:{folder}", channels=1)
    sources = load_sources(config, Workspace(tmp_path))
    with pytest.raises(
        InputError, match=r"part has \d+ images and none of class glad: give more images"
    ):
        split_data(config, sources, None)


def test_three_classes_need_a_choice(tmp_path):
    folder = write_folder(tmp_path / "images", classes=("a", "b", "c"), count=5)
    config = dataclasses.replace(SMOKE, data=f"folder:{folder}", channels=1)
    with pytest.raises(
        InputError,
        match=r"expected two classes, found 3 \(a, b, c\): choose two, or merge some, e\.g\."
        r" --classes a b\+c=other",
    ):
        load_sources(config, Workspace(tmp_path))


def test_other_images_in_the_same_files_are_other_data(tmp_path):
    folder = write_folder(tmp_path / "images", count=5)
    config = dataclasses.replace(SMOKE, data=f"folder:{folder}", channels=1)
    before = load_sources(config, Workspace(tmp_path)).identity
    assert load_sources(config, Workspace(tmp_path)).identity == before
    cv2.imwrite(str(folder / "glad" / "3.png"), np.zeros((32, 32), np.uint8))
    assert load_sources(config, Workspace(tmp_path)).identity != before


def test_parts_are_disjoint_and_keep_the_classes(tmp_path):
    data = split_data(NO_FILTER, load_sources(NO_FILTER, Workspace(tmp_path)), None)
    parts = (data.train, data.validation, data.temperature, data.test)
    positions = np.concatenate([part.indices for part in parts])
    assert len(set(positions)) == len(positions) == SMOKE.synthetic.num_images
    assert all(0.3 < part.labels.mean() < 0.7 for part in parts)


def test_images_with_lesions_have_lesions_and_the_finding(tmp_path):
    lesions = split_data(NO_FILTER, load_sources(NO_FILTER, Workspace(tmp_path)), None).lesions
    assert len(lesions) == SMOKE.localisation.num_tuning + SMOKE.localisation.num_scored
    assert (lesions.labels == 1).all() and lesions.arrays["lesion_mask"].any((1, 2)).all()


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
    assert {
        "report.html",
        "claims.json",
        "config.json",
        "table_1_accuracy_test.csv",
        "animation_radius.gif",
    } <= written
    assert not {"table_2_overlap.csv", "table_quality.csv"} & written
    (claims,) = (tmp_path / "r").rglob("claims.json")
    found = {each["id"]: each for each in json.loads(claims.read_text())["claims"]}
    assert all((each["kind"], each["paper"]) == ("target", {}) for each in found.values())
    rows = [
        line.split(",")
        for line in (claims.parent / "table_1_accuracy_test.csv").read_text().splitlines()
    ]
    right = {
        row[0]: float(row[1].split()[0])
        for row in rows[1:]
        if row[0] in ("plain", "robust", "ensemble")
    }
    assert found["3a"]["ours"] == pytest.approx(
        {each: right[each] for each in ("plain", "robust")}, abs=1e-3
    )
    assert found["6a"]["verdict"] == "undecided"  # of four images
    page = (claims.parent / "report.html").read_text()
    assert "sad and glad" in page and "<td>paper: " not in page and "retina" not in page
    assert " UTC; " in page and "JAX" in page
    capsys.readouterr()
    main(config)
    assert "..." not in capsys.readouterr().out


@pytest.mark.slow
def test_the_command_line_runs_on_synthetic_images(smoke_run):
    folder = smoke_run("fundus_vce") / "results" / "fundus_vce" / "smoke"
    written = {path.name for path in folder.iterdir()}
    assert {
        "table_quality.csv",
        "table_1_accuracy_external.csv",
        "table_2_overlap.csv",
        "table_tuning.csv",
    } <= written
    assert {"figure_1_maps.png", "figure_1_counterfactuals.png", "figure_confidence.png"} <= written
    assert any(f"figure_{number}.png" in written for number in range(2, 8))
    ids = {each["id"][0] for each in json.loads((folder / "claims.json").read_text())["claims"]}
    assert ids == set("123456789")
