"""Densely connected networks: published sizes, layers against NumPy, torchvision's names,
errors.
"""

from functools import cache

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from cfx_jax.errors import InputError
from cfx_jax.models import (
    DenseNet,
    densenet121,
    densenet_small,
    guided,
    guided_relu,
    import_weights,
)
from cfx_jax.models.images.densenet import DenseLayer, Transition

RNG = np.random.default_rng(0)


def abstract(factory, **options):
    """The model's shapes, with nothing allocated."""
    return nnx.eval_shape(lambda: factory(rngs=nnx.Rngs(0), **options))


def num_parameters(model):
    return sum(
        np.prod(leaf.shape, dtype=int) for leaf in jax.tree.leaves(nnx.state(model, nnx.Param))
    )


def output_shape(model, method, shape):
    images = jax.ShapeDtypeStruct(shape, jnp.float32)
    return jax.eval_shape(lambda model, x: getattr(model, method)(x), model, images).shape


def tiny(**options):
    options = {
        "block_sizes": (2, 1),
        "growth": 2,
        "stem_width": 4,
        "num_classes": 3,
        "stem": "patch",
    } | options
    return DenseNet(**options, rngs=nnx.Rngs(0))


def random_maps(*shape):
    return jnp.asarray(RNG.normal(size=shape), jnp.float32)


@cache
def published():
    return abstract(densenet121, num_classes=2)


def test_parameter_counts_are_the_published_ones():
    head = num_parameters(published().head)
    assert (head, num_parameters(published()) - head) == (2 * 1025, 6_953_856)


def test_the_published_network_divides_the_side_by_32():
    assert output_shape(published(), "features", (2, 128, 96, 3)) == (2, 4, 3, 1024)


def test_the_small_network_is_small():
    model = abstract(densenet_small, num_classes=2, in_channels=1)
    assert 0.2e6 < num_parameters(model) < 0.3e6
    assert output_shape(model, "features", (5, 64, 64, 1)) == (5, 4, 4, 156)


def norm(x, layer):
    x = (x - np.asarray(layer.mean[...])) / np.sqrt(np.asarray(layer.var[...]) + 1e-5)
    return np.asarray(layer.scale[...]) * x + np.asarray(layer.bias[...])


def perturbed(layer):
    for path, variable in nnx.iter_graph(layer):
        if isinstance(variable, nnx.Variable) and path[-1] in ("scale", "bias", "mean", "var"):
            variable[...] = variable[...] + jnp.asarray(
                RNG.uniform(0, 0.3, variable.shape), jnp.float32
            )
    return nnx.view(layer, use_running_average=True)


def test_a_layer_is_norm_activation_convolution_twice():
    layer, maps = (
        perturbed(DenseLayer(3, 2, act=nnx.relu, rngs=nnx.Rngs(0))),
        random_maps(2, 4, 5, 3),
    )
    y = np.maximum(norm(np.asarray(maps), layer.norm1), 0) @ np.asarray(layer.conv1.kernel[...])
    y = np.pad(np.maximum(norm(y, layer.norm2), 0), [(0, 0), (1, 1), (1, 1), (0, 0)])
    windows = np.lib.stride_tricks.sliding_window_view(y, (3, 3), axis=(1, 2))
    expected = np.einsum("bhwcij,ijcd->bhwd", windows, np.asarray(layer.conv2.kernel[...]))
    np.testing.assert_allclose(jax.jit(lambda layer, x: layer(x))(layer, maps), expected, atol=1e-4)


def test_a_transition_halves_channels_and_maps():
    layer, maps = perturbed(Transition(4, act=nnx.relu, rngs=nnx.Rngs(0))), random_maps(2, 4, 5, 4)
    y = np.maximum(norm(np.asarray(maps), layer.norm), 0) @ np.asarray(layer.conv.kernel[...])
    expected = y[:, :, :4].reshape(2, 2, 2, 2, 2, 2).mean((2, 4))
    np.testing.assert_allclose(layer(maps), expected, atol=1e-5)


def test_every_layer_reads_all_earlier_ones():
    """Within a block the maps that are there stay, and each layer adds its own behind them."""
    model = perturbed(tiny(block_sizes=(2,)))
    images = jnp.asarray(RNG.uniform(size=(2, 16, 16, 3)), jnp.float32)
    x = model.stem(images)
    for layer in model.blocks[0]:
        x = jnp.concatenate([x, layer(x)], axis=-1)
    expected = np.maximum(norm(np.asarray(x), model.norm), 0)
    logits, features = jax.jit(lambda model, x: (model(x), model.features(x)))(model, images)
    assert features.shape == (2, 4, 4, 8)
    np.testing.assert_allclose(features, expected, atol=1e-4)
    head = np.asarray(model.head.kernel[...]), np.asarray(model.head.bias[...])
    np.testing.assert_allclose(logits, expected.mean((1, 2)) @ head[0] + head[1], atol=1e-4)


def test_normalisation_is_inside_the_model_and_activations_can_be_guided():
    images = jnp.asarray(RNG.uniform(size=(2, 16, 16, 3)), jnp.float32)
    plain, normalising = (
        nnx.view(tiny(**o), use_running_average=True) for o in ({}, {"mean": 0.4, "std": 0.5})
    )
    classify = jax.jit(lambda model, images: model(images))
    np.testing.assert_allclose(
        classify(normalising, images), classify(plain, (images - 0.4) / 0.5), atol=1e-5
    )
    view = guided(plain)
    assert all(
        module.act is guided_relu for _, module in nnx.iter_modules(view) if hasattr(module, "act")
    )
    np.testing.assert_allclose(classify(view, images), classify(plain, images), atol=1e-6)


def torchvision_shapes():
    """torchvision's tensors of the tiny network."""
    shapes = {
        "features.conv0.weight": (4, 3, 4, 4),
        "classifier.weight": (3, 6),
        "classifier.bias": (3,),
    }
    widths = {"features.norm0": 4, "features.transition1.norm": 8, "features.norm3": 6}
    shapes["features.transition1.conv.weight"] = (4, 8, 1, 1)
    for name, channels in (("1.denselayer1", 4), ("1.denselayer2", 6), ("2.denselayer1", 4)):
        layer = f"features.denseblock{name}"
        shapes |= {
            f"{layer}.conv1.weight": (8, channels, 1, 1),
            f"{layer}.conv2.weight": (2, 8, 3, 3),
        }
        widths |= {f"{layer}.norm1": channels, f"{layer}.norm2": 8}
    for name, width in widths.items():
        shapes |= {
            f"{name}.{tensor}": (width,)
            for tensor in ("weight", "bias", "running_mean", "running_var")
        }
    return shapes


def test_torchvisions_tensors_find_their_places():
    tensors = {
        name: RNG.uniform(0.5, 1.5, shape).astype(np.float32)
        for name, shape in torchvision_shapes().items()
    }
    model = import_weights(nnx.eval_shape(tiny), tensors)
    pairs = [
        (model.stem.conv.kernel, tensors["features.conv0.weight"].transpose(2, 3, 1, 0)),
        (model.stem.norm.var, tensors["features.norm0.running_var"]),
        (
            model.blocks[0][1].norm1.mean,
            tensors["features.denseblock1.denselayer2.norm1.running_mean"],
        ),
        (
            model.blocks[1][0].conv1.kernel,
            tensors["features.denseblock2.denselayer1.conv1.weight"][:, :, 0, 0].T,
        ),
        (
            model.transitions[0].conv.kernel,
            tensors["features.transition1.conv.weight"][:, :, 0, 0].T,
        ),
        (model.norm.scale, tensors["features.norm3.weight"]),
        (model.head.kernel, tensors["classifier.weight"].T),
    ]
    for ours, expected in pairs:
        np.testing.assert_array_equal(ours[...], expected)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"stem": "cifar"}, "stem: expected one of 'imagenet', 'patch', got 'cifar'"),
        ({"block_sizes": ()}, "block_sizes: expected at least one dense block, got none"),
        ({"block_sizes": (2, 0)}, "block_sizes: expected at least 1, got 0"),
        ({"growth": 0}, "growth: expected at least 1, got 0"),
        ({"num_classes": 0}, "num_classes: expected at least 1, got 0"),
        ({"std": 0.0}, r"std: expected numbers above 0, got \(0.0, 0.0, 0.0\)"),
    ],
)
def test_impossible_sizes_are_refused(options, message):
    with pytest.raises(InputError, match=message):
        tiny(**options)


def test_images_too_small_for_the_transitions_are_refused():
    with pytest.raises(
        InputError, match="images: expected at least 8 pixels a side for 2 dense blocks, got 16x4"
    ):
        tiny()(jnp.zeros((1, 16, 4, 3)))
