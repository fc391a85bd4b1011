import numpy as np
import pytest

from cfx_jax.data.worlds.ct import levels_of
from cfx_jax.data.worlds.ct.chest_anatomy import sample_trunk
from cfx_jax.data.worlds.ct.chest_slices import BONE, TISSUE, chest_stack

TRUNK, LEVELS = (
    sample_trunk(np.random.default_rng(0))._replace(tilt=0.0, inspiration=0.0),
    levels_of(11),
)
FRAME = TRUNK.frame(64)


def chest(trunk=TRUNK):
    return chest_stack(np.random.default_rng(1), trunk, trunk.frame(64), LEVELS)


CHEST = chest()
X, Y = TRUNK.grid(FRAME)


def test_lungs_are_dark_and_lie_on_both_sides_of_the_middle():
    lung = CHEST.holds_organ
    assert np.median(CHEST.brightness[CHEST.organ == 1]) < 0.25 * TISSUE
    sides = lung & (X < 0), lung & (X > 0)
    assert min(side.sum() for side in sides) > 0.3 * lung.sum()
    assert not lung[:, 32, np.abs(X[0]) < 0.05].any()


def test_lungs_are_smaller_at_the_apex_and_above_the_domes():
    size = CHEST.organ.sum((1, 2))
    assert size[3:7].min() > 1.3 * size[-1] and size[3:7].min() > 1.2 * size[0]


def test_heart_lies_on_the_left_of_the_patient():
    low = CHEST.brightness[3] - CHEST.brightness[3][:, ::-1]
    left = (X > 0.2) & (X < 0.45) & (np.abs(Y + 0.1) < 0.15)
    assert low[left].mean() > 0.1
    wide = chest(TRUNK._replace(heart=1.3 * TRUNK.heart)).organ.sum((1, 2))
    assert wide[3] < CHEST.organ.sum((1, 2))[3] and wide[8] == CHEST.organ.sum((1, 2))[8]


def test_windpipe_is_black_above_its_fork():
    middle = (np.abs(X) < 0.03) & (np.abs(Y - 0.02) < 0.03)
    assert CHEST.brightness[8][middle].max() < 0.2 and CHEST.brightness[2][middle].min() > 0.5


def test_spine_is_bone_in_every_slice_and_air_surrounds_the_body():
    ring = np.abs(np.hypot(X / 0.10, (Y - 0.36) / 0.085) - 1) < 0.15
    assert (CHEST.brightness[:, ring].max(1) > 0.9 * BONE).all()
    assert not CHEST.brightness[:, Y < -0.75].any()


def test_poor_breath_raises_the_diaphragm_and_brightens_the_lungs():
    deep, poor = (chest(TRUNK._replace(inspiration=share)) for share in (1.0, -1.0))
    assert poor.organ[:3].sum() < 0.9 * deep.organ[:3].sum()
    dark = [np.median(stack.brightness[stack.organ == 1]) for stack in (deep, poor)]
    assert dark[1] > dark[0] + 0.05


@pytest.mark.parametrize("size", [32, 96])
def test_chest_has_the_wanted_size(size):
    stack = chest_stack(np.random.default_rng(1), TRUNK, TRUNK.frame(size), levels_of(2))
    assert (
        stack.brightness.shape == stack.organ.shape == (2, size, size)
        and stack.brightness.dtype == np.float32
    )
