"""Attributions against Captum, or PyTorch where Captum has none, on one trained network and for
both classes.

In float64 on both sides, so that a difference of definition cannot hide in rounding: the maps agree
to 1e-14 of their maximum, integrated gradients to 3e-8, since Captum keeps the nodes in float32.
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from torch_parity import nchw

from cfx_jax.attributions import (
    grad_cam,
    grad_cam_plus_plus,
    gradient,
    guided_backprop,
    input_x_gradient,
    integrated_gradients,
    score_cam,
    smooth_grad,
)
from cfx_jax.models import ResNet, guided, import_weights, parts, per_image
from cfx_jax.objectives import class_score

torch = pytest.importorskip(
    "torch", reason="parity with Captum needs PyTorch: pip install 'cfx-jax[parity]'"
)
attr = pytest.importorskip(
    "captum.attr", reason="parity with Captum needs it: pip install 'cfx-jax[parity]'"
)

TOLERANCE = 1e-7
"""Largest difference, as a share of the map's maximum."""


def spots(seed, count):
    """Noise with a spot, red in class 1 and blue in class 0; float64, and labels."""
    rng = np.random.default_rng(seed)
    labels, (y, x) = np.arange(count) % 2, np.indices((32, 32))
    row, column = rng.uniform(6, 26, size=(2, count, 1, 1))
    images = rng.uniform(0.1, 0.6, size=(count, 32, 32, 3))
    images[np.arange(count), ..., 2 - 2 * labels] += 0.4 * np.exp(
        -((y - row) ** 2 + (x - column) ** 2) / 18
    )
    return images, labels


PHOTOGRAPHS, LABELS = spots(1, 3)
IMAGES, TARGETS = np.repeat(PHOTOGRAPHS, 2, axis=0), np.tile([0, 1], len(PHOTOGRAPHS))
INPUTS, CLASSES = nchw(IMAGES).requires_grad_(), torch.from_numpy(TARGETS)


class Pair(NamedTuple):
    """One network in both libraries, in inference mode and float64."""

    ours: ResNet
    theirs: Any

    def score(self, target):
        return class_score(per_image(self.ours), target, of="logit")


@pytest.fixture(scope="module")
def pair():
    from benchmarks.torch_resnet import TorchResNet, numpy_tensors

    sizes = {"stage_sizes": (1, 1), "widths": (8, 16), "num_classes": 2}
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # so small a network is ten times slower on two
    source = trained(TorchResNet("basic", **sizes, stem="patch"))
    model = ResNet(block="basic", **sizes, stem="patch", rngs=nnx.Rngs(0))
    imported = import_weights(model, numpy_tensors(source))
    with jax.enable_x64(True):
        model = jax.tree.map(lambda leaf: leaf.astype(jnp.float64), imported)
    yield Pair(model, source.double())
    torch.set_num_threads(threads)


def trained(network):
    torch.manual_seed(0)
    for parameter in network.parameters():
        torch.nn.init.normal_(parameter, 0.1, 0.3)
    optimiser = torch.optim.Adam(network.parameters(), 0.01)
    for step in range(60):
        images, labels = spots(100 + step, 64)
        loss = torch.nn.functional.cross_entropy(
            network(nchw(images).float()), torch.from_numpy(labels)
        )
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    network.eval()
    images, labels = spots(2, 200)
    assert (network(nchw(images).float()).argmax(1).numpy() == labels).mean() > 0.95
    assert network.layer2[0].bn1.running_mean.abs().max() > 0.1
    return network


def ours(explain, *more):
    """The maps of all images, each for both classes."""
    with jax.enable_x64(True):
        maps = np.asarray(jax.jit(jax.vmap(explain))(IMAGES, TARGETS, *more))
    assert maps.dtype == np.float64
    return maps


def nhwc(tensor):
    found = tensor.detach().numpy().transpose(0, 2, 3, 1)
    return found[..., 0] if found.shape[-1] == 1 else found


def assert_same(found, expected, *, tolerance=TOLERANCE):
    peaks = np.abs(expected).reshape(len(expected), -1).max(axis=1)
    assert (peaks > 0).mean() >= 0.5, (
        "half of the maps may be empty: those of the class that is not there"
    )
    assert found.shape == expected.shape
    differences = np.abs(found - expected).reshape(len(expected), -1).max(axis=1)
    assert (differences <= tolerance * peaks).all(), f"{differences} of {peaks}"


def test_gradient(pair):
    found = ours(lambda image, target: gradient(pair.score(target), image))
    assert_same(found, captum_gradient(pair))


def test_gradient_in_float32(pair):
    """As everybody computes it; Captum stays in float64."""
    model = per_image(jax.tree.map(lambda leaf: leaf.astype(jnp.float32), pair.ours))
    explain = jax.jit(
        jax.vmap(lambda image, target: gradient(class_score(model, target, of="logit"), image))
    )
    assert_same(
        np.asarray(explain(IMAGES.astype(np.float32), TARGETS)),
        captum_gradient(pair),
        tolerance=1e-5,
    )


def captum_gradient(pair):
    return nhwc(attr.Saliency(pair.theirs).attribute(INPUTS, CLASSES, abs=False))


def test_input_x_gradient(pair):
    found = ours(lambda image, target: input_x_gradient(pair.score(target), image))
    assert_same(found, nhwc(attr.InputXGradient(pair.theirs).attribute(INPUTS, CLASSES)))


@pytest.mark.parametrize("baseline", ["black", "image"])
def test_integrated_gradients_in_the_middle_of_the_pieces(pair, baseline):
    start = np.zeros_like(IMAGES[0]) if baseline == "black" else spots(3, 1)[0][0]
    found = ours(
        lambda image, target: integrated_gradients(
            pair.score(target), image, baseline=start, num_steps=10
        )
    )
    assert_same(found, captum_integrated_gradients(pair, start, 10, "riemann_middle"))


def test_integrated_gradients_at_the_ends_of_the_pieces(pair):
    """Captum counts the nodes, of which there is one more than pieces, and divides by their number.

    Its map is therefore too small by that factor, and not complete; ours is without it.
    """
    start = spots(3, 1)[0][0]
    found = ours(
        lambda image, target: integrated_gradients(
            pair.score(target),
            image,
            baseline=start,
            num_steps=10,
            rule="trapezoid",
            nodes_per_batch=2,
        )
    )
    assert_same(found, 11 / 10 * captum_integrated_gradients(pair, start, 11, "riemann_trapezoid"))


def captum_integrated_gradients(pair, start, num_nodes, method):
    baselines = nchw(np.broadcast_to(start, IMAGES.shape))
    return nhwc(
        attr.IntegratedGradients(pair.theirs).attribute(
            INPUTS, baselines, CLASSES, n_steps=num_nodes, method=method
        )
    )


def test_guided_backprop(pair):
    model = per_image(guided(pair.ours))
    found = ours(
        lambda image, target: guided_backprop(class_score(model, target, of="logit"), image)
    )
    with pytest.warns(UserWarning, match="hooks"):
        expected = attr.GuidedBackprop(pair.theirs).attribute(INPUTS, CLASSES)
    assert_same(found, nhwc(expected))


def test_smooth_grad_of_the_same_noise(pair):
    """Captum's tunnel draws its own noise, so its gradient gets copies with ours."""
    num, sigma = 6, 0.15
    with jax.enable_x64(True):
        keys = jax.random.split(jax.random.key(0), len(IMAGES))
        noise = np.asarray(jax.vmap(jax.vmap(normal, (None, 0)), (0, None))(keys, jnp.arange(num)))
    found = ours(
        lambda image, target, key: smooth_grad(
            key,
            lambda x: gradient(pair.score(target), x),
            image,
            num_samples=num,
            sigma=sigma,
            samples_per_batch=4,
        ),
        keys,
    )
    saliency = attr.Saliency(pair.theirs)
    copies = (nchw(IMAGES + sigma * noise[:, index]).requires_grad_() for index in range(num))
    expected = [nhwc(saliency.attribute(each, CLASSES, abs=False)) for each in copies]
    assert_same(found, np.mean(expected, axis=0))


def normal(key, index):
    return jax.random.normal(jax.random.fold_in(key, index), IMAGES[0].shape, jnp.float64)


def test_grad_cam(pair):
    cut = parts(pair.ours)
    found = ours(lambda image, target: grad_cam(cut, image, target))
    maps = attr.LayerGradCam(pair.theirs, pair.theirs.layer2).attribute(
        INPUTS, CLASSES, relu_attributions=True
    )
    assert_same(found, enlarged(maps))


def test_grad_cam_plus_plus(pair):
    """The published weights (equations 10 and 19), with each derivative of Y = exp(logit) by
    PyTorch.

    Y scales the whole map; ours goes without.
    """
    cut = parts(pair.ours)
    found = ours(lambda image, target: grad_cam_plus_plus(cut, image, target))
    expected = torch.cat(
        [
            plain_grad_cam_plus_plus(pair.theirs, *each)
            for each in zip(INPUTS.detach(), CLASSES, strict=True)
        ]
    )
    assert_same(found, enlarged(expected))


def plain_grad_cam_plus_plus(network, image, target):
    maps = network.features(image[None])[0].detach()
    # One small step for each entry of the maps, by itself.
    step = torch.zeros(maps.numel(), dtype=maps.dtype, requires_grad=True)
    moved = maps + torch.diag(step).reshape(-1, *maps.shape)
    derivatives = [torch.exp(network.fc(moved.mean((2, 3)))[:, target])]
    value = derivatives[0][0].detach()
    for _ in range(3):
        derivatives += torch.autograd.grad(derivatives[-1].sum(), step, create_graph=True)
    first, second, third = (each.detach().reshape(maps.shape) for each in derivatives[1:])
    alpha = second / (2 * second + maps.sum((1, 2), keepdim=True) * third)
    weights = (alpha * first.relu()).sum((1, 2), keepdim=True)
    return (weights * maps).sum(0).relu()[None, None] / value


def test_score_cam(pair):
    cut = parts(pair.ours)
    found = ours(lambda image, target: score_cam(cut, image, target, channels_per_batch=5))
    with torch.no_grad():
        expected = torch.cat(
            [
                plain_score_cam(pair.theirs, *each)
                for each in zip(INPUTS.detach(), CLASSES, strict=True)
            ]
        )
    assert_same(found, enlarged(expected))


def plain_score_cam(network, image, target):
    """Algorithm 1 of the paper; its black reference image shifts all scores, which the softmax does
    not see.
    """
    maps = network.features(image[None])[0]
    masks = torch.nn.functional.interpolate(
        maps[:, None], (32, 32), mode="bilinear", align_corners=False
    )
    low, high = masks.amin((1, 2, 3), keepdim=True), masks.amax((1, 2, 3), keepdim=True)
    scores = network((masks - low) / (high - low).clamp_min(1e-300) * image)[:, target]
    return (scores.softmax(0)[:, None, None] * maps).sum(0).relu()[None, None]


def enlarged(maps):
    return nhwc(attr.LayerAttribution.interpolate(maps, (32, 32), interpolate_mode="bilinear"))
