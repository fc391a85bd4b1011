"""Intersection over union by hand and by the formula for random maps."""

import numpy as np
import pytest

from cfx_jax.errors import InputError
from cfx_jax.metrics import intersection_over_union


def test_by_hand():
    predicted = np.asarray([[1, 1, 0, 0]], bool)
    truth = np.asarray([[0, 1, 1, 0]], bool)
    assert intersection_over_union(predicted, truth) == pytest.approx(1 / 3)
    assert intersection_over_union(truth, truth) == 1
    assert intersection_over_union(truth, ~truth) == 0


def test_empty_against_empty_is_undefined_and_against_something_zero():
    empty, full = np.zeros((2, 2), bool), np.ones((2, 2), bool)
    values = intersection_over_union(np.stack([empty, empty]), np.stack([empty, full]))
    assert np.isnan(values[0])
    assert values[1] == 0


def test_random_maps_score_as_chance_says():
    rng = np.random.default_rng(0)
    q, g = 0.04, 0.02
    values = intersection_over_union(rng.uniform(size=(50, 224, 224)) < q, rng.uniform(size=(50, 224, 224)) < g)
    assert values.mean() == pytest.approx(q * g / (q + g - q * g), rel=0.05)


def test_shapes_must_agree():
    with pytest.raises(InputError, match=r"expected the shape of truth \(2, 2\), got \(3, 2\)"):
        intersection_over_union(np.ones((3, 2)), np.ones((2, 2)))
