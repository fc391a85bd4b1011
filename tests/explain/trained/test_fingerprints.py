"""A classifier is known again by its logits, and another one is not taken for it."""

import jax.numpy as jnp
import numpy as np
import pytest
from small_classifiers import linear_classifier

from cfx_jax.errors import InputError
from cfx_jax.explain.trained import check_same_model, take_fingerprint

TAKEN = take_fingerprint(linear_classifier, (8, 8, 1))


@pytest.mark.parametrize(
    "same",
    [
        linear_classifier,
        lambda image: linear_classifier(image) + 5.0,
        lambda image: linear_classifier(image) * (1 + 1e-4),
    ],
)
def test_the_same_but_for_rounding_and_a_constant(same):
    check_same_model(TAKEN, same, what="it is another")


@pytest.mark.parametrize(
    ("other", "message"),
    [
        (lambda image: 1.1 * linear_classifier(image), "differ by up to"),
        (lambda image: linear_classifier(image)[::-1], "differ by up to"),
        (lambda image: linear_classifier(image) * jnp.nan, "differ by up to nan"),
        (lambda image: jnp.zeros(3) + image.mean(), "it has 2 classes, this one 3"),
    ],
)
def test_another_classifier(other, message):
    with pytest.raises(InputError, match=f"it is another: .*{message}"):
        check_same_model(TAKEN, other, what="it is another")


def test_probes_are_the_same_each_time_and_use_the_range():
    again = take_fingerprint(linear_classifier, (8, 8, 1))
    np.testing.assert_array_equal(again.probes, TAKEN.probes)
    assert TAKEN.probes.min() < 20 and TAKEN.probes.max() > 235
    assert len({probe.tobytes() for probe in TAKEN.probes}) == len(TAKEN.probes)
