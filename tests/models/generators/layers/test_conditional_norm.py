"""Conditional batch norm against NumPy."""

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from cfx_jax.models.generators.layers import ConditionalBatchNorm

MAPS = jnp.asarray(np.random.default_rng(0).normal(1, 2, size=(3, 4, 5, 2)), jnp.float32)
BINS = jnp.array([0, 2, 0])


def layer(num_conditions=4):
    norm = ConditionalBatchNorm(num_conditions, 2, momentum=0.75, rngs=nnx.Rngs(0))
    rows = jnp.arange(2.0 * num_conditions).reshape(num_conditions, 2)
    norm.scale[...], norm.bias[...] = 1 + rows, -rows
    return norm


def standardised(maps, axes=(0, 1, 2)):
    return (maps - maps.mean(axes)) / np.sqrt(maps.var(axes) + 1e-3)


def test_each_image_gets_the_scale_and_shift_of_its_condition():
    rows = np.arange(8.0).reshape(4, 2)[BINS][:, None, None]
    np.testing.assert_allclose(
        layer()(MAPS, BINS), (1 + rows) * standardised(np.asarray(MAPS)) - rows, atol=1e-4
    )


def test_equal_rows_are_plain_batch_norm_in_value_and_statistics():
    plain = nnx.BatchNorm(2, momentum=0.75, epsilon=1e-3, rngs=nnx.Rngs(0))
    for conditions, bins in ((4, BINS), (1, jnp.zeros(3, int))):
        conditional = ConditionalBatchNorm(conditions, 2, momentum=0.75, rngs=nnx.Rngs(0))
        fresh = nnx.clone(plain)
        np.testing.assert_allclose(conditional(MAPS, bins), fresh(MAPS), atol=1e-5)
        np.testing.assert_allclose(conditional.normalise.mean[...], fresh.mean[...])
        np.testing.assert_allclose(conditional.normalise.var[...], fresh.var[...])


def test_running_averages_keep_their_share_and_serve_the_inference_view():
    norm, maps = layer(), np.asarray(MAPS)
    norm(MAPS, BINS)
    mean, var = 0.25 * maps.mean((0, 1, 2)), 0.75 + 0.25 * maps.var((0, 1, 2))
    np.testing.assert_allclose(norm.normalise.mean[...], mean, rtol=1e-5)
    np.testing.assert_allclose(norm.normalise.var[...], var, rtol=1e-4)
    view = nnx.view(norm, use_running_average=True)
    expected = [1, 2] * (maps[:1] - mean) / np.sqrt(var + 1e-3) - [0, 1]
    np.testing.assert_allclose(view(MAPS[:1], BINS[:1]), expected, rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(norm.normalise.mean[...], mean, rtol=1e-5)


def test_only_the_rows_in_use_get_a_gradient():
    graph, tables, rest = nnx.split(layer(), nnx.Param, ...)

    def loss(tables):
        norm = nnx.view(nnx.merge(graph, tables, rest, copy=True), use_running_average=True)
        return jnp.square(norm(MAPS, BINS) - 5).sum()

    for table in jax.tree.leaves(jax.grad(loss)(tables)):
        np.testing.assert_array_equal((table != 0).any(axis=1), [True, False, True, False])
