"""ResNets against PyTorch networks of the same weights, written from the paper."""

import jax
import numpy as np
import pytest
from flax import nnx
from torch_parity import check_logits_and_input_gradients, images, nchw, vary_batch_norms

from cfx_jax.models import ResNet, import_weights, resnet18

torch = pytest.importorskip(
    "torch", reason="parity with PyTorch needs it: pip install 'cfx-jax[parity]'"
)


def pair(block, stage_sizes, widths, make_model=ResNet, **stem):
    from benchmarks.torch_resnet import TorchResNet, numpy_tensors

    torch.manual_seed(0)
    source = vary_batch_norms(TorchResNet(block, stage_sizes, widths, 5, **stem))
    sizes = (
        {"block": block, "stage_sizes": stage_sizes, "widths": widths} | stem
        if make_model is ResNet
        else {}
    )
    shapes = nnx.eval_shape(lambda: make_model(num_classes=5, **sizes, rngs=nnx.Rngs(0)))
    return import_weights(shapes, numpy_tensors(source)), source


def resnet18_pair():
    return pair("basic", (2, 2, 2, 2), (64, 128, 256, 512), resnet18)


def bottleneck_pair():
    return pair("bottleneck", (2, 1), (8, 16))


def patch_pair():
    return pair("basic", (1, 1), (8, 16), stem="patch")


@pytest.mark.parametrize(
    "pair", [pytest.param(resnet18_pair, marks=pytest.mark.slow), bottleneck_pair, patch_pair]
)
def test_logits_and_input_gradients_are_those_of_pytorch(pair):
    check_logits_and_input_gradients(*pair())


def test_a_training_pass_gives_pytorchs_logits_and_running_means():
    model, source = bottleneck_pair()
    expected = source.train()(nchw(images())).detach()
    np.testing.assert_allclose(
        nnx.jit(lambda model, x: model(x))(model, images()), expected, atol=1e-3
    )
    np.testing.assert_allclose(model.stem.norm.mean[...], source.bn1.running_mean, atol=1e-5)


def test_parameter_counts_are_those_of_pytorch():
    model, source = bottleneck_pair()
    count = sum(leaf.size for leaf in jax.tree.leaves(nnx.state(model, nnx.Param)))
    assert count == sum(parameter.numel() for parameter in source.parameters())
