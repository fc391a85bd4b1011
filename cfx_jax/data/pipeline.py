"""Batches for training, read ahead by threads, or by processes with threads of their own (grain).

A batch is a pure function of (seed, number of the batch): which images it holds, in which order,
and how each is augmented. So the stream does not depend on the number of threads and processes, and
resuming needs the number of the next batch only. Image i of the sequence is the same whatever the
batch size or the number of processes. What is said of images (h, w, c) holds for volumes
(s, h, w, c) too.
"""

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol, Self

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float, Int

from cfx_jax.checks import check_callable, check_images, check_integer, check_texts
from cfx_jax.data.image_source import ImageSource, check_indices, check_labels, labels_of
from cfx_jax.data.sample_order import SampleOrder
from cfx_jax.errors import InputError, import_extra

Augment = Callable[
    [Float[np.ndarray, "*s h w c"], np.random.Generator], Float[np.ndarray, "*s h w c"]
]
AugmentItem = Callable[[Mapping[str, Any], np.random.Generator], Mapping[str, Any]]

_NUM_BATCHES = 2**62  # grain asks for a length; this one is not reached


class BatchIterator(Protocol):
    """An endless stream of batches whose place can be saved and restored."""

    def __iter__(self) -> Self: ...

    def __next__(self) -> dict[str, np.ndarray]: ...

    def get_state(self) -> dict[str, int]:
        """The place in the stream, as numbers that can be written to a file."""

    def set_state(self, state: dict[str, int], /) -> None:
        """Goes on from a saved place."""


def training_batches(
    source: ImageSource,
    indices: Int[np.ndarray, " n"],
    *,
    batch_size: int,
    seed: int,
    balanced: bool = True,
    augment: Augment | None = None,
    fields: Sequence[str] = (),
    augment_item: AugmentItem | None = None,
    process_index: int = 0,
    process_count: int = 1,
    num_threads: int | None = None,
    num_workers: int = 0,
    prefetch: int = 4,
) -> BatchIterator:
    """Endless batches for training, shuffled anew in every epoch; a batch may span two epochs.

    Args:
        source: the images.
        indices: positions of the training images in the source.
        batch_size: images in a batch, over all processes.
        seed: fixes order and augmentation; 0 or more.
        balanced: whether classes alternate, the smaller ones extended by random duplicates.
        augment: ``f(image, rng) -> image``, applied to every image.
        fields: further arrays of the items, such as saliency maps, that a batch carries under their
            names.
        augment_item: ``f(item, rng) -> item``, applied after ``augment`` to the dict of image,
            label and fields, for changes that must reach several of them.
        process_index: number of this process. Each process reads its own contiguous share of every
            batch, so the shares put together are the batch that a single process would read.
        process_count: number of processes; must divide ``batch_size``.
        num_threads: threads that read ahead; 0 reads when asked, None takes one for each processor,
            or one in each worker.
        num_workers: worker processes that read ahead, each with ``num_threads`` threads; 0 reads in
            this process. Threads are enough where OpenCV does the work. Workers are for sources
            whose items are made in Python, such as DICOM files: Python runs one thread at a time.
            Each worker starts Python anew, so a script needs ``if __name__ == "__main__":``, and
            the source and ``augment`` must be picklable (by cloudpickle).
        prefetch: batches read ahead.

    Returns:
        An iterator of dicts ``image`` float32 (b, h, w, c) in [0, 1], ``label`` int32 (b,) and the
        fields, with ``get_state`` and ``set_state``.

    Raises:
        InputError: an argument does not fit, or the first batch, which is read here, does not hold
            float32 images in [0, 1] with labels that are classes, or lacks a field.

    Example:
        >>> images, labels = np.zeros((6, 8, 8, 3), np.float32), np.array([0, 0, 0, 0, 1, 1])
        >>> source = ArraySource(images, labels, ("healthy", "DR"))
        >>> batch = next(training_batches(source, np.arange(6), batch_size=4, seed=0))
        >>> batch["image"].shape, sorted(batch["label"].tolist())
        ((4, 8, 8, 3), [0, 0, 1, 1])
    """
    _check_sizes(batch_size, process_index, process_count)
    check_integer(num_workers, name="num_workers", at_least=0)
    if num_threads is None:
        num_threads = 1 if num_workers else os.cpu_count() or 1
    counts = {"num_threads": num_threads, "num_workers": num_workers, "prefetch": prefetch}
    for name, count in counts.items():
        check_integer(count, name=name, at_least=0)
    for name, function in {"augment": augment, "augment_item": augment_item}.items():
        if function is not None:
            check_callable(function, name=name, gives="an image or item and a random generator")
    check_texts(fields, name="fields")
    positions = check_indices(source, indices)
    order = SampleOrder(labels_of(source)[positions], seed=seed, balanced=balanced)
    share = batch_size // process_count
    reader = _BatchReader(
        source,
        positions,
        order,
        augment,
        tuple(fields),
        augment_item,
        batch_size,
        process_index * share,
        share,
    )
    _check_batch(reader[0])
    read_ahead = _ReadAhead(num_threads, num_workers, prefetch)
    return _WorkerBatches(reader, read_ahead) if num_workers else read_ahead.batches(reader)


class _ReadAhead(NamedTuple):
    """How batches are read ahead; the fields are the arguments of ``training_batches``."""

    num_threads: int
    num_workers: int
    prefetch: int

    def batches(self, reader: "_BatchReader", first: int = 0) -> Any:
        """Grain's iterator over the batches from the number ``first`` on."""
        grain = import_extra("grain", "reading batches for training")
        share = -(-self.prefetch // max(self.num_workers, 1))
        threads = grain.ReadOptions(
            num_threads=self.num_threads, prefetch_buffer_size=max(share, self.num_threads)
        )
        batches = grain.MapDataset.source(reader)
        batches = (batches[first:] if first else batches).to_iter_dataset(threads)
        if self.num_workers:
            _mark_flags_as_parsed()
            workers = grain.MultiprocessingOptions(self.num_workers, max(share, 1))
            batches = batches.mp_prefetch(workers, _start_worker)
        return iter(batches)


def _mark_flags_as_parsed() -> None:
    """Lets grain read its own flags in a program that is no absl application."""
    flags = import_extra("absl.flags", "reading batches by worker processes").FLAGS
    if not flags.is_parsed():
        flags.mark_as_parsed()


def _start_worker(index: int, count: int) -> None:
    """Keeps a worker from taking the accelerator, should anything in it compute by JAX."""
    del index, count
    jax.config.update("jax_platforms", "cpu")


class _WorkerBatches:
    """Batches that worker processes read, which start with the first one that is asked for.

    The place in the stream is the number of the next batch, as without workers; the position of
    grain's own iterator would depend on their number.
    """

    def __init__(self, reader: "_BatchReader", read_ahead: _ReadAhead) -> None:
        self._reader, self._read_ahead = reader, read_ahead
        self._next = 0
        self._batches: Any = None

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> dict[str, np.ndarray]:
        if self._batches is None:
            self._batches = self._read_ahead.batches(self._reader, self._next)
        batch = next(self._batches)
        self._next += 1
        return batch

    def get_state(self) -> dict[str, int]:
        return {"next_index": self._next}

    def set_state(self, state: dict[str, int], /) -> None:
        self.close()
        self._next = state["next_index"]

    def close(self) -> None:
        """Ends the workers; the next batch that is asked for starts them again."""
        if self._batches is not None:
            self._batches.close()
        self._batches = None


@dataclass(frozen=True)
class _BatchReader:
    """Random access to the batches of one process."""

    source: ImageSource
    positions: Int[np.ndarray, " n"]
    order: SampleOrder
    augment: Augment | None
    fields: tuple[str, ...]
    augment_item: AugmentItem | None
    batch_size: int
    offset: int
    share: int

    def __len__(self) -> int:
        return _NUM_BATCHES

    def __getitem__(self, number: int) -> dict[str, np.ndarray]:
        first = number * self.batch_size + self.offset
        items = self.positions[self.order.items(first, self.share)]
        read = [self._read(int(item), first + row) for row, item in enumerate(items)]
        return {
            "image": _stack([example["image"] for example in read], name="images"),
            "label": check_labels(
                [example["label"] for example in read], self.source.class_names
            ).astype(np.int32),
            **{
                name: _stack([example[name] for example in read], name=name) for name in self.fields
            },
        }

    def _read(self, item: int, position: int) -> Mapping[str, Any]:
        example, rng = (
            _choose_fields(self.source[item], self.fields),
            self.order.generator(position),
        )
        if self.augment is not None:
            example["image"] = self.augment(example["image"], rng)
        return example if self.augment_item is None else self.augment_item(example, rng)


def _choose_fields(item: Mapping[str, Any], fields: tuple[str, ...]) -> dict[str, Any]:
    for name in fields:
        if name not in item:
            raise InputError(
                f"fields: expected some of {', '.join(item)}, as the source's items have, got"
                f" {name!r}"
            )
    return {name: item[name] for name in ("image", "label", *fields)}


def _stack(images: Sequence[np.ndarray], *, name: str) -> np.ndarray:
    shapes = sorted({np.shape(image) for image in images})
    if len(shapes) > 1:
        raise InputError(
            f"{name}: expected one shape in a batch, got {shapes[0]} and {shapes[1]}: resize in the"
            " source, or crop in `augment`"
        )
    return np.stack(images)


def _check_sizes(batch_size: int, process_index: int, process_count: int) -> None:
    for name, count in {"process_count": process_count, "batch_size": batch_size}.items():
        check_integer(count, name=name, at_least=1)
    check_integer(process_index, name="process_index", at_least=0)
    if process_index >= process_count:
        raise InputError(
            f"process_index: expected a number in 0..process_count - 1, got {process_index} of"
            f" {process_count}: give jax.process_index() and jax.process_count()"
        )
    if batch_size % process_count:
        raise InputError(
            f"batch_size: expected a positive multiple of the number of processes, got {batch_size}"
            f" for {process_count}: choose another batch size"
        )


def _check_batch(batch: dict[str, np.ndarray]) -> None:
    """Checks the images of the first batch, as augmented; later ones come from the same code."""
    images = batch["image"]
    if images.dtype != np.float32:
        raise InputError(
            f"images of the first batch: expected dtype float32, got {images.dtype}: let the source"
            " (or `augment`) return float32 in [0, 1]"
        )
    # A volume's slices are images.
    pictures = images.reshape(-1, *images.shape[2:]) if images.ndim == 5 else images
    check_images(jnp.asarray(pictures), name="images of the first batch")
