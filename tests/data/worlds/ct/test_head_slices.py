import numpy as np
import pytest

from cfx_jax.data.worlds.ct import levels_of
from cfx_jax.data.worlds.ct.head_anatomy import Head, sample_head
from cfx_jax.data.worlds.ct.head_slices import FLUID, GREY, WHITE, head_stack, sample_furrows

HEAD = Head(centre=(0.5, 0.5), radius=0.45, aspect=0.8, tilt=0.0, atrophy=0.5, skull=1.0)
LEVELS = levels_of(11)
FURROWS = sample_furrows(np.random.default_rng(0))
STACK = head_stack(HEAD, FURROWS, HEAD.frame(64), LEVELS)
X, Y = HEAD.grid(HEAD.frame(64), LEVELS)


def dark_inside(stack):
    inside = np.hypot(X / 0.8, Y) < 0.6
    return ((stack.brightness < 0.5 * (FLUID + WHITE)) & inside).sum((1, 2))


def test_tissue_is_between_white_and_grey_matter():
    values = STACK.brightness[STACK.organ == 1]
    assert values.min() > WHITE - 0.02 and values.max() < GREY + 0.02
    assert 0.05 < np.mean(values > 0.5 * (WHITE + GREY)) < 0.6


def test_skull_surrounds_the_brain_and_air_the_head():
    distance = np.hypot(X / 0.8, Y)
    assert (STACK.brightness[distance > 1.15] == 0).all() and (STACK.organ[distance > 1] == 0).all()
    for row in STACK.brightness[:, 32]:
        assert (row == row.max()).any() and row.max() > 0.95


def test_ventricles_show_in_the_middle_slices_only():
    dark = dark_inside(STACK)
    assert (
        dark[4:7].min() > 60 and dark[7:10].max() < 0.3 * dark[4:7].min()
    )  # the crown has furrows


def test_ventricles_are_as_symmetric_as_the_head():
    smooth = FURROWS._replace(reach=0 * FURROWS.reach)
    middle = head_stack(HEAD, smooth, HEAD.frame(64), LEVELS).brightness[5]
    assert np.abs(middle - middle[:, ::-1])[20:50, 20:44].max() < 0.1


def test_base_holds_thick_bones():
    inside = np.hypot(X / 0.8, Y) < 0.6
    bone = ((STACK.brightness > 0.9) & inside).sum((1, 2))
    assert bone[0] > 40 and bone[3:].max() == 0


def test_atrophy_widens_what_holds_fluid():
    old, young = (
        head_stack(HEAD._replace(atrophy=share), FURROWS, HEAD.frame(64), LEVELS).organ.sum()
        for share in (1.0, 0.0)
    )
    assert old < 0.95 * young


@pytest.mark.parametrize("size", [32, 96])
def test_stack_has_the_wanted_size(size):
    head = sample_head(np.random.default_rng(3))
    stack = head_stack(head, FURROWS, head.frame(size), levels_of(3))
    assert (
        stack.brightness.shape == stack.organ.shape == (3, size, size)
        and stack.brightness.dtype == np.float32
    )
