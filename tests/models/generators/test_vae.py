"""The variational autoencoder: sizes, layers, errors."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from cfx_jax.errors import InputError
from cfx_jax.models import VAE

IMAGES = jnp.asarray(np.random.default_rng(0).uniform(size=(3, 8, 4, 2)), jnp.float32)


def tiny(**options):
    return VAE(
        **({"size": (8, 4), "in_channels": 2, "filters": (2, 3), "latent": 5} | options),
        rngs=nnx.Rngs(0),
    )


@jax.jit
def encode(model, images):
    return model.encode(images)


@jax.jit
def decode(model, latent):
    return model.decode(latent)


@pytest.mark.parametrize(
    ("side", "filters"), [(64, (64, 128, 256, 512)), (128, (64, 128, 256, 512, 512))]
)
def test_sizes_of_the_released_network_and_of_one_stage_more(side, filters):
    model = nnx.eval_shape(lambda: VAE(size=(side, side), filters=filters, rngs=nnx.Rngs(0)))
    widths = (3, *filters)
    kernels = sum(25 * a * b for a, b in zip(widths, filters, strict=False))
    norms = 2 * sum(filters) + 2 * sum(filters[:-1])
    heads = 2 * (16 * 512 * 32 + 32) + 32 * 16 * 512 + 16 * 512 + 3
    count = sum(
        np.prod(leaf.shape, dtype=int) for leaf in jax.tree.leaves(nnx.state(model, nnx.Param))
    )
    assert count == 2 * kernels + norms + heads
    images = jax.ShapeDtypeStruct((2, side, side, 3), jnp.float32)
    latents = jax.eval_shape(lambda model, x: model.encode(x), model, images)
    assert [each.shape for each in latents] == [(2, 32), (2, 32)]
    assert jax.eval_shape(lambda model, z: model.decode(z), model, latents[0]).shape == images.shape


def test_latents_follow_the_layers_in_order():
    model = nnx.view(tiny(), use_running_average=True)
    x = 2 * IMAGES - 1
    for down in model.down:
        x = down.norm(down.conv(x))
        x = jnp.where(x > 0, x, 0.2 * x)
    assert x.shape == (3, 2, 1, 3)
    mean, log_variance = encode(model, IMAGES)
    for found, head in ((mean, model.mean), (log_variance, model.log_variance)):
        np.testing.assert_allclose(
            found, x.reshape(3, 6) @ head.kernel[...] + head.bias[...], atol=1e-4
        )


def test_images_follow_the_layers_in_order():
    model = nnx.view(tiny(), use_running_average=True)
    latent = jnp.asarray(np.random.default_rng(1).normal(size=(3, 5)), jnp.float32)
    x = jnp.maximum(latent @ model.enter.kernel[...] + model.enter.bias[...], 0).reshape(3, 2, 1, 3)
    (up,) = model.up
    x = model.leave(jnp.maximum(up.norm(up.conv(x)), 0))
    found = decode(model, latent)
    assert found.shape == IMAGES.shape
    np.testing.assert_allclose(2 * found - 1, jnp.tanh(x), atol=1e-5)


def test_all_parameters_get_a_gradient_in_training():
    graph, parameters, rest = nnx.split(tiny(), nnx.Param, ...)

    def loss(parameters):
        model = nnx.merge(graph, parameters, rest, copy=True)
        mean, log_variance = model.encode(IMAGES)
        return (jnp.square(model.decode(mean) - IMAGES) * jnp.arange(2)).sum() + jnp.square(
            log_variance
        ).sum()

    gradients = jax.tree.leaves(jax.jit(jax.grad(loss))(parameters))
    assert all(jnp.isfinite(each).all() and jnp.any(each != 0) for each in gradients)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"filters": ()}, "filters: expected at least 1, got 0"),
        ({"latent": 0}, "latent: expected at least 1, got 0"),
        (
            {"size": (8, 6)},
            "size: expected sides that divide by 4, since 2 filters halve the maps as often, got"
            " 8x6",
        ),
    ],
)
def test_impossible_sizes_are_refused(options, message):
    with pytest.raises(InputError, match=message):
        tiny(**options)


def test_images_of_another_size_are_refused():
    with pytest.raises(
        InputError, match="images: expected 8x4 pixels, the `size` of the VAE, got 8x8"
    ):
        tiny().encode(jnp.zeros((1, 8, 8, 2)))
