"""Robust correctness against the closed form of a linear classifier; restarts and radii only take
away.
"""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.tree_util import Partial
from rows import slow_but_first
from small_classifiers import convolutional_classifier, images, linear_classifier

from cfx_jax.errors import InputError
from cfx_jax.metrics import robustly_correct, robustness
from cfx_jax.models import calibrated, ensemble

KEY = jax.random.key(0)
IMAGES = 0.25 + 0.5 * images(40)
LABELS = np.asarray(jax.vmap(convolutional_classifier)(IMAGES)).argmax(-1)


@pytest.mark.parametrize(("p", "dual"), [(2, 2), (np.inf, 1)])
def test_linear_classifier_breaks_exactly_within_its_margin(p, dual):
    slope = np.broadcast_to(np.linspace(1, -1, 8)[None, :, None], (8, 8, 1))
    scores = (slope * IMAGES).sum((1, 2, 3))
    labels = (scores > 0).astype(int)
    distance = np.abs(scores) / np.linalg.norm(slope.ravel(), dual)
    radius = float(np.median(distance))
    standing = robustly_correct(
        KEY, linear_classifier, IMAGES, labels, p=p, radius=radius, num_steps=30, num_restarts=1
    )
    clear = np.abs(distance - radius) > 0.02 * radius
    np.testing.assert_array_equal(standing[clear], (distance > radius)[clear])


def test_wrong_images_are_never_counted_as_robust():
    wrong = (LABELS + 1) % 3
    assert not robustly_correct(
        KEY, convolutional_classifier, IMAGES, wrong, radius=1e-6, num_steps=2
    ).any()


def test_more_restarts_and_larger_radii_leave_fewer_standing():
    options = {"num_steps": 10, "batch_size": 16}
    one = robustly_correct(
        KEY, convolutional_classifier, IMAGES, LABELS, radius=0.05, num_restarts=1, **options
    )
    three = robustly_correct(
        KEY, convolutional_classifier, IMAGES, LABELS, radius=0.05, num_restarts=3, **options
    )
    wider = robustly_correct(
        KEY, convolutional_classifier, IMAGES, LABELS, radius=0.1, num_restarts=1, **options
    )
    assert not (three & ~one).any()
    assert 0 < wider.sum() < one.sum() < 40


@pytest.mark.parametrize(
    ("count", "largest", "filled"),
    [(8, 8, 8), (3, 8, 8), (2, 8, 2), (1, 4, 1), (17, 150, 38), (9, 150, 10), (9, 8, 9)],
)
def test_what_is_left_is_filled_up_to_few_sizes(count, largest, filled):
    index = robustness._fill_batch(10 + np.arange(count), largest=largest)
    np.testing.assert_array_equal(index, 10 + np.minimum(np.arange(filled), count - 1))


def test_the_same_images_stand_whatever_the_batch():
    """Not all of the 40 images are left for the second restart, which are then filled up to one
    batch or to several.
    """
    options = {"radius": 0.05, "num_steps": 10, "num_restarts": 2}
    in_parts, at_once = (
        robustly_correct(
            KEY,
            convolutional_classifier,
            IMAGES,
            LABELS,
            batch_size=batch_size,
            **options,
        )
        for batch_size in (8, None)
    )
    assert 0 < in_parts.sum() < 40
    np.testing.assert_array_equal(in_parts, at_once)


def two_linear_logits(weights, image):
    """Logits -s, s whose difference is linear in the image and 0 on a plane through the grey
    image.
    """
    direction, scale = weights
    score = scale * ((image - 0.5).ravel() @ direction)
    return jnp.stack([-score, score])


@pytest.mark.parametrize(
    "outer", slow_but_first([lambda found: calibrated(found, 2.0), lambda found: found])
)
def test_a_saturated_member_does_not_hide_an_ensemble(outer):
    """At temperature 0.05 the first member's margins are in the thousands: it decides for the
    ensemble, whose gradient has nothing of it. The distance of an image from its plane is the
    radius at which the ensemble breaks."""
    first, second = np.random.default_rng(0).normal(size=(2, 64)).astype(np.float32)
    pixels = IMAGES.reshape(40, -1) - 0.5
    agreed = np.sign(pixels @ first) == np.sign(pixels @ second)
    shown, labels = IMAGES[agreed], (pixels[agreed] @ first > 0).astype(int)
    plain, robust = (
        Partial(two_linear_logits, (first, 75.0)),
        Partial(two_linear_logits, (second, 1.0)),
    )
    classifier = outer(ensemble([calibrated(plain, 0.05), calibrated(robust, 0.35)]))
    distance = np.abs(pixels[agreed] @ first) / np.linalg.norm(first)
    radius = float(np.median(distance))
    options = {"radius": radius, "num_steps": 30, "num_restarts": 1}
    clear = np.abs(distance - radius) > 0.02 * radius
    standing = robustly_correct(KEY, classifier, shown, labels, **options)
    np.testing.assert_array_equal(standing[clear], (distance > radius)[clear])
    assert robustly_correct(KEY, classifier, shown, labels, surrogates=[], **options).mean() > 0.9


def test_surrogates_of_ones_own_only_take_away_and_are_judged_by_the_classifier():
    """A surrogate with another gradient breaks nothing that the classifier keeps; the classifier
    itself adds nothing.
    """
    options = {"radius": 0.05, "num_steps": 10, "num_restarts": 1}
    alone = robustly_correct(KEY, convolutional_classifier, IMAGES, LABELS, **options)
    same, mirrored = (
        robustly_correct(
            KEY, convolutional_classifier, IMAGES, LABELS, surrogates=[surrogate], **options
        )
        for surrogate in (
            convolutional_classifier,
            lambda image: convolutional_classifier(1 - image),
        )
    )
    np.testing.assert_array_equal(same, alone)
    assert not (mirrored & ~alone).any()
    with pytest.raises(
        InputError, match="surrogates: expected classifiers of the same 3 classes, got one of 2"
    ):
        robustly_correct(
            KEY, convolutional_classifier, IMAGES, LABELS, surrogates=[linear_classifier], **options
        )
    with pytest.raises(
        InputError, match="surrogates: expected a list of classifiers, got function"
    ):
        robustly_correct(
            KEY, convolutional_classifier, IMAGES, LABELS, surrogates=linear_classifier, **options
        )


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"num_steps": 2.5}, "num_steps: expected an integer of at least 1, got 2.5"),
        ({"batch_size": 2.5}, "batch_size: expected an integer of at least 1, got 2.5"),
        ({"radius": [0.1, 0.2]}, r"radius: expected one number, got shape \(2,\)"),
        ({"p": 1.5}, "p: expected one of 1, 2, inf, got 1.5"),
        ({"radius": -1.0}, "radius: expected a finite number above 0, got -1.0"),
        ({"num_restarts": 0}, "num_restarts: expected an integer of at least 1, got 0"),
        ({"labels": LABELS + 5}, r"labels: expected a class in 0\.\.2"),
        ({"images": IMAGES * 3}, r"images: expected values in \[0, 1\]"),
    ],
)
def test_mistakes_are_named(change, message):
    options = {"images": IMAGES, "labels": LABELS, "radius": 0.1} | change
    with pytest.raises(InputError, match=message):
        robustly_correct(
            KEY,
            convolutional_classifier,
            jnp.asarray(options.pop("images")),
            options.pop("labels"),
            **options,
        )


def test_labels_of_another_number_are_named():
    with pytest.raises(
        InputError, match=r"labels: expected one class for each of the 2 images, got shape \(3,\)"
    ):
        robustly_correct(
            jax.random.key(0), linear_classifier, images(2), np.zeros(3, int), radius=1.0
        )
