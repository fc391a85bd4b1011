"""ResNet-18 and a bottleneck network against PyTorch networks of the same weights, written here from the paper."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from cfx_jax.models import ResNet, resnet18

torch = pytest.importorskip("torch", reason="parity with PyTorch needs it: pip install 'cfx-jax[parity]'")


class TorchBlock(torch.nn.Module):
    """A basic (two 3x3) or bottleneck (1x1, 3x3, 1x1) block; the first 3x3 convolution has the stride."""

    def __init__(self, sizes, channels, stride):
        super().__init__()
        strides = [stride if size == 3 and 3 not in sizes[:i] else 1 for i, size in enumerate(sizes)]
        self.convs = torch.nn.ModuleList(
            torch.nn.Conv2d(channels[i], channels[i + 1], size, strides[i], size // 2, bias=False)
            for i, size in enumerate(sizes)
        )
        self.norms = torch.nn.ModuleList(torch.nn.BatchNorm2d(width) for width in channels[1:])
        self.shortcut = torch.nn.Sequential()
        if stride != 1 or channels[0] != channels[-1]:
            self.shortcut.append(torch.nn.Conv2d(channels[0], channels[-1], 1, stride, bias=False))
            self.shortcut.append(torch.nn.BatchNorm2d(channels[-1]))

    def forward(self, x):
        y = x
        for i, (conv, norm) in enumerate(zip(self.convs, self.norms, strict=True)):
            y = norm(conv(y if i == 0 else torch.relu(y)))
        return torch.relu(y + self.shortcut(x))


class TorchResNet(torch.nn.Module):
    def __init__(self, bottleneck, stage_sizes, widths, num_classes):
        super().__init__()
        self.conv = torch.nn.Conv2d(3, widths[0], 7, 2, 3, bias=False)
        self.norm = torch.nn.BatchNorm2d(widths[0])
        self.blocks, last = torch.nn.ModuleList(), widths[0]
        for index, (size, width) in enumerate(zip(stage_sizes, widths, strict=True)):
            for position in range(size):
                stride = 2 if index and not position else 1
                channels = [last, width, width, 4 * width] if bottleneck else [last, width, width]
                self.blocks.append(TorchBlock([1, 3, 1] if bottleneck else [3, 3], channels, stride))
                last = channels[-1]
        self.head = torch.nn.Linear(last, num_classes)

    def forward(self, images):
        x = torch.nn.functional.max_pool2d(torch.relu(self.norm(self.conv(images))), 3, 2, 1)
        for block in self.blocks:
            x = block(x)
        return self.head(x.mean((2, 3)))


def give(kernel, layer):
    """Copies a PyTorch layer's weights: (out, in, h, w) or (out, in), channels last here."""
    weight = layer.weight.detach().numpy()
    weight = weight.transpose(2, 3, 1, 0) if weight.ndim == 4 else weight.T
    kernel[...] = jnp.asarray(weight.reshape(kernel.shape))


def give_norm(norm, source):
    names = {"scale": "weight", "bias": "bias", "mean": "running_mean", "var": "running_var"}
    for name, torch_name in names.items():
        getattr(norm, name)[...] = jnp.asarray(getattr(source, torch_name).detach().numpy())


def give_all(model, source):
    give(model.stem.conv.kernel, source.conv)
    give_norm(model.stem.norm, source.norm)
    blocks = [block for stage in model.stages for block in stage]
    for block, torch_block in zip(blocks, source.blocks, strict=True):
        for i, (conv, norm) in enumerate(zip(torch_block.convs, torch_block.norms, strict=True), start=1):
            give(getattr(block, f"conv{i}").kernel, conv)
            give_norm(getattr(block, f"norm{i}"), norm)
        if block.shortcut is not None:
            give(block.shortcut.linear.kernel, torch_block.shortcut[0])
            give_norm(block.shortcut.norm, torch_block.shortcut[1])
    give(model.head.kernel, source.head)
    model.head.bias[...] = jnp.asarray(source.head.bias.detach().numpy())


def torch_model(*arguments):
    torch.manual_seed(0)
    model = TorchResNet(*arguments)
    for module in model.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            for tensor in (module.weight.data, module.bias.data, module.running_mean, module.running_var):
                tensor.uniform_(0.8, 1.2)
    return model


def resnet18_pair():
    return resnet18(num_classes=10, rngs=nnx.Rngs(0)), torch_model(False, (2, 2, 2, 2), (64, 128, 256, 512), 10)


def bottleneck_pair():
    sizes = {"stage_sizes": (2, 1), "widths": (8, 16), "num_classes": 5}
    return ResNet(block="bottleneck", **sizes, rngs=nnx.Rngs(0)), torch_model(True, *sizes.values())


def images(height=70, width=65):
    """Sides that are neither equal nor multiples of the stride, so a wrong padding shows."""
    return np.random.default_rng(0).uniform(size=(2, height, width, 3)).astype(np.float32)


def nchw(batch):
    return torch.from_numpy(batch.transpose(0, 3, 1, 2))


@pytest.mark.parametrize("pair", [resnet18_pair, bottleneck_pair])
def test_logits_and_input_gradients_are_those_of_pytorch(pair):
    model, source = pair()
    give_all(model, source)
    view = nnx.view(model, use_running_average=True)
    score = jax.value_and_grad(lambda view, x: ((z := view(x))[:, 1].sum(), z), argnums=1, has_aux=True)
    (_, logits), gradient = jax.jit(score)(view, images())
    inputs = nchw(images()).requires_grad_()
    expected = source.eval()(inputs)
    expected[:, 1].sum().backward()
    assert expected.std() > 0.01
    np.testing.assert_allclose(logits, expected.detach(), atol=1e-4, rtol=1e-4)
    peak = inputs.grad.abs().max().item()
    np.testing.assert_allclose(gradient, inputs.grad.numpy().transpose(0, 2, 3, 1), atol=1e-3 * peak)


def test_a_training_pass_gives_pytorchs_logits_and_running_means():
    model, source = bottleneck_pair()
    give_all(model, source)
    expected = source.train()(nchw(images())).detach()
    np.testing.assert_allclose(model(images()), expected, atol=1e-3)
    np.testing.assert_allclose(model.stem.norm.mean[...], source.norm.running_mean, atol=1e-5)


def test_parameter_counts_are_those_of_pytorch():
    model, source = bottleneck_pair()
    count = sum(leaf.size for leaf in jax.tree.leaves(nnx.state(model, nnx.Param)))
    assert count == sum(parameter.numel() for parameter in source.parameters())
