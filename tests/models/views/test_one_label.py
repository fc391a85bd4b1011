"""One label of a multi-label network as a classifier of two classes."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from small_classifiers import images

from cfx_jax.errors import InputError
from cfx_jax.models import one_label, per_image
from cfx_jax.objectives import log_odds

IMAGE = jnp.asarray(images(1)[0])


class Labels(nnx.Module):
    def __init__(self, seed=0):
        self.linear = nnx.Linear(64, 3, rngs=nnx.Rngs(seed))

    def __call__(self, batch):
        return self.linear(batch.reshape(len(batch), -1))


@pytest.mark.parametrize("label", [0, 2])
def test_the_probability_is_that_of_the_labels_own_sigmoid(label):
    model = Labels()
    logit = float(model(IMAGE[None])[0, label])
    logits = one_label(per_image(model), label)(IMAGE)
    np.testing.assert_allclose(jax.nn.softmax(logits)[1], 1 / (1 + np.exp(-logit)), rtol=1e-5)
    np.testing.assert_allclose(log_odds(logits, 1), logit, rtol=1e-5)
    slope = jax.grad(lambda x: log_odds(one_label(per_image(model), label)(x), 1))(IMAGE)
    np.testing.assert_allclose(slope.ravel(), model.linear.kernel[...][:, label], rtol=1e-5)


def test_weights_are_arguments_and_one_label_compiles_once():
    traces = []

    @jax.jit
    def classify(classifier, image):
        traces.append(1)
        return classifier(image)

    for seed in (0, 1):
        model = Labels(seed)
        np.testing.assert_allclose(
            classify(one_label(per_image(model), 1), IMAGE)[1], model(IMAGE[None])[0, 1], rtol=1e-4
        )
    assert len(traces) == 1


def test_labels_that_there_are_not_are_named():
    with pytest.raises(InputError, match="label: expected an integer of at least 0, got -1"):
        one_label(per_image(Labels()), -1)
    with pytest.raises(
        InputError, match=r"one logit for each label, more than 3 of them, got shape \(3,\)"
    ):
        jax.jit(one_label(per_image(Labels()), 3))(IMAGE)
    with pytest.raises(
        InputError, match=r"got shape \(1, 3\): wrap a model of batches with models.per_image"
    ):
        one_label(lambda image: Labels()(image[None]), 0)(IMAGE)
