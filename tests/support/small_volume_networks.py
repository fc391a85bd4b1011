"""Trunks, volumes and maps small enough for many tests of classifiers of volumes."""

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from cfx_jax.models import SliceWise, Trunk
from cfx_jax.models.layers import last_layer
from cfx_jax.models.volumes.half_brain import ConvolutionLayer, HalfBrainHead

WIDTHS, STRIDES = (8, 8, 16, 16), (2, 2, 1, 1)
VOLUMES = np.random.default_rng(0).uniform(size=(2, 3, 16, 16, 1)).astype(np.float32)
SALIENCY = np.random.default_rng(1).uniform(size=(2, 3, 16, 16, 1)).astype(np.float32)

call = jax.jit(lambda model, *inputs: model(*inputs))
features = jax.jit(lambda model, *inputs: model.features(*inputs))


def small_trunk(split="whole", *, in_channels=1, num_stages=4, seed=0):
    """Four stages of one convolution each; of 16x16 pixels the maps have 8x8, then 4x4."""
    rngs, inputs = nnx.Rngs(seed), (in_channels, *WIDTHS)
    layers = [
        [ConvolutionLayer(inputs[i], WIDTHS[i], stride=STRIDES[i], rngs=rngs)]
        for i in range(num_stages)
    ]
    for (layer,) in layers:
        # Running averages that are not those of a fresh network.
        layer.norm.mean[...] = jnp.linspace(-0.3, 0.3, layer.norm.mean.shape[0])
    return Trunk(layers, widths=WIDTHS[:num_stages], in_channels=in_channels, split=split)


def small_head(trunk):
    if trunk.split == "halves":
        return HalfBrainHead(trunk.slice_width, rngs=nnx.Rngs(7))
    return last_layer(trunk.slice_width, 2, rngs=nnx.Rngs(7))


def inference(model):
    return nnx.view(model, use_running_average=True, deterministic=True, raise_if_not_found=False)


def baseline(trunk):
    """The baseline with the weights of a trunk, in inference mode."""
    return inference(SliceWise(trunk, small_head(trunk), rngs=nnx.Rngs(0)))


def assert_same_logits(found, expected, *, atol=1e-5):
    jax.tree.map(
        lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-4, atol=atol), found, expected
    )


def without_gradient(model, *inputs):
    """The names of the parameters whose gradient is zero or not finite in training, for a loss of
    all logits.
    """
    graph, parameters, rest = nnx.split(model, nnx.Param, ...)

    def loss(parameters):
        training = nnx.view(
            nnx.merge(graph, parameters, rest, copy=True),
            use_running_average=False,
            deterministic=True,
            raise_if_not_found=False,
        )
        weights = iter(np.random.default_rng(2).normal(size=100))
        return sum(
            (logits**2).sum() * next(weights) for logits in jax.tree.leaves(training(*inputs))
        )

    gradients = nnx.to_flat_state(jax.jit(jax.grad(loss))(parameters))
    return [
        ".".join(map(str, path))
        for path, leaf in gradients
        if not (np.isfinite(leaf[...]).all() and np.any(leaf[...]))
    ]


def num_parameters(model):
    return sum(
        np.prod(leaf.shape, dtype=int) for leaf in jax.tree.leaves(nnx.state(model, nnx.Param))
    )


def abstract_parameters(make):
    """The number of parameters of what ``make`` makes, with nothing allocated."""
    return num_parameters(nnx.eval_shape(make))
