"""The images, split once: drawn by a program, of the papers' own sets, or of a user's folder."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Bool, Int

from cfx_jax.data import SyntheticBrain, SyntheticChest, split
from cfx_jax.errors import InputError
from experiments.charachon.config import CharachonConfig
from experiments.shared import (
    PATIENTS,
    ImageSet,
    Workspace,
    check_no_classes,
    counted,
    draw_images,
    folder_note,
    load_folder,
    remaining_share,
)

_WORLDS = {"chest": SyntheticChest, "brain": SyntheticBrain}
_PAIR = ("image", "label", "lesion_mask", "counterfactual", "counterfactual_lesion_mask")
_FIELDS = {"chest": (*_PAIR, "annotation_mask"), "brain": (*_PAIR, "body_mask")}
_ANNOTATIONS = {
    "chest": "annotation_mask",
    "rsna": "annotation_mask",
    "brain": "lesion_mask",
    "msd": "lesion_mask",
}

# Validation and test: of 14,863 images (Charachon et al. 2020, section IV-A), of 484 patients
# (lists in released code).
_SHARES = {"rsna": (1_495 / 14_863, 1_451 / 14_863), "msd": (48 / 484, 73 / 484)}


class Groups(NamedTuple):
    """The images that intervals draw together: those of one patient, or copies of one picture.

    Attributes:
        names: the group of each image, (n,); None where all images are drawn alone.
        unit: the groups in words.
    """

    names: np.ndarray | None = None
    unit: str = PATIENTS

    def of(self, rows: Int[np.ndarray, " m"] | Bool[np.ndarray, " n"]) -> "Groups":
        """The groups of some of the images."""
        return self if self.names is None else self._replace(names=self.names[rows])

    @property
    def options(self) -> dict[str, Any]:
        """The groups as the ``settle`` methods of ``Statement`` take them."""
        return {"groups": self.names, "group_unit": self.unit}

    def describe(self, number: int, unit: str = "images") -> str:
        """A number of images, and of how many groups they are, in words."""
        return counted(number, unit, self.names, self.unit)


class Data(NamedTuple):
    """The images in three parts, and what a reader must know of them.

    Attributes:
        train, validation, test: disjoint parts, by patient where patients are known, each shuffled.
        class_names: two names, the finding last.
        annotation: the field that marks the finding, or None where nothing does.
        note: what a reader must know beside every figure.
    """

    train: ImageSet
    validation: ImageSet
    test: ImageSet
    class_names: tuple[str, ...]
    annotation: str | None
    note: str

    @property
    def groups(self) -> Groups:
        """The groups of the test images."""
        return Groups(self.test.groups, self.test.group_unit)

    @property
    def finding(self) -> int:
        """The label of the finding."""
        return len(self.class_names) - 1

    @property
    def identity(self) -> object:
        """All that the images depend on."""
        return [part.identity for part in (self.train, self.validation, self.test)]


class _Source(NamedTuple):
    """All images of one kind before they are split, and a note."""

    images: ImageSet
    note: str


def load_images(config: CharachonConfig, workspace: Workspace) -> Data:
    """Opens or draws the images, and splits them.

    Raises:
        InputError: ``data`` is of no known kind, or its folder cannot be used; shares that leave
            nothing for training, or a part without images of some class.
    """
    kind, _, path = config.data.partition(":")
    validation, test = split_shares(config)
    rest = remaining_share(validation=validation, test=test)
    source = _open(config, kind, path, workspace)
    positions = _split(config, source, {"train": rest, "validation": validation, "test": test})
    rng = np.random.default_rng(config.seed)
    shuffled = {name: rng.permutation(items) for name, items in positions.items()}
    parts = {name: source.images.take(items) for name, items in shuffled.items()}
    for name, part in parts.items():
        _check_classes(name, part)
    return Data(
        **parts,
        class_names=source.images.class_names,
        annotation=_ANNOTATIONS.get(kind),
        note=source.note,
    )


def split_shares(config: CharachonConfig) -> tuple[float, float]:
    """The shares of images, or patients, for validation and test: as configured or as published."""
    validation, test = _SHARES.get(config.data.partition(":")[0], (0.1, 0.1))
    return (
        validation if config.validation is None else config.validation,
        test if config.test is None else config.test,
    )


def describe_brackets(data: Data) -> str:
    """Says in a sentence what the brackets of tables are: intervals over images or groups."""
    unit = "images" if data.groups.names is None else data.groups.unit
    return f"Brackets: 95 % bootstrap intervals over {unit}."


def find_annotated(config: CharachonConfig, data: Data) -> Int[np.ndarray, " n"]:
    """Finds the test images that explanations are compared on, as positions in the test set.

    They are the first images of the finding with a non-empty annotation, whatever the classifier
    says of them.

    Raises:
        InputError: fewer than two.
    """
    assert data.annotation is not None
    arrays = data.test.arrays
    usable = np.flatnonzero((arrays["label"] == data.finding) & arrays[data.annotation].any((1, 2)))
    if min(len(usable), config.num_explained) < 2:
        raise InputError(
            f"--num-explained: expected at least two annotated test images, got {len(usable)} of"
            f" which {config.num_explained} are wanted: raise it, or --test"
        )
    return usable[: config.num_explained]


def _open(config: CharachonConfig, kind: str, path: str, workspace: Workspace) -> _Source:
    if config.data in _WORLDS:
        return _synthetic(config, workspace)
    if kind in _OPENERS and path:
        return _OPENERS[kind](config, path, workspace)
    raise InputError(
        f"--data: expected 'chest', 'brain', 'rsna:PATH', 'msd:PATH' or 'folder:PATH', got"
        f" {config.data!r}"
    )


def _synthetic(config: CharachonConfig, workspace: Workspace) -> _Source:
    check_no_classes(config.classes, config.data)
    options = {"num_images": config.num_images, "size": config.image_size, "seed": config.seed}
    images, _ = draw_images(
        config.data, _WORLDS[config.data], options, _FIELDS[config.data], workspace
    )
    return _Source(images, f"Synthetic {config.data} images: drawn by a program, of no patient.")


def _folder(config: CharachonConfig, path: str, workspace: Workspace) -> _Source:
    del workspace
    images = load_folder(path, size=config.image_size, channels=1, classes=config.classes)
    return _Source(images, folder_note(images))


def _rsna(config: CharachonConfig, path: str, workspace: Workspace) -> _Source:
    from cfx_jax.data.radiology_sets import RSNAPneumonia

    check_no_classes(config.classes, config.data)
    source = RSNAPneumonia(path, workspace.root / "sets", size=config.image_size)
    note = f"RSNA pneumonia; {source.left_out} images of the third class were left out."
    return _Source(ImageSet.whole(source, source.identity), note)


def _msd(config: CharachonConfig, path: str, workspace: Workspace) -> _Source:
    from cfx_jax.data.radiology_sets import MSDBrainTumour

    check_no_classes(config.classes, config.data)
    source = MSDBrainTumour(path, workspace.root / "sets", size=config.image_size)
    left_out = f"{source.left_out} slices that show nothing were left out"
    note = f"Medical Segmentation Decathlon, brain; {left_out}."
    return _Source(ImageSet.whole(source, source.identity), note)


_OPENERS: Mapping[str, Callable[[CharachonConfig, str, Workspace], _Source]] = {
    "folder": _folder,
    "rsna": _rsna,
    "msd": _msd,
}


def _split(config: CharachonConfig, source: _Source, shares: Mapping[str, float]) -> dict[str, Any]:
    """Splits by patient as published where patients are known, else with equal shares of labels."""
    images = source.images
    if images.patients is None:
        return split(images.labels, shares, seed=config.seed, groups=images.copies)
    from cfx_jax.data.radiology_sets import split_patients

    return split_patients(images.patients, shares, seed=config.seed)


def _check_classes(name: str, part: ImageSet) -> None:
    missing = [name for label, name in enumerate(part.class_names) if label not in part.labels]
    if missing:
        raise InputError(
            f"the {name} part has {len(part)} images and none of class {', '.join(missing)}: give"
            f" more images of it, or a larger share by --{name}"
        )
