"""Sums of perturbation curves by hand, by SciPy and by what they must obey."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.integrate
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from small_classifiers import convolutional_classifier, images

from cfx_jax.errors import InputError
from cfx_jax.metrics import bootstrap_interval
from cfx_jax.metrics.faithfulness import (
    area_over_perturbation_curve,
    area_under_perturbation_curve,
    relevance_score,
    still_correct,
)
from cfx_jax.metrics.perturbation import overwrite_with, perturbation_curve

SHARES = arrays(np.float64, 5, elements=st.floats(0, 1))


def test_area_over_the_curve_by_hand():
    found = area_over_perturbation_curve([[1.0, 0.4, 0.1], [0.5, 0.5, 0.8]])
    np.testing.assert_allclose(found, [[0, 0.6 / 2, 1.5 / 3], [0, 0, -0.3 / 3]])


@settings(max_examples=50, deadline=None)
@given(arrays(np.float64, (2, 3, 7), elements=st.floats(-5, 5)))
def test_area_over_the_curve_is_its_definition_at_every_step(curves):
    found = area_over_perturbation_curve(curves)
    for steps in range(7):
        expected = sum(curves[..., 0] - curves[..., step] for step in range(steps + 1)) / (
            steps + 1
        )
        np.testing.assert_allclose(found[..., steps], expected, atol=1e-12)


@settings(max_examples=50, deadline=None)
@given(arrays(np.float64, (2, 3, 7), elements=st.floats(-5, 5)))
def test_area_under_the_curve_is_that_of_scipy(curves):
    expected = scipy.integrate.trapezoid(curves, np.linspace(0, 1, 7), axis=-1)
    np.testing.assert_allclose(area_under_perturbation_curve(curves), expected, atol=1e-12)


def test_a_straight_fall_has_half_the_area():
    assert area_under_perturbation_curve(np.linspace(1, 0, 11)) == pytest.approx(0.5)


def test_relevance_score_by_hand():
    """Degradation averages to 0.6 and preservation to 0.8 before they are combined, not the scores."""
    degradation, preservation = np.asarray([0.3, 0.9]), np.asarray([0.6, 1.0])
    assert relevance_score(degradation, preservation) == pytest.approx(2 * 0.6 * 0.8 / 1.4)
    each = [relevance_score(degradation[i : i + 1], preservation[i : i + 1]) for i in range(2)]
    np.testing.assert_allclose(each, [0.4, 2 * 0.9 / 1.9])
    assert relevance_score(degradation, preservation) > np.mean(each)


@settings(max_examples=50, deadline=None)
@given(SHARES, SHARES)
def test_relevance_score_is_symmetric_and_no_larger_than_the_larger(degradation, preservation):
    score = relevance_score(degradation, preservation)
    assert score == pytest.approx(relevance_score(preservation, degradation))
    low, high = sorted((degradation.mean(), preservation.mean()))
    assert low - 1e-9 <= score <= high + 1e-9


def test_relevance_score_is_zero_where_degradation_or_preservation_is():
    assert relevance_score(np.zeros(2), np.ones(2)) == 0
    assert relevance_score(np.ones(2), np.zeros(2)) == 0
    assert relevance_score(np.zeros(2), np.zeros(2)) == 0


def test_maps_at_random_have_the_score_of_their_mean_curve():
    """With c the area under the curve of random orders, R = 2 c (1 - c), about 1/2 where the score
    falls evenly.
    """
    image, rng = np.ones((8, 8, 1), np.float32), np.random.default_rng(0)
    maps = rng.uniform(size=(40, 8, 8)).astype(np.float32)

    def areas(order):
        def curve(relevance):
            return perturbation_curve(
                jnp.mean, image, relevance, overwrite_with(0.0), region=1, order=order
            )

        return area_under_perturbation_curve(jax.jit(jax.vmap(curve))(maps))

    degradation, preservation = 1 - areas("most_relevant_first"), areas("least_relevant_first")
    np.testing.assert_allclose(degradation, 0.5, atol=1e-6)
    assert relevance_score(degradation, preservation) == pytest.approx(0.5, abs=1e-6)


def test_the_true_map_of_a_local_score_beats_random_ones():
    """The score looks at one corner only, sharply: the right map takes it away at once and keeps it
    to the end.
    """
    image, rng = np.ones((8, 8, 1), np.float32), np.random.default_rng(1)
    truth = np.zeros((8, 8), np.float32)
    truth[:2, :2] = 1

    def score(relevance):
        areas = [
            area_under_perturbation_curve(
                perturbation_curve(
                    lambda x: x[:2, :2].mean(),
                    image,
                    relevance,
                    overwrite_with(0.0),
                    region=2,
                    order=order,
                )
            )[None]
            for order in ("most_relevant_first", "least_relevant_first")
        ]
        return relevance_score(1 - areas[0], areas[1])

    # One region of 16 matters: the areas are half a step from 0 and from 1.
    assert score(truth) == pytest.approx(1 - 1 / 32)
    assert score(truth) > max(score(rng.uniform(size=(8, 8)).astype(np.float32)) for _ in range(5))


def test_an_interval_of_the_relevance_score_as_its_docstring_says():
    rng = np.random.default_rng(2)
    pairs = rng.uniform(0.2, 0.8, size=(50, 2))
    interval = bootstrap_interval(pairs, statistic=lambda drawn: relevance_score(*drawn.T))
    assert (
        interval.low
        < relevance_score(pairs[:, 0], pairs[:, 1])
        == interval.estimate
        < interval.high
    )


def test_still_correct_by_hand():
    logits = np.asarray(
        [[[2.0, 1.0], [1.0, 2.0], [1.0, 1.0]], [[0.0, 1.0], [0.0, 2.0], [3.0, 2.0]]]
    )
    found = still_correct(logits, np.asarray([0, 1]))
    # Of equal logits class 1 is decided on, as everywhere.
    np.testing.assert_array_equal(found, [[True, False, False], [True, True, False]])
    np.testing.assert_array_equal(found.mean(axis=0), [1, 0.5, 0])
    np.testing.assert_array_equal(still_correct(logits[0], np.asarray(0)), found[0])
    np.testing.assert_allclose(area_under_perturbation_curve(found), [0.25, 0.75])


def test_accuracy_curve_of_pixels_replaced_by_noise():
    """The accuracy of the images themselves at step 0, of the noise at the last."""
    batch, noise = images(6, channels=1), images(6, channels=1, seed=9)
    labels = np.asarray(jax.vmap(convolutional_classifier)(batch)).argmax(axis=-1)

    def curve(image, other):
        relevance = jnp.abs(jax.grad(lambda x: convolutional_classifier(x).max())(image)).sum(
            axis=-1
        )
        return perturbation_curve(
            convolutional_classifier,
            image,
            relevance,
            overwrite_with(other),
            region=1,
            regions_per_step=10,
        )

    correct = still_correct(jax.jit(jax.vmap(curve))(batch, noise), labels)
    assert correct.shape == (6, 8)
    assert correct[:, 0].all()
    expected = np.asarray(jax.vmap(convolutional_classifier)(noise)).argmax(axis=-1) == labels
    np.testing.assert_array_equal(correct[:, -1], expected)


@pytest.mark.parametrize(
    ("summary", "curves", "message"),
    [
        (area_over_perturbation_curve, np.ones((3, 0)), r"at least 1 steps, got shape \(3, 0\)"),
        (
            area_over_perturbation_curve,
            [1.0, np.nan],
            "curves: expected finite scores, got NaN or infinity: look",
        ),
        (
            area_under_perturbation_curve,
            [1.0],
            r"curves: expected \(..., steps\) with at least 2 steps, got shape \(1,\)",
        ),
        (area_under_perturbation_curve, [1.0, np.inf], "curves: expected finite scores"),
    ],
)
def test_what_is_no_curve_is_refused(summary, curves, message):
    with pytest.raises(InputError, match=message):
        summary(curves)


@pytest.mark.parametrize(
    ("degradation", "preservation", "message"),
    [
        (np.ones(2), np.ones(3), r"for each of the same images \(n,\), got shapes \(2,\), \(3,\)"),
        (np.ones((2, 5)), np.ones((2, 5)), r"expected one number for each of the same images"),
        (np.ones(0), np.ones(0), r"got shapes \(0,\), \(0,\)"),
        (
            np.full(2, -3.0),
            np.ones(2),
            r"expected numbers in \[0, 1\]: make the curves of probabilities, not logits",
        ),
        (np.ones(2), np.asarray([0.5, np.nan]), r"expected numbers in \[0, 1\]"),
    ],
)
def test_what_has_no_relevance_score_is_refused(degradation, preservation, message):
    with pytest.raises(InputError, match=message):
        relevance_score(degradation, preservation)


@pytest.mark.parametrize(
    ("logits", "labels", "message"),
    [
        (
            np.ones((2, 3, 4)),
            np.zeros(3, int),
            r"with labels \(...\), got shapes \(2, 3, 4\), \(3,\)",
        ),
        (np.ones((2, 3, 4)), np.asarray([0, 4]), r"labels: expected a class in 0\.\.3, got 4"),
        (
            np.ones((2, 3, 4)),
            np.zeros(2),
            r"labels: expected a class index \(integer\), got dtype float",
        ),
        (
            np.full((2, 3, 4), np.nan),
            np.zeros(2, int),
            "logits: expected numbers, got NaN: look at the classifier",
        ),
    ],
)
def test_logits_that_cannot_be_right_or_wrong_are_refused(logits, labels, message):
    with pytest.raises(InputError, match=message):
        still_correct(logits, labels)
