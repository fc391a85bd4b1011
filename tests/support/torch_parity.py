"""What the comparisons with PyTorch share. Import PyTorch first, with ``pytest.importorskip``."""

import jax
import numpy as np
from flax import nnx


def images(height=70, width=65):
    """Sides that are neither equal nor multiples of the stride, so a wrong padding shows."""
    return np.random.default_rng(0).uniform(size=(2, height, width, 3)).astype(np.float32)


def nchw(batch):
    import torch

    return torch.from_numpy(np.ascontiguousarray(batch.transpose(0, 3, 1, 2)))


def vary_batch_norms(network):
    """Gives the batch norms of a PyTorch network weights and averages that are not 0 and 1."""
    import torch

    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            for tensor in (
                module.weight.data,
                module.bias.data,
                module.running_mean,
                module.running_var,
            ):
                tensor.uniform_(0.8, 1.2)
    return network


def check_logits_and_input_gradients(model, source, **sides):
    """A model and a PyTorch network of the same weights, both in inference mode, on two images."""
    _check(model, source.eval(), images(**sides), logits=1e-4, gradient=1e-3)


def check_in_double_precision(model, source, **sides):
    """For deep networks: in float32, rounding turns some of their ReLUs and maxima round, and with
    them gradients.
    """
    with jax.enable_x64(True):
        doubled = jax.tree.map(lambda leaf: leaf.astype(np.float64), model)
        _check(
            doubled,
            source.double().eval(),
            images(**sides).astype(np.float64),
            logits=1e-9,
            gradient=1e-9,
        )


def _check(model, source, batch, *, logits, gradient):
    view = nnx.view(model, use_running_average=True, deterministic=True, raise_if_not_found=False)
    score = jax.value_and_grad(
        lambda view, x: ((z := view(x))[:, 1].sum(), z), argnums=1, has_aux=True
    )
    (_, found), found_gradient = jax.jit(score)(view, batch)
    inputs = nchw(batch).requires_grad_()
    expected = source(inputs)
    expected[:, 1].sum().backward()
    assert expected.std() > 0.01
    np.testing.assert_allclose(found, expected.detach(), atol=logits, rtol=logits)
    peak = inputs.grad.abs().max().item()
    np.testing.assert_allclose(
        found_gradient, inputs.grad.numpy().transpose(0, 2, 3, 1), atol=gradient * peak
    )
