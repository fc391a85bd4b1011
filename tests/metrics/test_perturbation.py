"""Perturbation curves against a plain loop over regions, and against what is known of linear
scores.
"""

import itertools
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from small_classifiers import convolutional_classifier, images

from cfx_jax.errors import InputError
from cfx_jax.metrics.perturbation import overwrite_with, perturbation_curve

IMAGE, OTHER = images(2, channels=3)
MAP = np.random.default_rng(1).normal(size=(8, 8)).astype(np.float32)
FIRST, LAST = "most_relevant_first", "least_relevant_first"
OPTIONS = ("order", "region", "regions_per_step", "num_steps", "steps_per_batch")
classify = jax.jit(convolutional_classifier)


@partial(jax.jit, static_argnames=OPTIONS)
def logits_on_the_way(image, relevance, other, **options):
    return perturbation_curve(
        convolutional_classifier, image, relevance, overwrite_with(other), **options
    )


def _by_loops(output, image, relevance, other, *, order, region, regions_per_step):
    corners = list(
        itertools.product(range(0, image.shape[0], region), range(0, image.shape[1], region))
    )
    places = [(slice(y, y + region), slice(x, x + region)) for y, x in corners]
    ranked = sorted(places, key=lambda place: -relevance[place].sum())
    if order == LAST:
        ranked.reverse()
    changed, outputs = image.copy(), [np.asarray(output(image))]
    for start in range(0, len(ranked), regions_per_step):
        for place in ranked[start : start + regions_per_step]:
            changed[place] = other[place]
        outputs.append(np.asarray(output(changed)))  # waited for, before the image changes under it
    return np.stack(outputs)


@pytest.mark.parametrize("order", [FIRST, LAST])
@pytest.mark.parametrize(
    ("region", "regions_per_step"), [(1, 5), (2, 1), (2, 3), (3, 1), (8, 1), (20, 1)]
)
def test_curve_is_that_of_a_loop_over_regions(order, region, regions_per_step):
    options = dict(order=order, region=region, regions_per_step=regions_per_step)
    found = logits_on_the_way(IMAGE, MAP, OTHER, **options)
    expected = _by_loops(classify, IMAGE, MAP, OTHER, **options)
    np.testing.assert_allclose(found, expected, atol=1e-5)


@pytest.mark.parametrize("order", [FIRST, LAST])
def test_curve_starts_at_the_image_and_ends_at_the_other_one(order):
    found = perturbation_curve(
        lambda x: x, IMAGE, MAP, overwrite_with(OTHER), order=order, region=3
    )
    assert found.shape == (10, 8, 8, 3)
    np.testing.assert_array_equal(found[0], IMAGE)
    np.testing.assert_array_equal(found[-1], OTHER)


def test_least_relevant_first_is_the_same_order_backwards_whatever_is_tied():
    for relevance in (MAP, np.zeros((8, 8), np.float32), np.eye(8, dtype=np.float32)):
        first, last = (
            perturbation_curve(
                lambda x: x[..., 0],
                np.ones((8, 8, 1), np.float32),
                relevance,
                overwrite_with(0.0),
                order=order,
                region=2,
            )
            for order in (FIRST, LAST)
        )
        # What one has replaced after k steps the other keeps after all but k.
        np.testing.assert_array_equal(first, 1 - last[::-1])


def test_a_constant_map_goes_row_by_row():
    pixels = perturbation_curve(
        lambda x: x.ravel(),
        np.ones((2, 3, 1), np.float32),
        np.zeros((2, 3)),
        overwrite_with(0),
        region=1,
    )
    np.testing.assert_array_equal(pixels, np.triu(np.ones((7, 6))))


def test_the_true_weights_give_the_lowest_curve_of_all_orders():
    """Of a linear score, replacing by black: the heat of a region is what its removal takes away."""
    rng = np.random.default_rng(2)
    image, weights = images(1, size=4)[0], rng.normal(size=(4, 4, 1)).astype(np.float32)

    def curve(relevance):
        return perturbation_curve(
            lambda x: (weights * x).sum(), image, relevance, overwrite_with(0.0), region=2
        )

    best = curve((weights * image)[..., 0])
    tiles = np.arange(4)[:, None] // 2 * 2 + np.arange(4) // 2
    others = np.stack(
        [curve(np.asarray(order, np.float32)[tiles]) for order in itertools.permutations(range(4))]
    )
    assert (best <= others.min(axis=0) + 1e-5).all()
    np.testing.assert_allclose(others.max(axis=0), curve(-(weights * image)[..., 0]), atol=1e-5)


def test_fewer_steps_are_the_beginning_of_the_curve():
    whole = logits_on_the_way(IMAGE, MAP, OTHER, region=2)
    np.testing.assert_allclose(
        logits_on_the_way(IMAGE, MAP, OTHER, region=2, num_steps=5), whole[:6], atol=1e-6
    )


@pytest.mark.parametrize("steps_per_batch", [1, 2, 7, 1000])
def test_curve_does_not_depend_on_how_many_steps_are_evaluated_at_once(steps_per_batch):
    expected = logits_on_the_way(IMAGE, MAP, OTHER, region=2, order=LAST)
    found = logits_on_the_way(
        IMAGE, MAP, OTHER, region=2, order=LAST, steps_per_batch=steps_per_batch
    )
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_many_images_each_with_its_map_and_its_replacement():
    batch, others = images(3, channels=3, seed=3), images(3, channels=3, seed=4)
    maps = np.random.default_rng(5).normal(size=(3, 8, 8)).astype(np.float32)

    curve = partial(logits_on_the_way, region=2)
    expected = np.stack([curve(*each) for each in zip(batch, maps, others, strict=True)])
    np.testing.assert_allclose(jax.vmap(curve)(batch, maps, others), expected, atol=1e-5)


def test_an_operator_sees_the_original_image_and_all_removed_pixels():
    """Removed pixels become the mean of those that are left."""

    def mean_of_the_rest(image, removed):
        left = ~removed[..., None]
        mean = (image * left).sum() / jnp.maximum(left.sum(), 1)
        return jnp.where(left, image, mean)

    image = np.asarray([[[0.0], [0.2], [0.7]]], np.float32)
    found = perturbation_curve(
        lambda x: x.ravel(),
        image,
        np.asarray([[1.0, 3.0, 2.0]]),
        mean_of_the_rest,
        region=1,
        num_steps=2,
    )
    np.testing.assert_allclose(found, [[0, 0.2, 0.7], [0, 0.35, 0.7], [0, 0, 0]], atol=1e-6)


def test_several_outputs_come_as_they_are():
    found = perturbation_curve(
        lambda x: {"mean": x.mean(), "max": x.max()}, IMAGE, MAP, overwrite_with(0.0), region=4
    )
    assert {name: values.shape for name, values in found.items()} == {"mean": (5,), "max": (5,)}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"image": IMAGE[None]},
            r"image: expected one image \(h, w, c\), got shape \(1, 8, 8, 3\)",
        ),
        (
            {"relevance": IMAGE},
            r"relevance: expected the image's shape without channels \(8, 8\), got \(8, 8, 3\)",
        ),
        (
            {"relevance": np.full((8, 8), np.nan)},
            "relevance: expected finite values, got NaN or infinity: look at how",
        ),
        (
            {"order": "random"},
            "order: expected one of 'most_relevant_first', 'least_relevant_first', got 'random'",
        ),
        ({"region": 0}, "region: expected an integer of at least 1, got 0"),
        ({"region": 2.0}, "region: expected an integer of at least 1, got 2.0"),
        ({"regions_per_step": 0}, "regions_per_step: expected an integer of at least 1, got 0"),
        ({"steps_per_batch": 0}, "steps_per_batch: expected an integer of at least 1, got 0"),
        ({"num_steps": 0}, "num_steps: expected 1 to 16, which replaces every region, got 0"),
        ({"num_steps": 17}, "num_steps: expected 1 to 16"),
        (
            {"replace": overwrite_with(OTHER[None])},
            r"expected a number or the image's shape \(8, 8, 3\), got \(1, 8",
        ),
    ],
)
def test_what_gives_no_curve_is_refused(changes, message):
    given = dict(image=IMAGE, relevance=MAP, replace=overwrite_with(OTHER), region=2) | changes
    with pytest.raises(InputError, match=message):
        perturbation_curve(convolutional_classifier, **given)


def test_a_replacement_outside_of_the_range_of_images_is_refused():
    with pytest.raises(
        InputError,
        match=r"other: expected values in \[0, 1\], got \[-1, 1\]: rescale before the call",
    ):
        overwrite_with(np.asarray([-1.0, 1.0]))
