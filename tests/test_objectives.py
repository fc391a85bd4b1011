"""Objectives against their definitions, and where float32 probabilities saturate."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from small_classifiers import convolutional_classifier, images

from cfx_jax.errors import InputError
from cfx_jax.models import ensemble
from cfx_jax.objectives import (
    class_score,
    decision,
    log_odds,
    negative_log_probability,
    negative_margin,
)

IMAGE = jnp.asarray(images(1)[0])


@pytest.mark.parametrize("target", [0, 1, 2])
def test_negative_log_probability_is_that_of_a_softmax(target):
    expected = -jax.nn.log_softmax(convolutional_classifier(IMAGE))[target]
    assert float(
        negative_log_probability(convolutional_classifier, target)(IMAGE)
    ) == pytest.approx(float(expected), rel=1e-5)


def test_log_odds_of_two_classes_is_the_logit_difference():
    assert float(log_odds(jnp.asarray([1.0, 4.0]), 1)) == 3.0
    assert float(log_odds(jnp.asarray([1.0, 4.0]), 0)) == -3.0


@pytest.mark.parametrize("logit", [-200.0, -30.0, 30.0, 80.0])
def test_gradient_survives_saturation(logit):
    objective = negative_log_probability(lambda x: jnp.stack([0 * x.sum(), x.sum()]), 1)
    value, gradient = jax.value_and_grad(objective)(jnp.full((1, 1, 1), logit))
    expected = -1 / (1 + np.exp(np.float64(logit)))
    assert float(gradient.sum()) == pytest.approx(expected, rel=1e-4)
    assert float(value) == pytest.approx(np.logaddexp(0, -np.float64(logit)), rel=1e-4)


def test_margin_is_negative_exactly_for_misclassified_images():
    for image in images(20):
        logits = convolutional_classifier(jnp.asarray(image))
        for label in range(3):
            margin = float(negative_margin(convolutional_classifier, label)(jnp.asarray(image)))
            assert (margin < 0) == (int(logits.argmax()) != label)


@pytest.mark.parametrize("target", [0, 1])
def test_scores_of_two_classes_are_those_of_a_sigmoid_network(target):
    """With p = sigmoid(z) a class predicted 0 is explained by 1 - p, and by -z."""

    def network(image):
        return jnp.sin(7 * image).sum()

    def score(of):
        return float(class_score(lambda x: jnp.stack([0.0, network(x)]), target, of=of)(IMAGE))

    z = float(network(IMAGE)) * (1 if target else -1)
    p = 1 / (1 + np.exp(-z))
    assert score("log_odds") == pytest.approx(z, rel=1e-5)
    assert score("probability") == pytest.approx(p, rel=1e-5)
    assert score("log_probability") == pytest.approx(np.log(p), rel=1e-5)
    assert score("logit") == (z if target else 0)


def test_an_unknown_score_is_named_before_the_image_is_seen():
    expected = (
        "of: expected one of 'log_odds', 'logit', 'probability', 'log_probability', got 'odds'"
    )
    with pytest.raises(InputError, match=expected):
        class_score(convolutional_classifier, 0, of="odds")


def test_of_two_classes_the_second_is_decided_from_one_half():
    np.testing.assert_array_equal(
        decision(jnp.asarray([[1.0, 1.0], [1.0, 0.9], [0.0, 3.0]])), [1, 0, 1]
    )
    np.testing.assert_array_equal(decision(jnp.asarray([[1.0, 1.0, 0.0], [0.0, 1.0, 2.0]])), [0, 2])


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_values_of_logits_in_half_precision_are_of_float32(dtype):
    """A margin of 10 has the probability 1 - 4.5e-5, which half precision rounds to 1."""
    logits = jnp.array([0.0, 10.0, -3.0], dtype)

    def classifier(image):
        return logits * image.mean().astype(dtype)

    image, exact = jnp.ones((2, 2, 1)), np.array([0.0, 10.0, -3.0])
    odds = exact[1] - np.logaddexp(exact[0], exact[2])
    for of, expected in {"log_odds": odds, "probability": 1 / (1 + np.exp(-odds))}.items():
        value = class_score(classifier, 1, of=of)(image)
        assert value.dtype == jnp.float32
        assert float(value) == pytest.approx(expected, rel=1e-6)
    surprise = negative_log_probability(classifier, 1)(image)
    assert float(surprise) == pytest.approx(np.log1p(np.exp(-odds)), rel=1e-5)
    assert negative_margin(classifier, 1)(image).dtype == jnp.float32
    averaged = ensemble([classifier, classifier])(image)
    assert float(averaged[0]) == pytest.approx(-np.log(np.exp(exact).sum()), rel=1e-6)
