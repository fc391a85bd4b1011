"""The block of vision transformers by NumPy."""

import numpy as np
import scipy.special
from flax import nnx

from cfx_jax.models.volumes.layers import TransformerBlock

TOKENS = np.random.default_rng(0).normal(size=(2, 5, 6)).astype(np.float32)


def block(dropout=0.0):
    return TransformerBlock(6, num_heads=2, hidden=7, dropout=dropout, rngs=nnx.Rngs(0))


def normalised(tokens):
    return (tokens - tokens.mean(-1, keepdims=True)) / np.sqrt(tokens.var(-1, keepdims=True) + 1e-6)


def attended(tokens, attention):
    parts = (attention.query, attention.key, attention.value)
    query, key, value = (
        np.einsum("bnd,dhk->bhnk", tokens, np.asarray(part.kernel[...])) for part in parts
    )
    weights = scipy.special.softmax(np.einsum("bhqk,bhnk->bhqn", query, key) / np.sqrt(3), axis=-1)
    return np.einsum("bhqn,bhnk,hkd->bqd", weights, value, np.asarray(attention.out.kernel[...]))


def test_values_are_those_of_the_equations():
    """Biases and the scales of the norms are 0 and 1 at the start."""
    layer = block()
    middle = TOKENS + attended(normalised(TOKENS), layer.attention)
    hidden = normalised(middle) @ np.asarray(layer.hidden.kernel[...])
    # The GELU by its tanh approximation, as in the authors' code.
    hidden = 0.5 * hidden * (1 + np.tanh(np.sqrt(2 / np.pi) * (hidden + 0.044715 * hidden**3)))
    expected = middle + hidden @ np.asarray(layer.output.kernel[...])
    np.testing.assert_allclose(layer(TOKENS), expected, rtol=1e-4, atol=1e-5)


def test_dropout_acts_in_training_alone():
    layer = block(dropout=0.5)
    assert np.any(np.asarray(layer(TOKENS)) != np.asarray(layer(TOKENS)))
    view = nnx.view(layer, deterministic=True)
    np.testing.assert_array_equal(view(TOKENS), view(TOKENS))
