import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cfx_jax.data import split, split_patients
from cfx_jax.errors import InputError

PAPER = {"train": 0.75, "val": 0.15, "temperature": 0.04, "test": 0.06}  # Boreiko et al. 2022


def labels_of_shape(*counts):
    return np.random.default_rng(0).permutation(np.repeat(np.arange(len(counts)), counts))


@settings(max_examples=60, deadline=None)
@given(
    counts=st.lists(st.integers(30, 200), min_size=1, max_size=4),
    weights=st.lists(st.integers(1, 9), min_size=1, max_size=4),
    seed=st.integers(0, 5),
)
def test_parts_are_disjoint_complete_and_stratified(counts, weights, seed):
    labels = labels_of_shape(*counts)
    fractions = {str(i): w / sum(weights) for i, w in enumerate(weights)}
    parts = split(labels, fractions, seed=seed)
    np.testing.assert_array_equal(
        np.sort(np.concatenate(list(parts.values()))), np.arange(len(labels))
    )
    for name, items in parts.items():
        for label, count in enumerate(counts):
            assert abs((labels[items] == label).sum() - fractions[name] * count) < 1


@settings(max_examples=60, deadline=None)
@given(counts=st.lists(st.integers(40, 90), min_size=2, max_size=8), share=st.floats(0.1, 0.9))
def test_rounding_errors_of_classes_do_not_add_up(counts, share):
    labels = labels_of_shape(*counts)
    parts = split(labels, {"a": share, "b": 1 - share}, seed=0)
    assert abs(len(parts["a"]) - share * len(labels)) < 1 + 1e-6


def test_paper_shares():
    parts = split(labels_of_shape(800, 200), PAPER, seed=0)
    assert {name: len(items) for name, items in parts.items()} == {
        "train": 750,
        "val": 150,
        "temperature": 40,
        "test": 60,
    }


def test_the_rest_is_left_out_where_shares_sum_to_less_than_one():
    labels = labels_of_shape(100, 100)
    parts = split(labels, {"train": 0.5, "test": 0.1}, seed=0)
    assert len(parts["train"]) == 100 and len(parts["test"]) == 20
    assert not set(parts["train"]) & set(parts["test"])


def test_same_seed_same_split_and_other_seed_another():
    labels = labels_of_shape(50, 50)
    one, same, other = (split(labels, {"a": 0.5, "b": 0.5}, seed=s)["a"] for s in (1, 1, 2))
    np.testing.assert_array_equal(one, same)
    assert (one != other).any()


def test_every_item_is_as_likely_in_a_part():
    labels = labels_of_shape(6, 6)
    times = sum(
        np.bincount(split(labels, {"a": 0.5, "b": 0.5}, seed=s)["a"], minlength=12)
        for s in range(400)
    )
    assert abs(times - 200).max() < 5 * 10  # five standard deviations of a binomial(400, 1/2)


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 100), data=st.data())
def test_groups_are_never_divided(seed, data):
    rng = np.random.default_rng(seed)
    groups = rng.integers(0, 60, 240)
    labels = rng.integers(0, 3, 240)
    parts = split(labels, {"train": 0.7, "test": 0.3}, seed=seed, groups=groups)
    assert not set(groups[parts["train"]]) & set(groups[parts["test"]])
    np.testing.assert_array_equal(np.sort(np.concatenate(list(parts.values()))), np.arange(240))


def test_groups_are_stratified_as_nearly_as_they_allow():
    groups = np.repeat(np.arange(100), 2)  # two eyes
    labels = np.repeat(np.arange(100) < 20, 2).astype(int)
    parts = split(labels, {"train": 0.7, "val": 0.1, "test": 0.2}, seed=3, groups=groups)
    assert {n: (len(i), labels[i].sum()) for n, i in parts.items()} == {
        "train": (140, 28),
        "val": (20, 4),
        "test": (40, 8),
    }


def test_groups_can_be_named_by_text():
    groups = ["ann", "bob", "ann", "eve"]
    parts = split(np.array([0, 0, 0, 0]), {"a": 0.5, "b": 0.5}, seed=0, groups=groups)
    assert sorted(len(items) for items in parts.values()) == [2, 2]
    assert [0, 2] in [items.tolist() for items in parts.values()]


@pytest.mark.parametrize(
    ("fractions", "message"),
    [
        ({}, "fractions: expected shares above 0 that sum to at most 1"),
        ({"a": 0.8, "b": 0.3}, "sum to at most 1, got {'a': 0.8, 'b': 0.3}"),
        ({"a": 0.8, "b": 0.0}, "fractions: expected shares above 0"),
        ({"a": 0.99, "b": 0.01}, "split 'b' would be empty: its share is 0.01 of 20 items"),
    ],
)
def test_wrong_fractions_are_explained(fractions, message):
    with pytest.raises(InputError, match=message):
        split(labels_of_shape(20), fractions, seed=0)


@pytest.mark.parametrize("labels", [np.zeros(3), np.zeros((2, 2), int), np.array([], int)])
def test_wrong_labels_are_explained(labels):
    with pytest.raises(InputError, match="labels: expected a non-empty vector of integers"):
        split(labels, {"a": 1.0}, seed=0)


def test_wrong_number_of_groups_is_explained():
    with pytest.raises(InputError, match="groups: expected one for each of the 4 items, got shape"):
        split(labels_of_shape(4), {"a": 1.0}, seed=0, groups=[1, 2, 3])


def test_negative_seed_is_refused():
    with pytest.raises(InputError, match="seed: expected 0 or more, got -1"):
        split(labels_of_shape(4), {"a": 1.0}, seed=-1)


PATIENTS = np.repeat(
    [f"BRATS_{number:03d}" for number in range(484)], np.random.default_rng(0).integers(1, 5, 484)
)
SHARES = {"train": 363 / 484, "validation": 48 / 484, "test": 73 / 484}


def test_parts_have_their_number_of_patients_and_share_none():
    parts = split_patients(PATIENTS, SHARES, seed=0)
    patients = [set(PATIENTS[items]) for items in parts.values()]
    assert [len(each) for each in patients] == [363, 48, 73]
    assert len(set.union(*patients)) == 484
    np.testing.assert_array_equal(
        np.sort(np.concatenate([*parts.values()])), np.arange(len(PATIENTS))
    )


def test_seed_fixes_the_split_by_patients():
    one, same, other = (split_patients(PATIENTS, SHARES, seed=seed)["test"] for seed in (1, 1, 2))
    np.testing.assert_array_equal(one, same)
    assert not np.array_equal(one, other)


def test_impossible_shares_of_patients_are_refused():
    with pytest.raises(
        InputError, match="fractions: expected shares above 0 that sum to at most 1"
    ):
        split_patients(PATIENTS, {"train": 0.9, "test": 0.2}, seed=0)
    with pytest.raises(InputError, match="split 'b' would be empty"):
        split_patients(["p", "p"], {"a": 0.5, "b": 0.5}, seed=0)
