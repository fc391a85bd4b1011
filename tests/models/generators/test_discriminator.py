"""The discriminators of SyCE and CyCE."""

from functools import cache

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from cfx_jax.errors import InputError
from cfx_jax.models import Discriminator

IMAGES = jnp.asarray(np.random.default_rng(0).uniform(size=(3, 6, 5, 1)), jnp.float32)


@cache
def tiny():
    return Discriminator(size=(6, 5), filters=(2, 3), rngs=nnx.Rngs(0))


@jax.jit
def run(model, images):
    return model(images)


def correlate(x, conv, stride):
    """A 3x3 convolution with the padding of Keras: ``total // 2`` before, the rest behind."""
    outs = [-(-side // stride) for side in x.shape[1:3]]
    totals = [
        max((out - 1) * stride + 3 - side, 0) for out, side in zip(outs, x.shape[1:3], strict=True)
    ]
    padded = np.pad(x, [(0, 0), *((total // 2, total - total // 2) for total in totals), (0, 0)])
    windows = np.lib.stride_tricks.sliding_window_view(padded, (3, 3), axis=(1, 2))[
        :, ::stride, ::stride
    ]
    return np.einsum("bhwcij,ijcd->bhwd", windows, np.asarray(conv.kernel[...])) + np.asarray(
        conv.bias[...]
    )


def leaky(x):
    return np.where(x > 0, x, 0.3 * x)


def test_logits_follow_an_independent_computation():
    model, x = tiny(), np.asarray(IMAGES)
    for widen, shrink in zip(model.widen, model.shrink, strict=True):
        x = correlate(leaky(correlate(leaky(x), widen, 1)), shrink, 2)
    assert x.shape == (3, 2, 2, 3)
    expected = x.reshape(3, -1) @ np.asarray(model.head.kernel[...])[:, 0]
    np.testing.assert_allclose(run(model, IMAGES), expected, atol=1e-5)


def test_an_images_logit_does_not_depend_on_its_batch():
    other = IMAGES.at[0].set(0.5)
    np.testing.assert_array_equal(run(tiny(), IMAGES)[1:], run(tiny(), other)[1:])


def test_size_of_the_released_network_at_28_pixels():
    model = nnx.eval_shape(lambda: Discriminator(size=(28, 28), rngs=nnx.Rngs(0)))
    convolutions = [(1, 32), (32, 32), (32, 64), (64, 64), (64, 96), (96, 96)]
    expected = sum(9 * a * b + b for a, b in convolutions) + 4 * 4 * 96 + 1
    assert (
        sum(np.prod(leaf.shape, dtype=int) for leaf in jax.tree.leaves(nnx.state(model)))
        == expected
    )


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"size": (8, 8), "filters": ()},
            r"filters: expected at least 1 numbers of at least 1, got \(\)",
        ),
        (
            {"size": (8, 0)},
            r"size: expected \(height, width\), two numbers of at least 1, got \(8, 0\)",
        ),
        ({"size": (8, 8), "in_channels": 0}, "in_channels: expected at least 1, got 0"),
    ],
)
def test_impossible_sizes_are_refused(options, message):
    with pytest.raises(InputError, match=message):
        Discriminator(**options, rngs=nnx.Rngs(0))


def test_images_of_another_size_are_refused():
    with pytest.raises(
        InputError, match="images: expected 6x5 pixels, the `size` of the discriminator, got 5x6"
    ):
        tiny()(jnp.zeros((1, 5, 6, 1)))
    with pytest.raises(InputError, match=r"images: expected a batch \(b, h, w, 1\)"):
        tiny()(jnp.zeros((6, 5, 1)))
