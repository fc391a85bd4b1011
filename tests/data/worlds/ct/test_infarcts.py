import numpy as np
import pytest

from cfx_jax.data.worlds.ct import levels_of
from cfx_jax.data.worlds.ct.head_anatomy import sample_head
from cfx_jax.data.worlds.ct.head_slices import FLUID, GREY, head_stack, sample_furrows
from cfx_jax.data.worlds.ct.infarcts import (
    SIZE_SHARES,
    Infarct,
    infarct_cover,
    sample_infarct,
    with_infarct,
)
from cfx_jax.data.worlds.ct.territories import territory_mask

HEAD, LEVELS = sample_head(np.random.default_rng(0))._replace(tilt=0.0), levels_of(11)
FRAME = HEAD.frame(64)
TERRITORIES = territory_mask(HEAD, FRAME, LEVELS)
INFARCTS = [
    sample_infarct(np.random.default_rng(seed), right=False, severity=1.0) for seed in range(400)
]


def cover_of(infarct, levels=LEVELS, seed=0):
    territories = territory_mask(HEAD, FRAME, levels)
    return infarct_cover(np.random.default_rng(seed), infarct, HEAD, territories, FRAME, levels)


def test_sizes_and_arteries_are_as_frequent_as_stated():
    sizes = np.bincount([infarct.size for infarct in INFARCTS], minlength=5)[1:]
    np.testing.assert_allclose(sizes / 400, SIZE_SHARES, atol=0.08)
    territories = np.bincount([infarct.territory for infarct in INFARCTS], minlength=7)
    assert (
        territories[1] > 2 * territories[2:4].max()
        and territories[2:4].min() > 20
        and not territories[4:].any()
    )


def test_other_side_is_the_mirror_image():
    for seed in range(10):
        left, right = (
            sample_infarct(np.random.default_rng(seed), right=right, severity=1.0)
            for right in (False, True)
        )
        assert right.territory == left.territory + 3 and right.centre == (
            -left.centre[0],
            *left.centre[1:],
        )


def test_no_infarct_is_lost():
    for infarct in INFARCTS[:40]:
        assert (cover_of(infarct) > 0.25).sum() >= 3
        assert (cover_of(infarct, levels_of(3)) > 0.25).any()


def test_infarct_ends_where_its_territory_does():
    for infarct in INFARCTS[:25]:
        assert not cover_of(infarct)[infarct.territory != TERRITORIES].any()


def test_infarct_is_a_ball_of_its_radius():
    infarct = Infarct(size=2, territory=1, centre=(0.45, 0.0, 0.5), radius=0.18, drop=0.2)
    x, y = HEAD.grid(FRAME, LEVELS)
    distance = np.hypot(np.hypot(x - 0.45, y), 1.2 * (LEVELS[:, None, None] - 0.5)) / 0.18
    cover = np.mean([cover_of(infarct, seed=seed) for seed in range(20)], axis=0)
    assert (cover[distance < 0.4] > 0.9).all() and (cover[distance > 1.8] < 0.05).all()


def test_infarcted_tissue_is_darker_but_not_darker_than_stated():
    stack = head_stack(HEAD, sample_furrows(np.random.default_rng(0)), FRAME, LEVELS)
    infarct = INFARCTS[0]._replace(drop=0.2)
    cover = np.ones_like(stack.brightness)
    diseased = with_infarct(stack.brightness, stack.organ, infarct, cover)
    assert (diseased <= stack.brightness).all()
    np.testing.assert_array_equal(diseased[stack.organ == 0], stack.brightness[stack.organ == 0])
    np.testing.assert_allclose(diseased[stack.organ == 1], GREY - 0.2, atol=1e-6)
    assert (diseased >= FLUID - 0.01)[stack.organ > 0].all()


@pytest.mark.parametrize("severity", [0.5, 2.0])
def test_severity_is_a_factor_on_the_darkness_only(severity):
    plain, other = (
        sample_infarct(np.random.default_rng(4), right=True, severity=s) for s in (1.0, severity)
    )
    assert other.drop == pytest.approx(min(severity * plain.drop, GREY))
    assert other._replace(drop=plain.drop) == plain
