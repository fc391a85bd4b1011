"""Metrics against scikit-learn's, written independently of ours."""

import numpy as np
import pytest
import sklearn.metrics as theirs
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.calibration import calibration_curve
from sklearn.metrics.pairwise import paired_cosine_distances, polynomial_kernel
from sklearn.neighbors import NearestNeighbors

from cfx_jax.metrics import (
    accuracy,
    balanced_accuracy,
    brier_score,
    cohen_kappa,
    cosine_distance,
    dice,
    intersection_over_union,
    kernel_distance,
    latent_space_closeness,
    localisation_auc,
    macro_average,
    mask_kappa,
    precision,
    recall,
    reliability_curve,
    roc_auc,
    sensitivity,
    specificity,
)

RNG = np.random.default_rng(0)
LABELS = RNG.random(400) < 0.3
PROBABILITIES = np.clip(0.25 * LABELS + RNG.normal(0.4, 0.2, 400), 0, 1)
CLASSES = RNG.choice(4, 400, p=[0.5, 0.3, 0.15, 0.05])
DECISIONS = np.where(RNG.random(400) < 0.6, CLASSES, RNG.integers(4, size=400))


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(st.integers(-3, 3), st.booleans()), min_size=2, max_size=40))
def test_area_under_the_curve_with_ties(scored):
    scores, labels = (np.asarray(each) for each in zip((0, True), (0, False), *scored, strict=True))
    assert roc_auc(scores, labels) == pytest.approx(theirs.roc_auc_score(labels, scores))


def test_area_under_the_curve_of_probabilities():
    assert roc_auc(PROBABILITIES, LABELS) == pytest.approx(
        theirs.roc_auc_score(LABELS, PROBABILITIES)
    )


def test_brier_score():
    assert brier_score(PROBABILITIES, LABELS).mean() == pytest.approx(
        theirs.brier_score_loss(LABELS, PROBABILITIES)
    )


def test_accuracies_of_several_classes():
    assert accuracy(DECISIONS == CLASSES) == theirs.accuracy_score(CLASSES, DECISIONS)
    expected = theirs.balanced_accuracy_score(CLASSES, DECISIONS)
    assert balanced_accuracy(DECISIONS == CLASSES, CLASSES) == pytest.approx(expected)


def test_sensitivity_and_specificity():
    predicted = PROBABILITIES >= 0.5
    assert sensitivity(predicted, LABELS) == pytest.approx(theirs.recall_score(LABELS, predicted))
    assert specificity(predicted, LABELS) == pytest.approx(
        theirs.recall_score(LABELS, predicted, pos_label=0)
    )


@pytest.mark.parametrize("names", [np.arange(4), np.asarray(["age", "beard", "smile", "bangs"])])
def test_kappa_of_two_raters(names):
    first, second = names[CLASSES], names[DECISIONS]
    assert cohen_kappa(first, second) == pytest.approx(theirs.cohen_kappa_score(first, second))


@pytest.mark.parametrize("num_bins", [1, 5, 20])
def test_reliability_curve(num_bins):
    curve = reliability_curve(PROBABILITIES, LABELS, num_bins=num_bins)
    observed, stated = calibration_curve(LABELS, PROBABILITIES, n_bins=num_bins)
    filled = curve.num_images > 0
    np.testing.assert_allclose(curve.observed[filled], observed)
    np.testing.assert_allclose(curve.stated[filled], stated)


@pytest.mark.parametrize(
    ("ours", "score"),
    [
        (intersection_over_union, theirs.jaccard_score),
        (dice, theirs.f1_score),
        (precision, theirs.precision_score),
        (recall, theirs.recall_score),
        (mask_kappa, theirs.cohen_kappa_score),
        (
            lambda p, t: macro_average(dice, p, t),
            lambda t, p: theirs.f1_score(t, p, average="macro"),
        ),
        (
            lambda p, t: macro_average(intersection_over_union, p, t),
            lambda t, p: theirs.jaccard_score(t, p, average="macro"),
        ),
    ],
    ids=["iou", "dice", "precision", "recall", "kappa", "macro dice", "macro iou"],
)
def test_overlaps_of_masks(ours, score):
    predicted, truth = RNG.random((2, 5, 6, 7)) < 0.4
    expected = [score(t.ravel(), p.ravel()) for p, t in zip(predicted, truth, strict=True)]
    np.testing.assert_allclose(ours(predicted, truth), expected)


def test_localisation_area_is_the_average_precision_where_every_pixel_is_a_threshold():
    values, inside = RNG.permutation(101).astype(float)[None], RNG.random((1, 101)) < 0.3
    expected = theirs.average_precision_score(inside[0], values[0])
    assert localisation_auc(values, inside, lowest=0) == pytest.approx(expected)


def test_kernel_distance_is_made_of_its_polynomial_kernel():
    first, second = RNG.normal(size=(30, 8)), RNG.normal(0.3, 1, size=(20, 8))

    def off_diagonal_mean(one):
        kernel = polynomial_kernel(one, degree=3)
        return (kernel.sum() - np.trace(kernel)) / (len(one) * (len(one) - 1))

    between = polynomial_kernel(first, second, degree=3).mean()
    expected = off_diagonal_mean(first) + off_diagonal_mean(second) - 2 * between
    assert kernel_distance(first, second) == pytest.approx(expected)


def test_cosine_distance():
    first, second = RNG.normal(size=(2, 20, 6))
    np.testing.assert_allclose(
        cosine_distance(first, second), paired_cosine_distances(first, second)
    )


def test_closeness_by_its_nearest_neighbours():
    queries = RNG.normal(size=(50, 3))
    explanations = queries + 0.4 * RNG.normal(size=(50, 3))
    # The nearest explanation is the explanation itself, the second nearest that of another query.
    others = NearestNeighbors(n_neighbors=2).fit(explanations).kneighbors(explanations)[0][:, 1]
    expected = np.linalg.norm(queries - explanations, axis=1) < others
    assert 0.1 < expected.mean() < 0.9
    np.testing.assert_array_equal(latent_space_closeness(queries, explanations), expected)
