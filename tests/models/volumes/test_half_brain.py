"""The network of half brains: layers, symmetry of its halves, and its two heads."""

import functools
from itertools import pairwise

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from cfx_jax.errors import InputError
from cfx_jax.models import (
    HalfBrainLogits,
    LesionHead,
    SliceWise,
    half_brain_fine_stages,
    half_brain_small_stages,
    half_brain_stages,
    joint_decision,
    parts,
    per_image,
)
from cfx_jax.models.volumes.half_brain import HalfBrainHead

TINY = {"filters": (2, 2, 3, 3, 4, 4, 5)}


@functools.cache
def tiny():
    rngs = nnx.Rngs(0)
    trunk = half_brain_stages(**TINY, rngs=rngs)
    return SliceWise(trunk, HalfBrainHead(trunk.slice_width, rngs=rngs), rngs=rngs)


def random_volumes(*shape, seed=0):
    return jnp.asarray(np.random.default_rng(seed).uniform(size=shape), jnp.float32)


def stage_shapes(trunk, *volumes):
    x = jax.eval_shape(
        lambda trunk, x: trunk.fold(x), trunk, jax.ShapeDtypeStruct(volumes, jnp.float32)
    )
    found = []
    for stage in trunk.stages:
        x = jax.eval_shape(lambda stage, x: stage(x), stage, x)
        found.append(x.shape)
    return found


def test_seven_convolutions_in_four_stages():
    trunk = nnx.eval_shape(lambda: half_brain_stages(rngs=nnx.Rngs(0)))
    assert [len(stage.layers) for stage in trunk.stages] == [1, 2, 2, 2]
    shapes = [layer.conv.kernel.shape for stage in trunk.stages for layer in stage.layers]
    channels = (1, 16, 32, 64, 128, 128, 256, 256)
    assert shapes == [(3, 3, before, after) for before, after in pairwise(channels)]
    assert trunk.widths == (16, 64, 128, 256) and trunk.slice_width == 512


def test_maps_of_the_published_slices():
    """Rows 500, columns 400: halves of 500x200; each halving rounds up."""
    trunk = nnx.eval_shape(lambda: half_brain_stages(rngs=nnx.Rngs(0)))
    expected = [(22, 250, 100, 16), (22, 63, 25, 64), (22, 32, 13, 128), (22, 16, 7, 256)]
    assert stage_shapes(trunk, 1, 11, 500, 400, 1) == expected


def test_small_one_keeps_pixels_for_small_lesions():
    trunk = nnx.eval_shape(lambda: half_brain_small_stages(rngs=nnx.Rngs(0)))
    assert stage_shapes(trunk, 1, 1, 64, 64, 1) == [
        (2, 32, 16, 16),
        (2, 16, 8, 32),
        (2, 8, 4, 64),
        (2, 4, 2, 128),
    ]


def test_fine_one_keeps_places_in_its_last_maps():
    trunk = nnx.eval_shape(lambda: half_brain_fine_stages(rngs=nnx.Rngs(0)))
    assert stage_shapes(trunk, 1, 1, 64, 64, 1) == [
        (2, 32, 16, 16),
        (2, 16, 8, 24),
        (2, 8, 4, 32),
        (2, 8, 4, 64),
    ]


def test_fewer_stages_are_the_first_ones():
    some, whole = (
        nnx.eval_shape(
            lambda number=number: half_brain_stages(**TINY, num_stages=number, rngs=nnx.Rngs(1))
        )
        for number in (3, 4)
    )
    assert some.widths == whole.widths[:3] == (2, 3, 4)
    found, expected = (dict(nnx.to_flat_state(nnx.state(trunk))) for trunk in (some, whole))
    assert {path: each.shape for path, each in found.items()} == {
        path: each.shape for path, each in expected.items() if path[1] < 3
    }


def test_both_halves_see_the_same_weights_and_the_midline_first():
    model, volumes = tiny(), random_volumes(1, 2, 16, 32, 1)
    view = nnx.view(model, use_running_average=True, deterministic=True)
    features = jax.jit(lambda view, x: view.features(x))
    maps, mirrored = features(view, volumes), features(view, volumes[..., ::-1, :])
    np.testing.assert_allclose(mirrored, maps[..., ::-1, :], rtol=1e-5, atol=1e-6)
    assert not np.allclose(maps, maps[..., ::-1, :])


def test_lesions_of_both_sides_reach_the_heads_in_different_inputs():
    trunk, volumes = tiny().trunk, np.zeros((1, 1, 16, 32, 1), np.float32)
    volumes[0, 0, 4:8, 2:6] = 1
    right = trunk.slice_features(jnp.asarray(volumes))
    left = trunk.slice_features(jnp.asarray(volumes[..., ::-1, :]))
    assert (
        right[0, 0].tolist() == left[0, 0, ::-1].tolist() and right[0, 0, 0] > right[0, 0, 1] == 0
    )


def test_head_is_two_linear_layers():
    head, features = HalfBrainHead(4, rngs=nnx.Rngs(0)), random_volumes(3, 4)
    logits = head(features)
    assert logits.lesion.shape == (3, 2) and logits.side.shape == (3, 3)
    np.testing.assert_allclose(
        logits.side, np.asarray(features) @ np.asarray(head.side.kernel[...]), rtol=1e-5, atol=1e-6
    )


def test_four_way_decision_asks_for_the_side_of_lesions_only():
    lesion = jnp.asarray([[1.0, 0.0], [0.0, 1.0], [0.0, 1.0], [-1.0, 1.0]])
    side = jnp.asarray([[0.0, 9.0, 0.0], [3.0, 1.0, 2.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]])
    assert joint_decision(HalfBrainLogits(lesion, side)).tolist() == [0, 1, 2, 3]


def test_lesion_head_is_a_classifier_of_one_volume():
    model, volumes = tiny(), random_volumes(2, 2, 16, 16, 1)
    view = nnx.view(model, use_running_average=True, deterministic=True)
    expected = jax.jit(lambda view, x: view(x))(view, volumes).lesion
    features, head = parts(LesionHead(model))
    found = jax.jit(lambda classifier, features, head, x: (classifier(x), head(features(x))))
    for volume, row in zip(volumes, expected, strict=True):
        whole, in_parts = found(per_image(LesionHead(model)), features, head, volume)
        np.testing.assert_allclose(whole, row, rtol=1e-4, atol=1e-6)
        np.testing.assert_allclose(in_parts, row, rtol=1e-4, atol=1e-6)


def test_both_heads_are_no_classifier_of_one_volume():
    with pytest.raises(
        InputError, match="model: expected a batch of images -> logits, got 2 arrays"
    ):
        jax.eval_shape(per_image(tiny()), jnp.zeros((1, 16, 16, 1)))


@pytest.mark.parametrize("options", [{"filters": (2,) * 6}, {"strides": (1,) * 8}])
def test_other_numbers_of_convolutions_are_refused(options):
    with pytest.raises(InputError, match="filters, strides: expected seven of each, got"):
        half_brain_stages(**options, rngs=nnx.Rngs(0))


def test_numbers_below_one_are_refused():
    with pytest.raises(InputError, match="strides: expected at least 1, got 0"):
        half_brain_stages(strides=(2, 2, 2, 1, 2, 1, 0), rngs=nnx.Rngs(0))
    with pytest.raises(InputError, match="num_stages: expected 1 to 4, got 7"):
        half_brain_small_stages(num_stages=7, rngs=nnx.Rngs(0))
