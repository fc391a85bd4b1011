"""Blocks that compute their inner maps once more: the same numbers, less that is kept."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from cfx_jax.models.layers import BasicBlock, Block
from cfx_jax.models.views import with_remat

IMAGES = jnp.asarray(np.random.default_rng(0).normal(size=(2, 8, 8, 3)), jnp.float32)


class Doubled(Block):
    """Dropout and twice the input: its random draws are a state that a call moves."""

    def __init__(self, rngs: nnx.Rngs) -> None:
        self.dropout = nnx.Dropout(0.5, rngs=rngs)

    def __call__(self, x):
        return 2 * self.dropout(jnp.sin(x))


def block():
    return BasicBlock(3, 4, stride=1, act=nnx.relu, rngs=nnx.Rngs(0))


def loss_and_state(module):
    """The loss of a module's own variables in training, and the variables that it moves."""
    graphdef, params, rest = nnx.split(module, nnx.Param, ...)

    def loss(params, images):
        network = nnx.merge(graphdef, params, rest, copy=True)
        value = (network(images) ** 2).sum()
        return value, jax.tree.leaves(nnx.state(network, nnx.Not(nnx.Param)))

    return loss, params


def numbers(leaves):
    is_key = [jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key) for leaf in leaves]
    return [
        np.asarray(jax.random.key_data(leaf) if key else leaf)
        for leaf, key in zip(leaves, is_key, strict=True)
    ]


@pytest.mark.parametrize("make", [block, lambda: Doubled(nnx.Rngs(0))])
def test_gradients_and_moved_variables_are_the_same(make):
    answers = []
    for module in (make(), with_remat(make())):
        loss, params = loss_and_state(module)
        before = numbers(jax.tree.leaves(nnx.state(module, nnx.Not(nnx.Param))))
        slopes_of = jax.jit(jax.value_and_grad(loss, argnums=(0, 1), has_aux=True))
        (value, moved), slopes = slopes_of(params, IMAGES)
        answers.append([value, *numbers(moved), *jax.tree.leaves(slopes)])
        assert any(not np.array_equal(a, b) for a, b in zip(before, numbers(moved), strict=True))
    for plain, remat in zip(*answers, strict=True):
        np.testing.assert_allclose(plain, remat, rtol=1e-5, atol=1e-5)


def test_what_is_inside_is_not_kept_for_the_gradient():
    kept = {}
    for module in (block(), with_remat(block())):
        loss, params = loss_and_state(module)
        _, pull_back, _ = jax.vjp(loss, params, IMAGES, has_aux=True)
        kept[module.remat] = sum(leaf.nbytes for leaf in jax.tree.leaves(pull_back))
    weights_and_input = sum(leaf.nbytes for leaf in jax.tree.leaves((params, IMAGES)))
    output = 2 * 8 * 8 * 4 * 4
    assert kept[True] < weights_and_input + 2 * output < kept[False] / 2


def test_a_block_runs_inside_of_vmap_with_weights_from_outside():
    module = nnx.view(block(), use_running_average=True)
    remat = nnx.view(with_remat(block()), use_running_average=True)
    slopes = [
        jax.jit(jax.vmap(jax.grad(lambda image, of=of: of(image[None]).sum())))(IMAGES)
        for of in (module, remat)
    ]
    np.testing.assert_allclose(*slopes, atol=1e-5)
