import numpy as np
import pytest

from cfx_jax.data.sample_order import SampleOrder, balanced_epoch
from cfx_jax.errors import InputError

LABELS = np.array([0] * 10 + [1] * 4 + [2] * 7)


def order(labels=LABELS, seed=3, balanced=True):
    return SampleOrder(labels, seed=seed, balanced=balanced)


def test_balanced_epoch_alternates_the_classes():
    items = balanced_epoch(LABELS, np.random.default_rng(0))
    np.testing.assert_array_equal(LABELS[items], [0, 1, 2] * 10)


def test_balanced_epoch_holds_every_item_and_the_largest_class_once():
    items = balanced_epoch(LABELS, np.random.default_rng(0))
    times = np.bincount(items, minlength=len(LABELS))
    assert (times >= 1).all() and (times[LABELS == 0] == 1).all()


def test_missing_classes_do_not_disturb_the_alternation():
    labels = np.array([0, 5, 5, 0, 5])
    np.testing.assert_array_equal(
        labels[balanced_epoch(labels, np.random.default_rng(0))], [0, 5] * 3
    )


def test_unbalanced_epoch_is_a_permutation():
    items = order(balanced=False).items(0, len(LABELS))
    np.testing.assert_array_equal(np.sort(items), np.arange(len(LABELS)))


@pytest.mark.parametrize("balanced", [True, False])
def test_each_epoch_is_shuffled_anew(balanced):
    sequence = order(balanced=balanced)
    length = sequence.epoch_length
    first, second = sequence.items(0, length), sequence.items(length, length)
    assert (first != second).any()
    np.testing.assert_array_equal(np.unique(first), np.unique(second))


def test_any_position_can_be_read_alone():
    sequence = order()
    whole = sequence.items(0, 100)
    np.testing.assert_array_equal(order().items(57, 30), whole[57:87])
    np.testing.assert_array_equal(np.concatenate([sequence.items(i, 1) for i in range(100)]), whole)


def test_same_seed_same_order_and_other_seed_another():
    np.testing.assert_array_equal(order().items(0, 60), order().items(0, 60))
    assert (order(seed=4).items(0, 60) != order().items(0, 60)).any()


def test_augmentation_numbers_depend_on_the_position_only():
    one, same, other = (order().generator(p).random() for p in (5, 5, 6))
    assert one == same != other


def test_one_class_cannot_be_balanced():
    with pytest.raises(
        InputError, match="two classes or more, got 3 items of class 1: give balanced=False"
    ):
        order(labels=np.array([1, 1, 1]))


def test_negative_seed_is_refused():
    with pytest.raises(InputError, match="seed: expected 0 or more, got -1"):
        order(seed=-1)
