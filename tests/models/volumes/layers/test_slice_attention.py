"""Learnt weights of slices against formulas in NumPy."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from cfx_jax.errors import InputError
from cfx_jax.models.volumes.layers import SliceAttention


def attention(**options):
    return SliceAttention(3, 4, hidden=5, **options, rngs=nnx.Rngs(0))


def random_features(seed=0):
    return jnp.asarray(np.random.default_rng(seed).normal(size=(2, 3, 4)), jnp.float32)


def inference(module):
    return nnx.view(module, deterministic=True)


def test_published_size_has_as_many_parameters_as_counted_in_the_released_one():
    module = nnx.eval_shape(lambda: SliceAttention(11, 2048, rngs=nnx.Rngs(0)))
    assert (
        sum(np.prod(leaf.shape) for leaf in jax.tree.leaves(nnx.state(module, nnx.Param)))
        == 1_442_571
    )


@pytest.mark.parametrize("normalise", [False, True])
def test_sum_of_slices_weighted_by_the_sigmoid_of_two_layers(normalise):
    module, features = attention(normalise=normalise), random_features()
    flat = np.asarray(features, np.float64).reshape(2, 12)
    hidden = flat @ np.asarray(module.hidden.kernel[...]) + np.asarray(module.hidden.bias[...])
    assert hidden.min() < 0
    logits = np.where(hidden > 0, hidden, 0.01 * hidden) @ np.asarray(module.out.kernel[...])
    weights = 1 / (1 + np.exp(-logits))
    expected = np.einsum("bs,bsd->bd", weights, np.asarray(features)) / (3 if normalise else 1)
    np.testing.assert_allclose(inference(module).weights(features), weights, rtol=1e-4)
    np.testing.assert_allclose(inference(module)(features), expected, rtol=1e-4, atol=1e-5)


def test_equal_weights_give_the_mean():
    module, features = attention(), random_features()
    module.out.kernel[...] = jnp.zeros((5, 3))
    module.out.bias[...] = jnp.full(3, -np.log(2))  # of the sigmoid 1/3
    np.testing.assert_allclose(
        inference(module)(features), features.mean(axis=1), rtol=1e-5, atol=1e-6
    )


def test_order_of_slices_matters():
    module, features = inference(attention()), random_features()
    assert not np.allclose(module(features[:, ::-1]), module(features))


def test_dropout_draws_anew_in_training_only():
    module, features = attention(dropout=0.5), random_features()
    in_training = nnx.view(module, deterministic=False)
    assert not np.allclose(in_training(features), in_training(features))
    np.testing.assert_array_equal(inference(module)(features), inference(module)(features))


def test_another_number_of_slices_is_refused():
    with pytest.raises(
        InputError,
        match=r"volumes: expected 3 slices, .* got 2: choose that many slices of each volume",
    ):
        attention()(random_features()[:, :2])


def test_numbers_out_of_range_are_refused():
    with pytest.raises(InputError, match="num_slices: expected at least 1, got 0"):
        SliceAttention(0, 4, rngs=nnx.Rngs(0))
    with pytest.raises(InputError, match=r"dropout: expected a share in \[0, 1\), got -0.1"):
        attention(dropout=-0.1)
