"""The adversary that translates an image into the class that a classifier does not decide on."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from cfx_jax.counterfactuals import fixed_point
from cfx_jax.errors import InputError

IMAGES = jnp.asarray(
    np.stack([np.full((4, 4, 1), value) for value in (0.25, 0.75, 0.5)]), jnp.float32
)


def classifier(image):
    return jnp.stack([0.0, 8 * (image.mean() - 0.5)])


def into(image, domain):
    """Bright for class 1, dark for class 0."""
    return jnp.full_like(image, 0.1) + 0.8 * domain


def test_an_image_is_translated_into_the_class_that_is_not_decided():
    pair = jax.jit(jax.vmap(lambda image: fixed_point(into, classifier, image)))(IMAGES)
    np.testing.assert_array_equal(pair.similar, IMAGES)
    # A probability of one half is decided 1.
    np.testing.assert_allclose(pair.adversarial[:, 0, 0, 0], [0.9, 0.1, 0.1], rtol=1e-6)


def test_mistakes_are_named():
    with pytest.raises(InputError, match="expected two classes, since each has a generator, got 3"):
        fixed_point(into, lambda image: jnp.zeros(3) + image.mean(), IMAGES[0])
    with pytest.raises(InputError, match="generate"):
        fixed_point(lambda image, domain: image[:2], classifier, IMAGES[0])
    with pytest.raises(InputError, match=r"image: expected"):
        fixed_point(into, classifier, IMAGES)
