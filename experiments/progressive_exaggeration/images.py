"""The images with their labels: drawn by a program, CelebA, or a user's folder; split once and for all."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float, Int

from cfx_jax.checks import check_choice
from cfx_jax.data import SyntheticFaces, load_arrays, split
from cfx_jax.data.sources.face_world import ATTRIBUTES
from cfx_jax.errors import InputError
from experiments.folder_images import FOLDER_NOTE, load_folder
from experiments.image_set import ImageSet, StoredImages
from experiments.progressive_exaggeration.config import Config
from experiments.stages import Workspace

_DRAWN = ("image", "label", "attributes", "counterfactual")


class Part(NamedTuple):
    """Some of the images, shuffled.

    Attributes:
        images: with their positions in the source.
        labels: (n, k), 0 or 1 for each label.
    """

    images: ImageSet
    labels: Int[np.ndarray, "n k"]

    def __len__(self) -> int:
        return len(self.images)

    @property
    def pixels(self) -> Float[np.ndarray, "n h w c"]:
        """All images in memory."""
        return self.images.arrays["image"]


class Data(NamedTuple):
    """The image sets.

    Attributes:
        train, validation, test: disjoint.
        names: of the labels.
        class_names: what not having and having the explained label is called.
        explained: position of the explained label among the names.
        note: what a reader must know beside every figure.
    """

    train: Part
    validation: Part
    test: Part
    names: tuple[str, ...]
    class_names: tuple[str, str]
    explained: int
    note: str

    @property
    def identity(self) -> object:
        """What all images depend on."""
        return [part.images.identity for part in (self.train, self.validation, self.test)]


class _Source(NamedTuple):
    """All images of one kind with all labels, and a note."""

    images: ImageSet
    labels: Int[np.ndarray, "n k"]
    names: tuple[str, ...]
    note: str


def load_images(config: Config, workspace: Workspace) -> Data:
    """Opens or draws the images and splits them.

    Raises:
        InputError: ``data`` is of no known kind, or its folder cannot be used; a label that the images do not have; shares
            that leave nothing for training.
    """
    kind, _, path = config.data.partition(":")
    rest = 1 - config.validation - config.test
    if rest <= 0:
        raise InputError(f"--validation, --test: expected a sum below 1, got {1 - rest:g}")
    source = _open(config, kind, path, workspace)
    explained = len(source.names) - 1
    if len(source.names) > 1:
        check_choice(config.label, source.names, name="--label")
        explained = source.names.index(config.label)
    shares = {"train": rest, "validation": config.validation, "test": config.test}
    positions = split(source.labels[:, explained], shares, seed=config.seed)
    rng = np.random.default_rng(config.seed)
    parts = {}
    for name, items in positions.items():
        shuffled = rng.permutation(items)
        parts[name] = Part(source.images.take(shuffled), source.labels[shuffled])
    names = tuple(source.images.class_names)
    class_names = (names[0], names[1]) if len(names) == 2 else (f"not {config.label}", config.label)
    return Data(**parts, names=source.names, class_names=class_names, explained=explained, note=source.note)


def _open(config: Config, kind: str, path: str, workspace: Workspace) -> _Source:
    if config.data == "faces":
        return _faces(config, workspace)
    if kind in _OPENERS and path:
        return _OPENERS[kind](config, path, workspace)
    raise InputError(f"--data: expected 'faces', 'celeba:PATH' or 'folder:PATH', got {config.data!r}")


def _faces(config: Config, workspace: Workspace) -> _Source:
    _check_no_classes(config)
    check_choice(config.label, ATTRIBUTES, name="--label")
    options: dict[str, Any] = {
        "num_images": config.num_images,
        "size": config.image_size,
        "seed": config.seed,
        "attribute": config.label,
    }

    def draw() -> dict[str, np.ndarray]:
        source = SyntheticFaces(**options)
        return load_arrays(source, np.arange(len(source)), fields=_DRAWN, progress=True)

    arrays = workspace.cached("synthetic-faces", options, draw)
    names = SyntheticFaces(1, attribute=config.label).class_names
    images = ImageSet.whole(StoredImages(arrays, names), ["synthetic", "faces", options])
    return _Source(images, arrays["attributes"], ATTRIBUTES, "Synthetic faces: drawn by a program, of nobody.")


def _folder(config: Config, path: str, workspace: Workspace) -> _Source:
    del workspace
    images = load_folder(path, size=config.image_size, channels=config.channels, classes=config.classes)
    return _Source(images, images.labels[:, None], (images.class_names[-1],), FOLDER_NOTE)


def _celeba(config: Config, path: str, workspace: Workspace) -> _Source:
    from cfx_jax.data.face_sets import CelebA

    _check_no_classes(config)
    check_choice(config.label, CelebA.attribute_names, name="--label")
    source = CelebA(path, workspace.root / "sets", attribute=config.label, size=config.image_size)
    labels = np.asarray(source.attributes)
    return _Source(ImageSet.whole(source, source.identity), labels, tuple(source.attribute_names), "CelebA.")


_OPENERS: Mapping[str, Callable[[Config, str, Workspace], _Source]] = {"folder": _folder, "celeba": _celeba}


def _check_no_classes(config: Config) -> None:
    if config.classes:
        raise InputError(f"--classes: expected none with --data {config.data}, which has its own: leave it out")
