"""Sizes of hearts and chests drawn as rectangles and ellipses."""

import numpy as np
import pytest

from cfx_jax.errors import InputError
from cfx_jax.metrics import heart_size


def box(top, bottom, left, right, side=40):
    mask = np.zeros((side, side), bool)
    mask[top:bottom, left:right] = True
    return mask


LUNGS = box(5, 35, 4, 14) | box(8, 30, 24, 36)


def test_rectangles_by_hand():
    found = heart_size(box(20, 30, 12, 28), LUNGS)
    assert found.area == pytest.approx(10 * 16 / (30 * 32))
    assert found.cardiothoracic_ratio == pytest.approx(16 / 32)


def test_an_ellipse_fills_its_share_of_the_box():
    rows, columns = np.mgrid[:200, :200] + 0.5
    heart = ((rows - 120) / 30) ** 2 + ((columns - 100) / 50) ** 2 < 1
    lungs = box(0, 200, 0, 200, side=200)
    found = heart_size(heart, lungs)
    assert found.area == pytest.approx(np.pi * 30 * 50 / 200**2, rel=0.01)
    assert found.cardiothoracic_ratio == pytest.approx(0.5)


def test_the_scale_of_the_image_does_not_matter():
    small, large = (
        heart_size(*(np.kron(mask, np.ones((k, k))) for mask in (box(9, 20, 3, 30), LUNGS)))
        for k in (1, 3)
    )
    np.testing.assert_allclose(small, large)


def test_a_heart_that_moves_and_lungs_that_fill_up_keep_their_size():
    assert heart_size(box(20, 30, 12, 28), LUNGS) == heart_size(
        box(22, 32, 10, 26), box(5, 35, 4, 36)
    )


def test_what_is_missing():
    nothing = np.zeros((40, 40))
    batch = heart_size(np.stack([nothing, LUNGS, nothing]), np.stack([LUNGS, nothing, nothing]))
    for measure in batch:
        np.testing.assert_array_equal(measure, [0, np.nan, np.nan])


def test_masks_that_do_not_fit_are_refused():
    with pytest.raises(
        InputError, match=r"lungs: expected the shape of heart \(40, 40\), got \(4, 4\)"
    ):
        heart_size(LUNGS, np.ones((4, 4)))
    with pytest.raises(
        InputError, match="heart: expected a mask of 0 and 1, got other values: threshold it first"
    ):
        heart_size(0.3 * LUNGS, LUNGS)
