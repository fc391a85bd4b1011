"""The loss of a variational autoencoder against quadrature and hand computation."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import integrate, stats

from cfx_jax.errors import InputError
from cfx_jax.losses import sample_latents, vae_terms

X = jnp.asarray(np.random.default_rng(0).uniform(0.2, 0.8, size=(2, 4, 4, 1)), jnp.float32)
ZEROS = jnp.zeros((2, 3))


def test_errors_are_squares_in_units_of_images_from_minus_one_to_one():
    terms = vae_terms(X, X + 0.1, ZEROS, ZEROS)
    assert float(terms["reconstruction"]) == pytest.approx(0.04, rel=1e-4)
    assert float(terms["divergence"]) == 0


def test_the_divergence_is_the_mean_over_coordinates_of_each_ones_integral():
    mean, log_variance = jnp.array([[1.0, 0.0], [-0.5, 2.0]]), jnp.array([[0.0, 1.0], [-1.0, 0.5]])

    def divergence(m, v):
        q = stats.norm(m, np.exp(v / 2))
        return integrate.quad(lambda z: q.pdf(z) * (q.logpdf(z) - stats.norm.logpdf(z)), -20, 20)[0]

    expected = np.mean(
        [divergence(m, v) for m, v in zip(mean.ravel(), log_variance.ravel(), strict=True)]
    )
    found = vae_terms(X, X, mean, log_variance, beta=0.3)["divergence"]
    assert float(found) == pytest.approx(0.3 * expected, rel=1e-4)
    assert float(vae_terms(X, X, mean, log_variance)["divergence"]) == pytest.approx(
        0.1 * expected, rel=1e-4
    )


def test_latents_have_the_distribution_asked_for():
    mean, log_variance = jnp.full((20_000, 1), 2.0), jnp.full((20_000, 1), np.log(9.0))
    drawn = np.asarray(sample_latents(jax.random.key(0), mean, log_variance))[:, 0]
    assert stats.kstest(drawn, stats.norm(2, 3).cdf).pvalue > 0.01
    slope = jax.grad(lambda m: sample_latents(jax.random.key(0), m, log_variance).sum())(mean)
    np.testing.assert_array_equal(slope, 1)


def test_other_shapes_are_refused():
    with pytest.raises(
        InputError, match=r"reconstructions: expected the shape of images, \(2, 4, 4, 1\), got"
    ):
        vae_terms(X, X[:1], ZEROS, ZEROS)
