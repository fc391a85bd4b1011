"""The segmentation network: logits for each pixel, of the UNet's maps at that pixel alone."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from cfx_jax.errors import InputError
from cfx_jax.models import Segmenter, per_image

IMAGES = jnp.asarray(np.random.default_rng(0).uniform(size=(2, 8, 12, 1)), jnp.float32)


def test_each_pixel_has_the_linear_layer_of_its_maps() -> None:
    model = Segmenter(num_classes=3, filters=(2, 3), rngs=nnx.Rngs(0))
    maps, logits = jax.jit(lambda model, x: (model.unet(x), model(x)))(model, IMAGES)
    assert logits.shape == (2, 8, 12, 3)
    kernel, bias = model.head.kernel[...], model.head.bias[...]
    np.testing.assert_allclose(
        logits, np.einsum("bhwd,dk->bhwk", maps, kernel) + bias, rtol=1e-4, atol=1e-5
    )
    np.testing.assert_allclose(
        jax.jit(per_image(model))(IMAGES[1]), logits[1], rtol=1e-4, atol=1e-5
    )


def test_too_few_classes_are_refused() -> None:
    with pytest.raises(
        InputError, match="num_classes: expected at least 2, the background among them, got 1"
    ):
        Segmenter(num_classes=1, rngs=nnx.Rngs(0))
