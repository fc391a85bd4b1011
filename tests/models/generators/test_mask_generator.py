"""A generator of masks: sizes, frozen encoder, and a mask that finds the only thing the classifier
looks at.
"""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from compilations import counted_traces
from flax import nnx

from cfx_jax.errors import InputError
from cfx_jax.losses import MaskGeneratorWeights, blend, mask_generator_terms
from cfx_jax.models import MaskGenerator, ResNet, per_image
from cfx_jax.models.generators.mask_generator import _channels


def encoder(stem="imagenet", sizes=(1, 1)):
    return ResNet(
        block="basic",
        stage_sizes=sizes,
        widths=(4, 6)[: len(sizes)],
        num_classes=2,
        in_channels=1,
        stem=stem,
        rngs=nnx.Rngs(0),
    )


def random_images(count, height, width):
    return np.random.default_rng(0).uniform(size=(count, height, width, 1)).astype(np.float32)


@pytest.mark.parametrize(("stem", "size"), [("imagenet", (8, 10)), ("patch", (4, 5))])
def test_masks_have_the_finest_maps_resolution_and_are_enlarged_to_the_images(stem, size):
    model, images = (
        MaskGenerator(encoder(stem), width=3, rngs=nnx.Rngs(1)),
        random_images(2, 16, 20),
    )
    coarse, masks = model.masks(images), model(images)
    assert coarse.shape == (2, *size, 1) and masks.shape == (2, 16, 20, 1)
    assert coarse.min() >= 0 and coarse.max() <= 1 and coarse.std() > 0
    factor = 16 // size[0]
    np.testing.assert_array_equal(
        masks, np.repeat(np.repeat(coarse, factor, axis=1), factor, axis=2)
    )


def test_odd_sides_are_served():
    model = MaskGenerator(encoder(), width=2, rngs=nnx.Rngs(1))
    assert model(random_images(1, 18, 21)).shape == (1, 18, 21, 1)


def test_the_mask_is_the_share_of_the_first_of_two_magnitudes():
    model, images = MaskGenerator(encoder(), width=2, rngs=nnx.Rngs(1)), random_images(1, 16, 16)
    model.head.kernel[...] = jnp.zeros_like(model.head.kernel[...])
    model.head.bias[...] = jnp.asarray([-3.0, 1.0])
    np.testing.assert_allclose(model(images), 0.75, rtol=1e-5)
    model.head.bias[...] = jnp.zeros(2)
    np.testing.assert_allclose(model(images), 0.5)


def test_the_encoder_gets_no_gradient_and_its_statistics_stay():
    model, images = MaskGenerator(encoder(), width=2, rngs=nnx.Rngs(1)), random_images(2, 16, 16)
    before = jax.tree.map(np.asarray, nnx.state(model.encoder))
    gradients = nnx.jit(nnx.grad(lambda model: jnp.square(model(images)).sum()))(model)
    assert all(not np.asarray(leaf).any() for leaf in jax.tree.leaves(gradients["encoder"]))
    assert all(np.asarray(leaf).any() for leaf in jax.tree.leaves(gradients["up"]))
    jax.tree.map(
        np.testing.assert_array_equal, before, jax.tree.map(np.asarray, nnx.state(model.encoder))
    )


def test_encoders_of_one_architecture_are_traced_once():
    first, second = encoder(), encoder()
    channels = _channels(first)
    with counted_traces() as traces:
        assert _channels(second) == channels == [4, 4, 6]
    assert not traces


def test_mistakes_are_named():
    with pytest.raises(InputError, match="encoder: expected a ResNet, got Linear"):
        MaskGenerator(nnx.Linear(2, 2, rngs=nnx.Rngs(0)), rngs=nnx.Rngs(0))
    with pytest.raises(
        InputError, match="encoder: expected maps of at least two resolutions, got one"
    ):
        MaskGenerator(encoder("patch", (1,)), rngs=nnx.Rngs(0))
    with pytest.raises(InputError, match="width: expected at least 1, got 0"):
        MaskGenerator(encoder(), width=0, rngs=nnx.Rngs(0))


@pytest.mark.slow
def test_a_trained_mask_lies_where_the_classifier_looks():
    """The classifier compares one corner with grey: bright is class 1; backgrounds are grey."""

    def classifier(image):
        score = 20 * (image[:8, :8].mean() - 0.6)
        return jnp.stack([-score, score])

    images = np.clip(0.3 + 0.2 * random_images(8, 16, 16), 0, 1)
    images[:, :8, :8] += 0.45
    model, weights = (
        MaskGenerator(encoder(), width=4, rngs=nnx.Rngs(1)),
        MaskGeneratorWeights(smoothness=0.0),
    )
    optimiser = nnx.Optimizer(model, optax.adam(1e-2), wrt=nnx.Param)
    grey, decided = jnp.full(images.shape, 0.4), jnp.ones(8, jnp.int32)

    @nnx.jit
    def step(model, optimiser):
        def loss(model):
            masks = model(images)
            inside, outside = (
                jax.vmap(classifier)(blend(images, each, grey)) for each in (masks, 1 - masks)
            )
            return sum(
                mask_generator_terms(masks, decided, inside, outside, weights=weights).values()
            )

        value, gradients = nnx.value_and_grad(loss)(model)
        optimiser.update(model, gradients)
        return value

    losses = [float(step(model, optimiser)) for _ in range(200)]
    masks = np.asarray(model(images))
    assert losses[-1] < 0.6 * losses[0]
    assert masks[:, :8, :8].mean() > 0.5 > 5 * masks[:, 8:].mean()
    assert per_image(model)(images[0]).shape == (16, 16, 1)
