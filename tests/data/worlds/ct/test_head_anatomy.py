import numpy as np

from cfx_jax.data.worlds.ct import levels_of
from cfx_jax.data.worlds.ct.head_anatomy import Head, sample_head, scale_at

HEAD = Head(centre=(0.5, 0.5), radius=0.45, aspect=0.8, tilt=0.0, atrophy=0.5, skull=1.0)


def test_head_is_longest_below_the_middle_and_narrows_towards_the_crown():
    scales = [scale_at(level) for level in levels_of(20).tolist()]
    assert max(scales) <= 1 and 0.25 < levels_of(20)[np.argmax(scales)] < 0.45
    assert scales[-1] < 0.6 < 0.85 < scales[0]


def test_grid_undoes_placing():
    head = sample_head(np.random.default_rng(0))
    frame, levels = head.frame(64), levels_of(3)
    x, y = head.grid(frame, levels)
    for number, level in enumerate(levels.tolist()):
        placed = head.place(np.stack([x[number, 20, 40], y[number, 20, 40]]), level)
        pixel = (np.array(frame.centre) + placed * frame.radius) * 64 - 0.5
        np.testing.assert_allclose(pixel, (40, 20), atol=1e-4)


def test_rings_lie_inside_each_other_and_the_forehead_is_narrow():
    skin, brain = HEAD.ring(0.0), HEAD.ring(HEAD.skull_depth(1.0, 0.35))
    assert (np.linalg.norm(brain, axis=-1) < np.linalg.norm(skin, axis=-1)).all()
    assert np.ptp(skin[skin[:, 1] < -0.5][:, 0]) < np.ptp(skin[skin[:, 1] > 0.5][:, 0])


def test_skull_looks_thicker_near_the_crown():
    assert HEAD.skull_depth(1.0, 0.95) > 1.5 * HEAD.skull_depth(1.0, 0.35)
    assert HEAD.skull_depth(0.0, 0.5) == 0


def test_heads_fit_into_the_picture():
    for seed in range(50):
        head = sample_head(np.random.default_rng(seed))
        placed = np.array(head.centre) + head.radius * head.place(head.ring(0.0), 0.35)
        assert placed.min() > 0 and placed.max() < 1
