import numpy as np
import pytest

from cfx_jax.data.worlds.face.anatomy import sample_anatomy
from cfx_jax.data.worlds.face.hair import (
    hair_texture,
    paint_back_hair,
    paint_front_hair,
    sample_hair,
)

HEAD = sample_anatomy(np.random.default_rng(0), male=0)._replace(tilt=0.0, turn=0.0, width=1.0)
FRAME = HEAD.frame(96)
X, Y = HEAD.grid(FRAME)
SKIN = np.full((3, 96, 96), 0.8, np.float32)
SMOOTH = np.zeros((96, 96), np.float32)


def sampled(number=200, **options):
    options = {"age": 30.0, "male": 0, "black_hair": 0, "bangs": 0} | options
    return [sample_hair(np.random.default_rng(i), **options) for i in range(number)]


HAIR = sampled(1)[0]._replace(
    colour=(0.2, 0.1, 0.05), hairline=0.0, parting=0.0, volume=0.05, reach=1.1
)


def front(**changes):
    hair = HAIR._replace(**changes)
    return (SKIN - paint_front_hair(SKIN, hair, SMOOTH, HEAD, FRAME)).mean(0) > 0.3


def test_black_hair_is_darker_than_any_other_and_stays_so_with_age():
    for age in (20.0, 75.0):
        black, other = (
            [max(hair.colour) for hair in sampled(age=age, black_hair=black)] for black in (1, 0)
        )
        assert max(black) < 0.12 < 0.19 < min(other)


def test_other_hair_turns_grey_with_age():
    def saturation(age):
        return np.array([max(hair.colour) - min(hair.colour) for hair in sampled(age=age)])

    np.testing.assert_array_equal(saturation(20.0), saturation(40.0))
    assert (
        saturation(60.0).mean() < 0.8 * saturation(20.0).mean()
        and saturation(78.0).mean() < 0.35 * saturation(20.0).mean()
    )


def test_most_women_and_few_men_have_long_hair():
    assert np.mean([hair.long for hair in sampled(male=0)]) == pytest.approx(0.82, abs=0.08)
    assert np.mean([hair.long for hair in sampled(male=1)]) == pytest.approx(0.08, abs=0.06)


def test_only_old_mens_hairline_recedes():
    lines = {
        (age, male): np.mean([h.hairline for h in sampled(age=age, male=male)])
        for age in (25, 70)
        for male in (0, 1)
    }
    assert (
        lines[70, 1] > 0.06 and max(abs(lines[key]) for key in ((25, 0), (25, 1), (70, 0))) < 0.005
    )
    forehead = (np.abs(X) < 0.1) & (np.abs(Y + 0.62) < 0.02)
    assert front(long=0)[forehead].mean() > front(long=0, hairline=0.12)[forehead].mean() + 0.5


def test_hair_covers_the_skull_and_leaves_the_face():
    for long in (0, 1):
        assert front(long=long)[(np.abs(X) < 0.3) & (np.abs(Y + 0.76) < 0.03)].all()
        assert not front(long=long)[(np.abs(X) < 0.4) & (Y > -0.25) & (Y < 0.6)].any()


def test_long_hair_hangs_down_beside_the_face_and_behind_the_neck():
    beside = (np.abs(np.abs(X) - 0.58) < 0.02) & (np.abs(Y - 0.4) < 0.1)
    assert front(long=1)[beside].all() and not front(long=0)[beside].any()
    behind = (SKIN - paint_back_hair(SKIN, HAIR._replace(long=1), SMOOTH, HEAD, FRAME)).mean(
        0
    ) > 0.3
    assert behind[(np.abs(X) < 0.4) & (np.abs(Y) < 0.7)].all()
    np.testing.assert_array_equal(
        paint_back_hair(SKIN, HAIR._replace(long=0), SMOOTH, HEAD, FRAME), SKIN
    )


def test_bangs_hide_the_forehead_down_to_the_fringe():
    forehead = (np.abs(X) < 0.3) & (Y > -0.55) & (Y < -0.40)
    bangs = front(bangs=1, fringe=-0.30, sweep=0.0)
    assert bangs[forehead].all() and not front(bangs=0)[forehead & (np.abs(X) < 0.2)].all()
    assert not bangs[(np.abs(X) < 0.4) & (Y > -0.24)].any()


def test_strands_have_mean_0_and_deviation_1_and_run_down():
    textures = np.stack(
        [hair_texture(np.random.default_rng(i), HAIR, HEAD, FRAME) for i in range(30)]
    )
    assert abs(textures.mean()) < 0.1 and textures.std() == pytest.approx(0.85, abs=0.15)
    lower = textures[:, Y[:, 0] > 0.2]
    np.testing.assert_allclose(lower[:, :1], lower[:, 1:2], atol=1e-4)
