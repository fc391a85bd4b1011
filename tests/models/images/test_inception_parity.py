"""Inception-v3 against a PyTorch network of the same weights, with torchvision's names, written
here from the paper.
"""

import jax
import numpy as np
import pytest
from flax import nnx
from torch_parity import check_in_double_precision, images, nchw, vary_batch_norms

from cfx_jax.models import InceptionV3, import_weights

torch = pytest.importorskip(
    "torch", reason="parity with PyTorch needs it: pip install 'cfx-jax[parity]'"
)


class Unit(torch.nn.Module):
    def __init__(self, channels, width, size=(1, 1), *, stride=1, padding=(0, 0)):
        super().__init__()
        self.conv = torch.nn.Conv2d(channels, width, size, stride, padding, bias=False)
        self.bn = torch.nn.BatchNorm2d(width, eps=1e-3)

    def forward(self, x):
        return torch.relu(self.bn(self.conv(x)))


def chain(name, channels, *sizes, halves=False, start=1):
    """Units one after the other: each (width, height, width of the kernel), the last with stride 2
    where it halves.
    """
    units = {}
    for position, (width, *size) in enumerate(sizes):
        size, last = tuple(size) or (1, 1), position == len(sizes) - 1
        stride, padding = (2, (0, 0)) if halves and last else (1, tuple(side // 2 for side in size))
        units[f"{name}_{position + start}"] = Unit(
            channels, width, size, stride=stride, padding=padding
        )
        channels = width
    return units


class Mixed(torch.nn.Module):
    """``chains``: lists of units by name; a list within a list ends its chain with several side by
    side.
    """

    def __init__(self, units, chains, pool, pool_unit=None):
        super().__init__()
        for name, unit in units.items():
            self.add_module(name, unit)
        if pool_unit is not None:
            self.branch_pool = pool_unit
        self.chains, self.pool = chains, pool

    def forward(self, x):
        outputs = []
        for names in self.chains:
            y = x
            for name in names:
                y = (
                    torch.cat([getattr(self, n)(y) for n in name], 1)
                    if isinstance(name, tuple)
                    else getattr(self, name)(y)
                )
            outputs.append(y)
        pool = self.pool(x)
        return torch.cat(
            [*outputs, self.branch_pool(pool) if hasattr(self, "branch_pool") else pool], 1
        )


class TorchInception(torch.nn.Module):
    """``scale`` gives the number of channels of a layer that has so many in the paper."""

    def __init__(self, num_classes, *, fid, scale, auxiliary=False):
        super().__init__()
        self.scale = scale
        mean = torch.nn.AvgPool2d(3, 1, 1, count_include_pad=not fid)
        s = [scale(width) for width in (32, 32, 64, 80, 192)]
        self.Conv2d_1a_3x3 = Unit(3, s[0], (3, 3), stride=2)
        self.Conv2d_2a_3x3 = Unit(s[0], s[1], (3, 3))
        self.Conv2d_2b_3x3 = Unit(s[1], s[2], (3, 3), padding=(1, 1))
        self.Conv2d_3b_1x1 = Unit(s[2], s[3])
        self.Conv2d_4a_3x3 = Unit(s[3], s[4], (3, 3))
        channels = s[4]
        for name, make in {
            "5b": lambda c: self.a(c, 32, mean),
            "5c": lambda c: self.a(c, 64, mean),
            "5d": lambda c: self.a(c, 64, mean),
            "6a": self.b,
            "6b": lambda c: self.c(c, 128, mean),
            "6c": lambda c: self.c(c, 160, mean),
            "6d": lambda c: self.c(c, 160, mean),
            "6e": lambda c: self.c(c, 192, mean),
            "7a": self.d,
            "7b": lambda c: self.e(c, mean),
            "7c": lambda c: self.e(c, torch.nn.MaxPool2d(3, 1, 1) if fid else mean),
        }.items():
            block, channels = make(channels)
            self.add_module(f"Mixed_{name}", block)
        if auxiliary:
            self.AuxLogits = torch.nn.ModuleDict(
                {"conv0": Unit(8, 8), "fc": torch.nn.Linear(8, num_classes)}
            )
        self.fc = torch.nn.Linear(channels, num_classes)

    def a(self, channels, pool_width, pool):
        s = self.scale
        units = {"branch1x1": Unit(channels, s(64))}
        units |= chain("branch5x5", channels, (s(48),), (s(64), 5, 5))
        units |= chain("branch3x3dbl", channels, (s(64),), (s(96), 3, 3), (s(96), 3, 3))
        chains = [
            ["branch1x1"],
            ["branch5x5_1", "branch5x5_2"],
            [f"branch3x3dbl_{i}" for i in (1, 2, 3)],
        ]
        return Mixed(units, chains, pool, Unit(channels, s(pool_width))), 2 * s(64) + s(96) + s(
            pool_width
        )

    def b(self, channels):
        s = self.scale
        units = {"branch3x3": Unit(channels, s(384), (3, 3), stride=2)}
        units |= chain(
            "branch3x3dbl", channels, (s(64),), (s(96), 3, 3), (s(96), 3, 3), halves=True
        )
        chains = [["branch3x3"], [f"branch3x3dbl_{i}" for i in (1, 2, 3)]]
        return Mixed(units, chains, torch.nn.MaxPool2d(3, 2)), s(384) + s(96) + channels

    def c(self, channels, inner, pool):
        s, c = self.scale, self.scale(inner)
        units = {"branch1x1": Unit(channels, s(192))}
        units |= chain("branch7x7", channels, (c,), (c, 1, 7), (s(192), 7, 1))
        units |= chain(
            "branch7x7dbl", channels, (c,), (c, 7, 1), (c, 1, 7), (c, 7, 1), (s(192), 1, 7)
        )
        chains = [
            ["branch1x1"],
            [f"branch7x7_{i}" for i in (1, 2, 3)],
            [f"branch7x7dbl_{i}" for i in range(1, 6)],
        ]
        return Mixed(units, chains, pool, Unit(channels, s(192))), 4 * s(192)

    def d(self, channels):
        s, c = self.scale, self.scale(192)
        units = chain("branch3x3", channels, (c,), (s(320), 3, 3), halves=True)
        units |= chain("branch7x7x3", channels, (c,), (c, 1, 7), (c, 7, 1), (c, 3, 3), halves=True)
        chains = [["branch3x3_1", "branch3x3_2"], [f"branch7x7x3_{i}" for i in (1, 2, 3, 4)]]
        return Mixed(units, chains, torch.nn.MaxPool2d(3, 2)), s(320) + c + channels

    def e(self, channels, pool):
        s, c = self.scale, self.scale(384)
        row, column = {"size": (1, 3), "padding": (0, 1)}, {"size": (3, 1), "padding": (1, 0)}
        units = {"branch1x1": Unit(channels, s(320)), "branch3x3_1": Unit(channels, c)}
        units |= chain("branch3x3dbl", channels, (s(448),), (c, 3, 3))
        for stem, number in (("branch3x3", 2), ("branch3x3dbl", 3)):
            units |= {
                f"{stem}_{number}a": Unit(c, c, **row),
                f"{stem}_{number}b": Unit(c, c, **column),
            }
        chains = [
            ["branch1x1"],
            ["branch3x3_1", ("branch3x3_2a", "branch3x3_2b")],
            ["branch3x3dbl_1", "branch3x3dbl_2", ("branch3x3dbl_3a", "branch3x3dbl_3b")],
        ]
        return Mixed(units, chains, pool, Unit(channels, s(192))), s(320) + 4 * c + s(192)

    def features(self, images):
        x = self.Conv2d_2b_3x3(self.Conv2d_2a_3x3(self.Conv2d_1a_3x3(images)))
        x = torch.nn.functional.max_pool2d(x, 3, 2)
        x = torch.nn.functional.max_pool2d(self.Conv2d_4a_3x3(self.Conv2d_3b_1x1(x)), 3, 2)
        for name in ("5b", "5c", "5d", "6a", "6b", "6c", "6d", "6e", "7a", "7b", "7c"):
            x = getattr(self, f"Mixed_{name}")(x)
        return x

    def forward(self, images):
        return self.fc(self.features(images).mean((2, 3)))


def pair(network, width, **options):
    from benchmarks.torch_resnet import numpy_tensors

    def scale(channels):
        return channels if width == 1 else max(16, round(width * channels))

    torch.manual_seed(0)
    source = vary_batch_norms(TorchInception(5, fid=network == "fid", scale=scale, **options))
    for module in source.modules():
        if isinstance(
            module, torch.nn.Conv2d
        ):  # PyTorch's own start lets the signal fade over so many layers
            torch.nn.init.kaiming_normal_(module.weight)
    options = {"num_classes": 5, "network": network, "width": width, "dropout": 0}
    shapes = nnx.eval_shape(lambda: InceptionV3(**options, rngs=nnx.Rngs(0)))
    return import_weights(shapes, numpy_tensors(source)), source


def check_logits(model, source, height, width):
    view = nnx.view(model, use_running_average=True)
    logits = jax.jit(lambda view, x: view(x))(view, images(height, width))
    expected = source.eval()(nchw(images(height, width))).detach()
    assert (expected[0] - expected[1]).abs().max() > 0.01
    np.testing.assert_allclose(logits, expected, atol=1e-4, rtol=1e-4)


def test_a_narrow_network_has_pytorchs_logits():
    check_logits(*pair("fid", 0.01, auxiliary=True), 99, 110)


@pytest.mark.slow
@pytest.mark.parametrize("network", ["torchvision", "fid"])
def test_published_networks_have_pytorchs_logits_and_input_gradients(network):
    check_in_double_precision(*pair(network, 1.0), height=139, width=150)
