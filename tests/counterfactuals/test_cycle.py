"""Explanations by a generator for each decided class."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from small_classifiers import convolutional_classifier, images, linear_classifier

from cfx_jax.attributions import path_attribution, path_attribution_along
from cfx_jax.counterfactuals import cyce, decided_class, syce, syce_latent_path
from cfx_jax.errors import InputError
from cfx_jax.models import calibrated, thresholded
from cfx_jax.objectives import class_score

IMAGES = jnp.asarray(images(6))
DECIDED = [int(linear_classifier(image).argmax()) for image in IMAGES]
ROWS = jnp.asarray(np.random.default_rng(1).uniform(0.1, 0.2, size=(2, 8, 8)), jnp.float32)


class Coder(NamedTuple):
    """A toy generator with a latent of two arrays: a matrix product and a smooth squashing."""

    number: int

    def encode(self, image):
        return {"mixed": ROWS[self.number] @ image[..., 0], "whole": image}

    def decode(self, latent):
        mixed = jnp.tanh(latent["mixed"])[..., None]
        return jnp.clip(0.8 * mixed + 0.15 * latent["whole"] + 0.02, 0, 1)

    def __call__(self, image):
        return self.decode(self.encode(image))


CODERS = (Coder(0), Coder(1))


def test_both_classes_occur():
    assert set(DECIDED) == {0, 1}


@pytest.mark.parametrize("index", [DECIDED.index(0), DECIDED.index(1)])
def test_the_generator_is_that_of_the_decided_class(index):
    image, own = IMAGES[index], CODERS[DECIDED[index]]
    straight, stable = (
        cyce(CODERS, linear_classifier, image),
        syce(CODERS, linear_classifier, image),
    )
    np.testing.assert_array_equal(straight.similar, image)
    for pair in (straight, stable):
        np.testing.assert_allclose(pair.adversarial, own(image), atol=1e-6)
    np.testing.assert_allclose(
        stable.similar, own(own(image)), atol=1e-6
    )  # the same generator twice, not the cycle


def test_a_probability_of_one_half_is_class_1():
    even = jnp.full((8, 8, 1), 0.5)
    assert decided_class(lambda x: jnp.zeros(2), even) == 1


def test_a_threshold_changes_the_decision_and_the_generator():
    image = IMAGES[DECIDED.index(0)]
    gentle = calibrated(linear_classifier, 10.0)
    probability = float(jax.nn.softmax(gentle(image))[1])
    moved = thresholded(gentle, 0.9 * probability)
    assert (int(decided_class(gentle, image)), int(decided_class(moved, image))) == (0, 1)
    np.testing.assert_allclose(cyce(CODERS, moved, image).adversarial, CODERS[1](image), atol=1e-6)


@pytest.mark.parametrize("index", [DECIDED.index(0), DECIDED.index(1)])
def test_the_latent_path_ends_at_the_two_images(index):
    pair = syce(CODERS, linear_classifier, IMAGES[index])
    path = syce_latent_path(CODERS, linear_classifier, IMAGES[index])
    np.testing.assert_allclose(path.decode(path.start), pair.similar, atol=1e-6)
    np.testing.assert_allclose(path.decode(path.end), pair.adversarial, atol=1e-6)


def test_both_kinds_of_path_are_attributed():
    @jax.jit
    def explain(image):
        score, pair = class_score(linear_classifier, 1), syce(CODERS, linear_classifier, image)
        path = syce_latent_path(CODERS, linear_classifier, image)
        return (
            path_attribution(score, *pair),
            path_attribution_along(score, *path, variant="E"),
            pair.explanation,
        )

    straight, along, difference = explain(IMAGES[0])
    assert abs(float(straight.residual)) < 1e-3 and abs(float(along.residual)) < 1e-3
    assert float(straight.map.min()) >= 0 and float(straight.map.max()) > 0
    np.testing.assert_allclose(along.map, difference, atol=1e-4)


@pytest.mark.parametrize("method", [cyce, syce])
def test_jit_and_vmap_equal_one_by_one(method):
    mapped = jax.jit(jax.vmap(lambda image: method(CODERS, linear_classifier, image)))(IMAGES)
    for index in (DECIDED.index(0), DECIDED.index(1)):
        for many, one in zip(mapped, method(CODERS, linear_classifier, IMAGES[index]), strict=True):
            np.testing.assert_allclose(many[index], one, atol=1e-6)


def test_latent_paths_can_be_mapped_over_images():
    score = class_score(linear_classifier, 1)

    def explain(image):
        return path_attribution_along(
            score, *syce_latent_path(CODERS, linear_classifier, image), num_steps=3
        ).map

    mapped = jax.jit(jax.vmap(explain))(IMAGES[:2])
    np.testing.assert_allclose(mapped[1], jax.jit(explain)(IMAGES[1]), atol=1e-6)


@pytest.mark.parametrize("method", [cyce, syce, syce_latent_path])
@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"image": IMAGES}, r"image: expected one image \(h, w, c\)"),
        ({"generators": CODERS[:1]}, "(generators|coders): expected g_0 and g_1, got 1"),
        (
            {"classifier": convolutional_classifier},
            "classifier: expected two classes, since each has a generator, got 3",
        ),
        (
            {"classifier": lambda x: jax.nn.softmax(linear_classifier(x))},
            "expected logits, got probabilities",
        ),
        ({"classifier": lambda x: jnp.nan * linear_classifier(x)}, "expected finite logits"),
    ],
)
def test_mistakes_are_named(method, change, message):
    arguments = {"generators": CODERS, "classifier": linear_classifier, "image": IMAGES[0]} | change
    with pytest.raises(InputError, match=message):
        method(*arguments.values())


def test_generators_of_another_shape_are_refused():
    with pytest.raises(
        InputError, match=r"generate: expected one image -> one image of its shape \(8, 8, 1\), got"
    ):
        cyce((CODERS[0], lambda image: image[:4]), linear_classifier, IMAGES[0])
