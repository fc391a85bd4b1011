"""Models by name."""

import functools

import jax
import numpy as np
import pytest
from flax import nnx

from cfx_jax.errors import InputError
from cfx_jax.models import DenseNet, EfficientNet, InceptionV3, ResNet, build

CLASSES = {
    **{f"resnet{size}": ResNet for size in ("18", "34", "50", "_small")},
    "inception_v3": InceptionV3,
    **{
        f"efficientnet_{size}": EfficientNet for size in ("b0", "b1", "small")
    },  # test_efficientnet.py has the others
    **{f"densenet{size}": DenseNet for size in ("121", "_small")},
}


@functools.cache
def abstract(name):
    """The model's shapes, with nothing allocated."""
    return nnx.eval_shape(
        lambda: build(name, num_classes=4, in_channels=1, mean=0.5, std=0.25, rngs=nnx.Rngs(0))
    )


@pytest.mark.parametrize("name", CLASSES)
def test_every_name_gives_a_model_with_the_options(name):
    model = abstract(name)
    assert type(model) is CLASSES[name] and model.mean == (0.5,) and model.std == (0.25,)
    assert model.head.kernel.shape[1] == 4


def test_names_differ_in_what_they_build():
    sizes = {
        sum(np.prod(leaf.shape, dtype=int) for leaf in jax.tree.leaves(abstract(name)))
        for name in CLASSES
    }
    assert len(sizes) == len(CLASSES)


def test_unknown_names_list_the_valid_ones():
    message = (
        r"model: expected one of 'resnet18', .*'efficientnet_small', 'densenet121',"
        r" 'densenet_small', got 'resnet19'"
    )
    with pytest.raises(InputError, match=message):
        build("resnet19", num_classes=2, rngs=nnx.Rngs(0))
