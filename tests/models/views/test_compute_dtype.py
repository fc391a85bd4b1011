"""Networks that compute in bfloat16: float32 outside, and explanations near those of float32."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from small_resnet import small_resnet

from cfx_jax.attributions import grad_cam, gradient, integrated_gradients
from cfx_jax.errors import InputError
from cfx_jax.models import (
    UNetGenerator,
    VisionTransformer,
    build,
    build_volume_model,
    computing_in,
    generator_of,
    parts,
    per_image,
)
from cfx_jax.models.generators.residual_autoencoder import ResidualAutoencoder, coder_of
from cfx_jax.objectives import class_score

IMAGE = jnp.asarray(np.random.default_rng(0).uniform(size=(32, 32, 3)), jnp.float32)


def small(name):
    return build(name, num_classes=2, mean=0.5, std=0.3, rngs=nnx.Rngs(0))


def resnet():
    return small_resnet(mean=0.5, std=0.3, widths=(8, 12))


def shapes_of(network, *inputs):
    return nnx.eval_shape(lambda model, *x: model(*x), network, *inputs)


def kinds(tree):
    return {leaf.dtype.name for leaf in jax.tree.leaves(tree)}


@pytest.mark.parametrize("name", ["resnet_small", "densenet_small", "efficientnet_small"])
def test_a_network_of_images_gives_float32_and_keeps_its_variables_float32(name):
    network = computing_in(nnx.eval_shape(lambda: small(name)), "bfloat16")
    assert kinds(shapes_of(network, IMAGE[None])) == {"float32"}
    assert kinds(nnx.state(network, (nnx.Param, nnx.BatchStat))) == {"float32"}
    maps = nnx.eval_shape(lambda model, x: model.features(x), network, IMAGE[None])
    assert maps.dtype == jnp.bfloat16


@pytest.mark.parametrize("name", ["slice_small", "acat_slice_small", "half_brain_small"])
def test_a_network_of_volumes_gives_float32(name):
    network = nnx.eval_shape(lambda: build_volume_model(name, num_slices=2, rngs=nnx.Rngs(0)))
    volumes = jnp.zeros((1, 2, 32, 32, 1))
    inputs = (volumes, volumes) if name.startswith("acat") else (volumes,)
    assert kinds(shapes_of(computing_in(network, "bfloat16"), *inputs)) == {"float32"}


def test_images_and_latents_of_generators_are_float32():
    image = IMAGE[:16, :16, :1]
    unet = computing_in(UNetGenerator(filters=(2, 4), rngs=nnx.Rngs(0)), "bfloat16")
    coder = ResidualAutoencoder(width=2, rngs=nnx.Rngs(0))
    for coded, given in (
        (generator_of(unet), image),
        (coder_of(computing_in(coder, "bfloat16")), image[None]),
    ):
        latent = jax.eval_shape(coded.encode, given)
        assert kinds((latent, jax.eval_shape(coded.decode, latent))) == {"float32"}


def test_maps_of_a_bfloat16_network_agree_with_those_of_float32():
    """In the length of their difference, as a share of the map's own. A ReLU near 0 may turn round,
    so that a single gradient differs most, and the mean over a path less.
    """
    network = resnet()
    exact, rounded = (maps_of(model) for model in (network, computing_in(network, "bfloat16")))
    assert kinds(rounded) == {"float32"}
    for name, tolerance in {"gradient": 0.25, "integrated": 0.12, "cam": 0.02}.items():
        difference = jnp.linalg.norm(rounded[name] - exact[name]) / jnp.linalg.norm(exact[name])
        assert 0 < difference < tolerance, name


def maps_of(model):
    score = class_score(per_image(model), 1)
    return {
        "gradient": gradient(score, IMAGE),
        "integrated": integrated_gradients(score, IMAGE, num_steps=8),
        "cam": grad_cam(parts(model), IMAGE, 1),
    }


def test_float32_gives_a_network_back_its_numbers():
    network = resnet()
    back = computing_in(computing_in(network, "bfloat16"), "float32")
    np.testing.assert_array_equal(per_image(back)(IMAGE), per_image(network)(IMAGE))
    assert network.stem.conv.dtype is None


def test_a_transformer_takes_part():
    options = {"size": (16, 16), "patch": 8, "width": 8, "num_blocks": 1, "num_heads": 2}
    options |= {"hidden": 8, "dropout": 0.0, "in_channels": 3}
    network = computing_in(VisionTransformer(**options, rngs=nnx.Rngs(0)), "bfloat16")
    assert network(IMAGE[None, :16, :16]).dtype == jnp.bfloat16


def test_an_unknown_type_and_a_model_without_layers_are_refused():
    with pytest.raises(InputError, match="compute_dtype: expected one of 'float32', 'bfloat16'"):
        computing_in(resnet(), "float16")
    with pytest.raises(InputError, match="compute_dtype: expected a network whose layers have"):
        computing_in(nnx.Dropout(0.5, rngs=nnx.Rngs(0)), "bfloat16")
