"""What the classifiers of volumes that attend to the image alone share: shapes, gradients,
views.
"""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from small_volume_networks import (
    VOLUMES,
    call,
    inference,
    small_head,
    small_trunk,
    without_gradient,
)

from cfx_jax.models import (
    HalfBrainLogits,
    HallucinatedSaliency,
    SeAtt,
    SliceWise,
    SpAtt,
    parts,
    per_image,
    vit_stages,
)
from cfx_jax.models.volumes.layers import SliceAttention


def hallucinated(split):
    trunk = small_trunk(split)
    return HallucinatedSaliency(trunk, small_head(trunk), widths=(3, 4, 4), rngs=nnx.Rngs(1))


def sp_att(split):
    trunk = small_trunk(split)
    return SpAtt(trunk, small_head(trunk), rngs=nnx.Rngs(1))


def sp_att_released(split):
    trunk = small_trunk(split)
    slices = SliceAttention(3, trunk.slice_width, hidden=4, rngs=nnx.Rngs(2))
    return SpAtt(trunk, small_head(trunk), slice_attention=slices, rngs=nnx.Rngs(1))


def se_att(split):
    trunk = small_trunk(split)
    model = SeAtt(trunk, small_head(trunk), rngs=nnx.Rngs(1))
    for layer in model.attention:
        layer.gamma[...] = jnp.asarray(0.3)
    return model


def vit(_):
    trunk = vit_stages(
        size=(16, 16),
        patch=4,
        width=16,
        num_blocks=1,
        num_heads=2,
        hidden=8,
        dropout=0.1,
        rngs=nnx.Rngs(0),
    )
    return SliceWise(trunk, small_head(trunk), rngs=nnx.Rngs(1))


MODELS = [hallucinated, sp_att, sp_att_released, se_att, vit]


@pytest.mark.parametrize("make", MODELS)
def test_it_is_a_classifier_of_one_volume_with_the_maps_of_the_baseline(make):
    model, volume = make("whole"), jnp.asarray(VOLUMES[1])
    cut = parts(model)
    maps, logits = call(cut.features, volume), call(per_image(model), volume)
    assert maps.shape == (3, 4, 4, 16) and logits.shape == (2,)
    np.testing.assert_allclose(call(cut.head, maps), logits, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("make", [hallucinated, sp_att, sp_att_released, se_att])
def test_on_halves_two_heads_speak(make):
    logits = jax.eval_shape(
        lambda model, volumes: model(volumes), inference(make("halves")), VOLUMES
    )
    assert isinstance(logits, HalfBrainLogits) and (logits.lesion.shape, logits.side.shape) == (
        (2, 2),
        (2, 3),
    )


@pytest.mark.parametrize("make", [hallucinated, se_att, vit])
def test_every_parameter_learns(make):
    # The product of queries with the bias of the keys is one number for all tokens, to which a
    # softmax is blind.
    assert [
        name for name in without_gradient(make("whole"), VOLUMES) if not name.endswith("key.bias")
    ] == []
