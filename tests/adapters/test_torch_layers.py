"""Layers of PyTorch networks: taps against Captum, guided backpropagation against Captum."""

import copy
from importlib.util import find_spec

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from compilations import counted_compilations

from cfx_jax.adapters import Inputs, Outputs, from_torch
from cfx_jax.attributions import grad_cam, grad_cam_plus_plus, guided_backprop, layer_cam, score_cam
from cfx_jax.errors import InputError
from cfx_jax.objectives import class_score

torch = pytest.importorskip("torch", reason="the extra 'parity' is not installed")
attr = pytest.importorskip("captum.attr", reason="the extra 'parity' is not installed")
from small_densenet import LABELS, SmallDenseNet  # noqa: E402

IMAGES = np.random.default_rng(0).uniform(size=(3, 12, 10, 3)).astype(np.float32)
TENSORS = torch.tensor(IMAGES).permute(0, 3, 1, 2)
BRIDGES = ["callback", "jax"]


class Network(torch.nn.Module):
    """ReLUs as a module that is called twice, in place, and as a function."""

    def __init__(self):
        super().__init__()
        self.conv, self.norm = torch.nn.Conv2d(3, 6, 3, padding=1), torch.nn.BatchNorm2d(6)
        self.act = torch.nn.ReLU()
        self.block = torch.nn.Sequential(torch.nn.Conv2d(6, 5, 3, stride=2), torch.nn.ReLU(True))
        self.last = torch.nn.Linear(5, 4)

    def forward(self, x):
        x = self.block(self.act(self.norm(self.conv(x))))
        return self.last(self.act(x - 0.1).mean((2, 3)))


@pytest.fixture(scope="module")
def network():
    torch.manual_seed(0)
    return Network().eval()


def classifier_of(network, bridge="callback"):
    if bridge == "jax" and find_spec("torchax") is None:
        pytest.skip("the extra 'parity' is not installed")
    if bridge == "export":
        batch = ({0: torch.export.Dim("batch")},)
        network = torch.export.export(network, (TENSORS[:2],), dynamic_shapes=batch)
        bridge = "callback"
    return from_torch(network, bridge=bridge)


def enlarged(maps):
    shape = IMAGES.shape[1:3]
    return attr.LayerAttribution.interpolate(maps, shape, "bilinear")[:, 0].detach().numpy()


def assert_same(found, expected):
    """Equal to 1e-5 of the maximum."""
    assert np.abs(expected).max() > 0
    np.testing.assert_allclose(found, expected, atol=1e-5 * np.abs(expected).max())


@pytest.mark.parametrize("bridge", [*BRIDGES, "export"])
def test_layers_have_names_and_shapes_in_the_order_in_which_they_end(network, bridge):
    expected = {
        "conv": (12, 10, 6),
        "norm": (12, 10, 6),
        "act": (12, 10, 6),
        "block.0": (5, 4, 5),
        "block.1": (5, 4, 5),
        "block": (5, 4, 5),
        "act:2": (5, 4, 5),
        "last": (4,),
    }
    classifier = classifier_of(network, bridge)
    assert list(classifier.layers(IMAGES[0]).items()) == list(expected.items())
    assert classifier.last_spatial_layer(IMAGES[0]) == "act:2"


@pytest.mark.parametrize("layer", ["norm", "block", "block.0"])
@pytest.mark.parametrize("bridge", [*BRIDGES, "export"])
def test_class_activation_maps_are_those_of_captum(network, bridge, layer):
    tap = classifier_of(network, bridge).tap(layer)
    module = network.get_submodule(layer)
    maps = attr.LayerGradCam(network, module).attribute(TENSORS, 1, relu_attributions=True)
    explain = jax.jit(jax.vmap(lambda image: grad_cam(tap, image, 1)))
    assert_same(explain(IMAGES), enlarged(maps))
    assert_same(grad_cam(tap, IMAGES[0], 1), enlarged(maps)[0])
    values = attr.LayerActivation(network, module).attribute(TENSORS).detach()
    slopes = attr.LayerGradientXActivation(network, module, multiply_by_inputs=False).attribute(
        TENSORS, 1
    )
    if layer != "block.0":  # whose values the ReLU behind it writes over in Captum's own pass
        expected = (slopes.relu() * values).sum(1, keepdim=True).relu()
        assert_same(jax.vmap(lambda image: layer_cam(tap, image, 1))(IMAGES), enlarged(expected))


def test_logits_stay_and_the_shift_is_added(network):
    classifier = classifier_of(network)
    tap, image = classifier.tap("block"), jnp.asarray(IMAGES[0])
    logits, value = tap(image)
    np.testing.assert_allclose(logits, classifier(image), atol=1e-6)
    moved = tap(image, 1 - value)
    np.testing.assert_allclose(moved.value, np.ones_like(value), atol=1e-6)
    expected = network.last(torch.ones(5) - 0.1)
    np.testing.assert_allclose(moved.logits, expected.detach(), atol=1e-5)


def test_one_forward_and_one_backward_pass_a_map(network):
    network, calls = copy.deepcopy(network), []
    network.register_forward_hook(lambda *_: calls.append(1))
    tap = classifier_of(network).tap("block")
    grad_cam(tap, IMAGES[0], 1).block_until_ready()
    calls.clear()
    with counted_compilations() as compilations:
        for image in IMAGES:
            grad_cam(tap, image, 1).block_until_ready()
    assert not compilations
    assert len(calls) == len(IMAGES)


@pytest.mark.parametrize("bridge", [*BRIDGES, "export"])
def test_guided_backpropagation_is_that_of_captum(network, bridge):
    """Captum knows ReLUs that are modules, called once each and not in place."""
    plain = copy.deepcopy(network)
    plain.block[1], plain.second = torch.nn.ReLU(), torch.nn.ReLU()
    plain.forward = lambda x: plain.last(
        plain.second(plain.block(plain.act(plain.norm(plain.conv(x)))) - 0.1).mean((2, 3))
    )
    with pytest.warns(UserWarning, match="hooks"):
        expected = attr.GuidedBackprop(plain).attribute(TENSORS.clone().requires_grad_(), 1)
    classifier = classifier_of(network, bridge)
    score = class_score(classifier.guided(), 1, of="logit")
    found = jax.jit(jax.vmap(lambda image: guided_backprop(score, image)))(IMAGES)
    assert_same(found, expected.permute(0, 2, 3, 1).detach().numpy())
    plain = jax.grad(class_score(classifier, 1, of="logit"))
    assert not np.allclose(found, jax.jit(jax.vmap(plain))(IMAGES))
    np.testing.assert_allclose(classifier.guided()(IMAGES[0]), classifier(IMAGES[0]), atol=1e-6)


@pytest.mark.parametrize("make", [torch.nn.functional.relu6, torch.nn.ReLU6(True)])
def test_relus_that_clip_are_guided_too(make):
    weight = torch.tensor([1.0, -1.0, 1.0, 1.0])

    class Clipping(torch.nn.Module):
        def forward(self, x):
            values = make((x * torch.tensor([1.0, 1.0, -1.0, 100.0])[:, None, None]) + 0.0)
            return torch.stack([(weight * values[:, :, 0, 0]).sum(1), values.sum((1, 2, 3))], 1)

    score = class_score(from_torch(Clipping().eval()).guided(), 0, of="logit")
    found = guided_backprop(score, jnp.full((1, 1, 4), 0.5))
    np.testing.assert_array_equal(found.ravel(), [1, 0, 0, 0])


def test_networks_without_relus_and_without_layers_are_named(network):
    plain = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(360, 2)).eval()
    classifier = from_torch(plain)
    with pytest.raises(InputError, match="expected a network with ReLUs"):
        classifier.guided()(IMAGES[0])
    with pytest.raises(InputError, match=r"expected a model with a layer of feature maps"):
        classifier.last_spatial_layer(IMAGES[0])
    with pytest.raises(InputError, match=r"such as the last ones \(0, 1\), got 'layer4'"):
        grad_cam(classifier.tap("layer4"), IMAGES[0], 1)
    scripted = from_torch(torch.jit.script(network))
    with pytest.raises(InputError, match="got one of TorchScript, or a bare function"):
        scripted.layers(IMAGES[0])


def test_the_layout_of_torchxrayvision():
    """One grey channel in [-1024, 1024], one label of several, maps before a ReLU in place."""
    network = SmallDenseNet().eval()
    inputs = Inputs("channels_first", channels=1, value_range=(-1024, 1024))
    images = np.random.default_rng(1).uniform(size=(3, 16, 16, 1)).astype(np.float32)
    tensors = torch.tensor(images * 2048 - 1024).permute(0, 3, 1, 2)
    values = network(tensors).detach()
    assert values.shape == (3, LABELS) and values.std() > 0.01
    classifier = from_torch(network, inputs=inputs, outputs=Outputs(label=2))
    logits = jax.vmap(classifier)(images)
    np.testing.assert_allclose(logits, np.stack([np.zeros(3), values[:, 2]], 1), atol=1e-5)
    assert classifier.last_spatial_layer(images[0]) == "features"
    tap = classifier.tap("features")
    found = jax.vmap(lambda image: grad_cam(tap, image, 1))(images)

    maps = network.features(tensors).detach().requires_grad_()
    pooled = torch.nn.functional.adaptive_avg_pool2d(maps.relu(), 1).flatten(1)
    (slopes,) = torch.autograd.grad(network.classifier(pooled)[:, 2].sum(), maps)
    coarse = (slopes.mean((2, 3), keepdim=True) * maps).sum(1, keepdim=True).relu()
    expected = torch.nn.functional.interpolate(coarse, (16, 16), mode="bilinear")
    assert_same(found, expected[:, 0].detach().numpy())
    for method in (grad_cam_plus_plus, layer_cam, score_cam):
        saliency = method(tap, images[0], 1)
        assert saliency.shape == (16, 16) and np.isfinite(saliency).all()
