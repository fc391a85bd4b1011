"""Generators and discriminators trained with the losses of SyCE: decisions are turned over, and
back where they must be.
"""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax import nnx

from cfx_jax.counterfactuals import cyce, syce
from cfx_jax.losses import CycleWeights, cycle_terms, discriminator_terms
from cfx_jax.models import Discriminator, UNetGenerator, generator_of

PATTERN = np.sign(3.5 - np.arange(8))[None, :, None].astype(np.float32)
WEIGHTS = CycleWeights(
    10.0, 2.0, 1.0, 0.05, 0.025, 0.1
)  # as released, with more for the decision on these images


def classifier(image):
    """Reads the sign of a pattern, left half against right half."""
    score = 8 * (PATTERN * image).mean()
    return jnp.stack([-score, score])


def images_of(predicted, count, rng):
    texture = 0.1 * rng.uniform(-1, 1, size=(count, 8, 8, 1)) + 0.1 * rng.uniform(
        -1, 1, size=(count, 1, 1, 1)
    )
    return np.asarray(0.5 + 0.15 * (2 * predicted - 1) * PATTERN + texture, np.float32)


def split(make):
    models = [make(nnx.Rngs(seed)) for seed in (0, 1)]
    return nnx.split(models[0])[0], tuple(nnx.state(model) for model in models)


@pytest.mark.slow
def test_adversaries_turn_decisions_over_and_the_same_generator_brings_images_back():
    generator_graph, generators = split(lambda rngs: UNetGenerator(filters=(4, 6), rngs=rngs))
    discriminator_graph, discriminators = split(
        lambda rngs: Discriminator(size=(8, 8), filters=(4, 6), rngs=rngs)
    )
    adam = optax.adam(3e-3, eps=1e-7)

    def terms_of(generators, discriminators, predicted, images):
        own, other = (nnx.merge(generator_graph, generators[c]) for c in (predicted, 1 - predicted))
        critic = nnx.merge(discriminator_graph, discriminators[1 - predicted])
        adversarial = own(images)
        generated = (adversarial, own(adversarial), other(adversarial))
        logits = tuple(jax.vmap(classifier)(each) for each in generated)
        decided = jnp.full(len(images), predicted)
        return cycle_terms(
            images, generated, decided, logits, critic(adversarial), weights=WEIGHTS
        ), adversarial

    def generator_loss(generators, discriminators, batches):
        found = [terms_of(generators, discriminators, c, batches[c]) for c in (0, 1)]
        return sum(sum(terms.values()) for terms, _ in found), [
            adversarial for _, adversarial in found
        ]

    def discriminator_loss(discriminators, key, batches, adversarial):
        def verdict(c, image):
            return nnx.merge(discriminator_graph, discriminators[c])(image[None])[0]

        found = [
            discriminator_terms(key, partial(verdict, c), batches[c], adversarial[1 - c])
            for c in (0, 1)
        ]
        return sum(sum(terms.values()) for terms in found)

    @jax.jit
    def step(state, key, batches):
        (generators, discriminators), opt_states = state
        grad = jax.value_and_grad(generator_loss, has_aux=True)
        (loss, adversarial), slopes = grad(generators, discriminators, batches)
        of_critics = jax.grad(discriminator_loss)(discriminators, key, batches, adversarial)
        new = [
            adam.update(slope, opt)
            for slope, opt in zip((slopes, of_critics), opt_states, strict=True)
        ]
        moved = tuple(
            optax.apply_updates(old, up) for old, (up, _) in zip(state[0], new, strict=True)
        )
        return (moved, tuple(opt for _, opt in new)), loss

    rng, losses = np.random.default_rng(0), []
    state = ((generators, discriminators), (adam.init(generators), adam.init(discriminators)))
    for index in range(400):
        state, loss = step(state, jax.random.key(index), [images_of(c, 16, rng) for c in (0, 1)])
        losses.append(float(loss))
    assert np.mean(losses[-20:]) < 0.5 * losses[0]

    trained = tuple(generator_of(nnx.merge(generator_graph, each)) for each in state[0][0])
    images = np.concatenate([images_of(c, 32, rng) for c in (0, 1)])
    explain = jax.jit(
        jax.vmap(lambda x: (syce(trained, classifier, x), cyce(trained, classifier, x)))
    )
    symmetric, cyclic = explain(images)
    decided = jax.vmap(classifier)(images).argmax(axis=1)
    assert (jax.vmap(classifier)(symmetric.adversarial).argmax(axis=1) != decided).mean() > 0.95
    assert (jax.vmap(classifier)(symmetric.similar).argmax(axis=1) == decided).mean() > 0.95
    assert (
        np.square(symmetric.similar - images).mean()
        < 0.3 * np.square(symmetric.adversarial - images).mean()
    )
    np.testing.assert_array_equal(cyclic.adversarial, symmetric.adversarial)
