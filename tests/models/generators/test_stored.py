"""Generators by their names, options and arrays draw the same images again."""

import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from cfx_jax.errors import InputError
from cfx_jax.models import (
    DuoAE,
    ProgressiveGenerator,
    SingleAE,
    UNetGenerator,
    arrays_of,
    computing_in,
    rebuild,
)

IMAGES = jnp.asarray(np.random.default_rng(0).uniform(size=(2, 8, 8, 1)), jnp.float32)
UNET = {"in_channels": 1, "filters": (2, 3), "norm": "batch"}
BUILT = {
    UNetGenerator: UNET | {"residual": True},
    SingleAE: UNET | {"head_filters": (2,)},
    DuoAE: UNET | {"head_filters": (2,)},
}


def draw(network):
    return np.stack(nnx.view(network, use_running_average=True)(IMAGES))


@pytest.mark.parametrize("kind", BUILT)
def test_a_rebuilt_network_draws_the_same(kind):
    network = kind(**BUILT[kind], rngs=nnx.Rngs(3))
    again = rebuild(kind.__name__, BUILT[kind], arrays_of(network))
    np.testing.assert_array_equal(draw(again), draw(network))
    assert not np.array_equal(draw(kind(**BUILT[kind], rngs=nnx.Rngs(0))), draw(network))


def test_statistics_are_kept_too():
    options = {"in_channels": 1, "filters": [2, 3], "num_bins": 3}
    network = ProgressiveGenerator(**options, rngs=nnx.Rngs(1))
    network.stem_norm.mean[...] = jnp.array([0.25])
    again = rebuild("ProgressiveGenerator", options, arrays_of(network))
    np.testing.assert_array_equal(again.stem_norm.mean[...], [0.25])


def test_a_network_that_computes_in_bfloat16_does_so_again():
    network = computing_in(UNetGenerator(**UNET, rngs=nnx.Rngs(1)), "bfloat16")
    options = UNET | {"compute_dtype": "bfloat16"}
    again = rebuild("UNetGenerator", options, arrays_of(network))
    np.testing.assert_array_equal(draw(again), draw(network))
    plain = rebuild("UNetGenerator", UNET, arrays_of(network))
    assert not np.array_equal(draw(plain), draw(network))


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("Magic", {}, "network: expected one of"),
        ("UNetGenerator", {"colour": 3}, "network: expected options of UNetGenerator"),
        ("UNetGenerator", {"filters": [2, 4]}, "network: expected arrays of UNetGenerator, got"),
    ],
)
def test_arrays_of_another_network(name, options, message):
    arrays = arrays_of(UNetGenerator(**UNET, rngs=nnx.Rngs(0)))
    with pytest.raises(InputError, match=message):
        rebuild(name, options, arrays)
