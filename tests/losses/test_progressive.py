"""The losses of progressive exaggeration, by hand."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from scipy.special import rel_entr

from cfx_jax.errors import InputError
from cfx_jax.losses import ProgressiveWeights, compatibility, desired_probability, ordinal_code
from cfx_jax.losses.progressive import (
    Exaggerations,
    discriminator_terms,
    generator_terms,
    latent_error,
    pixel_error,
)
from cfx_jax.models import ProgressiveGenerator

RNG = np.random.default_rng(0)
X = jnp.asarray(RNG.uniform(size=(2, 4, 4, 1)), jnp.float32)
LATENTS = jnp.asarray(RNG.normal(size=(2, 2, 2, 3)), jnp.float32)
BINS = jnp.arange(10)
ONES = ProgressiveWeights(1, 1, 1, 1, 1)


def two(odds):
    """Logits of two classes with these log-odds, not around 0."""
    odds = jnp.asarray(odds, jnp.float32)
    return jnp.stack([jnp.full_like(odds, 3.0), 3.0 + odds], axis=-1)


def logit(p):
    return np.log(p) - np.log1p(-p)


@pytest.mark.parametrize(
    ("bin", "code"),
    [
        (0, [0, 0, 0, 0, 0, 0, 0, 0, 0, 0]),
        (3, [3, 1, 1, 1, 0, 0, 0, 0, 0, 0]),
        (9, [9, 1, 1, 1, 1, 1, 1, 1, 1, 1]),
    ],
)
def test_the_code_of_a_bin_counts_the_bins_below(bin, code):
    np.testing.assert_array_equal(ordinal_code(jnp.array([bin]), 10)[0], code)


def test_desired_probabilities_are_centres_or_lower_edges():
    np.testing.assert_allclose(desired_probability(BINS, 10), np.arange(0.05, 1, 0.1), rtol=1e-6)
    np.testing.assert_allclose(
        desired_probability(BINS, 10, target="edge"), np.arange(10) / 10, rtol=1e-6
    )
    with pytest.raises(InputError, match="target: expected one of 'centre', 'edge', got 'upper'"):
        desired_probability(BINS, 10, target="upper")


def test_the_hinge_of_known_logits():
    real, fake = jnp.array([2.0, 0.5, -1.0]), jnp.array([-2.0, -0.5, 1.0])
    terms = discriminator_terms(real, fake)
    assert float(terms["real"]) == pytest.approx(2.5 / 3) and float(terms["fake"]) == pytest.approx(
        2.5 / 3
    )
    slopes = jax.grad(lambda real: discriminator_terms(real, fake)["real"])(real)
    np.testing.assert_allclose(
        slopes, [0, -1 / 3, -1 / 3], rtol=1e-6
    )  # nothing is won beyond the margin


@pytest.mark.parametrize(
    ("target", "floor", "guess", "constant"),
    [("edge", 0.49119, 0.45, 0.68814), ("centre", 0.50383, 0.5, 0.69315)],
)
def test_the_floor_of_the_compatibility_and_the_best_constant_guess(target, floor, guess, constant):
    desired = desired_probability(BINS, 10, target=target)
    odds = np.where(desired > 0, logit(np.maximum(desired, 1e-30)), -100)
    met = compatibility(two(odds), desired)
    assert float(met.cross_entropy) == pytest.approx(floor, abs=1e-5)
    assert float(met.divergence) == pytest.approx(0, abs=1e-6)
    missed = compatibility(two(np.full(10, logit(guess))), desired)
    assert float(missed.cross_entropy) == pytest.approx(constant, abs=1e-5)
    assert float(missed.divergence) == pytest.approx(constant - floor, abs=2e-5)


def test_the_divergence_is_that_of_scipy_and_finite_in_saturation():
    p, q = RNG.uniform(0.01, 0.99, 5), RNG.uniform(0.01, 0.99, 5)
    found = compatibility(two(logit(q)), jnp.asarray(p, jnp.float32)).divergence
    assert float(found) == pytest.approx((rel_entr(p, q) + rel_entr(1 - p, 1 - q)).mean(), rel=1e-4)
    saturated = two([50.0, -50.0, 50.0, -50.0])
    value, slope = jax.value_and_grad(
        lambda x: sum(compatibility(x, jnp.array([0.0, 0.0, 1.0, 1.0])))
    )(saturated)
    assert float(value) == pytest.approx(2 * 25, rel=1e-5) and np.isfinite(slope).all()


def test_cross_entropy_and_divergence_have_one_gradient():
    logits, desired = two(RNG.normal(size=5)), jnp.linspace(0.05, 0.95, 5)
    of_each = [
        jax.grad(lambda x, name=name: getattr(compatibility(x, desired), name))(logits)
        for name in ("cross_entropy", "divergence")
    ]
    np.testing.assert_array_equal(*of_each)
    achieved = jax.nn.softmax(logits)[:, 1]
    np.testing.assert_allclose(of_each[0][:, 1], (achieved - desired) / 5, rtol=1e-4, atol=1e-6)


def test_errors_are_in_units_of_images_from_minus_one_to_one():
    assert float(pixel_error(X, X + 0.1)) == pytest.approx(0.2, rel=1e-5)
    assert float(latent_error(LATENTS, LATENTS + 0.1)) == pytest.approx(0.01, rel=1e-4)
    np.testing.assert_array_equal(jax.grad(pixel_error)(X, X), 0)


def made(error=0.1):
    return Exaggerations(1 - X, X + error, X - 2 * error, (LATENTS, LATENTS + 3 * error))


LOGITS = (two([0.0, 2.0]), two([-1.0, 1.0]), two([0.0, 3.0]))
DESIRED = jnp.array([0.25, 0.75])


def terms(weights=ONES, **options):
    found = generator_terms(
        X, made(), jnp.array([1.0, 2.0]), LOGITS, DESIRED, weights=weights, **options
    )
    return {name: float(value) for name, value in found.items()}


def test_weights_are_those_of_the_paper():
    assert ProgressiveWeights() == ProgressiveWeights(1.0, 1.0, 100.0, 100.0, 0.0)


def test_every_term_equals_its_hand_computed_value():
    p = 1 / (1 + math.exp(-2))
    softplus = [math.log1p(math.exp(z)) for z in (-3.0, -1.0, 1.0, 3.0)]
    expected = {
        "adversarial": -1.5,
        "compatibility": 0.75 * softplus[1] + 0.25 * softplus[2],  # the same for both images
        "reconstruction": 0.2,
        "cycle": 0.4,
        "returned_class": (math.log(2) + p * softplus[0] + (1 - p) * softplus[3]) / 2,
    }
    assert terms() == {name: pytest.approx(value, rel=1e-4) for name, value in expected.items()}
    assert terms(reconstruction="latent")["reconstruction"] == pytest.approx(0.09, rel=1e-4)


def test_terms_are_weighted_and_left_out_where_their_weight_is_0():
    plain, found = terms(), terms(ProgressiveWeights(2, 0, 3, 4, 0))
    assert found == {
        name: pytest.approx(w * plain[name])
        for name, w in (("adversarial", 2), ("reconstruction", 3), ("cycle", 4))
    }
    assert set(terms(ProgressiveWeights())) == {
        "adversarial",
        "compatibility",
        "reconstruction",
        "cycle",
    }


def test_both_latents_get_a_gradient():
    def loss(latents):
        exaggerations = made()._replace(latents=latents)
        return generator_terms(
            X, exaggerations, jnp.zeros(2), LOGITS, DESIRED, reconstruction="latent", weights=ONES
        )["reconstruction"]

    first, second = jax.grad(loss)((LATENTS, LATENTS + 0.3))
    assert jnp.any(first != 0)
    np.testing.assert_array_equal(first, -second)


def test_the_compatibility_reaches_encoder_and_decoder_through_the_frozen_classifier():
    """The gradient that the code released last blocks."""
    model = ProgressiveGenerator(in_channels=1, filters=(2, 3), num_bins=10, rngs=nnx.Rngs(0))
    graph, parameters, rest = nnx.split(model, nnx.Param, ...)
    slopes, bins = jnp.asarray(RNG.normal(size=(4, 4, 1)), jnp.float32), jnp.array([2, 7])

    @jax.jit
    @jax.grad
    def gradient(parameters):
        generator = nnx.view(
            nnx.merge(graph, parameters, rest, copy=True), use_running_average=True
        )
        drawn = generator.decode(generator.encode(X, bins), bins)
        return compatibility(
            two((drawn * slopes).sum((1, 2, 3))), desired_probability(bins, 10)
        ).divergence

    gradients = gradient(parameters)
    for part in ("stem", "down", "up", "head"):
        assert all(jnp.any(each != 0) for each in jax.tree.leaves(gradients[part]))


def test_mistakes_are_named():
    three = jnp.zeros((2, 3))
    with pytest.raises(InputError, match="logits: expected two classes, got 3"):
        compatibility(three, DESIRED)
    with pytest.raises(InputError, match="logits: expected two classes, got 3"):
        generator_terms(X, made(), jnp.zeros(2), (*LOGITS[:2], three), DESIRED, weights=ONES)
    with pytest.raises(
        InputError, match="reconstruction: expected one of 'pixels', 'latent', got 'image'"
    ):
        terms(reconstruction="image")
