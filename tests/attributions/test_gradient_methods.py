"""The gradient against finite differences, and the VCE map by hand."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from small_classifiers import convolutional_classifier, images

from cfx_jax.attributions import gradient, vce_saliency
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


def test_vce_saliency_is_the_signed_change():
    np.testing.assert_allclose(vce_saliency(IMAGE, IMAGE.at[2, 2].add(-0.1))[2, 2], -0.1, atol=1e-6)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: gradient(score, IMAGE + 3), r"image: expected values in \[0, 1\]"),
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
