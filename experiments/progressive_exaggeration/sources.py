"""All images of each kind with all their labels, before they are split: one function for each kind."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Int, Shaped

from cfx_jax.checks import check_choice
from cfx_jax.data import SyntheticChest, SyntheticFaces
from cfx_jax.data.worlds.face import ATTRIBUTES
from cfx_jax.errors import InputError
from experiments.progressive_exaggeration.config import Config
from experiments.shared.folder_images import folder_note, load_folder
from experiments.shared.image_options import check_no_classes
from experiments.shared.image_set import ImageSet
from experiments.shared.stages import Workspace
from experiments.shared.synthetic_images import draw_images

_FACE = ("image", "label", "attributes", "counterfactual")
_CHEST = (
    "image",
    "label",
    "counterfactual",
    "heart_mask",
    "counterfactual_heart_mask",
    "lung_mask",
)


class Source(NamedTuple):
    """All images of one kind.

    Attributes:
        images: with the explained label.
        labels: (n, k), 0 or 1 for each label.
        names: of the labels.
        note: what a reader must know beside every figure.
        people: whom each image shows, where several may show one; or None. Copies of one picture
            are none: see ``groups``.
    """

    images: ImageSet
    labels: Int[np.ndarray, "n k"]
    names: tuple[str, ...]
    note: str
    people: Shaped[np.ndarray, " n"] | None = None

    @property
    def groups(self) -> Shaped[np.ndarray, " n"] | None:
        """The images that come into one part of a split: those of one person, else copies; None
        where none are.
        """
        return self.images.copies if self.people is None else self.people


def open_source(config: Config, workspace: Workspace) -> Source:
    """Opens or draws all images.

    Raises:
        InputError: ``data`` is of no known kind, or its folder cannot be used; a label that the
            images do not have, where they have several.
    """
    kind, _, path = config.data.partition(":")
    if config.data in WORLDS:
        return WORLDS[config.data](config, workspace)
    if kind in _OPENERS and path:
        return _OPENERS[kind](config, path, workspace)
    raise InputError(
        f"--data: expected 'faces', 'chest', 'celeba:PATH', 'chexpert:PATH' or 'folder:PATH', got"
        f" {config.data!r}"
    )


def _faces(config: Config, workspace: Workspace) -> Source:
    check_no_classes(config.classes, config.data)
    check_choice(config.label, ATTRIBUTES, name="--label")
    options = _options(config, attribute=config.label)
    images, arrays = draw_images("faces", SyntheticFaces, options, _FACE, workspace)
    return Source(
        images, arrays["attributes"], ATTRIBUTES, "Synthetic faces: drawn by a program, of nobody."
    )


def _chest(config: Config, workspace: Workspace) -> Source:
    check_no_classes(config.classes, config.data)
    options = _options(config, finding="cardiomegaly")
    images, arrays = draw_images("chest", SyntheticChest, options, _CHEST, workspace)
    note = "Synthetic chest radiographs: drawn by a program, of no patient."
    return Source(images, arrays["label"][:, None], (images.class_names[-1],), note)


def _options(config: Config, **own: str) -> dict[str, Any]:
    """Of a synthetic world."""
    return {"num_images": config.num_images, "size": config.image_size, "seed": config.seed, **own}


def _folder(config: Config, path: str, workspace: Workspace) -> Source:
    del workspace
    images = load_folder(
        path, size=config.image_size, channels=config.channels, classes=config.classes
    )
    return Source(images, images.labels[:, None], (images.class_names[-1],), folder_note(images))


def _celeba(config: Config, path: str, workspace: Workspace) -> Source:
    from cfx_jax.data.sets import CelebA

    check_no_classes(config.classes, config.data)
    check_choice(config.label, CelebA.attribute_names, name="--label")
    source = CelebA(path, workspace.root / "sets", attribute=config.label, size=config.image_size)
    labels = np.asarray(source.attributes)
    people = None if source.people is None else np.asarray(source.people)
    note = "CelebA."
    if people is not None:
        note += " Nobody is in two parts; where several images show one person, intervals draw them together."
    return Source(
        ImageSet.whole(source, source.identity), labels, tuple(source.attribute_names), note, people
    )


def _chexpert(config: Config, path: str, workspace: Workspace) -> Source:
    """All 14 findings, as in the released code; which reading of uncertain ones it took is not
    published.
    """
    from cfx_jax.data.sets import CheXpert

    check_no_classes(config.classes, config.data)
    check_choice(config.label, CheXpert.finding_names, name="--label")
    source = CheXpert(
        path,
        workspace.root / "sets",
        finding=config.label,
        uncertain="zeros",
        size=config.image_size,
    )
    note = (
        "CheXpert, frontal views; findings that are uncertain count as absent. No patient is in two"
        " parts; where several"
        " images show one, intervals draw them together."
    )
    images = ImageSet.whole(source, source.identity)
    return Source(images, source.findings, source.finding_names, note, np.asarray(source.patients))


WORLDS: Mapping[str, Callable[[Config, Workspace], Source]] = {"faces": _faces, "chest": _chest}
"""The synthetic worlds, by ``data``."""
_OPENERS: Mapping[str, Callable[[Config, str, Workspace], Source]] = {
    "folder": _folder,
    "celeba": _celeba,
    "chexpert": _chexpert,
}
