import numpy as np

from cfx_jax.data.worlds.ct import levels_of
from cfx_jax.data.worlds.ct.chest_anatomy import sample_trunk
from cfx_jax.data.worlds.ct.chest_lookalikes import (
    ChestLookalikes,
    add_chest_lookalikes,
    sample_chest_lookalikes,
)
from cfx_jax.data.worlds.ct.chest_slices import TISSUE, chest_stack

TRUNK, LEVELS = sample_trunk(np.random.default_rng(0)), levels_of(11)
FRAME = TRUNK.frame(64)
CHEST = chest_stack(np.random.default_rng(1), TRUNK, FRAME, LEVELS)
_, Y = TRUNK.grid(FRAME)
NONE = ChestLookalikes(collapse=0.0, uneven=0.0, scars=0, nodules=0)


def brightening(counts, seed=0):
    plain, shown = (
        add_chest_lookalikes(np.random.default_rng(seed), CHEST, each, TRUNK, FRAME, LEVELS)
        for each in (NONE, counts)
    )
    return shown - plain


def test_nothing_happens_outside_the_lungs_and_nothing_is_brighter_than_tissue():
    counts = ChestLookalikes(collapse=0.3, uneven=0.05, scars=3, nodules=3)
    shown = add_chest_lookalikes(np.random.default_rng(0), CHEST, counts, TRUNK, FRAME, LEVELS)
    np.testing.assert_array_equal(shown[CHEST.organ == 0], CHEST.brightness[CHEST.organ == 0])
    assert shown[CHEST.organ == 1].max() < TISSUE


def test_collapse_brightens_the_back():
    brighter, lung = brightening(NONE._replace(collapse=0.3)), CHEST.holds_organ
    back, front = Y + np.zeros_like(brighter) > 0.35, Y + np.zeros_like(brighter) < 0.1
    assert brighter[lung & back].mean() > 0.05 and np.abs(brighter[lung & front]).max() < 1e-6


def test_uneven_air_is_darker_here_and_brighter_there():
    change = brightening(NONE._replace(uneven=0.05))[CHEST.organ == 1]
    assert change.min() < -0.01 < 0.01 < change.max() and abs(change.mean()) < 0.02


def test_scars_and_nodules_are_small_and_bright():
    for name in ("scars", "nodules"):
        shares, strengths = [], []
        for seed in range(20):
            brighter = brightening(NONE._replace(**{name: 1}), seed)
            shares.append((brighter > 0.05).mean())
            strengths.append(brighter.max())
        assert max(shares) < 0.01 and np.median(strengths) > 0.1


def test_counts_vary():
    drawn = [sample_chest_lookalikes(np.random.default_rng(seed)) for seed in range(200)]
    assert (
        0.4 < np.mean([counts.scars for counts in drawn]) < 0.8
        and max(counts.collapse for counts in drawn) > 0.25
    )
