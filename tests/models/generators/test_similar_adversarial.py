"""Generators of a similar and an adversarial image."""

from functools import cache

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from cfx_jax.errors import InputError
from cfx_jax.models import AE1_HEAD, AE2_HEAD, DuoAE, SingleAE

IMAGES = jnp.asarray(np.random.default_rng(0).uniform(size=(2, 8, 8, 1)), jnp.float32)
KINDS = [SingleAE, DuoAE]


@cache
def tiny(kind):
    return kind(filters=(2, 3), head_filters=(3, 2), rngs=nnx.Rngs(0))


@jax.jit
def run(model, images):
    return model(images)


def num_values(model):
    return sum(
        np.prod(leaf.shape, dtype=int)
        for leaf in jax.tree.leaves(nnx.state(model, (nnx.Param, nnx.BatchStat)))
    )


def test_stored_values_are_those_of_the_released_network():
    assert num_values(nnx.eval_shape(lambda: SingleAE(norm="batch", rngs=nnx.Rngs(0)))) == 233_302
    assert num_values(nnx.eval_shape(lambda: SingleAE(rngs=nnx.Rngs(0)))) == 232_244


def test_a_duo_is_two_whole_generators():
    duo = nnx.eval_shape(lambda: DuoAE(norm="batch", rngs=nnx.Rngs(0)))
    trunk, head = 205_524, (233_302 - 205_524) // 2
    assert num_values(duo) == 2 * (trunk + head)


@pytest.mark.parametrize(("filters", "count"), [(AE1_HEAD, 1), (AE2_HEAD, 2)])
def test_heads_have_as_many_3x3_convolutions_as_the_name_says(filters, count):
    model = nnx.eval_shape(lambda: SingleAE(head_filters=filters, rngs=nnx.Rngs(0)))
    assert sum(isinstance(layer, nnx.Conv) for layer in model.similar.layers.layers) == count


@pytest.mark.parametrize("kind", KINDS)
def test_the_pair_has_the_images_shape_and_range(kind):
    for images in run(tiny(kind), IMAGES):
        assert images.shape == IMAGES.shape
        assert images.min() >= 0 and images.max() <= 1


@pytest.mark.parametrize("kind", KINDS)
def test_residual_twins_add_a_tenth_of_what_the_same_weights_would_give(kind):
    residual = kind(filters=(2, 3), head_filters=(3, 2), residual=True, rngs=nnx.Rngs(0))
    for added, output in zip(run(residual, IMAGES), run(tiny(kind), IMAGES), strict=True):
        inside = (output > 0) & (output < 1)
        assert inside.any()
        expected = np.clip(IMAGES + 0.1 * np.asarray(output), 0, 1)
        np.testing.assert_allclose(np.where(inside, added, expected), expected, atol=1e-6)


@pytest.mark.parametrize("kind", KINDS)
def test_the_twins_are_alike_and_start_differently(kind):
    model = tiny(kind)
    twins = [nnx.state(each, nnx.Param) for each in (model.similar, model.adversarial)]
    assert jax.tree.map(jnp.shape, twins[0]) == jax.tree.map(jnp.shape, twins[1])
    kernels = [np.asarray(leaf) for leaf in jax.tree.leaves(twins) if leaf.ndim > 1]
    half = len(kernels) // 2
    assert all((a != b).any() for a, b in zip(kernels[:half], kernels[half:], strict=True))


@pytest.mark.parametrize("kind", KINDS)
def test_equal_twins_give_equal_images(kind):
    model = nnx.clone(tiny(kind))
    nnx.update(model.adversarial, nnx.state(model.similar))
    similar, adversarial = run(model, IMAGES)
    np.testing.assert_array_equal(similar, adversarial)


def test_the_heads_of_a_single_have_no_activation():
    head = tiny(SingleAE).similar
    a, b = (
        np.random.default_rng(seed).normal(size=(1, 8, 8, 4)).astype(np.float32) for seed in (1, 2)
    )
    both, one, other, none = (np.asarray(run(head, maps)) for maps in (a + b, a, b, 0 * a))
    np.testing.assert_allclose(both, one + other - none, atol=1e-5)


@pytest.mark.parametrize("kind", KINDS)
def test_mistakes_are_named(kind):
    with pytest.raises(InputError, match="filters: expected at least 2 numbers"):
        kind(filters=(2,), rngs=nnx.Rngs(0))
    with pytest.raises(InputError, match="head_filters: expected numbers of at least 1"):
        nnx.eval_shape(lambda: kind(head_filters=(0,), rngs=nnx.Rngs(0)))
    with pytest.raises(InputError, match="images: expected sides that divide by 2"):
        tiny(kind)(jnp.zeros((1, 9, 8, 1)))
