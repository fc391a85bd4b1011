"""Layers of our own compute in their number type; a last layer in that of its weights."""

import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from cfx_jax.models.generators.layers import (
    Affine,
    ConditionalBatchNorm,
    SpectralConvolution,
    SpectralLinear,
    TransposedConvolution,
    dense,
    same_convolution,
)
from cfx_jax.models.layers import DepthwiseConvolution, last_layer
from cfx_jax.models.views import computing_in

MAPS = jnp.asarray(np.random.default_rng(0).normal(size=(2, 4, 4, 3)), jnp.float32)
CONDITIONS = jnp.array([0, 1])
RNGS = nnx.Rngs(0)
LAYERS = {
    "depthwise": DepthwiseConvolution(3, size=3, rngs=RNGS),
    "affine": Affine(3, rngs=RNGS),
    "conditional norm": ConditionalBatchNorm(2, 3, rngs=RNGS),
    "spectral convolution": SpectralConvolution(3, 4, rngs=RNGS),
    "spectral linear": SpectralLinear(3, 4, rngs=RNGS),
    "transposed": TransposedConvolution(3, 4, use_bias=True, rngs=RNGS),
}
LAST = {
    "linear": last_layer(3, 2, rngs=RNGS),
    "dense": dense(3, 2, last=True, rngs=RNGS),
    "convolution": same_convolution(3, 2, last=True, rngs=RNGS),
    "spectral linear": SpectralLinear(3, 4, last=True, rngs=RNGS),
    "transposed": TransposedConvolution(3, 4, use_bias=True, last=True, rngs=RNGS),
}


def call(layer, x):
    return layer(x, CONDITIONS) if isinstance(layer, ConditionalBatchNorm) else layer(x)


@pytest.mark.parametrize("name", LAYERS)
def test_a_layer_computes_in_bfloat16_to_its_precision(name):
    layer = LAYERS[name]
    exact, rounded = call(layer, MAPS), call(computing_in(layer, "bfloat16"), MAPS)
    assert (exact.dtype, rounded.dtype) == (jnp.float32, jnp.bfloat16)
    # Input, weights and result are each rounded to 8 bits.
    np.testing.assert_allclose(rounded, exact, atol=3 * 2**-8 * float(jnp.abs(exact).max()))


@pytest.mark.parametrize("name", LAST)
def test_a_last_layer_computes_in_float32_of_bfloat16_maps(name):
    maps = MAPS.astype(jnp.bfloat16)
    logits = computing_in(LAST[name], "bfloat16")(maps)
    assert logits.dtype == jnp.float32
    np.testing.assert_array_equal(logits, LAST[name](maps.astype(jnp.float32)))
