"""Spatial attention from the image: no mask is the baseline, a full one doubles three stages."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from small_volume_networks import (
    VOLUMES,
    assert_same_logits,
    baseline,
    call,
    features,
    inference,
    num_parameters,
    small_head,
    small_trunk,
    without_gradient,
)

from cfx_jax.errors import InputError
from cfx_jax.models import SpAtt
from cfx_jax.models.volumes.layers import SliceAttention


def network(trunk, *, mask=None, **options):
    """With constant masks where a number is given: its sigmoid."""
    model = SpAtt(trunk, small_head(trunk), rngs=nnx.Rngs(1), **options)
    for layer in model.masks if mask is not None else ():
        layer.norm.scale[...], layer.norm.bias[...] = jnp.zeros(1), jnp.asarray([float(mask)])
    return inference(model)


@pytest.mark.parametrize("split", ["whole", "halves"])
def test_without_masks_it_is_the_baseline(split):
    trunk = small_trunk(split)
    assert_same_logits(call(network(trunk, mask=-200), VOLUMES), call(baseline(trunk), VOLUMES))


def test_full_masks_double_the_maps_of_the_first_three_stages():
    trunk = small_trunk()

    @jax.jit
    def by_hand(trunk, volumes):
        first, second, third, last = trunk.stages
        x = last(2 * third(2 * second(2 * first(volumes.reshape(6, 16, 16, 1)))))
        return x.reshape(2, 3, 4, 4, 16)

    expected = by_hand(inference(trunk), VOLUMES)
    np.testing.assert_allclose(
        features(network(trunk, mask=200), VOLUMES), expected, rtol=1e-4, atol=1e-5
    )


@pytest.mark.parametrize(("pooling", "pool"), [("max", np.max), ("mean", np.mean)])
def test_a_mask_is_made_of_the_maps_that_it_weighs(pooling, pool):
    """With a centre tap of 1 the first mask is the sigmoid of the pooled channels."""
    trunk = small_trunk()
    model = network(trunk, mask=-200, pooling=pooling)
    mask = model.masks[0]
    mask.norm.scale[...], mask.norm.bias[...] = jnp.ones(1), jnp.zeros(1)
    mask.conv.kernel[...] = jnp.zeros((3, 3, 1, 1)).at[1, 1].set(1.0)
    view = inference(trunk)

    def plain(number, x):
        return np.asarray(call(view.stages[number], x))

    x = plain(0, VOLUMES.reshape(6, 16, 16, 1))
    x = x * (1 + 1 / (1 + np.exp(-pool(x, axis=-1, keepdims=True) / np.sqrt(1 + 1e-5))))
    for number in (1, 2, 3):
        x = plain(number, x)
    np.testing.assert_allclose(
        np.reshape(features(model, VOLUMES), (6, 4, 4, 16)), x, rtol=1e-4, atol=1e-5
    )


def test_slices_are_averaged_or_weighted():
    """Equal weights of one third are the mean; the released sum has weights near one half at the
    start.
    """
    trunk = small_trunk()
    slices = SliceAttention(3, trunk.slice_width, hidden=4, rngs=nnx.Rngs(2))
    slices.out.kernel[...] = jnp.zeros_like(slices.out.kernel[...])
    slices.out.bias[...] = jnp.full(3, np.log(1 / 2))
    weighted, mean = network(trunk, slice_attention=slices), network(trunk)
    assert_same_logits(call(weighted, VOLUMES), call(mean, VOLUMES))
    with pytest.raises(
        InputError,
        match="volumes: expected 3 slices, for which the slice attention was made, got 2",
    ):
        weighted(VOLUMES[:, :2])


def test_every_parameter_learns():
    trunk = small_trunk()
    slices = SliceAttention(3, trunk.slice_width, hidden=4, rngs=nnx.Rngs(2))
    model = SpAtt(trunk, small_head(trunk), slice_attention=slices, rngs=nnx.Rngs(1))
    assert without_gradient(model, VOLUMES) == []


def test_each_mask_has_eleven_parameters():
    trunk = small_trunk()
    assert num_parameters(network(trunk)) == num_parameters(baseline(trunk)) + 3 * 11


def test_an_unknown_pooling_is_refused():
    with pytest.raises(InputError, match="pooling: expected one of 'max', 'mean', got 'sum'"):
        network(small_trunk(), pooling="sum")
