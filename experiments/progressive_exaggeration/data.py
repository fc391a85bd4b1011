"""The images that ``--data`` may name, with their labels, split once and for all."""

import dataclasses
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int, Shaped

from cfx_jax.data import split
from experiments.progressive_exaggeration.config import Config
from experiments.shared import (
    COPIES,
    ImageSet,
    InputError,
    Workspace,
    check_choice,
    open_data,
    remaining_share,
    split_images,
    users_images,
)
from experiments.shared.data import (
    CELEBA,
    CHEXPERT,
    FACES,
    FOLDER,
    HEARTS,
    TABLE,
    ImageRequest,
    OpenedImages,
)

KINDS = (FACES, HEARTS, CELEBA, CHEXPERT, FOLDER, TABLE)
WORLDS = tuple(kind.name for kind in KINDS if not kind.has_path)
"""The synthetic worlds, by ``data``."""
_FRESH = (
    "Test images are of a world of their own, seed {0.test_seed}; all others of that of seed"
    " {0.seed}."
)


class Part(NamedTuple):
    """A part of the images, shuffled.

    Attributes:
        images: the images, with their positions in the source.
        labels: (n, k), 0 or 1 for each label.
        people: the person on each image, where several images may show one person; or None.
    """

    images: ImageSet
    labels: Int[np.ndarray, "n k"]
    people: Shaped[np.ndarray, " n"] | None = None

    def __len__(self) -> int:
        return len(self.images)

    @property
    def groups(self) -> Shaped[np.ndarray, " n"] | None:
        """The group of each image: its person, else its picture; None where all differ."""
        return self.images.copies if self.people is None else self.people

    @property
    def group_unit(self) -> str:
        """The kind of the groups, in words."""
        if self.people is None:
            return COPIES
        return "people" if users_images(self.images) is None else self.images.group_unit

    @property
    def pixels(self) -> Float[np.ndarray, "n h w c"]:
        """All images in memory."""
        return self.images.arrays["image"]

    def take(self, positions: Int[np.ndarray, " m"]) -> "Part":
        """The images at these positions, in their order."""
        people = None if self.people is None else self.people[positions]
        return Part(self.images.take(positions), self.labels[positions], people)

    def rows_of(self, images: ImageSet) -> Int[np.ndarray, " m"]:
        """The rows of images that are among these."""
        row = {int(index): row for row, index in enumerate(self.images.indices)}
        return np.array([row[int(index)] for index in images.indices], int)


class Data(NamedTuple):
    """The image sets with their labels.

    Attributes:
        train, validation, test: disjoint, by patient where patients are known.
        names: the names of the labels.
        class_names: the names of images without and with the explained label.
        explained: position of the explained label among the names.
        note: the sentence that stands beside every figure.
    """

    train: Part
    validation: Part
    test: Part
    names: tuple[str, ...]
    class_names: tuple[str, str]
    explained: int
    note: str

    @property
    def label(self) -> str:
        """The name of the explained label."""
        return self.names[self.explained]

    @property
    def identity(self) -> object:
        """Everything that the images depend on."""
        return [part.images.identity for part in (self.train, self.validation, self.test)]

    def of(self, labels: Sequence[str], explained: str) -> "Data":
        """The same images with some of the labels, one of them explained."""
        columns = [self.names.index(label) for label in labels]
        parts = (self.train, self.validation, self.test)
        train, validation, test = (
            Part(part.images, part.labels[:, columns], part.people) for part in parts
        )
        spoken = explained.replace("_", " ")
        class_names = self.class_names if explained == self.label else (f"not {spoken}", spoken)
        position = list(labels).index(explained)
        return Data(train, validation, test, tuple(labels), class_names, position, self.note)


def open_images(config: Config, workspace: Workspace) -> OpenedImages:
    """Opens or draws all images, before they are split.

    Raises:
        InputError: ``data`` is of no known kind, or its folder cannot be used; a label that the
            images do not have, where they have several.
    """
    return open_data(config.data, KINDS, ImageRequest.of(config, workspace=workspace))


def load_images(config: Config, workspace: Workspace) -> Data:
    """Opens or draws the images and splits them.

    The test images of a synthetic world are of a world of their own.

    Raises:
        InputError: ``data`` is of no known kind, or its folder cannot be used; a label that the
            images do not have; shares that leave nothing for training.
    """
    rest = remaining_share(validation=config.validation, test=config.test)
    shares = {"train": rest, "validation": config.validation, "test": config.test}
    apart = config.data in WORLDS and config.test_seed != config.seed
    if apart:
        number = max(1, round(config.num_images * config.test))
        main = dataclasses.replace(config, num_images=config.num_images - number)
        fresh = dataclasses.replace(config, num_images=number, seed=config.test_seed)
        sources = [_chosen(config, open_images(world, workspace)) for world in (main, fresh)]
        shares = {name: shares[name] / (1 - config.test) for name in ("train", "validation")}
    else:
        sources = [_chosen(config, open_images(config, workspace))]
    source, explained = sources[0], _explained(config, sources[0])
    positions = (
        split(source.labels[:, explained], shares, seed=config.seed, groups=source.groups)
        if source.images.splits is None
        else split_images(source.images, shares, seed=config.seed)
    )
    rng = np.random.default_rng(config.seed)
    parts = {name: _part(source, rng.permutation(items)) for name, items in positions.items()}
    if apart:
        parts["test"] = _part(sources[1], np.arange(len(sources[1].labels)))
    names = tuple(source.images.class_names)
    class_names = (names[0], names[1]) if len(names) == 2 else (f"not {config.label}", config.label)
    note = f"{source.note} {_FRESH.format(config)}" if apart else source.note
    return Data(
        **parts, names=source.names, class_names=class_names, explained=explained, note=note
    )


def _explained(config: Config, source: OpenedImages) -> int:
    """The position of the explained label; a single label needs no name."""
    if len(source.names) == 1:
        return 0
    check_choice(config.label, source.names, name="--label")
    return source.names.index(config.label)


def _part(source: OpenedImages, items: Int[np.ndarray, " n"]) -> Part:
    people = None if source.people is None else source.people[items]
    return Part(source.images.take(items), source.labels[items], people)


def _chosen(config: Config, source: OpenedImages) -> OpenedImages:
    """The source with the labels that the classifier is to have."""
    for label in config.labels:
        check_choice(label, source.names, name="--labels")
    if not config.labels:
        return source
    if config.label not in config.labels:
        raise InputError(
            f"--labels: expected {config.label!r}, which is explained, among them, got"
            f" {config.labels}"
        )
    columns = [source.names.index(label) for label in config.labels]
    return source._replace(labels=source.labels[:, columns], names=config.labels)
