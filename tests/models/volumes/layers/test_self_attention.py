"""Self-attention by NumPy, one position at a time."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from cfx_jax.errors import InputError
from cfx_jax.models.volumes.layers import SelfAttention

MAPS = np.random.default_rng(0).normal(size=(2, 3, 4, 16)).astype(np.float32)


def test_it_starts_as_the_identity():
    np.testing.assert_array_equal(SelfAttention(16, rngs=nnx.Rngs(0))(MAPS), MAPS)


def test_each_position_gets_a_mean_of_the_values_weighted_by_its_products():
    layer = SelfAttention(16, rngs=nnx.Rngs(0))
    layer.gamma[...] = jnp.asarray(0.7)
    query, key, value = (
        np.asarray(each.kernel[...]) for each in (layer.query, layer.key, layer.value)
    )
    assert query.shape == key.shape == (16, 2) and value.shape == (16, 16)
    expected = np.empty_like(MAPS)
    for image, row, column in np.ndindex(2, 3, 4):
        positions = MAPS[image].reshape(12, 16)
        weights = np.exp((positions @ key) @ (MAPS[image, row, column] @ query))
        attended = (weights / weights.sum()) @ (positions @ value)
        expected[image, row, column] = MAPS[image, row, column] + 0.7 * attended
    np.testing.assert_allclose(layer(MAPS), expected, rtol=1e-4, atol=1e-5)


def test_it_does_not_know_where_a_position_is():
    layer = SelfAttention(16, rngs=nnx.Rngs(0))
    layer.gamma[...] = jnp.asarray(1.0)
    np.testing.assert_allclose(
        layer(MAPS[:, ::-1]), np.asarray(layer(MAPS))[:, ::-1], rtol=1e-4, atol=1e-5
    )


def test_the_factor_learns_first_and_the_maps_once_it_has_left_zero():
    def gradients(gamma):
        layer = SelfAttention(16, rngs=nnx.Rngs(0))
        layer.gamma[...] = jnp.asarray(gamma)
        graph, parameters = nnx.split(layer, nnx.Param)
        found = jax.grad(lambda each: (nnx.merge(graph, each, copy=True)(MAPS) ** 2).sum())(
            parameters
        )
        return {path[0]: np.any(np.asarray(leaf) != 0) for path, leaf in nnx.to_flat_state(found)}

    assert gradients(0.0) == {"gamma": True, "query": False, "key": False, "value": False}
    assert all(gradients(0.1).values())


def test_too_few_channels_are_refused():
    with pytest.raises(
        InputError, match=r"channels: expected at least 8 for self-attention, .* got 7"
    ):
        SelfAttention(7, rngs=nnx.Rngs(0))
