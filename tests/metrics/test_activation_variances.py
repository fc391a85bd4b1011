"""Variances of layers against NumPy on all images at once."""

import numpy as np
import pytest

from cfx_jax.errors import InputError
from cfx_jax.metrics import pre_activation_variances

RNG = np.random.default_rng(0)
LAYERS = {
    "conv 1": 1e4 + RNG.normal(size=(20, 4, 4, 3)).astype(np.float32),
    "conv 2": 3 * RNG.normal(size=(20, 8)) + np.arange(8),
}


def cut(*ends):
    return [
        {name: values[a:b] for name, values in LAYERS.items()}
        for a, b in zip((0, *ends), (*ends, 20), strict=True)
    ]


@pytest.mark.parametrize("ends", [(), (10,), (1, 2, 19), (7, 8)])
def test_variances_are_those_of_all_images_at_once(ends):
    found = pre_activation_variances(iter(cut(*ends)))
    assert list(found) == list(LAYERS)
    for name, values in LAYERS.items():
        assert found[name] == pytest.approx(values.astype(float).var(axis=0).mean(), rel=1e-10)


def test_a_spread_over_units_is_none_over_images():
    assert pre_activation_variances([{"conv": np.tile(np.arange(5.0), (3, 1))}]) == {"conv": 0}


def test_layers_may_come_in_any_order():
    first, second = cut(9)
    assert pre_activation_variances(
        [first, dict(reversed(second.items()))]
    ) == pre_activation_variances([first, second])


def test_by_hand():
    assert pre_activation_variances([{"conv": np.asarray([[0.0, 1.0], [2.0, 1.0]])}]) == {
        "conv": 0.5
    }


def test_what_cannot_be_merged_is_refused():
    one = {"a": np.ones((2, 3))}
    with pytest.raises(InputError, match="batches: expected the layers a in each, got a, b"):
        pre_activation_variances([one, {**one, "b": np.ones((2, 3))}])
    with pytest.raises(
        InputError, match=r"a: expected the units \(3,\) of the first batch, got \(4,\)"
    ):
        pre_activation_variances([one, {"a": np.ones((2, 4))}])
    with pytest.raises(InputError, match="a: expected finite values, got NaN or infinity"):
        pre_activation_variances([{"a": np.full((2, 3), np.inf)}])
    with pytest.raises(
        InputError, match=r"a: expected values \(n, ...\) of at least one image, got shape \(0, 3\)"
    ):
        pre_activation_variances([{"a": np.ones((0, 3))}])
    with pytest.raises(InputError, match="at least two images, got 1: variance needs a spread"):
        pre_activation_variances([{"a": np.ones((1, 3))}])
    with pytest.raises(InputError, match="at least two images, got 0"):
        pre_activation_variances([])
