"""The box's three operations, by hand."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from cfx_jax.errors import InputError
from cfx_jax.geometry import box

LOWER, UPPER = jnp.asarray([0.0, -1.0, 0.5]), jnp.asarray([1.0, 1.0, 0.5])


def test_projection_clips_each_entry():
    np.testing.assert_array_equal(
        box(LOWER, UPPER).project(jnp.asarray([2.0, -3.0, 0.0])), [1.0, -1.0, 0.5]
    )


def test_oracle_answers_with_a_corner():
    np.testing.assert_array_equal(
        box(LOWER, UPPER).linear_minimiser(jnp.asarray([1.0, -1.0, 0.0])), [0.0, 1.0, 0.5]
    )


def test_samples_are_inside():
    samples = jax.vmap(box(LOWER, UPPER).sample)(jax.random.split(jax.random.key(0), 100))
    assert ((samples >= LOWER) & (samples <= UPPER)).all()
    assert samples[:, 1].std() > 0.4


def test_bounds_of_different_shapes_are_refused():
    with pytest.raises(InputError, match=r"expected bounds of one shape, got \(3,\) and \(2,\)"):
        box(LOWER, UPPER[:2])
