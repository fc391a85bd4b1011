"""Agreement and scores of human studies: tables by hand, published examples, pairs one by one."""

from itertools import combinations

import numpy as np
import pytest

from cfx_jax.errors import InputError
from cfx_jax.metrics import (
    agreement_word,
    cohen_kappa,
    count_votes,
    fleiss_kappa,
    majority_vote,
    score_votes,
    score_votes_by_category,
)

RNG = np.random.default_rng(0)


def test_cohen_by_hand():
    """20 yes/yes, 5 yes/no, 10 no/yes, 15 no/no: agreement 0.7 against 0.5 by chance."""
    first = np.repeat([1, 1, 0, 0], [20, 5, 10, 15])
    second = np.repeat([1, 0, 1, 0], [20, 5, 10, 15])
    assert cohen_kappa(first, second) == pytest.approx(0.4)


def test_cohen_bounds_and_names():
    names = np.asarray(["smile", "hair", "smile", "age"])
    assert cohen_kappa(names, names) == 1
    assert cohen_kappa(np.asarray([0, 1]), np.asarray([1, 0])) == -1
    assert np.isnan(cohen_kappa(np.ones(3), np.ones(3)))
    assert cohen_kappa(np.ones(3), np.asarray([1, 1, 0])) == 0


def test_cohen_of_strangers_is_about_zero():
    assert abs(cohen_kappa(RNG.integers(4, size=20_000), RNG.integers(4, size=20_000))) < 0.02


@pytest.mark.parametrize(
    ("counts", "expected"),
    [
        ([[8, 0], [0, 8]], 1),
        ([[4, 4], [4, 4]], -1 / 7),
        ([[6, 2], [2, 6], [8, 0], [0, 8]], 4 / 7),
        ([[8, 0], [7, 1], [8, 0], [7, 1]], -1 / 15),
    ],
)
def test_fleiss_by_hand(counts, expected):
    assert fleiss_kappa(np.asarray(counts)) == pytest.approx(expected)


def test_fleiss_of_the_published_table():
    """The worked example of the psychiatric-diagnosis layout: 10 items, 14 raters, 5 categories,
    kappa 0.210.
    """
    rows = ["0 0 0 0 14", "0 2 6 4 2", "0 0 3 5 6", "0 3 9 2 0", "2 2 8 1 1"]
    rows += ["7 7 0 0 0", "3 2 6 3 0", "2 5 3 2 2", "6 5 2 1 0", "0 2 2 3 7"]
    counts = np.asarray([[int(each) for each in row.split()] for row in rows])
    assert fleiss_kappa(counts) == pytest.approx(0.210, abs=5e-4)


def test_fleiss_is_built_from_pairs_of_raters():
    votes = RNG.integers(3, size=(25, 5))
    agreement = np.mean([votes[:, i] == votes[:, j] for i, j in combinations(range(5), 2)])
    chance = sum(np.mean(votes == each) ** 2 for each in range(3))
    kappa = fleiss_kappa(count_votes(votes, num_categories=3))
    assert kappa == pytest.approx((agreement - chance) / (1 - chance))


def test_fleiss_is_undefined_for_one_category():
    assert np.isnan(fleiss_kappa(np.asarray([[8, 0], [8, 0]])))


def test_votes_are_counted_by_category():
    np.testing.assert_array_equal(
        count_votes(np.asarray([[0, 2, 2], [1, 1, 0]]), num_categories=4),
        [[1, 0, 2, 0], [1, 2, 0, 0]],
    )


def test_majority_and_ties():
    winners = majority_vote(np.asarray([[5, 3], [4, 4], [0, 8], [0, 0]]))
    np.testing.assert_array_equal(winners, [0, -1, 1, -1])
    counts = np.asarray([[8, 0], [7, 1], [8, 0], [7, 1]])
    assert (majority_vote(counts) == 0).all()
    assert fleiss_kappa(counts) < 0, "full accuracy of the majority does not make kappa high"


def test_what_cannot_be_counted_is_refused():
    with pytest.raises(
        InputError, match=r"same number of raters, at least 2, for each item, got 3 to 8"
    ):
        fleiss_kappa(np.asarray([[8, 0], [2, 1]]))
    with pytest.raises(InputError, match="at least 2, for each item, got 1 to 1"):
        fleiss_kappa(np.asarray([[1, 0], [0, 1]]))
    with pytest.raises(
        InputError,
        match=r"whole numbers of votes \(n, k\), got float64 of shape \(2, 2\): use count_votes",
    ):
        majority_vote(np.ones((2, 2)))
    with pytest.raises(
        InputError, match=r"votes: expected integers in 0..1, got int64 in \[0, 2\]"
    ):
        count_votes(np.asarray([[0, 2]]), num_categories=2)
    with pytest.raises(InputError, match=r"votes: expected integers in 0..1, got dtype float64"):
        count_votes(np.asarray([[0.0, 1.0]]), num_categories=2)
    with pytest.raises(
        InputError,
        match=r"votes: expected one category for each item and rater .* got shape \(3,\)",
    ):
        count_votes(np.zeros(3, int), num_categories=2)
    with pytest.raises(InputError, match=r"second: expected the shape of first \(2,\), got \(3,\)"):
        cohen_kappa(np.ones(2), np.ones(3))
    with pytest.raises(
        InputError, match=r"num_categories: expected an integer of at least 1, got 2\.5"
    ):
        count_votes(np.zeros((2, 2), int), num_categories=2.5)
    with pytest.raises(InputError, match=r"votes: expected integers in 0\.\.1, got dtype <U1"):
        count_votes(np.asarray([["0", "1"]]), num_categories=2)


VOTES = np.asarray([0, 1, 1, 0])


@pytest.mark.parametrize(
    ("second", "message"),
    [
        (
            VOTES.astype(str),
            "second: expected numbers, as first has, got names: convert them to one kind",
        ),
        (
            ["0", 1, 1, 0],
            "second: expected categories that are all whole numbers or all names, got '0'",
        ),
        ([0, 1, 0.7, 0], "all whole numbers or all names, got 0.7"),
        ([0, 1, np.inf, 0], "all whole numbers or all names, got inf"),
        (
            [0, 1, np.nan, np.nan],
            "expected a category for every item, got NaN or None for 2: leave these out",
        ),
        (np.asarray([0, 1, None, 0], object), "got NaN or None for 1: leave these out"),
    ],
)
def test_categories_that_are_never_equal_are_refused(second, message):
    with pytest.raises(InputError, match=message):
        cohen_kappa(VOTES, second)


@pytest.mark.parametrize(
    "same", [VOTES.tolist(), VOTES.astype(bool), VOTES.astype(float), VOTES.astype(object)]
)
def test_the_same_numbers_agree_in_any_dtype(same):
    assert cohen_kappa(VOTES, same) == 1


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
