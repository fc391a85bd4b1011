"""Generators with one fault each: it is measured and named."""

import jax.numpy as jnp
import numpy as np
import pytest
from jax.tree_util import Partial

from cfx_jax.counterfactuals import SimilarAdversarial, cyce, syce
from cfx_jax.diagnosis.generators import (
    GeneratorAnswers,
    check_generators,
    diagnose_generators,
    generator_answers,
)
from cfx_jax.errors import InputError

IMAGES = np.random.default_rng(0).uniform(size=(40, 4, 4, 1)).astype(np.float32)
IMAGES = IMAGES * 0.5 + np.linspace(0, 0.5, 40, dtype=np.float32)[:, None, None, None]
SIDES = np.array([4.0, 2.0, -2.0, -4.0], np.float32)[:, None]


def classifier(image):
    """Decides by the upper half less the lower half."""
    score = (SIDES * image[..., 0]).mean()
    return jnp.stack([-score, score])


def mirrored(image):
    """Turns the decision over, and back when applied twice."""
    return image[::-1]


def constant(low, high):
    column = np.array([low, low, high, high], np.float32)[:, None, None]
    return lambda image: jnp.broadcast_to(jnp.asarray(column), image.shape) + 0 * image


def answers_of(generators, pair=syce):
    return generator_answers(
        Partial(pair, generators, classifier), classifier, IMAGES, batch_size=16
    )


def test_good_generators_turn_all_keep_all_and_spread_as_the_images_do():
    for pair in (syce, cyce):
        found = answers_of((mirrored, mirrored), pair)
        decided = np.array([classifier(image).argmax() for image in IMAGES])
        np.testing.assert_array_equal(found.num_images, np.bincount(decided))
        np.testing.assert_array_equal([found.turned, found.kept], np.ones((2, 2)))
        np.testing.assert_allclose(found.spread, 1, rtol=1e-5)
        assert diagnose_generators(found) == ()
        check_generators(found)


def test_shares_are_those_of_each_decision():
    def half(image):
        return jnp.where(image.mean() > 0.5, image[::-1], image)

    found = answers_of((mirrored, half), cyce)
    decided = np.array([classifier(image).argmax() for image in IMAGES])
    bright = IMAGES.mean(axis=(1, 2, 3)) > 0.5
    np.testing.assert_allclose(found.turned, [1, bright[decided == 1].mean()])


def test_a_collapsed_generator_is_named_though_it_turns_every_decision_over():
    # g_0 paints a bright upper half, which is decided 1, whatever the image; so x_s is not decided
    # 0 either.
    found = answers_of((constant(0.9, 0.1), mirrored))
    assert found.turned.tolist() == [1, 1] and found.kept.tolist() == [0, 1]
    names = [each.name for each in diagnose_generators(found)]
    assert names == ["collapsed", "kept"]
    message = rf"the {found.num_images[0]} images decided 0 that differ among each other, got 0\.0% .* a collapse: raise"
    with pytest.raises(InputError, match=message):
        check_generators(found)


def test_generators_that_change_nothing_are_named():
    found = answers_of((lambda image: image, mirrored))
    (finding,) = diagnose_generators(found)
    assert finding.name == "turned" and finding.severity == "error"
    assert (
        f"turned over on at least 95.0% of the {found.num_images[0]} images decided 0, got 0.0%"
        in finding.message
    )
    check_generators(found, least_turned=0.0)


def test_a_similar_image_that_loses_the_decision_is_named():
    explain = Partial(lambda image: SimilarAdversarial(image[::-1], image[::-1]))
    names = [
        each.name for each in diagnose_generators(generator_answers(explain, classifier, IMAGES))
    ]
    assert names == ["kept", "kept"]


def test_a_decision_that_no_image_shows_is_a_warning_alone():
    one_sided = IMAGES[np.array([classifier(image).argmax() == 1 for image in IMAGES])]
    found = generator_answers(
        Partial(syce, (mirrored, mirrored), classifier), classifier, one_sided
    )
    (finding,) = diagnose_generators(found)
    assert (finding.name, finding.severity) == ("undecided", "warning")
    assert finding.message.startswith("images: expected some that are decided 0, got none")
    check_generators(found)


def test_mistakes_are_named():
    answers = GeneratorAnswers(np.array([1, 1]), *np.ones((3, 2)))
    with pytest.raises(InputError, match=r"least_kept: expected a share in \[0, 1\], got 98"):
        diagnose_generators(answers, least_kept=98)
    with pytest.raises(InputError, match=r"images: expected values in \[0, 1\]"):
        answers_of_bright = Partial(syce, (mirrored, mirrored), classifier)
        generator_answers(answers_of_bright, classifier, 2 + IMAGES)


def test_an_explanation_that_is_no_pair_is_named():
    with pytest.raises(
        InputError,
        match=r"explain: expected one image -> SimilarAdversarial, got tuple: give Partial\(",
    ):
        generator_answers(lambda image: (image, mirrored(image)), classifier, IMAGES)
