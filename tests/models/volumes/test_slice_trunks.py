"""Residual networks in stages: published sizes, and the same values as the networks they are cut
from.
"""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from cfx_jax.errors import InputError
from cfx_jax.models import ResNet, Trunk, resnet50_stages, resnet_small, resnet_small_stages
from cfx_jax.models.volumes.slice_trunks import Repeated


@functools.cache
def abstract(factory, **options):
    """The trunk's shapes, with nothing allocated."""
    return nnx.eval_shape(lambda: factory(rngs=nnx.Rngs(0), **options))


def num_parameters(model):
    return sum(
        np.prod(leaf.shape, dtype=int) for leaf in jax.tree.leaves(nnx.state(model, nnx.Param))
    )


def stage_shapes(trunk, *volumes):
    def shapes(trunk, volumes):
        x, found = trunk.fold(volumes), []
        for stage in trunk.stages:
            x = stage(x)
            found.append(x)
        return found

    maps = jax.eval_shape(shapes, trunk, jax.ShapeDtypeStruct(volumes, jnp.float32))
    return [each.shape for each in maps]


def run(trunk, volumes):
    x = trunk.fold(volumes)
    for stage in nnx.view(trunk, use_running_average=True).stages:
        x = stage(x)
    return x


def random_volumes(*shape, seed=0):
    return jnp.asarray(np.random.default_rng(seed).uniform(size=shape), jnp.float32)


def test_resnet50_has_the_published_maps():
    trunk = abstract(resnet50_stages)
    grids = [(22, 32, 32, 256), (22, 16, 16, 512), (22, 8, 8, 1024), (22, 4, 4, 2048)]
    assert stage_shapes(trunk, 2, 11, 128, 128, 1) == grids
    assert trunk.widths == tuple(shape[-1] for shape in grids)
    assert trunk.out_features == trunk.slice_width == 2048


@pytest.mark.parametrize(("stem_width", "count"), [(64, 8_543_296), (2048, 9_473_792)])
def test_saliency_branch_has_as_many_parameters_as_counted_in_the_released_one(stem_width, count):
    assert num_parameters(abstract(resnet50_stages, num_stages=3, stem_width=stem_width)) == count


def test_first_stage_of_resnet50_sees_the_grey_slice_in_three_channels():
    volumes = random_volumes(1, 2, 16, 16, 1)
    trunk = resnet50_stages(num_stages=1, rngs=nnx.Rngs(3))
    network = ResNet(
        block="bottleneck",
        stage_sizes=(3,),
        widths=(64,),
        num_classes=1,
        in_channels=3,
        rngs=nnx.Rngs(3),
    )
    colour = jnp.concatenate([volumes[0]] * 3, axis=-1)
    expected = jax.jit(lambda view, x: view.features(x))(
        nnx.view(network, use_running_average=True), colour
    )
    np.testing.assert_allclose(jax.jit(run)(trunk, volumes), expected, rtol=1e-5, atol=1e-5)


def test_each_channel_of_the_volume_is_repeated():
    stem = abstract(resnet50_stages, in_channels=2, num_stages=1).stages[0].layers[1]
    assert stem.conv.kernel.shape == (7, 7, 6, 64)
    x = jnp.asarray([1.0, 2.0]).reshape(1, 1, 1, 2)
    np.testing.assert_array_equal(Repeated(3)(x)[0, 0, 0], [1, 1, 1, 2, 2, 2])


def test_small_stages_are_the_small_network_cut_in_four():
    volumes = random_volumes(2, 2, 32, 32, 1)
    trunk, network = (
        resnet_small_stages(rngs=nnx.Rngs(5)),
        resnet_small(num_classes=1, in_channels=1, rngs=nnx.Rngs(5)),
    )
    images = volumes.reshape(4, 32, 32, 1)
    expected = jax.jit(lambda view, x: view.features(x))(
        nnx.view(network, use_running_average=True), images
    )
    np.testing.assert_allclose(jax.jit(run)(trunk, volumes), expected, rtol=1e-5, atol=1e-6)
    assert stage_shapes(trunk, 1, 1, 64, 64, 1) == [
        (1, 16, 16, 24),
        (1, 16, 16, 24),
        (1, 8, 8, 64),
        (1, 4, 4, 192),
    ]
    assert trunk.widths == (24, 24, 64, 192)


@pytest.mark.parametrize("factory", [resnet50_stages, resnet_small_stages])
@pytest.mark.parametrize("num_stages", [1, 2, 3])
def test_fewer_stages_are_the_first_ones(factory, num_stages):
    some, all_ = (
        nnx.to_flat_state(nnx.state(abstract(factory, **options)))
        for options in ({"num_stages": num_stages}, {})
    )
    found = {path: variable.shape for path, variable in some}
    assert found == {path: variable.shape for path, variable in all_ if path[1] < num_stages}
    trunk = abstract(factory, num_stages=num_stages)
    assert trunk.out_features == abstract(factory).widths[num_stages - 1] == trunk.widths[-1]


def test_halves_double_the_features_of_a_slice():
    trunk = Trunk([[Repeated(1)]], widths=(1,), in_channels=1, split="halves")
    volumes = random_volumes(2, 3, 4, 8, 1)
    maps = trunk.unfold(trunk.stages[0](trunk.fold(volumes)), 2)
    np.testing.assert_array_equal(maps, volumes)
    expected = np.stack(
        [volumes[..., :4, 0].mean((2, 3)), volumes[..., 4:, 0].mean((2, 3))], axis=-1
    )
    np.testing.assert_allclose(trunk.slice_features(maps), expected, rtol=1e-5)
    assert trunk.slice_width == 2


@pytest.mark.parametrize("factory", [resnet50_stages, resnet_small_stages])
@pytest.mark.parametrize("num_stages", [0, 5])
def test_numbers_of_stages_that_there_are_not_are_refused(factory, num_stages):
    with pytest.raises(InputError, match=f"num_stages: expected 1 to 4, got {num_stages}"):
        factory(num_stages=num_stages, rngs=nnx.Rngs(0))


@pytest.mark.parametrize("name", ["in_channels", "repeats", "stem_width"])
def test_numbers_below_one_are_refused(name):
    with pytest.raises(InputError, match=f"{name}: expected at least 1, got 0"):
        resnet50_stages(**{name: 0}, rngs=nnx.Rngs(0))


def test_unknown_splits_list_the_valid_ones():
    with pytest.raises(InputError, match="split: expected one of 'whole', 'halves', got 'thirds'"):
        Trunk([[Repeated(1)]], widths=(1,), in_channels=1, split="thirds")


def test_folding_names_what_is_wrong():
    trunk = Trunk([[Repeated(1)]], widths=(1,), in_channels=1)
    with pytest.raises(
        InputError, match=r"saliency: expected a batch \(b, s, h, w, 1\), got shape \(8, 8, 1\)"
    ):
        trunk.fold(jnp.zeros((8, 8, 1)), name="saliency")
