"""The translator and the critic of Fixed-Point GAN."""

from functools import cache
from itertools import pairwise

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from cfx_jax.errors import InputError
from cfx_jax.models import FixedPointTranslator, PatchCritic, translation_of
from cfx_jax.models.generators.fixed_point import unit_tanh
from cfx_jax.models.views import unit_clip

IMAGES = jnp.asarray(np.random.default_rng(0).uniform(size=(2, 8, 8, 1)), jnp.float32)
DOMAIN = jnp.array([0, 1])


@cache
def tiny():
    return FixedPointTranslator(filters=2, num_halvings=1, num_blocks=1, rngs=nnx.Rngs(0))


@jax.jit
def translate(model, images, domain):
    return model(images, domain), model.change(images, domain)


@jax.jit
def judge(model, images):
    return model(images)


def num_parameters(make):
    return sum(
        np.prod(leaf.shape, dtype=int) for leaf in jax.tree.leaves(nnx.state(nnx.eval_shape(make)))
    )


def test_sizes_of_the_released_networks():
    """For faces of 128 pixels and one domain label: the layers' kernels, biases, scales and
    shifts.
    """
    kernels = 49 * 4 * 64 + 2 * 16 * (64 * 128 + 128 * 256) + 6 * 2 * 9 * 256**2 + 49 * 64 * 3
    norms = 2 * (64 + 128 + 256 + 6 * 2 * 256 + 128 + 64)
    assert (
        num_parameters(lambda: FixedPointTranslator(in_channels=3, rngs=nnx.Rngs(0)))
        == kernels + norms
        == 8417984
    )
    widths = [3, 64, 128, 256, 512, 1024, 2048]
    trunk = sum(16 * a * b + b for a, b in pairwise(widths))
    heads = 9 * 2048 + 2 * 2 * 2048
    assert (
        num_parameters(lambda: PatchCritic(size=(128, 128), in_channels=3, rngs=nnx.Rngs(0)))
        == trunk + heads
    )


def test_the_change_is_added_in_units_of_images_from_minus_one_to_one():
    images, change = translate(tiny(), IMAGES, DOMAIN)
    assert images.shape == IMAGES.shape and float(jnp.abs(change).mean()) > 0.01
    np.testing.assert_allclose(
        2 * images - 1, jnp.tanh(2 * IMAGES - 1 + change), rtol=1e-4, atol=1e-5
    )


def test_clipping_starts_as_the_identity_which_the_tanh_does_not_know():
    model = FixedPointTranslator(
        filters=2, num_halvings=1, num_blocks=1, limit="clip", rngs=nnx.Rngs(0)
    )
    np.testing.assert_array_equal(translate(model, IMAGES, DOMAIN)[0], IMAGES)
    assert model.limit is unit_clip
    assert float(unit_tanh(jnp.zeros(()))) == pytest.approx((1 - np.tanh(1)) / 2)


def test_a_translation_depends_on_its_domain_and_not_on_its_batch():
    both = translate(tiny(), IMAGES, DOMAIN)[1]
    other = translate(tiny(), IMAGES.at[0].set(0.5), DOMAIN)[1]
    np.testing.assert_allclose(both[1], other[1], rtol=1e-5, atol=1e-6)
    assert float(jnp.abs(translate(tiny(), IMAGES, 1 - DOMAIN)[1] - both).max()) > 1e-4


def test_one_image_is_translated_as_in_a_batch():
    one = translation_of(tiny())
    found = jax.jit(jax.vmap(lambda one, *each: one(*each), (None, 0, 0)))(one, IMAGES, DOMAIN)
    np.testing.assert_allclose(found, translate(tiny(), IMAGES, DOMAIN)[0], rtol=1e-5, atol=1e-6)
    with pytest.raises(InputError, match="model: expected an NNX module, got function"):
        translation_of(lambda images, domain: images)


def test_translations_follow_an_independent_computation():
    """Convolutions of JAX with the released layout; halving and doubling have tests of their
    own.
    """
    model, label = tiny(), jnp.broadcast_to(DOMAIN[:, None, None, None], IMAGES.shape)

    def convolve(x, layer):
        return jax.lax.conv_general_dilated(
            x, layer.kernel[...], (1, 1), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC")
        )

    def norm(x):
        return (x - x.mean(axis=(1, 2), keepdims=True)) / jnp.sqrt(
            x.var(axis=(1, 2), keepdims=True) + 1e-5
        )

    @jax.jit
    def expected(x):
        x = jax.nn.relu(norm(convolve(x, model.enter.layer)))
        x = jax.nn.relu(norm(model.down[0].layer(x)))
        block = model.blocks[0]
        x = x + norm(
            convolve(jax.nn.relu(norm(convolve(x, block.first.layer))), block.second.layer)
        )
        return convolve(jax.nn.relu(norm(model.up[0].layer(x))), model.leave)

    found = translate(model, IMAGES, DOMAIN)[1]
    np.testing.assert_allclose(
        found, expected(jnp.concatenate([2 * IMAGES - 1, label], axis=-1)), rtol=1e-3, atol=1e-4
    )


def test_verdicts_follow_an_independent_computation():
    critic = PatchCritic(size=(8, 9), filters=2, depth=2, rngs=nnx.Rngs(0))
    images = jnp.asarray(np.random.default_rng(1).uniform(size=(3, 8, 9, 1)), jnp.float32)
    verdict = judge(critic, images)
    x = 2 * images - 1
    for down in critic.down:
        x = down(x)
        x = jnp.where(x > 0, x, 0.01 * x)
    assert verdict.realness.shape == (3, 2, 2) == x.shape[:3]
    padded = np.pad(np.asarray(x), [(0, 0), (1, 1), (1, 1), (0, 0)])
    windows = np.lib.stride_tricks.sliding_window_view(padded, (3, 3), axis=(1, 2))
    realness = np.einsum("bhwcij,ijcd->bhw", windows, np.asarray(critic.realness.kernel[...]))
    np.testing.assert_allclose(verdict.realness, realness, rtol=1e-3, atol=1e-5)
    logit = np.asarray(x).reshape(3, -1) @ np.asarray(critic.domain.kernel[...])[:, 0]
    np.testing.assert_allclose(
        verdict.logits, np.stack([np.zeros(3), logit], axis=1), rtol=1e-3, atol=1e-5
    )


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda rngs: FixedPointTranslator(filters=0, rngs=rngs),
            "filters: expected at least 1, got 0",
        ),
        (
            lambda rngs: FixedPointTranslator(limit="none", rngs=rngs),
            "limit: expected one of 'tanh', 'clip', got 'none'",
        ),
        (
            lambda rngs: PatchCritic(size=(8, 8), depth=0, rngs=rngs),
            "depth: expected at least 1, got 0",
        ),
        (
            lambda rngs: PatchCritic(size=(64, 32), rngs=rngs),
            "size: expected at least 64 pixels a side, since the critic halves them 6 times, got"
            " 64x32: give a smaller",
        ),
    ],
)
def test_impossible_sizes_are_refused(make, message):
    with pytest.raises(InputError, match=message):
        nnx.eval_shape(lambda: make(nnx.Rngs(0)))


def test_images_of_another_size_are_refused():
    with pytest.raises(
        InputError,
        match=r"images: expected sides that divide by 2, .* halves them 1 times, got 7x8",
    ):
        tiny()(jnp.zeros((1, 7, 8, 1)), jnp.zeros(1, int))
    critic = PatchCritic(size=(8, 8), filters=2, depth=2, rngs=nnx.Rngs(0))
    with pytest.raises(
        InputError, match="images: expected 8x8 pixels, the `size` of the critic, got 8x7"
    ):
        critic(jnp.zeros((1, 8, 7, 1)))
