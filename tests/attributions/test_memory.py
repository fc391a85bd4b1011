"""Sums over nodes or samples, one at a time, need little more memory than one gradient of the same
batch.
"""

import functools

import jax
import jax.numpy as jnp
import pytest
from flax import nnx

from cfx_jax.attributions import (
    gradient,
    integrated_gradients,
    path_attribution,
    path_attribution_along,
    smooth_grad,
)
from cfx_jax.models import ResNet, per_image
from cfx_jax.objectives import class_score

SHAPE = (2, 64, 64, 3)
NUM = 50
NODES = {"num_steps": NUM, "nodes_per_batch": 1}


def smoothed(score, image):
    slope = functools.partial(gradient, score)
    return smooth_grad(jax.random.key(0), slope, image, num_samples=NUM, samples_per_batch=1)


METHODS = {
    "integrated_gradients": lambda score, image: integrated_gradients(score, image, **NODES),
    "smooth_grad": smoothed,
    "path_attribution": lambda score, image: path_attribution(score, image, 1 - image, **NODES).map,
    "path_attribution_along": lambda score, image: (
        path_attribution_along(score, jax.nn.sigmoid, image - 0.5, image + 0.5, **NODES).map
    ),
}


@functools.cache
def classifier():
    sizes = {"stage_sizes": (1,), "widths": (64,), "num_classes": 2}
    return per_image(ResNet(block="basic", **sizes, rngs=nnx.Rngs(0)))


@functools.cache
def temporary_bytes(method):
    """What the compiled program allocates beyond its arguments and results."""

    def batched(model, images):
        return jax.vmap(functools.partial(method, class_score(model, 1)))(images)

    program = (
        jax.jit(batched).lower(classifier(), jax.ShapeDtypeStruct(SHAPE, jnp.float32)).compile()
    )
    return program.memory_analysis().temp_size_in_bytes


@pytest.mark.parametrize("name", METHODS)
def test_peak_is_at_most_1_3_times_that_of_one_gradient(name):
    assert 2**20 < temporary_bytes(METHODS[name]) <= 1.3 * temporary_bytes(gradient)


def test_all_nodes_at_once_need_as_many_gradients():
    def at_once(score, image):
        return integrated_gradients(score, image, num_steps=NUM)

    assert temporary_bytes(at_once) > 0.8 * NUM * temporary_bytes(gradient)
