import numpy as np

from cfx_jax.data.worlds.ct import TERRITORIES, levels_of
from cfx_jax.data.worlds.ct.head_anatomy import Head, sample_head
from cfx_jax.data.worlds.ct.territories import territory_mask, territory_number

HEAD = Head(centre=(0.5, 0.5), radius=0.45, aspect=0.8, tilt=0.0, atrophy=0.5, skull=1.0)
LEVELS = levels_of(11)
MASK = territory_mask(HEAD, HEAD.frame(64), LEVELS)
X, Y = HEAD.grid(HEAD.frame(64), LEVELS)


def of_left(artery):
    return territory_number(artery, False) == MASK


def test_numbers_follow_the_names():
    assert TERRITORIES[territory_number(0, False) - 1] == "left MCA"
    assert TERRITORIES[territory_number(2, True) - 1] == "right PCA"
    assert sorted(
        territory_number(artery, right) for artery in range(3) for right in (False, True)
    ) == [*range(1, 7)]


def test_left_territories_lie_in_the_right_half_of_the_picture():
    assert MASK.dtype == np.uint8 and set(np.unique(MASK)) == set(range(7))
    assert (X[(MASK > 0) & (MASK <= 3)] > 0).all() and (X[MASK > 3] < 0).all()


def test_halves_are_mirror_images():
    right, left = MASK[..., :32], MASK[..., :31:-1]
    assert (
        np.mean(right != np.where(left, left + 3, 0)) < 0.003
    )  # pixels on the border of the brain


def test_anterior_artery_supplies_the_front_of_the_midline_and_posterior_the_back():
    middle, front, back = (Y[of_left(artery)] for artery in range(3))
    assert front.mean() < middle.mean() < back.mean()
    sides = [X[of_left(artery)].mean() for artery in range(3)]
    assert sides[1] < sides[2] < sides[0]


def test_anterior_territory_reaches_further_back_the_higher_the_slice():
    reach = [Y[number][of_left(1)[number]].max() for number in (3, 5, 7, 9)]
    assert reach == sorted(reach) and reach[-1] > reach[0] + 0.5


def test_cerebellum_and_stem_have_no_territory():
    assert not MASK[0][Y[0] > 0.06].any() and MASK[0].any() and MASK[4][Y[4] > 0.06].any()


def test_territories_fill_the_inside_of_the_skull():
    for seed in range(5):
        head = sample_head(np.random.default_rng(seed))
        x, y = head.grid(head.frame(64), LEVELS)
        mask = territory_mask(head, head.frame(64), LEVELS)
        distance = np.hypot(x / head.aspect, y)
        assert (mask[4:8][distance[4:8] < 0.7] > 0).all() and not mask[distance > 1].any()
