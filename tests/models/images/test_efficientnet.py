"""EfficientNets: published sizes, rounding, shapes, draws of the training, errors. Blocks are in
test_mbconv.py.
"""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from cfx_jax.errors import InputError
from cfx_jax.models import (
    EfficientNet,
    Stage,
    build,
    efficientnet,
    efficientnet_small,
    guided,
    per_image,
)
from cfx_jax.models.images.efficientnet import round_width

# Parameters with 1000 classes.
PUBLISHED = {
    "b0": 5_288_548,
    "b1": 7_794_184,
    "b2": 9_109_994,
    "b3": 12_233_232,
    "b4": 19_341_616,
    "b5": 30_389_784,
    "b6": 43_040_704,
    "b7": 66_347_960,
}
STAGES = (Stage(2, 3, 1, 8, 1), Stage(1, 3, 1, 8, 1))


@functools.cache
def abstract(factory, *arguments, **options):
    """The model's shapes, with nothing allocated."""
    return nnx.eval_shape(lambda: factory(*arguments, rngs=nnx.Rngs(0), **options))


def num_parameters(model):
    return sum(
        np.prod(leaf.shape, dtype=int) for leaf in jax.tree.leaves(nnx.state(model, nnx.Param))
    )


def output_shape(model, method, side, channels=3):
    images = jax.ShapeDtypeStruct((2, side, side, channels), jnp.float32)
    return jax.eval_shape(lambda model, x: getattr(model, method)(x), model, images).shape


def tiny(*, seed=0, **options):
    options = {
        "stages": STAGES,
        "stem_width": 8,
        "top_width": 16,
        "num_classes": 3,
        "stem": "patch",
    } | options
    return EfficientNet(**options, rngs=nnx.Rngs(seed))


def view(model, *, training):
    """A view that leaves the running averages alone, with the draws of the training or without."""
    return nnx.view(model, use_running_average=True, deterministic=not training)


@jax.jit
def logits(model, images):
    return model(images)


def random_images(*shape, seed=0):
    return jnp.asarray(np.random.default_rng(seed).uniform(size=shape), jnp.float32)


SLOW = [pytest.param(variant, marks=pytest.mark.slow) for variant in list(PUBLISHED)[1:]]


@pytest.mark.parametrize("variant", ["b0", *SLOW])
def test_parameter_counts_are_the_published_ones(variant):
    assert (
        num_parameters(abstract(build, f"efficientnet_{variant}", num_classes=1000))
        == PUBLISHED[variant]
    )


def test_batch_norms_have_the_given_epsilon():
    for options, expected in [({}, 1e-3), ({"epsilon": 1e-5}, 1e-5)]:
        model = abstract(
            EfficientNet, stages=STAGES, stem_width=8, top_width=16, num_classes=3, **options
        )
        norms = [
            module.epsilon
            for _, module in nnx.iter_modules(model)
            if isinstance(module, nnx.BatchNorm)
        ]
        assert norms == [expected] * 7


def test_published_networks_divide_the_side_by_32():
    model = abstract(efficientnet, "b0", num_classes=7)
    assert output_shape(model, "features", 224) == (2, 7, 7, 1280)
    assert output_shape(model, "classify", 7, channels=1280) == (2, 7)


@pytest.mark.parametrize(
    ("width", "rounded"),
    [(32, 32), (17.6, 16), (26.4, 24), (352, 352), (3, 8), (19.2, 24), (38.4, 40), (67.2, 64)],
)
def test_widths_are_multiples_of_eight_that_lose_at_most_a_tenth(width, rounded):
    assert round_width(width) == rounded


def test_published_options_reach_the_layers():
    model = abstract(efficientnet, "b2", num_classes=2)
    rates = [0.0 if block.drop is None else block.drop.rate for block in model.blocks]
    assert len(rates) == 23 and model.dropout.rate == 0.3
    for index, (rate, block) in enumerate(zip(rates, model.blocks, strict=True)):
        assert rate == pytest.approx(0.2 * index / 23 if block.residual else 0.0)
    assert [block.depthwise.kernel.shape[0] for block in model.blocks[:8]] == [3] * 5 + [5] * 3
    norm = model.blocks[3].project.norm
    assert (norm.epsilon, norm.momentum) == (1e-3, 0.99)


def test_small_network_has_less_than_half_a_million_parameters():
    assert 0.1e6 < num_parameters(abstract(efficientnet_small, num_classes=2)) < 0.5e6


@pytest.mark.parametrize(("side", "last"), [(32, 2), (64, 4), (128, 8)])
def test_small_network_divides_the_side_by_16(side, last):
    model = abstract(efficientnet_small, num_classes=2, in_channels=1)
    assert output_shape(model, "features", side, channels=1) == (2, last, last, 256)
    assert output_shape(model, "__call__", side, channels=1) == (2, 2)


@pytest.mark.parametrize("stem", ["patch", "convolution"])
def test_call_composes_features_and_classify(stem):
    model = view(tiny(stem=stem), training=False)
    both = jax.jit(lambda model, images: (model(images), model.classify(model.features(images))))
    called, composed = both(model, random_images(2, 16, 16, 3))
    assert called.shape == (2, 3) and jnp.isfinite(called).all()
    np.testing.assert_array_equal(called, composed)


def test_classify_is_the_mean_over_positions_and_a_linear_layer():
    model, features = view(tiny(), training=False), random_images(2, 3, 5, 16)
    expected = np.asarray(features).mean((1, 2)) @ np.asarray(model.head.kernel[...])
    np.testing.assert_allclose(model.classify(features), expected, rtol=1e-5)


def test_dropout_in_training_keeps_the_mean_of_the_logits():
    model, features = tiny(dropout=0.4), jnp.ones((4000, 1, 1, 16))
    drawn = np.asarray(view(model, training=True).classify(features))
    expected = np.asarray(view(model, training=False).classify(features[:1]))[0]
    error = drawn.std(axis=0) / np.sqrt(4000)
    assert (error > 0).all() and (np.abs(drawn.mean(axis=0) - expected) < 4 * error).all()


def test_draws_differ_between_calls_in_training_and_are_absent_in_evaluation():
    model, images = tiny(drop_rate=0.5), random_images(8, 16, 16, 3)
    training, evaluating = view(model, training=True), view(model, training=False)
    draw = nnx.jit(lambda model, images: model(images))
    assert jnp.any(draw(training, images) != draw(training, images))
    np.testing.assert_array_equal(draw(evaluating, images), draw(evaluating, images))


def test_equal_seeds_give_equal_weights_and_equal_draws():
    images = random_images(8, 16, 16, 3)
    first, same, other = (
        np.asarray(logits(view(tiny(seed=seed), training=True), images)) for seed in (0, 0, 1)
    )
    np.testing.assert_array_equal(first, same)
    assert np.any(first != other)


def test_per_image_gives_the_logits_of_the_batch_without_draws():
    model, images = tiny(dropout=0.5, drop_rate=0.5), random_images(3, 16, 16, 3)
    one_by_one = jax.jit(jax.vmap(per_image(model)))(images)
    np.testing.assert_allclose(
        one_by_one, logits(view(model, training=False), images), rtol=1e-4, atol=1e-5
    )


def test_normalisation_is_inside_the_model():
    mean, std = (0.4, 0.3, 0.2), (0.3, 0.2, 0.1)
    images = random_images(2, 16, 16, 3)
    plain, normalising = (
        view(tiny(**options), training=False) for options in ({}, {"mean": mean, "std": std})
    )
    expected = logits(plain, (images - np.float32(mean)) / np.float32(std))
    np.testing.assert_allclose(logits(normalising, images), expected, rtol=1e-4, atol=1e-5)


def test_guided_view_puts_the_guided_relu_everywhere():
    model, images = view(tiny(act=nnx.relu), training=False), random_images(1, 16, 16, 3)
    other = guided(view(tiny(act=nnx.swish), training=False))
    score = jax.jit(jax.value_and_grad(lambda model, images: model(images)[0, 0], argnums=1))
    (value, signal), (expected, gradient) = score(other, images), score(model, images)
    np.testing.assert_allclose(value, expected, rtol=1e-5)
    assert jnp.any(signal != gradient)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"stem": "imagenet"}, "stem: expected one of 'convolution', 'patch', got 'imagenet'"),
        ({"stages": ()}, "stages: expected at least one, got none"),
        (
            {"stages": (Stage(1, 4, 1, 8, 1),)},
            r"stages: .* an odd kernel size, got Stage\(expansion=1, size=4,",
        ),
        ({"stages": (Stage(1, 3, 1, 0, 1),)}, "stages: expected numbers of at least 1 .*width=0"),
        ({"stem_width": 0}, "stem_width: expected at least 1, got 0"),
        ({"top_width": 0}, "top_width: expected at least 1, got 0"),
        ({"num_classes": 0}, "num_classes: expected at least 1, got 0"),
        ({"in_channels": 0}, "in_channels: expected at least 1, got 0"),
        ({"dropout": 1.0}, r"dropout: expected a share in \[0, 1\), got 1.0"),
        ({"drop_rate": -0.1}, r"drop_rate: expected a share in \[0, 1\), got -0.1"),
        ({"momentum": 1.0}, r"momentum: expected a share in \[0, 1\), got 1.0"),
        ({"std": 0.0}, r"std: expected numbers above 0, got \(0.0, 0.0, 0.0\)"),
    ],
)
def test_impossible_options_are_refused(options, message):
    with pytest.raises(InputError, match=message):
        tiny(**options)


def test_unknown_variants_list_the_valid_ones():
    with pytest.raises(InputError, match=r"variant: expected one of 'b0', .*'b7', got 'b8'"):
        efficientnet("b8", num_classes=2, rngs=nnx.Rngs(0))


def test_batches_that_are_not_images_are_refused():
    with pytest.raises(
        InputError, match=r"expected a batch \(b, h, w, 3\), got shape \(16, 16, 3\)"
    ):
        tiny()(np.zeros((16, 16, 3), np.float32))
