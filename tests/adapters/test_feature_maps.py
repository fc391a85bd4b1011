"""Layers whose axes differ from the model's own: Grad-CAM against hooks written by hand."""

from importlib.util import find_spec

import jax
import numpy as np
import pytest
from flax import nnx

from cfx_jax.adapters import from_nnx, from_torch
from cfx_jax.adapters.feature_maps import find_orders
from cfx_jax.adapters.layers import Traced
from cfx_jax.attributions import grad_cam
from cfx_jax.errors import InputError

torch = pytest.importorskip("torch", reason="the extra 'parity' is not installed")

# A square image and as many features as rows: all axes of the maps are 6 long.
IMAGE = np.random.default_rng(0).uniform(size=(12, 12, 3)).astype(np.float32)
TENSOR = torch.tensor(IMAGE).permute(2, 0, 1)[None]
TOKENS = 37
BRIDGES = ["callback", "jax", "export"]


class Block(torch.nn.Module):
    """As of a ConvNeXt: the channels are last between the two transpositions."""

    def __init__(self):
        super().__init__()
        self.conv = torch.nn.Conv2d(6, 6, 3, padding=1, groups=6)
        self.norm, self.grow = torch.nn.LayerNorm(6), torch.nn.Linear(6, 12)
        self.act, self.shrink = torch.nn.GELU(), torch.nn.Linear(12, 6)

    def forward(self, x):
        y = self.norm(self.conv(x).permute(0, 2, 3, 1))
        return x + self.shrink(self.act(self.grow(y))).permute(0, 3, 1, 2)


class Pair(torch.nn.Module):
    """A layer that gives two values."""

    def forward(self, x):
        return x, x.mean((2, 3))


class Attention(torch.nn.Module):
    """As of a ViT: a class token, positions of one size of images, heads that attend to tokens."""

    def __init__(self):
        super().__init__()
        self.token = torch.nn.Parameter(torch.randn(1, 1, 6))
        self.positions = torch.nn.Parameter(torch.randn(1, TOKENS, 6))
        self.norm, self.weights = torch.nn.LayerNorm(6), torch.nn.Softmax(-1)
        self.mixed = torch.nn.Linear(6, 6)

    def forward(self, x):
        tokens = torch.cat([self.token, x.flatten(2).transpose(1, 2)], 1) + self.positions
        heads = self.norm(tokens).unflatten(2, (2, 3)).transpose(1, 2)  # (n, 2, tokens, 3)
        mixed = self.weights(heads @ heads.transpose(2, 3)) @ heads
        return tokens + self.mixed(mixed.transpose(1, 2).flatten(2))


class Network(torch.nn.Module):
    def __init__(self, size=None):
        super().__init__()
        self.size = size
        self.stem, self.block = torch.nn.Conv2d(3, 6, 3, 2, padding=1), Block()
        self.twice, self.pair = torch.nn.Conv2d(6, 6, 1), Pair()
        self.relu = torch.nn.ReLU(True)
        self.attention, self.last = Attention(), torch.nn.Linear(6, 4)

    def forward(self, x):
        if self.size is not None and x.shape[2:] != self.size:
            raise ValueError(f"expected images of {self.size}")
        x = self.twice(self.block(self.stem(x)))
        x, _ = self.pair(self.relu(self.twice(x)))
        return self.last(self.attention(x)[:, 0])


def network_of(size=None):
    torch.manual_seed(0)
    return Network(size).eval()


def classifier_of(network, bridge):
    if bridge == "jax" and find_spec("torchax") is None:
        pytest.skip("the extra 'parity' is not installed")
    if bridge == "export":
        return from_torch(torch.export.export(network, (TENSOR,)))
    return from_torch(network, bridge=bridge)


def map_by_hooks(network, name, *, call=0, is_last=False):
    """Grad-CAM of class 1, from a layer's value and gradient as hooks of PyTorch give them."""
    kept = []

    def keep(_module, _arguments, value):
        kept.append(value)
        return value.clone()  # which a ReLU in place may write over

    handle = network.get_submodule(name).register_forward_hook(keep)
    logit = network(TENSOR)[0, 1]
    handle.remove()
    (slope,) = torch.autograd.grad(logit, kept[call])
    value = kept[call].detach()
    if is_last:
        value, slope = value.permute(0, 3, 1, 2), slope.permute(0, 3, 1, 2)
    coarse = (slope.mean((2, 3), keepdim=True) * value).sum(1, keepdim=True).relu()
    return torch.nn.functional.interpolate(coarse, IMAGE.shape[:2], mode="bilinear")[0, 0].numpy()


@pytest.mark.parametrize("bridge", BRIDGES)
def test_maps_of_layers_are_those_of_hooks_written_by_hand(bridge):
    network = network_of()
    classifier = classifier_of(network, bridge)
    for name, call, is_last in (
        ("stem", 0, False),
        ("block", 0, False),
        ("block.norm", 0, True),
        ("block.grow", 0, True),
        ("twice", 0, False),
        ("twice", 1, False),  # a ReLU in place follows
    ):
        expected = map_by_hooks(network, name, call=call, is_last=is_last)
        assert expected.max() > 0
        tap = classifier.tap(name if call == 0 else f"{name}:2")
        found = jax.jit(lambda image, tap=tap: grad_cam(tap, image, 1))(IMAGE)
        np.testing.assert_allclose(found, expected, atol=1e-5 * expected.max(), err_msg=name)


@pytest.mark.parametrize("bridge", BRIDGES)
def test_layers_without_maps_are_refused_and_those_with_maps_are_named(bridge):
    classifier = classifier_of(network_of(), bridge)
    maps = classifier.feature_maps(IMAGE)
    assert list(maps)[:2] == ["stem", "block.conv"] and list(maps)[-2:] == ["twice:2", "relu"]
    assert maps["block.grow"] == (6, 6, 12) and classifier.last_spatial_layer(IMAGE) == "relu"
    assert classifier.layers(IMAGE)["attention"] == (TOKENS, 6)
    allowed = r"got 'attention.*' with .*: take one of those that do \(stem, .*relu\)"
    for name in ("attention", "attention.weights", "attention.norm"):
        with pytest.raises(InputError, match=allowed):
            classifier.check_maps(name, IMAGE)
    with pytest.raises(InputError, match=allowed):
        grad_cam(classifier.tap("attention.weights"), IMAGE, 1)
    with pytest.raises(InputError, match=r"such as the last ones .*relu\), got 'pair'"):
        classifier.check_maps("pair", IMAGE)


@pytest.mark.parametrize("bridge", BRIDGES)
def test_a_network_of_one_size_shows_its_convolutions_alone(bridge):
    """What else has axes of equal length may be read in two ways."""
    maps = classifier_of(network_of(torch.Size(IMAGE.shape[:2])), bridge).feature_maps(IMAGE)
    assert {"stem", "block.conv", "twice", "twice:2"} <= set(maps)
    assert "attention.weights" not in maps


def test_orders_are_found_by_what_grows_with_the_image():
    shapes = {
        "conv": (8, 8, 8),
        "norm": (8, 8, 8),
        "heads": (8, 64, 64),
        "query": (8, 64, 8),
        "pool": (8, 4, 4),
        "tokens": (64, 8),
        "windows": (4, 4, 8),
        "late": (4, 4, 16),
        "late heads": (8, 16, 16),
        "cube": (4, 4, 4),
    }
    taller = shapes | {"conv": (8, 16, 8), "norm": (16, 8, 8), "query": (8, 128, 8)}
    wider = shapes | {"conv": (8, 8, 16), "norm": (8, 16, 8), "query": (8, 128, 8)}
    for larger in (taller, wider):
        larger |= {"heads": (8, 128, 128), "tokens": (128, 8)}
        larger |= {"windows": (2, 4, 4, 8)}
        for name in ("late", "late heads", "cube"):  # not reached
            del larger[name]
    options = {"image": (32, 32), "layout": "channels_first"}
    first, last = "channels_first", "channels_last"
    expected = {"conv": first, "norm": last, "pool": first, "late": last}
    assert find_orders(shapes, taller, wider, **options) == expected
    known = find_orders(shapes, taller, wider, **options, convolutions=["cube"])
    assert known == expected | {"cube": first}


def test_a_model_of_channels_last_is_judged_by_its_own_layout():
    shapes = {"conv": (8, 6, 8), "cube": (8, 8, 8), "heads": (4, 48, 48), "wide": (64, 48, 3)}
    options = {"image": (32, 24), "layout": "channels_last"}
    assert find_orders(shapes, {}, {}, **options) == {"conv": "channels_last"}
    square = find_orders(shapes, {}, {}, image=(32, 32), layout="channels_last")
    assert square == {"cube": "channels_last"}


def test_a_model_that_jax_traces_is_looked_at_once_for_each_size(monkeypatch):
    rngs = nnx.Rngs(0)
    layers = [nnx.Conv(3, 4, (3, 3), rngs=rngs), nnx.relu, lambda x: x.mean((1, 2))]
    classifier = from_nnx(nnx.Sequential(*layers, nnx.Linear(4, 2, rngs=rngs)))
    find, sizes = Traced._find_layers, []

    def find_and_note(traced, images):
        sizes.append(images.shape)
        return find(traced, images)

    monkeypatch.setattr(Traced, "_find_layers", find_and_note)
    layer = classifier.last_spatial_layer(IMAGE)
    for image in (IMAGE, IMAGE / 2):
        grad_cam(classifier.tap(layer), image, 1)
    assert sorted(sizes) == [(1, 12, 12, 3), (1, 12, 24, 3), (1, 24, 12, 3)]
