import jax.numpy as jnp
import numpy as np
import pytest

from cfx_jax.data import resize_labels, resize_slices, slice_indices, to_native_grid
from cfx_jax.errors import InputError

RNG = np.random.default_rng(0)


@pytest.mark.parametrize(
    ("number", "wanted", "expected"),
    [
        (
            41,
            11,
            [4, 7, 10, 13, 16, 19, 22, 25, 28, 31, 34],
        ),  # m = 20, k = 6, d = 3: from 20 - 15 - 1
        (41, 19, list(range(1, 38, 2))),  # m = 20, k = 10, d = 2: from 20 - 18 - 1
        (39, 19, list(range(9, 28))),  # m = 19, d = 1: from 19 - 9 - 1
        (12, 11, list(range(11))),  # m = 6, d = 1: from 6 - 5 - 1
        (20, 19, list(range(19))),
        (11, 11, list(range(11))),
        (19, 19, list(range(19))),
        (19, 11, list(range(3, 14))),  # m = 9, d = 1: from 9 - 5 - 1
        (10, 4, [2, 3, 4, 5]),  # m = 5, k = 3, d = 1: from 5 - 2 - 1
        (9, 1, [3]),  # m = 4, k = 1: from 4 - 0 - 1
    ],
)
def test_slices_are_those_of_the_rule_by_hand(number, wanted, expected):
    assert slice_indices(number, wanted).tolist() == expected


def test_slices_lie_inside_of_every_volume_that_is_large_enough():
    for wanted in range(1, 24):
        least = 2 * (wanted // 2 + 1)
        for number in range(least, 120):
            places = slice_indices(number, wanted)
            assert len(places) == wanted and places[0] >= 0 and places[-1] < number
            assert len(set(np.diff(places).tolist())) <= 1


@pytest.mark.parametrize(("number", "wanted", "least"), [(10, 11, 12), (18, 19, 20), (3, 4, 6)])
def test_volumes_of_too_few_slices_are_refused(number, wanted, least):
    with pytest.raises(
        InputError,
        match=rf"expected {wanted} or at least {least} slices .* {wanted} from, got {number}: ",
    ):
        slice_indices(number, wanted)
    with pytest.raises(InputError, match="wanted: expected an integer of at least 1, got 0"):
        slice_indices(number, 0)


def along(array, axis, length):
    """Linear interpolation between the centres of pixels, written for one axis."""
    number = array.shape[axis]
    places = (np.arange(length) + 0.5) * number / length - 0.5
    return np.apply_along_axis(lambda line: np.interp(places, np.arange(number), line), axis, array)


@pytest.mark.parametrize("size", [(5, 7), (12, 3), (40, 41), (20, 16)])
def test_resizing_is_linear_without_smoothing(size):
    volume = RNG.normal(size=(3, 20, 16)).astype(np.float32)
    resized = resize_slices(volume, size)
    assert resized.dtype == np.float32
    np.testing.assert_allclose(resized, along(along(volume, 1, size[0]), 2, size[1]), atol=1e-5)


def test_shrinking_leaves_pixels_out():
    lines = np.zeros((1, 16, 16), np.float32)
    lines[:, :, ::4] = 1  # between the centres that a quarter of the pixels lie at
    assert not resize_slices(lines, (4, 4)).any()


def test_labels_take_the_nearest_pixel():
    labels = RNG.integers(0, 7, (2, 4, 6)).astype(np.uint8)
    assert resize_labels(labels, (4, 6)).tolist() == labels.tolist()
    np.testing.assert_array_equal(
        resize_labels(labels, (8, 18)), labels.repeat(2, axis=1).repeat(3, axis=2)
    )
    np.testing.assert_array_equal(resize_labels(labels > 3, (4, 2)), labels[:, :, [1, 4]] > 3)
    assert resize_labels(labels, (2, 2)).dtype == np.uint8


def test_native_grid_has_the_slices_at_their_places_and_lines_between():
    saliency = np.arange(1, 4, dtype=np.float32)[:, None, None] * np.ones((1, 2, 3), np.float32)
    native = to_native_grid(saliency, np.array([1, 3, 4]), (7, 4, 6))
    assert native.dtype == np.float32
    np.testing.assert_allclose(
        native, np.array([0, 1, 1.5, 2, 3, 0, 0])[:, None, None] * np.ones((7, 4, 6))
    )


def test_native_grid_of_all_slices_is_the_resized_map():
    saliency = RNG.random((5, 6, 6), np.float32)
    np.testing.assert_array_equal(
        to_native_grid(jnp.asarray(saliency), np.arange(5), (5, 9, 8)),
        resize_slices(saliency, (9, 8)),
    )


@pytest.mark.parametrize("places", [[0, 1], [0, 2, 1], [0, 1, 1], [-1, 0, 1], [0, 1, 4]])
def test_places_that_do_not_fit_are_refused(places):
    with pytest.raises(
        InputError,
        match=r"indices: expected 3 ascending places in 0..3, one for each slice .*, got \[",
    ):
        to_native_grid(np.ones((3, 4, 4), np.float32), np.array(places), (4, 8, 8))


def test_wrong_shapes_are_refused():
    with pytest.raises(
        InputError,
        match=r"volume: expected slices \(s, h, w\), got shape \(2, 4, 4, 1\): leave out the",
    ):
        resize_slices(np.ones((2, 4, 4, 1), np.float32), (8, 8))
    with pytest.raises(
        InputError, match=r"labels: expected slices \(s, h, w\), got shape \(4, 4\): leave out the"
    ):
        resize_labels(np.ones((4, 4), np.uint8), (8, 8))
    for size in ((0, 4), (4,)):
        with pytest.raises(
            InputError, match=r"size: expected \(height, width\) in pixels, both above 0, got \("
        ):
            resize_slices(np.ones((2, 4, 4), np.float32), size)
