"""A user's images of two classes as an image set."""

import dataclasses
import os
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Literal, Self, TypeAlias

import numpy as np
from jaxtyping import Int, Shaped

from cfx_jax.data import ImageCollection, find_organ, first_copies, merge_groups, open_images
from cfx_jax.data.duplicates import fingerprint
from cfx_jax.errors import InputError
from cfx_jax.parallel import progress_bar
from experiments.shared.image_set import ImageSet, StoredImages
from experiments.shared.workspace import Arrays
from trainers import digest

_BY_IMAGE = (
    "Split by image: where several images show one person, accuracy on new persons is lower than"
    " printed; --groups says which images belong together."
)
_FAINT = 1 / 8
"""Images without a value beyond this are faint."""
USERS_KINDS = ("folder", "csv")
"""The beginnings of ``--data`` for a user's own images."""
Organ: TypeAlias = Literal["none", "found", "only", "removed"]
"""The use of the organ in a user's images: none; found; all else black; the organ black."""
_PRINTED = 5  # files that are skipped and named on the console


@dataclass(frozen=True, kw_only=True)
class FolderOptions:
    """The options of a user's images."""

    size: int
    """Side to which images are resized, in pixels."""
    channels: int = 1
    """1 or 3."""
    classes: Sequence[str] = ()
    """Two classes in the order of the labels, see ``open_images``; empty for all, by name."""
    groups: str = ""
    """The images that belong together, see ``open_images``; empty for what the files say."""
    window: tuple[float, float] | None = None
    """Centre and width of the values to show; None for what the files say."""
    organ: Organ = "none"
    """Whether the organ is looked for (``data.find_organ``), and what becomes black."""

    @classmethod
    def of(cls, config: Any, **options: Any) -> Self:
        """The options that are settings of an experiment, and further ones.

        Args:
            config: the configuration, with ``image_size``, and settings named as the options.
            options: the options that are no settings.
        """
        names = [field.name for field in dataclasses.fields(cls) if hasattr(config, field.name)]
        settings = {name: getattr(config, name) for name in names}
        return cls(size=config.image_size, **settings, **options)


class FolderImages(StoredImages):
    """A user's images, in memory.

    Args:
        collection: the images, with labels.
        organ: whether items have an ``organ_mask``, and what of the images is made black. Copies
            and fingerprints describe the images as they were before.

    Attributes:
        patients: for each image the group to which it belongs, such as a patient; None where no
            groups are known.
        splits: for each image the part that a table puts it into; None where none does.
        copies: for each image the place of the first image that equals it, so that copies come into
            one part of a split; None where no image occurs twice.
        counts: for each kind of content that is no usable image, the number of such files.
        skipped: a line for each file that is not used: its name and the reason.
        notes: sentences on what was found.
        fingerprints: the fingerprint of each image.
    """

    group_unit = "groups"

    def __init__(self, collection: ImageCollection, *, organ: Organ = "none") -> None:
        arrays, kept, damaged = _decode(collection)
        images = arrays["image"]
        super().__init__(_with_organ(arrays, organ), collection.class_names)
        marks = [fingerprint(image) for image in images]
        copies = first_copies(marks)
        again = np.flatnonzero(copies != np.arange(len(copies)))
        self.fingerprints = np.frombuffer(b"".join(marks), np.uint8)
        self.copies: Int[np.ndarray, " n"] | None = copies if again.size else None
        groups = None if collection.groups is None else collection.groups[kept]
        self.patients: Shaped[np.ndarray, " n"] | None = (
            groups if groups is None or not again.size else merge_groups(groups, copies)
        )
        self.splits = None if collection.splits is None else collection.splits[kept]
        self.skipped = (*collection.skipped, *damaged)
        self.notes = collection.notes
        self.counts: Mapping[str, int] = {
            "files skipped": len(self.skipped),
            **collection.left_out,
            "images that equal an earlier one": again.size,
            "images that equal one of another class": int(
                (self.labels[again] != self.labels[copies[again]]).sum()
            ),
            "faint images": int((images.max((1, 2, 3)) < _FAINT).sum()),
        }


def load_folder(path: str, options: FolderOptions) -> ImageSet:
    """Reads a user's images of two classes.

    Args:
        path: what ``open_images`` takes.
        options: the options of the images.

    Returns:
        All images, in memory; the source is a ``FolderImages``.

    Raises:
        InputError: the files cannot be used, or do not have two classes.
    """
    collection = open_images(
        path,
        size=options.size,
        channels=options.channels,
        window=options.window or "file",
        classes=options.classes,
        groups=options.groups or None,
        labelled=True,
        progress=True,
    )
    names = collection.class_names
    if len(names) != 2:
        raise InputError(
            f"--data: expected two classes, found {len(names)} ({', '.join(names)}): choose two, or"
            f" merge some, e.g. --classes {names[0]} {'+'.join(names[1:])}=other"
        )
    source = FolderImages(collection, organ=options.organ)
    _print_findings(source)
    for label, name in enumerate(names):
        if label not in source.labels:
            raise InputError(
                f"--data: expected images of '{name}', none can be decoded; the first:"
                f" {source.skipped[0]}"
            )
    origin: list[object] = [list(names), digest([source.fingerprints, source.labels])]
    if options.organ != "none":
        origin.append(options.organ)
    for known in (source.patients, source.splits):
        if known is not None:
            origin.append([str(one) for one in known])
    return ImageSet.whole(source, origin)


def users_images(images: ImageSet) -> FolderImages | None:
    """The user's own images that a set belongs to; None for other images."""
    return images.source if isinstance(images.source, FolderImages) else None


def is_users(data: str | Sequence[str]) -> bool:
    """Whether ``--data`` names a user's own images; an experiment may take several data."""
    named = [data] if isinstance(data, str) else data
    return any(name.partition(":")[0] in USERS_KINDS for name in named)


def folder_note(images: ImageSet) -> str:
    """The note beside figures on a user's images: how they are split, and what was left out."""
    source = images.source
    assert isinstance(source, FolderImages)
    notes = [_BY_IMAGE if source.patients is None else "No group of images is in two parts."]
    if source.splits is not None:
        notes.append("The parts are those of the table.")
    if source.copies is not None:
        notes.append("Images that are equal are in one part.")
    counts = [f"{count} {what}" for what, count in source.counts.items() if count]
    if counts:
        notes.append(f"In the files: {', '.join(counts)}.")
    return " ".join(notes)


def _print_findings(source: FolderImages) -> None:
    print(" ".join(source.notes), flush=True)
    for line in source.skipped[:_PRINTED]:
        print(f"skipped: {line}", flush=True)
    if len(source.skipped) > _PRINTED:
        print(f"skipped: {len(source.skipped) - _PRINTED} more, see the report", flush=True)


def _with_organ(arrays: Arrays, organ: Organ) -> Arrays:
    """The arrays with the mask of each image's organ, and images in which a part is black."""
    if organ == "none":
        return arrays
    masks = np.stack([find_organ(image) for image in arrays["image"]])
    if organ == "found":
        return {**arrays, "organ_mask": masks}
    kept = masks if organ == "only" else ~masks
    return {**arrays, "image": arrays["image"] * kept[..., None], "organ_mask": masks}


def _decode(
    collection: ImageCollection,
) -> tuple[Arrays, Int[np.ndarray, " m"], list[str]]:
    """All images, their places in the collection, and a line for each that is damaged."""
    images = np.empty((len(collection), *collection.shape), np.float32)
    masks = np.zeros((len(collection), *collection.shape[:2]), bool)
    is_kept, damaged = np.zeros(len(collection), bool), dict[int, str]()

    def read(place: int) -> None:
        try:
            item = collection[place]
        except InputError as error:
            damaged[place] = str(error)
            return
        images[place], is_kept[place] = item["image"], True
        masks[place] = item.get("mask", False)

    bar = progress_bar(len(collection), "reading images")
    with bar as shown, ThreadPoolExecutor(os.cpu_count()) as pool:
        for _ in pool.map(read, range(len(collection))):
            shown.update(1)
    kept = np.flatnonzero(is_kept)
    lines = [damaged[place] for place in sorted(damaged)]
    if not kept.size:
        raise InputError(f"--data: none of the images can be decoded; the first: {lines[0]}")
    assert collection.labels is not None
    if lines:
        images, masks = images[kept], masks[kept]
    arrays = {"image": images, "label": collection.labels[kept]}
    return {**arrays, **({"annotation_mask": masks} if collection.has_masks else {})}, kept, lines
