"""The small networks of progressive exaggeration, by their properties and independent oracles."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from scipy.ndimage import map_coordinates

from cfx_jax.counterfactuals import progressive
from cfx_jax.errors import InputError
from cfx_jax.models import BatchNormDiscriminator, BendingGenerator, exaggerator_of
from cfx_jax.models.generators.progressive_small import bend, squares_as_channels

BINS, SIDE = 3, 16
RNG = np.random.default_rng(0)
IMAGES = jnp.asarray(RNG.random((4, SIDE, SIDE, 2)), jnp.float32)
CONDITIONS = jnp.array([0, 2, 1, 0])


def generator(**options):
    given = {"in_channels": 2, "filters": (4, 6), "num_bins": BINS, **options}
    model = BendingGenerator(**given, rngs=nnx.Rngs(0))
    model.head.kernel[...] *= 20  # so that much is changed
    return model


def drawn(model, images=IMAGES, bins=CONDITIONS):
    view = nnx.view(model, use_running_average=True)
    return view.decode(view.encode(images, bins), bins)


def test_bent_images_follow_scipy():
    displacements = 6 * RNG.normal(size=(4, SIDE, SIDE, 2))
    found = bend(IMAGES, jnp.asarray(displacements, jnp.float32))
    places = np.stack(np.meshgrid(np.arange(SIDE), np.arange(SIDE), indexing="ij"))
    for image, moved, result in zip(np.asarray(IMAGES), displacements, found, strict=True):
        for channel in range(2):
            expected = map_coordinates(
                image[..., channel], places + moved.transpose(2, 0, 1), order=1, mode="nearest"
            )
            np.testing.assert_allclose(result[..., channel], expected, atol=1e-5)


def test_the_slope_of_a_bent_image_is_that_of_its_pixels():
    """A ramp that is moved by d rises by its slope times d, wherever it does not end."""
    ramp = jnp.broadcast_to(jnp.arange(8.0)[None, :, None, None], (1, 8, 8, 1))
    slope = jax.grad(lambda moved: bend(ramp, moved)[0, 3, 3, 0])(jnp.full((1, 8, 8, 2), 0.3))
    np.testing.assert_allclose(slope[0, 3, 3], [1, 0], atol=1e-6)
    assert float(jnp.abs(slope).sum()) == pytest.approx(1)


def test_squares_are_channels():
    found = squares_as_channels(IMAGES)
    assert found.shape == (4, SIDE // 2, SIDE // 2, 8)
    np.testing.assert_array_equal(found[1, 2, 3], IMAGES[1, 4:6, 6:8].ravel())


def test_drawings_are_images_that_depend_on_the_bin_and_latents_do_not():
    model = generator()
    first, second = drawn(model), drawn(model, bins=(CONDITIONS + 1) % BINS)
    np.testing.assert_array_equal(first, second)  # at first all bins are alike
    for block in model.up:
        for norm in (block.norm1, block.norm2):
            norm.bias[...] += jnp.arange(BINS)[:, None]
    first, second = drawn(model), drawn(model, bins=(CONDITIONS + 1) % BINS)
    assert float(jnp.abs(first - second).max()) > 0.01
    assert float(first.min()) >= 0 and float(first.max()) <= 1
    latents = model.encode(IMAGES, CONDITIONS), model.encode(IMAGES, (CONDITIONS + 1) % BINS)
    np.testing.assert_array_equal(latents[0][0], latents[1][0])


def test_what_is_not_moved_or_shaded_stays_as_it_is():
    model = generator()
    model.head.kernel[...] *= 0
    np.testing.assert_allclose(drawn(model), IMAGES, atol=1e-5)


def test_without_shade_no_value_is_new():
    """A bent image has no pixel outside of the values of its own channel."""
    found, images = drawn(generator(shade=0.0)), np.asarray(IMAGES)
    assert float(jnp.abs(found - images).max()) > 0.1
    assert (found.max((1, 2)) <= images.max((1, 2)) + 1e-6).all()
    assert (found.min((1, 2)) >= images.min((1, 2)) - 1e-6).all()


def test_shades_are_the_same_for_all_channels_and_bounded():
    """Of an image of one colour, which no bending changes, the log-odds rise by one number."""
    model = generator(shade=0.7)
    plain = jnp.broadcast_to(jnp.array([0.3, 0.6]), IMAGES.shape)
    found = np.asarray(drawn(model, plain), np.float64)
    share = lambda x: np.log(x * 0.96 + 0.02) - np.log1p(-(x * 0.96 + 0.02))  # noqa: E731
    rise = share(found) - share(np.asarray(plain, np.float64))
    np.testing.assert_allclose(rise[..., 0], rise[..., 1], atol=1e-4)
    assert 0.05 < np.abs(rise).max() <= 0.7 + 1e-4


def test_both_sides_of_an_image_change_alike():
    """Of a symmetric image a symmetric one is drawn, where any other one is drawn without."""
    symmetric = (IMAGES + IMAGES[:, :, ::-1]) / 2
    found, other = drawn(generator(symmetric=True), symmetric), drawn(generator(), symmetric)
    np.testing.assert_allclose(found, found[:, :, ::-1], atol=1e-5)
    assert float(jnp.abs(other - other[:, :, ::-1]).max()) > 0.01


def test_a_pixel_of_the_lower_face_depends_on_the_whole_image():
    """With the demonstration's three halvings, at its 48 pixels."""
    model = BendingGenerator(in_channels=1, filters=(4, 4, 4), num_bins=BINS, rngs=nnx.Rngs(1))
    view = nnx.view(model, use_running_average=True)
    bins, image = jnp.zeros(1, int), jnp.asarray(RNG.random((1, 48, 48, 1)), jnp.float32)

    @jax.jit
    @jax.grad
    def slope(image):
        return view.decode(view.encode(image, bins), bins)[0, 33, 24, 0]

    seen = np.abs(slope(image))[0, ..., 0] > 0
    assert seen[2:, 2:-2].mean() > 0.9


def test_one_image_is_explained_as_in_a_batch():
    model = generator()
    explain = exaggerator_of(model)
    classify = lambda image: jnp.stack([0.0, image.mean() - 0.5])  # noqa: E731
    found = progressive(explain, classify, IMAGES[1])
    expected = drawn(
        model, jnp.broadcast_to(IMAGES[1], (BINS, *IMAGES.shape[1:])), jnp.arange(BINS)
    )
    np.testing.assert_allclose(found.images, expected, atol=1e-5)


def test_verdicts_add_one_projection_for_each_step_of_the_bin():
    model = nnx.view(
        BatchNormDiscriminator(in_channels=2, filters=(4, 6), num_bins=BINS, rngs=nnx.Rngs(2)),
        use_running_average=True,
    )
    low, middle, high = (model(IMAGES, jnp.full(4, bin)) for bin in range(BINS))
    kernel = np.asarray(model.embedding.kernel[...])
    model.embedding.kernel[...] = kernel * np.array([1.0, 0.0])
    np.testing.assert_allclose(model(IMAGES, jnp.full(4, 0)), low, rtol=1e-5)
    np.testing.assert_allclose(model(IMAGES, jnp.full(4, 1)), middle, rtol=1e-5)
    np.testing.assert_allclose(model(IMAGES, jnp.full(4, 2)), middle, rtol=1e-5)
    assert float(jnp.abs(high - middle).max()) > 0


def test_every_parameter_gets_a_gradient():
    networks = (
        generator(),
        BatchNormDiscriminator(in_channels=2, filters=(4, 6), num_bins=BINS, rngs=nnx.Rngs(2)),
    )
    graphdef, params, rest = nnx.split(nnx.List(networks), nnx.Param, ...)

    def loss(params, rest):
        model, judge = nnx.merge(graphdef, params, rest)
        fake = model.decode(model.encode(IMAGES, CONDITIONS), CONDITIONS)
        return (judge(fake, CONDITIONS) * jnp.arange(4.0)).sum()

    gradients = jax.jit(jax.grad(loss, argnums=(0, 1)))(params, rest)[0]
    for path, gradient in nnx.to_flat_state(gradients):
        # A bias before a norm has no effect.
        if path[-1] != "bias" or path[-2] not in ("conv1", "conv2", "shortcut", "stem"):
            assert float(jnp.abs(gradient[...]).max()) > 0, path


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"filters": (4,)}, "filters: expected at least 2"),
        ({"num_bins": 1}, "num_bins"),
        ({"reach": 0.0}, "reach"),
        ({"shade": -1.0}, "shade"),
        ({"momentum": 1.0}, "momentum"),
    ],
)
def test_impossible_sizes_are_refused(options, message):
    with pytest.raises(InputError, match=message):
        generator(**options)


def test_images_that_cannot_be_halved_are_refused():
    with pytest.raises(InputError):
        drawn(generator(), IMAGES[:, :14])
    judge = BatchNormDiscriminator(in_channels=2, filters=(4, 6, 8), rngs=nnx.Rngs(0))
    with pytest.raises(InputError):
        judge(IMAGES[:, :8], CONDITIONS)
