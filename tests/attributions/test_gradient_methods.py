"""Gradient, integrated gradients and the VCE map against closed forms and hand-made networks."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from small_classifiers import convolutional_classifier, images

from cfx_jax.attributions import gradient, integrated_gradients, vce_saliency
from cfx_jax.errors import InputError

IMAGE = jnp.asarray(images(1)[0])


def score(image):
    return convolutional_classifier(image)[1]


def test_gradient_agrees_with_finite_differences():
    found = gradient(score, IMAGE)
    for index in [(0, 0, 0), (3, 5, 0), (7, 7, 0)]:
        bump = jnp.zeros_like(IMAGE).at[index].set(1e-2)
        assert float(found[index]) == pytest.approx(
            float(score(IMAGE + bump) - score(IMAGE - bump)) / 2e-2, rel=2e-2, abs=2e-3
        )


@pytest.mark.parametrize("baseline", [0.0, 0.5])
def test_integrated_gradients_are_complete(baseline):
    total = float(integrated_gradients(score, IMAGE, baseline=baseline, num_steps=100).sum())
    assert total == pytest.approx(float(score(IMAGE) - score(jnp.full_like(IMAGE, baseline))), rel=1e-3)


def test_integrated_gradients_of_a_product_are_known():
    image = jnp.asarray([[[0.4], [0.8]]])
    found = integrated_gradients(lambda x: x[0, 0, 0] * x[0, 1, 0] ** 2, image, num_steps=2000)
    np.testing.assert_allclose(found.ravel(), 0.4 * 0.8**2 * np.asarray([1 / 3, 2 / 3]), rtol=1e-4)


def test_integrated_gradients_of_a_linear_score_need_one_node():
    weights = jnp.asarray(images(1, seed=3)[0])
    found = integrated_gradients(lambda x: (weights * x).sum(), IMAGE, num_steps=1)
    np.testing.assert_allclose(found, weights * IMAGE, rtol=1e-6)


def test_without_the_inputs_it_is_the_mean_gradient():
    """The gradient of x y^2 along t (x, y) is t^2 y^2 and 2 t^2 x y: its mean is a third of that."""
    image = jnp.asarray([[[0.4], [0.8]]])
    found = integrated_gradients(
        lambda x: x[0, 0, 0] * x[0, 1, 0] ** 2, image, num_steps=2000, multiply_by_inputs=False
    )
    np.testing.assert_allclose(found.ravel(), [0.8**2 / 3, 2 * 0.4 * 0.8 / 3], rtol=1e-4)


@pytest.mark.parametrize("baseline", [0.0, 0.25])
def test_the_way_is_all_that_multiplies_the_mean_gradient(baseline):
    with_inputs, without = (
        integrated_gradients(score, IMAGE, baseline=baseline, num_steps=7, nodes_per_batch=3, multiply_by_inputs=each)
        for each in (True, False)
    )
    np.testing.assert_allclose(with_inputs, (IMAGE - baseline) * without, atol=1e-6)


@pytest.mark.parametrize("nodes_per_batch", [1, 3, 7, 100])
def test_node_batches_change_nothing(nodes_per_batch):
    whole = integrated_gradients(score, IMAGE, num_steps=7)
    np.testing.assert_allclose(
        integrated_gradients(score, IMAGE, num_steps=7, nodes_per_batch=nodes_per_batch), whole, atol=1e-6
    )


def test_vce_saliency_is_the_signed_change():
    np.testing.assert_allclose(vce_saliency(IMAGE, IMAGE.at[2, 2].add(-0.1))[2, 2], -0.1, atol=1e-6)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: gradient(score, IMAGE + 3), r"image: expected values in \[0, 1\]"),
        (
            lambda: integrated_gradients(score, IMAGE, baseline=jnp.zeros((2, 2, 1))),
            r"baseline: expected a number or shape \(8, 8, 1\)",
        ),
        (
            lambda: integrated_gradients(score, IMAGE, num_steps=0),
            "num_steps: expected an integer of at least 1",
        ),
        (
            lambda: integrated_gradients(score, IMAGE, nodes_per_batch=0),
            "nodes_per_batch: expected at least 1, got 0",
        ),
        (lambda: vce_saliency(IMAGE, IMAGE[:4]), r"counterfactual: expected the image's shape"),
    ],
)
def test_mistakes_are_named(call, message):
    with pytest.raises(InputError, match=message):
        call()


def test_gradient_passes_through_jit_and_vmap():
    batch = jnp.asarray(images(3))
    mapped = jax.jit(jax.vmap(lambda image: gradient(score, image)))(batch)
    np.testing.assert_allclose(mapped[2], gradient(score, batch[2]), atol=1e-6)
