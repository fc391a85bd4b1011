import numpy as np
import pytest

from cfx_jax.data.sources.resizing import resize

RNG = np.random.default_rng(0)


def weights(before, after):
    """The matrix by which one axis is resized: shares of overlapping areas where it shrinks, else
    linear interpolation.
    """
    if after <= before:
        edges = np.arange(after + 1) * before / after
        pixels = np.arange(before)
        overlap = np.minimum(edges[1:, None], pixels + 1) - np.maximum(edges[:-1, None], pixels)
        return overlap.clip(0) * after / before
    places = ((np.arange(after) + 0.5) * before / after - 0.5).clip(0, before - 1)
    return np.stack([np.interp(places, np.arange(before), row) for row in np.eye(before)], -1)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ((60, 20), (7, 45)),
        ((20, 60), (45, 7)),
        ((60, 20), (7, 20)),
        ((20, 60), (33, 60)),
        ((30, 40), (7, 9)),
        ((9, 7), (30, 40)),
        ((1, 50), (4, 8)),
        ((6, 5), (6, 5)),
    ],
)
@pytest.mark.parametrize("channels", [(), (1,), (3,)])
def test_each_axis_is_averaged_or_interpolated_by_itself(before, after, channels):
    image = RNG.random((*before, *channels), dtype=np.float32)
    expected = np.einsum(
        "Hh,hw...,Ww->HW...", weights(before[0], after[0]), image, weights(before[1], after[1])
    )
    np.testing.assert_allclose(resize(image, after), expected, atol=1e-5)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_whole_numbers_are_rounded_and_keep_their_type(dtype):
    image = RNG.integers(0, np.iinfo(dtype).max, (50, 8, 3)).astype(dtype)
    resized = resize(image, (9, 20))
    assert resized.dtype == dtype
    assert (
        np.abs(resized - np.einsum("Hh,hwc,Ww->HWc", weights(50, 9), image, weights(8, 20))).max()
        <= 1.5
    )


def test_a_thin_line_keeps_its_weight_and_its_place():
    for row in range(100, 110):
        image = np.zeros((220, 10), np.float32)
        image[row : row + 3] = 1
        column = resize(image, (22, 30))[:, 15]
        np.testing.assert_allclose(column.sum(), 0.3, atol=1e-5)
        np.testing.assert_allclose(
            (column * (np.arange(22) + 0.5)).sum() / column.sum(), (row + 1.5) / 10, atol=0.41
        )


@pytest.mark.parametrize("size", [(64, 64), (37, 53), (300, 411), (7, 300)])
def test_no_value_leads_out_of_the_picture_s_own(size):
    """Not by rounding either: an image in [0, 1] stays there."""
    image = RNG.choice([0.0, 1.0, 0.1, 0.7], size=(224, 224, 1), p=[0.3, 0.6, 0.05, 0.05])
    resized = resize(image.astype(np.float32), size)
    assert resized.min() >= 0 and resized.max() <= 1
    white = np.ones((50, 40, 3), np.float32)
    np.testing.assert_array_equal(resize(white, (33, 70)), 1)
