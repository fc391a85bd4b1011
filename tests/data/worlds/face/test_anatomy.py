import numpy as np
import pytest

from cfx_jax.data.worlds.drawing import unit_grid
from cfx_jax.data.worlds.face.anatomy import sample_anatomy

MEN, WOMEN = (
    [sample_anatomy(np.random.default_rng(i), male=male) for i in range(300)] for male in (1, 0)
)


def test_grid_undoes_place():
    for head in MEN[:10]:
        placed = head.place(np.stack(head.grid(head.frame(32)), -1))
        x, y = unit_grid(head.frame(32))
        np.testing.assert_allclose(placed[..., 0], np.broadcast_to(x, (32, 32)), atol=1e-5)
        np.testing.assert_allclose(placed[..., 1], np.broadcast_to(y, (32, 32)), atol=1e-5)


def test_features_move_sideways_as_the_head_turns_and_more_so_where_they_stick_out():
    head = MEN[0]._replace(tilt=0.0, width=1.0, turn=0.04)
    point = np.array([0.1, 0.2])
    np.testing.assert_allclose(head.feature(point) - head.place(point), (0.04, 0))
    np.testing.assert_allclose(head.feature(point, 1.5) - head.place(point), (0.06, 0), atol=1e-12)
    x, _ = head.grid(head.frame(32), 1.5)
    np.testing.assert_allclose(head.grid(head.frame(32))[0] - x, 0.06, atol=1e-6)


def test_men_have_squarer_jaws_and_the_same_place_in_the_picture():
    for man, woman in zip(MEN, WOMEN, strict=True):
        assert man.jaw >= woman.jaw and man.chin > woman.chin
        assert man._replace(jaw=0, chin=0) == woman._replace(jaw=0, chin=0)
    assert np.mean([head.jaw for head in MEN]) > 0.3 > -0.3 > np.mean([head.jaw for head in WOMEN])


def test_outline_is_about_1_wide_symmetric_and_broader_below_for_a_square_jaw():
    def width_at(head, height):
        outline = head.outline()
        return 2 * outline[np.argmin(np.abs(outline[:, 1] - height) + (outline[:, 0] < 0)), 0]

    head = MEN[0]._replace(chin=0.0)
    outline = head.outline()
    assert np.ptp(outline[:, 0]) == pytest.approx(1.03, abs=0.03)
    assert np.ptp(outline[:, 1]) == pytest.approx(1.58, abs=0.05)
    np.testing.assert_allclose(np.sort(outline[:, 0]), np.sort(-outline[:, 0]), atol=1e-12)
    assert width_at(head._replace(jaw=1.0), 0.6) > width_at(head._replace(jaw=-1.0), 0.6) + 0.06


def test_face_lies_in_the_picture():
    for head in MEN:
        frame = head.frame(64)
        share = frame.centre + head.place(head.outline()) * frame.radius
        assert share[:, 0].min() > 0.1 and share[:, 0].max() < 0.9 and share[:, 1].max() < 1
