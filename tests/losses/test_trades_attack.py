from functools import cache

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from cfx_jax.errors import InputError
from cfx_jax.losses import kl_divergence, trades_attack

SHAPE, RADIUS = (8, 8, 1), {2.0: 0.5, float("inf"): 0.05}


def _net(key: jax.Array) -> jax.tree_util.Partial:
    """A small smooth network with two classes."""
    first, second = jax.random.split(key)
    weights = jax.random.normal(first, (64, 16)) / 4, jax.random.normal(second, (16, 2))
    return jax.tree_util.Partial(_apply, weights)


def _apply(weights: tuple[jax.Array, jax.Array], image: jax.Array) -> jax.Array:
    return jnp.tanh((image.reshape(-1) - 0.5) @ weights[0]) @ weights[1]


@cache
def _attacked(p: float, **options: object) -> tuple[jax.Array, jax.Array, jax.tree_util.Partial]:
    net, images = _net(jax.random.key(0)), jax.random.uniform(jax.random.key(1), (256, *SHAPE))
    keys = jax.random.split(jax.random.key(2), len(images))
    attack = jax.jit(
        jax.vmap(
            lambda key, image: trades_attack(key, net, image, p=p, radius=RADIUS[p], **options)
        )
    )
    return images, attack(keys, images), net


@pytest.mark.parametrize("p", RADIUS)
def test_stays_in_the_ball_and_the_box_and_reaches_the_border(p: float) -> None:
    images, adversarial, _ = _attacked(p)
    changes = np.float64(adversarial - images).reshape(len(images), -1)
    distance = np.linalg.norm(changes, ord=p, axis=1) / RADIUS[p]
    assert distance.max() <= 1 + 1e-5
    assert distance.mean() > 0.9
    assert distance.min() > 0
    assert adversarial.min() >= 0 and adversarial.max() <= 1


@pytest.mark.parametrize("p", RADIUS)
def test_divergence_exceeds_that_of_the_start_for_nearly_all_images(p: float) -> None:
    images, adversarial, net = _attacked(p)
    _, started, _ = _attacked(p, num_steps=1, step_size=1e-6)
    clean, logits, start = (jax.vmap(net)(x) for x in (images, adversarial, started))
    assert (kl_divergence(clean, logits) > kl_divergence(clean, start)).mean() > 0.99


@pytest.mark.parametrize("p", RADIUS)
def test_beats_random_search_on_the_border_for_nearly_all_images(p: float) -> None:
    images, adversarial, net = _attacked(p)
    noise = jax.random.normal(jax.random.key(5), (20, *images.shape))
    axes = (2, 3, 4)
    unit = noise / jnp.sqrt((noise**2).sum(axes, keepdims=True)) if p == 2 else jnp.sign(noise)
    candidates = jnp.clip(images + RADIUS[p] * unit, 0, 1)
    clean, found = jax.vmap(net)(images), jax.vmap(net)(adversarial)
    others = jax.vmap(jax.vmap(net))(candidates)
    by_chance = kl_divergence(jnp.broadcast_to(clean, others.shape), others).max(axis=0)
    assert (kl_divergence(clean, found) >= by_chance).mean() > 0.95


def test_reaches_the_optimum_of_a_linear_classifier() -> None:
    # For two classes the divergence rises with the logit difference's change, so the best image of
    # the ball is at the end of the diameter along the weights, on one of its two sides.
    weights = jax.random.normal(jax.random.key(0), SHAPE)
    direction = weights / jnp.linalg.norm(weights.ravel())
    image = jnp.full(SHAPE, 0.5)

    def net(x: jax.Array) -> jax.Array:
        return jnp.stack([jnp.zeros(()), (weights * (x - 0.45)).sum()])

    attack = jax.jit(lambda key: trades_attack(key, net, image, radius=0.3))
    found = attack(jax.random.key(1))
    ends = jnp.stack(
        [kl_divergence(net(image), net(image + sign * 0.3 * direction)) for sign in (-1, 1)]
    )
    reached = kl_divergence(net(image), net(found))
    assert np.isclose(reached, ends, rtol=1e-3).any()


@jax.jit
def _attack_sure(net: jax.tree_util.Partial, image: jax.Array) -> jax.Array:
    return trades_attack(jax.random.key(1), net, image, radius=0.3)


def _sure(weights: jax.Array, temperature: float, x: jax.Array) -> jax.Array:
    """Two logits, of which the first is the larger one by 150 at temperature 1."""
    return jnp.stack([150 + (weights * (x - 0.5)).sum(), jnp.zeros(())]) / temperature


@pytest.mark.parametrize("temperature", [1.0, 0.05])
def test_a_sure_classifier_is_attacked_like_one_that_is_not(temperature: float) -> None:
    """At a margin of 150 the divergence and its gradient are 0 in float32; its direction is along
    the weights.
    """
    weights = jax.random.normal(jax.random.key(0), SHAPE)
    direction = weights / jnp.linalg.norm(weights.ravel())
    image = jnp.full(SHAPE, 0.5)
    net = jax.tree_util.Partial(_sure, weights, temperature)
    assert kl_divergence(net(image), net(image - 0.3 * direction)) == 0
    found = _attack_sure(net, image)
    along = jnp.vdot(found - image, direction) / 0.3
    assert abs(along) > 0.99


def test_every_image_moves_although_the_gradient_at_the_image_is_zero() -> None:
    images, adversarial, net = _attacked(2.0, num_steps=3)
    gradient = jax.grad(lambda x: kl_divergence(net(images[0]), net(x)))(images[0])
    assert jnp.abs(gradient).max() < 1e-7
    assert (jnp.abs(adversarial - images).max(axis=(1, 2, 3)) > 0).all()


def test_start_lies_at_the_distance_asked_for() -> None:
    def constant(image: jax.Array) -> jax.Array:
        return 0 * image[0, 0, 0] + jnp.zeros(2)

    keys, image = jax.random.split(jax.random.key(0), 200), jnp.full(SHAPE, 0.5)
    start = jax.jit(
        jax.vmap(lambda key: trades_attack(key, constant, image, radius=0.4, num_steps=1))
    )
    starts = start(keys)
    distances = jnp.linalg.norm((starts - image).reshape(200, -1), axis=1) / 0.4
    assert 0.1 <= distances.min() < 0.15 and 0.45 < distances.max() <= 0.5


def test_each_order_reaches_the_maximum_of_its_own_divergence_on_a_circle() -> None:
    # Two pixels and three classes, where the two divergences have their maxima at different places.
    weights, bias = jnp.array([[-2.0, 5.0], [-2.0, -5.0], [4.0, 3.0]]), jnp.array([2.0, 3.0, 0.0])
    image, angles = jnp.full((1, 2, 1), 0.5), jnp.linspace(0, 2 * jnp.pi, 3600)
    circle = image + 0.4 * jnp.stack([jnp.cos(angles), jnp.sin(angles)], axis=1).reshape(
        -1, 1, 2, 1
    )

    def net(x: jax.Array) -> jax.Array:
        return weights @ x.ravel() + bias

    def divergences(images: jax.Array) -> dict[str, jax.Array]:
        p, q = jax.nn.softmax(net(image)), jax.nn.softmax(jax.vmap(net)(images))
        forward, backward = (p * jnp.log(p / q)).sum(1), (q * jnp.log(q / p)).sum(1)
        return {"clean_first": forward, "adversarial_first": backward}

    keys, best = jax.random.split(jax.random.key(0), 16), divergences(circle)
    for order, other in (
        ("clean_first", "adversarial_first"),
        ("adversarial_first", "clean_first"),
    ):
        options = {"radius": 0.4, "step_size": 0.05, "num_steps": 60, "order": order}
        attack = jax.jit(
            jax.vmap(lambda key, options=options: trades_attack(key, net, image, **options))
        )
        found = attack(keys)
        reached = divergences(found)
        assert reached[order].max() == pytest.approx(float(best[order].max()), rel=0.01)
        assert reached[other][reached[order].argmax()] < 0.8 * best[other].max()


def test_start_of_the_released_code_is_the_image_itself() -> None:
    image = jnp.full(SHAPE, 0.4)
    found = trades_attack(
        jax.random.key(0), lambda x: jnp.zeros(2), image, num_steps=1, start=(0.0, 0.0)
    )
    np.testing.assert_array_equal(found, image)


def test_no_gradient_flows_through_the_result() -> None:
    net = _net(jax.random.key(0))
    image = jnp.full(SHAPE, 0.4)
    gradient = jax.grad(lambda x: trades_attack(jax.random.key(1), net, x, num_steps=2).sum())(
        image
    )
    assert (gradient == 0).all()


def test_impossible_options_are_refused() -> None:
    net, image = _net(jax.random.key(0)), jnp.full(SHAPE, 0.4)
    with pytest.raises(InputError, match="radius: expected a finite number above 0, got -1"):
        trades_attack(jax.random.key(0), net, image, radius=-1.0)
    with pytest.raises(InputError, match="'ball_then_box' exists for p = 2 and inf, got p = 1"):
        trades_attack(jax.random.key(0), net, image, p=1)
    with pytest.raises(InputError, match="num_steps: expected an integer of at least 1, got 0"):
        trades_attack(jax.random.key(0), net, image, num_steps=0)
    for start in ((0.5, 0.1), (-0.1, 0.5), (0.5, 1.5)):
        with pytest.raises(
            InputError, match=r"start: expected two rising shares of the radius in \[0, 1\], got \("
        ):
            trades_attack(jax.random.key(0), net, image, start=start)
