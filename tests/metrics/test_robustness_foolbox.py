"""Robust accuracy against an independent attack: Foolbox's projected gradient descent with the same
budget.
"""

from functools import cache, partial

import foolbox
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from jax.tree_util import Partial
from small_classifiers import convolutional_classifier, images, linear_classifier

from cfx_jax.metrics import robustly_correct

KEY, STEPS = jax.random.key(0), 40
IMAGES = images(64, seed=5)


def two_layers(weights, image):
    """Three logits of a net with one ReLU layer."""
    return jax.nn.relu((image.ravel() - 0.5) @ weights["first"]) @ weights["second"]


@cache
def trained(noise):
    """The weights of ``two_layers`` taught by a few hundred steps which third of an image is
    brightest.
    """
    first, second = jax.random.split(jax.random.key(1))
    weights = {
        "first": jax.random.normal(first, (64, 32)) / 8,
        "second": jax.random.normal(second, (32, 3)) / 5,
    }
    optimiser = optax.adam(1e-2)

    @jax.jit
    def step(weights, state, key):
        x = jax.random.uniform(key, (256, 8, 8, 1))
        shown = x + noise * jax.random.normal(jax.random.fold_in(key, 1), x.shape)

        def loss(weights):
            logits = jax.vmap(partial(two_layers, weights))(shown)
            return optax.softmax_cross_entropy_with_integer_labels(logits, brightest(x)).mean()

        updates, state = optimiser.update(jax.grad(loss)(weights), state)
        return optax.apply_updates(weights, updates), state

    state = optimiser.init(weights)
    for key in jax.random.split(jax.random.key(2), 300):
        weights, state = step(weights, state, key)
    return weights


def brightest(x):
    """Which of rows 0-2, 3-4 and 5-7 has the brightest mean, for each image."""
    return jnp.stack(
        [part.mean((1, 2, 3)) for part in (x[:, :3], x[:, 3:5], x[:, 5:])], axis=1
    ).argmax(1)


def saturated():
    """Weights for which probabilities round to 0 and 1, so that gradients of the cross-entropy
    vanish.
    """
    return {"first": trained(0.0)["first"], "second": 200 * trained(0.0)["second"]}


# The trained ones differ in weights alone, which are arguments of the compiled attack.
CLASSIFIERS = {
    "linear": lambda: Partial(linear_classifier),
    "convolutional": lambda: Partial(convolutional_classifier),
    "plainly trained": lambda: Partial(two_layers, trained(0.0)),
    "trained on noise": lambda: Partial(two_layers, trained(0.5)),
    "saturated": lambda: Partial(two_layers, saturated()),
}
RADII = {"linear": (0.05, 0.2, 0.5), "convolutional": (0.02, 0.05, 0.1)}
MIDDLE = {name: RADII.get(name, (0.05, 0.1, 0.2))[1] for name in CLASSIFIERS}
CASES = [
    # The fast suite asks one radius of each classifier.
    pytest.param(name, radius, marks=() if radius == MIDDLE[name] else pytest.mark.slow)
    for name in CLASSIFIERS
    for radius in RADII.get(name, (0.05, 0.1, 0.2))
]


@jax.jit
def classify(classifier, batch):
    return jax.vmap(classifier)(batch)


@cache
def labels_of(name):
    return np.asarray(classify(CLASSIFIERS[name](), IMAGES)).argmax(1)


@cache
def standing(name, radius, num_restarts):
    options = {"radius": radius, "num_steps": STEPS, "num_restarts": num_restarts}
    return robustly_correct(KEY, CLASSIFIERS[name](), IMAGES, labels_of(name), **options)


@cache
def standing_against_foolbox(name, radius, step_size):
    """The images that Foolbox does not break; its images are checked here, not taken on trust."""
    logits, labels = partial(classify, CLASSIFIERS[name]()), labels_of(name)
    attack = foolbox.attacks.L2PGD(rel_stepsize=step_size, steps=STEPS)
    model = foolbox.models.JAXModel(logits, bounds=(0, 1))
    _, adversarial, _ = attack(model, jnp.asarray(IMAGES), jnp.asarray(labels), epsilons=radius)
    lengths = np.linalg.norm((adversarial - IMAGES).reshape(len(IMAGES), -1), axis=1)
    assert lengths.max() <= radius * (1 + 1e-5)
    assert adversarial.min() >= 0 and adversarial.max() <= 1
    return np.asarray(logits(adversarial)).argmax(1) == labels


@pytest.mark.parametrize(
    "step_size", [0.025, 0.1]
)  # Foolbox's default, in units of the radius, and a stronger one
@pytest.mark.parametrize(("name", "radius"), CASES)
def test_robust_accuracy_is_never_higher_than_under_foolbox_with_as_many_steps(
    name, radius, step_size
):
    ours, theirs = standing(name, radius, 1), standing_against_foolbox(name, radius, step_size)
    assert ours.mean() <= theirs.mean()


@pytest.mark.parametrize(("name", "radius"), MIDDLE.items())
def test_robust_accuracy_never_rises_with_restarts(name, radius):
    assert not (standing(name, radius, 3) & ~standing(name, radius, 1)).any()


@pytest.mark.parametrize(
    "cases",
    [MIDDLE.items(), pytest.param([case.values for case in CASES], marks=pytest.mark.slow)],
)
def test_the_cases_are_neither_trivially_robust_nor_trivially_broken(cases):
    shares = [standing(name, radius, 1).mean() for name, radius in cases]
    assert sum(0.2 < share < 0.9 for share in shares) > len(cases) / 2, shares


def five_classes(image):
    """Five logits of a net with one layer of random weights, whose other classes are all near."""
    rng = np.random.default_rng(3)
    first, second = rng.normal(size=(64, 32)) / 4, rng.normal(size=(32, 5)) / 3
    return jnp.tanh((image.ravel() - 0.5) @ jnp.asarray(first, jnp.float32)) @ jnp.asarray(
        second, jnp.float32
    )


def log_probability(logits, label, other):
    return jax.nn.log_softmax(logits)[label]


def lead(logits, label, other):
    return logits[label] - logits[other]


@partial(jax.jit, static_argnums=0)
def standing_against_descent(loss, other, labels, radius):
    """The images that 100 signed steps of shrinking length, written here, do not break.

    They go down ``loss(logits, label, other)``.
    """

    def attack(image, label):
        def step(share, state):
            delta, right = state
            length = radius * (0.02 + 0.5 * (1 - share / 100))
            delta = delta - length * jnp.sign(
                jax.grad(lambda d: loss(five_classes(image + d), label, other))(delta)
            )
            delta = jnp.clip(image + jnp.clip(delta, -radius, radius), 0, 1) - image
            return delta, right & (five_classes(image + delta).argmax() == label)

        return jax.lax.fori_loop(0, 100, step, (jnp.zeros_like(image), jnp.asarray(True)))[1]

    return jax.vmap(attack)(IMAGES, labels)


def test_of_five_classes_no_more_stand_than_against_attacks_on_each_of_them():
    """In the linf ball, where the margin alone leaves several standing that descents of other
    losses break.
    """
    labels = np.asarray(jax.vmap(five_classes)(IMAGES)).argmax(1)
    losses = [(log_probability, 0), *((lead, other) for other in range(5))]
    for radius in (0.02, 0.04):
        theirs = np.all(
            [standing_against_descent(*loss, labels, radius) for loss in losses], axis=0
        )
        ours = robustly_correct(
            KEY,
            five_classes,
            IMAGES,
            labels,
            p=np.inf,
            radius=radius,
            num_steps=STEPS,
            num_restarts=1,
        )
        assert 0.1 < theirs.mean() < 0.9
        assert ours.mean() <= theirs.mean()


def test_of_five_classes_no_more_stand_than_against_foolbox_in_the_linf_ball():
    labels = np.asarray(jax.vmap(five_classes)(IMAGES)).argmax(1)
    model = foolbox.models.JAXModel(jax.vmap(five_classes), bounds=(0, 1))
    attack = foolbox.attacks.LinfPGD(rel_stepsize=0.05, steps=STEPS)
    _, found, _ = attack(model, jnp.asarray(IMAGES), jnp.asarray(labels), epsilons=[0.04])
    theirs = np.asarray(jax.vmap(five_classes)(found[0])).argmax(1) == labels
    ours = robustly_correct(
        KEY, five_classes, IMAGES, labels, p=np.inf, radius=0.04, num_steps=STEPS, num_restarts=1
    )
    assert ours.mean() <= theirs.mean()
