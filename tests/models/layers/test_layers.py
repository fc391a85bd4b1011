"""Convolutions, batch norm, stems and blocks against SciPy's correlation and formulas in NumPy."""

import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from scipy.signal import correlate2d

from cfx_jax.models.layers import (
    BasicBlock,
    BottleneckBlock,
    ImagenetStem,
    PatchStem,
    Shortcut,
    batch_norm,
    convolution,
    pointwise,
)


def correlate(x, kernel, *, pad, stride):
    """Batched multi-channel cross-correlation, one SciPy call for each pair of channels."""
    x = np.pad(np.asarray(x, np.float64), [(0, 0), (pad, pad), (pad, pad), (0, 0)])
    kernel = np.asarray(kernel, np.float64)
    maps = [
        sum(
            correlate2d(image[..., i], kernel[..., i, o], mode="valid")
            for i in range(kernel.shape[2])
        )
        for image in x
        for o in range(kernel.shape[3])
    ]
    maps = np.stack(maps).reshape(len(x), kernel.shape[3], *maps[0].shape)
    return maps.transpose(0, 2, 3, 1)[:, ::stride, ::stride]


def normalise(x, norm):
    """Batch norm in inference mode, as its definition says."""
    scale, bias, mean, var = (
        np.asarray(v[...], np.float64) for v in (norm.scale, norm.bias, norm.mean, norm.var)
    )
    return (x - mean) / np.sqrt(var + 1e-5) * scale + bias


def relu(x):
    return np.maximum(x, 0)


def random_statistics(module, seed=0):
    """The module in inference mode with random batch statistics, scales and biases."""
    rng = np.random.default_rng(seed)
    for _, norm in nnx.iter_modules(module):
        if isinstance(norm, nnx.BatchNorm):
            for variable in (norm.scale, norm.bias, norm.mean, norm.var):
                variable[...] = jnp.asarray(rng.uniform(0.5, 1.5, variable.shape), jnp.float32)
    return nnx.view(module, use_running_average=True)


@pytest.fixture
def maps():
    return np.random.default_rng(1).normal(size=(2, 7, 6, 3)).astype(np.float32)


@pytest.mark.parametrize(("size", "stride"), [(3, 1), (3, 2), (7, 2)])
def test_convolution_is_a_symmetrically_padded_correlation(maps, size, stride):
    layer = convolution(3, 4, size=size, stride=stride, rngs=nnx.Rngs(0))
    expected = correlate(maps, layer.kernel[...], pad=(size - 1) // 2, stride=stride)
    np.testing.assert_allclose(layer(maps), expected, atol=1e-5)


def test_pointwise_is_a_1x1_convolution(maps):
    layer = pointwise(3, 4, rngs=nnx.Rngs(0))
    kernel = np.asarray(layer.kernel[...])[None, None]
    np.testing.assert_allclose(layer(maps), correlate(maps, kernel, pad=0, stride=1), atol=1e-5)


@pytest.mark.parametrize(
    "layer", [convolution(64, 128, size=3, rngs=nnx.Rngs(0)), pointwise(256, 512, rngs=nnx.Rngs(0))]
)
def test_initial_weights_are_he_normal_over_fan_out(layer):
    kernel = np.asarray(layer.kernel[...])
    fan_out = kernel.size // kernel.shape[-2]
    np.testing.assert_allclose(kernel.std(), np.sqrt(2 / fan_out), rtol=0.02)
    # A normal distribution, not a truncated one: its fourth moment is 3.
    np.testing.assert_allclose((kernel**4).mean() / kernel.var() ** 2, 3, rtol=0.05)


def test_batch_norm_moves_its_averages_by_a_tenth(maps):
    layer = batch_norm(3, rngs=nnx.Rngs(0))
    output = layer(maps)
    mean, var = maps.mean((0, 1, 2)), maps.var((0, 1, 2))
    np.testing.assert_allclose(layer.mean[...], 0.1 * mean, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(layer.var[...], 0.9 + 0.1 * var, rtol=1e-4)
    np.testing.assert_allclose(output, (maps - mean) / np.sqrt(var + 1e-5), rtol=1e-3, atol=1e-4)


def test_shortcut_takes_every_second_pixel(maps):
    shortcut = random_statistics(Shortcut(3, 5, stride=2, rngs=nnx.Rngs(0)))
    expected = normalise(maps[:, ::2, ::2] @ np.asarray(shortcut.linear.kernel[...]), shortcut.norm)
    np.testing.assert_allclose(shortcut(maps), expected, atol=1e-5)


@pytest.mark.parametrize(("width", "stride"), [(3, 1), (4, 1), (3, 2)])
def test_basic_block_follows_the_paper(maps, width, stride):
    block = random_statistics(BasicBlock(3, width, stride=stride, act=nnx.relu, rngs=nnx.Rngs(0)))
    y = relu(normalise(correlate(maps, block.conv1.kernel[...], pad=1, stride=stride), block.norm1))
    y = normalise(correlate(y, block.conv2.kernel[...], pad=1, stride=1), block.norm2)
    shortcut = maps if (width, stride) == (3, 1) else block.shortcut(maps)
    np.testing.assert_allclose(block(maps), relu(y + shortcut), rtol=1e-4, atol=1e-4)


def test_bottleneck_block_has_its_stride_in_the_3x3_convolution(maps):
    block = random_statistics(BottleneckBlock(3, 2, stride=2, act=nnx.relu, rngs=nnx.Rngs(0)))
    y = relu(normalise(maps @ np.asarray(block.conv1.kernel[...]), block.norm1))
    y = relu(normalise(correlate(y, block.conv2.kernel[...], pad=1, stride=2), block.norm2))
    y = normalise(y @ np.asarray(block.conv3.kernel[...]), block.norm3)
    np.testing.assert_allclose(block(maps), relu(y + block.shortcut(maps)), rtol=1e-4, atol=1e-4)


def test_imagenet_stem_pools_the_padded_maximum(maps):
    stem = random_statistics(ImagenetStem(3, 4, act=nnx.relu, rngs=nnx.Rngs(0)))
    y = relu(normalise(correlate(maps, stem.conv.kernel[...], pad=3, stride=2), stem.norm))
    padded = np.pad(y, [(0, 0), (1, 1), (1, 1), (0, 0)], constant_values=-np.inf)
    windows = np.lib.stride_tricks.sliding_window_view(padded, (3, 3), axis=(1, 2))[:, ::2, ::2]
    np.testing.assert_allclose(stem(maps), windows.max((-2, -1)), rtol=1e-4, atol=1e-4)


def test_patch_stem_is_a_matrix_product_over_disjoint_patches():
    images = np.random.default_rng(2).uniform(size=(2, 8, 12, 3)).astype(np.float32)
    stem = random_statistics(PatchStem(3, 5, act=nnx.relu, rngs=nnx.Rngs(0)))
    patches = images.reshape(2, 2, 4, 3, 4, 3).transpose(0, 1, 3, 2, 4, 5).reshape(2, 2, 3, 48)
    expected = relu(
        normalise(patches @ np.asarray(stem.conv.kernel[...]).reshape(48, 5), stem.norm)
    )
    np.testing.assert_allclose(stem(images), expected, rtol=1e-4, atol=1e-4)


def test_patch_stem_leaves_out_the_pixels_that_fill_no_patch_as_a_convolution_does():
    images = np.random.default_rng(3).uniform(size=(2, 11, 14, 1)).astype(np.float32)
    stem = random_statistics(PatchStem(1, 5, act=nnx.relu, rngs=nnx.Rngs(0)))
    maps = correlate(images, stem.conv.kernel[...], pad=0, stride=4)
    assert maps.shape == (2, 2, 3, 5)
    expected = relu(normalise(maps, stem.norm))
    np.testing.assert_allclose(stem(images), expected, rtol=1e-4, atol=1e-4)
