"""Explanations by a similar and an adversarial image."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from small_classifiers import images

from cfx_jax.attributions import path_attribution
from cfx_jax.counterfactuals import SimilarAdversarial, naive_adversarial, similar_adversarial
from cfx_jax.errors import InputError

IMAGES = jnp.asarray(images(3))


def adversary(image):
    return 1 - image


def generate(image):
    return 0.9 * image, adversary(image)


def score(image):
    return jnp.tanh(image.mean() - 0.3) + (image[2] ** 2).sum()


def test_the_explanation_is_the_difference_of_the_two_generated_images():
    pair = similar_adversarial(generate, IMAGES[0])
    np.testing.assert_allclose(pair.explanation, abs(0.9 * IMAGES[0] - (1 - IMAGES[0])), atol=1e-6)


def test_the_naive_explanation_is_the_difference_to_the_image():
    pair = naive_adversarial(adversary, IMAGES[0])
    np.testing.assert_array_equal(pair.similar, IMAGES[0])
    np.testing.assert_allclose(pair.explanation, abs(2 * IMAGES[0] - 1), atol=1e-6)


def test_the_pair_holds_the_ends_of_a_path():
    pair = similar_adversarial(generate, IMAGES[0])
    found = jax.jit(lambda *ends: path_attribution(score, *ends, variant="E"))(*pair)
    np.testing.assert_allclose(found.map, pair.explanation, atol=1e-6)


@pytest.mark.parametrize(
    "method",
    [lambda x: similar_adversarial(generate, x), lambda x: naive_adversarial(adversary, x)],
)
def test_jit_and_vmap_equal_one_by_one(method):
    mapped = jax.jit(jax.vmap(method))(IMAGES)
    assert isinstance(mapped, SimilarAdversarial)
    for many, one in zip(mapped, method(IMAGES[2]), strict=True):
        np.testing.assert_allclose(many[2], one, atol=1e-6)
    np.testing.assert_allclose(mapped.explanation[1], method(IMAGES[1]).explanation, atol=1e-6)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda: similar_adversarial(generate, IMAGES),
            r"image: expected one image \(h, w, c\), got shape \(3, 8, 8, 1\)",
        ),
        (
            lambda: naive_adversarial(adversary, 2 + IMAGES[0]),
            r"image: expected values in \[0, 1\]",
        ),
        (
            lambda: similar_adversarial(adversary, IMAGES[0]),
            r"generate: expected one image -> a tuple of 2 images of its shape \(8, 8, 1\), got"
            r" \[\(8, 8, 1\)\]",
        ),
        (
            lambda: naive_adversarial(generate, IMAGES[0]),
            r"generate: expected one image -> one image of its shape \(8, 8, 1\), got \[\(8, 8,"
            r" 1\), \(8, 8, 1\)\]",
        ),
        (
            lambda: naive_adversarial(lambda x: x[:4], IMAGES[0]),
            r"of its shape \(8, 8, 1\), got \[\(4, 8, 1\)\]",
        ),
    ],
)
def test_mistakes_are_named(call, message):
    with pytest.raises(InputError, match=message):
        call()
