"""Residual networks: published sizes, shapes, normalisation inside, errors. Their layers are in
test_layers.py.
"""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from cfx_jax.errors import InputError
from cfx_jax.models import ResNet, resnet18, resnet34, resnet50, resnet_small

PUBLISHED = [(resnet18, 11_689_512), (resnet34, 21_797_672), (resnet50, 25_557_032)]


def abstract(factory, **options):
    """The model's shapes, with nothing allocated."""
    return nnx.eval_shape(lambda: factory(rngs=nnx.Rngs(0), **options))


def num_parameters(model):
    return sum(
        np.prod(leaf.shape, dtype=int) for leaf in jax.tree.leaves(nnx.state(model, nnx.Param))
    )


def output_shape(model, method, images):
    return jax.eval_shape(lambda model, x: getattr(model, method)(x), model, images).shape


def tiny(*, seed=0, **options):
    options = {
        "block": "basic",
        "stage_sizes": (1, 1),
        "widths": (4, 6),
        "num_classes": 3,
        "stem": "patch",
    } | options
    return ResNet(**options, rngs=nnx.Rngs(seed))


def random_images(*shape, seed=0):
    return jnp.asarray(np.random.default_rng(seed).uniform(size=shape), jnp.float32)


@pytest.mark.parametrize(("factory", "count"), PUBLISHED)
def test_parameter_counts_are_the_published_ones(factory, count):
    assert num_parameters(abstract(factory, num_classes=1000)) == count


@pytest.mark.parametrize(
    ("factory", "channels"), [(resnet18, 512), (resnet34, 512), (resnet50, 2048)]
)
def test_published_networks_divide_the_side_by_32(factory, channels):
    model = abstract(factory, num_classes=7)
    images = jax.ShapeDtypeStruct((2, 224, 200, 3), jnp.float32)
    assert output_shape(model, "features", images) == (2, 7, 7, channels)
    assert output_shape(model, "__call__", images) == (2, 7)


def test_small_network_has_about_half_a_million_parameters():
    assert 0.4e6 < num_parameters(abstract(resnet_small, num_classes=2, in_channels=1)) < 0.7e6


@pytest.mark.parametrize(("side", "last"), [(32, 2), (64, 4), (128, 8)])
def test_small_network_divides_the_side_by_16(side, last):
    model = abstract(resnet_small, num_classes=2, in_channels=1)
    images = jax.ShapeDtypeStruct((5, side, side, 1), jnp.float32)
    assert output_shape(model, "features", images) == (5, last, last, 192)
    assert output_shape(model, "__call__", images) == (5, 2)


@pytest.mark.parametrize("options", [{}, {"block": "bottleneck"}, {"stem": "imagenet"}])
def test_call_composes_features_and_classify(options):
    model = nnx.view(tiny(**options), use_running_average=True)
    both = jax.jit(lambda model, images: (model(images), model.classify(model.features(images))))
    logits, composed = both(model, random_images(2, 16, 16, 3))
    assert logits.shape == (2, 3) and jnp.isfinite(logits).all()
    np.testing.assert_array_equal(logits, composed)


def test_classify_is_the_mean_over_positions_and_a_linear_layer():
    model, features = tiny(), random_images(2, 3, 5, 6)
    expected = np.asarray(features).mean((1, 2)) @ np.asarray(model.head.kernel[...])
    np.testing.assert_allclose(model.classify(features), expected, rtol=1e-5)


def test_last_layer_starts_uniform_within_the_inverse_root_of_its_inputs():
    head = tiny(widths=(4, 192), num_classes=50).head
    bound = 192**-0.5
    kernel = np.asarray(head.kernel[...])
    assert 0.99 * bound < np.abs(kernel).max() <= bound
    np.testing.assert_allclose(kernel.std(), bound / np.sqrt(3), rtol=0.02)
    assert not np.any(head.bias[...])


def test_normalisation_is_inside_the_model():
    mean, std = (0.4, 0.3, 0.2), (0.3, 0.2, 0.1)
    images = random_images(2, 16, 16, 3)
    plain, normalising = (
        nnx.view(tiny(**o), use_running_average=True) for o in ({}, {"mean": mean, "std": std})
    )
    classify = jax.jit(lambda model, images: model(images))
    expected = classify(plain, (images - np.float32(mean)) / np.float32(std))
    np.testing.assert_allclose(classify(normalising, images), expected, rtol=1e-4, atol=1e-5)


def test_one_number_normalises_all_channels():
    assert tiny(mean=0.5, std=np.float32(0.25)).mean == (0.5, 0.5, 0.5)
    assert tiny(mean=np.asarray([0.5, 0.25, 1.0])).mean == (0.5, 0.25, 1.0)


def test_all_parameters_get_a_gradient():
    graph, parameters, rest = nnx.split(tiny(block="bottleneck"), nnx.Param, ...)

    def loss(parameters):
        model = nnx.view(nnx.merge(graph, parameters, rest, copy=True), use_running_average=False)
        return (model(random_images(4, 16, 16, 3)) ** 2).sum()

    gradients = jax.tree.leaves(jax.jit(jax.grad(loss))(parameters))
    assert all(jnp.isfinite(g).all() and jnp.any(g != 0) for g in gradients)


def test_equal_seeds_give_equal_weights():
    models = (tiny(seed=seed) for seed in (0, 0, 1))
    first, same, other = (np.asarray(model.stem.conv.kernel[...]) for model in models)
    np.testing.assert_array_equal(first, same)
    assert np.any(first != other)


def test_unknown_names_list_the_valid_ones():
    with pytest.raises(
        InputError, match="block: expected one of 'basic', 'bottleneck', got 'wide'"
    ):
        tiny(block="wide")
    with pytest.raises(InputError, match="stem: expected one of 'imagenet', 'patch', got 'cifar'"):
        tiny(stem="cifar")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"widths": (4,)},
            "widths: expected one for each of at least one stage, got 1 for 2 stages",
        ),
        ({"stage_sizes": (1, 0)}, "stage_sizes: expected at least 1, got 0"),
        ({"widths": (4, 0)}, "widths: expected at least 1, got 0"),
        ({"num_classes": 0}, "num_classes: expected at least 1, got 0"),
        ({"in_channels": 0}, "in_channels: expected at least 1, got 0"),
        (
            {"mean": (0.5, 0.5)},
            r"mean: expected one finite number, or one for each of 3 channels, got \(0.5, 0.5\)",
        ),
        (
            {"std": float("nan")},
            "std: expected one finite number, or one for each of 3 channels, got nan",
        ),
        ({"std": (0.1, 0.0, 0.1)}, r"std: expected numbers above 0, got \(0.1, 0.0, 0.1\)"),
    ],
)
def test_impossible_sizes_are_refused(options, message):
    with pytest.raises(InputError, match=message):
        tiny(**options)


@pytest.mark.parametrize(
    ("images", "message"),
    [
        (
            np.zeros((16, 16, 3), np.float32),
            r"expected a batch \(b, h, w, 3\), got shape \(16, 16, 3\): models.per_image",
        ),
        (np.zeros((1, 3, 16, 16), np.float32), r"got shape \(1, 3, 16, 16\): channels come last"),
        (np.zeros((1, 16, 3, 3), np.float32), r"of at least 4x4 pixels, got shape \(1, 16, 3, 3\)"),
        (
            np.zeros((1, 16, 16, 3), np.uint8),
            "expected dtype float32, got uint8: divide 8-bit pixels by 255",
        ),
    ],
)
def test_batches_that_are_not_images_are_refused(images, message):
    with pytest.raises(InputError, match=message):
        tiny()(images)
