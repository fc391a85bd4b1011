import numpy as np
import pytest

from cfx_jax.data.fundus import Circle, UnusableImage
from cfx_jax.data.fundus.edges import Edges
from cfx_jax.data.fundus.rim import check_rim, faces, lies_on, rim_support

CIRCLE = Circle(200.0, 150.0, 100.0)
SHAPE = (300, 400)


def arc(first, last, *, radius=100.0, sign=1):
    """Edges on an arc about the circle's centre, angles in degrees, brighter inside (sign 1) or
    outside (-1).
    """
    angle = np.deg2rad(np.arange(first, last, 0.5))
    outward = np.stack([np.cos(angle), np.sin(angle)], -1)
    return Edges(np.array(CIRCLE[:2]) + radius * outward, -sign * outward)


def test_support_is_the_share_of_the_rim_with_edges():
    assert rim_support(arc(0, 360), CIRCLE, SHAPE) == (1, 1)
    seen, within = rim_support(arc(0, 90), CIRCLE, SHAPE)
    assert seen == within == pytest.approx(0.25, abs=0.01)


def test_support_within_the_picture_leaves_out_what_the_frame_cuts():
    shape = (
        200,
        400,
    )  # the rim below y = 199 is cut: angles between 29 and 151 degrees, y being down
    seen, within = rim_support(arc(151, 389), CIRCLE, shape)
    assert seen == pytest.approx(238 / 360, abs=0.02)
    assert within == 1


@pytest.mark.parametrize(
    "edges", [arc(0, 360, radius=103), arc(0, 360, radius=97), arc(0, 360, sign=-1)]
)
def test_edges_off_the_circle_or_brighter_outside_do_not_count(edges):
    assert rim_support(edges, CIRCLE, SHAPE) == (0, 0)


def test_several_circles_at_once_are_each_alone():
    circles = np.array([CIRCLE, (210, 150, 100), (200, 150, 90)], float)
    for test in (faces, lies_on):
        together = test(arc(0, 360), circles)
        for index, circle in enumerate(circles):
            np.testing.assert_array_equal(together[index], test(arc(0, 360), circle))


def test_a_rim_of_which_enough_is_seen_passes():
    check_rim(arc(0, 360), CIRCLE, SHAPE)
    check_rim(arc(0, 170), CIRCLE, SHAPE)  # black bars may hide half of it


def test_a_rim_of_which_too_little_is_seen_is_none():
    with pytest.raises(
        UnusableImage,
        match=r"^no visible eye: too little of a round rim \(25% of the best circle\)$",
    ):
        check_rim(arc(0, 90), CIRCLE, SHAPE)


def joined(one, other):
    return Edges(
        np.concatenate([one.points, other.points]), np.concatenate([one.uphill, other.uphill])
    )


PART = r"^no visible eye: the best circle is a part of something that is not round$"


def test_a_circle_with_edges_outside_of_it_is_a_part_of_something_larger():
    check_rim(joined(arc(0, 360), arc(0, 100, radius=120)), CIRCLE, SHAPE)  # a label beside the eye
    with pytest.raises(UnusableImage, match=PART):
        check_rim(joined(arc(0, 360), arc(0, 200, radius=120)), CIRCLE, SHAPE)


def test_edges_inside_count_where_the_frame_leaves_little_of_the_rim():
    with_bars = joined(arc(0, 360), arc(0, 300, radius=60))
    check_rim(with_bars, CIRCLE, SHAPE)
    shallow, little = (90, 400), arc(220, 320)  # the circle's top is in the picture
    check_rim(little, CIRCLE, shallow)
    with pytest.raises(UnusableImage, match=PART):
        check_rim(joined(little, arc(200, 340, radius=90)), CIRCLE, shallow)
