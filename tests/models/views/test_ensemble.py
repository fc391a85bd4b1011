"""The ensemble against averaged probabilities in float64, and its gradient against the weights of
equation grad log p = sum_m p_m (1 - p_m) grad z_m / sum_m p_m for two classes, z_m the logit
difference."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from scipy.special import log_softmax, softmax
from scipy.special import logsumexp as scipy_logsumexp

from cfx_jax.errors import InputError
from cfx_jax.models import calibrated, ensemble, per_image


def constant(logits):
    """A classifier whose logits are the image plus ``logits``."""
    return lambda image: image.ravel() + jnp.asarray(logits, jnp.float32)


def linear(scale, shift=0.0):
    """Two logits -s, s with s = scale * image."""
    return lambda image: jnp.stack([-1.0, 1.0]) * (scale * image.ravel()[0] + shift)


def flatten(images):
    return images.reshape(len(images), -1)


def scalar_image(value):
    return jnp.full((1, 1, 1), value, jnp.float32)


def test_probabilities_are_averaged():
    logits = np.random.default_rng(0).normal(size=(3, 4)) * 3
    result = ensemble([constant(row) for row in logits])(jnp.zeros((1, 1, 4)))
    np.testing.assert_allclose(result, np.log(softmax(logits, axis=1).mean(axis=0)), rtol=1e-5)
    np.testing.assert_allclose(softmax(result), np.exp(result), rtol=1e-5)


def test_one_member_keeps_its_probabilities():
    logits = np.asarray([1.0, -2.0, 0.5])
    np.testing.assert_allclose(
        ensemble([constant(logits)])(jnp.zeros((1, 1, 3))), log_softmax(logits), rtol=1e-6
    )


def test_order_does_not_matter():
    members = [constant([1.0, 2.0]), constant([-3.0, 4.0]), constant([0.0, 0.1])]
    image = jnp.zeros((1, 1, 2))
    np.testing.assert_allclose(ensemble(members)(image), ensemble(members[::-1])(image), rtol=1e-6)


@pytest.mark.parametrize("pair", [(200.0, 200.0), (200.0, -200.0), (-200.0, -200.0), (200.0, 0.0)])
def test_value_and_gradient_are_exact_at_saturated_logits(pair):
    """The difference of the two logits is 2z; at z = +-200 a probability is 1e-174, which float32
    cannot hold.
    """
    members = ensemble([linear(1.0, pair[0]), linear(3.0, pair[1])])
    value, slope = jax.value_and_grad(lambda image: members(image)[1])(scalar_image(0.0))
    z = 2 * np.asarray(pair)
    log_p, log_q = -np.logaddexp(0, -z), -np.logaddexp(0, z)
    expected = scipy_logsumexp(log_p) - np.log(2)
    weights = np.exp(log_p + log_q - scipy_logsumexp(log_p))
    np.testing.assert_allclose(value, expected, rtol=1e-6, atol=1e-7)
    np.testing.assert_allclose(
        slope.item(), weights @ (2 * np.asarray([1.0, 3.0])), rtol=1e-5, atol=1e-30
    )


def test_gradient_has_the_weights_of_the_method_card():
    members, image = ensemble([linear(0.5, 0.2), linear(-1.5, 0.7)]), 0.6
    slope = jax.grad(lambda image: members(image)[1])(scalar_image(image)).item()
    p = 1 / (1 + np.exp(-2 * np.asarray([0.5 * image + 0.2, -1.5 * image + 0.7])))
    expected = (p * (1 - p) * np.asarray([1.0, -3.0])).sum() / p.sum()
    np.testing.assert_allclose(slope, expected, rtol=1e-5)


def test_calibrated_models_pass_through_jit_as_an_argument():
    traces = []

    @jax.jit
    def classify(classifier, images):
        traces.append(1)
        return jax.vmap(classifier)(images)

    images = jnp.asarray(np.random.default_rng(1).uniform(size=(2, 2, 2, 1)), jnp.float32)
    for seed, temperature in ((0, 0.5), (1, 2.0)):
        model = per_image(nnx.Sequential(flatten, nnx.Linear(4, 2, rngs=nnx.Rngs(seed))))
        logits = np.asarray(jax.vmap(model)(images), np.float64)
        expected = np.log((softmax(logits / temperature, axis=1) + softmax(logits, axis=1)) / 2)
        np.testing.assert_allclose(
            classify(ensemble([calibrated(model, temperature), model]), images),
            expected,
            rtol=1e-4,
            atol=1e-5,
        )
    assert len(traces) == 1


def test_an_empty_ensemble_is_refused():
    with pytest.raises(InputError, match=r"classifiers: expected a list of at least one, got \[\]"):
        ensemble([])
    with pytest.raises(
        InputError, match="classifiers: expected a list of at least one, got <function"
    ):
        ensemble(linear(1.0))


def test_members_with_different_classes_are_refused():
    members = ensemble([lambda image: jnp.zeros(2), lambda image: jnp.zeros(3)])
    with pytest.raises(
        InputError,
        match=r"expected the same number of classes from each, got logits \[\(2,\), \(3,\)\]",
    ):
        members(scalar_image(0.0))
