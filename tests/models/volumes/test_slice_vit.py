"""The vision transformer of slices: sizes, patches and positions by hand, errors."""

import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from small_volume_networks import VOLUMES, abstract_parameters, call, inference

from cfx_jax.errors import InputError
from cfx_jax.models import VisionTransformer, vit_small_stages, vit_stages

IMAGES = np.random.default_rng(3).uniform(size=(2, 8, 12, 1)).astype(np.float32)
SMALL = {
    "size": (8, 12),
    "patch": 4,
    "width": 6,
    "num_blocks": 1,
    "num_heads": 2,
    "hidden": 5,
    "dropout": 0.0,
}


def small(**options):
    return VisionTransformer(**(SMALL | {"in_channels": 1} | options), rngs=nnx.Rngs(0))


def silenced(model):
    """Without what its blocks add."""
    for block in model.blocks:
        for layer in (block.attention.out, block.output):
            layer.kernel[...] = jnp.zeros_like(layer.kernel[...])
    return model


def parameters(*, patch, num_patches, width, hidden, num_blocks):
    embedding = patch * patch * width + width + num_patches * width
    attention, layers = 4 * (width * width + width), 2 * width * hidden + hidden + width
    return embedding + num_blocks * (attention + layers + 4 * width) + 2 * width


@pytest.mark.parametrize(
    ("size", "patch", "num_patches"),
    [((128, 128), 16, 64), ((400, 500), 50, 80)],
    ids=["MosMed", "IST-3"],
)
def test_published_sizes(size, patch, num_patches):
    expected = parameters(
        patch=patch, num_patches=num_patches, width=1024, hidden=2048, num_blocks=6
    )
    assert (
        abstract_parameters(lambda: vit_stages(size=size, patch=patch, rngs=nnx.Rngs(0)))
        == expected
    )


def test_the_small_one_has_about_a_tenth_of_a_million_parameters():
    found = abstract_parameters(lambda: vit_small_stages(rngs=nnx.Rngs(0)))
    assert found == parameters(patch=8, num_patches=64, width=64, hidden=128, num_blocks=3)
    assert 0.1e6 < found < 0.12e6


def test_tokens_are_patches_and_positions_by_numpy():
    model = silenced(small())
    kernel = np.asarray(model.embed.kernel[...]).reshape(16, 6)
    patches = IMAGES.reshape(2, 2, 4, 3, 4).transpose(0, 1, 3, 2, 4).reshape(2, 2, 3, 16)
    tokens = patches @ kernel + np.asarray(model.positions[...]).reshape(2, 3, 6)
    tokens = (tokens - tokens.mean(-1, keepdims=True)) / np.sqrt(
        tokens.var(-1, keepdims=True) + 1e-6
    )
    np.testing.assert_allclose(call(inference(model), IMAGES), tokens, rtol=1e-3, atol=1e-4)


def test_without_positions_it_does_not_know_where_a_patch_is():
    model = small()
    exchanged = np.concatenate([IMAGES[:, :, 8:], IMAGES[:, :, :8]], axis=2)
    moved = call(inference(model), exchanged)
    assert np.abs(np.roll(moved, -1, axis=2) - call(inference(model), IMAGES)).max() > 1e-3
    model.positions[...] = jnp.zeros((6, 6))
    moved = call(inference(model), exchanged)
    np.testing.assert_allclose(
        np.roll(moved, -1, axis=2), call(inference(model), IMAGES), rtol=1e-3, atol=1e-4
    )


def test_it_is_a_trunk_of_one_stage_of_whole_slices():
    trunk = vit_stages(**(SMALL | {"size": (16, 16)}), rngs=nnx.Rngs(0))
    assert (len(trunk.stages), trunk.split, trunk.slice_width) == (1, "whole", 6)
    assert call(inference(trunk.stages[0]), VOLUMES[0]).shape == (3, 4, 4, 6)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"size": (8, 10)}, "size: expected sides that divide by the patch of 4 pixels, got 8x10"),
        ({"width": 7}, "width: expected a multiple of the 2 heads, got 7"),
        ({"num_blocks": 0}, "num_blocks: expected at least 1, got 0"),
        ({"hidden": 0}, "hidden: expected at least 1, got 0"),
        ({"dropout": 1.0}, r"dropout: expected a share in \[0, 1\), got 1.0"),
    ],
)
def test_impossible_sizes_are_refused(options, message):
    with pytest.raises(InputError, match=message):
        small(**options)


def test_images_of_another_size_are_refused():
    with pytest.raises(
        InputError,
        match="images: expected 8x12 pixels, the `size` of the vision transformer, got 12x8",
    ):
        small()(IMAGES.transpose(0, 2, 1, 3))
