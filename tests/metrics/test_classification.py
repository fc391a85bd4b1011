"""Rates and counts of decisions by hand, by SciPy, by scikit-learn and by all pairs."""

import numpy as np
import pytest
import scipy.stats
from hypothesis import given, settings
from hypothesis import strategies as st

from cfx_jax.errors import InputError
from cfx_jax.metrics import (
    DecisionCounts,
    accuracy,
    balanced_accuracy,
    balanced_weights,
    brier_score,
    decision_counts,
    mean_and_standard_error,
    roc_auc,
    sensitivity,
    specificity,
)


def test_balanced_accuracy_weighs_classes_equally():
    labels = np.asarray([0, 0, 0, 1])
    correct = np.asarray([True, True, False, True])
    assert accuracy(correct) == 0.75
    assert balanced_accuracy(correct, labels) == pytest.approx((2 / 3 + 1) / 2)


def test_classes_without_images_do_not_count():
    assert balanced_accuracy(np.asarray([True, False]), np.asarray([2, 2])) == 0.5


def test_classes_may_be_names():
    names = np.asarray(["healthy", "DR", "DR"])
    assert balanced_accuracy(np.asarray([True, True, False]), names) == 0.75
    np.testing.assert_allclose(balanced_weights(names), [1.5, 0.75, 0.75])


def test_one_image_is_enough():
    one = np.ones(1, bool)
    assert accuracy(one) == balanced_accuracy(one, np.zeros(1, int)) == sensitivity(one, one) == 1
    np.testing.assert_array_equal(balanced_weights(np.zeros(1, int)), [1])


@pytest.mark.parametrize(
    "function", [accuracy, lambda correct: balanced_accuracy(correct, np.zeros(len(correct), int))]
)
def test_what_is_neither_right_nor_wrong_is_refused(function):
    with pytest.raises(
        InputError,
        match=r"correct: expected one value for each of at least one image \(n,\), got shape",
    ):
        function(np.zeros(0, bool))
    with pytest.raises(
        InputError,
        match=r"correct: expected 0 and 1 \(or booleans\), got 3: compare with a threshold",
    ):
        function(np.asarray([1, 3]))
    with pytest.raises(InputError, match="correct: expected finite numbers, got 1 of 2"):
        function(np.asarray([1, np.nan]))


def test_labels_that_name_no_class_or_other_images_are_refused():
    with pytest.raises(
        InputError, match=r"labels: expected the shape of correct \(2,\), got \(3,\)"
    ):
        balanced_accuracy(np.ones(2, bool), np.zeros(3, int))
    for function in (lambda labels: balanced_accuracy(np.ones(2, bool), labels), balanced_weights):
        with pytest.raises(
            InputError,
            match=r"labels: expected a class of each image \(integer or name\), got dtype f",
        ):
            function(np.asarray([0, np.nan]))


def test_the_weighted_mean_is_the_balanced_accuracy():
    rng = np.random.default_rng(3)
    labels, correct = rng.choice([0, 2, 5], 50, p=[0.7, 0.2, 0.1]), rng.random(50) < 0.6
    weights = balanced_weights(labels)
    assert np.isclose(weights.mean(), 1)
    assert np.isclose(np.mean(weights * correct), balanced_accuracy(correct, labels))


def test_weights_of_no_image_are_refused():
    with pytest.raises(
        InputError, match="labels: expected one value for each of at least one image"
    ):
        balanced_weights(np.zeros(0, int))


def test_sensitivity_and_specificity_by_hand():
    labels = np.asarray([1, 1, 1, 1, 0, 0, 0])
    predicted = np.asarray([1, 1, 1, 0, 0, 1, 1])
    assert sensitivity(predicted, labels) == 3 / 4
    assert specificity(predicted, labels) == 1 / 3


def test_sensitivity_is_the_specificity_of_the_opposite_question():
    rng = np.random.default_rng(0)
    predicted, labels = rng.random(40) < 0.5, rng.random(40) < 0.3
    assert sensitivity(predicted, labels) == specificity(~predicted, ~labels)
    mean = (sensitivity(predicted, labels) + specificity(predicted, labels)) / 2
    assert mean == pytest.approx(balanced_accuracy(predicted == labels, labels))


def test_both_are_undefined_without_an_image_of_their_class():
    assert np.isnan(sensitivity(np.ones(3), np.zeros(3)))
    assert np.isnan(specificity(np.ones(3), np.ones(3)))


SCORED = st.lists(st.tuples(st.integers(-3, 3), st.booleans()), min_size=1, max_size=30)


@settings(max_examples=50, deadline=None)
@given(SCORED)
def test_area_is_the_share_of_pairs_in_the_right_order(scored):
    scores, labels = (np.asarray(each) for each in zip(*scored, strict=True))
    pairs = [(a > b) + (a == b) / 2 for a in scores[labels] for b in scores[~labels]]
    np.testing.assert_allclose(
        roc_auc(scores, labels), np.mean(pairs) if pairs else np.nan, rtol=1e-12
    )


def test_area_matches_the_trapezoid_under_the_curve_and_scipy():
    rng = np.random.default_rng(1)
    labels = rng.random(300) < 0.4
    scores = np.round(rng.normal(size=300) + labels, 1)
    thresholds = np.append(np.inf, np.unique(scores)[::-1])
    hits, alarms = zip(
        *[((scores[labels] >= t).mean(), (scores[~labels] >= t).mean()) for t in thresholds],
        strict=True,
    )
    assert roc_auc(scores, labels) == pytest.approx(np.trapezoid(hits, alarms), abs=1e-12)
    statistic = scipy.stats.mannwhitneyu(scores[labels], scores[~labels]).statistic
    assert roc_auc(scores, labels) == pytest.approx(
        statistic / (labels.sum() * (~labels).sum()), abs=1e-12
    )


def test_area_ignores_a_rising_function_and_turns_over_with_the_sign():
    rng = np.random.default_rng(2)
    labels, scores = rng.random(50) < 0.5, rng.normal(size=50)
    assert roc_auc(np.exp(scores), labels) == roc_auc(scores, labels)
    assert roc_auc(-scores, labels) == pytest.approx(1 - roc_auc(scores, labels))
    assert roc_auc(np.ones(50), labels) == 0.5
    assert np.isnan(roc_auc(scores, np.ones(50)))


def test_brier_score_by_hand():
    np.testing.assert_allclose(
        brier_score(np.asarray([0.25, 1, 0.5, 0]), np.asarray([0, 1, 1, 1])), [1 / 16, 0, 1 / 4, 1]
    )


@pytest.mark.parametrize("function", [sensitivity, specificity, roc_auc, brier_score])
def test_labels_of_another_kind_or_number_are_refused(function):
    with pytest.raises(
        InputError,
        match=r"labels: expected 0 and 1 \(or booleans\), got 2: compare with a threshold",
    ):
        function(np.zeros(2), np.asarray([1, 2]))
    with pytest.raises(InputError, match=r"labels: expected the shape of .* \(2,\), got \(3,\)"):
        function(np.zeros(2), np.zeros(3))
    with pytest.raises(InputError, match=r"at least one image \(n,\), got shape \(0,\)"):
        function(np.zeros(0), np.zeros(0))


def test_scores_and_probabilities_out_of_range_are_refused():
    with pytest.raises(
        InputError, match="scores: expected finite numbers, got 1 of 2 that are NaN or infinite"
    ):
        roc_auc(np.asarray([0, np.nan]), np.asarray([0, 1]))
    with pytest.raises(
        InputError, match=r"expected probabilities in \[0, 1\], got \[0, 1.5\]: apply sigmoid"
    ):
        brier_score(np.asarray([0, 1.5]), np.asarray([0, 1]))


def test_by_hand():
    predicted, labels = np.asarray([1, 1, 1, 0, 0, 0, 0]), np.asarray([1, 1, 0, 1, 0, 0, 0])
    assert decision_counts(predicted, labels) == DecisionCounts(2, 1, 3, 1)


def test_they_are_a_confusion_matrix_and_give_the_rates():
    metrics = pytest.importorskip("sklearn.metrics")
    predicted, labels = np.random.default_rng(0).random((2, 200)) < 0.4
    counts = decision_counts(predicted, labels)
    expected = metrics.confusion_matrix(labels, predicted)
    np.testing.assert_array_equal(
        [
            [counts.true_negatives, counts.false_positives],
            [counts.false_negatives, counts.true_positives],
        ],
        expected,
    )
    assert counts.true_positives / (counts.true_positives + counts.false_negatives) == sensitivity(
        predicted, labels
    )
    assert counts.true_negatives / (counts.true_negatives + counts.false_positives) == specificity(
        predicted, labels
    )


def test_published_rates_are_those_of_the_counts_of_three_runs():
    """Fontanella et al. 2023, table 7: ACAT has 43 of 78 and 93 of 114 scans right; the runs follow
    from all errors.
    """
    labels, runs = np.arange(64) < 26, []
    for found, spared in [(18, 29), (15, 28), (10, 36)]:
        predicted = np.concatenate([np.arange(26) < found, np.arange(38) >= spared])
        runs.append(np.asarray(decision_counts(predicted, labels)))
    assert np.sum(runs, axis=0).tolist() == [43, 35, 93, 21]
    positives, _, negatives, _ = np.transpose(runs)
    rates = {
        "sensitivity": positives / 26,
        "specificity": negatives / 38,
        "accuracy": (positives + negatives) / 64,
    }
    found = {
        name: np.round(mean_and_standard_error(100 * rate, ddof=0), 2)
        for name, rate in rates.items()
    }
    assert found["sensitivity"].tolist() == [55.13, 7.33]
    assert found["specificity"].tolist() == [81.58, 5.41]
    assert found["accuracy"].tolist() == [70.83, 1.53]


def test_what_is_no_decision_is_refused():
    with pytest.raises(
        InputError, match=r"labels: expected the shape of predicted \(3,\), got \(2,\)"
    ):
        decision_counts(np.ones(3), np.ones(2))
    with pytest.raises(InputError, match=r"predicted: expected 0 and 1 .or booleans., got 0.5"):
        decision_counts(np.full(3, 0.5), np.ones(3))
