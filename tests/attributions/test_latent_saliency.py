"""Maps of counterfactuals from a latent, against the arithmetic on paper."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from cfx_jax.attributions import difference_saliency, latent_saliency
from cfx_jax.errors import InputError

REFERENCE = jnp.full((2, 2, 2, 1), 0.5)
RAISED = jnp.zeros(8).at[jnp.asarray([0, 3])].set(jnp.asarray([0.2, -0.4])).reshape(2, 2, 2, 1)
LOWERED = jnp.zeros(8).at[jnp.asarray([3, 6])].set(jnp.asarray([0.05, 0.1])).reshape(2, 2, 2, 1)
POSITIVE, NEGATIVE = REFERENCE + RAISED, REFERENCE + LOWERED


@pytest.mark.parametrize(
    ("scaling", "expected"),
    [
        ("each", [0.25, 0, 0, 0.75, 0, 0, 0.5, 0]),
        ("released", [0.25, 0, 0, 0.525, 0, 0, 0.05, 0]),
        ("dif_fuse", [1 / 3, 0, 0, 1, 0, 0, 2 / 3, 0]),
    ],
)
def test_both_maps_are_scaled_as_said_and_averaged(scaling, expected):
    found = latent_saliency(REFERENCE, POSITIVE, NEGATIVE, scaling=scaling)
    np.testing.assert_allclose(found.map.reshape(-1), expected, atol=1e-6)
    np.testing.assert_array_equal(found.flat, [False, False])


def test_the_map_of_one_target_has_its_maximum_at_1():
    found = difference_saliency(REFERENCE, NEGATIVE)
    np.testing.assert_allclose(found.map.reshape(-1), [0, 0, 0, 0.5, 0, 0, 1, 0], atol=1e-6)
    assert not bool(found.flat)


@pytest.mark.parametrize("scaling", ["each", "released", "dif_fuse"])
def test_counterfactuals_that_do_not_move_are_flat_and_0(scaling):
    found = latent_saliency(REFERENCE, REFERENCE, REFERENCE, scaling=scaling)
    np.testing.assert_array_equal(found.map, 0)
    np.testing.assert_array_equal(found.flat, [True, True])
    half = latent_saliency(REFERENCE, POSITIVE, REFERENCE)
    np.testing.assert_array_equal(half.flat, [False, True])
    assert float(half.map.max()) == pytest.approx(0.5)
    assert bool(difference_saliency(REFERENCE, REFERENCE).flat)


def test_against_the_original_the_error_of_the_autoencoder_counts_too():
    original = REFERENCE.at[0, 1, 0].add(0.1)
    found = latent_saliency(original, POSITIVE, NEGATIVE).map
    np.testing.assert_allclose(found[0, 1, 0, 0], (0.1 / 0.4 + 0.1 / 0.1) / 2, atol=1e-6)


def test_each_volume_of_a_batch_has_its_own_maximum():
    stacks = [
        jnp.stack([each, REFERENCE + (each - REFERENCE) / 4]) for each in (POSITIVE, NEGATIVE)
    ]
    maps = jax.jit(jax.vmap(latent_saliency, (None, 0, 0)))(REFERENCE, *stacks).map
    np.testing.assert_allclose(maps[0], maps[1], atol=1e-5)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"positive": POSITIVE[0]},
            r"positive: expected the shape of reference \(2, 2, 2, 1\), got \(2, 2, 1\)",
        ),
        (
            {"negative": NEGATIVE[0]},
            r"negative: expected the shape of reference \(2, 2, 2, 1\), got \(2, 2, 1\)",
        ),
        (
            {"negative": NEGATIVE * jnp.nan},
            "negative: expected finite values, got NaN or infinity: lower the step size",
        ),
        (
            {"scaling": "both"},
            "scaling: expected one of 'each', 'released', 'dif_fuse', got 'both'",
        ),
    ],
)
def test_mistakes_are_named(change, message):
    arguments = {"reference": REFERENCE, "positive": POSITIVE, "negative": NEGATIVE} | change
    with pytest.raises(InputError, match=message):
        latent_saliency(**arguments)


def test_mistakes_with_one_target_are_named():
    with pytest.raises(
        InputError, match=r"counterfactual: expected the shape of reference \(2, 2, 2, 1\)"
    ):
        difference_saliency(REFERENCE, POSITIVE[0])
