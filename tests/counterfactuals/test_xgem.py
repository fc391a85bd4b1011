"""Descent in a latent of one number, against the same descent written out by hand."""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from small_classifiers import convolutional_classifier

from cfx_jax.counterfactuals import xgem, xgem_batch
from cfx_jax.errors import InputError
from cfx_jax.optimise import from_optax, gradient_descent

STEEPNESS, WEIGHT, STEP = 6.0, 0.3, 0.2
SHADES = (0.2, 0.35, 0.8)
IMAGES = jnp.stack([jnp.full((4, 4, 1), shade, jnp.float32) for shade in SHADES])
DESCENT = gradient_descent(num_steps=60, step_size=STEP)


class Coder(NamedTuple):
    encode: Callable
    decode: Callable


def classifier(image):
    return jnp.stack([0.0, STEEPNESS * (image.mean() - 0.5)])


def encode(image):
    return jnp.log(image.mean() / (1 - image.mean()))[None]


def decode(latent):
    return jnp.broadcast_to(jax.nn.sigmoid(latent), (4, 4, 1))


CODER = Coder(encode, decode)
OPTIONS = {"weight": WEIGHT, "num_bins": 5}
explain = jax.jit(
    xgem, static_argnames=("coder", "classifier", "algorithm", "weight", "until", "num_bins")
)


def sigmoid(number):
    return 1 / (1 + np.exp(-number))


def by_hand(shade, num_steps, *, weight=WEIGHT, until=0.5):
    """Shades and probabilities of class 1 of all iterates, by the derivative on paper."""
    sign = 1 if shade < 0.5 else -1
    latent = np.log(shade / (1 - shade))
    shades, probabilities = [], []
    for _ in range(num_steps + 1):
        drawn = sigmoid(latent)
        probability = sigmoid(STEEPNESS * (drawn - 0.5))
        shades.append(drawn)
        probabilities.append(probability)
        other = probability if sign == 1 else 1 - probability
        if other > until:
            break
        slope = 2 * (drawn - shade) - weight * sign * STEEPNESS * (1 - other)
        latent -= STEP * slope * drawn * (1 - drawn)
    return np.asarray(shades), np.asarray(probabilities)


@pytest.mark.parametrize("index", range(3))
def test_the_way_is_that_of_the_descent_by_hand(index):
    found = explain(CODER, classifier, IMAGES[index], DESCENT, **OPTIONS)
    shades, probabilities = by_hand(SHADES[index], 60)
    assert 3 < len(shades) < 60
    assert int(found.num_steps) == len(shades) - 1
    assert bool(found.converged)
    np.testing.assert_allclose(found.image, shades[-1], atol=1e-4)
    np.testing.assert_allclose(found.probability, probabilities[-1], atol=1e-4)
    others = probabilities if SHADES[index] < 0.5 else 1 - probabilities
    np.testing.assert_allclose(found.trace[: len(others)], others, atol=1e-4)
    np.testing.assert_array_equal(found.trace[len(others) :], found.trace[len(others) - 1])


@pytest.mark.parametrize("index", range(3))
def test_the_series_holds_the_iterates_nearest_to_each_bin(index):
    series = explain(CODER, classifier, IMAGES[index], DESCENT, **OPTIONS).series
    shades, probabilities = by_hand(SHADES[index], 60)
    centres = np.asarray([0.1, 0.3, 0.5, 0.7, 0.9])
    nearest = np.abs(centres[:, None] - probabilities).argmin(axis=1)
    np.testing.assert_allclose(series.desired, centres, atol=1e-6)
    np.testing.assert_allclose(series.probabilities, probabilities[nearest], atol=1e-4)
    np.testing.assert_allclose(series.images[:, 0, 0, 0], shades[nearest], atol=1e-4)
    own = sigmoid(STEEPNESS * (SHADES[index] - 0.5))
    assert int(series.source_bin) == int(5 * own)
    np.testing.assert_allclose(series.probability, own, atol=1e-5)


def test_a_higher_goal_is_reached_where_the_decision_weighs_more():
    for index, shade in enumerate(SHADES):
        found = explain(CODER, classifier, IMAGES[index], DESCENT, weight=3.0, until=0.8)
        probabilities = by_hand(shade, 60, weight=3.0, until=0.8)[1]
        assert bool(found.converged)
        assert int(found.num_steps) == len(probabilities) - 1
        np.testing.assert_allclose(found.probability, probabilities[-1], atol=1e-4)


def test_too_few_steps_do_not_converge():
    found = explain(
        CODER, classifier, IMAGES[0], gradient_descent(num_steps=2, step_size=STEP), **OPTIONS
    )
    assert not bool(found.converged)
    assert int(found.num_steps) == 2
    np.testing.assert_allclose(found.image, by_hand(SHADES[0], 2)[0][-1], atol=1e-5)


def test_a_reconstruction_that_is_decided_otherwise_needs_no_step():
    turned = Coder(lambda image: encode(1 - image), decode)
    found = explain(turned, classifier, IMAGES[0], DESCENT)
    assert (int(found.num_steps), bool(found.converged)) == (0, True)
    np.testing.assert_allclose(found.image, 0.8, atol=1e-5)


def test_batches_equal_single_images():
    batched = xgem_batch(CODER, classifier, IMAGES, DESCENT, batch_size=2, **OPTIONS)
    for index, image in enumerate(IMAGES):
        one = explain(CODER, classifier, image, DESCENT, **OPTIONS)
        for many, single in zip(jax.tree.leaves(batched), jax.tree.leaves(one), strict=True):
            assert isinstance(many, np.ndarray)
            np.testing.assert_allclose(many[index], single, atol=1e-5)


def test_of_a_distribution_of_latents_the_mean_is_taken():
    variational = Coder(lambda image: (encode(image), jnp.ones(1)), decode)
    found = explain(variational, classifier, IMAGES[0], DESCENT, **OPTIONS)
    alone = explain(CODER, classifier, IMAGES[0], DESCENT, **OPTIONS)
    np.testing.assert_allclose(found.image, alone.image, atol=1e-6)


def test_optimisers_of_optax_move_the_latent():
    found = explain(
        CODER, classifier, IMAGES[2], from_optax(optax.adam(0.1), num_steps=60), **OPTIONS
    )
    assert bool(found.converged)
    assert float(found.probability) < 0.5
    # Steps of Adam are all about as long as its rate.
    distance = abs(float(encode(IMAGES[2])[0] - encode(found.image)[0]))
    np.testing.assert_allclose(distance, 0.1 * int(found.num_steps), rtol=0.1)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"image": IMAGES}, r"image: expected one image \(h, w, c\)"),
        (
            {"classifier": convolutional_classifier},
            "expected two logits, whose class 1 is explained, got 3",
        ),
        (
            {"classifier": lambda x: jax.nn.softmax(classifier(x))},
            "expected logits, got probabilities",
        ),
        ({"classifier": lambda x: jnp.nan * classifier(x)}, "expected finite logits"),
        (
            {"coder": Coder(lambda x: {"latent": encode(x)}, decode)},
            "coder: expected encode to give one array or a tuple of them, got dict",
        ),
        (
            {"coder": Coder(encode, lambda latent: decode(latent)[:2])},
            r"expected one image -> one image of its shape \(4, 4, 1\), got \[\(2, 4, 1\)\]",
        ),
        ({"weight": 0.0}, "weight: expected a finite number above 0, got 0.0"),
        ({"until": 1.0}, "until: expected a value between 0 and 1, got 1.0"),
        ({"num_bins": 1}, "num_bins: expected an integer of at least 2, got 1"),
    ],
)
def test_mistakes_are_named(change, message):
    arguments = {
        "coder": CODER,
        "classifier": classifier,
        "image": IMAGES[0],
        "algorithm": DESCENT,
    } | change
    positional = [arguments.pop(name) for name in ("coder", "classifier", "image", "algorithm")]
    with pytest.raises(InputError, match=message):
        xgem(*positional, **arguments)


def test_mistakes_in_batches_are_named():
    with pytest.raises(InputError, match=r"images: expected a batch of images \(n, h, w, c\)"):
        xgem_batch(CODER, classifier, IMAGES[0], DESCENT)
