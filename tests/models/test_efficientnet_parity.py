"""EfficientNets against PyTorch networks of the same weights, written here from the paper."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from cfx_jax.models import EfficientNet, Stage, efficientnet

torch = pytest.importorskip("torch", reason="parity with PyTorch needs it: pip install 'cfx-jax[parity]'")

# Table 1 of the paper: expansion, kernel, stride of the first block, channels, blocks.
TABLE = [
    (1, 3, 1, 16, 1),
    (6, 3, 2, 24, 2),
    (6, 5, 2, 40, 2),
    (6, 3, 2, 80, 3),
    (6, 5, 1, 112, 3),
    (6, 5, 2, 192, 4),
    (6, 3, 1, 320, 1),
]


def normalised(channels):
    return torch.nn.BatchNorm2d(channels, eps=1e-3, momentum=0.01)


class TorchBlock(torch.nn.Module):
    def __init__(self, channels, width, expansion, size, stride):
        super().__init__()
        inner, reduced = expansion * channels, max(1, channels // 4)
        self.expand = torch.nn.Conv2d(channels, inner, 1, bias=False) if expansion > 1 else None
        self.expand_norm = normalised(inner) if expansion > 1 else None
        self.depthwise = torch.nn.Conv2d(inner, inner, size, stride, size // 2, groups=inner, bias=False)
        self.depthwise_norm = normalised(inner)
        self.reduce, self.restore = torch.nn.Conv2d(inner, reduced, 1), torch.nn.Conv2d(reduced, inner, 1)
        self.project, self.project_norm = torch.nn.Conv2d(inner, width, 1, bias=False), normalised(width)
        self.residual = stride == 1 and channels == width

    def forward(self, x):
        silu = torch.nn.functional.silu
        y = x if self.expand is None else silu(self.expand_norm(self.expand(x)))
        y = silu(self.depthwise_norm(self.depthwise(y)))
        y = y * torch.sigmoid(self.restore(silu(self.reduce(y.mean((2, 3), keepdim=True)))))
        y = self.project_norm(self.project(y))
        return x + y if self.residual else y


class TorchEfficientNet(torch.nn.Module):
    """Without dropout and stochastic depth."""

    def __init__(self, table, stem, top, num_classes):
        super().__init__()
        self.conv, self.norm = torch.nn.Conv2d(3, stem, 3, 2, 1, bias=False), normalised(stem)
        self.blocks, last = torch.nn.ModuleList(), stem
        for expansion, size, stride, width, number in table:
            for position in range(number):
                self.blocks.append(TorchBlock(last, width, expansion, size, 1 if position else stride))
                last = width
        self.top, self.top_norm = torch.nn.Conv2d(last, top, 1, bias=False), normalised(top)
        self.head = torch.nn.Linear(top, num_classes)

    def forward(self, images):
        x = torch.nn.functional.silu(self.norm(self.conv(images)))
        for block in self.blocks:
            x = block(x)
        x = torch.nn.functional.silu(self.top_norm(self.top(x)))
        return self.head(x.mean((2, 3)))


def give(layer, source):
    """Copies a PyTorch layer's weights: (out, in, h, w) or (out, in), channels last here."""
    weight = source.weight.detach().numpy()
    weight = weight.transpose(2, 3, 1, 0) if weight.ndim == 4 else weight.T
    layer.kernel[...] = jnp.asarray(weight.reshape(layer.kernel.shape))
    if source.bias is not None:
        layer.bias[...] = jnp.asarray(source.bias.detach().numpy())


def give_norm(norm, source):
    names = {"scale": "weight", "bias": "bias", "mean": "running_mean", "var": "running_var"}
    for name, torch_name in names.items():
        getattr(norm, name)[...] = jnp.asarray(getattr(source, torch_name).detach().numpy())


def give_all(model, source):
    give(model.stem.conv, source.conv)
    give_norm(model.stem.norm, source.norm)
    for block, torch_block in zip(model.blocks, source.blocks, strict=True):
        give(block.depthwise, torch_block.depthwise)
        give_norm(block.depthwise_norm, torch_block.depthwise_norm)
        for name in ("expand", "project"):
            if getattr(block, name) is not None:
                give(getattr(block, name).linear, getattr(torch_block, name))
                give_norm(getattr(block, name).norm, getattr(torch_block, f"{name}_norm"))
        give(block.excitation.reduce, torch_block.reduce)
        give(block.excitation.expand, torch_block.restore)
    give(model.top.linear, source.top)
    give_norm(model.top.norm, source.top_norm)
    give(model.head, source.head)


def pair(model, *sizes):
    torch.manual_seed(0)
    source = TorchEfficientNet(*sizes, 5)
    for module in source.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            for tensor in (module.weight.data, module.bias.data, module.running_mean, module.running_var):
                tensor.uniform_(0.8, 1.2)
    give_all(model, source)
    return model, source


def small_pair():
    table = [(1, 3, 1, 8, 1), (4, 5, 2, 12, 2), (3, 3, 2, 16, 1)]
    stages = [Stage(*row) for row in table]
    model = EfficientNet(stages=stages, stem_width=8, top_width=24, num_classes=5, rngs=nnx.Rngs(0))
    return pair(model, table, 8, 24)


def published_pair(variant, width, depth):
    def rounded(channels):
        nearest = max(8, 8 * math.floor(channels * width / 8 + 0.5))
        return nearest + 8 if nearest < 0.9 * channels * width else nearest

    table = [(*row[:3], rounded(row[3]), math.ceil(depth * row[4])) for row in TABLE]
    return pair(efficientnet(variant, num_classes=5, rngs=nnx.Rngs(0)), table, rounded(32), rounded(1280))


def images(height=70, width=65):
    """Sides that are neither equal nor multiples of the stride, so a wrong padding shows."""
    return np.random.default_rng(0).uniform(size=(2, height, width, 3)).astype(np.float32)


def nchw(batch):
    return torch.from_numpy(batch.transpose(0, 3, 1, 2))


def test_logits_and_input_gradients_are_those_of_pytorch():
    model, source = small_pair()
    view = nnx.view(model, use_running_average=True, deterministic=True)
    score = jax.value_and_grad(lambda view, x: ((z := view(x))[:, 1].sum(), z), argnums=1, has_aux=True)
    (_, logits), gradient = jax.jit(score)(view, images())
    inputs = nchw(images()).requires_grad_()
    expected = source.eval()(inputs)
    expected[:, 1].sum().backward()
    assert expected.std() > 0.01
    np.testing.assert_allclose(logits, expected.detach(), atol=1e-4, rtol=1e-4)
    peak = inputs.grad.abs().max().item()
    np.testing.assert_allclose(gradient, inputs.grad.numpy().transpose(0, 2, 3, 1), atol=1e-3 * peak)


@pytest.mark.slow
@pytest.mark.parametrize("scaling", [("b0", 1.0, 1.0), ("b3", 1.2, 1.4)])
def test_published_networks_have_pytorchs_logits(scaling):
    model, source = published_pair(*scaling)
    view = nnx.view(model, use_running_average=True, deterministic=True)
    logits = jax.jit(lambda view, x: view(x))(view, images())
    expected = source.eval()(nchw(images())).detach()
    assert expected.std() > 0.01
    np.testing.assert_allclose(logits, expected, atol=1e-4, rtol=1e-4)


def test_a_training_pass_moves_the_running_averages_as_pytorchs():
    model, source = small_pair()
    source.train()(nchw(images()))
    nnx.jit(lambda model, x: model(x))(nnx.view(model, deterministic=True, use_running_average=False), images())
    norms = [(model.stem.norm, source.norm), (model.blocks[0].depthwise_norm, source.blocks[0].depthwise_norm)]
    for norm, expected in norms:
        assert np.abs(norm.mean[...] - 1).max() > 1e-3
        np.testing.assert_allclose(norm.mean[...], expected.running_mean, atol=1e-5)
