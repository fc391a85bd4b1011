"""The first experiment on photographs in the published layouts of its data sets, from the files to
the report.
"""

import dataclasses
import json

import numpy as np
import pytest
from fundus_layouts import (
    photograph,
    write_deepdrid,
    write_idrid,
    write_image,
    write_kaggle,
    write_messidor,
)

from cfx_jax.errors import InputError
from experiments.fundus_vce.__main__ import main
from experiments.fundus_vce.config import LocalisationConfig
from experiments.fundus_vce.data import load_sources
from experiments.fundus_vce.presets import SMOKE
from experiments.shared import Workspace

EYES = [photograph(index) for index in range(12)]


def write_eye(path, *, number=None):
    number = sum(map(ord, path.stem)) if number is None else number
    write_image(path, EYES[number % len(EYES)])


def write_lesion(path):
    mask = np.zeros(EYES[0].shape[:2], np.uint8)
    mask[140:160, 180:200] = 255
    write_image(path, mask)


def write_sets(folder):
    rng = np.random.default_rng(0)
    grades = {
        f"{number}_{side}": int(rng.integers(0, 5))
        for number in range(40)
        for side in ("left", "right")
    }
    write_kaggle(folder / "kaggle", grades, write=write_eye)
    bases = {"Base11": {f"2005{number}.tif": number % 4 for number in range(10)}}
    write_messidor(folder / "messidor", bases, write=write_eye)
    kinds = ("microaneurysms", "haemorrhages", "hard_exudates", "soft_exudates")
    lesions = dict.fromkeys((1, 2, 3, 55, 56, 57, 58), kinds)
    write_idrid(folder / "idrid", lesions, write=write_eye, write_mask=write_lesion)
    rows = {
        f"{patient}_l1": rf"{patient},{patient}_l1,\a\{patient}_l1.jpg,{patient % 2},0,,0,8,8,0"
        for patient in range(24)
    }
    write_deepdrid(
        folder / "deepdrid", rows, {"99_l1": r"99,99_l1,\a\99_l1.jpg,1,0,,0,8,8,0"}, write=write_eye
    )
    return folder


def small(folder, tmp_path):
    quality = dataclasses.replace(SMOKE.quality, num_members=1)
    return dataclasses.replace(
        SMOKE,
        data=f"fundus:{folder}",
        augmentation="murat",
        quality=quality,
        localisation=LocalisationConfig(num_tuning=3, num_scored=4, radius_factors=(1.0,)),
        results=str(tmp_path / "r"),
        work=str(tmp_path / "w"),
    )


def test_an_empty_place_names_the_path_and_the_page(tmp_path):
    (tmp_path / "sets" / "kaggle").mkdir(parents=True)
    with pytest.raises(InputError, match=r"kaggle.*https://www\.kaggle\.com"):
        load_sources(small(tmp_path / "sets", tmp_path), Workspace(tmp_path / "w"))


def test_sets_that_are_not_there_are_said_to_be_left_out(tmp_path, capsys):
    write_kaggle(
        tmp_path / "sets" / "kaggle", {f"{n}_left": n % 3 for n in range(6)}, write=write_eye
    )
    sources = load_sources(small(tmp_path / "sets", tmp_path), Workspace(tmp_path / "w"))
    assert sources.external is sources.lesions is sources.quality is None
    assert capsys.readouterr().out.count("its tables are left out") == 3
    assert len(sources.main) == 4  # grade 1 is dropped
    assert "kaggle 0" in sources.note


@pytest.mark.slow
def test_all_four_sets_reach_the_report(tmp_path):
    config = small(write_sets(tmp_path / "sets"), tmp_path)
    main(config)
    (claims,) = (tmp_path / "r").rglob("claims.json")
    document = json.loads(claims.read_text())
    assert "dropped: kaggle 0, messidor 0, idrid 0, deepdrid 0" in document["note"]
    assert any("(external)" in each["id"] for each in document["claims"])
    written = {path.name for path in claims.parent.iterdir()}
    assert {
        "table_2_overlap.csv",
        "table_1_accuracy_external.csv",
        "table_quality.csv",
        "report.html",
    } <= written
