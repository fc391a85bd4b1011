import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from compilations import counted_compilations
from jax.tree_util import Partial
from small_classifiers import convolutional_classifier, images

from cfx_jax.counterfactuals import smallest_counterfactual, smallest_counterfactual_batch, vce
from cfx_jax.errors import InputError
from cfx_jax.geometry import lp_norm

RNG = np.random.default_rng(0)
WEIGHTS = RNG.normal(size=(6, 5, 2)).astype(np.float32)
IMAGES = RNG.uniform(0.4, 0.6, size=(5, 6, 5, 2)).astype(np.float32)
SETTINGS = {"largest_radius": 8.0, "num_steps": 30, "tolerance": 0.02}


def linear(weights, image):
    """The log-odds of class 1 are linear in the image."""
    value = jnp.sum(weights * (image - 0.5)) - 1
    return jnp.stack([jnp.zeros_like(value), value])


CLASSIFIER = Partial(linear, jnp.asarray(WEIGHTS))


def needed(image, probability, p, mask=None):
    """The distance of a hyperplane: the missing log-odds over the dual norm of the weights."""
    odds = math.log(probability / (1 - probability))
    missing = odds - (np.sum(WEIGHTS * (image - 0.5)) - 1)
    q = {1: math.inf, math.inf: 1}.get(p, p / (p - 1) if p > 1 else None)
    weights = WEIGHTS if mask is None else WEIGHTS * mask[..., None]
    return missing / np.linalg.norm(weights.ravel(), q)


@pytest.mark.parametrize("p", [1.5, 2, math.inf])
@pytest.mark.parametrize("probability", [0.5, 0.9])
def test_of_a_linear_classifier_it_is_the_distance_of_the_hyperplane(p, probability):
    answers = smallest_counterfactual_batch(
        CLASSIFIER, IMAGES, np.ones(5, int), p=p, probability=probability, **SETTINGS
    )
    expected = np.array([needed(image, probability, p) for image in IMAGES])
    assert answers.reached.all()
    assert (answers.probability >= probability - 1e-6).all()
    assert (answers.radius >= expected * (1 - 1e-5)).all()
    assert (answers.radius <= expected * 1.03).all()
    assert (answers.lower_bound <= answers.radius).all()
    norms = [lp_norm(jnp.asarray(a - b), p) for a, b in zip(answers.image, IMAGES, strict=True)]
    np.testing.assert_allclose(norms, answers.radius, rtol=1e-5)
    assert answers.image.min() >= 0 and answers.image.max() <= 1


def test_masks_bound_where_the_image_may_change():
    mask = np.zeros((6, 5), bool)
    mask[:3] = True
    answer = smallest_counterfactual(CLASSIFIER, IMAGES[0], 1, p=2, mask=mask, **SETTINGS)
    expected = needed(IMAGES[0], 0.9, 2, mask)
    assert expected <= answer.radius * (1 + 1e-5) <= expected * 1.03
    np.testing.assert_array_equal(answer.image[3:], IMAGES[0][3:])


def test_an_image_that_is_there_already_stays_as_it_is():
    answer = smallest_counterfactual(CLASSIFIER, IMAGES[0], 0, p=2, probability=0.5, **SETTINGS)
    assert answer.reached and answer.radius == 0 and answer.lower_bound == 0
    np.testing.assert_array_equal(answer.image, IMAGES[0])
    assert answer.probability == answer.initial_probability


def test_what_is_not_reached_is_the_most_confident_image():
    settings = SETTINGS | {"largest_radius": 0.1}
    answer = smallest_counterfactual(CLASSIFIER, IMAGES[0], 1, p=2, **settings)
    assert not answer.reached
    np.testing.assert_allclose(answer.radius, 0.1, rtol=1e-5)
    np.testing.assert_allclose(answer.lower_bound, 0.1)
    change = 0.1 * WEIGHTS / np.linalg.norm(WEIGHTS)
    np.testing.assert_allclose(answer.image - IMAGES[0], change, atol=2e-3)
    assert answer.initial_probability < answer.probability < 0.9


@pytest.mark.parametrize("target", [0, 2])
def test_it_is_as_small_as_by_plain_bisection_and_costs_less(target):
    """On a network with a convolution, against a loop of whole searches at halved brackets."""
    image = images(1)[0]
    ask = {"p": 2, "num_steps": 30}

    low, high, by_bisection = 0.0, 4.0, 0
    while high - low > 0.05 * high:
        radius = (low + high) / 2
        answer = vce(convolutional_classifier, image, target, radius=radius, **ask)
        low, high = (low, radius) if answer.probability >= 0.9 else (radius, high)
        by_bisection += 31
    assert low > 0 and high < 4

    passes = []

    def counted(image):
        jax.debug.callback(lambda: passes.append(1))
        return convolutional_classifier(image)

    smallest_counterfactual(counted, image, target, largest_radius=4.0, **ask)
    passes.clear()  # those of the checks and of compiling
    found = smallest_counterfactual(counted, image, target, largest_radius=4.0, **ask)
    jax.effects_barrier()
    assert found.reached
    assert low * 0.95 <= found.radius <= high * 1.05
    assert len(passes) < by_bisection / 2


def test_single_images_batches_and_jit_agree_and_compile_once():
    ask = {"p": 2, **SETTINGS}
    many = smallest_counterfactual_batch(CLASSIFIER, IMAGES, np.ones(5, int), **ask, batch_size=2)
    smallest_counterfactual(CLASSIFIER, IMAGES[0], 1, **ask)
    with counted_compilations() as compilations:
        single = [smallest_counterfactual(CLASSIFIER, image, 1, **ask) for image in IMAGES]
    assert not compilations
    np.testing.assert_allclose([answer.radius for answer in single], many.radius, rtol=1e-5)
    jitted = jax.jit(lambda image: smallest_counterfactual(CLASSIFIER, image, 1, **ask).radius)
    np.testing.assert_allclose(jitted(IMAGES[0]), many.radius[0], rtol=1e-5)


def test_random_starts_depend_on_the_key_alone():
    ask = {"p": 2, "key": jax.random.key(1), **SETTINGS}
    many = smallest_counterfactual_batch(CLASSIFIER, IMAGES, np.ones(5, int), **ask)
    few = smallest_counterfactual_batch(CLASSIFIER, IMAGES[:2], np.ones(2, int), **ask)
    np.testing.assert_allclose(many.radius[:2], few.radius, rtol=1e-5)


def test_nan_logits_give_nan():
    broken = Partial(linear, jnp.asarray(WEIGHTS).at[0, 0, 0].set(jnp.inf))
    image = jnp.asarray(IMAGES[0]).at[0, 0, 0].set(0.5)
    find = jax.jit(lambda x: smallest_counterfactual(broken, x, 1, p=2, **SETTINGS))
    answer = find(image)
    assert not answer.reached and np.isnan(answer.radius) and np.isnan(answer.image).all()


def test_an_image_with_a_gradient_of_nan_stays_as_it_is():
    def broken(image):
        value = jnp.sqrt(image[0, 0, 0] - image[0, 0, 0])
        return jnp.stack([jnp.zeros_like(value), value])

    answer = smallest_counterfactual(broken, IMAGES[0], 1, p=2, **SETTINGS)
    assert not answer.reached and answer.radius == 0
    np.testing.assert_allclose(answer.probability, 0.5)
    np.testing.assert_array_equal(answer.image, IMAGES[0])


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"probability": 1.0}, "probability: expected a value between 0 and 1, got 1.0"),
        ({"tolerance": 0.0}, "tolerance: expected a value between 0 and 1, got 0.0"),
        ({"largest_radius": 0.0}, "largest_radius"),
        ({"p": 0.5}, "p: expected"),
    ],
)
def test_wrong_settings_are_named(settings, message):
    with pytest.raises(InputError, match=message):
        smallest_counterfactual(CLASSIFIER, IMAGES[0], 1, **{"p": 2, **SETTINGS, **settings})


def test_a_radius_that_failed_is_below_the_one_that_is_given():
    """Of a rough classifier a search fails at a radius within which a later one succeeds."""
    weights = jax.random.normal(jax.random.key(0), (3, 6, 6, 1))

    def rough(image):
        first, second, third = (weights * (image - 0.5)).sum((1, 2, 3))
        evidence = first - 2 + 2.5 * jnp.sin(9 * second) * jnp.sin(7 * third)
        return jnp.stack([-evidence, evidence])

    images = jax.random.uniform(jax.random.key(1), (24, 6, 6, 1), minval=0.25, maxval=0.75)
    answers = smallest_counterfactual_batch(
        rough, np.asarray(images), np.ones(24, int), p=2, largest_radius=4.0, num_steps=20
    )
    assert answers.reached.all()
    assert (answers.lower_bound < answers.radius).all()
    norms = np.linalg.norm((answers.image - images).reshape(24, -1), axis=1)
    np.testing.assert_allclose(norms, answers.radius, rtol=1e-5)
    logits = jax.vmap(rough)(answers.image)
    np.testing.assert_array_less(0.9 - 1e-6, jax.nn.softmax(logits)[:, 1])
