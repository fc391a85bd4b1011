import numpy as np

from cfx_jax.data.worlds.chest import sample_anatomy
from cfx_jax.data.worlds.chest.bones import bone_density

CHEST = sample_anatomy(np.random.default_rng(0))._replace(tilt=0.0, width=1.0)
DRAWN = [bone_density(np.random.default_rng(i), CHEST, CHEST.frame(128)) for i in range(20)]
X, Y = CHEST.grid(CHEST.frame(128))


def test_bones_only_add_density():
    for density in DRAWN:
        assert density.min() >= 0 and 0.1 < density.max() < 0.6


def test_ribs_repeat_down_the_chest():
    for density in DRAWN:
        column = density[(np.abs(Y) < 0.5).any(1)][:, np.abs(X[0] - 0.5).argmin()]
        bright = (column > column.mean()).astype(int)
        assert 5 <= (np.diff(bright) == 1).sum() <= 14


def test_crossings_of_ribs_are_denser_than_ribs():
    lung = (np.abs(np.abs(X) - 0.5) < 0.15) & (np.abs(Y) < 0.3)
    for density in DRAWN:
        assert density[lung].max() > 1.35 * np.median(density[lung][density[lung] > 0.03])


def test_bones_are_about_the_same_on_both_sides():
    density = np.mean(DRAWN, axis=0)
    left, right = density[X > 0].mean(), density[X < 0].mean()
    assert abs(left / right - 1) < 0.1
