"""Perceptual perturbation against the closed form of linear networks and against SciPy's L-BFGS."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from scipy import optimize
from small_classifiers import convolutional_classifier, images, linear_classifier

from cfx_jax.attributions import perceptual_perturbation
from cfx_jax.errors import InputError
from cfx_jax.objectives import negative_margin

IMAGE = jnp.asarray(images(1)[0])
RNG = np.random.default_rng(0)
MAPS = [jnp.asarray(RNG.normal(size=(64, size)) / 8, jnp.float32) for size in (5, 9)]
explained = jax.jit(
    perceptual_perturbation, static_argnames=("margin", "features", "num_steps", "optimiser")
)


def linear_features(image):
    return [image.reshape(-1) @ each for each in MAPS]


def no_features(image):
    return []


def linear_margin(image):
    return negative_margin(linear_classifier, 1)(image)


def closed_form(weights, offset, target, feature_weight, image_weight):
    """Minimises (weights d + offset - target)^2 + d' Q d, where Q holds both means of squares."""
    quadratic = image_weight / 64 * np.eye(64)
    for each in MAPS:
        quadratic += (
            feature_weight / each.shape[1] * np.asarray(each, float) @ np.asarray(each, float).T
        )
    normal = quadratic + np.outer(weights, weights)
    return np.linalg.solve(normal, (target - offset) * weights)


@pytest.mark.parametrize("feature_weight", [0.0, 3.0])
def test_a_linear_network_has_a_closed_form(feature_weight):
    weights = np.asarray(jax.grad(linear_margin)(IMAGE), float).ravel()
    expected = closed_form(weights, float(linear_margin(IMAGE)), -2.0, feature_weight, 50.0)
    found = explained(
        linear_margin, linear_features, IMAGE, feature_weight=feature_weight, image_weight=50.0
    )
    np.testing.assert_allclose(found.ravel(), expected, atol=2e-4)


def test_the_objective_is_as_low_as_scipys():
    margin = negative_margin(convolutional_classifier, 1)

    def features(image):
        return {"edges": jnp.diff(image, axis=0), "mean": image.mean()}

    def objective(x):
        change = jnp.square(jnp.diff(x - IMAGE, axis=0)).mean() + jnp.square((x - IMAGE).mean())
        return 10 * change + jnp.square(x - IMAGE).mean() + (margin(x) + 2.0) ** 2

    value_and_grad = jax.jit(jax.value_and_grad(objective))

    def flat(x):
        value, gradient = value_and_grad(jnp.asarray(x.reshape(IMAGE.shape), jnp.float32))
        return float(value), np.asarray(gradient, float).ravel()

    best = optimize.minimize(flat, np.asarray(IMAGE, float).ravel(), jac=True, method="L-BFGS-B")
    found = explained(margin, features, IMAGE, feature_weight=10.0)
    assert float(objective(IMAGE + found)) <= 1.02 * best.fun
    assert float(margin(IMAGE + found)) < 0


def test_dear_features_are_kept():
    free, dear = (
        explained(linear_margin, linear_features, IMAGE, feature_weight=weight, image_weight=50.0)
        for weight in (0.0, 1e4)
    )

    def moved(change):
        return sum(float(jnp.square(each).mean()) for each in linear_features(change))

    assert moved(dear) < 1e-3 * moved(free)


def test_any_optax_optimiser_serves():
    by_newton = explained(linear_margin, no_features, IMAGE, image_weight=50.0)
    by_adam = explained(
        linear_margin,
        no_features,
        IMAGE,
        image_weight=50.0,
        num_steps=1000,
        optimiser=optax.adam(1e-2),
    )
    np.testing.assert_allclose(by_adam, by_newton, atol=1e-3)


def test_where_the_margin_is_reached_already_nothing_changes():
    found = explained(lambda x: 0 * x.sum() - 2.0, no_features, IMAGE, num_steps=3)
    np.testing.assert_array_equal(found, 0)


@jax.jit
def explained_of_scaled(scale):
    margin = negative_margin(lambda x: scale * convolutional_classifier(x), 1)
    return perceptual_perturbation(margin, no_features, IMAGE, num_steps=3)


@pytest.mark.parametrize("scale", [0.0, 1e4])
def test_constant_and_saturated_networks_give_finite_maps(scale):
    assert np.isfinite(explained_of_scaled(scale)).all()


def test_jit_and_vmap_equal_a_loop():
    """By steepest descent, which compiles fast; the conformance test does the same with the line
    search.
    """
    options = dict(num_steps=5, feature_weight=3.0, image_weight=50.0, optimiser=optax.sgd(2e-3))

    def explain(image):
        return perceptual_perturbation(linear_margin, linear_features, image, **options)

    batch = jnp.asarray(images(3))
    mapped = jax.jit(jax.vmap(explain))(batch)
    alone = explained(linear_margin, linear_features, batch[2], **options)
    assert float(jnp.abs(alone).max()) > 1e-2
    np.testing.assert_allclose(mapped[2], alone, atol=1e-5)


@pytest.mark.parametrize(
    ("image", "options", "message"),
    [
        (IMAGE, {"num_steps": 0}, "num_steps: expected an integer of at least 1"),
        (
            IMAGE,
            {"feature_weight": -1.0},
            "feature_weight: expected a number of at least 0, got -1.0",
        ),
        (
            IMAGE,
            {"image_weight": float("nan")},
            "image_weight: expected a number of at least 0, got nan",
        ),
        (IMAGE - 1, {}, r"image: expected values in \[0, 1\]"),
    ],
)
def test_mistakes_are_named(image, options, message):
    with pytest.raises(InputError, match=message):
        perceptual_perturbation(linear_margin, no_features, image, **options)
