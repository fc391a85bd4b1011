"""The loss of a generator of masks, by hand on masks of 2x2 pixels."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from cfx_jax.errors import InputError
from cfx_jax.losses import MaskGeneratorWeights, blend, mask_generator_terms, random_backgrounds
from cfx_jax.losses.mask_generator import roughness

MASK = jnp.asarray([0.0, 1.0, 0.5, 0.5]).reshape(1, 2, 2, 1)
# Three classes; the second is decided. Inside of the mask it leads by 0.25, outside it trails by 2.
INSIDE, OUTSIDE, DECIDED = (
    jnp.asarray([[1.0, 1.25, 0.0]]),
    jnp.asarray([[0.0, 1.0, 3.0]]),
    jnp.asarray([1]),
)


def test_every_term_equals_its_hand_computed_value():
    found = mask_generator_terms(MASK, DECIDED, INSIDE, OUTSIDE, weights=MaskGeneratorWeights())
    differences = (0 - 0.5) ** 2 + (1 - 0.5) ** 2 + (0 - 1) ** 2 + 0
    # Each pixel of a 2x2 image lies on two sides.
    border = 0.3 * 2 * (0 + 1 + 0.25 + 0.25)
    expected = {
        "destroyer": -2 + 5,
        "preserver": 0.3 * (1 - 0.25),
        "area": 8 * np.mean((np.array([0, 1, 0.5, 0.5]) + 5e-4) ** 0.3),
        "smoothness": 0.005 * (differences + border) / 2,
    }
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        assert float(found[name]) == pytest.approx(value, rel=1e-5), name


def test_logits_beyond_any_probability_leave_the_mask_its_own_terms():
    weights = MaskGeneratorWeights()
    own = {
        name: mask_generator_terms(MASK, DECIDED, INSIDE, OUTSIDE, weights=weights)[name]
        for name in ("area", "smoothness")
    }

    def total(inside, outside):
        return sum(mask_generator_terms(MASK, DECIDED, inside, outside, weights=weights).values())

    # Inside the decided class leads by far, outside it trails by far: nothing is left to gain.
    value, slopes = jax.value_and_grad(total, (0, 1))(1e6 * INSIDE, -1e6 * OUTSIDE)
    assert float(value) == pytest.approx(float(sum(own.values())), rel=1e-6)
    assert not any(np.any(each) for each in slopes)


def test_clear_decisions_cost_nothing_more():
    found = mask_generator_terms(
        MASK, DECIDED, 9 * INSIDE, -9 * INSIDE[:, ::-1], weights=MaskGeneratorWeights()
    )
    assert float(found["preserver"]) == 0
    found = mask_generator_terms(
        MASK, DECIDED, INSIDE, jnp.asarray([[0.0, -9.0, 0.0]]), weights=MaskGeneratorWeights()
    )
    assert float(found["destroyer"]) == 0


def test_roughness_is_a_mean_over_images_and_no_differences_leave_the_border():
    full = jnp.ones((2, 3, 4, 1))
    assert float(roughness(full, border=0.3)) == pytest.approx(0.3 * (4 + 4 + 3 + 3) / 2, rel=1e-6)
    assert float(roughness(full, border=0.0)) == 0


def test_gradients_are_finite_where_masks_are_empty_or_full():
    weights = MaskGeneratorWeights()

    def loss(masks):
        return sum(mask_generator_terms(masks, DECIDED, INSIDE, OUTSIDE, weights=weights).values())

    for value in (0.0, 1.0):
        assert np.isfinite(jax.grad(loss)(jnp.full((1, 2, 2, 1), value))).all()


def test_blending_gives_the_image_inside_and_the_background_outside():
    images, backgrounds = jnp.full((1, 2, 2, 3), 0.8), jnp.full((1, 2, 2, 3), 0.2)
    np.testing.assert_allclose(
        blend(images, MASK, backgrounds)[0, :, :, 0], [[0.2, 0.8], [0.5, 0.5]], rtol=1e-6
    )


def test_backgrounds_are_blurred_images_or_colours_with_noise():
    images = jnp.asarray(np.random.default_rng(0).uniform(size=(200, 16, 16, 2)), jnp.float32)
    key = jax.random.key(0)
    soft = random_backgrounds(key, images, blurred=1.0, sigma=2.0)
    means = np.asarray(images).mean(axis=(1, 2))
    np.testing.assert_allclose(np.asarray(soft).mean(axis=(1, 2)), means, atol=1e-5)
    assert np.asarray(soft).std(axis=(1, 2)).max() < 0.1
    plain = np.asarray(random_backgrounds(key, images, blurred=0.0))
    colours, grain = plain.mean(axis=(1, 2)), plain.std(axis=(1, 2))
    assert 0.5 - 0.165 - 0.02 < colours.min() < 0.36 and 0.64 < colours.max() < 0.5 + 0.165 + 0.02
    assert grain.mean() == pytest.approx(0.055, rel=0.02)
    mixed = np.asarray(random_backgrounds(key, images, sigma=2.0))
    is_soft = (mixed == np.asarray(soft)).all(axis=(1, 2, 3))
    assert 70 < is_soft.sum() < 130 and (mixed[~is_soft] == plain[~is_soft]).all()


def test_mistakes_are_named():
    with pytest.raises(
        InputError, match=r"masks: expected a batch \(b, h, w, 1\), got shape \(1, 2, 2\)"
    ):
        mask_generator_terms(MASK[..., 0], DECIDED, INSIDE, OUTSIDE, weights=MaskGeneratorWeights())
    with pytest.raises(InputError, match=r"blurred: expected a probability in \[0, 1\], got 2"):
        random_backgrounds(jax.random.key(0), jnp.zeros((1, 4, 4, 1)), blurred=2)
    with pytest.raises(InputError, match="sigma: expected a finite number above 0"):
        random_backgrounds(jax.random.key(0), jnp.zeros((1, 4, 4, 1)), sigma=0.0)
