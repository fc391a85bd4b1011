"""Descent in a linear latent, against the same descent written out on paper; limits, batches, and
mistakes.
"""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from toy_coder import (
    CODER,
    LATENT,
    ToyCoder,
    classifier,
    decode,
    encode,
    slope_of_cross_entropy,
    target_probability,
    volumes,
)

from cfx_jax.counterfactuals import latent_counterfactual, latent_counterfactual_batch
from cfx_jax.errors import InputError

VOLUMES = volumes(4)
TARGETS = np.asarray([0, 1, 1, 0])
ENTRIES = 3 * LATENT
OPTIONS = ("penalty", "num_steps", "step_size", "proximal", "slices_per_batch")
explain = jax.jit(latent_counterfactual, static_argnums=(0, 1), static_argnames=OPTIONS)


def by_hand(start, target, *, penalty, num_steps, step_size, proximal):
    """All latents, probabilities and objectives of the search."""
    start = np.asarray(start, np.float64)
    each, latent, latents = penalty / start.size, start, [start]
    for _ in range(num_steps):
        slope = slope_of_cross_entropy(latent, target)
        if proximal:
            away = latent - step_size * slope - start
            latent = start + np.sign(away) * np.maximum(np.abs(away) - step_size * each, 0)
        else:
            latent = latent - step_size * (slope + each * np.sign(latent - start))
        latents.append(latent)
    probabilities = np.asarray([target_probability(each, target) for each in latents])
    objectives = [penalty * np.abs(each - start).mean() for each in latents] - np.log(probabilities)
    return latents, probabilities, objectives


@pytest.mark.parametrize("proximal", [False, True])
@pytest.mark.parametrize("penalty", [0.0, 0.7])
@pytest.mark.parametrize("target", [0, 1])
def test_the_way_is_that_of_the_descent_on_paper(target, penalty, proximal):
    options = {"penalty": penalty, "num_steps": 6, "step_size": 0.3, "proximal": proximal}
    found = explain(CODER, classifier, VOLUMES[0], target, **options)
    start = encode(VOLUMES[0])
    latents, probabilities, objectives = by_hand(start, target, **options)
    np.testing.assert_allclose(found.latent, latents[-1], atol=2e-5)
    np.testing.assert_allclose(found.trace, probabilities, atol=1e-5)
    np.testing.assert_allclose(found.objective, objectives, atol=1e-5)
    np.testing.assert_allclose(found.probability, probabilities[-1], atol=1e-5)
    np.testing.assert_allclose(found.image, decode(found.latent), atol=1e-6)
    np.testing.assert_allclose(found.reconstruction, decode(start), atol=1e-6)
    own = jax.nn.softmax(classifier(VOLUMES[0]))[target]
    np.testing.assert_allclose(found.initial_probability, own, atol=1e-6)


def test_one_slice_as_an_image_equals_the_volume_of_that_slice():
    image = explain(CODER, classifier, VOLUMES[0, 0], 1, num_steps=3, step_size=0.5)
    volume = explain(CODER, classifier, VOLUMES[0, :1], 1, num_steps=3, step_size=0.5)
    assert image.image.shape == (4, 4, 1) and image.latent.shape == (LATENT,)
    np.testing.assert_allclose(image.image, volume.image[0], atol=1e-6)
    np.testing.assert_allclose(image.trace, volume.trace, atol=1e-6)


@pytest.mark.parametrize("penalty", [0.0, 100.0])
def test_the_first_step_follows_the_cross_entropy_alone(penalty):
    """The penalty has slope 0 where the search starts, whatever its weight."""
    found = explain(CODER, classifier, VOLUMES[1], 1, penalty=penalty, num_steps=1, step_size=0.1)
    start = np.asarray(encode(VOLUMES[1]))
    np.testing.assert_allclose(
        found.latent - start, -0.1 * slope_of_cross_entropy(start, 1), atol=1e-6
    )


def test_plain_descent_lowers_the_cross_entropy_and_rises_by_no_more_than_its_chatter():
    each, step = 0.02, 0.1
    found = explain(
        CODER, classifier, VOLUMES[2], 1, penalty=each * ENTRIES, num_steps=20, step_size=step
    )
    assert float(found.trace[-1]) > float(found.trace[0]) + 0.05
    steepest = np.abs(slope_of_cross_entropy(np.full((3, LATENT), -1e3), 1)).mean()
    assert np.diff(found.objective).max() <= step * each * ENTRIES * (each + steepest)


@pytest.mark.parametrize("options", [{"penalty": 0.0}, {"penalty": 0.5, "proximal": True}])
def test_the_objective_falls_at_every_small_step(options):
    found = explain(CODER, classifier, VOLUMES[3], 0, num_steps=20, step_size=0.05, **options)
    assert (np.diff(found.objective) < 0).all()


def test_a_proximal_step_leaves_entries_of_small_slope_where_they_are():
    start = np.asarray(encode(VOLUMES[1]))
    slopes = np.abs(slope_of_cross_entropy(start, 1))
    threshold = np.median(slopes)
    found = explain(
        CODER,
        classifier,
        VOLUMES[1],
        1,
        penalty=float(threshold) * ENTRIES,
        num_steps=1,
        proximal=True,
    )
    np.testing.assert_array_equal(np.asarray(found.latent) != start, slopes > threshold)


def test_an_overwhelming_penalty_keeps_the_latent_exactly():
    found = explain(CODER, classifier, VOLUMES[0], 1, penalty=1e9, proximal=True)
    np.testing.assert_array_equal(found.latent, jax.jit(encode)(VOLUMES[0]))
    np.testing.assert_array_equal(found.image, found.reconstruction)
    np.testing.assert_array_equal(found.objective, found.objective[0])


def test_batches_equal_single_volumes():
    options = {"penalty": 0.5, "num_steps": 4}
    batched = latent_counterfactual_batch(
        CODER, classifier, VOLUMES, TARGETS, batch_size=3, **options
    )
    for index, (volume, target) in enumerate(zip(VOLUMES, TARGETS, strict=True)):
        one = explain(CODER, classifier, volume, target, **options)
        for many, single in zip(jax.tree.leaves(batched), jax.tree.leaves(one), strict=True):
            assert isinstance(many, np.ndarray)
            np.testing.assert_allclose(many[index], single, atol=1e-5)


def test_slices_in_micro_batches_change_nothing():
    options = {"penalty": 0.5, "num_steps": 4}
    whole = explain(CODER, classifier, VOLUMES[0], 1, **options)
    parts = explain(CODER, classifier, VOLUMES[0], 1, slices_per_batch=2, **options)
    for one, other in zip(jax.tree.leaves(whole), jax.tree.leaves(parts), strict=True):
        np.testing.assert_allclose(one, other, atol=1e-6)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"image": VOLUMES}, r"image: expected one image \(h, w, c\) or one volume \(s, h, w, c\)"),
        ({"image": VOLUMES[0] * np.nan}, "image: expected finite values, got NaN"),
        ({"target": 2}, r"target: expected a class in 0\.\.1, got 2"),
        (
            {"classifier": lambda x: jax.nn.softmax(classifier(x))},
            "expected logits, got probabilities",
        ),
        ({"penalty": -1.0}, r"penalty: expected a number of at least 0, got -1\.0"),
        ({"step_size": 0.0}, r"step_size: expected a finite number above 0, got 0\.0"),
        ({"num_steps": 0}, "num_steps: expected an integer of at least 1, got 0"),
        (
            {"coder": ToyCoder(lambda x: (encode(x),), decode)},
            "coder: expected encode to give one array, got tuple",
        ),
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
        latent_counterfactual(*positional, **arguments)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"images": VOLUMES[0, 0]},
            r"images: expected a batch of images \(n, h, w, c\) or of volumes",
        ),
        ({"images": VOLUMES * 2}, r"images: expected values in \[0, 1\]"),
        (
            {"targets": TARGETS[:3]},
            r"targets: expected one class for each of the 4 images, got shape \(3,\)",
        ),
        ({"targets": TARGETS + 1}, r"targets: expected a class in 0\.\.1, got 2"),
    ],
)
def test_mistakes_in_batches_are_named(change, message):
    arguments = {"images": VOLUMES, "targets": TARGETS} | change
    images, targets = arguments.pop("images"), arguments.pop("targets")
    with pytest.raises(InputError, match=message):
        latent_counterfactual_batch(CODER, classifier, jnp.asarray(images), targets, **arguments)
