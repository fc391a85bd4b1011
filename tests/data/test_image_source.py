import numpy as np
import pytest

from cfx_jax.data import check_indices, labels_of, load_arrays, training_batches
from cfx_jax.errors import InputError


class Counting:
    """Item i holds the number i; images of odd items can be made taller."""

    class_names = ("even", "odd")

    def __init__(self, tall_odd=False, extra_on=None):
        self.reads, self.tall_odd, self.extra_on = 0, tall_odd, extra_on

    def __len__(self):
        return 10

    def __getitem__(self, index):
        self.reads += 1
        height = 5 if self.tall_odd and index % 2 else 4
        item = {
            "image": np.full((height, 3, 1), index / 10, np.float32),
            "label": index % 2,
            "path": "x" * index,
            "factors": {"age": index * 1.5, "eye": index},
        }
        return {**item, "more": 1} if index == self.extra_on else item


def test_load_arrays_keeps_the_order_of_the_indices():
    arrays = load_arrays(Counting(), np.array([7, 2, 2, 9]))
    np.testing.assert_array_equal(arrays["image"][:, 0, 0, 0], np.float32([0.7, 0.2, 0.2, 0.9]))
    np.testing.assert_array_equal(arrays["label"], [1, 0, 0, 1])
    assert arrays["image"].shape == (4, 4, 3, 1) and arrays["image"].dtype == np.float32


def test_load_arrays_stacks_text_and_nested_fields():
    arrays = load_arrays(Counting(), np.array([3, 8]))
    assert list(arrays["path"]) == ["xxx", "xxxxxxxx"]
    np.testing.assert_array_equal(arrays["factors"]["age"], [4.5, 12.0])
    np.testing.assert_array_equal(arrays["factors"]["eye"], [3, 8])


def test_load_arrays_takes_only_the_fields_asked_for():
    assert list(load_arrays(Counting(), np.arange(3), fields=["label"])) == ["label"]


def test_progress_changes_nothing():
    quiet, shown = (load_arrays(Counting(), np.arange(4), progress=p) for p in (False, True))
    np.testing.assert_array_equal(quiet["image"], shown["image"])


def test_the_number_of_threads_changes_nothing_and_is_checked():
    one, three = (
        load_arrays(Counting(), np.array([7, 2, 9]), num_threads=number) for number in (1, 3)
    )
    np.testing.assert_array_equal(one["image"], three["image"])
    with pytest.raises(InputError, match="num_threads"):
        load_arrays(Counting(), np.arange(3), num_threads=0)


def test_unknown_field_lists_the_fields():
    with pytest.raises(
        InputError, match="fields: expected some of image, label, path, factors, got 'lesions'"
    ):
        load_arrays(Counting(), np.arange(3), fields=["lesions"])


def test_differing_shapes_name_the_item():
    with pytest.raises(
        InputError, match=r"item 1: expected image of shape \(4, 3, 1\).*got \(5, 3, 1\)"
    ):
        load_arrays(Counting(tall_odd=True), np.arange(2))


def test_differing_fields_name_the_item():
    with pytest.raises(
        InputError, match=r"item 1: expected the fields image, label, path, factors.*more"
    ):
        load_arrays(Counting(extra_on=1), np.arange(2))


@pytest.mark.parametrize(
    ("indices", "message"),
    [
        (np.array([], int), "non-empty vector of integer positions"),
        (np.array([0.0, 1.0]), "got shape .2,. of float64"),
        (np.array([True, False]), "of bool"),
        (np.zeros((2, 2), int), r"got shape \(2, 2\)"),
        (np.array([0, 10]), r"expected positions in 0..9, got 0..10"),
        (np.array([-1, 3]), r"expected positions in 0..9, got -1..3"),
    ],
)
def test_wrong_indices_are_explained(indices, message):
    with pytest.raises(InputError, match=message):
        check_indices(Counting(), indices)


def test_labels_are_read_from_the_items_where_the_source_does_not_hold_them():
    source = Counting()
    np.testing.assert_array_equal(labels_of(source), [0, 1] * 5)
    assert source.reads == 10


def test_labels_of_the_source_spare_reading():
    source = Counting()
    source.labels = np.arange(10) % 2
    np.testing.assert_array_equal(labels_of(source), [0, 1] * 5)
    assert source.reads == 0


def test_label_without_a_class_is_explained():
    source = Counting()
    source.class_names = ("even",)
    with pytest.raises(InputError, match=r"label: expected 0..0 for the classes even, got 1"):
        labels_of(source)


class Own:
    """A source of one's own, with labels as given."""

    class_names = ("absent", "present")

    def __init__(self, labels, *, known):
        self.given = labels
        if known:
            self.labels = labels

    def __len__(self):
        return 4

    def __getitem__(self, index):
        return {"image": np.zeros((4, 4, 1), np.float32), "label": self.given[index]}


@pytest.mark.parametrize("known", [False, True])
@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (
            [0, 1, 0.7, 0.4],
            "label: expected 0..1 for the classes absent, present, got 0.7: correct",
        ),
        (np.float32([0, 1, np.nan, 1]), "label: expected 0..1 .*, got nan"),
        ([0, 1, np.inf, 1], "label: expected 0..1 .*, got inf"),
        (["0", "1", "0", "1"], "label: expected 0..1 .*, got '0'"),
        ([0, 1, "present", 1], "label: expected 0..1 .*, got '0'|got 'present'"),
        ([0, 1, None, 1], "label: expected 0..1 .*, got None"),
        ([0, 1, 2, 1], "label: expected 0..1 .*, got 2"),
        ([0, 1, -1, 1], "label: expected 0..1 .*, got -1"),
        (
            [[0], [1], [0], [1]],
            r"label: expected one class for each item, got labels of shape \(4, 1\)",
        ),
        ([[0], [1, 0], [0], [1]], "label: expected one class for each item"),
        ([0, 1j, 0, 1], "label: expected 0..1 .*, got "),
    ],
)
def test_labels_that_are_no_whole_numbers_of_classes_are_refused(labels, known, message):
    source = Own(labels, known=known)
    with pytest.raises(InputError, match=message):
        labels_of(source)
    with pytest.raises(InputError, match=message):
        next(
            training_batches(
                source, np.arange(4), batch_size=4, seed=0, balanced=False, num_threads=0
            )
        )


@pytest.mark.parametrize(
    "labels", [[0.0, 1.0, 0.0, 1.0], np.uint8([0, 1, 0, 1]), [False, True, False, True]]
)
def test_whole_numbers_of_any_type_are_labels(labels):
    found = labels_of(Own(labels, known=True))
    assert np.issubdtype(found.dtype, np.integer)
    np.testing.assert_array_equal(found, [0, 1, 0, 1])


def test_each_item_has_one_label():
    with pytest.raises(
        InputError, match="labels: expected one for each of the source's 4 items, got 3: correct"
    ):
        labels_of(Own([0, 1, 0], known=True))


def test_label_of_a_later_item_is_checked_as_it_is_read():
    source = Own([0, 1, 0, 1], known=True)
    source.given = [0, 1, 0, 0.7]
    batches = training_batches(
        source, np.arange(4), batch_size=1, seed=0, balanced=False, num_threads=0
    )
    with pytest.raises(InputError, match=r"label: expected 0..1 .*, got 0.7"):
        for _ in range(4):
            next(batches)


def test_items_of_another_kind_of_number_are_not_cut_to_the_first_ones():
    source = Own([0, 0.7, 1, 1], known=True)
    with pytest.raises(
        InputError, match="item 1: expected label of type int64, as the first item has, got float64"
    ):
        load_arrays(source, np.arange(4))


def test_whole_numbers_that_a_smaller_type_cannot_hold_are_not_cut_to_it():
    """NumPy would make 44 of 300, and 127 of -129."""
    source = Own([0, 1, 1, 1], known=True)
    for small, large in ((np.uint8, np.uint16(300)), (np.int8, np.int64(-129))):
        source.given = [small(0), large.dtype.type(1), large, 1]
        assert load_arrays(source, np.arange(2))["label"].tolist() == [0, 1]
        with pytest.raises(InputError, match="item 2: expected label of type"):
            load_arrays(source, np.arange(4))
