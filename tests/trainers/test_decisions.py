"""Images grouped by a classifier's decision."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from cfx_jax.data import ArraySource, training_batches
from cfx_jax.errors import InputError
from cfx_jax.models import thresholded
from trainers.decisions import check_both_decided, decide, decide_source, decided_source
from trainers.relabelled import RelabelledSource

IMAGES = np.linspace(0, 1, 41, dtype=np.float32)[:, None, None, None] * np.ones(
    (1, 2, 2, 1), np.float32
)
SOURCE = ArraySource(IMAGES, np.zeros(41, np.int32), ("healthy", "ill"))


def bright(image: jax.Array) -> jax.Array:
    return jnp.stack([jnp.zeros(()), image.mean() - 0.5])


def test_decisions_are_the_classifiers_and_one_half_is_class_1() -> None:
    expected = (np.arange(41) >= 20).astype(int)
    np.testing.assert_array_equal(decide(bright, IMAGES, batch_size=8), expected)
    chosen = np.array([40, 3, 20, 19])
    np.testing.assert_array_equal(
        decide_source(bright, SOURCE, chosen, batch_size=8), expected[chosen]
    )


def test_a_source_is_read_in_parts_to_the_same_decisions() -> None:
    np.testing.assert_array_equal(
        decide_source(bright, SOURCE, np.arange(41), batch_size=2),
        decide(bright, IMAGES, batch_size=41),
    )


def test_a_decided_source_has_the_chosen_images_with_the_decisions_as_labels() -> None:
    chosen = np.array([40, 3, 20])
    decided = decided_source(bright, SOURCE, chosen, balanced=True, batch_size=8)
    assert [len(decided), *(decided[i]["label"] for i in range(3))] == [3, 1, 0, 1]
    np.testing.assert_array_equal(
        [decided[i]["image"].mean() for i in range(3)], IMAGES[chosen, 0, 0, 0]
    )


def test_a_threshold_moves_the_groups() -> None:
    """At a probability of 0.6 the classifier asks for pixels of 0.5 + log(0.6 / 0.4), about 0.905,
    and more.
    """
    strict = thresholded(bright, 0.6)
    np.testing.assert_array_equal(decide(strict, IMAGES, batch_size=41), IMAGES[:, 0, 0, 0] > 0.905)


def test_logits_beyond_any_probability_decide_as_small_ones_do() -> None:
    saturated = decide(lambda image: 1e6 * bright(image), IMAGES, batch_size=41)
    np.testing.assert_array_equal(saturated, decide(bright, IMAGES, batch_size=41))


def test_only_balanced_training_sets_are_decided() -> None:
    chosen = np.array([40, 3, 20])
    balanced, plain = (
        decided_source(bright, SOURCE, chosen, balanced=each, batch_size=8).labels.tolist()
        for each in (True, False)
    )
    assert balanced == [1, 0, 1] and plain == [0, 0, 0]
    assert (
        len(
            decided_source(lambda image: jnp.zeros(3), SOURCE, chosen, balanced=False, batch_size=8)
        )
        == 3
    )
    with pytest.raises(
        InputError, match=r"on the training images, .* got class 0 for 2 and class 1 for 0 of them"
    ):
        decided_source(bright, SOURCE, np.array([2, 3]), balanced=True, batch_size=8)
    with pytest.raises(InputError, match=r"indices: expected positions in 0\.\.40, got 41\.\.41"):
        decided_source(bright, SOURCE, np.array([41]), balanced=False, batch_size=8)


def test_balanced_batches_of_it_alternate_between_the_decisions() -> None:
    decisions = (np.arange(41) >= 30).astype(np.int32)
    batches = training_batches(
        RelabelledSource(SOURCE, np.arange(41), decisions, ("no", "yes")),
        np.arange(41),
        batch_size=8,
        seed=0,
    )
    for _ in range(10):  # over several epochs of 60
        images = next(batches)["image"].mean(axis=(1, 2, 3))
        assert (images[0::2] < 0.75).all() and (images[1::2] >= 0.75).all()


def test_a_classifier_that_decides_one_way_is_named_with_the_counts() -> None:
    check_both_decided(np.array([0, 1]), name="training images")
    with pytest.raises(
        InputError,
        match=r"both classes on the training images.* got class 0 for 3 and class 1 for 0 .*mod",
    ):
        check_both_decided(np.zeros(3, int), name="training images")
    with pytest.raises(InputError, match="expected two classes, since each has a generator, got 3"):
        decide(lambda image: jnp.zeros(3), IMAGES, batch_size=8)
