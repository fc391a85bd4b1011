import numpy as np

from cfx_jax.data.worlds.face.anatomy import sample_anatomy
from cfx_jax.data.worlds.face.eyes import (
    EYE,
    paint_brows,
    paint_eye_shadow,
    paint_eyes,
    sample_eyes,
)

HEAD = sample_anatomy(np.random.default_rng(0), male=0)._replace(tilt=0.0, turn=0.0, width=1.0)
FRAME = HEAD.frame(128)
X, Y = HEAD.grid(FRAME)
SKIN = np.full((3, 128, 128), 0.6, np.float32)
EYES = sample_eyes(np.random.default_rng(0), male=0)._replace(
    openness=1.0, gaze_x=0.0, gaze_y=0.0, iris=(0.2, 0.1, 0.05)
)


def painted(eyes=EYES, makeup=0.0, smile=0.0):
    return paint_eyes(SKIN, eyes, makeup, smile, HEAD, FRAME).mean(0)


def test_eyes_are_where_they_belong_and_nowhere_else():
    changed = np.abs(painted() - 0.6) > 0.02
    assert changed[np.hypot(np.abs(X) - EYE[0], Y - EYE[1]) < 0.03].all()
    assert not changed[(np.abs(np.abs(X) - EYE[0]) > 0.13) | (np.abs(Y - EYE[1]) > 0.08)].any()


def test_pupil_is_dark_and_the_white_bright():
    pupil = np.hypot(np.abs(X) - EYE[0], Y - EYE[1] + 0.006) < 0.012
    white = (np.abs(np.abs(X) - EYE[0] - 0.065) < 0.01) & (np.abs(Y - EYE[1] - 0.002) < 0.01)
    assert painted()[pupil].max() < 0.15 and painted()[white].mean() > 0.7


def test_smile_narrows_the_eyes_and_a_drawn_down_mouth_does_not():
    area = [(np.abs(painted(smile=smile) - 0.6) > 0.1).sum() for smile in (0.0, 0.5, 1.0)]
    assert area[0] > area[1] > area[2] > 0.4 * area[0]
    np.testing.assert_array_equal(painted(smile=-0.3), painted(smile=0.0))


def test_gaze_moves_the_pupils_together():
    def pupil_place(eyes, side):
        dark = np.where(side * X > 0, np.clip(0.3 - painted(eyes), 0, None), 0) * (
            np.abs(Y - EYE[1]) < 0.02
        )
        return (dark * X).sum() / dark.sum()

    for side in (-1, 1):
        assert (
            pupil_place(EYES._replace(gaze_x=1.0), side)
            > pupil_place(EYES._replace(gaze_x=-1.0), side) + 0.03
        )


def test_makeup_darkens_lids_and_colours_the_skin_over_them():
    assert painted(makeup=1.0).mean() < painted().mean()
    lids = paint_eye_shadow(SKIN, (0.2, 0.1, 0.3), 1.0, HEAD, FRAME)
    over = np.hypot(np.abs(X) - EYE[0], Y - EYE[1] + 0.06) < 0.03
    assert lids[:, over].mean() < 0.4 and np.abs(lids - 0.6)[:, Y > 0.1].max() < 1e-3
    np.testing.assert_array_equal(paint_eye_shadow(SKIN, (0.2, 0.1, 0.3), 0.0, HEAD, FRAME), SKIN)


def test_brows_lie_over_the_eyes_and_have_the_colour_of_the_hair():
    brows = paint_brows(SKIN, EYES, (0.9, 0.7, 0.4), HEAD, FRAME)
    changed = np.abs(brows - 0.6).max(0) > 0.05
    assert changed.any() and (Y[changed] < -0.13).all() and (Y[changed] > -0.32).all()
    darker = paint_brows(SKIN, EYES, (0.05, 0.05, 0.05), HEAD, FRAME)
    assert darker[:, changed].mean() < brows[:, changed].mean()


def test_men_have_thicker_lower_and_straighter_brows():
    pairs = [
        [sample_eyes(np.random.default_rng(i), male=male) for male in (0, 1)] for i in range(50)
    ]
    for woman, man in pairs:
        assert man.brow_width > woman.brow_width and man.brow_height < woman.brow_height
        assert man.brow_arch < woman.brow_arch and man[:4] == woman[:4]
