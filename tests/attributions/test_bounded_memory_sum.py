"""Sums in batches against NumPy."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from cfx_jax.attributions.bounded_memory_sum import sum_over
from cfx_jax.checks import check_count
from cfx_jax.errors import InputError

TERMS = np.random.default_rng(0).normal(size=(7, 3, 2)).astype(np.float32)


@pytest.mark.parametrize("per_batch", [None, 1, 2, 3, 7, 50])
def test_every_term_counts_once(per_batch):
    found = sum_over(lambda i: jnp.asarray(TERMS)[i], 7, per_batch=per_batch)
    np.testing.assert_allclose(found, TERMS.sum(axis=0), atol=1e-6)
    assert found.dtype == jnp.float32


def test_scalars_are_summed_too():
    assert float(sum_over(lambda i: 1.0 * i, 10, per_batch=4)) == 45


def test_no_index_is_out_of_range():
    """What fills the last batch up is no term of its own: a score may be undefined there."""
    found = sum_over(lambda i: jnp.where(i < 5, 1.0, jnp.nan), 5, per_batch=3)
    assert float(found) == 5


def test_its_derivative_is_the_sum_of_the_derivatives():
    slope = jax.grad(lambda x: sum_over(lambda i: x ** (i + 1.0), 3, per_batch=2))(2.0)
    assert float(slope) == pytest.approx(1 + 2 * 2 + 3 * 4)


@pytest.mark.parametrize("value", [0, -1, 2.0, "3", None])
def test_a_number_of_terms_is_a_whole_one(value):
    with pytest.raises(
        InputError, match=f"samples: expected an integer of at least 1, got {value!r}"
    ):
        check_count(value, name="samples")


def test_none_stands_for_all_where_it_may():
    check_count(None, name="samples", or_none=True)
    with pytest.raises(InputError, match="samples: expected an integer of at least 1, got 0"):
        check_count(0, name="samples", or_none=True)
