import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.special import log_softmax

from cfx_jax.errors import InputError
from cfx_jax.losses import cross_entropy, inverse_frequency


def test_equals_the_mean_negative_log_probability_of_scipy() -> None:
    rng = np.random.default_rng(0)
    logits, labels = rng.normal(size=(6, 4)) * 3, rng.integers(4, size=6)
    expected = -log_softmax(logits, axis=1)[np.arange(6), labels].mean()
    assert cross_entropy(jnp.asarray(logits, jnp.float32), jnp.asarray(labels)) == pytest.approx(
        expected, rel=1e-6
    )


def test_equal_logits_give_the_logarithm_of_the_number_of_classes() -> None:
    assert cross_entropy(jnp.zeros((2, 5)), jnp.array([0, 3])) == pytest.approx(np.log(5))


def test_gradient_is_softmax_minus_one_hot_over_the_batch_size() -> None:
    logits, labels = jnp.array([[1.0, 2.0, 0.5], [0.0, 0.0, 4.0]]), jnp.array([0, 2])
    expected = (jax.nn.softmax(logits) - jax.nn.one_hot(labels, 3)) / 2
    np.testing.assert_allclose(jax.grad(cross_entropy)(logits, labels), expected, atol=1e-7)


def test_is_finite_for_huge_logits() -> None:
    assert cross_entropy(jnp.array([[1e4, -1e4]]), jnp.array([1])) == pytest.approx(2e4)


def test_class_weights_multiply_the_terms_and_the_mean_stays_over_images() -> None:
    logits, labels = jnp.array([[1.0, 2.0], [0.0, 0.5], [3.0, 1.0]]), jnp.array([0, 1, 1])
    terms = -log_softmax(np.asarray(logits), axis=1)[np.arange(3), labels]
    found = cross_entropy(logits, labels, class_weights=np.array([2.0, 0.5]))
    assert found == pytest.approx((2 * terms[0] + 0.5 * terms[1] + 0.5 * terms[2]) / 3, rel=1e-6)
    assert cross_entropy(logits, labels, class_weights=np.ones(2)) == cross_entropy(logits, labels)
    with pytest.raises(
        InputError, match=r"class_weights: expected one for each of the 2 classes, got shape \(3,\)"
    ):
        cross_entropy(logits, labels, class_weights=np.ones(3))


def test_inverse_frequency_is_that_of_scikit_learn() -> None:
    labels = np.random.default_rng(0).choice(3, size=50, p=[0.6, 0.3, 0.1])
    utils = pytest.importorskip("sklearn.utils.class_weight")
    expected = utils.compute_class_weight("balanced", classes=np.arange(3), y=labels)
    np.testing.assert_allclose(inverse_frequency(labels, 3), expected, rtol=1e-6)
    assert inverse_frequency(labels, 3)[labels].mean() == pytest.approx(1, rel=1e-6)


def test_a_class_without_images_has_no_weight() -> None:
    for labels in ([0, 0], [0, 1, 2]):
        with pytest.raises(
            InputError, match="labels: expected images of each of the 2 classes, got"
        ):
            inverse_frequency(np.array(labels), 2)
