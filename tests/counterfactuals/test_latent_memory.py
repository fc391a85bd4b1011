"""How much memory the search in the latent of the published autoencoder takes, as compiled: 11
slices of 128 pixels.
"""

import functools

import jax
import jax.numpy as jnp
import pytest
from flax import nnx

from cfx_jax.counterfactuals import latent_counterfactual
from cfx_jax.models import (
    ResidualAutoencoder,
    SliceWise,
    coder_of,
    per_image,
    resnet50_stages,
    resnet_small_stages,
)
from cfx_jax.models.layers import last_layer

VOLUME = jax.ShapeDtypeStruct((11, 128, 128, 1), jnp.float32)

pytestmark = pytest.mark.slow


def classifier(stages):
    trunk = stages(rngs=nnx.Rngs(0))
    return SliceWise(trunk, last_layer(trunk.slice_width, 2, rngs=nnx.Rngs(1)), rngs=nnx.Rngs(2))


@functools.cache
def temporary_bytes(stages, slices_per_batch):
    """The bytes that the compiled program allocates beyond arguments and results.

    No weight is ever made.
    """
    model = nnx.eval_shape(lambda: classifier(stages))
    autoencoder = nnx.eval_shape(lambda: ResidualAutoencoder(rngs=nnx.Rngs(3)))

    def search(coder, classify, volume):
        return latent_counterfactual(coder, classify, volume, 1, slices_per_batch=slices_per_batch)

    program = jax.jit(search).lower(coder_of(autoencoder), per_image(model), VOLUME).compile()
    return program.memory_analysis().temp_size_in_bytes


def test_the_published_networks_need_less_than_2_gib():
    assert 2**24 < temporary_bytes(resnet50_stages, None) < 2**31


def test_slices_one_by_one_need_a_fraction_of_the_autoencoders_memory():
    """The autoencoder's share is large here, since the classifier is a small one."""
    assert temporary_bytes(resnet_small_stages, 1) < 0.3 * temporary_bytes(
        resnet_small_stages, None
    )
