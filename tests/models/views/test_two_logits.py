"""A network of one logit as a classifier: its probabilities, scores and counterfactuals are those
of the sigmoid.
"""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from small_classifiers import images

from cfx_jax.counterfactuals import vce
from cfx_jax.errors import InputError
from cfx_jax.models import per_image, two_logits
from cfx_jax.objectives import class_score

IMAGE = jnp.asarray(images(1)[0])
WEIGHTS = jnp.asarray(images(1, seed=3)[0]) - 0.5


def network(image):
    return jnp.sin(3 * (WEIGHTS * image).sum())


class OneLogit(nnx.Module):
    def __init__(self, outputs=1):
        self.linear = nnx.Linear(64, outputs, rngs=nnx.Rngs(0))

    def __call__(self, batch):
        return self.linear(batch.reshape(len(batch), -1))


@pytest.mark.parametrize("shape", [(), (1,)])
def test_probabilities_are_those_of_the_sigmoid(shape):
    logits = two_logits(lambda image: network(image).reshape(shape))(IMAGE)
    assert logits.shape == (2,) and logits.dtype == IMAGE.dtype
    p = 1 / (1 + np.exp(-float(network(IMAGE))))
    np.testing.assert_allclose(jax.nn.softmax(logits), [1 - p, p], rtol=1e-5)


@pytest.mark.parametrize("target", [0, 1])
def test_scores_of_both_classes_are_those_of_the_one_logit(target):
    sign = 1 if target else -1
    found = jax.value_and_grad(class_score(two_logits(network), target))(IMAGE)
    expected = jax.value_and_grad(lambda x: sign * network(x))(IMAGE)
    jax.tree.map(
        lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6), found, expected
    )
    probability = class_score(two_logits(network), target, of="probability")(IMAGE)
    assert float(probability) == pytest.approx(
        float(jax.nn.sigmoid(sign * network(IMAGE))), rel=1e-5
    )


def test_a_counterfactual_of_a_linear_logit_goes_straight():
    """In the l2 ball, away from the box, the best image is the one along the weights."""
    start, radius = jnp.full((8, 8, 1), 0.5), 0.3
    classifier = two_logits(lambda image: (WEIGHTS * image).sum())
    find = jax.jit(
        lambda target: vce(classifier, start, target, p=2, radius=radius, num_steps=10).image
    )
    for target, sign in ((0, -1), (1, 1)):
        np.testing.assert_allclose(
            find(target), start + sign * radius * WEIGHTS / jnp.linalg.norm(WEIGHTS), atol=2e-3
        )


def test_a_model_of_one_output_is_a_pytree_that_compiles_once():
    traces = []

    @jax.jit
    def classify(classifier, image):
        traces.append(1)
        return classifier(image)

    for scale in (1.0, 2.0):
        model = OneLogit()
        model.linear.kernel[...] = scale * model.linear.kernel[...]
        logit = model(IMAGE[None])[0, 0]
        np.testing.assert_allclose(
            classify(two_logits(per_image(model)), IMAGE), [0, logit], rtol=1e-5
        )
    assert len(traces) == 1


def test_other_outputs_are_named():
    several = (
        r"network: expected one image -> one logit, shape \(\) or \(1,\), got \(3,\): a"
        r" network of several logits is"
    )
    with pytest.raises(InputError, match=several):
        two_logits(per_image(OneLogit(3)))(IMAGE)
    with pytest.raises(
        InputError, match=r"got \(1, 1\): .* wrap one of batches with models\.per_image"
    ):
        jax.jit(two_logits(lambda image: OneLogit()(image[None])))(IMAGE)
