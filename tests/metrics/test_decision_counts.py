"""Counts of decisions by hand, against scikit-learn's confusion matrix, and the published table."""

import numpy as np
import pytest

from cfx_jax.errors import InputError
from cfx_jax.metrics.classification import sensitivity, specificity
from cfx_jax.metrics.decision_counts import DecisionCounts, decision_counts
from cfx_jax.metrics.runs import mean_and_standard_error


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
