"""Plain, normalised and proximal descent against their closed forms."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from problems import CENTER, bowl, linear

from cfx_jax.errors import InputError
from cfx_jax.geometry import lp_ball_in_box
from cfx_jax.optimise import (
    best_so_far,
    from_optax,
    gradient_descent,
    proximal_gradient,
    run,
    soft_threshold,
)


def test_plain_descent_contracts_a_quadratic_by_its_rate():
    result = run(gradient_descent(num_steps=3, step_size=0.25), lambda x: (x**2).sum(), jnp.ones(2))
    np.testing.assert_allclose(result.solution, 0.125)
    np.testing.assert_allclose(result.trace, [2, 0.5, 0.125, 0.03125])


@pytest.mark.parametrize(("normalise", "norm"), [("l2", 2), ("sign", np.inf)])
def test_normalised_steps_have_the_asked_length(normalise, norm):
    result = run(gradient_descent(num_steps=1, step_size=0.1, normalise=normalise), linear, CENTER)
    assert np.linalg.norm(np.asarray(result.solution - CENTER).ravel(), norm) == pytest.approx(
        0.1, rel=1e-5
    )


def test_momentum_is_heavy_ball():
    result = run(
        gradient_descent(num_steps=3, step_size=0.1, momentum=0.5), lambda x: x.sum(), jnp.zeros(1)
    )
    np.testing.assert_allclose(result.solution, -0.1 * (1 + 1.5 + 1.75), rtol=1e-6)


def test_projected_descent_stays_in_the_set():
    constraint = lp_ball_in_box(CENTER, 0.1, 2)
    descent = gradient_descent(num_steps=30, step_size=0.05, project=constraint.project)
    assert float(jnp.linalg.norm(run(descent, bowl, CENTER).solution - CENTER)) <= 0.1 * (1 + 1e-5)


def test_proximal_descent_solves_the_lasso_in_closed_form():
    goal = jnp.asarray([2.0, -0.3, 0.0, 0.7])
    algorithm = proximal_gradient(
        lambda x, step: soft_threshold(x, jnp.zeros(4), 0.5 * step),
        lambda x: 0.5 * jnp.abs(x).sum(),
        num_steps=200,
        step_size=0.5,
    )
    result = run(algorithm, lambda x: 0.5 * ((x - goal) ** 2).sum(), jnp.ones(4))
    np.testing.assert_allclose(result.solution, [1.5, 0.0, 0.0, 0.2], atol=1e-5)
    assert float(result.value) == pytest.approx(0.5 * (0.25 + 0.09 + 0.25) + 0.5 * 1.7, rel=1e-5)


@pytest.mark.parametrize(
    "transformation", [optax.adam(0.05), optax.sgd(0.1, momentum=0.5), optax.lbfgs(0.5)]
)
def test_any_optax_transformation_minimises(transformation):
    result = run(from_optax(transformation, num_steps=100), bowl, CENTER)
    assert float(result.value) < 1e-2 * float(bowl(CENTER))


def test_optax_iterates_equal_a_loop_of_optax_itself():
    transformation = optax.adam(0.03)
    x, state = CENTER, transformation.init(CENTER)
    for _ in range(5):
        updates, state = transformation.update(jax.grad(bowl)(x), state, x)
        x = optax.apply_updates(x, updates)
    np.testing.assert_allclose(
        run(from_optax(transformation, num_steps=5), bowl, CENTER).solution, x, rtol=1e-5
    )


def test_projected_optax_stays_in_the_set():
    constraint = lp_ball_in_box(CENTER, 0.1, np.inf)
    algorithm = from_optax(optax.adam(0.05), num_steps=20, project=constraint.project)
    assert float(jnp.abs(run(algorithm, bowl, CENTER).solution - CENTER).max()) <= 0.1 * (1 + 1e-5)


def test_best_so_far_keeps_the_best_of_a_diverging_search():
    diverging = gradient_descent(num_steps=10, step_size=1.05)
    plain = run(diverging, lambda x: (x**2).sum(), jnp.ones(2))
    kept = run(best_so_far(diverging), lambda x: (x**2).sum(), jnp.ones(2))
    assert float(plain.value) > 2
    assert float(kept.value) == 2
    np.testing.assert_array_equal(plain.trace, kept.trace)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"num_steps": 0}, "num_steps: expected an integer of at least 1, got 0"),
        ({"step_size": -1.0}, "step_size: expected a finite number above 0"),
        ({"normalise": "l3"}, "normalise: expected one of None, 'l2', 'sign', got 'l3'"),
    ],
)
def test_mistakes_are_named(options, message):
    with pytest.raises(InputError, match=message):
        gradient_descent(**({"num_steps": 1, "step_size": 0.1} | options))
