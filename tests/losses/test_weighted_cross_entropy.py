"""Weighted cross-entropy against a computation by hand in float64."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from cfx_jax.errors import InputError
from cfx_jax.losses import weighted_cross_entropy

LOGITS = np.random.default_rng(0).normal(size=(6, 3)).astype(np.float32)
LABELS = np.array([0, 2, 1, 1, 0, 2])
WEIGHTS = np.array([0.4, 1.0, 0.6, 0.0, 3.0, 0.1], np.float32)


def terms(logits=LOGITS):
    logits = np.float64(logits)
    return np.logaddexp.reduce(logits, axis=1) - logits[np.arange(6), LABELS]


def test_terms_are_weighted_and_divided_by_the_sum_of_weights():
    expected = (WEIGHTS * terms()).sum() / WEIGHTS.sum()
    assert float(weighted_cross_entropy(LOGITS, LABELS, WEIGHTS)) == pytest.approx(
        expected, rel=1e-5
    )


def test_a_common_factor_plays_no_part_and_equal_weights_give_the_mean():
    ours = weighted_cross_entropy(LOGITS, LABELS, 7 * WEIGHTS)
    np.testing.assert_allclose(ours, weighted_cross_entropy(LOGITS, LABELS, WEIGHTS), rtol=1e-6)
    np.testing.assert_allclose(
        weighted_cross_entropy(LOGITS, LABELS, np.full(6, 2.0)), terms().mean(), rtol=1e-5
    )


def test_without_any_weight_loss_and_gradient_are_zero():
    loss, slope = jax.value_and_grad(weighted_cross_entropy)(
        jnp.asarray(LOGITS), jnp.asarray(LABELS), jnp.zeros(6)
    )
    assert loss == 0 and (slope == 0).all()


def test_logits_beyond_any_probability_have_their_distances_as_terms():
    expected = (WEIGHTS * terms(1e4 * LOGITS)).sum() / WEIGHTS.sum()
    assert float(weighted_cross_entropy(1e4 * LOGITS, LABELS, WEIGHTS)) == pytest.approx(
        expected, rel=1e-5
    )


def test_another_number_of_weights_is_refused():
    with pytest.raises(
        InputError, match=r"weights: expected one for each of the 6 images, got shape \(3,\)"
    ):
        weighted_cross_entropy(LOGITS, LABELS, np.ones(3))
