"""Integrated gradients against closed forms, a network by hand, and a loop over baselines."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from small_classifiers import convolutional_classifier, images

from cfx_jax.attributions import integrated_gradients, integrated_gradients_and_residual
from cfx_jax.errors import InputError

IMAGE = jnp.asarray(images(1)[0])
BASELINES = images(3, seed=5)
PAIR = jnp.asarray([[[0.4], [0.8]]])


def score(image):
    return convolutional_classifier(image)[1]


def product(image):
    return image[0, 0, 0] * image[0, 1, 0] ** 2


OPTIONS = ("score", "num_steps", "rule", "nodes_per_batch", "multiply_by_inputs")
explained = jax.jit(integrated_gradients, static_argnames=OPTIONS)
explained_with_residual = jax.jit(integrated_gradients_and_residual, static_argnames=OPTIONS[:-1])


@pytest.mark.parametrize("rule", ["midpoint", "trapezoid"])
@pytest.mark.parametrize("baseline", [0.0, 0.5])
def test_the_map_is_complete(baseline, rule):
    total = float(explained(score, IMAGE, baseline=baseline, num_steps=100, rule=rule).sum())
    assert total == pytest.approx(
        float(score(IMAGE) - score(jnp.full_like(IMAGE, baseline))), rel=1e-3
    )


@pytest.mark.parametrize("rule", ["midpoint", "trapezoid"])
def test_of_a_product_it_is_known(rule):
    found = explained(product, PAIR, num_steps=2000, rule=rule)
    np.testing.assert_allclose(found.ravel(), 0.4 * 0.8**2 * np.asarray([1 / 3, 2 / 3]), rtol=1e-4)


def test_of_a_linear_score_one_node_is_enough():
    weights = jnp.asarray(images(1, seed=3)[0])
    found = explained(lambda x: (weights * x).sum(), IMAGE, num_steps=1)
    np.testing.assert_allclose(found, weights * IMAGE, rtol=1e-6)


def test_of_a_unit_that_wakes_on_the_way_by_hand():
    """relu(2 x - y - 1/2) is active from t = 5/12 of the way to (0.8, 0.4): on 7 of 12 pieces
    exactly.
    """
    found = explained(
        lambda x: jax.nn.relu(2 * x[0, 0, 0] - x[0, 1, 0] - 0.5),
        jnp.asarray([[[0.8], [0.4]]]),
        num_steps=12,
    )
    np.testing.assert_allclose(found.ravel(), [1.6 * 7 / 12, -0.4 * 7 / 12], rtol=1e-6)


@pytest.mark.parametrize(("rule", "error"), [("midpoint", -1 / 4), ("trapezoid", 1 / 2)])
@pytest.mark.parametrize("num_steps", [1, 2, 5])
def test_the_rules_err_on_a_cube_as_they_must(rule, error, num_steps):
    """The mean of 3 t^2 over n pieces is 1 - 1/(4 n^2) by midpoints and 1 + 1/(2 n^2) by
    trapezoids.
    """
    image = jnp.asarray([[[0.9]]])
    found = explained_with_residual(lambda x: (x**3).sum(), image, num_steps=num_steps, rule=rule)
    np.testing.assert_allclose(found.map.ravel(), 0.9**3 * (1 + error / num_steps**2), rtol=1e-6)
    assert float(found.residual) == pytest.approx(0.9**3 * error / num_steps**2, abs=1e-6)


def test_one_trapezoid_is_the_mean_of_the_gradients_at_both_ends():
    found = explained(score, IMAGE, baseline=BASELINES[0], num_steps=1, rule="trapezoid")
    ends = (jax.grad(score)(BASELINES[0]) + jax.grad(score)(IMAGE)) / 2
    np.testing.assert_allclose(found, (IMAGE - BASELINES[0]) * ends, atol=1e-6)


def test_without_the_inputs_it_is_the_mean_gradient():
    """The gradient of x y^2 along t (x, y) is t^2 y^2 and 2 t^2 x y, its mean a third of that."""
    found = explained(product, PAIR, num_steps=2000, multiply_by_inputs=False)
    np.testing.assert_allclose(found.ravel(), [0.8**2 / 3, 2 * 0.4 * 0.8 / 3], rtol=1e-4)


@pytest.mark.parametrize("baseline", [0.0, 0.25])
def test_the_way_is_all_that_multiplies_the_mean_gradient(baseline):
    with_inputs, without = (
        explained(
            score, IMAGE, baseline=baseline, num_steps=7, nodes_per_batch=3, multiply_by_inputs=each
        )
        for each in (True, False)
    )
    np.testing.assert_allclose(with_inputs, (IMAGE - baseline) * without, atol=1e-6)


@pytest.mark.parametrize("multiply_by_inputs", [True, False])
def test_several_baselines_give_the_mean_of_their_maps(multiply_by_inputs):
    options = {"num_steps": 4, "multiply_by_inputs": multiply_by_inputs}
    alone = jax.jit(lambda baseline: explained(score, IMAGE, baseline=baseline, **options))
    found = explained(score, IMAGE, baseline=BASELINES, **options)
    np.testing.assert_allclose(
        found, np.mean([alone(each) for each in BASELINES], axis=0), atol=1e-6
    )


@pytest.mark.parametrize("nodes_per_batch", [1, 3, 100])
@pytest.mark.parametrize(("baseline", "rule"), [(0.0, "midpoint"), (BASELINES[:2], "trapezoid")])
def test_node_batches_change_nothing(nodes_per_batch, baseline, rule):
    options = {"baseline": baseline, "num_steps": 4, "rule": rule}
    whole = explained(score, IMAGE, **options)
    found = explained(score, IMAGE, nodes_per_batch=nodes_per_batch, **options)
    np.testing.assert_allclose(found, whole, atol=1e-6)


@pytest.mark.parametrize("baseline", [0.5, BASELINES[1], BASELINES])
def test_the_residual_is_the_sum_less_the_rise_of_the_score(baseline):
    saliency, residual = explained_with_residual(score, IMAGE, baseline=baseline, num_steps=3)
    starts = np.broadcast_to(
        baseline, (np.shape(baseline)[0] if np.ndim(baseline) == 4 else 1, *IMAGE.shape)
    )
    rise = float(score(IMAGE)) - np.mean([float(score(start)) for start in starts])
    expected = explained(score, IMAGE, baseline=baseline, num_steps=3)
    np.testing.assert_allclose(saliency, expected, atol=1e-6)
    assert float(residual) == pytest.approx(float(saliency.sum()) - rise, abs=1e-5)
    assert abs(float(residual)) > 1e-3


def test_the_residual_falls_fourfold_when_the_steps_double():
    coarse, fine = (
        explained_with_residual(lambda x: jnp.exp(x).sum(), IMAGE, num_steps=each).residual
        for each in (2, 4)
    )
    assert float(coarse / fine) == pytest.approx(4, rel=0.05)


def test_baselines_may_be_traced_and_mapped():
    found = jax.vmap(lambda start: explained(score, IMAGE, baseline=start, num_steps=4))(BASELINES)
    expected = explained(score, IMAGE, baseline=BASELINES[2], num_steps=4)
    np.testing.assert_allclose(found[2], expected, atol=1e-6)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"baseline": jnp.zeros((2, 2, 1))},
            r"baseline: expected a number or shape \(8, 8, 1\), or \(n, 8, 8, 1\) for several, got"
            r" \(2, 2, 1\)",
        ),
        ({"baseline": jnp.zeros((0, 8, 8, 1))}, r"baseline: expected .* got \(0, 8, 8, 1\)"),
        (
            {"baseline": np.full((8, 8, 1), np.nan)},
            "baseline: expected finite values, got NaN or infinity",
        ),
        ({"rule": "simpson"}, "rule: expected one of 'midpoint', 'trapezoid', got 'simpson'"),
        ({"num_steps": 0}, "num_steps: expected an integer of at least 1, got 0"),
        ({"nodes_per_batch": 0}, "nodes_per_batch: expected an integer of at least 1, got 0"),
    ],
)
def test_mistakes_are_named(options, message):
    for method in (integrated_gradients, integrated_gradients_and_residual):
        with pytest.raises(InputError, match=message):
            method(score, IMAGE, **options)
