import numpy as np

from cfx_jax.data.worlds.chest import sample_anatomy
from cfx_jax.data.worlds.chest.vessels import HILUM, vessel_density

CHEST = sample_anatomy(np.random.default_rng(0))._replace(tilt=0.0, width=1.0)
DRAWN = [vessel_density(np.random.default_rng(i), CHEST, CHEST.frame(64)) for i in range(20)]
X, Y = CHEST.grid(CHEST.frame(64))


def test_vessels_are_densest_at_the_hila_and_thin_out():
    mean = np.mean(DRAWN, axis=0)
    distance = np.minimum(*(np.hypot(X - side * HILUM[0], Y - HILUM[1]) for side in (-1, 1)))
    rings = [
        mean[(distance >= low) & (distance < low + 0.12)].mean() for low in (0.0, 0.25, 0.4, 0.55)
    ]
    assert rings == sorted(rings, reverse=True) and rings[0] > 3 * rings[3]


def test_trees_differ_in_shape_and_prominence():
    assert np.std([density.sum() for density in DRAWN]) > 0.1 * np.mean(
        [density.sum() for density in DRAWN]
    )
    assert all(density.min() >= 0 for density in DRAWN)
