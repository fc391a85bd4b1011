"""Batches with targets, of decisions and of bins, against what is known by hand."""

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from cfx_jax.data import ArraySource, training_batches
from cfx_jax.errors import InputError
from cfx_jax.models import thresholded
from trainers import Inputs, RunSettings, source_probabilities
from trainers.shared import (
    RelabelledSource,
    TrainingBatches,
    binned_batches,
    decide_validation,
    decided_batches,
    labelled_batches,
    target_batches,
    unlabelled_batches,
)
from trainers.shared.batches import check_both_decided, decide_source

RUN = RunSettings(batch_size=4, eval_batch_size=8)
NUMBERS = np.arange(12)
TRUTH = {"image": np.zeros((2, 4, 4, 1), np.float32), "label": np.array([0, 1])}
SOURCE = ArraySource(
    np.broadcast_to(NUMBERS[:, None, None, None] / 20, (12, 4, 4, 1)).astype(np.float32),
    NUMBERS % 2,
    ("a", "b"),
)
CHOSEN = np.array([11, 3, 4, 0, 7, 8])
VALUES = np.linspace(0, 1, 41, dtype=np.float32)
RAMP = ArraySource(
    np.broadcast_to(VALUES[:, None, None, None], (41, 4, 4, 1)).copy(),
    np.zeros(41, np.int32),
    ("healthy", "ill"),
)


def numbers_of(images: np.ndarray) -> np.ndarray:
    return np.rint(20 * images.mean(axis=(1, 2, 3))).astype(int)


def bright(image: jax.Array) -> jax.Array:
    return jnp.stack([jnp.zeros(()), image.mean() - 0.5])


def logit(image: jax.Array) -> jax.Array:
    """The probability of class 1 is that of log-odds 8 (mean - 1 / 2)."""
    return 8 * bright(image)


def three_classes(image: jax.Array) -> jax.Array:
    return jnp.zeros(3)


def test_labelled_batches_show_the_largest_class_once_in_an_epoch() -> None:
    rows = np.array([0, 1, 2, 4, 6])
    balanced, plain = (
        labelled_batches(RUN, Inputs(SOURCE, rows, TRUTH), balanced=each) for each in (True, False)
    )
    assert (balanced.images_per_epoch, plain.images_per_epoch) == (8, 5)
    batch = next(balanced.batches)
    np.testing.assert_array_equal(np.sort(batch["label"]), [0, 0, 1, 1])
    assert set(balanced.depends) == {"validation_labels"}


def test_batches_are_read_by_as_many_workers_as_the_inputs_say(monkeypatch: Any) -> None:
    asked = []

    def read(*given: Any, **options: Any) -> Any:
        asked.append(options.pop("num_workers"))
        return training_batches(*given, **options)

    monkeypatch.setattr("trainers.shared.batches.training_batches", read)
    for num_workers in (0, 3):
        inputs = Inputs(SOURCE, CHOSEN, TRUTH, num_workers=num_workers)
        labelled_batches(RUN, inputs, balanced=False)
        unlabelled_batches(SimpleNamespace(run=RUN), inputs)
    assert asked == [0, 0, 3, 3]


def test_unlabelled_batches_are_those_of_the_chosen_images() -> None:
    given = unlabelled_batches(SimpleNamespace(run=RUN), Inputs(SOURCE, CHOSEN, TRUTH))
    seen = [numbers_of(next(given.batches)["image"]) for _ in range(3)]
    assert sorted(np.concatenate(seen).tolist()) == sorted(2 * CHOSEN.tolist())
    assert given.images_per_epoch == 6 and set(given.depends) == {"validation_images"}


def _target_batches(targets: np.ndarray, **options: Any) -> TrainingBatches:
    inputs = replace(Inputs(SOURCE, CHOSEN, TRUTH, targets), **options)
    return target_batches(RUN, inputs, name="masks", validation=("image",))


def test_each_image_has_the_target_of_its_place_in_the_indices() -> None:
    given, seen = _target_batches(np.stack([CHOSEN, -CHOSEN], axis=1)), []
    for _ in range(3):
        batch = next(given.batches)
        numbers = numbers_of(batch["image"])
        np.testing.assert_array_equal(batch["target"], np.stack([numbers, -numbers], axis=1))
        seen += numbers.tolist()
    assert sorted(seen) == sorted(2 * CHOSEN.tolist())
    assert set(given.depends) == {"validation_images", "masks"}


def test_images_are_augmented_and_targets_are_not() -> None:
    batch = next(_target_batches(CHOSEN, augment=lambda image, rng: 1 - image).batches)
    np.testing.assert_array_equal(np.rint(20 * (1 - batch["image"][:, 0, 0, 0])), batch["target"])


def test_a_place_in_the_stream_is_taken_up_again() -> None:
    batches = _target_batches(CHOSEN).batches
    next(batches)
    place, following = batches.get_state(), next(batches)
    again = _target_batches(CHOSEN).batches
    again.set_state(place)
    batch = next(again)
    for name, values in following.items():
        np.testing.assert_array_equal(batch[name], values)


def test_another_number_of_targets_is_refused() -> None:
    message = "masks: expected one for each of the 6 training images, got 12: take those of"
    with pytest.raises(InputError, match=message):
        _target_batches(NUMBERS)


def test_decisions_are_the_classifiers_and_one_half_is_class_1() -> None:
    chosen = np.array([40, 3, 20, 19])
    for size in (1, 8):  # read in one part, and in several
        decisions = decide_source(bright, RAMP, np.tile(chosen, 10), batch_size=size)
        np.testing.assert_array_equal(decisions, np.tile(chosen >= 20, 10))


def test_a_threshold_moves_the_groups() -> None:
    """A probability of 0.6 asks for pixels of 0.5 + log(0.6 / 0.4), about 0.905, and more."""
    decisions = decide_source(thresholded(bright, 0.6), RAMP, np.arange(41), batch_size=41)
    np.testing.assert_array_equal(decisions, VALUES > 0.905)


def test_logits_beyond_any_probability_decide_as_small_ones_do() -> None:
    small, saturated = (
        decide_source(lambda image, by=by: by * bright(image), RAMP, np.arange(41), batch_size=41)
        for by in (1, 1e6)
    )
    np.testing.assert_array_equal(small, saturated)


def _decided(chosen: np.ndarray, classifier: Any = bright, **options: Any) -> TrainingBatches:
    given: dict[str, Any] = {"balanced": True, "batch_size": 4, **options}
    inputs = Inputs(RAMP, chosen, TRUTH, classifier=classifier)
    return decided_batches(RUN, inputs, **given)


def test_balanced_batches_alternate_between_the_decisions() -> None:
    chosen = np.r_[0:15, 30:41]
    given = _decided(chosen)
    for _ in range(10):  # over several epochs
        means = next(given.batches)["image"].mean(axis=(1, 2, 3))
        assert (means[0::2] < 0.5).all() and (means[1::2] >= 0.5).all()
    assert set(given.depends) == {"validation_images", "decisions"}
    assert given.images_per_epoch == 26
    assert _decided(chosen, epoch_of_rarer=True).images_per_epoch == 11


def test_only_balanced_training_sets_are_decided() -> None:
    assert len(next(_decided(np.array([2, 3]), three_classes, balanced=False).batches)) == 2
    message = r"on the training images, .* got class 0 for 2 and class 1 for 0 of them"
    with pytest.raises(InputError, match=message):
        _decided(np.array([2, 3]))
    with pytest.raises(InputError, match=r"indices: expected positions in 0\.\.40, got 41\.\.41"):
        _decided(np.array([41]), balanced=False)


def test_relabelled_items_are_those_chosen_with_their_new_labels() -> None:
    chosen = np.array([40, 3, 20])
    source = RelabelledSource(RAMP, chosen, np.array([1, 0, 1]), ("no", "yes"))
    assert [len(source), *(source[i]["label"] for i in range(3))] == [3, 1, 0, 1]
    np.testing.assert_array_equal([source[i]["image"][0, 0, 0] for i in range(3)], VALUES[chosen])


def test_a_classifier_that_decides_one_way_is_named_with_the_counts() -> None:
    check_both_decided(np.array([0, 1]), name="training images")
    message = r"both classes on the training images.* got class 0 for 3 and class 1 for 0 .*mod"
    with pytest.raises(InputError, match=message):
        check_both_decided(np.zeros(3, int), name="training images")
    with pytest.raises(InputError, match="expected two classes, since each has a generator, got 3"):
        decide_source(three_classes, RAMP, np.arange(3), batch_size=8)


def test_validation_images_are_decided_and_need_both_decisions() -> None:
    images = np.stack([RAMP[index]["image"] for index in (0, 40, 21)])
    inputs = Inputs(validation={"image": images}, classifier=bright)
    np.testing.assert_array_equal(decide_validation(RUN, inputs)[1], [0, 1, 1])
    with pytest.raises(InputError, match="both classes on the validation images"):
        decide_validation(RUN, replace(inputs, validation={"image": images[1:]}))
    with pytest.raises(InputError, match=r"validation images: expected values in \[0, 1\]"):
        decide_validation(RUN, replace(inputs, validation={"image": images + 1}))


def test_probabilities_are_those_of_class_1_in_the_order_asked_for() -> None:
    chosen = np.array([40, 0, 20, 7])
    expected = 1 / (1 + np.exp(-8 * (VALUES[chosen] - 0.5)))
    for size in (1, 3):  # read in one part, and in two
        values = source_probabilities(logit, RAMP, np.tile(chosen, 10), batch_size=size)
        np.testing.assert_allclose(values, np.tile(expected, 10), rtol=1e-6)


def _binned(chosen: np.ndarray, num_bins: int = 4, **options: Any) -> TrainingBatches:
    given: dict[str, Any] = {"balanced": True, "batch_size": 9, **options}
    inputs = Inputs(RAMP, chosen, TRUTH, classifier=logit)
    return binned_batches(RUN, inputs, num_bins=num_bins, **given)


def test_each_image_has_its_bin_as_label() -> None:
    few = r"2 of 4 bins have fewer than 10 images: 1 \(5\), 2 \(6\)"
    with pytest.warns(UserWarning, match=few):
        given = _binned(np.arange(40, -1, -1), balanced=False, batch_size=41)
    batch = next(given.batches)
    # The edges 1/4 and 3/4 are log-odds of -log 3 and log 3, means of 0.5 -+ 0.137.
    edges = [0.5 - np.log(3) / 8, 0.5, 0.5 + np.log(3) / 8]
    np.testing.assert_array_equal(batch["label"], np.digitize(batch["image"][:, 0, 0, 0], edges))
    assert given.images_per_epoch == 41 and set(given.depends) == {"validation_images", "bins"}


@pytest.mark.filterwarnings("ignore:.*bins have fewer than 10 images")
def test_balanced_batches_have_as_many_images_of_each_bin_that_has_any() -> None:
    batches = _binned(np.r_[0:10, 25:41]).batches
    for _ in range(5):
        assert np.bincount(next(batches)["label"], minlength=4).tolist() == [3, 0, 3, 3]


def test_mistakes_of_bins_are_named() -> None:
    with pytest.raises(InputError, match="several of the 10 bins, got all 3 images in bin 9"):
        _binned(np.array([38, 39, 40]), num_bins=10)
    with pytest.raises(InputError, match="expected two logits, whose class 1 is explained, got 3"):
        source_probabilities(three_classes, RAMP, np.arange(3), batch_size=8)
    with pytest.raises(InputError, match=r"indices: expected positions in 0\.\.40, got 41\.\.41"):
        source_probabilities(logit, RAMP, np.array([41]), batch_size=8)


def test_batches_of_decisions_are_those_of_the_relabelled_source() -> None:
    decisions = (np.arange(41) >= 20).astype(np.int32)
    source = RelabelledSource(RAMP, np.arange(41), decisions, ("no", "yes"))
    expected = next(training_batches(source, np.arange(41), batch_size=4, seed=0))
    batch = next(_decided(np.arange(41)).batches)
    np.testing.assert_array_equal(batch["image"], expected["image"])
