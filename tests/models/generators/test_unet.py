"""The generators' UNet: released sizes, layers as released, and what a generator makes of an
image.
"""

from functools import cache

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from cfx_jax.errors import InputError
from cfx_jax.models import UNetGenerator, guided

IMAGES = jnp.asarray(np.random.default_rng(0).uniform(size=(2, 8, 12, 1)), jnp.float32)


def num_values(model, *kinds):
    """Entries of all variables of some kinds, with nothing allocated."""
    states = [nnx.state(model, kind) for kind in kinds]
    return sum(np.prod(leaf.shape, dtype=int) for leaf in jax.tree.leaves(states))


def scrambled(model, seed=1):
    """The model with random scales and biases, so that none is 1 or 0."""
    rng = np.random.default_rng(seed)
    for path, variable in nnx.iter_graph(model):
        if isinstance(variable, nnx.Param) and path[-1] in ("scale", "bias"):
            variable[...] = jnp.asarray(rng.uniform(0.2, 1.0, variable.shape), jnp.float32)
    return model


@cache
def tiny(**options):
    return scrambled(UNetGenerator(**{"filters": (2, 3, 4), "rngs": nnx.Rngs(0)} | options))


@jax.jit
def run(model, images):
    """Latent, maps, unclipped image and image."""
    latent = model.unet.encode(images)
    maps = model.unet.decode(latent)
    return latent, maps, model.head(maps), model.decode(latent), model(images)


@jax.jit
def generate(model, images):
    return model(images), model.encode(images)


@jax.jit
def decode(model, latent):
    return model.decode(latent)


def correlate(x, conv):
    kernel, bias = (np.asarray(v[...], np.float64) for v in (conv.kernel, conv.bias))
    windows = np.lib.stride_tricks.sliding_window_view(
        np.pad(x, [(0, 0), (1, 1), (1, 1), (0, 0)]), (3, 3), axis=(1, 2)
    )
    return np.einsum("bhwcij,ijcd->bhwd", windows, kernel) + bias


def run_units(x, row):
    for unit in row.layers:
        scale, bias = (np.asarray(v[...], np.float64) for v in (unit.norm.scale, unit.norm.bias))
        x = correlate(np.maximum(scale * x + bias, 0), unit.conv)
    return x


def pooled(x):
    return np.maximum.reduce([x[:, i::2, j::2] for i in (0, 1) for j in (0, 1)])


def test_stored_values_are_those_of_the_released_networks():
    model = nnx.eval_shape(lambda: UNetGenerator(norm="batch", rngs=nnx.Rngs(0)))
    assert num_values(model, nnx.Param, nnx.BatchStat) == 205_557


def test_parameters_without_statistics():
    assert num_values(nnx.eval_shape(lambda: UNetGenerator(rngs=nnx.Rngs(0))), nnx.Param) == 204_499


def test_maps_follow_an_independent_computation():
    model = tiny()
    unet = model.unet
    latent, maps, image, clipped, _ = run(model, IMAGES)
    top = run_units(np.asarray(IMAGES, np.float64), unet.top)
    middle = pooled(run_units(top, unet.enter[0]))
    middle = middle + run_units(middle, unet.residual[0])
    deep = pooled(run_units(middle, unet.enter[1]))
    deep = deep + run_units(deep, unet.residual[1])
    for got, expected in zip(latent, (top, middle, deep), strict=True):
        np.testing.assert_allclose(got, expected, rtol=1e-4, atol=1e-4)
    below = run_units(deep, unet.up[1]).repeat(2, 1).repeat(2, 2)
    joined = np.concatenate([middle, below], axis=-1)
    above = run_units(joined, unet.up[0]).repeat(2, 1).repeat(2, 2)
    expected = np.concatenate([top, above], axis=-1)
    np.testing.assert_allclose(maps, expected, rtol=1e-4, atol=1e-4)
    head = model.head.layers.layers[0]
    expected = expected @ np.asarray(head.kernel[...], np.float64) + np.asarray(head.bias[...])
    np.testing.assert_allclose(image, expected, rtol=1e-4, atol=1e-4)
    np.testing.assert_array_equal(clipped, np.clip(image, 0, 1))


def test_sizes_of_the_latent_at_224_pixels():
    model = nnx.eval_shape(
        lambda: UNetGenerator(filters=(16, 32, 64, 128, 256), in_channels=3, rngs=nnx.Rngs(0))
    )
    images = jax.ShapeDtypeStruct((4, 224, 224, 3), jnp.float32)
    skips, generated = jax.eval_shape(lambda model, x: (model.encode(x), model(x)), model, images)
    assert [skip.shape for skip in skips] == [
        (4, 224 // 2**k, 224 // 2**k, 16 * 2**k) for k in range(5)
    ]
    assert generated.shape == images.shape


def test_generated_images_stay_in_the_unit_range():
    model = tiny()
    bias = model.head.layers.layers[0].bias
    before = bias[...]
    bias[...] = before + 0.5 - run(model, IMAGES)[2].mean()
    generated = np.asarray(run(model, IMAGES)[-1])
    bias[...] = before
    assert generated.min() >= 0 and generated.max() <= 1
    assert ((generated > 0) & (generated < 1)).mean() > 0


@pytest.mark.parametrize(
    "options", [{}, {"head_filters": (3, 2), "in_channels": 3}, {"residual": True}]
)
def test_decoding_the_latent_is_generating(options):
    images = np.tile(IMAGES, (1, 1, 1, options.get("in_channels", 1)))
    generated, latent = generate(tiny(**options), images)
    # Two programs, which the compiler fuses differently: equal up to rounding.
    np.testing.assert_allclose(decode(tiny(**options), latent), generated, rtol=1e-4, atol=1e-6)
    assert generated.shape == images.shape


def test_a_residual_generator_adds_a_tenth_of_what_the_same_weights_would_give():
    residual, output = generate(tiny(residual=True), IMAGES)[0], np.asarray(run(tiny(), IMAGES)[2])
    np.testing.assert_allclose(
        residual, np.clip(np.asarray(IMAGES) + 0.1 * output, 0, 1), atol=1e-6
    )


def test_the_latent_of_a_residual_generator_begins_with_the_image():
    _, latent = generate(tiny(residual=True), IMAGES)
    np.testing.assert_array_equal(latent[0], IMAGES)
    assert [each.shape for each in latent[1:]] == [each.shape for each in run(tiny(), IMAGES)[0]]


def test_all_parameters_get_a_gradient():
    graph, parameters, rest = nnx.split(tiny(filters=(2, 3)), nnx.Param, ...)

    def loss(parameters):
        model = nnx.merge(graph, parameters, rest, copy=True)
        return jnp.square(model.head(model.unet(IMAGES))).sum()

    gradients = jax.tree.leaves(jax.jit(jax.grad(loss))(parameters))
    assert all(jnp.isfinite(each).all() and jnp.any(each != 0) for each in gradients)


def test_the_guided_view_has_the_same_values_and_other_gradients():
    def value(model, images):
        return jnp.square(model.unet(images)).sum()

    models = (tiny(filters=(2, 3)), guided(tiny(filters=(2, 3))))
    (plain, slope), (same, guided_slope) = (
        jax.jit(jax.value_and_grad(value, 1))(each, IMAGES) for each in models
    )
    assert float(plain) == pytest.approx(float(same), rel=1e-6)
    assert not np.allclose(slope, guided_slope, rtol=1e-3)


def test_batch_norm_keeps_its_statistics_as_keras_does():
    norm = (
        nnx.eval_shape(lambda: UNetGenerator(norm="batch", rngs=nnx.Rngs(0)))
        .unet.top.layers[0]
        .norm
    )
    assert (norm.momentum, norm.epsilon) == (0.99, 1e-3)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"filters": (16,)}, r"filters: expected at least 2 numbers of at least 1, got \(16,\)"),
        (
            {"filters": (16, 0)},
            r"filters: expected at least 2 numbers of at least 1, got \(16, 0\)",
        ),
        ({"in_channels": 0}, "in_channels: expected at least 1, got 0"),
        ({"norm": "layer"}, "norm: expected one of 'affine', 'batch', got 'layer'"),
        ({"head_filters": (8, 0)}, r"head_filters: expected numbers of at least 1, got \(8, 0\)"),
    ],
)
def test_impossible_sizes_are_refused(options, message):
    with pytest.raises(InputError, match=message):
        nnx.eval_shape(lambda: UNetGenerator(**options, rngs=nnx.Rngs(0)))


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        (
            (1, 8, 10, 1),
            "sides that divide by 4, since the network halves them 2 times, got 8x10 pixels: resize"
            " or pad them, or give fewer `filters`",
        ),
        ((1, 8, 8, 3), r"images: expected \(b, h, w, 1\) .*, got shape \(1, 8, 8, 3\)"),
        ((8, 8, 1), r"images: expected a batch \(b, h, w, 1\), got shape \(8, 8, 1\)"),
    ],
)
def test_images_that_do_not_fit_are_refused(shape, message):
    with pytest.raises(InputError, match=message):
        tiny().encode(jnp.zeros(shape))
    with pytest.raises(InputError, match="expected dtype float32, got uint8"):
        tiny().encode(jnp.zeros((1, 8, 8, 1), jnp.uint8))
