import numpy as np
import pytest

from cfx_jax.data.worlds.face.anatomy import sample_anatomy
from cfx_jax.data.worlds.face.mouth import HEIGHT, Mouth, paint_mouth, sample_mouth

HEAD = sample_anatomy(np.random.default_rng(0), male=0)._replace(tilt=0.0, turn=0.0, width=1.0)
FRAME = HEAD.frame(192)
X, Y = HEAD.grid(FRAME)
TONE = (0.8, 0.65, 0.55)
SKIN = np.broadcast_to(np.array(TONE, np.float32)[:, None, None], (3, 192, 192))
REST = Mouth(smile=0.0, opening=0.0, teeth=0.7, corners=0.0, width=0.17, fullness=1.0, lips=0.5)


def painted(makeup=0.0, **changes):
    return paint_mouth(SKIN, REST._replace(**changes), TONE, (0.8, 0.05, 0.1), makeup, HEAD, FRAME)


def seam_height(x, **changes):
    """How low the darkest line of the mouth lies at a given x."""
    column = np.argmin(np.abs(X[0] - x))
    dark = (TONE[1] - painted(**changes)[1, :, column]).clip(0) ** 4
    return (dark * Y[:, column]).sum() / dark.sum()


def sampled(number=600, **options):
    options = {"smiling": 1, "male": 0, "severity": 1.0} | options
    return [sample_mouth(np.random.default_rng(i), **options) for i in range(number)]


def test_mouth_is_where_it_belongs():
    changed = np.abs(painted() - SKIN).max(0) > 0.02
    assert changed[(np.abs(X) < 0.1) & (np.abs(Y - HEIGHT) < 0.02)].all()
    assert (np.abs(X[changed]) < 0.22).all() and (np.abs(Y[changed] - HEIGHT) < 0.11).all()


def test_corners_rise_with_the_smile_and_the_mouth_widens():
    bends = [
        seam_height(0.0, smile=smile) - seam_height(0.15, smile=smile)
        for smile in (-0.3, 0.0, 0.3, 0.6, 1.0)
    ]
    assert bends == sorted(bends) and bends[0] < -0.005 < 0.03 < bends[-1]
    widths = [
        np.ptp(X[np.abs(painted(smile=smile) - SKIN).max(0) > 0.1])
        for smile in (-0.3, 0.0, 0.5, 1.0)
    ]
    assert widths == sorted(widths) and widths[-1] > widths[1] + 0.08


def test_resting_corners_can_look_like_a_faint_smile():
    assert seam_height(0.15, corners=0.02) < seam_height(0.15) - 0.005


def test_only_an_open_mouth_shows_teeth_and_the_dark():
    inside = (np.abs(X) < 0.05) & (np.abs(Y - HEIGHT) < 0.08)
    closed, opened = painted()[2][inside], painted(opening=0.1)[2][inside]
    assert closed.max() < 0.6 < 0.8 < opened.max() and opened.min() < 0.1
    teeth = [(painted(opening=0.1, teeth=share)[2] > 0.75).sum() for share in (0.3, 0.6, 1.0)]
    assert teeth[0] < teeth[1] < teeth[2]


def test_lipstick_reddens_the_lips_by_its_strength():
    lower_lip = (np.abs(X) < 0.08) & (np.abs(Y - HEIGHT - 0.03) < 0.01)
    redness = [
        (p[0] - p[1])[lower_lip].mean() for p in (painted(makeup=m) for m in (0.0, 0.5, 1.0))
    ]
    assert redness[0] < redness[1] - 0.1 < redness[2] - 0.2


def test_intensities_of_smiling_and_serious_mouths_do_not_overlap():
    smiling, serious = (np.array([m.smile for m in sampled(smiling=label)]) for label in (1, 0))
    assert (
        smiling.min() > 0.2
        and smiling.max() <= 1
        and serious.min() >= -0.3
        and serious.max() <= 0.1
    )


def test_some_serious_mouths_are_open_and_some_smiles_closed():
    smiling, serious = (np.array([m.opening for m in sampled(smiling=label)]) for label in (1, 0))
    assert (serious > 0).mean() == pytest.approx(0.30, abs=0.05)
    assert (smiling == 0).mean() == pytest.approx(0.40, abs=0.05)
    assert serious.max() > 0.1


def test_severity_multiplies_the_intensity_up_to_what_a_mouth_can_do():
    for one, half, triple in zip(
        sampled(50), sampled(50, severity=0.5), sampled(50, severity=3.0), strict=True
    ):
        assert half.smile == pytest.approx(0.5 * one.smile) and triple.smile == pytest.approx(
            min(3 * one.smile, 1.3)
        )
        assert half[3:] == one[3:]


def test_men_have_thinner_and_paler_lips():
    for woman, man in zip(sampled(50), sampled(50, male=1), strict=True):
        assert man.fullness < woman.fullness and man.lips < woman.lips and man[:5] == woman[:5]
