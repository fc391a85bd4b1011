import numpy as np
import pytest
from fundus_photographs import CUTS, photograph

from cfx_jax.data.fundus import Circle, UnusableImage, fit_circle
from cfx_jax.data.fundus.circle import fit_weighted
from cfx_jax.errors import InputError

RNG = np.random.default_rng(0)
NOISE = RNG.integers(0, 256, (200, 240, 3), np.uint8)


def error(circle, known):
    """Of the centre or of the radius, whichever is larger, as a share of the radius."""
    off_centre = np.hypot(circle.x - known.x, circle.y - known.y)
    return max(off_centre, abs(circle.radius - known.radius)) / known.radius


@pytest.mark.parametrize("cut", CUTS)
@pytest.mark.parametrize("height", [150, 400])
def test_the_circle_is_right_within_one_per_cent(cut, height):
    for seed in range(3):
        known = photograph(seed, height=height, cut=cut)
        assert error(fit_circle(known.image), known) < 0.01, f"photograph {seed}"


@pytest.mark.slow
def test_the_circle_is_right_within_one_per_cent_for_99_of_100():
    heights = (120, 200, 300, 500, 900)
    known = [photograph(1000 + i, height=heights[i // 5 % 5], cut=CUTS[i % 5]) for i in range(300)]
    errors = np.array([error(fit_circle(each.image), each) for each in known])
    assert (errors < 0.01).mean() >= 0.99
    assert errors.max() < 0.02


def test_a_large_photograph():
    known = photograph(3, height=1600)
    assert error(fit_circle(known.image), known) < 0.002


def test_the_real_retina_of_scikit_image():
    retina = pytest.importorskip("skimage.data").retina()
    rows, columns = np.nonzero(
        retina.mean(-1) > 20
    )  # the eye touches no side, and its notch is between them
    expected = Circle(
        (columns.min() + columns.max()) / 2, (rows.min() + rows.max()) / 2, np.ptp(columns) / 2
    )
    assert abs(np.ptp(rows) - np.ptp(columns)) < 6  # a circle indeed
    assert error(fit_circle(retina), expected) < 0.005


def test_turning_a_photograph_turns_its_circle():
    known = photograph(5, height=200)
    one, other = fit_circle(known.image), fit_circle(np.rot90(known.image).copy())
    width = known.image.shape[1]
    turned = Circle(one.y, width - 1 - one.x, one.radius)
    assert error(other, turned) < 0.005


def test_the_same_photograph_gives_the_same_circle():
    image = photograph(2, height=150).image
    assert fit_circle(image) == fit_circle(image)


def test_the_fit_is_the_weighted_least_squares_solution_of_the_circle_equation():
    points, weights = RNG.normal((30, 70), 20, (40, 2)), RNG.uniform(0, 1, 40)
    design = np.column_stack([points, np.ones(40)]) * np.sqrt(weights)[:, None]
    (a, b, c), *_ = np.linalg.lstsq(design, (points**2).sum(1) * np.sqrt(weights), rcond=None)
    expected = (a / 2, b / 2, np.sqrt(c + a**2 / 4 + b**2 / 4))
    np.testing.assert_allclose(fit_weighted(points, weights), expected, rtol=1e-9)


def test_points_on_a_circle_give_it_exactly_whatever_has_no_weight():
    angle = RNG.uniform(0, 2, 30)
    points = np.array([700, -20]) + 300 * np.stack([np.cos(angle), np.sin(angle)], -1)
    points[:10] += 50
    np.testing.assert_allclose(
        fit_weighted(points, np.r_[np.zeros(10), np.ones(20)]), (700, -20, 300), rtol=1e-9
    )


def test_points_on_a_line_are_no_circle():
    line = np.stack([np.arange(9.0), 2 * np.arange(9.0)], -1)
    for weights in (np.ones(9), np.zeros(9)):
        with pytest.raises(UnusableImage, match="no visible eye: its edges lie on no circle"):
            fit_weighted(line, weights)


def square(image):
    image[60:140, 60:180] = 150
    return image


@pytest.mark.parametrize(
    "image",
    [
        NOISE,
        NOISE // 30,
        np.zeros_like(NOISE),
        np.full_like(NOISE, 255),
        square(np.zeros_like(NOISE)),
    ],
    ids=["noise", "dark noise", "black", "white", "square"],
)
def test_where_there_is_no_eye_none_is_found(image):
    with pytest.raises(UnusableImage, match=r"^no visible eye: "):
        fit_circle(image)


@pytest.mark.parametrize(
    "name", ["astronaut", "camera", "clock", "coffee", "coins", "moon", "page", "rocket", "cat"]
)
def test_photographs_of_other_things_show_no_eye(name):
    image = getattr(pytest.importorskip("skimage.data"), name)()
    colour = image if image.ndim == 3 else np.stack([image] * 3, -1)
    with pytest.raises(UnusableImage, match=r"^no visible eye: "):
        fit_circle(colour)


def test_the_middle_of_an_eye_without_its_rim_shows_no_eye():
    whole = photograph(1, height=500)
    half = int(0.6 * whole.radius)
    x, y = round(whole.x), round(whole.y)
    with pytest.raises(UnusableImage, match=r"^no visible eye: "):
        fit_circle(whole.image[y - half : y + half, x - half : x + half])


def test_a_picture_of_few_pixels_is_too_small():
    with pytest.raises(UnusableImage, match=r"^too small: 40 x 60 pixels, fewer than 48 a side$"):
        fit_circle(NOISE[:40, :60])


def test_mistakes_are_named():
    with pytest.raises(
        InputError, match=r"expected one colour image \(h, w, 3\), got shape \(200, 240\)"
    ):
        fit_circle(NOISE[..., 0])
    with pytest.raises(InputError, match="num_steps: expected an integer of at least 1, got 0"):
        fit_circle(NOISE, num_steps=0)
