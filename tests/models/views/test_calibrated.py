"""Temperature scaling of a classifier."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from cfx_jax.errors import InputError
from cfx_jax.models import calibrated

IMAGE = jnp.asarray(np.random.default_rng(0).uniform(size=(2, 3, 1)), jnp.float32)


def classifier(image):
    return jnp.stack([image.sum(), 2 * image[0, 0, 0], -image.mean()])


def test_logits_are_divided():
    np.testing.assert_allclose(calibrated(classifier, 4.0)(IMAGE), classifier(IMAGE) / 4)


def test_temperatures_multiply():
    twice = calibrated(calibrated(classifier, 2.0), 3.0)
    np.testing.assert_allclose(twice(IMAGE), classifier(IMAGE) / 6, rtol=1e-6)


def test_temperature_is_an_argument_of_the_compiled_program():
    traces = []

    @jax.jit
    def classify(classifier, image):
        traces.append(1)
        return classifier(image)

    for temperature in (0.5, 2.0, np.float64(3.0), jnp.asarray(4.0)):
        expected = classifier(IMAGE) / float(temperature)
        np.testing.assert_allclose(
            classify(calibrated(classifier, temperature), IMAGE), expected, rtol=1e-6
        )
    assert len(traces) == 1


def test_temperature_can_be_traced():
    slope = jax.grad(lambda temperature: calibrated(classifier, temperature)(IMAGE)[0])(2.0)
    np.testing.assert_allclose(slope, -IMAGE.sum() / 4, rtol=1e-6)


@pytest.mark.parametrize("temperature", [0.0, -1.0, float("nan"), float("inf")])
def test_temperatures_that_are_not_positive_are_refused(temperature):
    with pytest.raises(
        InputError, match=f"temperature: expected a finite number above 0, got {temperature}"
    ):
        calibrated(classifier, temperature)
