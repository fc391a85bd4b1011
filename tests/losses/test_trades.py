import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.special import softmax
from scipy.stats import entropy

from cfx_jax.errors import InputError
from cfx_jax.losses import (
    cross_entropy,
    kl_divergence,
    log_trades_divergence,
    trades_divergence,
    trades_loss,
)


def _logits(seed: int, rows: int = 200, classes: int = 3, scale: float = 4.0) -> jax.Array:
    return scale * jax.random.normal(jax.random.key(seed), (rows, classes))


def test_divergence_equals_the_relative_entropy_of_scipy() -> None:
    p, q = _logits(0), _logits(1)
    expected = entropy(softmax(np.float64(p), axis=1), softmax(np.float64(q), axis=1), axis=1)
    np.testing.assert_allclose(kl_divergence(p, q), expected, rtol=1e-4, atol=1e-6)


def test_divergence_is_not_negative_and_zero_only_for_equal_predictions() -> None:
    p, q = _logits(0), _logits(1)
    assert (kl_divergence(p, q) > 0).all()
    np.testing.assert_allclose(kl_divergence(p, p + 7.0), 0, atol=1e-5)


def test_divergence_of_nearly_equal_predictions_is_not_negative_beyond_rounding() -> None:
    p = _logits(0, rows=5000)
    q = p + 1e-4 * _logits(2, rows=5000)
    assert kl_divergence(p, q).min() > -1e-6


def test_divergence_is_finite_for_saturated_predictions() -> None:
    p, q = jnp.array([[500.0, -500.0]]), jnp.array([[-500.0, 500.0]])
    np.testing.assert_allclose(kl_divergence(p, q), [1000.0], rtol=1e-6)
    assert jnp.isfinite(jax.grad(lambda x: kl_divergence(x, q).sum())(p)).all()


def test_gradient_of_the_divergence_vanishes_at_equal_logits() -> None:
    p = _logits(0)
    for gradient in jax.grad(lambda a, b: kl_divergence(a, b).sum(), (0, 1))(p, p):
        np.testing.assert_allclose(gradient, 0, atol=1e-6)


def test_gradient_flows_through_both_arguments_as_derived_by_hand() -> None:
    # d KL / d q_logits = q - p;  d KL / d p_logits = p * (log p - log q - KL).
    p, q = _logits(3), _logits(4)
    to_p, to_q = jax.grad(lambda a, b: kl_divergence(a, b).sum(), (0, 1))(p, q)
    ratio = jax.nn.log_softmax(p) - jax.nn.log_softmax(q)
    np.testing.assert_allclose(to_q, jax.nn.softmax(q) - jax.nn.softmax(p), atol=1e-5)
    np.testing.assert_allclose(
        to_p, jax.nn.softmax(p) * (ratio - kl_divergence(p, q)[:, None]), atol=1e-5
    )


def test_loss_is_cross_entropy_of_the_clean_plus_beta_times_divergence_from_clean() -> None:
    clean, attacked, labels = _logits(0), _logits(1), jnp.arange(200) % 3
    divergence = entropy(
        softmax(np.float64(clean), axis=1), softmax(np.float64(attacked), axis=1), axis=1
    ).mean()
    expected = float(cross_entropy(clean, labels)) + 6 * divergence
    assert trades_loss(clean, attacked, labels, beta=6.0) == pytest.approx(expected, rel=1e-5)


def test_equation_1_of_the_paper_is_the_divergence_of_the_clean_from_the_adversarial() -> None:
    clean, attacked, labels = _logits(0), _logits(1), jnp.arange(200) % 3
    rows = entropy(
        softmax(np.float64(attacked), axis=1), softmax(np.float64(clean), axis=1), axis=1
    )
    found = trades_divergence(clean, attacked, order="adversarial_first")
    np.testing.assert_allclose(found, rows, rtol=1e-4, atol=1e-6)
    loss = trades_loss(clean, attacked, labels, beta=6.0, order="adversarial_first")
    assert loss == pytest.approx(float(cross_entropy(clean, labels)) + 6 * rows.mean(), rel=1e-5)


def test_unknown_order_is_refused() -> None:
    with pytest.raises(
        InputError, match="order: expected one of 'clean_first', 'adversarial_first', got 'reverse'"
    ):
        trades_loss(_logits(0), _logits(1), jnp.zeros(200, int), beta=6.0, order="reverse")  # type: ignore[arg-type]


def test_loss_without_weight_is_the_cross_entropy() -> None:
    clean, labels = _logits(0), jnp.arange(200) % 3
    assert trades_loss(clean, _logits(1), labels, beta=0.0) == cross_entropy(clean, labels)


@pytest.mark.parametrize("order", ["clean_first", "adversarial_first"])
def test_logarithm_of_the_divergence_is_that_of_scipy(order: str) -> None:
    for scale, near in ((4.0, 1.0), (4.0, 1e-2), (0.1, 1.0), (15.0, 1.0)):
        p, q = _logits(0, scale=scale), _logits(0, scale=scale) + near * _logits(1)
        pair = [
            softmax(np.float64(z), axis=1) for z in ((p, q) if order == "clean_first" else (q, p))
        ]
        expected = entropy(*pair, axis=1)
        clear = expected > 1e-8  # below, SciPy's own sum cancels
        found = log_trades_divergence(p, q, order=order)[clear]
        assert clear.mean() > 0.5
        np.testing.assert_allclose(found, np.log(expected[clear]), rtol=1e-3, atol=2e-3)


@pytest.mark.parametrize("margin", [20.0, 150.0, 3000.0])
def test_direction_of_the_divergence_survives_sure_predictions(margin: float) -> None:
    """Of two classes, both sure of the first: log(p (exp(t) - 1 - t)) with p = exp(-margin), and
    its slope in t.
    """
    for rise in (-3.0, 0.01, 2.0, 40.0):
        if rise > margin:
            continue

        def logarithm(change: jax.Array) -> jax.Array:
            return log_trades_divergence(
                jnp.array([margin, 0.0]), jnp.array([margin, 0.0 + change])
            )

        value, slope = jax.value_and_grad(logarithm)(jnp.float32(rise))
        excess = np.expm1(rise) - rise
        if rise + 5 < margin:
            assert float(value) == pytest.approx(-margin + np.log(excess), rel=1e-4, abs=1e-3)
            assert float(slope) == pytest.approx(np.expm1(rise) / excess, rel=1e-3)


def test_logarithm_of_the_divergence_of_equal_predictions_has_no_slope() -> None:
    z = jnp.array([3.0, -1.0, 200.0])
    value, slope = jax.value_and_grad(lambda x: log_trades_divergence(z, x))(z)
    assert value == -1e6 and (slope == 0).all()
