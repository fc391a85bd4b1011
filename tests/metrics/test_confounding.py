"""Confounding by hand-computed tables."""

import numpy as np
import pytest

from cfx_jax.errors import InputError
from cfx_jax.metrics import Confounding, class_discrimination_matrix, confounding


def test_three_of_ten_changed_is_three_tenths():
    attribute = np.asarray([1, 1, 1, 1, 1, 0, 0, 0, 0, 0])
    explained = np.asarray([1, 1, 1, 1, 0, 0, 0, 0, 1, 1])
    assert confounding(attribute, explained, np.zeros(10, int)) == {0: Confounding(0.6, 0.3, 10)}


def test_each_target_is_counted_by_itself():
    attribute = np.asarray([True, False, True, False])
    explained = np.asarray([True, True, False, False])
    found = confounding(attribute, explained, np.asarray(["smile", "smile", "smile", "none"]))
    assert list(found) == ["none", "smile"]
    assert found["none"] == Confounding(0, 0, 1)
    assert found["smile"] == pytest.approx(Confounding(2 / 3, 2 / 3, 3))


def test_matrix_by_hand():
    """Two queries, three labels; the first target's explainer flips its own label, and once the
    third.
    """
    before = np.asarray([[0.9, 0.2, 0.6], [0.1, 0.8, 0.7]])
    first = np.asarray([[0.1, 0.1, 0.4], [0.9, 0.9, 0.9]])
    second = np.asarray([[0.9, 0.7, 0.6], [0.1, 0.8, 0.5]])
    matrix = class_discrimination_matrix(before, np.stack([first, second]))
    np.testing.assert_array_equal(matrix, [[1, 0, 0.5], [0, 0.5, 0]])


def test_reconstructions_flip_nothing():
    before = np.random.default_rng(0).random((20, 5))
    np.testing.assert_array_equal(
        class_discrimination_matrix(before, np.stack([before] * 5)), np.zeros((5, 5))
    )


def test_what_does_not_match_is_refused():
    ones = np.ones(2)
    with pytest.raises(
        InputError, match=r"explained: expected the shape of attribute \(2,\), got \(3,\)"
    ):
        confounding(ones, np.ones(3), ones)
    with pytest.raises(
        InputError, match=r"targets: expected the shape of attribute \(2,\), got \(3,\)"
    ):
        confounding(ones, ones, np.ones(3))
    with pytest.raises(InputError, match=r"explained: expected 0 and 1 \(or booleans\), got 0.7"):
        confounding(ones, np.asarray([0.7, 1]), ones)
    with pytest.raises(
        InputError,
        match=r"after: expected \(targets, n, k\) with before \(n, k\).* got shapes \(2, 3\)",
    ):
        class_discrimination_matrix(np.ones((2, 3)), np.ones((2, 3)))
    with pytest.raises(InputError, match=r"after: expected probabilities in \[0, 1\]"):
        class_discrimination_matrix(np.ones((2, 3)), 2 * np.ones((1, 2, 3)))
