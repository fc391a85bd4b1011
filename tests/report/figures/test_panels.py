"""A panel shows its array as it is."""

import numpy as np
import pytest

from cfx_jax.report.figures.canvas import Canvas
from cfx_jax.report.figures.panels import draw_heat, draw_image, draw_outline, draw_signed

RNG = np.random.default_rng(0)


@pytest.fixture
def axes():
    return Canvas(1, 1, dpi=100).axes(0, 0, 1, 1)


def shown(axes):
    return axes.get_images()[0]


def test_grey_image_keeps_its_absolute_brightness(axes):
    draw_image(axes, np.full((4, 4, 1), 0.3))
    np.testing.assert_allclose(
        shown(axes).to_rgba(shown(axes).get_array())[..., :3], 0.3, atol=0.01
    )


def test_colour_image_is_drawn_unchanged(axes):
    image = RNG.random((4, 4, 3)).astype(np.float32)
    draw_image(axes, image)
    np.testing.assert_array_equal(shown(axes).get_array(), image)


def test_signed_values_are_white_at_zero_whatever_their_mean(axes):
    draw_signed(axes, RNG.random((4, 4)), 2.0)
    assert shown(axes).get_clim() == (-2.0, 2.0)


@pytest.mark.parametrize(
    ("values", "limits"),
    [([[-0.5, 0.2]], (-0.5, 0.5)), ([[0.1, 0.4]], (0.1, 0.4)), ([[0.0, 0.0]], (0.0, 0.0))],
)
def test_raw_map_is_symmetric_only_where_it_has_both_signs(axes, values, limits):
    draw_heat(axes, np.array(values))
    np.testing.assert_allclose(shown(axes).get_clim(), limits, rtol=1e-6)


@pytest.mark.parametrize("on_white", [False, True])
def test_outline_runs_along_every_edge_between_inside_and_outside(axes, on_white):
    mask = RNG.random((7, 9)) > 0.5
    expected = set()
    for y, x in np.argwhere(mask):
        for dy, dx, edge in ((-1, 0, "top"), (1, 0, "bottom"), (0, -1, "left"), (0, 1, "right")):
            inside = 0 <= y + dy < 7 and 0 <= x + dx < 9 and mask[y + dy, x + dx]
            if not inside:
                expected.add(segment(y, x, edge))
    draw_outline(axes, mask, on_white=on_white)
    widths = len(axes.collections) // 2
    drawn = [tuple(map(tuple, s)) for c in axes.collections[-2:] for s in c.get_segments()]
    assert widths == (1 if on_white else 2)
    assert len(drawn) == len(expected) and {tuple(sorted(s)) for s in drawn} == expected


def segment(y, x, edge):
    """Ends of a pixel's edge, in the coordinates of the image."""
    left, right, top, bottom = x - 0.5, x + 0.5, y - 0.5, y + 0.5
    ends = {
        "top": ((left, top), (right, top)),
        "bottom": ((left, bottom), (right, bottom)),
        "left": ((left, top), (left, bottom)),
        "right": ((right, top), (right, bottom)),
    }
    return tuple(sorted(ends[edge]))


def test_empty_mask_has_no_outline(axes):
    draw_outline(axes, np.zeros((3, 3), bool), on_white=False)
    assert all(len(c.get_segments()) == 0 for c in axes.collections)
