"""The measurements run, agree with themselves, and name mistakes before anything is compiled."""

import json
import time

import jax.numpy as jnp
import pytest
from jax.tree_util import Partial

from benchmarks import (
    eager_growth,
    generator_explanations,
    measure,
    optimiser_overhead,
    paper_training_step,
    vce_throughput,
)
from cfx_jax.errors import InputError

SMALL = {"model": "resnet_small", "image_size": 32}


def figures(module, path, **options):
    """The rows that a benchmark writes, as dictionaries by column."""
    module.main(module.Config(**SMALL, **options, output=str(path)))
    written = json.loads(path.read_text())
    assert written["config"]["model"] == "resnet_small" and written["device"]
    return [dict(zip(written["columns"], row, strict=True)) for row in written["rows"]]


@pytest.mark.slow
def test_training_steps_are_timed_and_extrapolated_to_the_papers_epochs(tmp_path):
    options = {"batch_size": 8, "attack_steps": 1, "num_steps": 2}
    rows = figures(paper_training_step, tmp_path / "steps.json", **options)
    assert [row["training"] for row in rows] == ["plain", "trades"]
    for row in rows:
        assert row["images per second"] == pytest.approx(8 / row["seconds per step"])
        assert row["hours"] == pytest.approx(500 * 395 * 128 / row["images per second"] / 3600)
        assert 0.05 < row["peak GiB"] < 64 and row["compile seconds"] > 0
    assert rows[0]["peak GiB"] <= rows[1]["peak GiB"]


@pytest.mark.slow
def test_throughput_is_that_of_all_steps_and_its_shares_add_up(tmp_path):
    options = {"batch_size": 2, "norms": (2.0, 4.0), "share": 0.04, "repeats": 1}
    rows = figures(vce_throughput, tmp_path / "vce.json", **options)
    assert [row["norm"] for row in rows] == ["l2", "l4"]
    for row in rows:
        assert row["images per second"] == pytest.approx(2 / (76 * row["seconds per step"]))
        inside = row["model alone"] / row["seconds per step"]
        assert row["share outside the model"] == pytest.approx(1 - inside)


@pytest.mark.slow
def test_optimisers_cost_is_a_ratio_to_the_gradients_alone(tmp_path):
    (row,) = figures(
        optimiser_overhead, tmp_path / "own.json", num_images=2, norms=(2.0,), share=0.03
    )
    assert row["run"] == "APGD-3 l2"
    assert row["ratio"] == pytest.approx(row["seconds"] / row["gradients alone"])


@pytest.mark.slow
def test_explanations_by_generators_are_ratios_to_their_passes(tmp_path):
    options = {"filters": (2, 3), "batch_size": 2, "num_steps": 3, "repeats": 1}
    rows = figures(generator_explanations, tmp_path / "generators.json", **options)
    assert len(rows) == 5 and {row["bound"] for row in rows} == {1.1, 1.15}
    for row in rows:
        assert row["ratio"] == pytest.approx(row["seconds"] / row["its passes alone"])


@pytest.mark.parametrize(
    ("module", "options", "message"),
    [
        (
            paper_training_step,
            {"trainings": ("plan",)},
            "trainings: expected one of 'plain', 'trades', got 'plan'",
        ),
        (
            paper_training_step,
            {"batch_size": 0},
            "batch_size: expected a multiple of [0-9]+ devices, got 0",
        ),
        (
            paper_training_step,
            {"num_steps": 0},
            "num_steps: expected an integer of at least 1, got 0",
        ),
        (
            generator_explanations,
            {"batch_size": 0},
            "batch_size: expected an integer of at least 1, got 0",
        ),
        (
            generator_explanations,
            {"num_steps": 0},
            "num_steps: expected an integer of at least 1, got 0",
        ),
        (vce_throughput, {"norms": (3.0,)}, r"norms: expected one of 1\.5, 2\.0, 4\.0, got 3\.0"),
        (
            vce_throughput,
            {"share": 0.0},
            r"share: expected a share of the steps in \(0, 1\], got 0\.0",
        ),
    ],
)
def test_mistakes_are_named(module, options, message):
    with pytest.raises(InputError, match=message):
        module.main(module.Config(**SMALL, **options))


def test_seconds_are_those_of_the_clock():
    assert 0.05 <= measure.seconds(lambda: time.sleep(0.05)) < 1


def test_gradient_is_that_of_the_negative_log_probability():
    """Logits (0, s) with s the image's sum: -log p(1) = softplus(-s), whose derivative is
    -sigmoid(-s).
    """
    image = jnp.full((1, 2, 2, 1), 0.1)
    value, slope = measure.value_and_gradient(
        Partial(lambda x: jnp.stack([0.0, x.sum()])), image, jnp.asarray([1])
    )
    assert float(value[0]) == pytest.approx(float(jnp.log1p(jnp.exp(-0.4))), rel=1e-5)
    assert jnp.allclose(slope, -1 / (1 + jnp.exp(0.4)), rtol=1e-5)


def test_eager_calls_leave_nothing_behind(tmp_path):
    path = tmp_path / "growth.json"
    eager_growth.main(eager_growth.Config(methods=("random_map",), calls=3, output=str(path)))
    (row,) = json.loads(path.read_text())["rows"]
    assert row[:2] == ["random_map", 0]
    with pytest.raises(InputError, match="methods: expected one of"):
        eager_growth.main(eager_growth.Config(methods=("none",)))
