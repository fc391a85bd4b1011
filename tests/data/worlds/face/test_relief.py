import numpy as np

from cfx_jax.data.worlds.face.anatomy import sample_anatomy
from cfx_jax.data.worlds.face.relief import relief

HEAD = sample_anatomy(np.random.default_rng(0), male=0)._replace(
    tilt=0.0, turn=0.0, centre=(0.5, 0.5)
)
FRAME = HEAD.frame(64)
X, Y = HEAD.grid(FRAME)
FACE = np.hypot(X / 0.5, Y / 0.75) < 0.95


def test_front_light_is_the_same_on_both_sides():
    light = relief(HEAD, 0.0, 0.0, FRAME)
    np.testing.assert_allclose(light, light[:, ::-1], atol=1e-5)
    assert light.dtype == np.float32 and light.min() >= 0.05 and light.max() <= 1.25


def test_side_light_brightens_its_side():
    from_right, from_left = relief(HEAD, 0.6, 0.0, FRAME), relief(HEAD, -0.6, 0.0, FRAME)
    assert from_right[FACE & (X > 0.2)].mean() > from_right[FACE & (X < -0.2)].mean() + 0.1
    np.testing.assert_allclose(from_right, from_left[:, ::-1], atol=1e-5)


def test_nose_stands_out_and_eyes_lie_deep():
    light = relief(HEAD, 0.0, 0.0, FRAME)
    ridge, sockets = (
        FACE & (np.abs(X) < 0.02) & (np.abs(Y) < 0.1),
        FACE & (np.hypot(np.abs(X) - 0.2, Y + 0.1) < 0.04),
    )
    assert light[ridge].mean() > light[sockets].mean() + 0.15


def test_smile_lifts_the_cheeks_and_leaves_the_forehead():
    change = relief(HEAD, 0.0, 1.0, FRAME) - relief(HEAD, 0.0, 0.0, FRAME)
    cheeks = np.hypot(np.abs(X) - 0.285, Y - 0.13) < 0.05
    assert change[cheeks].min() > 0.02 and np.abs(change[Y < -0.2]).max() < 1e-3
