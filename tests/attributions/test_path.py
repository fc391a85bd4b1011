"""Path attributions against closed forms, SciPy's quadrature and dense Jacobians."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import integrate, ndimage
from small_classifiers import images

from cfx_jax.attributions import integrated_gradients, path_attribution, path_attribution_along
from cfx_jax.errors import InputError

START, END = (jnp.asarray(each) for each in images(2, seed=4))
WAY = END - START
WEIGHTS = jnp.asarray(np.random.default_rng(5).normal(size=START.shape), jnp.float32)
RNG = np.random.default_rng(6)
FIRST = jnp.asarray(RNG.normal(size=(64, 16)), jnp.float32)
INNER, OUTER = (
    jnp.asarray(RNG.normal(size=shape) / 4, jnp.float32) for shape in ((3, 16), (16, 64))
)
LATENT_START, LATENT_END = jnp.asarray(RNG.normal(size=(2, 3)), jnp.float32)

OPTIONS = ("score", "variant", "num_steps", "sigma", "nodes_per_batch")
straight = jax.jit(path_attribution, static_argnames=OPTIONS)
along = jax.jit(path_attribution_along, static_argnames=(*OPTIONS, "decode"))


def score(image):
    """The probability of a network with one smooth layer; its gradient turns on the way."""
    return jax.nn.sigmoid(jnp.sin(image.reshape(-1) @ FIRST).sum())


gradients_of_the_score = jax.jit(jax.vmap(jax.grad(score)))


def decode(latent):
    return jax.nn.sigmoid(jnp.tanh(latent @ INNER) @ OUTER).reshape(8, 8, 1)


@pytest.mark.parametrize("num_steps", [1, 7])
def test_a_linear_score_has_a_closed_form(num_steps):
    maps = [
        straight(
            lambda x: (WEIGHTS * x).sum(), START, END, variant=variant, num_steps=num_steps
        ).map
        for variant in ("E", "v1", "v2")
    ]
    np.testing.assert_allclose(maps[0], jnp.abs(WAY), atol=1e-6)
    np.testing.assert_allclose(maps[1], WAY**2 * jnp.abs(WEIGHTS), atol=1e-6)
    np.testing.assert_allclose(maps[2], WAY**2 * jnp.abs(WEIGHTS), atol=1e-6)


def test_a_quadratic_score_has_a_closed_form():
    """The gradient of sum(a x^2) / 2 from 0 to t is a t u, whose mean is a t / 2, whatever the
    number of nodes.
    """
    for variant in ("v1", "v2"):
        found = straight(
            lambda x: 0.5 * (WEIGHTS * x**2).sum(),
            jnp.zeros_like(END),
            END,
            variant=variant,
            num_steps=3,
        )
        np.testing.assert_allclose(found.map, END**2 * jnp.abs(WEIGHTS * END) / 2, atol=1e-6)
        assert abs(float(found.residual)) < 1e-5


@pytest.mark.parametrize("variant", ["v1", "v2"])
def test_a_gradient_that_turns_agrees_with_scipys_quadrature(variant):
    """Score cos(12 x) of one pixel from 0.1 to 0.9."""

    def slope(u):
        return -12 * np.sin(12 * (0.1 + 0.8 * u))

    turns = [(np.pi * k / 12 - 0.1) / 0.8 for k in (1, 2, 3)]
    kept = slope if variant == "v1" else lambda u: abs(slope(u))
    expected = 0.8**2 * abs(integrate.quad(kept, 0, 1, points=turns)[0])
    found = straight(
        lambda x: jnp.cos(12 * x).sum(),
        jnp.full((1, 1, 1), 0.1),
        jnp.full((1, 1, 1), 0.9),
        variant=variant,
        num_steps=4000,
    )
    assert float(found.map[0, 0, 0]) == pytest.approx(expected, rel=1e-4)


def test_v1_is_the_way_times_integrated_gradients_and_v2_is_at_least_that():
    complete = integrated_gradients(score, END, baseline=START, num_steps=20)
    v1, v2 = (
        straight(score, START, END, variant=variant, num_steps=20).map for variant in ("v1", "v2")
    )
    np.testing.assert_allclose(v1, jnp.abs(WAY * complete), atol=1e-6)
    assert (v2 >= v1 - 1e-7).all()
    assert float((v2 - v1).max()) > 0


def test_a_weight_of_ones_own_is_equation_three():
    found = straight(
        score, START, END, variant=lambda gradient, velocity: gradient**2, num_steps=9
    ).map
    gradients = gradients_of_the_score(jnp.stack([START + (m + 0.5) / 9 * WAY for m in range(9)]))
    np.testing.assert_allclose(found, jnp.abs(WAY * (gradients**2).mean(axis=0)), atol=1e-6)


def test_the_residual_is_what_the_quadrature_lacks():
    found = straight(score, START, END, num_steps=3)
    gradients = gradients_of_the_score(jnp.stack([START + (m + 0.5) / 3 * WAY for m in range(3)]))
    expected = (gradients.mean(axis=0) * WAY).sum() - (score(END) - score(START))
    assert float(found.residual) == pytest.approx(float(expected), abs=1e-6)


def test_the_residual_falls_fourfold_where_the_nodes_double():
    coarse, fine = (
        float(
            straight(lambda x: jnp.sin((3 * WEIGHTS * x).sum()), START, END, num_steps=m).residual
        )
        for m in (20, 40)
    )
    assert coarse / fine == pytest.approx(4, rel=0.1)


@pytest.mark.parametrize("variant", ["E", "v1", "v2"])
def test_swapped_ends_and_the_other_class_give_the_same_map(variant):
    found = straight(score, START, END, variant=variant, num_steps=11)
    swapped = straight(score, END, START, variant=variant, num_steps=11)
    other = straight(lambda x: 1 - score(x), START, END, variant=variant, num_steps=11)
    np.testing.assert_allclose(swapped.map, found.map, atol=1e-6)
    np.testing.assert_allclose(other.map, found.map, atol=1e-6)
    assert float(other.residual) == pytest.approx(-float(found.residual), abs=1e-6)


def test_smoothing_the_terms_is_smoothing_the_map():
    def smoothed(term):
        return ndimage.gaussian_filter(
            np.asarray(term[..., 0], float), 2, mode="constant", radius=14
        )[..., None]

    nodes = [START + (m + 0.5) / 5 * WAY for m in range(5)]
    terms = [smoothed(WAY**2 * jnp.abs(jax.grad(score)(node))) for node in nodes]
    found = straight(score, START, END, num_steps=5, sigma=2.0).map
    np.testing.assert_allclose(found, np.mean(terms, axis=0), atol=1e-6)


@pytest.mark.parametrize("nodes_per_batch", [1, 3, 100])
def test_node_batches_change_nothing(nodes_per_batch):
    whole = straight(score, START, END, num_steps=7)
    found = straight(score, START, END, num_steps=7, nodes_per_batch=nodes_per_batch)
    np.testing.assert_allclose(found.map, whole.map, atol=1e-6)
    assert float(found.residual) == pytest.approx(float(whole.residual), abs=1e-6)


@pytest.mark.parametrize("variant", ["E", "v1", "v2"])
def test_an_affine_decoder_gives_the_straight_path(variant):
    expected = straight(score, START, END, variant=variant, num_steps=6)
    found = along(
        score,
        lambda latent: (latent["half"] + latent["rest"]) * 1.0,
        {"half": START / 2, "rest": START / 2},
        {"half": END / 2, "rest": END / 2},
        variant=variant,
        num_steps=6,
    )
    np.testing.assert_allclose(found.map, expected.map, atol=1e-6)
    assert float(found.residual) == pytest.approx(float(expected.residual), abs=1e-6)


@pytest.mark.parametrize("variant", ["v1", "v2"])
def test_a_curved_path_agrees_with_dense_jacobians(variant):
    way, terms = LATENT_END - LATENT_START, []
    for m in range(6):
        latent = LATENT_START + (m + 0.5) / 6 * way
        gradient = np.asarray(jax.grad(score)(decode(latent)))
        terms.append(
            (gradient if variant == "v1" else abs(gradient))
            * np.asarray(jax.jacrev(decode)(latent) @ way) ** 2
        )
    found = along(score, decode, LATENT_START, LATENT_END, variant=variant, num_steps=6)
    np.testing.assert_allclose(found.map, abs(np.mean(terms, axis=0)), atol=1e-6)


def test_a_curved_path_is_complete_between_its_ends():
    found = along(score, decode, LATENT_START, LATENT_END, variant="E", num_steps=200)
    assert abs(float(found.residual)) < 1e-5
    np.testing.assert_allclose(
        found.map, jnp.abs(decode(LATENT_END) - decode(LATENT_START)), atol=1e-4
    )


def test_clipped_pixels_are_not_marked():
    found = along(
        score,
        lambda latent: jnp.clip(decode(latent).at[0, 0].add(2), 0, 1),
        LATENT_START,
        LATENT_END,
        num_steps=4,
    )
    assert float(found.map[0, 0, 0]) == 0
    assert float(found.map[1:].max()) > 0


def test_grey_images_are_tiled_inside_of_the_score():
    weights = jnp.asarray(RNG.normal(size=(8, 8, 3)), jnp.float32)
    found = straight(lambda x: (weights * jnp.tile(x, (1, 1, 3))).sum(), START, END).map
    np.testing.assert_allclose(
        found, WAY**2 * jnp.abs(weights.sum(axis=-1, keepdims=True)), atol=1e-5
    )


def test_jit_and_vmap_equal_a_loop():
    starts, ends = jnp.asarray(images(3)), jnp.asarray(images(3, seed=8))
    mapped = jax.jit(jax.vmap(lambda a, b: straight(score, a, b, num_steps=5, sigma=1.0)))(
        starts, ends
    )
    alone = straight(score, starts[2], ends[2], num_steps=5, sigma=1.0)
    np.testing.assert_allclose(mapped.map[2], alone.map, atol=1e-6)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: path_attribution(score, START - 1, END), r"start: expected values in \[0, 1\]"),
        (lambda: path_attribution(score, START, END + 1), r"end: expected values in \[0, 1\]"),
        (
            lambda: path_attribution(score, START, END[:4]),
            r"end: expected the shape of start \(8, 8, 1\), got \(4, 8, 1\)",
        ),
        (
            lambda: path_attribution(score, START, END, variant="v3"),
            "variant: expected one of 'E', 'v1', 'v2', got 'v3'",
        ),
        (
            lambda: path_attribution(score, START, END, num_steps=0),
            "num_steps: expected an integer of at least 1",
        ),
        (
            lambda: path_attribution(score, START, END, sigma=0.0),
            "sigma: expected a finite number above 0",
        ),
        (
            lambda: path_attribution(score, START, END, nodes_per_batch=0),
            "nodes_per_batch: expected an integer of at least",
        ),
        (
            lambda: path_attribution_along(score, decode, LATENT_START, LATENT_END[:2]),
            r"latent_end: expected the structure of latent_start float32\(3,\), got float32\(2,\)",
        ),
        (
            lambda: path_attribution_along(score, decode, LATENT_START, [LATENT_END]),
            "latent_end: expected the structure of latent_start",
        ),
        (
            lambda: path_attribution_along(score, decode, jnp.arange(3), jnp.arange(3)),
            r"latent_start: expected float arrays, got int32\(3,\): cast them",
        ),
        (
            lambda: path_attribution_along(score, jnp.sum, LATENT_START, LATENT_END),
            r"decode: expected one latent -> image \(h, w, c\) or volume \(s, h, w, c\), got shape"
            r" \(\)",
        ),
    ],
)
def test_mistakes_are_named(call, message):
    with pytest.raises(InputError, match=message):
        call()
