import functools

import numpy as np
import pytest

from cfx_jax.data.worlds.face.anatomy import sample_anatomy
from cfx_jax.data.worlds.face.beard import KINDS, Beard, paint_beard, sample_beard

HEAD = sample_anatomy(np.random.default_rng(0), male=1)._replace(
    tilt=0.0, turn=0.0, width=1.0, chin=0.0
)
FRAME = HEAD.frame(96)
X, Y = HEAD.grid(FRAME)
SKIN = np.full((3, 96, 96), 0.7, np.float32)
SMOOTH = np.zeros((96, 96), np.float32)


def darkening(kind, **changes):
    beard = Beard(KINDS.index(kind), density=0.9, length=0.0, shadow=0.0)._replace(**changes)
    return (SKIN - paint_beard(SKIN, beard, (0.1, 0.1, 0.1), SMOOTH, HEAD, FRAME)).mean(0)


@functools.cache
def sampled(no_beard, male):
    return [
        sample_beard(np.random.default_rng(i), no_beard=no_beard, male=male) for i in range(1000)
    ]


def test_bearded_faces_have_a_beard_of_a_kind():
    kinds = np.array([KINDS.index("stubble") <= beard.kind for beard in sampled(0, 1)])
    shares = np.bincount([beard.kind for beard in sampled(0, 1)], minlength=len(KINDS)) / 1000
    assert kinds.all() and shares == pytest.approx((0, 0, 0.3, 0.3, 0.4), abs=0.04)


def test_women_without_a_beard_have_no_hair_on_the_face():
    assert {beard.kind for beard in sampled(1, 0)} == {0} and {
        beard.shadow for beard in sampled(1, 0)
    } == {0.0}


def test_men_without_a_beard_may_have_a_moustache_or_its_shadow():
    kinds = np.array([beard.kind for beard in sampled(1, 1)])
    assert set(kinds) == {0, 1} and kinds.mean() == pytest.approx(0.08, abs=0.025)
    shadows = np.array([beard.shadow for beard in sampled(1, 1)])
    assert shadows.max() > 0.14 and shadows.max() < 0.2 and shadows.min() < 0.02


def test_stubble_is_thinner_than_a_beard_and_only_a_full_one_is_long():
    density = {kind: [b.density for b in sampled(0, 1) if b.kind == kind] for kind in (2, 3, 4)}
    assert max(density[2]) <= 0.6 < min(density[3] + density[4])
    assert all((beard.length > 0) == (KINDS[beard.kind] == "full") for beard in sampled(0, 1))


def test_kinds_differ_in_what_they_cover():
    areas = [(darkening(kind) > 0.2).sum() for kind in KINDS]
    assert areas[0] == 0 < areas[1] < areas[3] < areas[4] == areas[2]
    chin, lip, cheek = (
        np.hypot(np.abs(X) - x, Y - y) < 0.02 for x, y in ((0.0, 0.62), (0.05, 0.33), (0.42, 0.30))
    )
    covered = {
        kind: [darkening(kind)[place].mean() > 0.2 for place in (chin, lip, cheek)]
        for kind in KINDS
    }
    assert covered["moustache"] == [False, True, False] and covered["goatee"] == [True, True, False]
    assert covered["full"] == [True, True, True]


def test_no_beard_reaches_the_upper_face():
    for kind in KINDS:
        assert np.abs(darkening(kind)[(Y < -0.15) | ((np.abs(X) < 0.3) & (Y < 0.2))]).max() < 0.02


def test_length_goes_beyond_the_chin():
    below = (np.abs(X) < 0.05) & (Y > 0.84) & (Y < 0.88)
    assert (
        darkening("full", length=0.10)[below].mean() > 0.3 > 0.1 > darkening("full")[below].mean()
    )


def test_shadow_darkens_a_shaven_jaw_a_little():
    jaw = np.hypot(X, Y - 0.66) < 0.05
    assert 0.05 < darkening("none", shadow=0.16)[jaw].mean() < 0.15
