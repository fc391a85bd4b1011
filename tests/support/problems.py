"""Small objectives with known answers, shared by the tests of the optimisers."""

import jax.numpy as jnp
import numpy as np

RNG = np.random.default_rng(0)
CENTER = jnp.asarray(RNG.uniform(0.3, 0.7, (6, 6, 1)), jnp.float32)
SLOPE = jnp.asarray(RNG.normal(size=(6, 6, 1)), jnp.float32)


def linear(x):
    return (SLOPE * x).sum()


def bowl(x):
    """A quadratic whose minimum lies outside every ball the tests use, and is not isotropic."""
    scales = jnp.linspace(1, 4, x.size).reshape(x.shape)
    return 0.5 * (scales * (x - 1.2 * SLOPE) ** 2).sum()
