"""A network by its name: the file of weights tells the rest."""

import numpy as np
import pytest
from flax import nnx
from torch_parity import nchw

from cfx_jax.errors import InputError
from cfx_jax.models import (
    build,
    build_with_weights,
    per_image,
    read_tensors,
    torchvision_name,
)

torch = pytest.importorskip("torch", reason="the extra 'parity' is not installed")


def untrained(num_classes, channels):
    from benchmarks.torch_resnet import twin

    torch.manual_seed(0)
    network = twin("resnet_small")
    first = network.conv1
    options = {"stride": first.stride, "padding": first.padding, "bias": False}
    network.conv1 = torch.nn.Conv2d(channels, first.out_channels, first.kernel_size, **options)
    network.fc = torch.nn.Linear(network.fc.in_features, num_classes)
    return network.eval()


@pytest.mark.parametrize(("num_classes", "channels"), [(5, 1), (2, 3)])
@pytest.mark.parametrize("prefix", ["", "model.", "module.net."])
def test_logits_are_pytorchs_with_as_many_classes_and_channels(
    tmp_path, num_classes, channels, prefix
):
    network = untrained(num_classes, channels)
    state = {f"{prefix}{name}": tensor for name, tensor in network.state_dict().items()}
    torch.save({"state_dict": state, "epoch": 3}, tmp_path / "last.ckpt")
    model = build_with_weights("resnet_small", read_tensors(tmp_path / "last.ckpt"))
    images = np.random.default_rng(0).uniform(size=(2, 32, 32, channels)).astype(np.float32)
    expected = network(nchw(images)).detach()
    found = np.stack([per_image(model)(image) for image in images])
    np.testing.assert_allclose(found, expected, atol=1e-4)


def test_weights_of_another_network_are_told():
    state = {name: tensor.numpy() for name, tensor in untrained(2, 3).state_dict().items()}
    with pytest.raises(InputError, match=r"tensors: expected the .* of this architecture"):
        build_with_weights("densenet_small", state)
    with pytest.raises(InputError, match=r"tensors: expected the .* of this architecture"):
        build_with_weights("resnet_small", {})
    with pytest.raises(InputError, match="model: expected one of 'resnet18'"):
        build_with_weights("alexnet", state)


def in_pytorchs_order(array):
    return array.transpose(3, 2, 0, 1) if array.ndim == 4 else array.T


def test_a_network_with_dropout_is_whole():
    """Dropout has a state of its own, which no file has."""
    made = build("efficientnet_small", num_classes=3, in_channels=1, rngs=nnx.Rngs(1))
    arrays = nnx.to_flat_state(nnx.state(made, (nnx.Param, nnx.BatchStat)))
    state = {
        torchvision_name(made, path): in_pytorchs_order(np.asarray(array[...]))
        for path, array in arrays
    }
    image = np.random.default_rng(0).uniform(size=(32, 32, 1)).astype(np.float32)
    model = build_with_weights("efficientnet_small", state)
    np.testing.assert_allclose(per_image(model)(image), per_image(made)(image), atol=1e-5)
