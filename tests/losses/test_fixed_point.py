"""The losses of Fixed-Point GAN, by hand."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from cfx_jax.errors import InputError
from cfx_jax.losses import FixedPointWeights, Translations, critic_terms, fixed_point_terms
from cfx_jax.models import Verdict

RNG = np.random.default_rng(0)
X = jnp.asarray(RNG.uniform(size=(2, 3, 3, 1)), jnp.float32)
PREDICTED = jnp.array([0, 1])
EVEN = jnp.zeros((2, 2))
SURE = jnp.array([[0.0, 2.0], [3.0, 0.0]])  # of class 1, of class 0: the others
SLOPES = jnp.asarray(RNG.normal(size=(3, 3, 1)), jnp.float32)

ONES = FixedPointWeights(1, 1, 1, 1, 1)
compiled = jax.jit(fixed_point_terms, static_argnames="weights")


def terms(translations, verdicts, logits, weights=ONES):
    return {
        name: float(value)
        for name, value in compiled(
            X, translations, PREDICTED, verdicts, logits, weights=weights
        ).items()
    }


def verdict(value, logits):
    return Verdict(jnp.full((2, 2, 1), value).at[0].add(1.0), logits)


def test_weights_are_those_of_the_method_card():
    assert FixedPointWeights() == FixedPointWeights(1.0, 1.0, 10.0, 10.0, 1.0)


def test_every_term_equals_its_hand_computed_value():
    translations = Translations(1 - X, X + 0.1, X - 0.2, X + 0.3)
    found = terms(translations, (verdict(2.0, EVEN), verdict(-4.0, SURE)), SURE)
    wrong = (math.log1p(math.exp(2)) + math.log1p(math.exp(3))) / 2
    right = (math.log1p(math.exp(-2)) + math.log1p(math.exp(-3))) / 2
    expected = {
        "realness": -2.5 + 3.5,
        "domain": math.log(2)
        + wrong,  # of the same-domain translations the critic is sure of the other domain
        "reconstruction": 2 * (0.1 + 0.3),  # in units of images from -1 to 1
        "identity": 2 * 0.2,
        "decision": right,
    }
    assert found == {name: pytest.approx(value, rel=1e-5) for name, value in expected.items()}


def test_translations_that_change_nothing_have_no_error_and_turn_nothing_over():
    same = terms(Translations(X, X, X, X), (verdict(0.0, EVEN),) * 2, SURE[::-1])
    assert same["reconstruction"] == same["identity"] == 0
    assert same["decision"] > 2


def test_terms_are_weighted_and_left_out_where_their_weight_is_0():
    translations, verdicts = (
        Translations(1 - X, X + 0.1, X - 0.2, X + 0.3),
        (verdict(2.0, EVEN),) * 2,
    )
    plain = terms(translations, verdicts, SURE)
    found = terms(translations, verdicts, SURE, FixedPointWeights(2, 0, 3, 4, 0))
    assert found == {
        name: pytest.approx(w * plain[name])
        for name, w in (("realness", 2), ("reconstruction", 3), ("identity", 4))
    }


def test_the_critics_terms_of_a_linear_critic():
    """Realness of two patches, each half of <w, u> with u from -1 to 1, so their sum has the slope
    |w|.
    """

    def critic(images):
        values = jnp.einsum("bhwc,hwc->b", 2 * images - 1, SLOPES)
        return Verdict(
            jnp.stack([values, values], axis=1)[..., None] / 2,
            jnp.stack([0 * values, values], axis=1),
        )

    fake = 1 - X
    judge = jax.jit(
        lambda fake: critic_terms(
            jax.random.key(0), critic, X, fake, PREDICTED, domain=2.0, penalty=3.0
        )
    )
    found = judge(fake)
    real = np.einsum("bhwc,hwc->b", 2 * np.asarray(X) - 1, SLOPES)
    assert float(found["real"]) == pytest.approx(-real.mean() / 2, abs=1e-5)
    assert float(found["fake"]) == pytest.approx(-real.mean() / 2, abs=1e-5)  # 1 - x is -u
    expected = 2 * np.mean([np.log1p(np.exp(real[0])), np.log1p(np.exp(-real[1]))])
    assert float(found["domain"]) == pytest.approx(expected, rel=1e-5)
    assert float(found["penalty"]) == pytest.approx(
        3 * (float(jnp.linalg.norm(SLOPES)) - 1) ** 2, rel=1e-4
    )
    np.testing.assert_array_equal(jax.grad(lambda fake: sum(judge(fake).values()))(fake), 0)


def test_mistakes_are_named():
    with pytest.raises(InputError, match="logits: expected two classes, got 3"):
        terms(Translations(X, X, X, X), (verdict(0.0, EVEN),) * 2, jnp.zeros((2, 3)))

    def critic(images):
        return Verdict(images[..., 0], jnp.zeros((len(images), 2)))

    with pytest.raises(InputError, match="fake: expected the shape of real"):
        critic_terms(jax.random.key(0), critic, X, X[:1], PREDICTED)
