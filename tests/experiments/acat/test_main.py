"""Smoke runs of ACAT's experiment, and two steps at full size."""

import dataclasses
import json

import jax
import numpy as np
import pytest

from experiments.acat.__main__ import main
from experiments.acat.networks import (
    ACAT_NETWORK,
)
from experiments.acat.presets import PRESETS, SMOKE
from trainers import Inputs, count_steps, volume_classifier

RNG = np.random.default_rng(0)
PAPER = PRESETS["paper"]


@pytest.mark.slow
def test_a_smoke_run_of_heads_writes_everything_and_a_second_start_reads_it(smoke_run, capsys):
    run = smoke_run("acat", "--data", "stroke", "--training-sizes", "20")
    config = dataclasses.replace(
        SMOKE,
        data=("stroke",),
        training_sizes=(20,),
        results=str(run / "results"),
        work=str(run / "work"),
    )
    (folder,) = (run / "results" / "acat").iterdir()
    written = {path.name for path in folder.iterdir()}
    names = (
        "1_sizes",
        "2_accuracy",
        "3_variances",
        "4_training_sizes",
        "5_overlap",
        "7_sensitivity",
        "hits",
    )
    assert {f"table_{name}_stroke.csv" for name in names} <= written
    names = ("2_attention", "3_maps", "5_searches", "6_steps", "6_images", "7_counterfactuals")
    assert {f"figure_{name}_stroke.png" for name in names} | {
        "report.html",
        "claims.json",
    } <= written
    made = json.loads((folder / "claims.json").read_text())["claims"]
    assert {"accuracy, baseline (stroke)", "Figure 5, reached (stroke)"} <= {
        claim["id"] for claim in made
    }
    assert all("Synthetic" in claim["note"] for claim in made)
    assert all(claim["place"] for claim in made if claim["kind"] != "target")
    capsys.readouterr()
    main(config)
    assert "..." not in capsys.readouterr().out


@pytest.mark.slow
def test_a_smoke_run_of_chests_compares_maps_with_masks(tmp_path):
    work = {"results": str(tmp_path / "r"), "work": str(tmp_path / "w")}
    main(dataclasses.replace(SMOKE, data=("lung",), rows=(), **work))
    (folder,) = (tmp_path / "r" / "acat").iterdir()
    written = {path.name for path in folder.iterdir()}
    names = {"2_accuracy", "3_variances", "5_overlap", "7_sensitivity"}
    assert {f"table_{name}_lung.csv" for name in names} | {
        "figure_3_maps_lung.png",
        "report.html",
    } <= written
    made = json.loads((folder / "claims.json").read_text())["claims"]
    assert {"accuracy, baseline (lung)", "Figure 5, reached (lung)"} <= {
        claim["id"] for claim in made
    }


@pytest.mark.slow
def test_the_published_acat_takes_two_steps_at_full_size():
    config = dataclasses.replace(
        PAPER.from_baseline, saliency=True, num_slices=PAPER.shape[0], weighted=False
    )
    config = count_steps(config, num_images=298)
    factory = ACAT_NETWORK.factory("slice_resnet50", PAPER.shape)
    batch = {
        "image": RNG.random((config.run.batch_size, *PAPER.shape, 1), np.float32),
        "saliency": RNG.random((config.run.batch_size, *PAPER.shape, 1), np.float32),
        "label": np.arange(config.run.batch_size) % 2,
    }
    state = volume_classifier.init(jax.random.key(0), config, Inputs(model=factory))
    step = jax.jit(volume_classifier.make_step(config, Inputs(model=factory)))
    losses = []
    for number in range(2):
        state, metrics = step(state, jax.random.key(number), batch)
        losses.append(float(metrics["loss"]))
    assert np.isfinite(losses).all() and losses[0] != losses[1]
