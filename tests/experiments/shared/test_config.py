"""The numbers of a configuration: those of every preset are possible, impossible ones are named."""

import importlib
import math
from dataclasses import replace
from typing import Any

import pytest

from cfx_jax.checks import check_configuration
from cfx_jax.errors import InputError
from experiments.acat.config import Config as AcatConfig
from experiments.fundus_vce.config import Config as FundusConfig
from experiments.fundus_vce.config import ExplanationConfig, LocalisationConfig
from experiments.similar_adversarial.config import Config as PairConfig

EXPERIMENTS = (
    "acat",
    "fundus_vce",
    "path_attribution",
    "progressive_exaggeration",
    "similar_adversarial",
)


@pytest.mark.parametrize("experiment", EXPERIMENTS)
def test_every_preset_can_be_run(experiment: str) -> None:
    presets = importlib.import_module(f"experiments.{experiment}.presets").PRESETS
    for preset in presets.values():
        check_configuration(preset)


@pytest.mark.parametrize(
    ("config", "message"),
    [
        (FundusConfig(batch_size=0), "batch_size: .* at least 1, got 0"),
        (FundusConfig(test=1.5), "test: .* at most 1, got 1.5"),
        (AcatConfig(seeds=()), "seeds: expected at least one, got none"),
        (AcatConfig(shape=(11, 0, 128)), "shape: .* at least 1, got 0"),
        (
            PairConfig(percentiles=(90.0, 101.0)),
            "percentiles: .* at most 100, got 101",
        ),
    ],
)
def test_numbers_out_of_their_limits_are_named(config: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        check_configuration(config)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"norms": (0.5, 2.0, 4.0)}, "norms: expected a number of at least 1, got 0.5"),
        ({"norms": ()}, "norms: expected at least one, got none"),
        ({"norms": (2.0,)}, r"explanations\.radii: expected a radius above 0 for each of the 1"),
        ({"radii": (1.0, 0.0, 1.0)}, r"explanations\.radii: expected a radius above 0"),
        ({"sweep": (0.2, 0.1)}, r"explanations\.sweep: expected ascending radii above 0"),
        ({"sweep": (0.1, 0.1)}, r"explanations\.sweep: expected ascending radii above 0"),
        ({"sweep": (0.0, 0.1)}, r"explanations\.sweep: expected ascending radii above 0"),
        ({"num_studied": 1}, "num_studied: .* at least 2, got 1"),
    ],
)
def test_explanations_of_the_fundus_paper_need_a_radius_for_each_norm(
    change: dict[str, Any], message: str
) -> None:
    check_configuration(replace(ExplanationConfig(), norms=(1.0, math.inf, 2.0)))
    with pytest.raises(InputError, match=message):
        check_configuration(replace(ExplanationConfig(), **change))
    with pytest.raises(InputError, match=r"quantiles: .* at most 1, got 1.01"):
        check_configuration(LocalisationConfig(quantiles=(0.9, 1.01)))
