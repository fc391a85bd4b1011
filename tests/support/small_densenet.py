"""A small DenseNet with the layout of torchxrayvision's. Import PyTorch first.

One channel with values in [-1024, 1024], ``features`` with a last batch norm, a ReLU that is a
function and writes over its input, a pooling, and one logit for each of several labels.
"""

from collections import OrderedDict

import torch
from torch import nn
from torch.nn import functional

LABELS = 5


class _Layer(nn.Module):
    """Batch norm, ReLU, convolution; what comes out is put beside what went in."""

    def __init__(self, channels, growth):
        super().__init__()
        self.norm, self.relu = nn.BatchNorm2d(channels), nn.ReLU(inplace=True)
        self.conv = nn.Conv2d(channels, growth, 3, padding=1, bias=False)

    def forward(self, x):
        return torch.cat([x, self.conv(self.relu(self.norm(x)))], 1)


class SmallDenseNet(nn.Module):
    """Images (n, 1, h, w) -> logits (n, 5)."""

    def __init__(self, seed=0):
        super().__init__()
        torch.manual_seed(seed)
        layers = [("conv0", nn.Conv2d(1, 8, 5, stride=2, padding=2, bias=False))]
        layers += [("norm0", nn.BatchNorm2d(8)), ("relu0", nn.ReLU(inplace=True))]
        layers += [("denseblock1", nn.Sequential(_Layer(8, 4), _Layer(12, 4)))]
        layers += [("pool", nn.AvgPool2d(2)), ("norm5", nn.BatchNorm2d(16))]
        self.features = nn.Sequential(OrderedDict(layers))
        self.classifier = nn.Linear(16, LABELS)
        for module in self.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.running_var.uniform_(0.5, 2.0)
                module.running_mean.uniform_(-0.5, 0.5)
        self.features.norm0.running_var.mul_(300.0**2)  # of values of some hundreds

    def forward(self, images):
        maps = functional.relu(self.features(images), inplace=True)
        return self.classifier(functional.adaptive_avg_pool2d(maps, 1).flatten(1))
