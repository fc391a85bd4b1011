"""Accuracy and balanced accuracy by hand."""

import numpy as np
import pytest

from cfx_jax.errors import InputError
from cfx_jax.metrics import accuracy, balanced_accuracy, balanced_weights


def test_balanced_accuracy_weighs_classes_equally():
    labels = np.asarray([0, 0, 0, 1])
    correct = np.asarray([True, True, False, True])
    assert accuracy(correct) == 0.75
    assert balanced_accuracy(correct, labels) == pytest.approx((2 / 3 + 1) / 2)


def test_classes_without_images_do_not_count():
    assert balanced_accuracy(np.asarray([True, False]), np.asarray([2, 2])) == 0.5


def test_no_images_and_different_lengths_are_refused():
    with pytest.raises(InputError, match="expected at least one image"):
        accuracy(np.zeros(0, bool))
    with pytest.raises(InputError, match=r"expected the shape of correct \(2,\), got \(3,\)"):
        balanced_accuracy(np.ones(2, bool), np.zeros(3, int))


def test_the_weighted_mean_is_the_balanced_accuracy():
    rng = np.random.default_rng(3)
    labels, correct = rng.choice([0, 2, 5], 50, p=[0.7, 0.2, 0.1]), rng.random(50) < 0.6
    weights = balanced_weights(labels)
    assert np.isclose(weights.mean(), 1)
    assert np.isclose(np.mean(weights * correct), balanced_accuracy(correct, labels))


def test_weights_of_no_image_are_refused():
    with pytest.raises(InputError, match="expected at least one image"):
        balanced_weights(np.zeros(0, int))
