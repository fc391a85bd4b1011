"""The images that ``--data`` names: a kind that is drawn by a program, or files as ``KIND:PATH``.

An experiment says which kinds it accepts, e.g. ``open_data(config.data, (CHEST, RSNA), request)``.
Published sets are prepared below the work folder at their first use.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Generic, NamedTuple, TypeVar

import numpy as np
from jaxtyping import Int, Shaped

from cfx_jax.checks import InputError, check_choice
from cfx_jax.data import ImageSource, SyntheticBrain, SyntheticChest, SyntheticFaces, sets
from cfx_jax.parallel import first_then_others
from experiments.shared.folder_images import FolderImages, FolderOptions, folder_note, load_folder
from experiments.shared.image_set import ImageSet, check_no_classes
from experiments.shared.synthetic_images import draw_images
from experiments.shared.workspace import Arrays, Workspace

Request = TypeVar("Request")
Opened = TypeVar("Opened")

_LESIONS = ("image", "label", "lesion_mask", "counterfactual", "counterfactual_lesion_mask")
_HEARTS = ("heart_mask", "counterfactual_heart_mask", "lung_mask")


class DataKind(NamedTuple, Generic[Request, Opened]):
    """One kind of images.

    Attributes:
        name: the kind, as in ``--data``.
        open: (what is asked for, path of the files or "") -> the images.
        has_path: whether ``--data`` names a path after the kind and a colon.
    """

    name: str
    open: Callable[[Request, str], Opened]
    has_path: bool = True


def open_data(data: str, kinds: Sequence[DataKind[Request, Opened]], request: Request) -> Opened:
    """Opens or draws the images of one of several kinds.

    Args:
        data: the option ``--data``: a kind, or a kind, a colon and a path.
        kinds: the kinds that are accepted.
        request: what is asked for, as the kinds take it.

    Returns:
        What the kind makes of it.

    Raises:
        InputError: ``data`` is of no accepted kind, or its files cannot be used.
    """
    name, colon, path = data.partition(":")
    for kind in kinds:
        if kind.name == name and (bool(path) if kind.has_path else not colon):
            return first_then_others(f"the images of {data}", partial(kind.open, request, path))
    *others, last = [f"'{kind.name}:PATH'" if kind.has_path else f"'{kind.name}'" for kind in kinds]
    raise InputError(f"--data: expected {', '.join(others)} or {last}, got {data!r}")


@dataclass(frozen=True, kw_only=True)
class ImageRequest(FolderOptions):
    """The images of two classes that an experiment asks for, of whatever kind."""

    workspace: Workspace
    """Keeps what is drawn or prepared."""
    num_images: int
    """The number of drawn images; of files all are read."""
    seed: int
    """The seed of the drawn images."""
    label: str = ""
    """The label that is explained, of kinds with several."""


class OpenedImages(NamedTuple):
    """All images of one kind, before they are split.

    Attributes:
        images: the images, with the explained label.
        note: the sentence that stands beside every figure.
        labels: (n, k), 0 or 1 for each label.
        names: the labels' names.
        annotation: the field that marks the finding; None where nothing does.
        people: the person whom each image shows, where several images may show one; or None.
            Copies of one picture are no persons: see ``groups``.
    """

    images: ImageSet
    note: str
    labels: Int[np.ndarray, "n k"]
    names: tuple[str, ...]
    annotation: str | None = None
    people: Shaped[np.ndarray, " n"] | None = None

    @property
    def groups(self) -> Shaped[np.ndarray, " n"] | None:
        """The group of each image, for one part of a split: a person's, else copies; or None."""
        return self.images.copies if self.people is None else self.people


def _one_label(images: ImageSet, note: str, annotation: str | None = None) -> OpenedImages:
    """Images of two classes; the second class is the label."""
    labels, names = images.labels[:, None], (images.class_names[-1],)
    return OpenedImages(images, note, labels, names, annotation)


def _draw(
    request: ImageRequest,
    name: str,
    world: Callable[..., ImageSource],
    fields: Sequence[str],
    **options: str,
) -> tuple[ImageSet, Arrays]:
    """The images of a synthetic world, and their fields."""
    check_no_classes(request.classes, name)
    asked = {"num_images": request.num_images, "size": request.size, "seed": request.seed}
    return draw_images(name, world, {**asked, **options}, fields, request.workspace)


def _drawn_kind(
    name: str,
    world: Callable[..., ImageSource],
    fields: Sequence[str],
    *,
    note: str,
    annotation: str | None = None,
    **options: str,
) -> "ImageKind":
    """A synthetic world of two classes."""

    def open_world(request: ImageRequest, path: str) -> OpenedImages:
        del path
        images, _ = _draw(request, name, world, fields, **options)
        return _one_label(images, note, annotation)

    return ImageKind(name, open_world, has_path=False)


def _open_faces(request: ImageRequest, path: str) -> OpenedImages:
    del path
    check_no_classes(request.classes, "faces")
    names = SyntheticFaces.attribute_names
    check_choice(request.label, names, name="--label")
    fields, label = ("image", "label", "attributes", "counterfactual"), request.label
    images, arrays = _draw(request, "faces", SyntheticFaces, fields, attribute=label)
    note = "Synthetic faces: drawn by a program, of nobody."
    return OpenedImages(images, note, arrays["attributes"], names)


def _open_folder(request: ImageRequest, path: str) -> OpenedImages:
    images = load_folder(path, request)
    assert isinstance(images.source, FolderImages)
    has_masks = "annotation_mask" in images.source[0]
    opened = _one_label(images, folder_note(images), "annotation_mask" if has_masks else None)
    return opened._replace(people=images.patients)


def _open_table(request: ImageRequest, path: str) -> OpenedImages:
    return _open_folder(request, f"csv:{path}")


def _open_rsna(request: ImageRequest, path: str) -> OpenedImages:
    check_no_classes(request.classes, f"rsna:{path}")
    source = sets.RSNAPneumonia(path, request.workspace.root / "sets", size=request.size)
    note = f"RSNA pneumonia; {source.left_out} images of the third class were left out."
    return _one_label(ImageSet.whole(source, source.identity), note, "annotation_mask")


def _open_msd(request: ImageRequest, path: str) -> OpenedImages:
    check_no_classes(request.classes, f"msd:{path}")
    source = sets.MSDBrainTumour(path, request.workspace.root / "sets", size=request.size)
    left_out = f"{source.left_out} slices that show nothing were left out"
    note = f"Medical Segmentation Decathlon, brain; {left_out}."
    return _one_label(ImageSet.whole(source, source.identity), note, "lesion_mask")


def _open_celeba(request: ImageRequest, path: str) -> OpenedImages:
    check_no_classes(request.classes, f"celeba:{path}")
    check_choice(request.label, sets.CelebA.attribute_names, name="--label")
    prepared = request.workspace.root / "sets"
    source = sets.CelebA(path, prepared, attribute=request.label, size=request.size)
    note, people = "CelebA.", source.people
    if people is not None:
        note += (
            " Nobody is in two parts; where several images show one person, intervals draw them"
            " together."
        )
    return OpenedImages(
        ImageSet.whole(source, source.identity),
        note,
        source.attributes,
        tuple(source.attribute_names),
        people=people,
    )


def _open_chexpert(request: ImageRequest, path: str) -> OpenedImages:
    """All 14 findings, as in the released code; its reading of uncertain ones is not published."""
    check_no_classes(request.classes, f"chexpert:{path}")
    check_choice(request.label, sets.CheXpert.finding_names, name="--label")
    prepared, size = request.workspace.root / "sets", request.size
    source = sets.CheXpert(path, prepared, finding=request.label, uncertain="zeros", size=size)
    note = (
        "CheXpert, frontal views; findings that are uncertain count as absent. No patient is in two"
        " parts; where several images show one, intervals draw them together."
    )
    return OpenedImages(
        ImageSet.whole(source, source.identity),
        note,
        source.findings,
        source.finding_names,
        people=source.patients,
    )


ImageKind = DataKind[ImageRequest, OpenedImages]

CHEST = _drawn_kind(
    "chest",
    SyntheticChest,
    (*_LESIONS, "annotation_mask"),
    note="Synthetic chest images: drawn by a program, of no patient.",
    annotation="annotation_mask",
)
"""Chest radiographs with and without opacities, drawn by a program."""

HEARTS = _drawn_kind(
    "chest",
    SyntheticChest,
    ("image", "label", "counterfactual", *_HEARTS),
    note="Synthetic chest radiographs: drawn by a program, of no patient.",
    finding="cardiomegaly",
)
"""Chest radiographs with and without a large heart, drawn by a program."""

BRAIN = _drawn_kind(
    "brain",
    SyntheticBrain,
    (*_LESIONS, "body_mask"),
    note="Synthetic brain images: drawn by a program, of no patient.",
    annotation="lesion_mask",
)
"""Slices of brains with and without a tumour, drawn by a program."""

FACES = ImageKind("faces", _open_faces, has_path=False)
"""Faces with several attributes, drawn by a program."""

RSNA = ImageKind("rsna", _open_rsna)
"""The RSNA pneumonia set, see ``sets.read_rsna``."""

MSD = ImageKind("msd", _open_msd)
"""The brain tumours of the Medical Segmentation Decathlon, see ``sets.read_msd_brain``."""

CELEBA = ImageKind("celeba", _open_celeba)
"""Photographs of faces with 40 attributes, see ``sets.read_celeba``."""

CHEXPERT = ImageKind("chexpert", _open_chexpert)
"""Chest radiographs with 14 findings, see ``sets.read_chexpert``."""

FOLDER = ImageKind("folder", _open_folder)
"""A user's images of two classes: a folder or a zip with a sub-folder for each class."""

TABLE = ImageKind("csv", _open_table)
"""A user's images of two classes, listed in a CSV file."""
