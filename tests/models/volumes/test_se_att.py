"""Self-attention between stages: at the start the baseline; where it acts; published places and
sizes.
"""

import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from small_volume_networks import (
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
from cfx_jax.models import SeAtt, resnet50_stages
from cfx_jax.models.layers import last_layer


@pytest.mark.parametrize(("split", "places"), [("whole", (3, 4)), ("halves", (2, 3))])
def test_it_starts_as_the_baseline_with_attention_at_the_published_places(split, places):
    trunk = small_trunk(split)
    model = inference(SeAtt(trunk, small_head(trunk), rngs=nnx.Rngs(1)))
    assert model.after == places
    assert_same_logits(call(model, VOLUMES), call(baseline(trunk), VOLUMES), atol=0)


def test_after_the_last_stage_it_is_applied_to_the_maps_of_each_slice_alone():
    trunk = small_trunk()
    model = inference(SeAtt(trunk, small_head(trunk), after=(4,), rngs=nnx.Rngs(1)))
    (layer,) = model.attention
    layer.gamma[...] = jnp.asarray(0.5)
    maps = features(baseline(trunk), VOLUMES)
    expected = [[call(layer, each[None])[0] for each in volume] for volume in maps]
    np.testing.assert_allclose(features(model, VOLUMES), np.asarray(expected), rtol=1e-4, atol=1e-5)


def test_published_sizes():
    """Queries and keys of an eighth of 1024 and 2048 channels, values of all, one factor each."""

    def make():
        rngs = nnx.Rngs(0)
        return SeAtt(resnet50_stages(rngs=rngs), last_layer(2048, 2, rngs=rngs), rngs=rngs)

    attention = sum(2 * c * (c // 8) + c * c + 1 for c in (1024, 2048))
    assert abstract_parameters(make) == 23_512_130 + attention


def test_impossible_places_are_refused():
    trunk = small_trunk()
    with pytest.raises(InputError, match="after: expected one of 1, 2, 3, 4, got 5"):
        SeAtt(trunk, small_head(trunk), after=(3, 5), rngs=nnx.Rngs(0))
