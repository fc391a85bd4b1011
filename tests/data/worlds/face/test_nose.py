import numpy as np

from cfx_jax.data.worlds.face.anatomy import sample_anatomy
from cfx_jax.data.worlds.face.nose import Nose, paint_nose, sample_nose

HEAD = sample_anatomy(np.random.default_rng(0), male=0)._replace(tilt=0.0, turn=0.0, width=1.0)
FRAME = HEAD.frame(128)
X, Y = HEAD.grid(FRAME)
SKIN = np.full((3, 128, 128), 0.7, np.float32)


def darkening(width=1.0, length=0.0, side_light=0.0, head=HEAD):
    return (
        SKIN - paint_nose(SKIN, Nose(width, length), (0.7, 0.7, 0.7), side_light, head, FRAME)
    ).mean(0)


def test_nostrils_are_darkest_and_nothing_lies_beside_the_nose():
    dark = darkening()
    place = np.unravel_index(dark.argmax(), dark.shape)
    assert abs(abs(X[place]) - 0.048) < 0.02 and abs(Y[place] - 0.222) < 0.02
    assert np.abs(dark[(np.abs(X) > 0.18) | (Y > 0.3) | (Y < -0.25)]).max() < 0.005


def test_shadow_falls_on_the_side_away_from_the_light():
    bridge = np.abs(Y + 0.02) < 0.08
    for side_light in (-0.7, 0.7):
        dark = darkening(side_light=side_light)
        lit, shaded = ((X * np.sign(side_light) * sign > 0) & bridge for sign in (1, -1))
        assert dark[shaded].mean() > 5 * dark[lit].mean()


def test_width_and_length_move_the_nostrils():
    def nostril(**options):
        dark = np.where((X > 0) & (Y > 0.1), darkening(**options) > 0.3, 0)
        return (dark * X).sum() / dark.sum(), (dark * Y).sum() / dark.sum()

    assert (
        nostril(width=1.3)[0] > nostril()[0] + 0.008
        and nostril(length=0.05)[1] > nostril()[1] + 0.03
    )


def test_turned_head_moves_the_nose_further_than_the_eyes():
    dark = darkening(head=HEAD._replace(turn=0.04))
    assert (
        abs((dark * X).sum() / dark.sum() - (darkening() * X).sum() / darkening().sum() - 0.06)
        < 0.01
    )


def test_men_have_broader_and_longer_noses():
    pairs = [
        [sample_nose(np.random.default_rng(i), male=male) for male in (0, 1)] for i in range(50)
    ]
    assert all(man.width > woman.width and man.length > woman.length for woman, man in pairs)
