"""The losses of a pair of generators, by hand on images of 2x2 pixels."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from cfx_jax.errors import InputError
from cfx_jax.losses import (
    PUBLISHED_WEIGHTS,
    SimilarAdversarialWeights,
    naive_adversarial_terms,
    similar_adversarial_terms,
    total_variation,
    weight_proximity,
)
from cfx_jax.losses.similar_adversarial import margin_terms, soft_class_terms

ONES = SimilarAdversarialWeights(*8 * [1.0])
TWINS = (
    {"w": jnp.asarray([3.0, 0.0]), "b": jnp.asarray([1.0])},
    {"w": jnp.asarray([0.0, 4.0]), "b": jnp.asarray([3.0])},
)


def picture(*values):
    return jnp.asarray(values, jnp.float32).reshape(1, 2, 2, 1)


def logits(*probabilities):
    p = np.asarray(probabilities)
    return jnp.asarray(np.stack([np.log(1 - p), np.log(p)], axis=-1), jnp.float32)


IMAGE, SIMILAR, ADVERSARIAL = (
    picture(0.5, 0.5, 0.5, 0.5),
    picture(0.5, 0.6, 0.5, 0.5),
    picture(0.5, 0.2, 0.8, 0.5),
)
ANSWERS = (logits(0.8), (logits(0.7), logits(0.4)))


compiled = jax.jit(similar_adversarial_terms, static_argnames=("weights", "margin", "proximity"))


def terms(**changes):
    arguments = {
        "images": IMAGE,
        "pair": (SIMILAR, ADVERSARIAL),
        "logits": ANSWERS[0],
        "pair_logits": ANSWERS[1],
    }
    return compiled(**{**arguments, "twins": TWINS, "weights": ONES, **changes})


def test_every_term_equals_its_hand_computed_value():
    # x - x_s = (0, -.1, 0, 0); x - x_a = (0, .3, -.3, 0); x_s - x_a = (0, .4, -.3, 0) as rows (0,
    # .4) and (-.3, 0).
    lengths = [
        math.hypot(0.4, -0.3),
        0.4,
        0.3,
        0.0,
    ]  # of (right, down) at each pixel; 0 behind the border
    expected = {
        "similar": 0.01 / 4,
        "adversarial": 0.18 / 4,
        "difference": 0.25 / 4,
        "absolute_difference": 0.7 / 4,
        "similar_class": -(0.8 * math.log(0.7) + 0.2 * math.log(0.3)),
        "adversarial_class": -(0.2 * math.log(0.4) + 0.8 * math.log(0.6)),
        "proximity": 5.0 + 2.0,
        "variation": sum(lengths) / 4,
    }
    found = terms()
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        assert float(found[name]) == pytest.approx(value, rel=1e-5), name


def test_weights_multiply_their_terms():
    weights = SimilarAdversarialWeights(*map(float, range(1, 9)))
    for name, value in terms(weights=weights).items():
        assert float(value) == pytest.approx(
            getattr(weights, name) * float(terms()[name]), rel=1e-6
        )


def test_terms_of_the_pair_vanish_where_both_images_are_one():
    found = terms(pair=(SIMILAR, SIMILAR), twins=(TWINS[0], TWINS[0]))
    assert [
        float(found[name])
        for name in ("difference", "absolute_difference", "proximity", "variation")
    ] == [0] * 4


def test_gradients_are_finite_and_zero_where_both_images_and_twins_are_one():
    def loss(pair, twins):
        return sum(terms(pair=pair, twins=twins).values())

    def of_pair(pair, twins):
        found = terms(pair=pair, twins=twins)
        return sum(
            found[name] for name in ("difference", "absolute_difference", "proximity", "variation")
        )

    equal = ((IMAGE, IMAGE), (TWINS[0], TWINS[0]))
    whole, between = jax.jit(
        lambda *of: (jax.grad(loss, (0, 1))(*of), jax.grad(of_pair, (0, 1))(*of))
    )(*equal)
    assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(whole))
    assert not any(np.any(leaf) for leaf in jax.tree.leaves(between))


def test_published_weights_are_those_of_table_1():
    best = PUBLISHED_WEIGHTS["Single AE2 (W,TV)"]
    assert (
        best
        == SimilarAdversarialWeights()
        == SimilarAdversarialWeights(3, 1, 1, 0.2, 1e-3, 1e-3, 0.2, 0.2)
    )
    assert PUBLISHED_WEIGHTS["Duo AE (W,TV)"] == SimilarAdversarialWeights(
        1, 1, 1, 0, 1e-3, 1e-3, 0.1, 0.2
    )
    assert PUBLISHED_WEIGHTS["Single AE1 (W)"] == SimilarAdversarialWeights(
        3, 1, 1, 0.2, 1e-3, 1e-3, 0.1, 0
    )
    for name, weights in PUBLISHED_WEIGHTS.items():
        assert (weights.proximity > 0, weights.variation > 0) == ("W" in name, "TV" in name)


def test_class_terms_are_smallest_where_the_answers_agree_and_are_turned_over():
    answers = logits(0.8, 0.3)
    kept, turned = soft_class_terms(answers, answers, answers[:, ::-1])
    entropy = -np.mean([p * math.log(p) + (1 - p) * math.log(1 - p) for p in (0.8, 0.3)])
    assert float(kept) == pytest.approx(entropy, rel=1e-5) == float(turned)
    slopes = jax.jit(jax.grad(lambda a, b: sum(soft_class_terms(answers, a, b)), (0, 1)))(
        answers, answers[:, ::-1]
    )
    np.testing.assert_allclose(slopes, 0, atol=1e-6)


def test_class_terms_are_finite_for_saturated_answers_and_give_the_targets_no_gradient():
    sure = jnp.asarray([[-200.0, 200.0]])
    kept, turned = soft_class_terms(sure, -sure, sure)
    assert float(kept) == pytest.approx(400) == float(turned)
    slope = jax.jit(jax.grad(lambda z: sum(soft_class_terms(z, logits(0.3), logits(0.6)))))(
        logits(0.8)
    )
    np.testing.assert_array_equal(slope, 0)


def test_margin_terms_follow_equation_10_and_stop_at_the_margin():
    # The image's class is 2. At x_s it leads by 3 - 1 = 2, at x_a it trails by 0.5 - 4 = -3.5.
    answers = [jnp.asarray([row]) for row in ([0.0, 1.0, 5.0], [0.0, 1.0, 3.0], [4.0, 0.0, 0.5])]
    np.testing.assert_allclose(margin_terms(*answers, margin=10.0), [-2.0, -3.5])
    np.testing.assert_allclose(margin_terms(*answers, margin=1.5), [-1.5, -1.5])
    slopes = jax.jit(
        jax.grad(lambda a, b: sum(margin_terms(answers[0], a, b, margin=1.5)), (0, 1))
    )(*answers[1:])
    np.testing.assert_array_equal(slopes, 0)
    unmet = margin_terms(answers[0], answers[2], answers[1], margin=1.5)
    np.testing.assert_allclose(unmet, [3.5, 2.0])


def test_a_margin_chooses_the_loss_of_equation_10():
    found = terms(margin=0.1)
    expected = margin_terms(ANSWERS[0], *ANSWERS[1], margin=0.1)
    np.testing.assert_allclose([found["similar_class"], found["adversarial_class"]], expected)


def test_variation_ignores_constants_and_counts_an_edge_once_per_row():
    edge = np.zeros((1, 6, 6, 1), np.float32)
    edge[:, :, 3:] = 0.5
    variation = jax.jit(total_variation)
    assert variation(np.full_like(edge, 0.7)) == 0
    assert float(variation(edge)) == pytest.approx(0.5 * 6 / 36, rel=1e-6)
    assert float(variation(edge.swapaxes(1, 2))) == pytest.approx(0.5 * 6 / 36, rel=1e-6)


def test_proximity_can_be_the_mean_square_of_all_weights():
    assert float(weight_proximity(*TWINS, form="mean_square")) == pytest.approx((9 + 16 + 4) / 3)


def test_the_naive_loss_is_that_of_the_adversary_alone():
    found = naive_adversarial_terms(IMAGE, ADVERSARIAL, ANSWERS[0], ANSWERS[1][1], weights=ONES)
    whole = terms(pair=(IMAGE, ADVERSARIAL))
    assert found.keys() == {"adversarial", "adversarial_class", "variation"}
    for name, value in found.items():
        assert float(value) == pytest.approx(float(whole[name]), rel=1e-6)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"logits": jnp.zeros((1, 3))},
            "logits: expected two classes, got 3: give a margin above 0",
        ),
        ({"margin": 0.0}, "margin: expected a finite number above 0, got 0.0"),
        ({"proximity": "l1"}, "proximity: expected one of 'norm', 'mean_square', got 'l1'"),
        (
            {"twins": (TWINS[0], {"w": jnp.zeros(2)})},
            "twins: expected the weights of two networks of one architecture",
        ),
        (
            {"twins": (TWINS[0], {"w": jnp.zeros(3), "b": jnp.zeros(1)})},
            "twins: expected the weights of two networks of one architecture",
        ),
        ({"twins": ({}, {})}, "got different arrays or none"),
    ],
)
def test_mistakes_are_named(changes, message):
    with pytest.raises(InputError, match=message):
        terms(**changes)
