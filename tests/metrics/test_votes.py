"""Scores of human studies by hand-counted votes."""

import numpy as np
import pytest

from cfx_jax.errors import InputError
from cfx_jax.metrics.votes import agreement_word, score_votes, score_votes_by_category


def rows(*counts):
    """Votes of 8 raters for two options, from how many chose the second."""
    return np.asarray([[0] * (8 - ones) + [1] * ones for ones in counts])


def test_full_agreement_on_the_truth():
    found = score_votes(rows(0, 8), np.asarray([0, 1]), num_options=2)
    assert found == (1, 0, 1, "almost perfect", 2, 8)


def test_ties_are_wrong_whatever_the_truth():
    for truth in (0, 1):
        found = score_votes(rows(4, 4), np.asarray([truth, truth]), num_options=2)
        assert (found.accuracy, found.ties, found.agreement) == (0, 1, "poor")
        assert found.kappa == pytest.approx(-1 / 7)


def test_a_right_majority_with_a_kappa_near_zero():
    found = score_votes(rows(0, 1, 0, 1), np.zeros(4, int), num_options=2)
    assert found.accuracy == 1
    assert found.kappa == pytest.approx(-1 / 15)
    assert np.isnan(score_votes(rows(0, 0), np.zeros(2, int), num_options=2).kappa)


def test_the_most_votes_decide_among_several_options():
    votes = np.asarray([[0, 1, 1, 2], [3, 3, 2, 2], [3, 0, 3, 3]])
    found = score_votes(votes, np.asarray([1, 3, 0]), num_options=4)
    assert found.accuracy == pytest.approx(1 / 3)
    assert found.ties == pytest.approx(1 / 3)
    assert (found.num_items, found.num_raters) == (3, 4)


def test_categories_are_scored_by_themselves():
    votes, truth = rows(1, 7, 3, 4, 6), np.asarray([0, 1, 1, 0, 1])
    names = np.asarray(["hard", "easy", "hard", "hard", "easy"])
    found = score_votes_by_category(votes, truth, names, num_options=2)
    assert list(found) == ["easy", "hard"]
    assert (found["easy"].accuracy, found["easy"].num_items) == (1, 2)
    assert found["hard"].accuracy == pytest.approx(1 / 3)
    assert found["hard"].ties == pytest.approx(1 / 3)
    assert found["easy"] == score_votes(rows(7, 6), np.asarray([1, 1]), num_options=2)
    whole = score_votes(votes, truth, num_options=2)
    assert whole.accuracy == pytest.approx(
        sum(each.accuracy * each.num_items for each in found.values()) / 5
    )


def test_words_of_the_published_table():
    """Kappas of the paper's table 4 and the ends of the bands."""
    words = {
        0.41: "moderate",
        0.31: "fair",
        0.51: "moderate",
        0.28: "fair",
        0.14: "slight",
        0.02: "slight",
    }
    words |= {
        -0.2: "poor",
        0.0: "poor",
        0.2: "slight",
        0.6: "moderate",
        0.61: "substantial",
        0.8: "substantial",
    }
    words |= {
        0.81: "almost perfect",
        1.0: "almost perfect",
        0.404: "fair",
        0.406: "moderate",
        np.nan: "undefined",
    }
    assert {kappa: agreement_word(kappa) for kappa in words} == words


def test_what_cannot_be_scored_is_refused():
    votes = rows(1, 2)
    with pytest.raises(
        InputError, match="truth: expected the right option of each of the 2 items, got 3"
    ):
        score_votes(votes, np.zeros(3, int), num_options=2)
    with pytest.raises(InputError, match=r"truth: expected a class in 0\.\.1, got 2"):
        score_votes(votes, np.asarray([0, 2]), num_options=2)
    with pytest.raises(
        InputError, match=r"votes: expected integers in 0\.\.2, got int64 in \[0, 3\]"
    ):
        score_votes(3 * votes, np.zeros(2, int), num_options=3)
    with pytest.raises(InputError, match="num_options: expected an integer of at least 2, got 1"):
        score_votes(0 * votes, np.zeros(2, int), num_options=1)
    with pytest.raises(
        InputError, match="same number of raters, at least 2, for each item, got 1 to 1"
    ):
        score_votes(votes[:, :1], np.zeros(2, int), num_options=2)
    with pytest.raises(
        InputError, match="categories: expected one for each item, got 1 with 2 items and 2 truths"
    ):
        score_votes_by_category(votes, np.zeros(2, int), np.asarray(["easy"]), num_options=2)
