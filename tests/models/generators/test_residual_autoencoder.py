"""The autoencoder of slices: published size, its decoding block by hand, and its view of a
volume.
"""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from scipy.ndimage import correlate

from cfx_jax.errors import InputError
from cfx_jax.models import ResidualAutoencoder, coder_of, generator_of


@functools.cache
def tiny():
    return ResidualAutoencoder(
        width=3, filters=(2, 3, 4), decoder_filters=(4, 3, 2), rngs=nnx.Rngs(0)
    )


@functools.cache
def published():
    return nnx.eval_shape(lambda: ResidualAutoencoder(rngs=nnx.Rngs(0)))


def num_parameters(*modules):
    leaves = jax.tree.leaves([nnx.state(module, nnx.Param) for module in modules])
    return sum(np.prod(leaf.shape, dtype=int) for leaf in leaves)


def random_images(*shape, seed=0):
    return jnp.asarray(np.random.default_rng(seed).uniform(size=shape), jnp.float32)


def convolved(x, layer):
    """Each pair of channels by SciPy, with zeros around."""
    kernel = np.asarray(layer.kernel[...], np.float64)
    planes = [
        [
            sum(
                correlate(image[..., i], kernel[:, :, i, o], mode="constant")
                for i in range(kernel.shape[2])
            )
            for o in range(kernel.shape[3])
        ]
        for image in x
    ]
    return np.moveaxis(np.asarray(planes), 1, -1)


def of_batch(x):
    """Batch norm of a fresh layer in training."""
    return (x - x.mean(axis=(0, 1, 2))) / np.sqrt(x.var(axis=(0, 1, 2)) + 1e-5)


def doubled(x):
    return np.repeat(np.repeat(x, 2, axis=1), 2, axis=2)


def test_without_norms_each_block_is_its_shortcut_at_first():
    network = ResidualAutoencoder(
        width=3, filters=(3,), decoder_filters=(3,), norms=False, rngs=nnx.Rngs(0)
    )
    assert not jax.tree.leaves(nnx.state(network, nnx.BatchStat))
    images = random_images(2, 8, 8, 1)
    # ReLU after the first convolution, which the blocks then hand on, since their shortcuts are the
    # identity.
    latent = np.maximum(convolved(images, network.stem), 0)
    np.testing.assert_allclose(network.encode(images), latent, atol=1e-5)
    np.testing.assert_allclose(network(images), convolved(latent, network.leave), atol=1e-5)


def test_published_size_has_as_many_parameters_as_counted_in_the_released_one():
    model = published()
    assert num_parameters(model.stem, model.stem_norm, model.down) == 23_840
    assert num_parameters(model.up, model.leave) == 21_964


@pytest.mark.parametrize("side", [128, 256])
def test_latents_are_as_many_numbers_as_pixels(side):
    images = jax.ShapeDtypeStruct((3, side, side, 1), jnp.float32)
    latent = jax.eval_shape(lambda model, x: model.encode(x), published(), images)
    assert latent.shape == (3, side // 4, side // 4, 16) and latent.size == images.size
    assert (
        jax.eval_shape(lambda model, x: model.decode(x), published(), latent).shape == images.shape
    )


def test_doubling_block_is_that_of_nearest_pixels_before_its_second_convolution():
    """Written with the doubling before the shortcut's convolution and norm, as published."""
    block, x = tiny().up[2], random_images(2, 3, 4, 4)
    y = np.maximum(of_batch(convolved(np.asarray(x, np.float64), block.conv1)), 0)
    y = of_batch(convolved(doubled(y), block.conv2))
    shortcut = of_batch(
        doubled(np.asarray(x, np.float64))
        @ np.asarray(block.shortcut.linear.kernel[...], np.float64)
    )
    found = jax.jit(lambda block, x: nnx.view(block, use_running_average=False)(x))(block, x)
    assert found.shape == (2, 6, 8, 3)
    np.testing.assert_allclose(found, np.maximum(y + shortcut, 0), rtol=1e-3, atol=1e-4)


def test_only_first_blocks_of_stages_resize():
    blocks = tiny().up
    assert [block.doubling for block in blocks] == [True, False, True, False, False, False]
    assert [block.conv2.kernel.shape[2:] for block in blocks] == [
        (4, 4),
        (4, 4),
        (4, 3),
        (3, 3),
        (3, 2),
        (2, 2),
    ]


def test_latents_are_not_negative():
    assert float(coder_of(tiny()).encode(random_images(2, 8, 12, 1)).min()) >= 0


def test_coder_of_a_volume_codes_each_slice_by_itself():
    model, volume = tiny(), random_images(3, 8, 12, 1)
    coder, of_slice = coder_of(model), generator_of(model)
    latent, image = jax.jit(lambda coder, x: (coder.encode(x), coder(x)))(coder, volume)
    assert latent.shape == (3, 2, 3, 4) and image.shape == volume.shape
    each = jax.jit(lambda coder, x: (coder.encode(x), coder(x)))
    for index in range(3):
        for found, expected in zip(
            each(of_slice, volume[index]), (latent[index], image[index]), strict=True
        ):
            np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)


def test_call_composes_the_two_parts():
    model, images = nnx.view(tiny(), use_running_average=True), random_images(2, 8, 8, 1)
    both = jax.jit(lambda model, x: (model(x), model.decode(model.encode(x))))
    np.testing.assert_array_equal(*both(model, images))


def test_sides_that_do_not_divide_are_refused():
    with pytest.raises(
        InputError, match=r"images: expected sides that divide by 4, .* got 8x10 pixels"
    ):
        tiny().encode(jnp.zeros((1, 8, 10, 1)))


def test_other_channels_are_refused():
    with pytest.raises(
        InputError, match=r"images: expected \(b, h, w, 1\) .* got shape \(1, 8, 8, 3\)"
    ):
        tiny().encode(jnp.zeros((1, 8, 8, 3)))


def test_unequal_numbers_of_stages_and_numbers_below_one_are_refused():
    with pytest.raises(
        InputError,
        match="decoder_filters: expected one for each of at least one of `filters`, got 3 for 2",
    ):
        ResidualAutoencoder(filters=(6, 12), rngs=nnx.Rngs(0))
    with pytest.raises(InputError, match="decoder_filters: expected at least 1, got 0"):
        ResidualAutoencoder(filters=(6,), decoder_filters=(0,), rngs=nnx.Rngs(0))


def test_coders_need_two_methods():
    with pytest.raises(
        InputError,
        match="model: expected an NNX module with the methods encode and decode, got Linear",
    ):
        coder_of(nnx.Linear(2, 2, rngs=nnx.Rngs(0)))


def test_squares_of_pixels_become_channels_and_pixels_again():
    model = ResidualAutoencoder(
        width=3,
        filters=(2, 5),
        decoder_filters=(4, 3),
        norms=False,
        fold_pixels=True,
        rngs=nnx.Rngs(0),
    )
    images, taken = random_images(2, 8, 12, 1), []

    def take(x):
        taken.append(x)
        return jnp.zeros((*x.shape[:3], 3))

    stem, model.stem = model.stem, take
    assert model.encode(images).shape == (2, 2, 3, 5)
    assert stem.kernel.shape == (3, 3, 4, 3)
    for row in range(2):  # a square's pixels, row by row
        for column in range(2):
            np.testing.assert_array_equal(
                taken[0][..., 2 * row + column], images[:, row::2, column::2, 0]
            )
    model.leave = lambda x: taken[0]
    np.testing.assert_array_equal(model.decode(jnp.zeros((2, 2, 3, 5))), images)
    with pytest.raises(InputError, match="expected sides that divide by 4"):
        model.encode(jnp.zeros((1, 6, 8, 1)))
