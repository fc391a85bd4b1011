"""Images of an experiment: positions in a source, read only where they are needed."""

from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any

import jax
import numpy as np
from jaxtyping import Float, Int, Shaped

from cfx_jax.data import (
    ImageSource,
    Transform,
    compose,
    labels_of,
    load_arrays,
    part_names,
    random_crop,
    random_flip,
    split,
)
from cfx_jax.errors import InputError
from cfx_jax.objectives import Classifier, decision
from cfx_jax.parallel import apply_to_examples, concatenate, progress_bar
from experiments.shared.workspace import Arrays

COPIES, PATIENTS = "different images", "patients"
"""The groups of images that are drawn together, in words: equal images, or one patient's."""
_AT_ONCE = 1024  # images read before they are classified: 0.6 GB at 224 x 224 x 3
_BATCH = 256
_PICTURES = ("image", "counterfactual")
_MASKS = (
    "eye_mask",
    "body_mask",
    "organ_mask",
    "lung_mask",
    "heart_mask",
    "lesion_mask",
    "annotation_mask",
    "counterfactual_heart_mask",
    "counterfactual_lesion_mask",
)
_FIELDS = {"label", *_PICTURES, *_MASKS}


class StoredImages:
    """A source over arrays in memory, with as many fields as there are arrays.

    Args:
        arrays: ``image`` (n, h, w, c) float32 in [0, 1], ``label`` (n,), and others with leading
            axis n.
        class_names: the classes in the order of the labels.
    """

    def __init__(self, arrays: Arrays, class_names: Sequence[str]) -> None:
        self.class_names = tuple(class_names)
        self.labels = np.asarray(arrays["label"])
        self._arrays = arrays

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, index: int) -> dict[str, Any]:
        return {name: values[index] for name, values in self._arrays.items()}


class ImageSet:
    """Some of the images of a source.

    Args:
        source: the images.
        indices: positions in the source.
        origin: all that the images of the source depend on.

    Attributes:
        labels: the class of each image.
        class_names: the classes in the order of the labels.
    """

    def __init__(self, source: ImageSource, indices: Int[np.ndarray, " n"], origin: object) -> None:
        self.source, self.indices, self._origin = source, indices, origin
        self.class_names = tuple(source.class_names)
        self.labels: Int[np.ndarray, " n"] = labels_of(source)[indices]

    @classmethod
    def whole(cls, source: ImageSource, origin: object) -> "ImageSet":
        """All images of a source."""
        return cls(source, np.arange(len(source)), origin)

    def __len__(self) -> int:
        return len(self.indices)

    @property
    def patients(self) -> np.ndarray | None:
        """The patient of each image; None where none is named, or no two images share one."""
        return self._shared("patients")

    @property
    def copies(self) -> np.ndarray | None:
        """The groups of equal images; None where the source has none, or no two are equal.

        Copies of one picture say nothing of persons: two pictures may show one person.
        """
        return self._shared("copies")

    @property
    def groups(self) -> np.ndarray | None:
        """The group of each image, split and drawn together: a patient's, else copies; or None."""
        return self.copies if self.patients is None else self.patients

    @property
    def group_unit(self) -> str:
        """The kind of the groups, in words."""
        if self.patients is None and self.copies is not None:
            return COPIES
        return getattr(self.source, "group_unit", PATIENTS)

    @property
    def splits(self) -> np.ndarray | None:
        """The part that a table puts each image into, as text; None where none does."""
        splits = getattr(self.source, "splits", None)
        return None if splits is None else np.asarray(splits)[self.indices]

    def _shared(self, name: str) -> np.ndarray | None:
        known = getattr(self.source, name, None)
        names = None if known is None else np.asarray(known)[self.indices]
        return None if names is None or len(np.unique(names)) == len(names) else names

    def take(self, positions: Int[np.ndarray, " m"]) -> "ImageSet":
        """Some of these images, by their positions within the set."""
        return ImageSet(self.source, self.indices[positions], self._origin)

    @property
    def identity(self) -> object:
        """Everything that the images depend on, for the names of stages."""
        return [self._origin, self.indices.tolist()]

    @cached_property
    def arrays(self) -> Mapping[str, np.ndarray]:
        """All images in memory: ``image``, ``label``, and where there are any ``counterfactual``,
        ``eye_mask``, ``body_mask``, ``organ_mask``, ``lung_mask``, ``heart_mask``, ``lesion_mask``,
        ``annotation_mask``, and the counterfactual's ``counterfactual_heart_mask`` and
        ``counterfactual_lesion_mask``."""
        kept = _FIELDS & set(self.source[int(self.indices[0])])
        return load_arrays(self.source, self.indices, fields=sorted(kept))

    def chunks(self, *, field: str = "image") -> Iterator[Float[np.ndarray, "m h w c"]]:
        """The images in their order, or their counterfactuals, a part at a time."""
        for start in range(0, len(self), _AT_ONCE):
            yield self.read(slice(start, start + _AT_ONCE), field=field)

    def read(
        self, positions: slice | Int[np.ndarray, " m"], *, field: str = "image"
    ) -> Shaped[np.ndarray, "m ..."]:
        """One field of some images, read now and kept nowhere."""
        return load_arrays(self.source, self.indices[positions], fields=(field,))[field]

    @property
    def shape(self) -> tuple[int, int, int]:
        """Height, width and channels of an image."""
        height, width, channels = np.shape(self.source[int(self.indices[0])]["image"])
        return height, width, channels


def predict(
    classifier: Classifier, images: ImageSet, *, progress: bool | str = False
) -> Float[np.ndarray, "n k"]:
    """The logits of every image.

    Args:
        classifier: one image -> logits, a pytree.
        images: read a part at a time.
        progress: whether to show a bar; a text is its label.
    """
    logits = []
    with progress_bar(len(images), progress) as bar:
        for chunk in images.chunks():
            logits.append(apply_to_examples(classifier, chunk, batch_size=_BATCH))
            bar.update(len(chunk))
    return concatenate(logits)


def decisions(logits: Float[np.ndarray, "n k"]) -> Int[np.ndarray, " n"]:
    """The class of each row of logits or probabilities; of two classes, class 1 at one half."""
    return np.asarray(decision(logits))


def probabilities(logits: Float[np.ndarray, "n k"]) -> Float[np.ndarray, "n k"]:
    """The softmax of each row."""
    return np.asarray(jax.nn.softmax(logits))


def split_images(
    images: ImageSet, shares: Mapping[str, float], *, seed: int
) -> dict[str, Int[np.ndarray, " m"]]:
    """Splits images by class and group, or as a table says.

    Parts that the table does not name are drawn from its part ``train``.

    Args:
        images: all images.
        shares: name of each part, ``train`` among them -> its share.
        seed: fixes what is drawn.

    Returns:
        Name of each part -> positions of its images, ascending.

    Raises:
        InputError: a part would be empty, or the table names a part that is none.
    """
    groups = images.groups
    if images.splits is None:
        return split(images.labels, shares, seed=seed, groups=groups)
    named = part_names(images.splits)
    known = {name: np.flatnonzero(named == name) for name in np.unique(named).tolist()}
    if not {"train"} <= set(known) <= set(shares):
        raise InputError(
            f"split: expected parts out of {', '.join(shares)}, train among them, got"
            f" {', '.join(known)}: correct the table's column"
        )
    drawn = {name: share for name, share in shares.items() if name == "train" or name not in known}
    rest = known["train"]
    inner = split(
        images.labels[rest],
        {name: share / sum(drawn.values()) for name, share in drawn.items()},
        seed=seed,
        groups=None if groups is None else groups[rest],
    )
    return {name: rest[inner[name]] if name in inner else known[name] for name in shares}


def take_parts(
    images: ImageSet, positions: Mapping[str, Int[np.ndarray, " m"]], *, seed: int
) -> dict[str, ImageSet]:
    """The parts of a split, each shuffled.

    Args:
        images: all images.
        positions: the positions of the images of each part, by its name.
        seed: the seed of the order.

    Raises:
        InputError: a part without images of some class.
    """
    rng = np.random.default_rng(seed)
    parts = {name: images.take(rng.permutation(items)) for name, items in positions.items()}
    for name, part in parts.items():
        missing = [name for label, name in enumerate(part.class_names) if label not in part.labels]
        if missing:
            raise InputError(
                f"the {name} part has {len(part)} images and none of class {', '.join(missing)}:"
                f" give more images of it, or a larger share by --{name}"
            )
    return parts


def light_augmentation(image_size: int) -> Transform:
    """Mirrors images left to right at random, and shifts them by up to a sixteenth.

    Args:
        image_size: the side of the images, in pixels.
    """
    return compose(random_flip("horizontal"), random_crop(padding=image_size // 16))


def remaining_share(**named: float) -> float:
    """The share of images that is left for the part that has no option.

    Args:
        named: the shares of the other parts, by their options.

    Raises:
        InputError: nothing is left.
    """
    rest = 1.0
    for share in named.values():
        rest -= share
    if rest <= 0:
        raise InputError(
            f"{', '.join(f'--{name}' for name in named)}: expected a sum below 1, got {1 - rest:g}"
        )
    return rest


def check_no_classes(classes: Sequence[str], data: str) -> None:
    """Checks that no class folders are named for images that have classes of their own.

    Args:
        classes: the option ``--classes``.
        data: the option ``--data``.

    Raises:
        InputError: some are.
    """
    if classes:
        raise InputError(
            f"--classes: expected none with --data {data}, which has its own: leave it out"
        )
