"""SMIC: no gate is the baseline, a full one doubles the maps of one stage, the released branch
gates each channel.
"""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from small_volume_networks import (
    SALIENCY,
    VOLUMES,
    abstract_parameters,
    assert_same_logits,
    baseline,
    call,
    inference,
    small_head,
    small_trunk,
)

from cfx_jax.errors import InputError
from cfx_jax.models import SMIC, resnet50_stages
from cfx_jax.models.layers import last_layer


def network(trunk, *, gate, **options):
    """With a constant gate: the sigmoid of a number."""
    model = SMIC(trunk, small_head(trunk), width=3, rngs=nnx.Rngs(1), **options)
    model.gate.last.kernel[...] = jnp.zeros_like(model.gate.last.kernel[...])
    model.gate.last.bias[...] = jnp.asarray([float(gate)])
    return inference(model)


@pytest.mark.parametrize("split", ["whole", "halves"])
def test_without_a_gate_it_is_the_baseline(split):
    trunk = small_trunk(split)
    found = call(network(trunk, gate=-200), VOLUMES, SALIENCY)
    assert_same_logits(found, call(baseline(trunk), VOLUMES))


@pytest.mark.parametrize("after", [1, 2, 4])
def test_a_full_gate_doubles_the_maps_of_its_stage(after):
    trunk = small_trunk()
    model = network(trunk, gate=200, after=after)

    @jax.jit
    def by_hand(trunk, volumes):
        x = volumes.reshape(6, 16, 16, 1)
        for number, stage in enumerate(trunk.stages, start=1):
            x = stage(x) * (2 if number == after else 1)
        return x.mean(axis=(1, 2)).reshape(2, 3, 16).mean(axis=1)

    expected = np.asarray(by_hand(inference(trunk), VOLUMES)) @ np.asarray(model.head.kernel[...])
    assert_same_logits(call(model, VOLUMES, SALIENCY), expected)


def test_the_gate_is_larger_where_the_map_is_and_has_the_grid_of_half_the_pixels():
    """A branch that passes the map through: centre taps of 1, no batch norm in effect."""
    trunk = small_trunk()
    model = SMIC(trunk, small_head(trunk), width=1, rngs=nnx.Rngs(1))
    for conv in (model.gate.convs[0], model.gate.last):
        conv.kernel[...] = jnp.zeros((3, 3, 1, 1)).at[1, 1].set(1.0)
    gate = jax.jit(lambda model, maps: model.gate(maps))(inference(model), SALIENCY[0])
    expected = 1 / (1 + np.exp(-SALIENCY[0, :, ::2, ::2] / np.sqrt(1 + 1e-5)))
    np.testing.assert_allclose(gate, expected, rtol=1e-5)


def test_the_released_branch_gates_each_channel_by_one_half_at_least():
    """With silenced norms its stages give 0, of which the sigmoid is one half, at every place and
    channel.
    """
    trunk, branch = small_trunk(), small_trunk(num_stages=2, seed=1)
    model = SMIC(trunk, small_head(trunk), saliency_trunk=branch, rngs=nnx.Rngs(1))
    silenced = branch.stages[1].layers[0].norm
    silenced.scale[...] = jnp.zeros(8)
    constant = call(network(trunk, gate=0), VOLUMES, SALIENCY)
    assert_same_logits(call(inference(model), VOLUMES, SALIENCY), constant)
    silenced.bias[...] = jnp.full(8, 200.0)
    assert_same_logits(
        call(inference(model), VOLUMES, SALIENCY), call(network(trunk, gate=200), VOLUMES, SALIENCY)
    )


def test_the_branch_of_two_convolutions_is_small_beside_the_published_network():
    def make():
        rngs = nnx.Rngs(0)
        return SMIC(resnet50_stages(rngs=rngs), last_layer(2048, 2, rngs=rngs), rngs=rngs)

    assert abstract_parameters(make) == 23_512_130 + (9 * 32 + 2 * 32) + (9 * 32 + 1)


def test_impossible_branches_are_refused():
    trunk = small_trunk()
    with pytest.raises(InputError, match="after: expected one of 1, 2, 3, 4, got 5"):
        SMIC(trunk, small_head(trunk), after=5, rngs=nnx.Rngs(0))
    with pytest.raises(InputError, match="widths: expected at least 1, got 0"):
        SMIC(trunk, small_head(trunk), width=0, rngs=nnx.Rngs(0))
    with pytest.raises(
        InputError,
        match="saliency_trunk: expected 2 stages of 1 input channel that end in 8 channels, got 3"
        " of 1 that end",
    ):
        SMIC(trunk, small_head(trunk), saliency_trunk=small_trunk(num_stages=3), rngs=nnx.Rngs(0))
