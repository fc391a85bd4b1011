"""The sweep over bins, with an explainer whose images have the desired probability by design."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.tree_util import Partial
from small_classifiers import convolutional_classifier, images, linear_classifier

from cfx_jax.compilation import call
from cfx_jax.counterfactuals import (
    Exaggerator,
    bin_centres,
    probability_bin,
    progressive,
)
from cfx_jax.errors import InputError
from cfx_jax.metrics import compatibility_curve
from cfx_jax.parallel import map_examples

IMAGES = 0.05 * images(3) + jnp.asarray([0.2, 0.5, 0.75], jnp.float32)[:, None, None, None]


def brightness_classifier(image):
    return jnp.stack([0.0, 8 * (image.mean() - 0.5)])


def encode(image, bin_index):
    return {"texture": image - image.mean(), "source": bin_index}


def decode(latent, bin_index, num_bins=10):
    probability = (bin_index + 0.5) / num_bins
    return latent["texture"] + 0.5 + jnp.log(probability / (1 - probability)) / 8


EXPLAINER = Exaggerator(Partial(encode), Partial(decode))
sweep = jax.jit(
    partial(progressive, classifier=brightness_classifier), static_argnames="bins_per_batch"
)
sweeps = jax.jit(jax.vmap(partial(progressive, EXPLAINER, brightness_classifier)))


def test_each_image_has_the_probability_of_its_bin():
    found = sweep(EXPLAINER, image=IMAGES[0])
    assert found.images.shape == (10, 8, 8, 1)
    np.testing.assert_allclose(found.desired, np.arange(0.05, 1, 0.1), atol=1e-6)
    np.testing.assert_allclose(found.probabilities, found.desired, atol=1e-5)
    np.testing.assert_allclose(
        found.probability, 1 / (1 + np.exp(-8 * (IMAGES[0].mean() - 0.5))), atol=1e-6
    )
    curve = compatibility_curve(np.asarray(found.desired), np.asarray(found.probabilities))
    np.testing.assert_array_equal(curve.num_images, 1)


def test_the_encoder_is_told_the_bin_of_the_image_itself():
    def show(latent, bin_index):
        return jnp.full((8, 8, 1), 0.01) * latent["source"] + 0.0 * bin_index

    explainer = Exaggerator(Partial(encode), Partial(show))
    for image in IMAGES:
        found = sweep(explainer, image=image)
        source = int(10 * jax.nn.softmax(brightness_classifier(image))[1])
        assert int(found.source_bin) == source
        np.testing.assert_allclose(found.images, 0.01 * source, atol=1e-6)


def test_the_number_of_bins_is_the_explainers():
    explainer = Exaggerator(Partial(encode), Partial(decode, num_bins=4), 4)
    found = sweep(explainer, image=IMAGES[1])
    np.testing.assert_allclose(found.desired, [0.125, 0.375, 0.625, 0.875])
    np.testing.assert_allclose(found.probabilities, found.desired, atol=1e-5)


def test_saliency_and_extreme_of_one_image_and_of_many():
    many = sweeps(IMAGES)
    swing = 2 * np.log(0.95 / 0.05) / 8
    np.testing.assert_allclose(many.saliency, np.full((3, 8, 8, 1), swing), atol=1e-5)
    decided = [image.mean() >= 0.5 for image in IMAGES]
    assert set(map(bool, decided)) == {False, True}
    for index, is_1 in enumerate(decided):
        np.testing.assert_array_equal(many.extreme[index], many.images[index, 0 if is_1 else -1])
        one = sweep(EXPLAINER, image=IMAGES[index])
        np.testing.assert_allclose(one.extreme, many.extreme[index], atol=1e-6)
        np.testing.assert_allclose(one.saliency, many.saliency[index], atol=1e-6)


def test_memory_bounds_change_nothing():
    whole = sweep(EXPLAINER, image=IMAGES[0])
    for bins_per_batch in (1, 4):
        parts = sweep(EXPLAINER, image=IMAGES[0], bins_per_batch=bins_per_batch)
        for one, other in zip(whole, parts, strict=True):
            np.testing.assert_allclose(one, other, atol=1e-6)


def test_a_driver_gives_numpy_arrays_with_the_same_properties():
    driven = map_examples(
        call, Partial(progressive, EXPLAINER, Partial(brightness_classifier)), IMAGES, batch_size=2
    )
    straight = sweeps(IMAGES)
    np.testing.assert_allclose(driven.images, straight.images, atol=1e-6)
    np.testing.assert_allclose(driven.extreme, straight.extreme, atol=1e-6)


def test_cost_is_one_encoding_and_one_decoding_for_each_bin():
    into, back = (
        jax.random.normal(jax.random.key(seed), shape)
        for seed, shape in ((0, (64, 512)), (1, (512, 64)))
    )

    def encode(weights, image, bin_index):
        return image.reshape(1, -1) @ weights

    def decode(weights, latent, bin_index):
        return jax.nn.sigmoid((latent + bin_index) @ weights).reshape(8, 8, 1)

    def cost(function, *arguments):
        return jax.jit(function).lower(*arguments).compile().cost_analysis()["flops"]

    explainer = Exaggerator(Partial(encode, into), Partial(decode, back))
    alone = cost(encode, into, IMAGES[0], 0) + 10 * cost(decode, back, jnp.zeros((1, 512)), 0)
    assert (
        cost(lambda image: progressive(explainer, brightness_classifier, image).images, IMAGES[0])
        <= 1.1 * alone
    )


def test_bins_are_half_open_but_for_the_last():
    found = probability_bin(jnp.asarray([0.0, 0.0999, 0.1, 0.7, 0.9999, 1.0], jnp.float32))
    np.testing.assert_array_equal(found, [0, 0, 1, 7, 9, 9])
    assert found.dtype == jnp.int32
    np.testing.assert_array_equal(probability_bin(bin_centres(7), num_bins=7), np.arange(7))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"image": IMAGES}, r"image: expected one image \(h, w, c\)"),
        ({"image": 2 + IMAGES[0]}, r"image: expected values in \[0, 1\]"),
        (
            {"classifier": convolutional_classifier},
            "expected two logits, whose class 1 is explained, got 3: models.one",
        ),
        (
            {"classifier": lambda x: jax.nn.softmax(linear_classifier(x))},
            "expected logits, got probabilities",
        ),
        ({"classifier": lambda x: jnp.nan * linear_classifier(x)}, "expected finite logits"),
        (
            {
                "explainer": Exaggerator(
                    Partial(encode), Partial(lambda latent, bin_index: latent["texture"][:4])
                )
            },
            r"generate: expected one image -> one image of its shape \(8, 8, 1\), got \[\(4, 8,"
            r" 1\)\]",
        ),
        ({"bins_per_batch": 0}, "bins_per_batch: expected an integer of at least 1, got 0"),
    ],
)
def test_mistakes_are_named(change, message):
    arguments = {
        "explainer": EXPLAINER,
        "classifier": brightness_classifier,
        "image": IMAGES[0],
    } | change
    with pytest.raises(InputError, match=message):
        progressive(
            arguments.pop("explainer"),
            arguments.pop("classifier"),
            arguments.pop("image"),
            **arguments,
        )


def test_too_few_bins_are_named():
    with pytest.raises(InputError, match="num_bins: expected an integer of at least 2, got 1"):
        Exaggerator(Partial(encode), Partial(decode), 1)
    with pytest.raises(InputError, match="num_bins: expected an integer of at least 2, got 0"):
        bin_centres(0)
    with pytest.raises(InputError, match=r"num_bins: expected an integer of at least 2, got 2\.5"):
        probability_bin(jnp.asarray(0.5), num_bins=2.5)
