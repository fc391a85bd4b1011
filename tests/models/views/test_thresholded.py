"""A classifier that decides at another threshold."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from cfx_jax.errors import InputError
from cfx_jax.models import thresholded
from cfx_jax.objectives import class_score


def classifier(image):
    """The image's one pixel is the log-odds of class 1."""
    return jnp.stack([-image.sum() / 2, image.sum() / 2])


def image_of(probability):
    return jnp.full((1, 1, 1), np.log(probability) - np.log1p(-probability), jnp.float32)


@jax.jit
def probability_of_class_1(classifier, image):
    return jax.nn.softmax(classifier(image))[1]


@pytest.mark.parametrize("threshold", [0.1, 0.5, 0.8])
@pytest.mark.parametrize("probability", [0.01, 0.1, 0.3, 0.5, 0.8, 0.9, 0.99])
def test_the_map_is_linear_from_0_to_the_threshold_and_on_to_1(probability, threshold):
    expected = np.interp(probability, [0, threshold, 1], [0, 0.5, 1])
    found = probability_of_class_1(thresholded(classifier, threshold), image_of(probability))
    assert float(found) == pytest.approx(expected, rel=1e-4)


def test_the_decision_turns_over_at_the_threshold():
    log_odds = class_score(thresholded(classifier, 0.2), 1)
    assert log_odds(image_of(0.199)) < 0 < log_odds(image_of(0.201))


@pytest.mark.parametrize("pixel", [-80.0, 80.0])
def test_values_and_gradients_stay_finite_where_the_classifier_saturates(pixel):
    score = class_score(thresholded(classifier, 0.2), 1)
    value, slope = jax.jit(jax.value_and_grad(score))(jnp.full((1, 1, 1), pixel))
    assert np.isfinite(value) and np.sign(value) == np.sign(pixel)
    np.testing.assert_allclose(slope, 1, rtol=1e-3)


def test_the_threshold_is_an_argument_of_the_compiled_program():
    traces = []

    @jax.jit
    def classify(classifier, image):
        traces.append(1)
        return classifier(image)

    for threshold in (0.2, 0.3):
        classify(thresholded(classifier, threshold), image_of(0.4))
    assert len(traces) == 1


@pytest.mark.parametrize("threshold", [0.0, 1.0, float("nan")])
def test_thresholds_outside_the_unit_interval_are_refused(threshold):
    with pytest.raises(
        InputError, match=rf"threshold: expected a probability in \(0, 1\), got {threshold}"
    ):
        thresholded(classifier, threshold)


def test_more_classes_are_refused():
    with pytest.raises(
        InputError, match=r"expected two logits, since one threshold parts two classes, got \(3,\)"
    ):
        thresholded(lambda image: jnp.zeros(3), 0.2)(image_of(0.5))
