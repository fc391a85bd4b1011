import numpy as np
import pytest

from cfx_jax.data.worlds.drawing import Frame, unit_grid
from cfx_jax.data.worlds.fundus import Faults, displace, sample_faults, spoil

FRAME = Frame(64, (0.5, 0.51), 0.47)
SCENE = np.random.default_rng(0).random((64, 64, 3), dtype=np.float32)
NUMBER = 3000
# What each fault does at strength 1, read off the definition: blur, light (brighter, darker), haze,
# lid, shift.
WIDEST = {"defocus": 0.11, "haze": 0.9, "lid": 0.8, "shift": 0.9}


def strengths(faults):
    """The strength of each fault, found back from what it does."""
    light = np.log(faults.exposure) / np.log(4.0 if faults.exposure > 1 else 0.1)
    shift = np.hypot(faults.shift_x, faults.shift_y)
    done = {"defocus": faults.defocus, "haze": faults.haze, "lid": abs(faults.lid), "shift": shift}
    return np.array([light, *(done[name] / WIDEST[name] for name in WIDEST)])


@pytest.fixture(scope="module")
def drawn():
    rng = np.random.default_rng(0)
    return {
        gradable: np.array(
            [strengths(sample_faults(rng, gradable=gradable)) for _ in range(NUMBER)]
        )
        for gradable in (True, False)
    }


def test_strengths_of_a_gradable_picture_add_up_to_a_half_at_most(drawn):
    assert drawn[True].min() >= 0 and drawn[True].sum(axis=1).max() <= 0.5 + 1e-6


def test_one_fault_of_an_ungradable_picture_is_above_a_half(drawn):
    strong = drawn[False] > 0.5
    assert (strong.sum(axis=1) == 1).all() and drawn[False].max() <= 1 + 1e-6
    np.testing.assert_allclose(strong.mean(axis=0), 0.2, atol=4 * np.sqrt(0.2 * 0.8 / NUMBER))


def test_mild_faults_occur_in_gradable_pictures_too(drawn):
    np.testing.assert_allclose(
        (drawn[True] > 0).mean(axis=0), 0.3, atol=4 * np.sqrt(0.3 * 0.7 / NUMBER)
    )
    assert (drawn[True].max(axis=0) > 0.45).all()


def test_both_extremes_of_light_and_both_lids_occur():
    faults = [sample_faults(np.random.default_rng(i), gradable=False) for i in range(300)]
    lit = [each.exposure for each in faults if each.exposure != 1]
    assert 0.3 < np.mean(np.array(lit) > 1) < 0.7 and min(lit) >= 0.1 and max(lit) <= 4
    assert 0.6 < np.mean([each.lid > 0 for each in faults if each.lid]) < 0.9


def test_no_fault_changes_nothing():
    np.testing.assert_array_equal(spoil(SCENE, Faults(), FRAME), SCENE)
    assert displace(FRAME, Faults()) == FRAME


def test_exposure_multiplies_the_light():
    np.testing.assert_allclose(spoil(SCENE, Faults(exposure=0.3), FRAME), 0.3 * SCENE, rtol=1e-6)


def test_haze_takes_contrast_in_proportion():
    hazy = spoil(SCENE, Faults(haze=0.7), FRAME)
    np.testing.assert_allclose(hazy.std(axis=(0, 1)), 0.3 * SCENE.std(axis=(0, 1)), rtol=1e-4)


def test_defocus_is_a_gaussian_of_the_stated_deviation():
    point = np.zeros_like(SCENE)
    point[32, 32] = 1
    spread = spoil(point, Faults(defocus=0.1), FRAME)[..., 0]
    distance = np.arange(64) - 32
    deviation = np.sqrt((spread.sum(axis=0) * distance**2).sum() / spread.sum())
    assert deviation == pytest.approx(0.1 * 0.47 * 64, rel=0.05) and spread.sum() == pytest.approx(
        1, rel=1e-3
    )


@pytest.mark.parametrize("sign", [-1, 1])
@pytest.mark.parametrize("share", [0.2, 0.5])
def test_lid_covers_its_share_of_the_middle_column_from_its_side(sign, share):
    bright = np.ones_like(SCENE)
    _, y = unit_grid(FRAME)
    inside = np.abs(y[:, 0]) <= 1
    dark = spoil(bright, Faults(lid=sign * share), FRAME)[:, 32, 0] < 0.5
    assert dark[inside].mean() == pytest.approx(share, abs=0.03)
    assert (-sign * y[dark, 0]).min() > (-sign * y[~dark, 0]).max()


def test_displacement_moves_the_retina_by_shares_of_the_radius():
    moved = displace(FRAME, Faults(shift_x=0.5, shift_y=-0.25))
    assert moved.centre == pytest.approx((0.5 + 0.5 * 0.47, 0.51 - 0.25 * 0.47))
    assert (moved.size, moved.radius) == (FRAME.size, FRAME.radius)
