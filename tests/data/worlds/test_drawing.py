import numpy as np
import pytest

from cfx_jax.data.worlds.drawing import (
    Frame,
    blank,
    coverage,
    draw_curves,
    draw_dots,
    fill_outline,
    outline_cover,
    smooth_noise,
    smooth_outline,
    soften,
    stroke_cover,
    unit_grid,
    whole_picture,
)

FRAME = Frame(size=64, centre=(0.5, 0.5), radius=0.4)
PIXELS_PER_UNIT = 64 * 0.4


def dot(x, y, radius, strength=1.0, frame=FRAME):
    canvas = blank(frame)
    draw_dots(canvas, frame, np.array([[x, y]]), np.array([radius]), np.array([strength]))
    return coverage(canvas)


def line(width, frame=FRAME):
    canvas = blank(frame)
    draw_curves(canvas, frame, np.array([[(-0.5, 0.1), (0.0, 0.1), (0.5, 0.1)]]), np.array([width]))
    return coverage(canvas)


@pytest.mark.parametrize("radius", [0.05, 0.2, 0.6])
def test_area_of_a_dot_is_that_of_a_disc(radius):
    area = dot(0.1, -0.2, radius).sum()
    assert area == pytest.approx(
        np.pi * (radius * PIXELS_PER_UNIT) ** 2, rel=0.15 if radius < 0.1 else 0.03
    )


@pytest.mark.parametrize("place", [(0.0, 0.0), (0.313, -0.127), (-0.5, 0.52)])
def test_centre_of_mass_of_a_dot_is_its_place(place):
    drawn = dot(*place, 0.15)
    x, y = unit_grid(FRAME)
    np.testing.assert_allclose(
        [(drawn * x).sum(), (drawn * y).sum()] / drawn.sum(), place, atol=0.1 / 25.6
    )


def test_strength_is_opacity():
    np.testing.assert_allclose(dot(0, 0, 0.3, strength=0.4).max(), 0.4, atol=1 / 255)


def test_nothing_is_drawn_outside_the_dot():
    x, y = unit_grid(FRAME)
    assert not dot(0.2, 0.1, 0.2)[np.hypot(x - 0.2, y - 0.1) > 0.2 + 1.5 / PIXELS_PER_UNIT].any()


@pytest.mark.parametrize("width", [0.06, 0.12])
def test_area_of_a_line_is_length_times_width(width):
    assert line(width).sum() == pytest.approx(width * (1 + width / 2) * PIXELS_PER_UNIT**2, rel=0.2)


def test_line_thinner_than_a_canvas_pixel_gets_fainter():
    fine, finer = line(0.008).sum(), line(0.004).sum()
    assert finer == pytest.approx(fine / 2, rel=0.05)


def test_no_dots_and_no_curves_leave_the_canvas_empty():
    canvas = blank(FRAME)
    draw_dots(canvas, FRAME, np.zeros((0, 2)), np.zeros(0), np.zeros(0))
    draw_curves(canvas, FRAME, np.zeros((0, 3, 2)), np.zeros(0))
    assert not canvas.any()


def test_grid_holds_the_unit_coordinates_of_pixel_centres():
    x, y = unit_grid(Frame(size=4, centre=(0.5, 0.25), radius=0.5))
    np.testing.assert_allclose(x, [[-0.75, -0.25, 0.25, 0.75]])
    np.testing.assert_allclose(y, [[-0.25], [0.25], [0.75], [1.25]])


def test_same_drawing_at_twice_the_resolution():
    double = dot(0.1, 0.2, 0.3, frame=FRAME._replace(size=128))
    np.testing.assert_allclose(
        double.reshape(64, 2, 64, 2).mean((1, 3)), dot(0.1, 0.2, 0.3), atol=0.06
    )


def test_smooth_noise_is_smooth_and_of_unit_size():
    noise = np.stack([smooth_noise(np.random.default_rng(i), 64, 8) for i in range(100)])
    assert abs(noise.mean()) < 0.1 and 0.6 < noise.std() < 1.1
    assert np.abs(np.diff(noise, axis=1)).mean() < 0.2 * noise.std()


def test_area_of_a_filled_outline_is_that_of_the_polygon():
    corners = np.array([(-0.5, -0.4), (0.6, -0.4), (0.6, 0.7), (-0.5, 0.7)])
    assert outline_cover(FRAME, corners).sum() == pytest.approx(
        1.1 * 1.1 * PIXELS_PER_UNIT**2, rel=0.02
    )


def test_overlapping_outlines_are_counted_once():
    square = np.array([(-0.5, -0.5), (0.5, -0.5), (0.5, 0.5), (-0.5, 0.5)])
    np.testing.assert_array_equal(
        outline_cover(FRAME, square, 0.5 * square), outline_cover(FRAME, square)
    )


def test_strength_is_the_opacity_of_outlines_and_curves():
    square = np.array([(-0.5, -0.5), (0.5, -0.5), (0.5, 0.5), (-0.5, 0.5)])
    canvas = blank(FRAME)
    fill_outline(canvas, FRAME, square, 0.4)
    assert coverage(canvas).max() == pytest.approx(0.4, abs=1 / 255)
    canvas = blank(FRAME)
    draw_curves(canvas, FRAME, np.array([[(-0.5, 0.0), (0.5, 0.0)]]), np.array([0.2]), 0.4)
    assert coverage(canvas).max() == pytest.approx(0.4, abs=1 / 255)


def test_stroked_curves_are_those_drawn_on_an_empty_canvas():
    curves = np.array([[(-0.5, 0.1), (0.0, 0.1), (0.5, 0.1)]])
    np.testing.assert_array_equal(stroke_cover(FRAME, curves, np.array([0.1])), line(0.1))


def test_cut_corners_lie_on_the_sides_and_keep_the_centre():
    square = np.array([(-1.0, -1.0), (1.0, -1.0), (1.0, 1.0), (-1.0, 1.0)])
    once = smooth_outline(square, rounds=1)
    np.testing.assert_allclose(once[:2], [(-0.5, -1.0), (0.5, -1.0)])
    assert smooth_outline(square).shape == (32, 2)
    np.testing.assert_allclose(smooth_outline(square).mean(0), 0, atol=1e-12)


def test_softening_keeps_the_sum_and_has_the_stated_deviation():
    point = np.zeros((64, 64), np.float32)
    point[32, 32] = 1
    spread = soften(point, FRAME, 0.1)
    deviation = np.sqrt((spread.sum(0) * (np.arange(64) - 32) ** 2).sum())
    assert spread.sum() == pytest.approx(1, rel=1e-3) and deviation == pytest.approx(
        0.1 * PIXELS_PER_UNIT, rel=0.05
    )
    assert soften(point, FRAME, 0.005) is point


def test_frame_of_the_whole_picture_touches_its_sides():
    x, y = unit_grid(whole_picture(4))
    np.testing.assert_allclose(x[0], [-0.75, -0.25, 0.25, 0.75])
    np.testing.assert_allclose(y[:, 0], x[0])
