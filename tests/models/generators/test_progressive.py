"""Encoder, decoder and discriminator of progressive exaggeration: published sizes, and values
against NumPy.
"""

from functools import cache

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from cfx_jax.errors import InputError
from cfx_jax.models import ProgressiveGenerator, ProjectionDiscriminator, exaggerator_of

RNG = np.random.default_rng(0)
IMAGES = jnp.asarray(RNG.uniform(size=(3, 8, 8, 2)), jnp.float32)
BINS = jnp.array([0, 3, 1])


def perturbed(model):
    """The same model with numbers that differ between bins and channels in all its norms and
    biases.
    """
    rng = np.random.default_rng(1)
    for path, variable in nnx.iter_graph(model):
        if isinstance(variable, nnx.Variable) and path[-1] in ("scale", "bias", "mean", "var"):
            noise = 0.3 * rng.normal(size=variable.shape)
            variable[...] = variable[...] + jnp.asarray(
                np.abs(noise) if path[-1] == "var" else noise, jnp.float32
            )
    return model


@cache
def generator(**options):
    model = ProgressiveGenerator(
        in_channels=2, filters=(2, 3, 4), num_bins=4, **options, rngs=nnx.Rngs(0)
    )
    return nnx.view(perturbed(model), use_running_average=True)


@cache
def discriminator(projection="ordinal", last_block=True):
    """One whose spectral vectors are the singular ones, so that kernels are over their largest
    singular value.
    """
    model = ProjectionDiscriminator(
        in_channels=2,
        filters=(3, 4),
        num_bins=4,
        projection=projection,
        last_block=last_block,
        rngs=nnx.Rngs(0),
    )
    for _, module in nnx.iter_modules(perturbed(model)):
        if hasattr(module, "vector"):
            matrix = np.asarray(module.kernel[...]).reshape(-1, module.kernel.shape[-1])
            module.vector[...] = jnp.asarray(np.linalg.svd(matrix)[2][0])
    return model


@jax.jit
def encode(model, images, bins):
    return model.encode(images, bins)


@jax.jit
def decode(model, latent, bins):
    return model.decode(latent, bins)


@jax.jit
def judge(model, images, bins):
    return model(images, bins), model.features(images)


def num_parameters(part):
    return sum(
        np.prod(leaf.shape, dtype=int) for leaf in jax.tree.leaves(nnx.state(part, nnx.Param))
    )


def make_abstract(kind, **options):
    return nnx.eval_shape(lambda: kind(**options, rngs=nnx.Rngs(0)))


# --- published sizes


def test_parameters_of_the_released_generator():
    released = make_abstract(ProgressiveGenerator, conditional_encoder=True)
    decoder = sum(map(num_parameters, (released.up, released.head_norm, released.head)))
    assert (num_parameters(released), decoder) == (69_655_049, 30_125_955)
    assert num_parameters(make_abstract(ProgressiveGenerator)) == 69_566_345
    assert (
        num_parameters(make_abstract(ProgressiveGenerator, in_channels=1, conditional_encoder=True))
        == 69_652_739
    )


def test_parameters_of_the_released_discriminator():
    counts = {
        name: num_parameters(make_abstract(ProjectionDiscriminator, projection=name))
        for name in ("ordinal", "tied", "none")
    }
    assert counts == {"ordinal": 38_428_353, "tied": 38_421_185, "none": 38_421_185 - 2 * 1024}
    assert (
        num_parameters(make_abstract(ProjectionDiscriminator, in_channels=1, projection="tied"))
        == 38_419_905
    )
    without = num_parameters(
        make_abstract(ProjectionDiscriminator, projection="tied", last_block=False)
    )
    assert without == 38_421_185 - 2 * (9 * 1024**2 + 1024)


def test_every_stage_of_the_released_networks_has_its_size():
    model, critic = make_abstract(ProgressiveGenerator), make_abstract(ProjectionDiscriminator)
    bins = jax.ShapeDtypeStruct((2,), jnp.int32)

    def through(block, x, *rest):
        return jax.eval_shape(lambda block, *args: block(*args), block, x, *rest)

    images = jax.ShapeDtypeStruct((2, 128, 128, 3), jnp.float32)
    x, sizes = through(model.stem, images), []
    for block in (*model.down, *model.up):
        x = through(block, x, bins)
        sizes.append(x.shape[1:])
    down = [(64, 64, 128), (32, 32, 256), (16, 16, 512), (8, 8, 1024), (4, 4, 1024)]
    up = [(8, 8, 1024), (16, 16, 512), (32, 32, 256), (64, 64, 128), (128, 128, 64)]
    assert sizes == down + up
    x, sizes = images, []
    for block in (*critic.down, critic.last):
        x = through(block, x)
        sizes.append(x.shape[1:])
    assert sizes == [
        (64, 64, 64),
        (32, 32, 128),
        (16, 16, 256),
        (8, 8, 512),
        (4, 4, 1024),
        (4, 4, 1024),
    ]
    features = jax.eval_shape(lambda critic, images: critic.features(images), critic, images)
    assert features.shape == (2, 1024)


# --- values


def convolve(x, kernel, bias):
    padded = np.pad(x, [(0, 0), (1, 1), (1, 1), (0, 0)])
    windows = np.lib.stride_tricks.sliding_window_view(padded, (3, 3), axis=(1, 2))
    return np.einsum("bhwcij,ijcd->bhwd", windows, kernel) + bias


def mean_pool(x):
    return (x[:, ::2, ::2] + x[:, 1::2, ::2] + x[:, ::2, 1::2] + x[:, 1::2, 1::2]) / 4


def repeat(x):
    return x.repeat(2, axis=1).repeat(2, axis=2)


def relu(x):
    return np.maximum(x, 0)


def of(layer):
    return np.asarray(layer.kernel[...]), np.asarray(layer.bias[...])


def conditional(x, norm, bins):
    x = (x - np.asarray(norm.normalise.mean[...])) / np.sqrt(
        np.asarray(norm.normalise.var[...]) + 1e-3
    )
    scale, bias = (np.asarray(table[...])[bins][:, None, None] for table in (norm.scale, norm.bias))
    return scale * x + bias


def plain(x, norm):
    x = (x - np.asarray(norm.mean[...])) / np.sqrt(np.asarray(norm.var[...]) + 1e-3)
    return np.asarray(norm.scale[...]) * x + np.asarray(norm.bias[...])


def conditional_block(x, block, bins, resize):
    y = convolve(resize(relu(conditional(x, block.norm1, bins))), *of(block.conv1))
    y = convolve(relu(conditional(y, block.norm2, bins)), *of(block.conv2))
    kernel, bias = of(block.shortcut)
    return y + resize(x) @ kernel + bias


@pytest.mark.parametrize("conditional_encoder", [False, True])
def test_latents_and_drawings_follow_an_independent_computation(conditional_encoder):
    model, bins = generator(conditional_encoder=conditional_encoder), np.asarray(BINS)
    latent = encode(model, IMAGES, BINS)
    x = convolve(relu(plain(2 * np.asarray(IMAGES) - 1, model.stem_norm)), *of(model.stem))
    for block in model.down:
        x = conditional_block(x, block, bins if conditional_encoder else 0 * bins, mean_pool)
    np.testing.assert_allclose(latent, x, atol=1e-4)
    for block in model.up:
        x = conditional_block(x, block, bins, repeat)
    x = convolve(relu(plain(x, model.head_norm)), *of(model.head))
    found = decode(model, latent, BINS)
    assert found.shape == IMAGES.shape
    np.testing.assert_allclose(2 * found - 1, np.tanh(x), atol=1e-4)


def test_drawings_depend_on_the_bin_and_unconditional_latents_do_not():
    for conditional_encoder in (False, True):
        model = generator(conditional_encoder=conditional_encoder)
        latent, other = encode(model, IMAGES, BINS), encode(model, IMAGES, BINS + 1)
        assert np.any(latent != other) == conditional_encoder
        assert (
            jnp.abs(decode(model, latent, BINS) - decode(model, latent, (BINS + 1) % 4)).max()
            > 1e-3
        )


def test_the_stems_activation_loses_what_is_darker_than_the_mean():
    dark = IMAGES / 4
    for activation in (True, False):
        model = ProgressiveGenerator(
            in_channels=2, filters=(2, 3), num_bins=4, stem_activation=activation, rngs=nnx.Rngs(0)
        )
        view = nnx.view(
            model, use_running_average=True
        )  # the running mean is 0, a grey of one half
        assert np.any(encode(view, dark, BINS) != encode(view, dark / 2, BINS)) == (not activation)


def spectral(x, layer, product):
    kernel = np.asarray(layer.kernel[...])
    norm = np.linalg.svd(kernel.reshape(-1, kernel.shape[-1]), compute_uv=False)[0]
    return product(x, kernel / norm, np.asarray(layer.bias[...]))


def dense(x, kernel, bias):
    return x @ kernel + bias


def realness(features, model):
    return spectral(features, model.realness, dense)[:, 0]


@pytest.mark.parametrize(("projection", "last_block"), [("ordinal", True), ("none", False)])
def test_features_and_verdicts_follow_an_independent_computation(projection, last_block):
    """Of the first bin, or of every bin where none is projected."""
    model = discriminator(projection, last_block)
    x = 2 * np.asarray(IMAGES) - 1
    for level, block in enumerate(model.down):
        y = spectral(relu(x) if level else x, block.conv1, convolve)
        y = mean_pool(spectral(relu(y), block.conv2, convolve))
        x = y + mean_pool(
            spectral(x, block.shortcut, dense)
        )  # released order: the 1x1 convolution, then the mean
    if last_block:
        y = spectral(relu(x), model.last.conv1, convolve)
        x = x + spectral(relu(y), model.last.conv2, convolve)
    features = relu(x).sum((1, 2))
    logits, found = judge(model, IMAGES, BINS if projection == "none" else 0 * BINS)
    np.testing.assert_allclose(found, features, rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(logits, realness(features, model), rtol=1e-4, atol=1e-4)


def logits_of_all_bins(model):
    """Logits (bins, images), the features, and their projections on the normalised columns of the
    embedding.
    """
    logits = np.stack([judge(model, IMAGES, jnp.full(3, k))[0] for k in range(4)])
    features = np.asarray(judge(model, IMAGES, BINS)[1])
    kernel = np.asarray(model.embedding.kernel[...])
    return logits, features, features @ (kernel / np.linalg.svd(kernel, compute_uv=False)[0])


def test_each_step_of_the_bin_adds_its_own_projection():
    logits, _, projections = logits_of_all_bins(discriminator())
    np.testing.assert_allclose(np.diff(logits, axis=0), projections.T, rtol=1e-3, atol=1e-4)


def test_a_tied_projection_is_affine_in_the_bin():
    model, k = discriminator("tied"), np.arange(4)[:, None]
    logits, features, projections = logits_of_all_bins(model)
    expected = k * projections[:, 1] + (3 - k) * projections[:, 0]
    np.testing.assert_allclose(logits - realness(features, model), expected, rtol=1e-3, atol=1e-4)


def test_a_verdict_is_that_of_its_own_image_and_bin():
    together = judge(discriminator(), IMAGES, BINS)[0]
    same = judge(discriminator(), IMAGES[jnp.array([1, 1, 2])], BINS[jnp.array([1, 1, 2])])[0]
    np.testing.assert_allclose(same, together[jnp.array([1, 1, 2])], rtol=1e-4, atol=1e-5)


def test_one_update_moves_every_spectral_vector():
    model = ProjectionDiscriminator(in_channels=2, filters=(3, 4), num_bins=4, rngs=nnx.Rngs(0))
    graph, parameters, rest = nnx.split(model, nnx.Param, ...)

    @jax.jit
    def vectors(rest):
        copy = nnx.merge(graph, parameters, rest, copy=True)
        nnx.view(copy, update_spectral=True)(IMAGES, BINS)
        return nnx.state(copy, nnx.Not(nnx.Param))

    moved = jax.tree.map(lambda a, b: bool((a != b).any()), vectors(rest), rest)
    assert len(jax.tree.leaves(moved)) == 3 * 2 + 2 + 2 and all(jax.tree.leaves(moved))


def test_all_parameters_of_the_networks_get_a_gradient():
    """Of the tables of a norm, the rows of the bins that occur."""
    graph, parameters, rest = nnx.split(
        (generator(conditional_encoder=True), discriminator()), nnx.Param, ...
    )

    def loss(parameters):
        generate, criticise = nnx.merge(graph, parameters, rest, copy=True)
        drawn = generate.decode(generate.encode(IMAGES, BINS), BINS)
        return criticise(drawn, 3 - BINS).sum() + jnp.square(drawn).sum()

    gradients = jax.tree.leaves(jax.jit(jax.grad(loss))(parameters))
    assert all(jnp.isfinite(each).all() and jnp.any(each != 0) for each in gradients)


# --- one image


def test_one_image_is_drawn_as_in_a_batch_with_running_averages():
    model = generator(conditional_encoder=True)
    in_training = nnx.view(model, use_running_average=False)
    explainer = exaggerator_of(in_training)
    assert explainer.num_bins == 4 and not in_training.stem_norm.use_running_average

    def draw(explainer, image, source, target):
        return explainer.decode(explainer.encode(image, source), target)

    found = jax.jit(jax.vmap(draw, (None, 0, 0, 0)))(explainer, IMAGES, BINS, 3 - BINS)
    np.testing.assert_allclose(
        found, decode(model, encode(model, IMAGES, BINS), 3 - BINS), atol=1e-5
    )


@pytest.mark.parametrize("model", [nnx.Linear(2, 2, rngs=nnx.Rngs(0)), lambda images: images])
def test_models_that_are_no_generator_of_bins_are_refused(model):
    message = (
        "model: expected an NNX module with encode, decode and num_bins, .* got"
        f" {type(model).__name__}"
    )
    with pytest.raises(InputError, match=message):
        exaggerator_of(model)


# --- mistakes


@pytest.mark.parametrize(
    ("kind", "options", "message"),
    [
        (
            ProgressiveGenerator,
            {"filters": (4,)},
            r"filters: expected at least 2 numbers of at least 1, got \(4,\)",
        ),
        (
            ProgressiveGenerator,
            {"filters": (4, 0)},
            r"filters: expected at least 2 numbers of at least 1, got \(4, 0\)",
        ),
        (
            ProgressiveGenerator,
            {"num_bins": 1},
            "num_bins: expected an integer of at least 2, got 1",
        ),
        (ProgressiveGenerator, {"in_channels": 0}, "in_channels: expected at least 1, got 0"),
        (
            ProgressiveGenerator,
            {"momentum": 1.0},
            r"momentum: expected a share in \[0, 1\), got 1.0",
        ),
        (
            ProjectionDiscriminator,
            {"filters": ()},
            r"filters: expected at least 1 numbers of at least 1, got \(\)",
        ),
        (
            ProjectionDiscriminator,
            {"num_bins": 1},
            "num_bins: expected an integer of at least 2, got 1",
        ),
        (ProjectionDiscriminator, {"in_channels": 0}, "in_channels: expected at least 1, got 0"),
        (
            ProjectionDiscriminator,
            {"projection": "linear"},
            "projection: expected one of 'ordinal', 'tied', 'none', got 'linear'",
        ),
    ],
)
def test_impossible_sizes_are_refused(kind, options, message):
    with pytest.raises(InputError, match=message):
        make_abstract(kind, **options)


@pytest.mark.parametrize(
    ("bins", "message"),
    [
        (
            np.array([0, 1]),
            r"bins: expected an integer for each of the 3 images, got int\d+ of shape \(2,\)",
        ),
        (
            np.zeros(3),
            r"bins: expected an integer for each of the 3 images, got float\d+ of shape \(3,\)",
        ),
        (np.array([0, 4, 1]), r"bins: expected 0\.\.3, got 0\.\.4"),
        (np.array([-1, 0, 1]), r"bins: expected 0\.\.3, got -1\.\.1"),
    ],
)
def test_bins_that_are_none_are_refused(bins, message):
    latent = jnp.zeros((3, 2, 2, 4))
    for call in (
        lambda: generator().encode(IMAGES, bins),
        lambda: generator().decode(latent, bins),
        lambda: discriminator()(IMAGES, bins),
    ):
        with pytest.raises(InputError, match=message):
            call()


def test_images_that_cannot_be_halved_are_refused():
    message = (
        r"images: expected sides that divide by 4, since the network halves them 2 times, got"
        r" 8x6 pixels: resize"
    )
    for call in (lambda x: generator().encode(x, BINS), discriminator().features):
        with pytest.raises(InputError, match=message):
            call(IMAGES[:, :, :6])
        with pytest.raises(
            InputError, match=r"images: expected \(b, h, w, 2\) .* channels come last"
        ):
            call(IMAGES[..., :1])
