"""All images of each kind with all their labels, before they are split: one function for each kind."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Int, Shaped

from cfx_jax.checks import check_choice
from cfx_jax.data import SyntheticChest, SyntheticFaces, load_arrays
from cfx_jax.data.sources.face_world import ATTRIBUTES
from cfx_jax.errors import InputError
from experiments.folder_images import FOLDER_NOTE, load_folder
from experiments.image_set import ImageSet, StoredImages
from experiments.progressive_exaggeration.config import Config
from experiments.stages import Arrays, Workspace

_FACE = ("image", "label", "attributes", "counterfactual")
_CHEST = ("image", "label", "counterfactual", "heart_mask", "counterfactual_heart_mask", "lung_mask")


class Source(NamedTuple):
    """All images of one kind.

    Attributes:
        images: with the explained label.
        labels: (n, k), 0 or 1 for each label.
        names: of the labels.
        note: what a reader must know beside every figure.
        patients: whom each image shows, where several show one; or None.
    """

    images: ImageSet
    labels: Int[np.ndarray, "n k"]
    names: tuple[str, ...]
    note: str
    patients: Shaped[np.ndarray, " n"] | None = None


def open_source(config: Config, workspace: Workspace) -> Source:
    """Opens or draws all images.

    Raises:
        InputError: ``data`` is of no known kind, or its folder cannot be used; a label that the images do not have, where
            they have several.
    """
    kind, _, path = config.data.partition(":")
    if config.data in _WORLDS:
        return _WORLDS[config.data](config, workspace)
    if kind in _OPENERS and path:
        return _OPENERS[kind](config, path, workspace)
    raise InputError(
        f"--data: expected 'faces', 'chest', 'celeba:PATH', 'chexpert:PATH' or 'folder:PATH', got {config.data!r}"
    )


def _faces(config: Config, workspace: Workspace) -> Source:
    _check_no_classes(config)
    check_choice(config.label, ATTRIBUTES, name="--label")
    images, arrays = _drawn("faces", SyntheticFaces, config, _FACE, workspace, attribute=config.label)
    return Source(images, arrays["attributes"], ATTRIBUTES, "Synthetic faces: drawn by a program, of nobody.")


def _chest(config: Config, workspace: Workspace) -> Source:
    _check_no_classes(config)
    images, arrays = _drawn("chest", SyntheticChest, config, _CHEST, workspace, finding="cardiomegaly")
    note = "Synthetic chest radiographs: drawn by a program, of no patient."
    return Source(images, arrays["label"][:, None], (images.class_names[-1],), note)


def _drawn(
    name: str, world: Callable[..., Any], config: Config, fields: Sequence[str], workspace: Workspace, **own: Any
) -> tuple[ImageSet, Arrays]:
    """The images of a synthetic world, and all their fields."""
    options = {"num_images": config.num_images, "size": config.image_size, "seed": config.seed, **own}

    def draw() -> Arrays:
        source = world(**options)
        return load_arrays(source, np.arange(len(source)), fields=fields, progress=True)

    arrays = workspace.cached(f"synthetic-{name}", options, draw)
    stored = StoredImages(arrays, world(**options).class_names)
    return ImageSet.whole(stored, ["synthetic", name, options]), arrays


def _folder(config: Config, path: str, workspace: Workspace) -> Source:
    del workspace
    images = load_folder(path, size=config.image_size, channels=config.channels, classes=config.classes)
    return Source(images, images.labels[:, None], (images.class_names[-1],), FOLDER_NOTE)


def _celeba(config: Config, path: str, workspace: Workspace) -> Source:
    from cfx_jax.data.face_sets import CelebA

    _check_no_classes(config)
    check_choice(config.label, CelebA.attribute_names, name="--label")
    source = CelebA(path, workspace.root / "sets", attribute=config.label, size=config.image_size)
    labels = np.asarray(source.attributes)
    return Source(ImageSet.whole(source, source.identity), labels, tuple(source.attribute_names), "CelebA.")


def _chexpert(config: Config, path: str, workspace: Workspace) -> Source:
    """All 14 findings, as in the released code; which reading of uncertain ones it took is not published."""
    from cfx_jax.data.radiology_sets import CheXpert

    _check_no_classes(config)
    check_choice(config.label, CheXpert.finding_names, name="--label")
    source = CheXpert(
        path, workspace.root / "sets", finding=config.label, uncertain="zeros", size=config.image_size
    )  # fmt: skip
    note = (
        "CheXpert, frontal views; findings that are uncertain count as absent. No patient is in two parts, but some have"
        " several images in one, of which intervals know nothing."
    )
    images = ImageSet.whole(source, source.identity)
    return Source(images, source.findings, source.finding_names, note, np.asarray(source.patients))


_WORLDS: Mapping[str, Callable[[Config, Workspace], Source]] = {"faces": _faces, "chest": _chest}
_OPENERS: Mapping[str, Callable[[Config, str, Workspace], Source]] = {
    "folder": _folder,
    "celeba": _celeba,
    "chexpert": _chexpert,
}


def _check_no_classes(config: Config) -> None:
    if config.classes:
        raise InputError(f"--classes: expected none with --data {config.data}, which has its own: leave it out")
