"""Auto-PGD on problems with known answers: linear, quadratic, and with NaN in its way."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from problems import CENTER, SLOPE, bowl, linear
from scipy.optimize import minimize

from cfx_jax.errors import InputError
from cfx_jax.geometry import lp_ball_in_box, lp_norm
from cfx_jax.optimise import apgd, run

INF = math.inf


def solve(p, objective, *, radius=0.2, num_steps=100, **options):
    constraint = lp_ball_in_box(CENTER, radius, p, **options)
    return jax.jit(lambda: run(apgd(constraint, num_steps=num_steps), objective, CENTER))()


# In l1 the published rule never moves fewer than two pixels, so the radius must buy more than one
# of them.
@pytest.mark.parametrize(("p", "radius"), [(1, 1.0), (1, 3.0), (2, 0.2), (INF, 0.2)])
def test_linear_objective_reaches_the_oracles_value(p, radius):
    best = float(linear(lp_ball_in_box(CENTER, radius, p).linear_minimiser(SLOPE)))
    start = float(linear(CENTER))
    gap = (float(solve(p, linear, radius=radius).value) - best) / (start - best)
    assert abs(gap) < 5e-3


@pytest.mark.parametrize("num_steps", [25, 100])
def test_in_l1_two_pixels_share_the_change_where_one_would_be_best(num_steps):
    largest = np.sort(np.abs(np.asarray(SLOPE)).ravel())[-2:]
    gained = float(linear(CENTER)) - float(solve(1, linear, radius=0.2, num_steps=num_steps).value)
    assert gained == pytest.approx(0.2 * largest.mean(), rel=1e-4)


@pytest.mark.parametrize(("p", "radius"), [(1, 2.0), (2, 0.4), (INF, 0.4)])
def test_quadratic_objective_comes_near_the_constrained_minimum(p, radius):
    center = np.asarray(CENTER, np.float64).ravel()
    constraint = {
        1: lambda t: radius - (t[:36] + t[36:]).sum(),
        2: lambda t: radius**2 - ((t[:36] - t[36:]) ** 2).sum(),
        INF: lambda t: radius - np.abs(t[:36] - t[36:]),
    }[p]
    scales, goal = np.linspace(1, 4, 36), 1.2 * np.asarray(SLOPE, np.float64).ravel()
    room = np.concatenate([1 - center, center]).clip(max=radius)
    solved = minimize(
        lambda t: 0.5 * (scales * (center + t[:36] - t[36:] - goal) ** 2).sum(),
        np.zeros(72),
        bounds=[(0, r) for r in room],
        constraints={"type": "ineq", "fun": constraint},
        options={"maxiter": 500, "ftol": 1e-10},
    )
    start = float(bowl(CENTER))
    gap = (float(solve(p, bowl, radius=radius).value) - solved.fun) / (start - solved.fun)
    assert -1e-4 <= gap < (0.05 if p == 1 else 2e-3)


@pytest.mark.parametrize("p", [1, 2, INF])
def test_every_iterate_is_feasible_and_the_rest_of_the_mask_untouched(p):
    mask = jnp.zeros((6, 6), bool).at[:3].set(True)
    constraint = lp_ball_in_box(CENTER, 0.3, p, mask=mask)
    algorithm = apgd(constraint, num_steps=20)
    state = algorithm.init(bowl, constraint.sample(jax.random.key(0)))
    step = jax.jit(lambda state: algorithm.step(bowl, state))
    for _ in range(20):
        state, _ = step(state)
        x = state.search.x
        assert float(lp_norm(x - CENTER, p)) <= 0.3 * (1 + 1e-5)
        assert float(x.min()) >= 0
        assert float(x.max()) <= 1
        np.testing.assert_array_equal(x[3:], CENTER[3:])


@pytest.mark.parametrize("p", [1, 2, INF])
def test_solution_is_the_best_iterate_and_scores_as_stored(p):
    result = solve(p, bowl)
    assert float(result.value) == float(result.trace.min())
    assert float(bowl(result.solution)) == pytest.approx(float(result.value), rel=1e-6)
    assert result.trace.shape == (101,)


@pytest.mark.parametrize("p", [1, 2, INF])
def test_nan_on_the_way_does_not_reach_the_solution(p):
    trap = lambda x: jnp.where(bowl(x) < 0.9 * bowl(CENTER), jnp.nan, bowl(x))  # noqa: E731
    result = solve(p, trap, radius=1.0, num_steps=20)
    assert jnp.isfinite(result.solution).all()
    assert float(result.value) < float(bowl(CENTER))


def test_tiny_gradients_do_not_stall_the_search():
    scaled = solve(2, lambda x: 1e-25 * linear(x))
    assert float(linear(scaled.solution)) == pytest.approx(float(solve(2, linear).value), rel=1e-4)


def test_first_step_is_twice_the_radius_without_momentum_then_moves_carry_on():
    constraint = lp_ball_in_box(CENTER, 0.1, 2, lower=-INF, upper=INF)
    algorithm = apgd(constraint, num_steps=100)
    state = algorithm.init(linear, CENTER)
    assert float(state.search.step_size) == pytest.approx(0.2)
    first, _ = algorithm.step(linear, state)
    unit = SLOPE / jnp.linalg.norm(SLOPE)
    np.testing.assert_allclose(first.search.x, CENTER - 0.1 * unit, atol=1e-6)
    skewed = first._replace(previous_x=first.search.x + 0.02)
    second, _ = algorithm.step(linear, skewed)
    moved = first.search.x + 0.75 * 0 + 0.25 * (-0.02)
    expected = CENTER + (moved - CENTER) * min(1.0, 0.1 / float(jnp.linalg.norm(moved - CENTER)))
    np.testing.assert_allclose(second.search.x, expected, atol=1e-6)


def test_l1_step_reduction_follows_the_sparsity_of_the_best_point():
    constraint = lp_ball_in_box(CENTER, 0.2, 1)
    algorithm = apgd(constraint, num_steps=100)
    flat = lambda x: 0 * x.sum()  # noqa: E731
    state, step = algorithm.init(flat, CENTER), jax.jit(lambda state: algorithm.step(flat, state))
    sizes, fractions = [], []
    for _ in range(20):
        state, _ = step(state)
        sizes.append(float(state.search.step_size))
        fractions.append(float(state.top_fraction))
    # The best point stays the start: sparsity 0 < 0.95 * 36 at the first check (a reset), then 0 <
    # 0 fails.
    expected = [0.2] * 7 + [max(0.2 / 1.5**k, 0.02) for k in (1, 2, 3, 4) for _ in range(4)][:13]
    np.testing.assert_allclose(sizes, expected, rtol=1e-5)
    np.testing.assert_allclose(fractions, [0.2] * 3 + [0.0] * 17)


def test_norms_without_a_projection_name_frank_wolfe():
    with pytest.raises(
        InputError,
        match=r"1, 2 or inf, which have a projection, got p = 1\.5: use auto_frank_wolfe",
    ):
        apgd(lp_ball_in_box(CENTER, 0.1, 1.5), num_steps=10)


@pytest.mark.parametrize("num_steps", [0, -1, 2.5])
def test_number_of_steps_is_checked(num_steps):
    with pytest.raises(InputError, match="num_steps: expected an integer of at least 1"):
        apgd(lp_ball_in_box(CENTER, 0.1, 2), num_steps=num_steps)
