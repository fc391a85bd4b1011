"""Masks of saliency features and their fusion, against loops in NumPy and SciPy."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from scipy.ndimage import correlate

from cfx_jax.errors import InputError
from cfx_jax.models.volumes.layers import MaskFusion, SalientAttention, average_pool


def num_parameters(model):
    return sum(leaf.size for leaf in jax.tree.leaves(nnx.state(model, nnx.Param)))


def random_maps(*shape, seed=0):
    return jnp.asarray(np.random.default_rng(seed).normal(size=shape), jnp.float32)


def adaptive_average(maps, grid):
    """PyTorch's rule, cell by cell."""
    (rows, columns), (height, width) = grid, maps.shape[1:3]
    pooled = np.empty((len(maps), rows, columns, maps.shape[-1]))
    for i in range(rows):
        for j in range(columns):
            top, bottom = math.floor(i * height / rows), math.ceil((i + 1) * height / rows)
            first, last = math.floor(j * width / columns), math.ceil((j + 1) * width / columns)
            pooled[:, i, j] = np.asarray(maps, np.float64)[:, top:bottom, first:last].mean(
                axis=(1, 2)
            )
    return pooled


@pytest.mark.parametrize("pooling", ["max", "mean"])
def test_mask_is_the_sigmoid_of_a_normalised_convolution_of_one_channel(pooling):
    attention, maps = SalientAttention(pooling=pooling, rngs=nnx.Rngs(1)), random_maps(2, 5, 6, 3)
    for name, value in {"mean": 0.3, "var": 2.0, "scale": -1.5, "bias": 0.25}.items():
        getattr(attention.norm, name)[...] = jnp.full(1, value)
    pooled = getattr(np, pooling)(np.asarray(maps, np.float64), axis=-1)
    kernel = np.asarray(attention.conv.kernel[...], np.float64)[:, :, 0, 0]
    filtered = np.stack([correlate(plane, kernel, mode="constant") for plane in pooled])
    logits = (filtered - 0.3) / np.sqrt(2.0 + 1e-5) * -1.5 + 0.25
    found = nnx.view(attention, use_running_average=True)(maps)
    np.testing.assert_allclose(found[..., 0], 1 / (1 + np.exp(-logits)), rtol=1e-4)


def test_parameters_are_as_many_as_counted_in_the_released_layers():
    assert num_parameters(SalientAttention(pooling="max", rngs=nnx.Rngs(0))) == 11
    assert num_parameters(MaskFusion(3, rngs=nnx.Rngs(0))) == 3


def test_features_weighted_by_a_mask_have_weighted_derivatives():
    """Equation 2 of the paper: of G = F (1 + M) by the image's weights, with M made of other
    features.
    """
    attention = nnx.view(
        SalientAttention(pooling="max", rngs=nnx.Rngs(2)), use_running_average=True
    )
    mask, images, weights = (
        attention(random_maps(1, 6, 6, 4)),
        random_maps(1, 6, 6, 2),
        random_maps(3, 3, 2, 3),
    )

    def features(weights):
        layout = ("NHWC", "HWIO", "NHWC")
        return jax.lax.conv_general_dilated(
            images, weights, (1, 1), "SAME", dimension_numbers=layout
        )

    plain, weighted = (
        jax.jacobian(features)(weights),
        jax.jacobian(lambda w: features(w) * (1 + mask))(weights),
    )
    per_position = np.asarray(1 + mask)[..., None, None, None, None]
    np.testing.assert_allclose(weighted, per_position * np.asarray(plain), rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("side", [32, 16, 8])
def test_cells_are_tiles_where_the_grid_divides_the_side(side):
    maps = random_maps(2, side, side, 1)
    tiles = np.asarray(maps).reshape(2, 4, side // 4, 4, side // 4, 1).mean(axis=(2, 4))
    np.testing.assert_allclose(average_pool(maps, (4, 4)), tiles, rtol=1e-5, atol=1e-6)


def test_cells_of_other_sides_are_those_of_adaptive_pooling():
    """The masks of the published half slices: 63x25 and 32x13 to the 16x7 of the last maps."""
    for height, width in ((63, 25), (32, 13)):
        maps = random_maps(1, height, width, 2)
        np.testing.assert_allclose(
            average_pool(maps, (16, 7)), adaptive_average(maps, (16, 7)), rtol=1e-4, atol=1e-6
        )


def test_pooling_to_the_same_grid_changes_nothing():
    maps = random_maps(2, 5, 3, 2)
    np.testing.assert_array_equal(average_pool(maps, (5, 3)), maps)


def test_fused_mask_is_a_weighted_sum_without_bounds():
    fusion, masks = (
        MaskFusion(2, rngs=nnx.Rngs(0)),
        (random_maps(1, 8, 8, 1), random_maps(1, 4, 4, 1, seed=1)),
    )
    fusion.weights.kernel[...] = jnp.asarray([[2.0], [-30.0]])
    expected = 2 * adaptive_average(masks[0], (2, 2)) - 30 * adaptive_average(masks[1], (2, 2))
    found = fusion(masks, (2, 2))
    np.testing.assert_allclose(found, expected, rtol=1e-5)
    assert np.asarray(found).min() < 0 or np.asarray(found).max() > 1


def test_fusion_starts_from_the_published_distribution_or_from_zero():
    weights = MaskFusion(4000, rngs=nnx.Rngs(0)).weights.kernel[...]
    assert float(weights.std()) == pytest.approx(math.sqrt(2), rel=0.05)
    assert not np.any(MaskFusion(3, zero_init=True, rngs=nnx.Rngs(0)).weights.kernel[...])


def test_fusion_from_zero_learns():
    fusion, masks = MaskFusion(1, zero_init=True, rngs=nnx.Rngs(0)), (jnp.ones((1, 4, 4, 1)),)
    graph, params = nnx.split(fusion)
    slope = jax.grad(lambda params: nnx.merge(graph, params, copy=True)(masks, (2, 2)).sum())(
        params
    )
    np.testing.assert_allclose(jax.tree.leaves(slope)[0], [[4.0]])


def test_unknown_pooling_lists_the_valid_ones():
    with pytest.raises(InputError, match="pooling: expected one of 'max', 'mean', got 'sum'"):
        SalientAttention(pooling="sum", rngs=nnx.Rngs(0))
