"""Methods of the plane on volumes: slices for themselves, and slices of a volume whose others are
held fixed.
"""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from feature_maps import WEIGHTS, features, head, weighted
from small_classifiers import convolutional_classifier, images

from cfx_jax.attributions import (
    grad_cam,
    gradient,
    mask_perturbation,
    of_slice,
    over_slices,
    random_map,
    score_cam,
)
from cfx_jax.counterfactuals import vce
from cfx_jax.errors import InputError
from cfx_jax.models import Parts

VOLUME = jnp.asarray(images(3)[:, :, :6])
KEY = jax.random.key(0)


def classifier(image):
    """Two logits of one slice."""
    return head(features(image))


def volume_logits(volume):
    return jax.vmap(classifier)(volume).sum(axis=0)


def product(volume):
    """A score to which no slice contributes for itself."""
    return jnp.prod(jax.vmap(lambda image: convolutional_classifier(image)[1])(volume))


@pytest.mark.parametrize("slices_per_batch", [None, 1, 2, 100])
def test_slices_explained_for_themselves_are_those_of_a_loop(slices_per_batch):
    found = jax.jit(
        lambda x: over_slices(lambda image, _: jnp.sin(image), x, slices_per_batch=slices_per_batch)
    )(VOLUME)
    np.testing.assert_allclose(found, [np.sin(image) for image in VOLUME], rtol=1e-6)


@pytest.mark.parametrize("method", [grad_cam, score_cam])
def test_of_a_sum_over_slices_the_others_do_not_matter(method):
    """Maps of a slice within a volume whose logits are the sum of those of its slices."""
    all_maps = jax.vmap(features)(VOLUME)

    def joined(index):
        return lambda maps: jax.vmap(head)(all_maps.at[index].set(maps)).sum(axis=0)

    found = over_slices(
        lambda image, index: method(Parts(features, joined(index)), image, 1), VOLUME
    )
    expected = jax.vmap(lambda image: method(Parts(features, head), image, 1))(VOLUME)
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-6)


def test_nor_for_a_mask():
    """With a logit as the score: it is a sum, the probability is not."""
    mask = partial(
        mask_perturbation, num_steps=3, blur_sigma=1.0, mask_sigma=1.0, mask_shape=(2, 2)
    )

    def both(volume):
        within = over_slices(
            lambda x, index: mask(of_slice(lambda v: volume_logits(v)[1], volume, index), x), volume
        )
        return within, over_slices(lambda x, _: mask(lambda y: classifier(y)[1], x), volume)

    np.testing.assert_allclose(*jax.jit(both)(VOLUME), atol=1e-5)


def test_grad_cam_of_features_that_are_added_over_slices_by_hand():
    """The head is quadratic in the sum of the maps, so the slope at each slice is twice the weights
    times that sum.
    """
    all_maps = jax.vmap(features)(VOLUME)
    found = over_slices(
        lambda image, index: grad_cam(
            Parts(features, lambda maps: head(all_maps.at[index].set(maps).sum(axis=0))), image, 1
        ),
        VOLUME,
    )
    maps = np.asarray(all_maps, np.float64)
    slopes = (2 * WEIGHTS[..., 1] * maps.sum(axis=0)).mean(axis=(0, 1))
    np.testing.assert_allclose(
        found, [weighted(each, slopes, (8, 6)) for each in maps], rtol=1e-4, atol=1e-6
    )
    assert float(found.max()) > 0


def test_the_gradient_of_each_slice_with_the_others_fixed_is_that_of_the_volume():
    def both(volume):
        return over_slices(
            lambda x, index: gradient(of_slice(product, volume, index), x), volume
        ), gradient(product, volume)

    found, expected = jax.jit(both)(VOLUME)
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-6)
    assert float(jnp.abs(found).max()) > 1e-2


def test_random_methods_have_a_key_for_each_slice():
    found = jax.jit(
        lambda x: over_slices(lambda image, i: random_map(jax.random.fold_in(KEY, i), image), x)
    )(VOLUME)
    np.testing.assert_allclose(
        found[2], random_map(jax.random.fold_in(KEY, 2), VOLUME[2]), rtol=1e-6
    )
    assert not np.allclose(found[1], found[2])


def test_a_counterfactual_changes_one_slice_and_is_stacked_whole():
    def explain(image, index):
        return vce(of_slice(volume_logits, VOLUME, index), image, 1, p=2, radius=0.3, num_steps=5)

    found = jax.jit(partial(over_slices, explain))(VOLUME)
    assert found.image.shape == VOLUME.shape and found.trace.shape == (3, 6)
    assert (found.probability > found.initial_probability).all()
    start = jax.nn.softmax(volume_logits(VOLUME))[1]
    np.testing.assert_allclose(found.initial_probability, jnp.full(3, start), rtol=1e-5)
    changed = VOLUME.at[1].set(found.image[1])
    np.testing.assert_allclose(
        found.probability[1], jax.nn.softmax(volume_logits(changed))[1], rtol=1e-4
    )


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda: over_slices(lambda image, _: image, VOLUME[0]),
            r"volume: expected one volume \(s, h, w, c\) of at least one slice, got shape \(8, 6,"
            r" 1\)",
        ),
        (
            lambda: over_slices(lambda image, _: image, VOLUME[:0]),
            r"at least one slice, got shape \(0, 8, 6, 1\)",
        ),
        (
            lambda: over_slices(lambda image, _: image, VOLUME - 1),
            r"volume: expected values in \[0, 1\]",
        ),
        (
            lambda: over_slices(lambda image, _: image, VOLUME, slices_per_batch=0),
            "slices_per_batch: expected an integer of at least 1, got 0",
        ),
        (lambda: of_slice(product, VOLUME, 3), r"index: expected a slice in 0\.\.2, got 3"),
        (lambda: of_slice(product, VOLUME, -1), r"index: expected a slice in 0\.\.2, got -1"),
        (
            lambda: of_slice(product, (255 * VOLUME).astype(jnp.uint8), 0),
            "volume: expected dtype float32, got uint8",
        ),
        (
            lambda: mask_perturbation(product, VOLUME),
            r"image: expected one image \(h, w, c\), got shape \(3, 8, 6, 1\);"
            r" .*attributions\.over_slices for a volume",
        ),
    ],
)
def test_mistakes_are_named(call, message):
    with pytest.raises(InputError, match=message):
        call()
