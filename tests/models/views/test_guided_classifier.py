"""The guided ReLU in a trace, against networks that call it themselves."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from small_resnet import small_resnet

from cfx_jax.errors import InputError
from cfx_jax.models import guided, guided_classifier, guided_relu, per_image

IMAGE = jnp.asarray(np.random.default_rng(0).normal(size=(5, 4, 3)), jnp.float32)
WEIGHTS = jnp.asarray(np.random.default_rng(1).normal(size=(3, 6)), jnp.float32)


def network(relu, wrap=lambda function: function):
    def classify(image):
        hidden = wrap(relu)(image @ WEIGHTS)
        return (hidden @ WEIGHTS.T[:, :2]).mean((0, 1))

    return classify


def slope(classifier):
    return jax.grad(lambda image: classifier(image)[0])(IMAGE)


@pytest.mark.parametrize("wrap", [lambda function: function, jax.jit, jax.checkpoint])
def test_each_relu_has_the_guided_rule(wrap):
    view = guided_classifier(network(jax.nn.relu, wrap))
    np.testing.assert_allclose(view(IMAGE), network(jax.nn.relu)(IMAGE), atol=1e-6)
    np.testing.assert_allclose(slope(view), slope(network(guided_relu)), atol=1e-6)
    assert not np.allclose(slope(view), slope(network(jax.nn.relu)))


def test_a_relu_that_clips_passes_nothing_back_above_6():
    view = guided_classifier(lambda x: jax.nn.relu6(x).sum((0, 1)) * jnp.array([1.0, -1.0, 1.0]))
    image = jnp.array([[[1.0, 1.0, 7.0]]])
    np.testing.assert_array_equal(jax.grad(lambda x: view(x).sum())(image).ravel(), [1, 0, 0])


def test_it_is_the_view_of_a_model_of_this_library():
    model = small_resnet()
    image = jnp.asarray(np.random.default_rng(0).uniform(size=(32, 32, 3)), jnp.float32)
    found = jax.jit(jax.grad(lambda x: guided_classifier(per_image(model))(x)[1]))(image)
    expected = jax.jit(jax.grad(lambda x: per_image(guided(model))(x)[1]))(image)
    np.testing.assert_allclose(found, expected, atol=1e-5 * float(jnp.abs(expected).max()))


@pytest.mark.parametrize(
    ("classifier", "message"),
    [
        (network(jax.nn.gelu), "expected one with jax.nn.relu or jax.nn.relu6"),
        (network(lambda x: jax.lax.map(jax.nn.relu, x)), "got one in scan"),
        (
            network(lambda x: jax.lax.cond(x.sum() > 0, jax.jit(jax.nn.relu), jnp.sin, x)),
            "got one in cond",
        ),
    ],
)
def test_classifiers_whose_relus_cannot_be_exchanged_are_named(classifier, message):
    with pytest.raises(InputError, match=message):
        guided_classifier(classifier)(IMAGE)
