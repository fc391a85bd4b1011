"""Organs are found in drawn heads whose brain is known; errors and images without an organ."""

import numpy as np
import pytest

from cfx_jax.data import SyntheticBrain, find_organ
from cfx_jax.errors import InputError

ROWS, COLUMNS = np.mgrid[:64, :64]


def head(centre=(32, 30), *, brain=0.4, scalp=0.9, ventricle=True, bridge=True):
    """A slice of a head, and where its brain is: a scalp that touches the brain at one place."""
    distance = np.hypot((ROWS - centre[0]) / 1.2, COLUMNS - centre[1])
    inside = distance < 18
    image = np.where(inside, brain, 0) + np.where((distance > 21) & (distance < 24), scalp, 0)
    if ventricle:
        image[np.hypot(ROWS - centre[0], COLUMNS - centre[1]) < 4] = 0.02
    if bridge:
        image[centre[0] - 1 : centre[0] + 1, centre[1] + 17 : centre[1] + 22] = brain
    return image[..., None].astype(np.float32), inside


def overlap(one, other):
    return (one & other).sum() / (one | other).sum()


@pytest.mark.parametrize("centre", [(32, 30), (29, 35)])
@pytest.mark.parametrize(("brain", "scalp"), [(0.4, 0.9), (0.6, 0.5), (0.2, 0.25)])
def test_a_brain_is_found_without_its_scalp_and_with_its_ventricles(centre, brain, scalp):
    image, inside = head(centre, brain=brain, scalp=scalp)
    assert overlap(find_organ(image), inside) > 0.95


def test_the_brightness_of_an_image_and_the_channels_of_grey_change_nothing():
    image, _ = head()
    mask = find_organ(image)
    np.testing.assert_array_equal(find_organ(image / 2), mask)
    np.testing.assert_array_equal(find_organ(np.repeat(image, 3, axis=-1)), mask)
    np.testing.assert_array_equal(find_organ(image[:, ::-1]), mask[:, ::-1])


def test_larger_images_give_the_same_organ():
    image, inside = head()
    large = np.kron(image[..., 0], np.ones((3, 3)))[..., None].astype(np.float32)
    assert overlap(find_organ(large), np.kron(inside, np.ones((3, 3), bool))) > 0.95


def test_drawn_slices_of_heads_have_a_brain_within_the_head():
    world = SyntheticBrain(num_images=6, size=64, seed=0)
    for number in range(6):
        item = world[number]
        mask, body = find_organ(item["image"]), np.asarray(item["body_mask"], bool)
        assert mask.any() and (mask & ~body).sum() <= 0.02 * mask.sum()


def test_images_without_a_thick_bright_region_have_no_organ():
    assert not find_organ(np.zeros((64, 64, 1), np.float32)).any()
    thin = np.zeros((64, 64, 1), np.float32)
    thin[:, 30:32] = 1
    assert not find_organ(thin).any()


def test_images_and_shares_that_cannot_be_used_are_named():
    with pytest.raises(InputError, match="image"):
        find_organ(np.zeros((64, 64), np.float32))
    with pytest.raises(InputError, match="thinnest"):
        find_organ(head()[0], thinnest=1.5)
