import numpy as np
import pytest

from cfx_jax.data.fundus import Circle, crop_mask, crop_to_circle
from cfx_jax.data.fundus.crop import eye_mask
from cfx_jax.errors import InputError

RNG = np.random.default_rng(0)
CIRCLES = [
    Circle(31.3, 24.8, 20.4),
    Circle(30.0, 25.0, 12.5),
    Circle(5.2, 45.1, 22.0),
    Circle(29.5, 24.5, 60.0),
]
SHAPE = (50, 60)


def colours(grey):
    return np.clip(np.round(grey), 0, 255).astype(np.uint8)[..., None].repeat(3, -1)


def test_a_square_that_is_the_image_is_kept_as_it_is_inside_of_the_disc():
    image = RNG.integers(0, 256, (32, 32, 3), np.uint8)
    cropped, mask = crop_to_circle(image, Circle(15.5, 15.5, 16.0), size=32)
    np.testing.assert_array_equal(cropped[mask], image[mask])
    assert (cropped[~mask] == 0).all()


@pytest.mark.parametrize("size", [8, 20, 64])
@pytest.mark.parametrize("circle", CIRCLES[:2])
def test_a_plane_is_sampled_at_the_centres_of_the_new_pixels(circle, size):
    rows, columns = np.mgrid[:50, :60]
    cropped, mask = crop_to_circle(colours(20 + 2 * columns + 1.5 * rows), circle, size=size)
    offset = (np.arange(size) + 0.5) * 2 * circle.radius / size - circle.radius
    expected = 20 + 2 * (circle.x + offset) + 1.5 * (circle.y + offset)[:, None]
    middle = np.hypot(*np.meshgrid(offset, offset)) < 0.7 * circle.radius
    assert np.abs(cropped[..., 0] - expected)[middle & mask].max() < 1.6


def test_shrinking_averages_instead_of_aliasing():
    checkerboard = colours(255 * (np.indices((400, 400)).sum(0) % 2))
    cropped, mask = crop_to_circle(checkerboard, Circle(200, 200, 150), size=20)
    assert np.abs(cropped[mask].astype(int) - 127).max() <= 3


def test_the_frame_does_not_darken_what_it_cuts():
    cropped, mask = crop_to_circle(
        np.full((40, 100, 3), 200, np.uint8), Circle(50, 20, 40), size=31
    )
    assert (cropped[mask] == 200).all() and (cropped[~mask] == 0).all()
    band = np.arcsin(0.5) + 0.5 * np.sqrt(
        0.75
    )  # half the area of the unit disc between its half heights
    assert mask.mean() == pytest.approx(2 * band / 4, abs=0.03)


@pytest.mark.parametrize("size", [7, 24, 61])
@pytest.mark.parametrize("circle", CIRCLES)
def test_the_eye_is_the_disc_within_the_frame(circle, size):
    expected = np.zeros((size, size), bool)
    for i in range(size):
        for j in range(size):
            x = circle.x - circle.radius + (j + 0.5) * 2 * circle.radius / size
            y = circle.y - circle.radius + (i + 0.5) * 2 * circle.radius / size
            in_disc = np.hypot(x - circle.x, y - circle.y) <= circle.radius * (1 + 1e-12)
            expected[i, j] = in_disc and -0.5 <= x <= 59.5 and -0.5 <= y <= 49.5
    np.testing.assert_array_equal(eye_mask(circle, SHAPE, size=size), expected)


@pytest.mark.parametrize("size", [7, 24, 61])
@pytest.mark.parametrize("circle", CIRCLES)
def test_a_mask_holds_where_any_of_its_pixels_overlaps(circle, size):
    mask = RNG.random(SHAPE) < 0.03
    step = 2 * circle.radius / size
    expected = np.zeros((size, size), bool)
    top = (circle.y - circle.radius + np.arange(size) * step)[:, None]
    left = circle.x - circle.radius + np.arange(size) * step
    for row, column in np.argwhere(mask):
        down = np.minimum(row + 0.5, top + step) - np.maximum(row - 0.5, top)
        across = np.minimum(column + 0.5, left + step) - np.maximum(column - 0.5, left)
        expected |= np.minimum(down, across) > 1e-6
    expected &= eye_mask(circle, SHAPE, size=size)
    np.testing.assert_array_equal(crop_mask(mask, circle, size=size, image_shape=SHAPE), expected)


def test_one_pixel_is_never_lost_and_lies_where_it_shines():
    circle = Circle(200.3, 180.7, 150.2)
    for _ in range(50):
        row, column = RNG.integers(100, 260, 2)
        image, mask = np.zeros((400, 400, 3), np.uint8), np.zeros((400, 400), bool)
        image[row, column], mask[row, column] = 255, True
        found = crop_mask(mask, circle, size=100, image_shape=(400, 400))
        cropped, _ = crop_to_circle(image, circle, size=100)
        assert 1 <= found.sum() <= 4
        assert found[np.unravel_index(cropped[..., 0].argmax(), (100, 100))]


def test_a_mask_of_another_shape_names_both():
    with pytest.raises(
        InputError,
        match=r"mask: expected the image's 50 x 60 pixels, got 60 x 50: give the mask of this",
    ):
        crop_mask(np.zeros((60, 50), bool), CIRCLES[0], size=8, image_shape=SHAPE)


def test_mistakes_are_named():
    image = np.zeros((50, 60, 3), np.uint8)
    with pytest.raises(InputError, match=r"size: expected at least 1 pixel, got 0: give e.g. 224"):
        crop_to_circle(image, CIRCLES[0], size=0)
    for circle in (Circle(1, 1, 0), Circle(np.nan, 1, 1)):
        with pytest.raises(
            InputError, match="circle: expected finite numbers and a radius above 0, got Circle"
        ):
            crop_to_circle(image, circle, size=8)
    with pytest.raises(
        InputError,
        match="circle: expected one that overlaps the image of 50 x 60 pixels, got Circle",
    ):
        crop_to_circle(image, Circle(200, 20, 30), size=8)
    with pytest.raises(InputError, match="expected uint8 pixels"):
        crop_to_circle(np.float32(image), CIRCLES[0], size=8)
