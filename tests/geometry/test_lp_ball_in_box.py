"""Linear oracle and projections against SciPy, brute force, optimality conditions, and at full
image size.
"""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jax.sharding import PartitionSpec as P
from scipy.optimize import minimize

from cfx_jax.errors import InputError
from cfx_jax.geometry import lp_ball_in_box
from cfx_jax.parallel import data_mesh

INF = float("inf")
FULL = (224, 224, 3)


def norm64(delta, p):
    delta = np.abs(np.asarray(delta, np.float64)).ravel()
    return (
        delta.max() if np.isinf(p) else delta.max() * ((delta / delta.max()) ** p).sum() ** (1 / p)
    )


@partial(jax.jit, static_argnames=("p", "lower", "upper"))
def linear_minimiser(center, radius, p, gradient, **options):
    return lp_ball_in_box(center, radius, p, **options).linear_minimiser(gradient)


@partial(jax.jit, static_argnames=("p", "projection"))
def project(center, radius, p, point, **options):
    return lp_ball_in_box(center, radius, p, **options).project(point)


def oracle(center, radius, p, weights, **options):
    """The oracle's move for maximising <weights, delta>, in float64 arithmetic on the float32
    answer.
    """
    point = linear_minimiser(center, float(radius), p, -weights, **options)
    return np.asarray(point, np.float64) - np.asarray(center, np.float64)


def small_problem(seed, size=6):
    rng = np.random.default_rng(seed)
    center = rng.uniform(size=size)
    center[rng.uniform(size=size) < 0.25] = 0.0
    center[rng.uniform(size=size) < 0.25] = 1.0
    weights = rng.normal(size=size) * np.exp(rng.normal(size=size))
    weights[rng.uniform(size=size) < 0.2] = 0.0
    return center.astype(np.float32), weights.astype(np.float32)


@pytest.mark.parametrize("p", [1.1, 1.25, 1.5, 2.0, 3.0, 4.0, 8.0])
@pytest.mark.parametrize("seed", range(6))
def test_oracle_is_as_good_as_slsqp(p, seed):
    center, weights = small_problem(seed)
    radius = float(np.random.default_rng(seed + 100).choice([0.1, 0.4, 1.0]))
    ours = float(weights @ oracle(jnp.asarray(center), radius, p, jnp.asarray(weights)))
    room = np.where(weights > 0, 1 - center, center).astype(np.float64)
    size = np.abs(weights).astype(np.float64)
    best = 0.0
    for start in (0.3, 0.7):
        solved = minimize(
            lambda t: -size @ t,
            np.full(len(size), start) * np.minimum(room, radius),
            jac=lambda t: -size,
            bounds=[(0, r) for r in room],
            constraints={
                "type": "ineq",
                "fun": lambda t: 1 - ((t / radius) ** p).sum(),
                "jac": lambda t: -p * (t / radius) ** (p - 1) / radius,
            },
            options={"maxiter": 500, "ftol": 1e-12},
        )
        feasible = ((np.clip(solved.x, 0, room) / radius) ** p).sum() <= 1 + 1e-9
        best = max(best, float(size @ np.clip(solved.x, 0, room)) if feasible else 0.0)
    assert ours >= best * (1 - 1e-4) - 1e-7


@pytest.mark.parametrize(
    ("p", "radius"),
    [(1, 50), (1.1, 60), (1.25, 60), (1.5, 30), (2, 6), (3, 1), (4, 0.2), (8, 0.05), (1000, 0.02)],
)
@pytest.mark.parametrize("heavy_tails", [False, True])
def test_oracle_at_full_size_is_feasible_and_ignores_the_gradient_scale(p, radius, heavy_tails):
    rng = np.random.default_rng(0)
    center = jnp.asarray(np.clip(rng.normal(0.4, 0.3, FULL), 0, 1), jnp.float32)
    weights = rng.normal(size=FULL) * (np.exp(2 * rng.normal(size=FULL)) if heavy_tails else 1)
    weights = jnp.asarray(weights / np.linalg.norm(weights), jnp.float32)
    values = []
    for scale in (1e-12, 1e-6, 1.0, 1e6):
        delta = oracle(center, radius, p, weights * jnp.float32(scale))
        assert norm64(delta, p) <= radius * (1 + 1e-6)
        assert norm64(delta, p) >= radius * (1 - 1e-5)
        values.append((np.asarray(weights, np.float64) * delta).sum())
    np.testing.assert_allclose(values, values[2], rtol=1e-6)


@pytest.mark.parametrize(("p", "radius"), [(1.5, 30), (2, 6), (4, 0.2), (1.5, 700)])
def test_oracle_at_full_size_meets_the_optimality_conditions(p, radius):
    rng = np.random.default_rng(1)
    center = np.clip(rng.normal(0.5, 0.4, FULL), 0, 1).astype(np.float32)
    weights = rng.normal(size=FULL).astype(np.float32)
    delta = np.abs(oracle(jnp.asarray(center), radius, p, jnp.asarray(weights)))
    room = np.where(weights > 0, 1 - center, center).astype(np.float64)
    size = np.abs(weights).astype(np.float64)
    saturated = delta >= room * (1 - 1e-5) - 1e-7
    multiplier = size / np.maximum(delta, 1e-30) ** (p - 1)
    free = multiplier[~saturated & (delta > 1e-2 * delta.max())]
    # The stored pixel is rounded to 6e-8, which the power p - 1 of the change magnifies.
    tolerance = 1e-4 + 2 * (p - 1) * 6e-8 / (1e-2 * delta.max())
    assert free.max() / free.min() < 1 + tolerance
    loaded = saturated & (room > 1e-2 * delta.max())
    assert (multiplier[loaded] >= free.min() * (1 - tolerance)).all()


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10_000), st.sampled_from([1.0, 1.3, 2.0, 3.0, INF]), st.floats(0.05, 3))
def test_oracle_stays_below_hoelder_and_beats_random_feasible_points(seed, p, radius):
    center, weights = small_problem(seed)
    delta = oracle(jnp.asarray(center), radius, p, jnp.asarray(weights))
    value = float(weights @ delta)
    dual = np.abs(weights).max() if p == 1 else norm64(weights, p / (p - 1) if p < INF else 1.0)
    assert value <= radius * dual * (1 + 1e-5) + 1e-6
    rng = np.random.default_rng(seed)
    for _ in range(20):
        other = np.clip(center + rng.normal(size=center.shape), 0, 1) - center
        other *= min(1, radius / max(norm64(other, p), 1e-12))
        assert weights @ other <= value + 1e-5


def test_oracle_is_a_knapsack_at_p_1():
    center = jnp.full(4, 0.5)
    delta = oracle(center, 0.8, 1, jnp.asarray([3.0, -2.0, 2.0, 1.0]))
    np.testing.assert_allclose(delta, [0.5, -0.15, 0.15, 0.0], atol=1e-6)


def test_oracle_approaches_its_limits_in_p():
    rng = np.random.default_rng(3)
    center = jnp.asarray(rng.uniform(0.1, 0.9, 50), jnp.float32)
    weights = jnp.asarray(rng.normal(size=50), jnp.float32)
    value = {
        p: float(np.asarray(weights) @ oracle(center, 0.3, p, weights)) for p in (1, 1.01, 1e3, INF)
    }
    assert value[1.01] == pytest.approx(value[1], rel=0.05)
    assert value[1e3] == pytest.approx(value[INF], rel=0.01)


def test_oracle_of_a_huge_radius_is_a_corner_of_the_box():
    center, weights = small_problem(5)
    for p in (1, 1.5, 2, INF):
        delta = oracle(jnp.asarray(center), 1e6, p, jnp.asarray(weights))
        np.testing.assert_allclose(
            delta, np.where(weights > 0, 1 - center, np.where(weights < 0, -center, 0))
        )


@pytest.mark.parametrize("p", [1, 1.5, 2, INF])
def test_oracle_of_a_zero_gradient_stays_at_the_centre(p):
    center = jnp.full((4, 4, 1), 0.3)
    np.testing.assert_array_equal(oracle(center, 0.5, p, jnp.zeros((4, 4, 1))), 0)


@pytest.mark.parametrize("p", [1, 1.5, 2, 4])
def test_mask_is_obeyed_before_the_oracle_solves(p):
    rng = np.random.default_rng(7)
    center = jnp.asarray(rng.uniform(size=(32, 32, 3)), jnp.float32)
    weights = jnp.asarray(rng.normal(size=(32, 32, 3)), jnp.float32)
    mask = jnp.asarray(rng.uniform(size=(32, 32)) < 0.7)
    delta = oracle(center, 0.5, p, weights, mask=mask)
    assert (delta[~np.asarray(mask)] == 0).all()
    assert norm64(delta, p) == pytest.approx(0.5, rel=1e-5)


@pytest.mark.parametrize("p", [1, 2, INF])
@pytest.mark.parametrize("seed", range(8))
def test_projection_is_as_near_as_slsqp(p, seed):
    center, _ = small_problem(seed, size=4)
    rng = np.random.default_rng(seed)
    point = (center + rng.normal(size=4)).astype(np.float32)
    radius = float(rng.choice([0.2, 0.6]))
    ours = np.asarray(project(jnp.asarray(center), radius, p, jnp.asarray(point)), np.float64)
    sign = np.sign(point - center)
    room = np.where(sign > 0, 1 - center, center).astype(np.float64)
    size = np.abs(point - center).astype(np.float64)
    constraint = {
        1: lambda t: radius - t.sum(),
        2: lambda t: radius**2 - (t**2).sum(),
        INF: lambda t: radius - t,
    }[p]
    solved = minimize(
        lambda t: ((t - size) ** 2).sum(),
        0.1 * np.minimum(room, radius),
        bounds=[(0, r) for r in room],
        constraints={"type": "ineq", "fun": constraint},
        options={"ftol": 1e-14, "maxiter": 300},
    )
    np.testing.assert_allclose(ours, center + sign * solved.x, atol=2e-4)


@pytest.mark.parametrize("radius", [0.01, 0.3, 1.7])
@pytest.mark.parametrize("seed", range(10))
def test_l1_projection_level_matches_bisection_even_in_the_first_segment(seed, radius):
    rng = np.random.default_rng(seed)
    center = rng.uniform(size=2)
    move = rng.normal(size=2) * 2
    room, size = np.where(move > 0, 1 - center, center), np.abs(move)
    low, high = 0.0, size.max()
    for _ in range(200):
        level = (low + high) / 2
        low, high = (level, high) if np.clip(size - level, 0, room).sum() > radius else (low, level)
    level = 0.0 if np.minimum(size, room).sum() <= radius else high
    expected = center + np.sign(move) * np.clip(size - level, 0, room)
    ours = project(
        jnp.asarray(center, jnp.float32), radius, 1, jnp.asarray(center + move, jnp.float32)
    )
    np.testing.assert_allclose(ours, expected, atol=2e-6)


@pytest.mark.parametrize(
    ("p", "radius"), [(1, 0.01), (1, 50), (1, 5000), (2, 0.01), (2, 6), (INF, 0.03)]
)
def test_projection_at_full_size_is_feasible_idempotent_and_the_identity_inside(p, radius):
    rng = np.random.default_rng(2)
    center = jnp.asarray(np.clip(rng.normal(0.4, 0.3, FULL), 0, 1), jnp.float32)
    projected = project(center, radius, p, center + jnp.asarray(rng.normal(size=FULL), jnp.float32))
    delta = np.asarray(projected, np.float64) - np.asarray(center, np.float64)
    # A stored pixel is rounded to 6e-8, so over d pixels the norm of the difference may exceed the
    # radius by that much.
    rounding = 6e-8 * (1 if p == INF else (np.abs(delta) > 0).sum() ** (1 / p) if p == 1 else 1)
    assert norm64(delta, p) <= radius * (1 + 1e-6) + rounding
    np.testing.assert_allclose(project(center, radius, p, projected), projected, atol=1e-6)
    inside = center + 0.5 * (projected - center)
    np.testing.assert_allclose(project(center, radius, p, inside), inside, atol=6e-8)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000), st.sampled_from([1.0, 2.0, INF]), st.floats(0.05, 2))
def test_projection_is_non_expansive(seed, p, radius):
    center, _ = small_problem(seed)
    rng = np.random.default_rng(seed)
    points = [(center + rng.normal(size=6)).astype(np.float32) for _ in range(2)]
    first, second = (np.asarray(project(jnp.asarray(center), radius, p, point)) for point in points)
    assert (
        np.linalg.norm(first - second) <= np.linalg.norm(points[0] - points[1]) * (1 + 1e-5) + 1e-6
    )


def test_apgd_form_for_l2_is_feasible_and_farther_than_the_exact_projection():
    rng = np.random.default_rng(4)
    center = jnp.asarray(rng.uniform(0, 0.2, 40), jnp.float32)
    point = center + jnp.asarray(rng.normal(size=40), jnp.float32)
    exact = project(center, 1.0, 2, point)
    published = project(center, 1.0, 2, point, projection="ball_then_box")
    assert jnp.linalg.norm(published - center) <= 1 + 1e-6
    assert published.min() >= 0
    assert jnp.linalg.norm(exact - point) < jnp.linalg.norm(published - point) - 1e-3


def test_both_forms_agree_for_linf():
    rng = np.random.default_rng(4)
    center = jnp.asarray(rng.uniform(size=40), jnp.float32)
    point = center + jnp.asarray(rng.normal(size=40), jnp.float32)
    exact = project(center, 0.1, INF, point)
    published = project(center, 0.1, INF, point, projection="ball_then_box")
    np.testing.assert_allclose(exact, published, atol=1e-7)


def best_product(center, radius, p, weights, mask):
    """The largest <weights, delta> of the set, in float64: by a sort for p = 1, else by bisection
    on the multiplier.
    """
    room = np.where(weights > 0, 1 - center, center).astype(np.float64)[mask]
    w = np.abs(weights).astype(np.float64)[mask]
    room, w = room[(room > 0) & (w > 0)], w[(room > 0) & (w > 0)]
    if np.isinf(p):
        return w @ np.minimum(room, radius)
    if p == 1:
        order = np.argsort(-w)
        before = np.cumsum(room[order]) - room[order]
        return w[order] @ np.clip(radius - before, 0, room[order])
    level = (np.log(w) - np.log(w.max())) / (p - 1)
    low, high = np.log(radius) - np.log(len(w)) / p - 1, (np.log(room) - level).max() + 1
    for _ in range(200):
        middle = (low + high) / 2
        fits = (np.minimum(room, np.exp(np.minimum(level + middle, 50))) ** p).sum() <= radius**p
        low, high = (middle, high) if fits else (low, middle)
    return w @ np.minimum(room, np.exp(np.minimum(level + low, 50)))


GRADIENTS = {
    "normal": lambda rng, normal: normal,
    "heavy tails": lambda rng, normal: normal * np.exp(3 * rng.normal(size=normal.shape)),
    "few values": lambda rng, normal: np.sign(normal) * rng.integers(1, 4, size=normal.shape),
    "largest float32": lambda rng, normal: np.clip(1e39 * normal, -3.4e38, 3.4e38),
    "subnormal": lambda rng, normal: 1e-41 * normal,
    "82 decades": lambda rng, normal: (
        np.sign(normal) * 10.0 ** rng.uniform(-44, 38, size=normal.shape)
    ),
}


@pytest.mark.parametrize("p", [1, 1.0000001, 1.0001, 1.001, 1.003, 1.01, 1.5, 2, 4, 50, INF])
def test_oracle_is_exact_for_every_norm_and_finite_gradient(p):
    """The product within 1e-5, and the norm, up to the rounding of ``center + delta`` at every
    pixel.
    """
    rng = np.random.default_rng(7)
    for case in range(12 * len(GRADIENTS)):
        center = np.clip(rng.uniform(-0.3, 1.3, size=(40, 40, 3)), 0, 1).astype(np.float32)
        gradient = list(GRADIENTS.values())[case % len(GRADIENTS)](
            rng, rng.normal(size=center.shape)
        )
        weights, mask = (
            gradient.astype(np.float32),
            rng.uniform(size=center.shape) < rng.choice([1, 0.5]),
        )
        reach = center.size ** (0 if np.isinf(p) else 1 / p)
        radius = np.float32(reach * 10 ** rng.uniform(-3, -0.1))
        delta = oracle(center, radius, p, weights, mask=mask)
        best, rounding = (
            best_product(center, float(radius), p, weights, mask),
            2e-7 * reach / radius,
        )
        assert weights.astype(np.float64).ravel() @ delta.ravel() >= best * (1 - 1e-5 - rounding), (
            case,
            radius,
        )
        assert norm64(delta, p) <= radius * (1 + 1e-6 + rounding), (case, radius)
        assert not delta[~mask].any()
        assert (center + delta).min() >= 0 and (center + delta).max() <= 1


@pytest.mark.parametrize("p", [1, 1.0001, 1.5, 2, INF])
@pytest.mark.parametrize("unusable", [np.nan, np.inf, -np.inf])
def test_a_gradient_without_a_direction_gives_the_centre_unless_it_is_masked_out(p, unusable):
    center, weights = small_problem(0)
    mask = np.arange(6) != 2
    finite = np.asarray(linear_minimiser(center, 0.3, p, weights, mask=mask))
    weights[2] = unusable
    np.testing.assert_array_equal(
        linear_minimiser(center, 0.3, p, weights, mask=np.ones(6, bool)), center
    )
    np.testing.assert_array_equal(linear_minimiser(center, 0.3, p, weights, mask=mask), finite)


@pytest.mark.parametrize("projection", ["exact", "ball_then_box"])
@pytest.mark.parametrize("p", [1, 2, INF])
def test_projection_of_points_far_away_is_that_of_their_direction(p, projection):
    """From 1e30 on it no longer depends on the distance; an entry of NaN stays."""
    if p == 1 and projection == "ball_then_box":
        pytest.skip("exists for p = 2 and inf")
    center, direction = (
        np.full(6, 0.5, np.float32),
        np.asarray([3, -2, 1, 0.5, 0, -1e-3], np.float32),
    )
    near = np.asarray(project(center, 0.3, p, 1e4 * direction, projection=projection))
    for distance in (1e15, 1e30, 1e38):
        far = project(center, 0.3, p, np.float32(distance) * direction, projection=projection)
        np.testing.assert_allclose(far, near, atol=1e-4)
    holes = np.where(direction == 1, np.nan, 1e4 * direction).astype(np.float32)
    infinite = np.where(direction == 3, np.inf, 0.4).astype(np.float32)
    for point in (holes, infinite):
        found = np.asarray(project(center, 0.3, p, point, projection=projection))
        assert np.isfinite(found).all() and norm64(found - center, p) <= 0.3 * (1 + 1e-6)
    assert np.asarray(project(center, 0.3, p, holes, projection=projection))[2] == 0.5


@pytest.mark.parametrize("radius", [1e-42, 1e-30, 1e30, 3e38])
def test_sets_of_extreme_radius_hold_their_samples(radius):
    center = jnp.full((16, 16, 3), 0.5)
    for p in (1, 1.0001, 1.5, 2, INF):
        sample = np.asarray(lp_ball_in_box(center, radius, p).sample(jax.random.key(0)))
        assert np.isfinite(sample).all()
        assert (
            (sample == 0.5).all()
            if radius < 1
            else (sample.min() >= 0 and sample.max() <= 1 and sample.std() > 0.1)
        )


@pytest.mark.parametrize("p", [1, 1.5, 2, 4, INF])
def test_samples_are_feasible_differ_by_key_and_reach_the_surface(p):
    center = jnp.full((16, 16, 3), 0.5)
    mask = jnp.zeros((16, 16), bool).at[4:12, 4:12].set(True)
    sample = jax.jit(lp_ball_in_box(center, 0.4, p, mask=mask).sample)
    first, second = (np.asarray(sample(jax.random.key(seed))) for seed in (0, 1))
    assert not np.array_equal(first, second)
    assert (first[~np.asarray(mask)] == 0.5).all()
    assert norm64(first - 0.5, p) <= 0.4 * (1 + 1e-5)
    unmasked = lp_ball_in_box(center, 0.4, p).sample(jax.random.key(0))
    assert norm64(np.asarray(unmasked) - 0.5, p) == pytest.approx(0.4, rel=1e-4)


@pytest.mark.parametrize("p", [1, 1.0001, 2])
def test_sets_may_lie_on_several_devices(p):
    rng = np.random.default_rng(0)
    centers, points = rng.uniform(size=(2, 2, 40)).astype(np.float32)

    def answers(center, point):
        constraint = lp_ball_in_box(center, 0.3, p)
        return constraint.linear_minimiser(point - 0.5), constraint.project(point) if p in (
            1,
            2,
        ) else center

    spread = jax.shard_map(
        jax.vmap(answers),
        mesh=data_mesh(devices=jax.devices()[:2]),
        in_specs=P("data"),
        out_specs=P("data"),
    )
    for found, expected in zip(
        jax.jit(spread)(centers, points), jax.vmap(answers)(centers, points), strict=True
    ):
        np.testing.assert_allclose(found, expected, atol=1e-6)


def test_set_without_a_box_is_the_plain_ball():
    center, weights = jnp.zeros(5), jnp.asarray([1.0, -2.0, 0.5, 0.0, 3.0])
    delta = oracle(center, 0.7, 2, weights, lower=-INF, upper=INF)
    np.testing.assert_allclose(delta, 0.7 * weights / jnp.linalg.norm(weights), atol=1e-6)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"radius": 0.0}, "radius: expected a finite number above 0, got 0.0"),
        ({"radius": float("nan")}, "radius: expected a finite number above 0, got nan"),
        ({"p": 0.5}, r"p: expected a norm with p >= 1 \(or inf\), got 0.5"),
        ({"p": float("nan")}, "p: expected a norm"),
        ({"mask": jnp.ones((3, 4), bool)}, r"mask: expected shape \(4, 4, 1\) or \(4, 4\)"),
        ({"mask": jnp.ones((4, 4))}, "mask: expected booleans"),
        ({"center": jnp.full((4, 4, 1), 1.5)}, r"center: expected finite values in \[0, 1\]"),
        ({"center": jnp.full((4, 4, 1), jnp.nan)}, "center: expected finite values"),
        ({"center": jnp.ones((4, 4, 1), jnp.uint8)}, "center: expected dtype float32, got uint8"),
        (
            {"projection": "nearest"},
            "projection: expected one of 'exact', 'ball_then_box', got 'nearest'",
        ),
        (
            {"p": 1, "projection": "ball_then_box"},
            "'ball_then_box' exists for p = 2 and inf, got p = 1",
        ),
    ],
)
def test_mistakes_are_named(arguments, message):
    given_arguments = {"center": jnp.full((4, 4, 1), 0.5), "radius": 0.1, "p": 2} | arguments
    with pytest.raises(InputError, match=message):
        lp_ball_in_box(**given_arguments)


def test_projection_for_another_norm_names_frank_wolfe():
    constraint = lp_ball_in_box(jnp.full((4, 4, 1), 0.5), 0.1, 1.5)
    with pytest.raises(
        InputError, match=r"no exact projection onto the l1\.5 ball.*use Auto-Frank-Wolfe"
    ):
        constraint.project(jnp.full((4, 4, 1), 0.6))
