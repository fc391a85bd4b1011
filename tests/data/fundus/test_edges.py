import numpy as np
import pytest

from cfx_jax.data.fundus.edges import find_edges


def picture(bright, level=140, ground=5):
    return np.where(bright, level, ground).astype(np.uint8)[..., None].repeat(3, -1)


@pytest.mark.parametrize("width", [80, 400, 1600])
def test_a_straight_edge_is_found_where_it_is_and_points_to_the_bright_side(width):
    columns = np.arange(width)
    left = width // 3  # the first bright column: the edge is half a pixel before its centre
    edges = find_edges(picture(np.broadcast_to(columns >= left, (width // 2, width))))
    assert len(edges.points) > 50
    assert np.abs(edges.points[:, 0] - (left - 0.5)).max() <= 1.0 * max(1, width / 512)
    np.testing.assert_allclose(edges.uphill, np.broadcast_to([1, 0], edges.uphill.shape), atol=1e-3)


def test_directions_are_unit_vectors_towards_the_middle_of_a_disc():
    rows, columns = np.mgrid[:300, :400]
    edges = find_edges(picture(np.hypot(columns - 210, rows - 140) < 100))
    inward = ([210, 140] - edges.points) / np.linalg.norm(
        [210, 140] - edges.points, axis=1, keepdims=True
    )
    assert ((edges.uphill * inward).sum(1) > 0.99).all()
    assert np.abs(np.linalg.norm(edges.points - [210, 140], axis=1) - 99.5).max() < 2


def test_dark_lines_and_bright_spots_inside_of_something_bright_are_no_edges():
    rows, columns = np.mgrid[:300, :400]
    disc = np.hypot(columns - 200, rows - 150) < 120
    image = picture(disc)
    image[disc & (np.abs(rows - 150) < 3)] = 90
    image[np.hypot(columns - 150, rows - 110) < 15] = 250
    distance = np.linalg.norm(find_edges(image).points - [200, 150], axis=1)
    assert (distance > 110).all()


def test_a_flat_picture_has_none():
    assert len(find_edges(picture(np.zeros((100, 120), bool))).points) == 0
