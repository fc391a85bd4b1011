"""A generator of batches as a function of one image."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from small_classifiers import linear_classifier

from cfx_jax.counterfactuals import syce, syce_latent_path
from cfx_jax.errors import InputError
from cfx_jax.models import DuoAE, SingleAE, UNetGenerator, generator_of

IMAGES = jnp.asarray(np.random.default_rng(0).uniform(size=(3, 8, 8, 1)), jnp.float32)


@pytest.mark.parametrize("kind", [UNetGenerator, SingleAE, DuoAE])
def test_one_image_and_many_equal_the_batch(kind):
    model = kind(filters=(1, 2), rngs=nnx.Rngs(0))
    generator = generator_of(model)
    both = jax.jit(lambda generator, images: (jax.vmap(generator)(images), generator(images[1])))
    batch = jax.jit(lambda model, images: model(images))(model, IMAGES)
    for whole, many, one in zip(
        *map(jax.tree.leaves, (batch, *both(generator, IMAGES))), strict=True
    ):
        np.testing.assert_allclose(many, whole, atol=1e-6)
        np.testing.assert_allclose(one, whole[1], atol=1e-6)


def test_batch_norm_is_in_inference_mode():
    model = UNetGenerator(filters=(1, 2), norm="batch", rngs=nnx.Rngs(0))
    generate = jax.jit(lambda generator, images: jax.vmap(generator)(images))
    among = generate(generator_of(model), IMAGES)
    other = generate(generator_of(model), IMAGES.at[0].set(0.5))
    np.testing.assert_array_equal(among[1:], other[1:])
    assert not model.unet.top.layers[0].norm.use_running_average  # the model stays in its mode


def test_generators_are_arguments_of_a_compiled_explanation():
    models = [UNetGenerator(filters=(1, 2), rngs=nnx.Rngs(seed)) for seed in (0, 1)]
    for model in models:
        model.head.layers.layers[0].bias[...] += (
            0.5  # away from the border where everything is clipped
        )

    @jax.jit
    def explain(generators, image):
        path = syce_latent_path(generators, linear_classifier, image)
        return syce(generators, linear_classifier, image), (
            path.decode(path.start),
            path.decode(path.end),
        )

    for image in IMAGES:
        pair, ends = explain(tuple(map(generator_of, models)), image)
        own = models[int(linear_classifier(image).argmax())]
        np.testing.assert_allclose(pair.adversarial, own(image[None])[0], atol=1e-6)
        np.testing.assert_allclose(ends, pair, atol=1e-6)


@pytest.mark.parametrize("model", [nnx.Linear(2, 2, rngs=nnx.Rngs(0)), lambda images: images])
def test_models_without_the_two_parts_are_refused(model):
    name = type(model).__name__
    with pytest.raises(
        InputError,
        match=f"model: expected an NNX module with the methods encode and decode, got {name}",
    ):
        generator_of(model)
