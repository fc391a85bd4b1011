"""Auto-Frank-Wolfe: its linear rate, agreement with APGD, masks before and after the oracle."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from problems import CENTER, SLOPE, bowl, linear

from cfx_jax.geometry import lp_ball_in_box, lp_norm
from cfx_jax.optimise import apgd, auto_frank_wolfe, run


@pytest.mark.parametrize("p", [1.5, 2, 4])
def test_gap_of_a_linear_objective_shrinks_by_one_minus_the_step(p):
    constraint = lp_ball_in_box(CENTER, 0.3, p)
    result = run(auto_frank_wolfe(constraint, num_steps=4), linear, CENTER)
    best = float(linear(constraint.linear_minimiser(SLOPE)))
    gaps = np.asarray(result.trace) - best
    np.testing.assert_allclose(gaps[1:] / gaps[:-1], 0.25, rtol=2e-3)


def test_agrees_with_apgd_in_l2():
    constraint = lp_ball_in_box(CENTER, 0.4, 2)
    by_apgd = run(apgd(constraint, num_steps=75), bowl, CENTER)
    by_frank_wolfe = jax.jit(
        lambda: run(auto_frank_wolfe(constraint, num_steps=75), bowl, CENTER)
    )()
    gain = float(bowl(CENTER) - by_apgd.value)
    assert float(by_frank_wolfe.value - by_apgd.value) < 0.03 * gain


@pytest.mark.parametrize("p", [1.25, 1.5, 3, 4])
def test_beats_random_search(p):
    constraint = lp_ball_in_box(CENTER, 0.4, p)
    result = jax.jit(lambda: run(auto_frank_wolfe(constraint, num_steps=30), bowl, CENTER))()
    samples = jax.vmap(constraint.sample)(jax.random.split(jax.random.key(0), 500))
    assert float(result.value) < float(jax.vmap(bowl)(samples).min())


@pytest.mark.parametrize("p", [1.5, 4])
def test_iterates_stay_feasible(p):
    constraint = lp_ball_in_box(CENTER, 0.4, p)
    algorithm = auto_frank_wolfe(constraint, num_steps=20)
    state = algorithm.init(bowl, constraint.sample(jax.random.key(1)))
    step = jax.jit(lambda state: algorithm.step(bowl, state))
    for _ in range(20):
        state, _ = step(state)
        assert float(lp_norm(state.search.x - CENTER, p)) <= 0.4 * (1 + 1e-5)
        assert float(state.search.x.min()) >= 0


def test_a_mask_after_the_oracle_wastes_part_of_the_radius():
    mask = jnp.zeros((6, 6, 1), bool).at[:4].set(True)
    before = auto_frank_wolfe(lp_ball_in_box(CENTER, 0.2, 1.5, mask=mask), num_steps=30)
    after = auto_frank_wolfe(lp_ball_in_box(CENTER, 0.2, 1.5), num_steps=30, update_mask=mask)
    x_before, x_after = (
        jax.jit(lambda a=a: run(a, linear, CENTER).solution)() for a in (before, after)
    )
    assert float(lp_norm(x_before - CENTER, 1.5)) == pytest.approx(0.2, rel=1e-3)
    assert float(lp_norm(x_after - CENTER, 1.5)) < 0.19
    for x in (x_before, x_after):
        np.testing.assert_array_equal(x[4:], CENTER[4:])


def test_momentum_averages_gradients():
    constraint = lp_ball_in_box(CENTER, 0.3, 2)
    algorithm = auto_frank_wolfe(constraint, num_steps=5, momentum=0.9)
    state = algorithm.init(bowl, CENTER)
    first = state.search.gradient
    state, _ = algorithm.step(bowl, state)
    second = state.search.gradient
    state, _ = algorithm.step(bowl, state)
    np.testing.assert_allclose(state.mean_gradient, 0.9 * first + 0.1 * second, rtol=1e-5)
