"""Perturbation curves against a plain loop over regions; their sums by hand and by SciPy."""

import itertools
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.integrate
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from small_classifiers import convolutional_classifier, images

from cfx_jax.errors import InputError
from cfx_jax.metrics import (
    area_over_perturbation_curve,
    area_under_perturbation_curve,
    bootstrap_interval,
    correct_at_each_step,
    overwrite_with,
    perturbation_curve,
    relevance_score,
)

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
    """Of a linear score, replacing by black: the heat of a region is what its removal takes
    away.
    """
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


SHARES = arrays(np.float64, 5, elements=st.floats(0, 1))


def test_area_over_the_curve_by_hand():
    found = area_over_perturbation_curve([[1.0, 0.4, 0.1], [0.5, 0.5, 0.8]])
    np.testing.assert_allclose(found, [[0, 0.6 / 2, 1.5 / 3], [0, 0, -0.3 / 3]])


@settings(max_examples=50, deadline=None)
@given(arrays(np.float64, (2, 3, 7), elements=st.floats(-5, 5)))
def test_area_over_the_curve_is_its_definition_at_every_step(curves):
    found = area_over_perturbation_curve(curves)
    for steps in range(7):
        expected = sum(curves[..., 0] - curves[..., step] for step in range(steps + 1)) / (
            steps + 1
        )
        np.testing.assert_allclose(found[..., steps], expected, atol=1e-12)


@settings(max_examples=50, deadline=None)
@given(arrays(np.float64, (2, 3, 7), elements=st.floats(-5, 5)))
def test_area_under_the_curve_is_that_of_scipy(curves):
    expected = scipy.integrate.trapezoid(curves, np.linspace(0, 1, 7), axis=-1)
    np.testing.assert_allclose(area_under_perturbation_curve(curves), expected, atol=1e-12)


def test_a_straight_fall_has_half_the_area():
    assert area_under_perturbation_curve(np.linspace(1, 0, 11)) == pytest.approx(0.5)


def test_relevance_score_by_hand():
    """Degradation averages to 0.6 and preservation to 0.8 before they are combined, not the
    scores.
    """
    degradation, preservation = np.asarray([0.3, 0.9]), np.asarray([0.6, 1.0])
    assert relevance_score(degradation, preservation) == pytest.approx(2 * 0.6 * 0.8 / 1.4)
    each = [relevance_score(degradation[i : i + 1], preservation[i : i + 1]) for i in range(2)]
    np.testing.assert_allclose(each, [0.4, 2 * 0.9 / 1.9])
    assert relevance_score(degradation, preservation) > np.mean(each)


@settings(max_examples=50, deadline=None)
@given(SHARES, SHARES)
def test_relevance_score_is_symmetric_and_no_larger_than_the_larger(degradation, preservation):
    score = relevance_score(degradation, preservation)
    assert score == pytest.approx(relevance_score(preservation, degradation))
    low, high = sorted((degradation.mean(), preservation.mean()))
    assert low - 1e-9 <= score <= high + 1e-9


def test_relevance_score_is_zero_where_degradation_or_preservation_is():
    assert relevance_score(np.zeros(2), np.ones(2)) == 0
    assert relevance_score(np.ones(2), np.zeros(2)) == 0
    assert relevance_score(np.zeros(2), np.zeros(2)) == 0


def test_maps_at_random_have_the_score_of_their_mean_curve():
    """With c the area under the curve of random orders, R = 2 c (1 - c), about 1/2 where the score
    falls evenly.
    """
    image, rng = np.ones((8, 8, 1), np.float32), np.random.default_rng(0)
    maps = rng.uniform(size=(40, 8, 8)).astype(np.float32)

    def areas(order):
        def curve(relevance):
            return perturbation_curve(
                jnp.mean, image, relevance, overwrite_with(0.0), region=1, order=order
            )

        return area_under_perturbation_curve(jax.jit(jax.vmap(curve))(maps))

    degradation, preservation = 1 - areas("most_relevant_first"), areas("least_relevant_first")
    np.testing.assert_allclose(degradation, 0.5, atol=1e-6)
    assert relevance_score(degradation, preservation) == pytest.approx(0.5, abs=1e-6)


def test_the_true_map_of_a_local_score_beats_random_ones():
    """The score looks at one corner only, sharply: the right map takes it away at once and keeps it
    to the end.
    """
    image, rng = np.ones((8, 8, 1), np.float32), np.random.default_rng(1)
    truth = np.zeros((8, 8), np.float32)
    truth[:2, :2] = 1

    def score(relevance):
        areas = [
            area_under_perturbation_curve(
                perturbation_curve(
                    lambda x: x[:2, :2].mean(),
                    image,
                    relevance,
                    overwrite_with(0.0),
                    region=2,
                    order=order,
                )
            )[None]
            for order in ("most_relevant_first", "least_relevant_first")
        ]
        return relevance_score(1 - areas[0], areas[1])

    # One region of 16 matters: the areas are half a step from 0 and from 1.
    assert score(truth) == pytest.approx(1 - 1 / 32)
    assert score(truth) > max(score(rng.uniform(size=(8, 8)).astype(np.float32)) for _ in range(5))


def test_an_interval_of_the_relevance_score_as_its_docstring_says():
    rng = np.random.default_rng(2)
    pairs = rng.uniform(0.2, 0.8, size=(50, 2))
    interval = bootstrap_interval(pairs, statistic=lambda drawn: relevance_score(*drawn.T))
    assert (
        interval.low
        < relevance_score(pairs[:, 0], pairs[:, 1])
        == interval.estimate
        < interval.high
    )


def test_still_correct_by_hand():
    logits = np.asarray(
        [[[2.0, 1.0], [1.0, 2.0], [1.0, 1.0]], [[0.0, 1.0], [0.0, 2.0], [3.0, 2.0]]]
    )
    found = correct_at_each_step(logits, np.asarray([0, 1]))
    # Of equal logits class 1 is decided on, as everywhere.
    np.testing.assert_array_equal(found, [[True, False, False], [True, True, False]])
    np.testing.assert_array_equal(found.mean(axis=0), [1, 0.5, 0])
    np.testing.assert_array_equal(correct_at_each_step(logits[0], np.asarray(0)), found[0])
    np.testing.assert_allclose(area_under_perturbation_curve(found), [0.25, 0.75])


def test_accuracy_curve_of_pixels_replaced_by_noise():
    """The accuracy of the images themselves at step 0, of the noise at the last."""
    batch, noise = images(6, channels=1), images(6, channels=1, seed=9)
    labels = np.asarray(jax.vmap(convolutional_classifier)(batch)).argmax(axis=-1)

    def curve(image, other):
        relevance = jnp.abs(jax.grad(lambda x: convolutional_classifier(x).max())(image)).sum(
            axis=-1
        )
        return perturbation_curve(
            convolutional_classifier,
            image,
            relevance,
            overwrite_with(other),
            region=1,
            regions_per_step=10,
        )

    correct = correct_at_each_step(jax.jit(jax.vmap(curve))(batch, noise), labels)
    assert correct.shape == (6, 8)
    assert correct[:, 0].all()
    expected = np.asarray(jax.vmap(convolutional_classifier)(noise)).argmax(axis=-1) == labels
    np.testing.assert_array_equal(correct[:, -1], expected)


@pytest.mark.parametrize(
    ("summary", "curves", "message"),
    [
        (area_over_perturbation_curve, np.ones((3, 0)), r"at least 1 steps, got shape \(3, 0\)"),
        (
            area_over_perturbation_curve,
            [1.0, np.nan],
            "curves: expected finite scores, got NaN or infinity: look",
        ),
        (
            area_under_perturbation_curve,
            [1.0],
            r"curves: expected \(..., steps\) with at least 2 steps, got shape \(1,\)",
        ),
        (area_under_perturbation_curve, [1.0, np.inf], "curves: expected finite scores"),
    ],
)
def test_what_is_no_curve_is_refused(summary, curves, message):
    with pytest.raises(InputError, match=message):
        summary(curves)


@pytest.mark.parametrize(
    ("degradation", "preservation", "message"),
    [
        (np.ones(2), np.ones(3), r"for each of the same images \(n,\), got shapes \(2,\), \(3,\)"),
        (np.ones((2, 5)), np.ones((2, 5)), r"expected one number for each of the same images"),
        (np.ones(0), np.ones(0), r"got shapes \(0,\), \(0,\)"),
        (
            np.full(2, -3.0),
            np.ones(2),
            r"expected numbers in \[0, 1\]: make the curves of probabilities, not logits",
        ),
        (np.ones(2), np.asarray([0.5, np.nan]), r"expected numbers in \[0, 1\]"),
    ],
)
def test_what_has_no_relevance_score_is_refused(degradation, preservation, message):
    with pytest.raises(InputError, match=message):
        relevance_score(degradation, preservation)


@pytest.mark.parametrize(
    ("logits", "labels", "message"),
    [
        (
            np.ones((2, 3, 4)),
            np.zeros(3, int),
            r"with labels \(...\), got shapes \(2, 3, 4\), \(3,\)",
        ),
        (np.ones((2, 3, 4)), np.asarray([0, 4]), r"labels: expected a class in 0\.\.3, got 4"),
        (
            np.ones((2, 3, 4)),
            np.zeros(2),
            r"labels: expected a class index \(integer\), got dtype float",
        ),
        (
            np.full((2, 3, 4), np.nan),
            np.zeros(2, int),
            "logits: expected numbers, got NaN: look at the classifier",
        ),
    ],
)
def test_logits_that_cannot_be_right_or_wrong_are_refused(logits, labels, message):
    with pytest.raises(InputError, match=message):
        correct_at_each_step(logits, labels)
