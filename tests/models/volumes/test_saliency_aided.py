"""What all classifiers of volumes with saliency maps share: shapes, slices apart, gradients, views,
errors.
"""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from small_volume_networks import (
    SALIENCY,
    VOLUMES,
    call,
    features,
    inference,
    small_head,
    small_trunk,
    without_gradient,
)

from cfx_jax.errors import InputError
from cfx_jax.models import HSM, SMIC, HalfBrainLogits, SalClassNet, with_saliency
from cfx_jax.models.volumes.saliency_aided import SaliencyAided


def smic(split):
    trunk = small_trunk(split)
    return SMIC(trunk, small_head(trunk), width=3, rngs=nnx.Rngs(1))


def smic_released(split):
    trunk, branch = small_trunk(split), small_trunk(split, num_stages=2, seed=1)
    return SMIC(trunk, small_head(trunk), saliency_trunk=branch, rngs=nnx.Rngs(1))


def sal_class_net(split):
    trunk = small_trunk(split, in_channels=2)
    return SalClassNet(trunk, small_head(trunk))


def hsm(split):
    trunk = small_trunk(split)
    return HSM(trunk, small_trunk(split, seed=1), small_head(trunk))


MODELS = [smic, smic_released, sal_class_net, hsm]


@pytest.mark.parametrize("make", MODELS)
def test_on_halves_two_heads_speak_and_mirrored_brains_have_the_maps_of_the_halves_exchanged(make):
    model = inference(make("halves"))
    logits = jax.eval_shape(lambda *inputs: model(*inputs), VOLUMES, SALIENCY)
    assert isinstance(logits, HalfBrainLogits) and (logits.lesion.shape, logits.side.shape) == (
        (2, 2),
        (2, 3),
    )
    maps = features(model, VOLUMES, SALIENCY)
    mirrored = features(model, VOLUMES[..., ::-1, :], SALIENCY[..., ::-1, :])
    np.testing.assert_allclose(mirrored, np.asarray(maps)[..., ::-1, :], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("make", MODELS)
def test_the_map_of_a_slice_acts_on_that_slice_alone(make):
    model, changed = inference(make("whole")), SALIENCY.copy()
    changed[1, 2] = 1 - changed[1, 2]
    before, after = features(model, VOLUMES, SALIENCY), features(model, VOLUMES, changed)
    differs = np.any(np.asarray(before) != np.asarray(after), axis=(2, 3, 4))
    np.testing.assert_array_equal(differs, [[False, False, False], [False, False, True]])


@pytest.mark.parametrize("make", MODELS)
def test_every_parameter_learns(make):
    assert without_gradient(make("whole"), VOLUMES, SALIENCY) == []


@pytest.mark.parametrize("make", MODELS)
def test_with_its_map_fixed_it_is_a_classifier_of_one_volume_with_the_maps_of_the_baseline(make):
    model, volume, saliency = make("whole"), jnp.asarray(VOLUMES[1]), jnp.asarray(SALIENCY[1])
    maps = features(inference(model), VOLUMES, SALIENCY)
    assert maps.shape == (2, 3, 4, 4, 16)
    logits = call(with_saliency(model, saliency), volume)
    assert logits.shape == (2,)
    np.testing.assert_allclose(inference(model).classify(maps)[1], logits, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("make", MODELS)
def test_maps_of_other_volumes_are_refused(make):
    model = inference(make("whole"))
    with pytest.raises(
        InputError, match=r"saliency: expected one value for each voxel, .*got \(2, 2, 16, 16, 1\)"
    ):
        model(VOLUMES, SALIENCY[:, :2])
    with pytest.raises(InputError, match=r"saliency: expected .*, got .*\(2, 3, 16, 16\)"):
        model(VOLUMES, SALIENCY[..., 0])
    with pytest.raises(InputError, match="saliency: expected dtype float32, got uint8"):
        model(VOLUMES, SALIENCY.astype(np.uint8))


def test_what_has_no_features_cannot_be_made():
    with pytest.raises(TypeError, match=r"abstract method '?features"):
        SaliencyAided(small_trunk("whole"), nnx.Linear(16, 2, rngs=nnx.Rngs(0)))
