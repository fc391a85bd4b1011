"""A classifier of two sides: the sum of probabilities of each side's classes, among the two."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from cfx_jax.errors import InputError
from cfx_jax.models import two_sides

IMAGE = jnp.asarray(np.random.default_rng(0).uniform(size=(4, 4, 1)), jnp.float32)


def classifier(image):
    return jnp.stack([image.mean(), image[0].sum(), -image[1].sum(), image.max()])


@pytest.mark.parametrize("sides", [((0,), (1,)), ((0, 2, 3), (1,)), ((3,), (0, 1))])
def test_probabilities_are_sums_of_those_of_the_classes(sides):
    probabilities = np.asarray(jax.nn.softmax(classifier(IMAGE)), np.float64)
    wanted = np.array([probabilities[list(side)].sum() for side in sides])
    found = jax.nn.softmax(two_sides(classifier, *sides)(IMAGE))
    np.testing.assert_allclose(found, wanted / wanted.sum(), rtol=1e-5)


def test_of_two_classes_it_is_the_classifier_itself():
    def two(image):
        return classifier(image)[:2]

    np.testing.assert_array_equal(two_sides(two, [0], [1])(IMAGE), two(IMAGE))


@pytest.mark.parametrize(
    ("sides", "message"),
    [
        (((), (1,)), "expected one class or more on each side"),
        (((0, 1), (1,)), "expected each class once"),
        (((-1,), (1,)), "sides: expected"),
        (((0,), (7,)), "expected one image -> more than 7 logits"),
    ],
)
def test_sides_that_are_none(sides, message):
    with pytest.raises(InputError, match=message):
        two_sides(classifier, *sides)(IMAGE)
