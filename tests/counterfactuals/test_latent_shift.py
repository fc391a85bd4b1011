"""One gradient in a linear latent, against its closed form and the first step of descent."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from toy_coder import (
    CODER,
    classifier,
    decode,
    encode,
    slope_of_cross_entropy,
    target_probability,
    volumes,
)

from cfx_jax.counterfactuals import latent_counterfactual, latent_shift, latent_shift_batch
from cfx_jax.errors import InputError

VOLUMES = volumes(3)
TARGETS = np.asarray([0, 1, 1])
shift = jax.jit(latent_shift, static_argnums=(0, 1), static_argnames=("search", "slices_per_batch"))


def slope_of_probability(start, target):
    return -target_probability(start, target) * slope_of_cross_entropy(start, target)


@pytest.mark.parametrize("search", ["doubling", "gifsplanation", "latentshift"])
@pytest.mark.parametrize("target", [0, 1])
def test_the_latent_moves_by_the_factor_times_the_slope_of_the_probability(search, target):
    found = shift(CODER, classifier, VOLUMES[0], target, search=search)
    start = np.asarray(encode(VOLUMES[0]))
    slope = slope_of_probability(start, target)
    np.testing.assert_allclose(
        found.latent, start + float(found.factor) * slope, rtol=2e-4, atol=1e-5
    )
    np.testing.assert_allclose(found.image, decode(found.latent), rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(found.reconstruction, decode(start), atol=1e-6)
    swept = [target_probability(start + float(factor) * slope, target) for factor in found.lambdas]
    np.testing.assert_allclose(found.probabilities, swept, atol=1e-4)
    np.testing.assert_allclose(
        found.probability, target_probability(found.latent, target), atol=1e-4
    )
    np.testing.assert_allclose(
        found.initial_probability, jax.nn.softmax(classifier(VOLUMES[0]))[target], atol=1e-6
    )


def test_a_shift_by_0_is_the_reconstruction():
    def certain(image):
        return jnp.asarray([0.0, 9.0]) + 0 * classifier(image)

    found = shift(CODER, certain, VOLUMES[1], 1, search="latentshift")
    assert float(found.factor) == 0
    np.testing.assert_array_equal(found.image, found.reconstruction)


def test_the_probability_changes_at_first_by_the_squared_length_of_the_slope():
    found = shift(CODER, classifier, VOLUMES[1], 1, search="doubling")
    index = int(np.abs(np.asarray(found.lambdas) - 1e-5 * 2**11).argmin())
    above, below = found.probabilities[index], found.probabilities[index + 1]
    assert float(found.lambdas[index]) == -float(found.lambdas[index + 1])
    rate = float(above - below) / (2 * float(found.lambdas[index]))
    assert rate == pytest.approx(
        float((slope_of_probability(encode(VOLUMES[1]), 1) ** 2).sum()), rel=1e-3
    )


def test_the_direction_is_that_of_a_first_step_of_descent():
    start = encode(VOLUMES[2])
    shifted = shift(CODER, classifier, VOLUMES[2], 1).latent - start
    descend = jax.jit(
        lambda volume: latent_counterfactual(CODER, classifier, volume, 1, penalty=0.0, num_steps=1)
    )
    step = descend(VOLUMES[2]).latent - start
    cosine = (shifted * step).sum() / (jnp.linalg.norm(shifted) * jnp.linalg.norm(step))
    assert float(cosine) == pytest.approx(1, abs=1e-5)


def test_batches_and_micro_batches_of_slices_equal_single_volumes():
    options = {"search": "gifsplanation"}
    batched = latent_shift_batch(
        CODER, classifier, VOLUMES, TARGETS, batch_size=2, slices_per_batch=2, **options
    )
    for index, (volume, target) in enumerate(zip(VOLUMES, TARGETS, strict=True)):
        one = shift(CODER, classifier, volume, target, **options)
        for many, single in zip(jax.tree.leaves(batched), jax.tree.leaves(one), strict=True):
            assert isinstance(many, np.ndarray)
            np.testing.assert_allclose(many[index], single, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"search": "linear"},
            "search: expected one of 'doubling', 'gifsplanation', 'latentshift', got 'linear'",
        ),
        ({"image": VOLUMES}, r"image: expected one image \(h, w, c\) or one volume \(s, h, w, c\)"),
        ({"target": -1}, r"target: expected a class in 0\.\.1, got -1"),
        ({"classifier": lambda x: jnp.nan * classifier(x)}, "expected finite logits"),
    ],
)
def test_mistakes_are_named(change, message):
    arguments = {
        "coder": CODER,
        "classifier": classifier,
        "image": VOLUMES[0],
        "target": 1,
    } | change
    positional = [arguments.pop(name) for name in ("coder", "classifier", "image", "target")]
    with pytest.raises(InputError, match=message):
        latent_shift(*positional, **arguments)


def test_mistakes_in_batches_are_named():
    with pytest.raises(InputError, match="search: expected one of"):
        latent_shift_batch(CODER, classifier, VOLUMES, TARGETS, search="linear")
    with pytest.raises(InputError, match="targets: expected one class for each of the 3 images"):
        latent_shift_batch(CODER, classifier, VOLUMES, TARGETS[:2])
    with pytest.raises(InputError, match="images: expected a batch of images"):
        latent_shift_batch(CODER, classifier, VOLUMES[0, 0], TARGETS)
