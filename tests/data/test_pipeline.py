import json

import numpy as np
import pytest

from cfx_jax.data import ArraySource, compose, random_crop, random_flip, training_batches
from cfx_jax.errors import InputError

IMAGES = np.random.default_rng(0).random((23, 6, 5, 3), dtype=np.float32)
IMAGES[:, 0, 0, 0] = np.arange(23) / 23  # tells the images apart
LABELS = np.array([0] * 15 + [1] * 8)
SOURCE = ArraySource(IMAGES, LABELS, ("healthy", "DR"))
AUGMENT = compose(random_crop(padding=2), random_flip("horizontal"))


def stream(**changes):
    options = {"batch_size": 8, "seed": 0} | changes
    source = options.pop("source", SOURCE)
    return training_batches(source, options.pop("indices", np.arange(len(source))), **options)


def take(batches, number):
    return [next(batches) for _ in range(number)]


def assert_same(ours, others):
    for one, other in zip(ours, others, strict=True):
        np.testing.assert_array_equal(one["image"], other["image"])
        np.testing.assert_array_equal(one["label"], other["label"])


def which(batch):
    return np.rint(batch["image"][:, 0, 0, 0] * 23).astype(int)


def test_batches_have_the_stated_form():
    batch = next(stream())
    assert batch["image"].shape == (8, 6, 5, 3) and batch["image"].dtype == np.float32
    assert batch["label"].shape == (8,) and batch["label"].dtype == np.int32


def test_images_keep_their_labels():
    for batch in take(stream(), 8):
        np.testing.assert_array_equal(batch["image"], IMAGES[which(batch)])
        np.testing.assert_array_equal(batch["label"], LABELS[which(batch)])


def test_balanced_batches_hold_each_class_equally():
    for batch in take(stream(), 12):
        np.testing.assert_array_equal(batch["label"], [0, 1] * 4)


def test_unbalanced_epoch_shows_every_image_once():
    batches = take(stream(batch_size=1, balanced=False), 23)
    assert sorted(int(which(batch)[0]) for batch in batches) == list(range(23))


def test_only_the_given_indices_are_read():
    indices = np.array([2, 3, 5, 16, 20])
    seen = {int(i) for batch in take(stream(indices=indices), 10) for i in which(batch)}
    assert seen == set(indices.tolist())


def test_same_seed_same_batches_and_other_seed_others():
    assert_same(take(stream(augment=AUGMENT), 6), take(stream(augment=AUGMENT), 6))
    ours, others = next(stream()), next(stream(seed=1))
    assert (ours["image"] != others["image"]).any()


@pytest.mark.parametrize("num_threads", [0, 1, 5])
def test_number_of_threads_changes_nothing(num_threads):
    plain = take(stream(augment=AUGMENT), 12)
    assert_same(take(stream(augment=AUGMENT, num_threads=num_threads, prefetch=7), 12), plain)


@pytest.mark.slow
def test_workers_change_nothing_and_a_place_is_the_same_with_and_without_them():
    plain = take(stream(augment=AUGMENT), 9)
    by_workers = stream(augment=AUGMENT, num_workers=2)
    assert_same(take(by_workers, 4), plain[:4])
    state = json.loads(json.dumps(by_workers.get_state()))
    alone = stream(augment=AUGMENT)
    take(alone, 4)
    assert alone.get_state() == state
    alone.set_state(state)
    assert_same(take(alone, 5), plain[4:])
    by_workers.set_state({"next_index": 7})
    assert_same(take(by_workers, 2), plain[7:])
    by_workers.close()


def test_a_mistake_in_a_worker_is_told():
    def fail(image, rng):
        if np.rint(image[0, 0, 0] * 23) == 20:
            raise InputError("image 20: cannot be used")
        return image

    batches = stream(augment=fail, num_workers=1, batch_size=2, indices=np.arange(10, 23))
    with pytest.raises(Exception, match="image 20: cannot be used"):
        take(batches, 40)
    batches.close()


def test_a_number_of_workers_below_0_is_named():
    with pytest.raises(InputError, match="num_workers: expected an integer of at least 0, got -1"):
        stream(num_workers=-1)


def test_restored_state_goes_on_exactly():
    batches = stream(augment=AUGMENT)
    take(batches, 5)
    state = json.loads(json.dumps(batches.get_state()))  # what a checkpoint does to it
    expected = take(batches, 7)
    fresh = stream(augment=AUGMENT)
    take(fresh, 2)
    fresh.set_state(state)
    assert_same(take(fresh, 7), expected)


def test_batch_size_does_not_change_the_sequence_of_images():
    small = np.concatenate([b["image"] for b in take(stream(batch_size=4, augment=AUGMENT), 6)])
    large = np.concatenate([b["image"] for b in take(stream(batch_size=12, augment=AUGMENT), 2)])
    np.testing.assert_array_equal(small, large)


def test_shares_of_all_processes_make_the_batch_of_one():
    whole = take(stream(augment=AUGMENT), 5)
    shares = [take(stream(augment=AUGMENT, process_index=i, process_count=4), 5) for i in range(4)]
    for number, batch in enumerate(whole):
        for field in ("image", "label"):
            joined = np.concatenate([share[number][field] for share in shares])
            np.testing.assert_array_equal(joined, batch[field])


def test_augmentation_differs_between_images_and_epochs():
    constant = ArraySource(np.ones((4, 6, 6, 1), np.float32), np.array([0, 1, 0, 1]), ("a", "b"))
    batches = take(stream(source=constant, batch_size=4, augment=random_crop(padding=3)), 6)
    assert len({image.tobytes() for batch in batches for image in batch["image"]}) > 12


class Scans:
    """Volumes with a map each, which is twice the volume."""

    class_names = ("a", "b")
    labels = np.array([0, 1, 0, 1])
    volumes = np.random.default_rng(1).random((4, 2, 6, 5, 1), dtype=np.float32) / 2

    def __len__(self):
        return 4

    def __getitem__(self, index):
        volume = self.volumes[index]
        return {
            "image": volume,
            "label": int(self.labels[index]),
            "saliency": 2 * volume,
            "name": str(index),
        }


def test_volumes_come_with_the_fields_asked_for_and_no_others():
    for batch in take(stream(source=Scans(), batch_size=4, fields=("saliency",)), 3):
        assert sorted(batch) == ["image", "label", "saliency"]
        assert batch["image"].shape == (4, 2, 6, 5, 1)
        np.testing.assert_array_equal(batch["saliency"], 2 * batch["image"])


def test_an_item_is_augmented_after_its_image_and_a_place_in_the_stream_is_taken_up_again():
    def lower(image, rng):
        return image / 2

    def roll(item, rng):
        assert item["image"].max() <= 0.25
        rows = rng.integers(1, 6)
        return {
            "image": np.roll(item["image"], rows, axis=1),
            "label": 1 - item["label"],
            "saliency": np.roll(item["saliency"], rows, axis=1),
        }

    options = {
        "source": Scans(),
        "batch_size": 2,
        "fields": ("saliency",),
        "augment": lower,
        "augment_item": roll,
    }
    batches = stream(**options)
    first, place = next(batches), batches.get_state()
    np.testing.assert_array_equal(first["label"], [1, 0])  # balanced, so 0 and 1 before
    np.testing.assert_allclose(first["saliency"], 4 * first["image"])
    expected, fresh = next(batches), stream(**options)
    fresh.set_state(place)
    again = next(fresh)
    assert_same([again], [expected])
    np.testing.assert_array_equal(again["saliency"], expected["saliency"])


def test_a_field_that_items_lack_or_that_differs_in_shape_is_named():
    with pytest.raises(
        InputError,
        match="fields: expected some of image, label, as the source's items have, got 'mask'",
    ):
        stream(fields=("mask",))

    class Growing(Scans):
        def __getitem__(self, index):
            return {**super().__getitem__(index), "saliency": np.zeros(index + 1)}

    with pytest.raises(
        InputError, match=r"saliency: expected one shape in a batch, got \(1,\) and \(2,\)"
    ):
        stream(source=Growing(), batch_size=4, fields=("saliency",))


class Faulty:
    class_names = ("a", "b")
    labels = np.array([0, 1, 0, 1])

    def __init__(self, image, label=None):
        self.image, self.label = image, label

    def __len__(self):
        return 4

    def __getitem__(self, index):
        image = self.image(index) if callable(self.image) else self.image
        return {"image": image, "label": self.labels[index] if self.label is None else self.label}


@pytest.mark.parametrize(
    ("source", "message"),
    [
        (Faulty(np.zeros((4, 4, 3), np.uint8)), "first batch: expected dtype float32, got uint8"),
        (Faulty(np.zeros((4, 4, 3))), "first batch: expected dtype float32, got float64"),
        (
            Faulty(np.full((4, 4, 3), 255, np.float32)),
            r"expected values in \[0, 1\], got \[255, 255\]",
        ),
        (Faulty(np.full((4, 4, 3), np.nan, np.float32)), "first batch: expected finite values"),
        (
            Faulty(np.zeros((4, 4), np.float32)),
            r"expected a batch of images \(n, h, w, c\), got shape \(4, 4, 4\)",
        ),
        (
            Faulty(np.full((2, 4, 4, 3), 255, np.float32)),
            r"expected values in \[0, 1\], got \[255, 255\]",
        ),
        (
            Faulty(lambda i: np.zeros((4 + i % 2, 4, 3), np.float32)),
            r"one shape in a batch, got \(4, 4, 3\) and \(5",
        ),
        (
            Faulty(np.zeros((4, 4, 3), np.float32), label=2),
            "label: expected 0..1 for the classes a, b, got 2",
        ),
    ],
)
def test_faulty_first_batch_is_explained(source, message):
    with pytest.raises(InputError, match=message):
        stream(source=source, batch_size=4)


def test_augmentation_that_leaves_the_range_is_explained():
    with pytest.raises(InputError, match=r"first batch: expected values in \[0, 1\]"):
        stream(augment=lambda image, rng: image * 2)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"batch_size": 0},
            "batch_size: expected an integer of at least 1, got 0",
        ),
        ({"process_count": 3}, "got 8 for 3: choose another batch size"),
        (
            {"process_index": 1},
            "process_index: expected a number in 0..process_count - 1, got 1 of 1",
        ),
        ({"seed": -2}, "seed: expected 0 or more"),
        ({"indices": np.array([23])}, "expected positions in 0..22"),
        ({"indices": np.array([0, 1])}, "two classes or more"),
        ({"num_threads": -1}, "num_threads: expected an integer of at least 0, got -1"),
        ({"num_threads": 10**30}, "num_threads: expected an integer of at most"),
        ({"prefetch": 2.5}, "prefetch: expected an integer of at least 0, got 2.5"),
        ({"num_workers": "a"}, "num_workers: expected an integer of at least 0, got 'a'"),
        ({"seed": "a"}, "seed: expected 0 or more, got 'a'"),
        ({"augment": 3}, "augment: expected a function of an image or item and a random gen"),
    ],
)
def test_wrong_options_are_explained(changes, message):
    with pytest.raises(InputError, match=message):
        stream(**changes)
