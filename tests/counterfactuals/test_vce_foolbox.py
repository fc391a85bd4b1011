"""Counterfactuals against independent searches of the same ball: Foolbox's targeted attacks and
random points.
"""

from functools import cache

import foolbox
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from small_classifiers import convolutional_classifier, images, linear_classifier

from cfx_jax.counterfactuals import vce_batch

STEPS, COUNT = 40, 16
IMAGES = images(COUNT, seed=7)
CLASSIFIERS = {"linear": linear_classifier, "convolutional": convolutional_classifier}
RADII = {1.0: (0.5, 2.0), 1.5: (0.2, 0.8), 2.0: (0.1, 0.5), 4.0: (0.03, 0.15), np.inf: (0.01, 0.05)}
CASES = [
    # The fast suite asks the smaller radius of each ball.
    pytest.param(name, p, radius, marks=() if radius == radii[0] else pytest.mark.slow)
    for name in CLASSIFIERS
    for p, radii in RADII.items()
    for radius in radii
]
ATTACKS = {
    1.0: (foolbox.attacks.L1PGD, foolbox.attacks.SparseL1DescentAttack),
    2.0: (foolbox.attacks.L2PGD,),
    np.inf: (foolbox.attacks.LinfPGD,),
}


@cache
def targets_of(name):
    """For each image the class that is least probable."""
    return np.asarray(jax.vmap(CLASSIFIERS[name])(IMAGES)).argmin(1)


@cache
def batched(name):
    return jax.jit(jax.vmap(CLASSIFIERS[name]))


def probability(name, changed):
    """Of the target class, for a batch of changed images."""
    return np.asarray(jax.nn.softmax(batched(name)(changed)))[np.arange(COUNT), targets_of(name)]


@cache
def explained(name, p, radius):
    found = vce_batch(
        CLASSIFIERS[name], IMAGES, targets_of(name), p=p, radius=radius, num_steps=STEPS
    )
    return probability(name, found.image)


def foolbox_finds(attack, name, p, radius):
    """The target's probability under a Foolbox attack, whose images must lie in the ball."""
    model = foolbox.models.JAXModel(batched(name), bounds=(0, 1))
    criterion = foolbox.criteria.TargetedMisclassification(jnp.asarray(targets_of(name)))
    _, found, _ = attack(rel_stepsize=0.1, steps=STEPS)(
        model, jnp.asarray(IMAGES), criterion, epsilons=radius
    )
    assert np.linalg.norm(
        np.asarray(found - IMAGES).reshape(COUNT, -1), p, axis=1
    ).max() <= radius * (1 + 1e-5)
    return probability(name, found)


@pytest.mark.parametrize(
    ("name", "p", "radius"), [case for case in CASES if case.values[1] in ATTACKS]
)
def test_not_less_probable_than_what_foolbox_finds_with_as_many_steps(name, p, radius):
    """For each image where the problem is concave; else two searches may end in different local
    optima.
    """
    ours = explained(name, p, radius)
    for attack in ATTACKS[p]:
        theirs = foolbox_finds(attack, name, p, radius)
        assert ours.mean() >= theirs.mean() - 1e-6
        if name == "linear":
            assert (ours >= theirs - 1e-6).all()
        elif p != 1:
            assert (ours >= theirs - 5e-3).all()


@pytest.mark.parametrize(("name", "p", "radius"), CASES)
def test_no_image_is_less_probable_than_random_points_of_the_ball(name, p, radius):
    rng, best = np.random.default_rng(0), np.zeros(COUNT)
    for _ in range(100):
        # Dense and sparse directions, stretched to the sphere; clipping to the box does not leave
        # the ball.
        noise = rng.laplace(size=IMAGES.shape) * (
            rng.random(IMAGES.shape) < rng.choice([0.05, 0.3, 1.0])
        )
        lengths = np.linalg.norm(noise.reshape(COUNT, -1), p, axis=1)[:, None, None, None]
        candidates = np.clip(IMAGES + radius * noise / np.maximum(lengths, 1e-9), 0, 1).astype(
            np.float32
        )
        best = np.maximum(best, probability(name, candidates))
    assert (explained(name, p, radius) >= best - 1e-6).all()
