"""The losses of SyCE and CyCE, by hand, and the gradient penalty in closed form."""

import math
from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from cfx_jax.errors import InputError
from cfx_jax.losses import (
    CYCE,
    SYCE,
    CycleWeights,
    cross_entropy,
    cycle_terms,
    discriminator_terms,
    gradient_penalty,
)
from cfx_jax.losses.cycle import reconstruction_error

RNG = np.random.default_rng(0)
X = jnp.asarray(RNG.uniform(size=(4, 3, 3, 1)), jnp.float32)
PREDICTED = jnp.asarray([1, 1, 0, 1])
ANSWERS = tuple(jnp.asarray(RNG.normal(size=(4, 2)), jnp.float32) for _ in range(3))
REALNESS = jnp.asarray([-1.0, 0.0, 2.0, 30.0])
SLOPES = jnp.asarray(RNG.normal(size=(3, 3, 1)), jnp.float32)


compiled = jax.jit(cycle_terms, static_argnames="weights")


def terms(generated, weights, *, answers=ANSWERS):
    return compiled(X, generated, PREDICTED, answers, REALNESS, weights=weights)


def test_released_weights():
    assert CycleWeights(10, 2, 0.2, 0.01, 0.005, 0.25) == SYCE
    assert CycleWeights(0, 10, 0.2, 0, 0.005, 0.25) == CYCE


def test_terms_are_finite_for_logits_beyond_any_probability():
    def total(scale):
        return sum(terms((X, X, X), SYCE, answers=tuple(scale * each for each in ANSWERS)).values())

    assert all(np.isfinite(each) for each in jax.value_and_grad(total)(1e6))


def test_generators_that_change_nothing_reconstruct_without_error():
    answers = (ANSWERS[0],) * 3  # the classifier's, of the one image that all are
    found = terms((X, X, X), SYCE, answers=answers)
    assert found["symmetric"] == found["cyclic"] == 0
    probability = jax.nn.softmax(ANSWERS[0])[:, 1]
    target = 1 - PREDICTED
    bce = -(target * jnp.log(probability) + (1 - target) * jnp.log(1 - probability)).mean()
    assert float(found["adversarial_class"]) == pytest.approx(0.2 * float(bce), rel=1e-5)


def test_a_generator_that_is_its_own_inverse_is_symmetric():
    def generate(x):
        return jnp.clip(1 - x, 0, 1)

    adversarial = generate(X)
    assert float(
        terms((adversarial, generate(adversarial), X), SYCE)["symmetric"]
    ) == pytest.approx(0, abs=1e-6)


def test_every_term_equals_its_hand_computed_value():
    generated = (1 - X, X + 0.1, X - 0.2)
    found = terms(generated, CycleWeights(*6 * [1.0]))
    expected = {
        "symmetric": 0.01 + 0.1,
        "cyclic": 0.04 + 0.2,
        "adversarial_class": float(cross_entropy(ANSWERS[0], 1 - PREDICTED)),
        "symmetric_class": float(cross_entropy(ANSWERS[1], PREDICTED)),
        "cyclic_class": float(cross_entropy(ANSWERS[2], PREDICTED)),
        "realness": np.mean([math.log1p(math.exp(-z)) for z in (-1, 0, 2, 30)]),
    }
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        assert float(found[name]) == pytest.approx(value, rel=1e-4), name


def test_cyce_is_syce_without_symmetry_and_with_more_of_the_cycle():
    generated = (1 - X, X + 0.1, X - 0.2)
    assert replace(SYCE, symmetric=0.0, symmetric_class=0.0, cyclic=10.0) == CYCE
    syce, cyce = terms(generated, SYCE), terms(generated, CYCE)
    assert cyce.keys() == syce.keys() - {"symmetric", "symmetric_class"}
    assert float(cyce["cyclic"]) == pytest.approx(5 * float(syce["cyclic"]), rel=1e-6)
    assert all(
        cyce[name] == syce[name] for name in ("adversarial_class", "cyclic_class", "realness")
    )


def test_reconstruction_error_is_the_mean_square_and_the_mean_magnitude():
    assert float(reconstruction_error(X, X - 0.5)) == pytest.approx(0.25 + 0.5, rel=1e-5)


@pytest.mark.parametrize("scale", [0.0, 0.5, 3.0])
def test_penalty_of_a_linear_discriminator_is_that_of_its_slope(scale):
    found = jax.jit(
        lambda x: gradient_penalty(
            jax.random.key(0), lambda x: scale * (SLOPES * x).sum(), x, 1 - x
        )
    )(X)
    assert float(found) == pytest.approx(
        (scale * float(jnp.linalg.norm(SLOPES)) - 1) ** 2, rel=1e-5
    )


def test_penalty_is_twice_differentiable_also_where_the_slope_vanishes():
    def penalty(slopes):
        return gradient_penalty(jax.random.key(0), lambda x: (slopes * x).sum(), X, 1 - X)

    norm, slope = jnp.linalg.norm(SLOPES), jax.jit(jax.grad(penalty))
    np.testing.assert_allclose(slope(SLOPES), 2 * (norm - 1) * SLOPES / norm, rtol=1e-4, atol=1e-5)
    np.testing.assert_array_equal(slope(jnp.zeros_like(SLOPES)), 0)


def test_the_slope_is_taken_between_real_and_generated_images():
    # D = |x|^2 / 2 has the slope |x|, so from 0 to 1 the penalty is that of a uniform share of the
    # diagonal.
    zeros, ones = jnp.zeros((2000, 2, 2, 1)), jnp.ones((2000, 2, 2, 1))
    found = gradient_penalty(jax.random.key(0), lambda x: jnp.square(x).sum() / 2, zeros, ones)
    assert float(found) == pytest.approx(1 / 3, abs=0.02)  # the mean of (2 e - 1)^2


def test_discriminators_learn_to_part_real_from_generated_and_leave_generators_alone():
    def discriminator(image):
        return (SLOPES * image).sum()

    @jax.jit
    def loss(fake, weight):
        return discriminator_terms(jax.random.key(1), discriminator, X, fake, penalty=weight)

    found = loss(1 - X, 2.0)
    real, fake = (np.einsum("hwc,bhwc->b", SLOPES, images) for images in (X, 1 - X))
    assert float(found["real"]) == pytest.approx(np.log1p(np.exp(-real)).mean(), rel=1e-5)
    assert float(found["fake"]) == pytest.approx(np.log1p(np.exp(fake)).mean(), rel=1e-5)
    assert float(found["penalty"]) == pytest.approx(
        2 * float(loss(1 - X, 1.0)["penalty"]), rel=1e-6
    )
    np.testing.assert_array_equal(jax.grad(lambda fake: sum(loss(fake, 1.0).values()))(1 - X), 0)


def test_mistakes_are_named():
    with pytest.raises(InputError, match="logits: expected two classes, got 3"):
        terms((X, X, X), SYCE, answers=(jnp.zeros((4, 3)),) * 3)
    with pytest.raises(
        InputError,
        match=r"fake: expected the shape of real, \(4, 3, 3, 1\), got",
    ):
        gradient_penalty(jax.random.key(0), jnp.sum, X, X[:2])
