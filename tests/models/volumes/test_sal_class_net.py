"""SalClassNet: a stem that does not listen to the map is the baseline; the released stem has six
inputs.
"""

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
    features,
    inference,
    small_head,
    small_trunk,
)

from cfx_jax.errors import InputError
from cfx_jax.models import SalClassNet, resnet50_stages
from cfx_jax.models.layers import last_layer


def stem(trunk):
    return trunk.stages[0].layers[0].conv


@pytest.mark.parametrize("split", ["whole", "halves"])
def test_a_stem_without_weights_for_the_map_is_the_baseline(split):
    plain, trunk = small_trunk(split), small_trunk(split, in_channels=2)
    for stage, other in zip(trunk.stages, plain.stages, strict=True):
        nnx.update(stage.layers[0].norm, nnx.state(other.layers[0].norm))
    for number in range(1, 4):
        nnx.update(trunk.stages[number], nnx.state(plain.stages[number]))
    stem(trunk).kernel[...] = jnp.concatenate(
        [stem(plain).kernel[...], jnp.zeros((3, 3, 1, 8))], axis=2
    )
    model = inference(SalClassNet(trunk, small_head(trunk)))
    assert_same_logits(call(model, VOLUMES, SALIENCY), call(baseline(plain), VOLUMES))


def test_equal_weights_see_the_sum_of_image_and_map():
    """By hand: a stem with the same weights for both channels cannot tell them apart."""
    trunk = small_trunk(in_channels=2)
    stem(trunk).kernel[...] = jnp.repeat(stem(trunk).kernel[:, :, :1], 2, axis=2)
    model = inference(SalClassNet(trunk, small_head(trunk)))
    exchanged = features(model, SALIENCY, VOLUMES)
    np.testing.assert_allclose(features(model, VOLUMES, SALIENCY), exchanged, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(("repeats", "inputs"), [(3, 6), (1, 2)])
def test_the_published_network_has_a_wider_stem(repeats, inputs):
    def make():
        rngs = nnx.Rngs(0)
        return SalClassNet(
            resnet50_stages(in_channels=2, repeats=repeats, rngs=rngs),
            last_layer(2048, 2, rngs=rngs),
        )

    assert abstract_parameters(make) == 23_512_130 + 64 * 49 * (inputs - 3)


def test_a_trunk_without_room_for_the_map_and_volumes_of_other_channels_are_refused():
    trunk = small_trunk()
    with pytest.raises(
        InputError,
        match=r"trunk: expected at least 2 input channels, .* got 1: build it with in_chan",
    ):
        SalClassNet(trunk, small_head(trunk))
    trunk = small_trunk(in_channels=2)
    with pytest.raises(
        InputError, match=r"volumes: expected \(b, s, h, w, 1\) of at least .* channels come last"
    ):
        SalClassNet(trunk, small_head(trunk))(np.repeat(VOLUMES, 2, axis=-1), SALIENCY)
