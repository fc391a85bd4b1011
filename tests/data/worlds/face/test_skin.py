import numpy as np
import pytest

from cfx_jax.data.worlds.face.anatomy import sample_anatomy
from cfx_jax.data.worlds.face.skin import (
    face_cover,
    paint_face,
    paint_neck,
    paint_wrinkles,
    sample_skin,
)

HEAD = sample_anatomy(np.random.default_rng(0), male=0)._replace(tilt=0.0, turn=0.0, width=1.0)
FRAME = HEAD.frame(64)
X, Y = HEAD.grid(FRAME)
GREY = np.full((3, 64, 64), 0.6, np.float32)
YOUNG, OLD = (
    [sample_skin(np.random.default_rng(i), young=young) for i in range(200)] for young in (1, 0)
)


def darkening(**options):
    skin = YOUNG[0]._replace(wrinkles=options["wrinkles"], tone=(0.6, 0.6, 0.6))
    return (GREY - paint_wrinkles(GREY, skin, options["smile"], HEAD, FRAME)).mean(0)


def test_ages_do_not_overlap_and_wrinkles_come_with_them():
    ages, wrinkles = (
        np.array([[getattr(s, name) for s in group] for group in (YOUNG, OLD)])
        for name in ("age", "wrinkles")
    )
    assert (
        ages[0].min() >= 18 and ages[0].max() <= 40 and ages[1].min() >= 46 and ages[1].max() <= 80
    )
    assert wrinkles[0].mean() < 0.12 < 0.45 < wrinkles[1].mean()
    assert wrinkles[0].max() > wrinkles[1].min()  # not every face tells its age


def test_tone_does_not_depend_on_age_and_ranges_from_light_to_dark():
    assert all(young.tone == old.tone for young, old in zip(YOUNG, OLD, strict=True))
    brightness = np.array([np.mean(skin.tone) for skin in YOUNG])
    assert brightness.max() > 0.8 and brightness.min() < 0.45
    assert all(skin.tone[0] > skin.tone[1] > skin.tone[2] for skin in YOUNG)


def test_face_covers_its_middle_and_not_the_corners():
    cover = face_cover(HEAD, FRAME)
    assert cover[np.hypot(X, Y) < 0.4].min() == 1 and not cover[np.abs(X) > 0.6].any()
    assert cover.sum() / (64 * HEAD.radius) ** 2 == pytest.approx(np.pi * 0.515 * 0.79, rel=0.08)


def test_brighter_relief_gives_brighter_and_less_red_skin():
    bright, dark = (
        paint_face(GREY, YOUNG[0], np.full((64, 64), level, np.float32), HEAD, FRAME)
        for level in (1, 0.5)
    )
    middle = np.abs(X) + np.abs(Y) < 0.3
    np.testing.assert_allclose(bright[:, middle].mean(1), YOUNG[0].tone, rtol=1e-4)
    assert (dark[:, middle] < bright[:, middle]).all()
    assert (dark[0] / dark[2])[middle].mean() > (bright[0] / bright[2])[middle].mean()


def test_neck_lies_below_the_face_and_is_darkest_under_the_chin():
    painted = paint_neck(GREY, YOUNG[0], HEAD, FRAME)
    changed = np.abs(painted - GREY).max(0) > 1e-3
    assert (
        changed[(np.abs(X) < 0.2) & (Y > 0.8)].all()
        and not changed[(np.abs(X) < 0.45) & (Y < 0.3)].any()
    )
    under, below = ((np.abs(X) < 0.15) & (np.abs(Y - height) < 0.03) for height in (0.76, 0.98))
    assert painted[:, under].mean() < painted[:, below].mean() - 0.1


def test_wrinkles_deepen_with_age_and_the_folds_of_the_mouth_with_a_smile():
    smooth, old, smiling = (
        darkening(wrinkles=w, smile=s) for w, s in ((0.0, 0.0), (0.8, 0.0), (0.0, 1.0))
    )
    forehead, fold = (
        (np.abs(Y + 0.39) < 0.09) & (np.abs(X) < 0.2),
        (np.abs(np.abs(X) - 0.19) < 0.06) & (np.abs(Y - 0.3) < 0.1),
    )
    assert old[forehead].mean() > smooth[forehead].mean() + 0.02
    assert (
        smiling[fold].mean() > smooth[fold].mean() + 0.02
        and old[fold].mean() > smooth[fold].mean() + 0.02
    )
    np.testing.assert_array_equal(smiling[forehead], smooth[forehead])


def test_mouth_drawn_down_has_the_folds_of_one_at_rest():
    np.testing.assert_array_equal(
        darkening(wrinkles=0.3, smile=-0.3), darkening(wrinkles=0.3, smile=0.0)
    )
