"""The guided ReLU: forward the ReLU, backward only positive signals through active units."""

import jax
import jax.numpy as jnp
import numpy as np

from cfx_jax.models import guided_relu

X = jnp.asarray([-2.0, -1.0, 0.0, 1.0, 2.0, 3.0])


def test_forward_is_the_relu():
    np.testing.assert_array_equal(guided_relu(X), [0, 0, 0, 1, 2, 3])


def test_backward_keeps_positive_signals_of_active_units_only():
    _, pull_back = jax.vjp(guided_relu, X)
    (signal,) = pull_back(jnp.asarray([1.0, -1.0, 1.0, 1.0, -1.0, 0.5]))
    np.testing.assert_array_equal(signal, [0, 0, 0, 1, 0, 0.5])


def test_jit_and_vmap_give_the_same_signals():
    gradient = jax.grad(lambda x, w: (w * guided_relu(x)).sum())
    x, w = np.random.default_rng(0).normal(size=(2, 3, 5)).astype(np.float32)
    expected = np.where((x > 0) & (w > 0), w, 0)
    np.testing.assert_array_equal(gradient(x, w), expected)
    np.testing.assert_array_equal(jax.jit(jax.vmap(gradient))(x, w), expected)


def test_two_layers_by_hand():
    """Score 2 relu(x1) - 3 relu(x2), x = (y1, y2) = relu of the input: the negative branch stops at
    its ReLU.
    """

    def score(z):
        hidden = guided_relu(jnp.stack([z[0] + z[1], z[0] - z[1]]))
        return 2 * hidden[0] - 3 * hidden[1]

    # Both units are active at (2, 1). The plain gradient is (2 - 3, 2 + 3); the second branch's -3
    # is dropped.
    np.testing.assert_array_equal(jax.grad(score)(jnp.asarray([2.0, 1.0])), [2, 2])


def test_dtype_is_kept():
    x = X.astype(jnp.bfloat16)
    assert guided_relu(x).dtype == jax.grad(lambda x: guided_relu(x).sum())(x).dtype == jnp.bfloat16
