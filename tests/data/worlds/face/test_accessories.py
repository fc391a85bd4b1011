import numpy as np
import pytest

from cfx_jax.data.worlds.face.accessories import (
    Glasses,
    paint_blush,
    paint_clothes,
    paint_glasses,
    sample_glasses,
    sample_makeup,
)
from cfx_jax.data.worlds.face.anatomy import sample_anatomy

HEAD = sample_anatomy(np.random.default_rng(0), male=0)._replace(
    tilt=0.0, turn=0.0, width=1.0, centre=(0.5, 0.5)
)
FRAME = HEAD.frame(96)
X, Y = HEAD.grid(FRAME)
SKIN = np.full((3, 96, 96), 0.8, np.float32)
WORN = Glasses(1, (0.05, 0.05, 0.05), 1.0, 1)


def test_one_face_in_seven_wears_glasses():
    glasses = [sample_glasses(np.random.default_rng(i)) for i in range(2000)]
    assert np.mean([each.worn for each in glasses]) == pytest.approx(0.14, abs=0.025)


@pytest.mark.parametrize("round_lenses", [0, 1])
def test_glasses_have_dark_rims_around_the_eyes_and_clear_lenses(round_lenses):
    dark = (SKIN - paint_glasses(SKIN, WORN._replace(round=round_lenses), HEAD, FRAME)).mean(0)
    assert dark[np.hypot(np.abs(X) - 0.22, Y + 0.075) < 0.07].max() < 0.1
    assert dark[(np.abs(X) < 0.02) & (np.abs(Y + 0.10) < 0.02)].max() > 0.4
    assert not dark[(Y > 0.1) | (Y < -0.25)].any()
    np.testing.assert_allclose(dark, dark[:, ::-1], atol=0.15)


def test_no_glasses_leave_the_face_as_it_is():
    np.testing.assert_array_equal(paint_glasses(SKIN, WORN._replace(worn=0), HEAD, FRAME), SKIN)


def test_makeup_is_strong_where_it_is_heavy_and_men_wear_none_otherwise():
    def strengths(**options):
        return np.array(
            [sample_makeup(np.random.default_rng(i), **options).strength for i in range(200)]
        )

    heavy, light = strengths(heavy_makeup=1, male=0), strengths(heavy_makeup=0, male=0)
    assert heavy.min() >= 0.5 and heavy.max() <= 1 and light.max() <= 0.3 and light.mean() > 0.1
    assert not strengths(heavy_makeup=0, male=1).any()
    np.testing.assert_array_equal(strengths(heavy_makeup=1, male=1), heavy)


def test_blush_reddens_the_cheeks_by_its_strength():
    makeup = sample_makeup(np.random.default_rng(0), heavy_makeup=1, male=0)
    cheeks = np.hypot(np.abs(X) - 0.32, Y - 0.15) < 0.04
    red = [
        paint_blush(SKIN, makeup._replace(strength=s), HEAD, FRAME)[:, cheeks]
        for s in (0.0, 0.5, 1.0)
    ]
    excess = [(each[0] - each[1]).mean() for each in red]
    assert excess[0] == 0 < excess[1] < excess[2]


def test_clothes_lie_below_the_head():
    painted = paint_clothes(SKIN, (0.1, 0.2, 0.3), HEAD, FRAME)
    changed = (painted != SKIN).any(0)
    assert not changed[Y < 0.85].any() and changed[(Y > 1.1) & (np.abs(X) < 0.7)].all()
