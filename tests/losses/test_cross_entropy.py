import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.special import log_softmax

from cfx_jax.losses import cross_entropy


def test_equals_the_mean_negative_log_probability_of_scipy() -> None:
    rng = np.random.default_rng(0)
    logits, labels = rng.normal(size=(6, 4)) * 3, rng.integers(4, size=6)
    expected = -log_softmax(logits, axis=1)[np.arange(6), labels].mean()
    assert cross_entropy(jnp.asarray(logits, jnp.float32), jnp.asarray(labels)) == pytest.approx(expected, rel=1e-6)


def test_equal_logits_give_the_logarithm_of_the_number_of_classes() -> None:
    assert cross_entropy(jnp.zeros((2, 5)), jnp.array([0, 3])) == pytest.approx(np.log(5))


def test_gradient_is_softmax_minus_one_hot_over_the_batch_size() -> None:
    logits, labels = jnp.array([[1.0, 2.0, 0.5], [0.0, 0.0, 4.0]]), jnp.array([0, 2])
    expected = (jax.nn.softmax(logits) - jax.nn.one_hot(labels, 3)) / 2
    np.testing.assert_allclose(jax.grad(cross_entropy)(logits, labels), expected, atol=1e-7)


def test_is_finite_for_huge_logits() -> None:
    assert cross_entropy(jnp.array([[1e4, -1e4]]), jnp.array([1])) == pytest.approx(2e4)
