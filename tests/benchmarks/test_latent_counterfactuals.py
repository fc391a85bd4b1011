"""The measurement of descent in a latent runs, agrees with itself, and names mistakes before
anything is compiled.
"""

import json

import pytest

from benchmarks import latent_counterfactuals
from cfx_jax.errors import InputError

SMALL = {
    "trunk": "resnet_small",
    "image_size": 32,
    "num_slices": 2,
    "width": 4,
    "batch_size": 2,
    "num_steps": 2,
    "repeats": 1,
}


@pytest.mark.slow
def test_the_cost_of_descent_is_a_ratio_to_its_gradients_alone(tmp_path):
    path = tmp_path / "latent.json"
    latent_counterfactuals.main(latent_counterfactuals.Config(**SMALL, output=str(path)))
    written = json.loads(path.read_text())
    rows = [dict(zip(written["columns"], row, strict=True)) for row in written["rows"]]
    assert [row["descent"] for row in rows] == ["plain", "proximal"]
    for row in rows:
        assert row["ratio"] == pytest.approx(row["seconds"] / row["gradients alone"])
        assert row["bound"] == 1.1


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"trunk": "resnet18"},
            "trunk: expected one of 'resnet50', 'resnet_small', got 'resnet18'",
        ),
        ({"num_steps": 0}, "num_steps: expected an integer of at least 1, got 0"),
        ({"batch_size": 0}, "batch_size: expected an integer of at least 1, got 0"),
        ({"repeats": 0}, "repeats: expected an integer of at least 1, got 0"),
    ],
)
def test_mistakes_are_named(options, message):
    with pytest.raises(InputError, match=message):
        latent_counterfactuals.main(latent_counterfactuals.Config(**(SMALL | options)))
