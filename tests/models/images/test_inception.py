"""Inception-v3: published size, shapes, poolings, errors. test_inception_parity.py compares it with
PyTorch.
"""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from cfx_jax.errors import InputError
from cfx_jax.models import InceptionV3
from cfx_jax.models.images.layers import InceptionBlock, Pool, Unit, pooled


@functools.cache
def abstract(**options):
    """The model's shapes, with nothing allocated."""
    return nnx.eval_shape(lambda: InceptionV3(rngs=nnx.Rngs(0), **options))


def features_shape(model, *shape):
    images = jax.ShapeDtypeStruct(shape, jnp.float32)
    return jax.eval_shape(lambda model, x: model.features(x), model, images).shape


def narrow():
    return abstract(num_classes=2, in_channels=1, width=0.01)


def num_parameters(model):
    return sum(
        np.prod(leaf.shape, dtype=int) for leaf in jax.tree.leaves(nnx.state(model, nnx.Param))
    )


def test_the_parameter_count_is_the_published_one_without_the_auxiliary_head():
    auxiliary = (768 * 128 + 2 * 128) + (25 * 128 * 768 + 2 * 768) + (768 * 1000 + 1000)
    assert num_parameters(abstract(num_classes=1000)) == 27_161_264 - auxiliary == 23_834_568


def test_299_pixels_give_8_by_8_maps():
    assert features_shape(abstract(num_classes=1000), 2, 299, 299, 3) == (2, 8, 8, 2048)


def test_a_narrow_network_has_fewer_channels_everywhere():
    assert features_shape(narrow(), 1, 75, 90, 1) == (1, 1, 1, 96)


def random_weights(model):
    """A model with numbers in the place of its shapes."""
    rng = np.random.default_rng(0)
    for _, array in nnx.to_flat_state(nnx.state(model, (nnx.Param, nnx.BatchStat))):
        array.set_value(jnp.asarray(rng.uniform(0.5, 1.5, array.shape), jnp.float32))
    return nnx.view(model, use_running_average=True)


def test_layers_that_nobody_reads_are_joined_in_their_order():
    table = {
        "first": Unit(2),
        "inner": Unit(3),
        "left": Unit(4, (1, 3), of="inner"),
        "right": Unit(5, (3, 1), of="inner"),
        "pool": Pool("max"),
        "last": Unit(6, of="pool"),
    }
    block = random_weights(
        nnx.eval_shape(lambda: InceptionBlock(7, table, act=nnx.relu, rngs=nnx.Rngs(0)))
    )

    @jax.jit
    def found_and_expected(block, x):
        inner = block.inner(x)
        layers = [
            block.first(x),
            block.left(inner),
            block.right(inner),
            block.last(pooled(x, Pool("max"))),
        ]
        return block(x), jnp.concatenate(layers, axis=-1)

    x = np.random.default_rng(1).uniform(size=(1, 4, 5, 7)).astype(np.float32)
    np.testing.assert_allclose(*found_and_expected(block, x), rtol=1e-6)
    assert block.out_channels == 17


@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize(
    ("kind", "outside", "reduce"),
    [("mean", 0, np.mean), ("inner_mean", np.nan, np.nanmean), ("max", -np.inf, np.max)],
)
def test_poolings_are_those_of_a_loop_over_pixels(kind, outside, reduce, stride):
    x = np.random.default_rng(0).normal(size=(2, 5, 7, 3)).astype(np.float32)
    maps = (
        np.pad(x, [(0, 0), (1, 1), (1, 1), (0, 0)], constant_values=outside) if stride == 1 else x
    )
    rows, columns = (range(0, side - 2, stride) for side in maps.shape[1:3])
    expected = [[reduce(maps[:, i : i + 3, j : j + 3], axis=(1, 2)) for j in columns] for i in rows]
    found = pooled(jnp.asarray(x), Pool(kind, stride))
    np.testing.assert_allclose(
        found, np.asarray(expected).transpose(2, 0, 1, 3), rtol=1e-5, atol=1e-6
    )


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"network": "tf"}, "network: expected one of 'torchvision', 'fid', got 'tf'"),
        ({"num_classes": 0}, "num_classes: expected at least 1, got 0"),
        ({"in_channels": 0}, "in_channels: expected at least 1, got 0"),
        ({"width": 0.0}, "width: expected a finite number above 0, got 0.0"),
        ({"dropout": 1.0}, r"dropout: expected a share in \[0, 1\), got 1.0"),
        ({"std": 0.0}, "std: expected numbers above 0"),
    ],
)
def test_impossible_options_are_refused(options, message):
    with pytest.raises(InputError, match=message):
        InceptionV3(**{"num_classes": 2} | options, rngs=nnx.Rngs(0))


def test_images_that_the_halvings_leave_nothing_of_are_refused():
    message = r"images: expected at least 75x75 pixels for Inception-v3, got shape \(1, 80, 74, 1\)"
    with pytest.raises(InputError, match=message):
        features_shape(narrow(), 1, 80, 74, 1)
