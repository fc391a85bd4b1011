import numpy as np
import pytest

from cfx_jax.data.worlds.ct import levels_of
from cfx_jax.data.worlds.ct.chest_anatomy import sample_trunk
from cfx_jax.data.worlds.ct.chest_slices import TISSUE, chest_stack
from cfx_jax.data.worlds.ct.ground_glass import (
    glass_cover,
    sample_ground_glass,
    with_ground_glass,
)

TRUNK, LEVELS = sample_trunk(np.random.default_rng(0)), levels_of(11)
FRAME = TRUNK.frame(64)
CHEST = chest_stack(np.random.default_rng(1), TRUNK, FRAME, LEVELS)
GLASS = sample_ground_glass(np.random.default_rng(2), grade=2, severity=1.0)


def cover(glass, seed=0):
    return glass_cover(np.random.default_rng(seed), glass, CHEST, TRUNK, FRAME, LEVELS)


@pytest.mark.parametrize(
    ("grade", "least", "most"), [(1, 0.0, 0.25), (2, 0.25, 0.5), (3, 0.5, 0.75), (4, 0.75, 1.0)]
)
def test_grades_are_those_of_the_share(grade, least, most):
    for seed in range(50):
        glass = sample_ground_glass(np.random.default_rng(seed), grade=grade, severity=1.0)
        assert glass.grade == grade and least < glass.share <= most and 0 < glass.density < 0.5


@pytest.mark.parametrize("share", [0.05, 0.4, 0.9])
def test_patches_take_the_wanted_share_of_the_lung(share):
    taken = cover(GLASS._replace(share=share))[CHEST.holds_organ] > 0.25
    assert taken.mean() == pytest.approx(share, abs=0.002)


def test_patches_lean_to_where_they_are_told():
    _, y = TRUNK.grid(FRAME)
    lung, behind = CHEST.holds_organ, y + np.zeros((11, 1, 1)) > 0.15
    even = GLASS._replace(outwards=0.0, backwards=0.0, downwards=0.0)
    for leaning, half in (
        ("backwards", behind),
        ("downwards", LEVELS[:, None, None] + 0 * y < 0.4),
    ):
        plain, leant = (
            np.mean(
                [
                    cover(even._replace(**{leaning: size}), seed)[lung & half].mean()
                    for seed in range(4)
                ]
            )
            for size in (0.0, 4.0)
        )
        assert leant > 1.3 * plain


def test_glass_fills_lung_with_fluid_and_nothing_else():
    whole = np.ones_like(CHEST.brightness)
    clouded = with_ground_glass(CHEST.brightness, CHEST.organ, GLASS._replace(density=1.0), whole)
    np.testing.assert_allclose(clouded[CHEST.organ == 1], TISSUE, atol=1e-6)
    np.testing.assert_array_equal(clouded[CHEST.organ == 0], CHEST.brightness[CHEST.organ == 0])


def test_severity_is_a_factor_on_the_density_up_to_solid_lung():
    for severity, expected in ((0.5, 0.5 * GLASS.density), (100.0, 1.0)):
        other = sample_ground_glass(np.random.default_rng(2), grade=2, severity=severity)
        assert (
            other.density == pytest.approx(expected)
            and other._replace(density=GLASS.density) == GLASS
        )
