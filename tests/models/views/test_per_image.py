"""Views share weights and change nothing: one image at a time, and guided backpropagation by
hand.
"""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from cfx_jax.errors import InputError
from cfx_jax.models import ResNet, SingleAE, as_pytree, guided, guided_relu, parts, per_image


def small_model(seed=0, **options):
    model = ResNet(
        block="basic",
        stage_sizes=(1, 1),
        widths=(4, 6),
        num_classes=3,
        in_channels=1,
        stem="patch",
        rngs=nnx.Rngs(seed),
        **options,
    )
    for _, norm in nnx.iter_modules(model):
        if isinstance(norm, nnx.BatchNorm):
            norm.mean[...] = jnp.linspace(-0.5, 0.5, norm.mean.shape[0])  # unlike those of a batch
    return model


def random_images(count, *, seed=0):
    return jnp.asarray(np.random.default_rng(seed).uniform(size=(count, 16, 16, 1)), jnp.float32)


class HandNetwork(nnx.Module):
    """One logit 2 relu(x1 + x2) - 3 relu(x1 - x2) of images of two pixels, and its negative."""

    def __init__(self, act=nnx.relu):
        self.act = act
        self.weights = nnx.Param(jnp.asarray([[1.0, 1.0], [1.0, -1.0]]))

    def __call__(self, images):
        hidden = self.act(images.reshape(len(images), 2) @ self.weights[...])
        score = hidden @ jnp.asarray([2.0, -3.0])
        return jnp.stack([score, -score], axis=-1)


class Linear(nnx.Module):
    """A model without activation."""

    def __init__(self):
        self.weights = nnx.Param(jnp.ones((256, 2)))

    def __call__(self, images):
        return images.reshape(len(images), -1) @ self.weights[...]


class WithDropout(nnx.Module):
    def __init__(self):
        self.dropout = nnx.Dropout(0.5, rngs=nnx.Rngs(0))

    def __call__(self, images):
        return self.dropout(images.reshape(len(images), -1))


def test_per_image_is_a_row_of_the_batch_in_inference_mode():
    model, images = small_model(), random_images(4)
    expected = jax.jit(lambda view, images: view(images))(
        nnx.view(model, use_running_average=True), images
    )
    classify = jax.jit(lambda classifier, image: classifier(image))
    for image, row in zip(images, expected, strict=True):
        np.testing.assert_allclose(classify(per_image(model), image), row, rtol=1e-5, atol=1e-6)
    batched = jax.jit(jax.vmap(classify, (None, 0)))(per_image(model), images)
    np.testing.assert_allclose(batched, expected, rtol=1e-5, atol=1e-6)


def test_per_image_leaves_the_model_in_its_mode_and_as_it_was():
    model, images = small_model(), random_images(4)
    before = jax.tree.map(np.array, nnx.state(model))
    per_image(model)(images[0])
    jax.tree.map(np.testing.assert_array_equal, before, nnx.state(model))
    assert not model.stem.norm.use_running_average
    model(images)
    assert np.any(model.stem.norm.mean[...] != before["stem"]["norm"]["mean"][...])


def test_per_image_turns_dropout_off():
    np.testing.assert_array_equal(per_image(WithDropout())(jnp.ones((4, 4, 1))), np.ones(16))


def test_the_parts_composed_are_the_classifier():
    model, image = small_model(), random_images(1)[0]
    cut = parts(model)
    maps = jax.jit(cut.features)(image)
    assert maps.shape == (2, 2, 6)
    np.testing.assert_allclose(cut.head(maps), per_image(model)(image), rtol=1e-5, atol=1e-6)


def test_parts_need_a_model_that_has_them():
    with pytest.raises(
        InputError, match=r"Linear has no features and no classify: give attributions two functions"
    ):
        parts(Linear())
    with pytest.raises(InputError, match=r"got Partial: apply models\.parts to the model"):
        parts(per_image(Linear()))


def test_new_weights_reuse_the_compiled_program():
    traces = []

    @jax.jit
    def classify(classifier, image):
        traces.append(1)
        return classifier(image)

    image = random_images(1)[0]
    first, second = (classify(per_image(small_model(seed)), image) for seed in (0, 1))
    assert len(traces) == 1 and np.any(first != second)
    np.testing.assert_allclose(second, per_image(small_model(1))(image), rtol=1e-4, atol=1e-5)


def test_views_share_weights():
    model = small_model()
    for view in (guided(model), per_image(model).args[0]):
        assert view.head.kernel[...] is model.head.kernel[...]


def test_guided_by_hand():
    """At (2, 1) both units are active; the second one's signal is negative and stops, or it would
    add -3 (1, -1).
    """
    model, image = HandNetwork(), jnp.asarray([2.0, 1.0]).reshape(1, 2, 1)

    def gradient(model, target):
        return jax.grad(lambda image: per_image(model)(image)[target])(image).ravel()

    np.testing.assert_array_equal(gradient(model, 0), [-1, 5])
    np.testing.assert_array_equal(gradient(guided(model), 0), [2, 2])
    np.testing.assert_array_equal(gradient(guided(model), 1), [3, -3])


def test_guided_replaces_every_activation_and_keeps_values():
    model, images = small_model(), random_images(2)
    view = guided(model)
    holders = [module for _, module in nnx.iter_modules(view) if hasattr(module, "act")]
    assert len(holders) == 3 and all(module.act is guided_relu for module in holders)
    assert model.stem.act is nnx.relu
    np.testing.assert_array_equal(
        jax.vmap(per_image(view))(images), jax.vmap(per_image(model))(images)
    )


def test_guided_gradient_passes_through_jit_and_vmap():
    classifier, images = per_image(guided(small_model())), random_images(3)

    def gradient(classifier, image):
        return jax.grad(lambda image: classifier(image)[1])(image)

    batched = jax.jit(jax.vmap(gradient, (None, 0)))(classifier, images)
    assert np.any(batched != 0)
    for image, row in zip(images, batched, strict=True):
        np.testing.assert_allclose(jax.jit(gradient)(classifier, image), row, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("part", ["stem", "stages"])
def test_guided_part_equals_a_model_in_which_only_those_activations_were_replaced_by_hand(part):
    model, by_hand, image = small_model(), small_model(), random_images(1)[0]
    for holder in (
        [by_hand.stem] if part == "stem" else [block for stage in by_hand.stages for block in stage]
    ):
        holder.act = guided_relu

    def gradient(model):
        return jax.jit(jax.grad(lambda image, classifier: classifier(image)[1]))(
            image, per_image(model)
        )

    view = guided(model, part=part)
    assert (view.stem.act is guided_relu) == (part == "stem") and model.stem.act is nnx.relu
    np.testing.assert_array_equal(gradient(view), gradient(by_hand))
    assert np.any(gradient(view) != gradient(model)) and np.any(
        gradient(view) != gradient(guided(model))
    )


@pytest.mark.parametrize("part", ["body", "head", ""])
def test_guided_part_must_have_activations(part):
    with pytest.raises(InputError, match=f"^part: expected one of 'stages', 'stem', got '{part}'$"):
        guided(small_model(), part=part)


def test_guided_needs_an_activation_attribute():
    with pytest.raises(
        InputError,
        match="Linear has no activation attribute `act` to replace: store the activation",
    ):
        guided(Linear())


def test_views_need_a_module():
    image_function = per_image(Linear())
    with pytest.raises(
        InputError,
        match=r"expected an NNX model .* got Partial: a function of one image needs no per_",
    ):
        per_image(image_function)
    with pytest.raises(InputError, match=r"got Partial: apply models\.guided before"):
        guided(image_function)


def test_a_generator_of_two_images_is_no_classifier():
    generator = SingleAE(filters=(2, 2), head_filters=(), rngs=nnx.Rngs(0))
    with pytest.raises(InputError, match=r"got 2 arrays: models\.generator_of takes generators"):
        per_image(generator)(random_images(1)[0])


def test_as_pytree_keeps_pytrees_and_wraps_functions():
    classifier = per_image(Linear())
    assert as_pytree(classifier) is classifier
    wrapped = as_pytree(lambda image: image.sum((0, 1)))
    np.testing.assert_array_equal(
        jax.jit(lambda f, x: f(x))(wrapped, jnp.ones((2, 2, 3))), [4, 4, 4]
    )
