import numpy as np

from cfx_jax.data.worlds.chest import sample_anatomy
from cfx_jax.data.worlds.chest.soft_tissue import soft_tissue

CHEST = sample_anatomy(np.random.default_rng(0))._replace(breasts=0.0, tilt=0.0, width=1.0)
FRAME = CHEST.frame(64)
X, Y = CHEST.grid(FRAME)


def test_beside_the_neck_is_air_and_the_trunk_is_dense():
    density = soft_tissue(CHEST, FRAME)
    assert density[(np.abs(X) > 0.7) & (Y < -0.95)].max() < 0.1
    assert density[(np.abs(X) < 0.7) & (np.abs(Y) < 0.6)].min() > 0.45


def test_abdomen_is_denser_than_the_chest():
    density = soft_tissue(CHEST, FRAME)
    middle = np.abs(X) < 0.3
    assert density[middle & (Y > 0.75)].mean() > 1.15 * density[middle & (np.abs(Y) < 0.2)].mean()


def test_breasts_add_density_over_the_lower_lungs_only():
    more = soft_tissue(CHEST._replace(breasts=1.0), FRAME) - soft_tissue(CHEST, FRAME)
    assert more.min() > -1e-6 and 0.05 < more.max() < 0.12
    assert np.abs(more[(np.abs(X) < 0.05) | (Y < -0.25)]).max() < 1e-6
