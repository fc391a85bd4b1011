import numpy as np

from cfx_jax.data.worlds.brain import add_brain, head, sample_anatomy
from cfx_jax.data.worlds.brain.skull import brain_depth
from cfx_jax.data.worlds.brain.tissue import GREY, WHITE, brain_cover
from cfx_jax.data.worlds.drawing import outline_cover

HEAD = sample_anatomy(np.random.default_rng(0))._replace(tilt=0.0, level=0.0, atrophy=0.3)


def brain(anatomy, seed=0):
    frame = anatomy.frame(128)
    return add_brain(np.random.default_rng(seed), head(anatomy, frame), anatomy, frame)


def test_only_the_brain_is_changed():
    changed = brain(HEAD) != head(HEAD, HEAD.frame(128))
    assert changed.any() and not changed[brain_cover(HEAD, HEAD.frame(128)) == 0].mean() > 0.01


def test_the_surface_is_grey_and_what_lies_below_is_white():
    above = HEAD._replace(level=0.55)
    frame, surface = above.frame(128), brain_depth(above)

    def at(depth):
        outer, inner = (
            outline_cover(frame, above.place(above.ring(each)))
            for each in (depth - 0.015, depth + 0.015)
        )
        return (outer == 1) & (inner == 0)

    image = np.median([brain(above, seed) for seed in range(10)], axis=0)
    assert abs(np.median(image[at(surface + 0.04)]) - GREY) < 0.06
    assert abs(np.median(image[at(surface + 0.35)]) - WHITE) < 0.03


def test_atrophy_widens_the_furrows():
    inside = brain_cover(HEAD, HEAD.frame(128)) == 1
    dark = [(brain(HEAD._replace(atrophy=atrophy))[inside] < 0.3).mean() for atrophy in (0.0, 1.0)]
    assert dark[1] > 2 * dark[0] > 0


def test_hemispheres_are_parted_all_through_above_the_ventricles():
    middle = round(HEAD.centre[0] * 128)
    rows = slice(48, 80)
    low, high = (
        brain(HEAD._replace(level=level))[rows, middle - 1 : middle + 1].min(1).mean()
        for level in (0.0, 0.8)
    )
    assert high < 0.7 * low


def test_deep_nuclei_are_grey_and_fade_out_upwards():
    x, y = HEAD.centre
    column, row = round((x + 0.30 * HEAD.radius) * 128), round((y - 0.03 * HEAD.radius) * 128)
    patch = np.s_[row - 4 : row + 5, column - 1 : column + 2]
    low, high = (brain(HEAD._replace(level=level))[patch].mean() for level in (0.0, 0.55))
    assert low < 0.48 < 0.52 < high
