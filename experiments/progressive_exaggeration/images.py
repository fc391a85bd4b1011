"""The images with their labels, split once and for all."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int

from cfx_jax.checks import check_choice
from cfx_jax.data import split
from cfx_jax.errors import InputError
from experiments.image_options import remaining_share
from experiments.image_set import ImageSet
from experiments.progressive_exaggeration.config import Config
from experiments.progressive_exaggeration.sources import Source, open_source
from experiments.stages import Workspace


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

    def take(self, positions: Int[np.ndarray, " m"]) -> "Part":
        """Some of these images, in the order of the positions."""
        return Part(self.images.take(positions), self.labels[positions])


class Data(NamedTuple):
    """The image sets.

    Attributes:
        train, validation, test: disjoint, by patient where patients are known.
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
    def label(self) -> str:
        """The explained label."""
        return self.names[self.explained]

    @property
    def identity(self) -> object:
        """What all images depend on."""
        return [part.images.identity for part in (self.train, self.validation, self.test)]


def load_images(config: Config, workspace: Workspace) -> Data:
    """Opens or draws the images and splits them.

    Raises:
        InputError: ``data`` is of no known kind, or its folder cannot be used; a label that the images do not have; shares
            that leave nothing for training.
    """
    rest = remaining_share(validation=config.validation, test=config.test)
    source = _chosen(config, open_source(config, workspace))
    explained = len(source.names) - 1
    if len(source.names) > 1:
        check_choice(config.label, source.names, name="--label")
        explained = source.names.index(config.label)
    shares = {"train": rest, "validation": config.validation, "test": config.test}
    positions = split(source.labels[:, explained], shares, seed=config.seed, groups=source.patients)
    rng = np.random.default_rng(config.seed)
    parts = {}
    for name, items in positions.items():
        shuffled = rng.permutation(items)
        parts[name] = Part(source.images.take(shuffled), source.labels[shuffled])
    names = tuple(source.images.class_names)
    class_names = (names[0], names[1]) if len(names) == 2 else (f"not {config.label}", config.label)
    return Data(**parts, names=source.names, class_names=class_names, explained=explained, note=source.note)


def _chosen(config: Config, source: Source) -> Source:
    """Those labels of a source that the classifier is to have."""
    for each in config.labels:
        check_choice(each, source.names, name="--labels")
    if not config.labels:
        return source
    if config.label not in config.labels:
        raise InputError(f"--labels: expected {config.label!r}, which is explained, among them, got {config.labels}")
    columns = [source.names.index(each) for each in config.labels]
    return source._replace(labels=source.labels[:, columns], names=config.labels)
