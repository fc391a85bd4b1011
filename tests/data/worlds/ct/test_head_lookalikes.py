import numpy as np

from cfx_jax.data.worlds.ct import levels_of
from cfx_jax.data.worlds.ct.head_anatomy import Head
from cfx_jax.data.worlds.ct.head_lookalikes import (
    HeadLookalikes,
    add_head_lookalikes,
    sample_head_lookalikes,
)
from cfx_jax.data.worlds.ct.head_slices import FLUID, WHITE
from cfx_jax.data.worlds.ct.stack import Stack

HEAD = Head(centre=(0.5, 0.5), radius=0.45, aspect=0.8, tilt=0.0, atrophy=0.5, skull=1.0)
FRAME, LEVELS = HEAD.frame(64), levels_of(11)
X, Y = HEAD.grid(FRAME, LEVELS)
NONE = HeadLookalikes(scars=0, vessel_disease=0.0, uneven=0.0, hardening=0.0)
INSIDE = (np.hypot(X / 0.8, Y) < 0.8).astype(np.float32)
EVEN = Stack(WHITE * INSIDE, INSIDE)


def darkening(counts, seed=0):
    """By how much look-alikes darken an even brain, beyond its texture."""
    plain, shown = (
        add_head_lookalikes(np.random.default_rng(seed), EVEN, each, HEAD, FRAME, LEVELS)
        for each in (NONE, counts)
    )
    return plain - shown


def test_nothing_happens_outside_the_tissue():
    counts = HeadLookalikes(scars=4, vessel_disease=1.0, uneven=0.5, hardening=1.0)
    shown = add_head_lookalikes(np.random.default_rng(0), EVEN, counts, HEAD, FRAME, LEVELS)
    assert not shown[INSIDE == 0].any() and (darkening(counts) > 0.05).any()


def test_texture_is_faint():
    shown = add_head_lookalikes(np.random.default_rng(0), EVEN, NONE, HEAD, FRAME, LEVELS)
    assert (
        0.005 < shown[INSIDE == 1].std() < 0.03 and abs(shown[INSIDE == 1].mean() - WHITE) < 0.005
    )


def test_vessel_disease_is_symmetric_unless_uneven():
    even, uneven = (
        darkening(NONE._replace(vessel_disease=1.0, uneven=share)) for share in (0.0, 0.5)
    )
    np.testing.assert_allclose(even, even[..., ::-1], atol=1e-5)
    assert even.max() > 0.05 and even[5].sum() > 20 * abs(even[0]).sum()
    assert uneven[..., 32:].sum() > 2 * uneven[..., :32].sum()


def test_scars_are_as_dark_as_fluid_and_sharply_bordered():
    for seed in range(10):
        shown = WHITE - darkening(NONE._replace(scars=1), seed)
        dark = shown < 0.5 * (WHITE + FLUID)
        assert dark.any() and shown[dark].min() < 2 * FLUID and dark.mean() < 0.02


def test_hardened_rays_darken_the_base_only():
    dark = darkening(NONE._replace(hardening=1.0))
    assert dark[0].max() > 0.15 and not dark[3:].any()


def test_most_heads_have_a_few():
    drawn = [sample_head_lookalikes(np.random.default_rng(seed)) for seed in range(300)]
    assert 0.2 < np.mean([counts.scars for counts in drawn]) < 0.5
    assert 0.4 < np.mean([counts.vessel_disease > 0 for counts in drawn]) < 0.7
    assert all(-1 <= counts.uneven <= 1 for counts in drawn)
