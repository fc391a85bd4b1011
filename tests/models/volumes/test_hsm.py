"""HSM as released and as published: branches without effect are the baseline, others scale as
computed by hand.
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
from cfx_jax.models import HSM, HallucinatedSaliency, resnet50_stages
from cfx_jax.models.layers import last_layer


def released(trunk, *, last):
    """With a second trunk whose last maps are one number for each channel."""
    other = small_trunk(trunk.split, seed=1)
    norm = other.stages[3].layers[0].norm
    norm.scale[...], norm.bias[...] = jnp.zeros(16), jnp.asarray(last, jnp.float32)
    return inference(HSM(trunk, other, small_head(trunk)))


@pytest.mark.parametrize("split", ["whole", "halves"])
def test_a_second_trunk_that_gives_zero_is_the_baseline(split):
    trunk = small_trunk(split)
    found = call(released(trunk, last=np.full(16, -1.0)), VOLUMES, SALIENCY)
    assert_same_logits(found, call(baseline(trunk), VOLUMES))


def test_the_second_trunk_scales_each_channel():
    trunk, last = small_trunk(), np.linspace(0, 3, 16)
    expected = np.asarray(features(baseline(trunk), VOLUMES)) * (1 + last)
    np.testing.assert_allclose(
        features(released(trunk, last=last), VOLUMES, SALIENCY), expected, rtol=1e-4, atol=1e-5
    )


def test_the_second_trunk_sees_the_map():
    trunk, other = small_trunk(), small_trunk(seed=1)
    model = inference(HSM(trunk, other, small_head(trunk)))
    expected = np.asarray(features(baseline(trunk), VOLUMES)) * (
        1 + np.asarray(features(baseline(other), SALIENCY))
    )
    np.testing.assert_allclose(features(model, VOLUMES, SALIENCY), expected, rtol=1e-4, atol=1e-5)


def test_the_published_network_is_there_twice_but_for_its_head():
    def make():
        rngs = nnx.Rngs(0)
        trunks = resnet50_stages(rngs=rngs), resnet50_stages(rngs=rngs)
        return HSM(*trunks, last_layer(2048, 2, rngs=rngs))

    assert abstract_parameters(make) == 2 * (23_512_130 - 4098) + 4098


def test_trunks_that_do_not_match_are_refused():
    trunk = small_trunk()
    with pytest.raises(
        InputError,
        match=r"saliency_trunk: expected .* of \(1, 4, 16\), got \(1, 3, 16\): build it as",
    ):
        HSM(trunk, small_trunk(num_stages=3), small_head(trunk))
    with pytest.raises(InputError, match=r"of \(1, 4, 16\), got \(2, 4, 16\)"):
        HSM(trunk, small_trunk(in_channels=2), small_head(trunk))


def hallucinating(trunk, *, gate):
    model = HallucinatedSaliency(trunk, small_head(trunk), widths=(3, 4, 4), rngs=nnx.Rngs(1))
    assert len(model.detector.convs) + 1 == 4
    model.detector.last.kernel[...] = jnp.zeros_like(model.detector.last.kernel[...])
    model.detector.last.bias[...] = jnp.asarray([float(gate)])
    return inference(model)


@pytest.mark.parametrize("split", ["whole", "halves"])
def test_a_detector_that_finds_nothing_is_the_baseline(split):
    trunk = small_trunk(split)
    assert_same_logits(
        call(hallucinating(trunk, gate=-200), VOLUMES), call(baseline(trunk), VOLUMES)
    )


def test_a_detector_that_finds_everything_acts_before_the_third_stage():
    """Doubling what stage 3 sees is doubling its weights."""
    trunk, doubled = small_trunk(), small_trunk()
    conv = doubled.stages[2].layers[0].conv
    conv.kernel[...] = 2 * conv.kernel[...]
    assert_same_logits(
        call(hallucinating(trunk, gate=200), VOLUMES), call(baseline(doubled), VOLUMES)
    )


def test_impossible_detectors_are_refused():
    trunk = small_trunk()
    with pytest.raises(InputError, match="after: expected one of 1, 2, 3, 4, got 0"):
        HallucinatedSaliency(trunk, small_head(trunk), after=0, rngs=nnx.Rngs(0))
    with pytest.raises(InputError, match="widths: expected at least 1, got 0"):
        HallucinatedSaliency(trunk, small_head(trunk), widths=(), rngs=nnx.Rngs(0))
