"""Functions whose derivative at 0 is taken as 0."""

import jax
import jax.numpy as jnp
import numpy as np

from cfx_jax.losses.subgradients import safe_abs, safe_sqrt

VALUES = jnp.asarray([0.0, 1e-30, 2.0, 9.0])


def test_values_are_roots_and_magnitudes():
    np.testing.assert_allclose(safe_sqrt(VALUES), np.sqrt(VALUES), rtol=1e-6)
    np.testing.assert_array_equal(safe_abs(-VALUES), VALUES)


def test_slopes_at_0_are_0_and_elsewhere_the_known_ones():
    root, magnitude = (
        jax.jit(jax.vmap(jax.grad(f)))(jnp.asarray([0.0, 4.0])) for f in (safe_sqrt, safe_abs)
    )
    np.testing.assert_allclose(root, [0, 0.25])
    np.testing.assert_allclose(magnitude, [0, 1])
    assert float(jax.grad(safe_abs)(-4.0)) == -1


def test_second_derivatives_of_the_root_are_finite():
    np.testing.assert_allclose(
        jax.jit(jax.vmap(jax.grad(jax.grad(safe_sqrt))))(jnp.asarray([0.0, 4.0])), [0, -1 / 32]
    )
