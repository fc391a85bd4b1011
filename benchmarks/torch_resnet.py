"""Residual networks of PyTorch with torchvision's names, written from the paper: what ours are
compared with.

He et al. 2016, "Deep Residual Learning for Image Recognition", version 1.5. Every activation is a
module of its own, used once, as Captum asks for.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from cfx_jax.errors import InputError

_PUBLISHED = (64, 128, 256, 512)
_TWINS: dict[str, tuple[Any, ...]] = {
    "resnet18": ("basic", (2, 2, 2, 2), _PUBLISHED, 2),
    "resnet34": ("basic", (3, 4, 6, 3), _PUBLISHED, 2),
    "resnet50": ("bottleneck", (3, 4, 6, 3), _PUBLISHED, 2),
    "resnet_small": ("basic", (2, 1, 1), (24, 64, 192), 2, "patch"),
}


class TorchBlock(nn.Module):
    """A basic (two 3x3) or bottleneck (1x1, 3x3, 1x1) block; the first 3x3 convolution has the
    stride.
    """

    def __init__(self, sizes: Sequence[int], channels: Sequence[int], stride: int) -> None:
        super().__init__()
        self.depth, strided = len(sizes), sizes.index(3)
        for i, size in enumerate(sizes):
            step = stride if i == strided else 1
            self.add_module(
                f"conv{i + 1}",
                nn.Conv2d(channels[i], channels[i + 1], size, step, size // 2, bias=False),
            )
            self.add_module(f"bn{i + 1}", nn.BatchNorm2d(channels[i + 1]))
            self.add_module(f"relu{i + 1}", nn.ReLU())
        self.downsample = None
        if stride != 1 or channels[0] != channels[-1]:
            projection = nn.Conv2d(channels[0], channels[-1], 1, stride, bias=False)
            self.downsample = nn.Sequential(projection, nn.BatchNorm2d(channels[-1]))

    def forward(self, x: Tensor) -> Tensor:
        y, end = x, x if self.downsample is None else self.downsample(x)
        for i in range(1, self.depth + 1):
            y = getattr(self, f"bn{i}")(getattr(self, f"conv{i}")(y))
            y = getattr(self, f"relu{i}")(y + end if i == self.depth else y)
        return y


class TorchResNet(nn.Module):
    """The twin of ``ResNet``: the same arguments, NCHW images.

    Args:
        block: ``"basic"`` or ``"bottleneck"``.
        stage_sizes: blocks of each stage.
        widths: channels of each stage's 3x3 convolutions.
        num_classes: number of logits.
        stem: ``"imagenet"`` or ``"patch"``.
    """

    def __init__(
        self,
        block: str,
        stage_sizes: Sequence[int],
        widths: Sequence[int],
        num_classes: int,
        stem: str = "imagenet",
    ) -> None:
        super().__init__()
        patch = stem == "patch"
        self.conv1 = nn.Conv2d(3, widths[0], *((4, 4, 0) if patch else (7, 2, 3)), bias=False)
        self.bn1, self.relu = nn.BatchNorm2d(widths[0]), nn.ReLU()
        self.maxpool = nn.Identity() if patch else nn.MaxPool2d(3, 2, 1)
        self.num_stages, last = len(widths), widths[0]
        for index, (size, width) in enumerate(zip(stage_sizes, widths, strict=True)):
            blocks = []
            for position in range(size):
                inner = [width, width, 4 * width] if block == "bottleneck" else [width, width]
                sizes = [1, 3, 1] if block == "bottleneck" else [3, 3]
                blocks.append(TorchBlock(sizes, [last, *inner], 2 if index and not position else 1))
                last = inner[-1]
            self.add_module(f"layer{index + 1}", nn.Sequential(*blocks))
        self.fc = nn.Linear(last, num_classes)

    def features(self, images: Tensor) -> Tensor:
        """The last feature maps, (b, f, fh, fw)."""
        x = self.maxpool(self.relu(self.bn1(self.conv1(images))))
        for index in range(1, self.num_stages + 1):
            x = getattr(self, f"layer{index}")(x)
        return x

    def forward(self, images: Tensor) -> Tensor:
        """Logits (b, num_classes) of images (b, 3, h, w)."""
        return self.fc(self.features(images).mean((2, 3)))


def numpy_tensors(network: nn.Module) -> dict[str, np.ndarray]:
    """The state dict of a network as NumPy arrays."""
    return {name: tensor.detach().numpy() for name, tensor in network.state_dict().items()}


def twin(model: str) -> TorchResNet:
    """The untrained PyTorch network of two classes that has the architecture of ours by that name.

    Raises:
        InputError: there is none.
    """
    if model not in _TWINS:
        raise InputError(f"model: expected one of {', '.join(_TWINS)}, got {model!r}")
    torch.manual_seed(0)
    return TorchResNet(*_TWINS[model]).eval()
