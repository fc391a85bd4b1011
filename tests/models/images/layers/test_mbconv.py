"""Squeeze and excitation, the MBConv block and its stochastic depth against formulas in NumPy."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from cfx_jax.models.images.layers import MBConv, SqueezeExcitation
from cfx_jax.models.layers import batch_norm

NORM = partial(batch_norm, momentum=0.9, epsilon=1e-3)


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def swish(x):
    return x * sigmoid(x)


def linear(x, layer):
    bias = 0 if layer.bias is None else np.asarray(layer.bias[...], np.float64)
    return x @ np.asarray(layer.kernel[...], np.float64) + bias


def normalised(x, norm):
    scale, bias, mean, var = (
        np.asarray(v[...], np.float64) for v in (norm.scale, norm.bias, norm.mean, norm.var)
    )
    return (x - mean) / np.sqrt(var + 1e-3) * scale + bias


def depthwise(x, kernel, stride):
    """Loops over the pixels of the output."""
    pad, (height, width) = len(kernel) // 2, x.shape[1:3]
    padded = np.pad(x, [(0, 0), (pad, pad), (pad, pad), (0, 0)])
    output = np.empty((len(x), -(-height // stride), -(-width // stride), x.shape[3]))
    for i in range(output.shape[1]):
        for j in range(output.shape[2]):
            row, column = i * stride, j * stride
            window = padded[:, row : row + len(kernel), column : column + len(kernel)]
            output[:, i, j] = (window * kernel[:, :, 0]).sum(axis=(1, 2))
    return output


def excited(x, layer):
    means = x.mean(axis=(1, 2))
    gate = sigmoid(linear(swish(linear(means, layer.reduce)), layer.expand))
    return x * gate[:, None, None]


def expected_of(block, x, stride):
    y = np.asarray(x, np.float64)
    if block.expand is not None:
        y = swish(normalised(linear(y, block.expand.linear), block.expand.norm))
    y = depthwise(y, np.asarray(block.depthwise.kernel[...], np.float64), stride)
    y = excited(swish(normalised(y, block.depthwise_norm)), block.excitation)
    y = normalised(linear(y, block.project.linear), block.project.norm)
    return y + x if block.residual else y


def make(width, *, expansion=6, size=3, stride=1, drop_rate=0.0, in_channels=8, seed=0):
    block = MBConv(
        in_channels,
        width,
        expansion=expansion,
        size=size,
        stride=stride,
        drop_rate=drop_rate,
        norm=NORM,
        act=nnx.swish,
        rngs=nnx.Rngs(seed),
    )
    rng = np.random.default_rng(seed)
    for _, part in nnx.iter_modules(block):
        if isinstance(part, nnx.BatchNorm):
            for variable in (part.scale, part.bias, part.mean, part.var):
                variable[...] = jnp.asarray(rng.uniform(0.5, 1.5, variable.shape), jnp.float32)
        if isinstance(part, SqueezeExcitation):
            part.reduce.bias[...] = jnp.asarray(
                rng.normal(size=part.reduce.bias.shape), jnp.float32
            )
    return block


def evaluating(block):
    return nnx.view(block, use_running_average=True, deterministic=True, raise_if_not_found=False)


@jax.jit
def apply(block, x):
    return block(x)


def maps(count=2, channels=8):
    return np.random.default_rng(1).normal(size=(count, 7, 6, channels)).astype(np.float32)


@pytest.mark.parametrize(
    "options",
    [
        {"width": 8},
        {"width": 12},
        {"width": 8, "stride": 2, "size": 5},
        {"width": 8, "expansion": 1, "size": 5},
    ],
)
def test_block_is_the_published_formula(options):
    block = make(**options)
    expected = expected_of(block, maps(), options.get("stride", 1))
    np.testing.assert_allclose(apply(evaluating(block), maps()), expected, rtol=1e-4, atol=1e-4)


def test_the_gate_is_reduced_to_a_quarter_of_the_blocks_input():
    assert make(8, expansion=6).excitation.reduce.kernel.shape == (48, 2)
    assert make(8, in_channels=3).excitation.reduce.kernel.shape == (18, 1)


def test_only_blocks_that_keep_the_shape_have_a_sum_and_drop():
    assert make(8, drop_rate=0.5).drop is not None
    for options in ({"width": 12}, {"width": 8, "stride": 2}):
        block = make(**options, drop_rate=0.5)
        assert not block.residual and block.drop is None
    assert make(8, drop_rate=0.0).drop is None


def test_stochastic_depth_skips_whole_examples_and_scales_the_others():
    block, x = make(8, drop_rate=0.25), maps(400)
    branch = np.asarray(apply(evaluating(block), x)) - x
    training = nnx.view(block, use_running_average=True, deterministic=False)
    change = np.asarray(apply(training, x)) - x
    skipped = np.abs(change).max(axis=(1, 2, 3)) == 0
    assert abs(skipped.mean() - 0.25) < 4 * np.sqrt(0.25 * 0.75 / 400)
    np.testing.assert_allclose(change[~skipped], branch[~skipped] / 0.75, rtol=1e-3, atol=1e-4)


def test_each_call_in_training_skips_others_and_none_in_evaluation():
    block, x = make(8, drop_rate=0.5), maps(32)
    training = nnx.view(block, use_running_average=True, deterministic=False)
    draw = nnx.jit(lambda block, x: block(x))
    assert np.any(np.asarray(draw(training, x)) != np.asarray(draw(training, x)))
    np.testing.assert_array_equal(draw(evaluating(block), x), draw(evaluating(block), x))


def test_the_chain_of_gradients_reaches_every_weight():
    graph, parameters, rest = nnx.split(make(8, drop_rate=0.2), nnx.Param, ...)

    def loss(parameters):
        block = nnx.merge(graph, parameters, rest, copy=True)
        return (block(maps(16)) ** 3).sum()

    gradients = jax.tree.leaves(jax.jit(jax.grad(loss))(parameters))
    assert all(jnp.isfinite(g).all() and jnp.any(g != 0) for g in gradients)
