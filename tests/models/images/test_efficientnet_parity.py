"""EfficientNets against PyTorch networks of the same weights, written here from the paper."""

import functools
import math

import jax
import numpy as np
import pytest
from flax import nnx
from torch_parity import check_logits_and_input_gradients, images, nchw, vary_batch_norms

from cfx_jax.models import EfficientNet, Stage, efficientnet, import_weights

torch = pytest.importorskip(
    "torch", reason="parity with PyTorch needs it: pip install 'cfx-jax[parity]'"
)

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


def unit(channels, width, size, stride=1, *, groups=1, act=True, eps):
    convolution = torch.nn.Conv2d(
        channels, width, size, stride, size // 2, groups=groups, bias=False
    )
    norm = torch.nn.BatchNorm2d(width, eps=eps, momentum=0.01)
    return torch.nn.Sequential(convolution, norm, *([torch.nn.SiLU()] if act else []))


class TorchExcitation(torch.nn.Module):
    def __init__(self, channels, reduced):
        super().__init__()
        self.fc1, self.fc2 = (
            torch.nn.Conv2d(channels, reduced, 1),
            torch.nn.Conv2d(reduced, channels, 1),
        )

    def forward(self, x):
        means = x.mean((2, 3), keepdim=True)
        return x * torch.sigmoid(self.fc2(torch.nn.functional.silu(self.fc1(means))))


class TorchBlock(torch.nn.Module):
    def __init__(self, channels, width, expansion, size, stride, eps):
        super().__init__()
        inner = expansion * channels
        self.block = torch.nn.Sequential(
            *([unit(channels, inner, 1, eps=eps)] if expansion > 1 else []),
            unit(inner, inner, size, stride, groups=inner, eps=eps),
            TorchExcitation(inner, max(1, channels // 4)),
            unit(inner, width, 1, act=False, eps=eps),
        )
        self.residual = stride == 1 and channels == width

    def forward(self, x):
        return x + self.block(x) if self.residual else self.block(x)


class TorchEfficientNet(torch.nn.Module):
    """With torchvision's names, without dropout and stochastic depth."""

    def __init__(self, table, stem, top, num_classes, eps):
        super().__init__()
        layers, last = [unit(3, stem, 3, 2, eps=eps)], stem
        for expansion, size, stride, width, number in table:
            stage = []
            for position in range(number):
                stage.append(
                    TorchBlock(last, width, expansion, size, 1 if position else stride, eps)
                )
                last = width
            layers.append(torch.nn.Sequential(*stage))
        self.features = torch.nn.Sequential(*layers, unit(last, top, 1, eps=eps))
        self.classifier = torch.nn.Sequential(
            torch.nn.Identity(), torch.nn.Linear(top, num_classes)
        )

    def forward(self, images):
        return self.classifier(self.features(images).mean((2, 3)))


def pair(model, *sizes, eps=1e-3):
    from benchmarks.torch_resnet import numpy_tensors

    torch.manual_seed(0)
    source = vary_batch_norms(TorchEfficientNet(*sizes, 5, eps))
    return import_weights(model, numpy_tensors(source)), source


SMALL = [(1, 3, 1, 8, 1), (4, 5, 2, 12, 1), (3, 3, 1, 12, 1)]


@functools.cache
def small_model():
    stages = [Stage(*row) for row in SMALL]
    return EfficientNet(stages=stages, stem_width=8, top_width=24, num_classes=5, rngs=nnx.Rngs(0))


def small_pair():
    return pair(small_model(), SMALL, 8, 24)


def published_pair(variant, width, depth, eps):
    def rounded(channels):
        nearest = max(8, 8 * math.floor(channels * width / 8 + 0.5))
        return nearest + 8 if nearest < 0.9 * channels * width else nearest

    table = [(*row[:3], rounded(row[3]), math.ceil(depth * row[4])) for row in TABLE]
    model = efficientnet(variant, num_classes=5, epsilon=eps, rngs=nnx.Rngs(0))
    return pair(model, table, rounded(32), rounded(1280), eps=eps)


def test_logits_and_input_gradients_are_those_of_pytorch():
    check_logits_and_input_gradients(*small_pair())


@pytest.mark.slow
@pytest.mark.parametrize("scaling", [("b0", 1.0, 1.0, 1e-5), ("b3", 1.2, 1.4, 1e-3)])
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
    nnx.jit(lambda model, x: model(x))(
        nnx.view(model, deterministic=True, use_running_average=False), images()
    )
    first = source.features[1][0].block
    norms = [
        (model.stem.norm, source.features[0][1]),
        (model.blocks[0].depthwise_norm, first[0][1]),
    ]
    for norm, expected in norms:
        assert np.abs(norm.mean[...] - 1).max() > 1e-3
        np.testing.assert_allclose(norm.mean[...], expected.running_mean, atol=1e-5)
