"""The images: drawn by a program, of the papers' own sets, or a user's folder; split once and for
all.
"""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Int

from cfx_jax.data import SyntheticBrain, SyntheticChest, split, split_patients
from cfx_jax.errors import InputError
from experiments.charachon.config import GenerationConfig
from experiments.shared.folder_images import folder_note, load_folder
from experiments.shared.image_options import check_no_classes, remaining_share
from experiments.shared.image_set import ImageSet
from experiments.shared.stages import Workspace
from experiments.shared.synthetic_images import draw_images

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


class Data(NamedTuple):
    """The image sets.

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
    def groups(self) -> np.ndarray | None:
        """Test images that are drawn together: those of one patient, or copies of one picture; None
        where none are.
        """
        return self.test.groups

    @property
    def group_unit(self) -> str:
        """What the groups are, in words."""
        return self.test.group_unit

    @property
    def finding(self) -> int:
        """The label of the finding."""
        return len(self.class_names) - 1

    @property
    def identity(self) -> object:
        """What all images depend on."""
        return [part.identity for part in (self.train, self.validation, self.test)]


class _Source(NamedTuple):
    """All images of one kind, and a note."""

    images: ImageSet
    note: str


def load_images(config: GenerationConfig, workspace: Workspace) -> Data:
    """Opens or draws the images and splits them.

    Raises:
        InputError: ``data`` is of no known kind, or its folder cannot be used; shares that leave
            nothing for training, or a part without images of some class.
    """
    kind, _, path = config.data.partition(":")
    validation, test = shares(config)
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


def shares(config: GenerationConfig) -> tuple[float, float]:
    """The shares of images, or patients, for validation and test: those told, or of the published
    split.
    """
    validation, test = _SHARES.get(config.data.partition(":")[0], (0.1, 0.1))
    return (
        validation if config.validation is None else config.validation,
        test if config.test is None else config.test,
    )


def brackets(data: Data) -> str:
    """What the brackets of tables are, in a sentence: intervals over what was drawn independently."""
    return f"Brackets: 95 % bootstrap intervals over {'images' if data.groups is None else data.group_unit}."


def annotated(config: GenerationConfig, data: Data) -> Int[np.ndarray, " n"]:
    """Positions within the test set of the images that explanations are compared on.

    The first images of the finding with a non-empty annotation, whatever the classifier says of
    them.

    Raises:
        InputError: fewer than two.
    """
    assert data.annotation is not None
    arrays = data.test.arrays
    usable = np.flatnonzero((arrays["label"] == data.finding) & arrays[data.annotation].any((1, 2)))
    if min(len(usable), config.num_explained) < 2:
        raise InputError(
            f"--num-explained: expected at least two annotated test images, got {len(usable)} of"
            f" which"
            f" {config.num_explained} are wanted: raise it, or --test"
        )
    return usable[: config.num_explained]


def _open(config: GenerationConfig, kind: str, path: str, workspace: Workspace) -> _Source:
    if config.data in _WORLDS:
        return _synthetic(config, workspace)
    if kind in _OPENERS and path:
        return _OPENERS[kind](config, path, workspace)
    raise InputError(
        f"--data: expected 'chest', 'brain', 'rsna:PATH', 'msd:PATH' or 'folder:PATH', got"
        f" {config.data!r}"
    )


def _synthetic(config: GenerationConfig, workspace: Workspace) -> _Source:
    check_no_classes(config.classes, config.data)
    options = {"num_images": config.num_images, "size": config.image_size, "seed": config.seed}
    images, _ = draw_images(
        config.data, _WORLDS[config.data], options, _FIELDS[config.data], workspace
    )
    return _Source(images, f"Synthetic {config.data} images: drawn by a program, of no patient.")


def _folder(config: GenerationConfig, path: str, workspace: Workspace) -> _Source:
    del workspace
    images = load_folder(path, size=config.image_size, channels=1, classes=config.classes)
    return _Source(images, folder_note(images))


def _rsna(config: GenerationConfig, path: str, workspace: Workspace) -> _Source:
    from cfx_jax.data.sets import RSNAPneumonia

    check_no_classes(config.classes, config.data)
    source = RSNAPneumonia(path, workspace.root / "sets", size=config.image_size)
    note = f"RSNA pneumonia; {source.left_out} images of the third class were left out."
    return _Source(ImageSet.whole(source, source.identity), note)


def _msd(config: GenerationConfig, path: str, workspace: Workspace) -> _Source:
    from cfx_jax.data.sets import MSDBrainTumour

    check_no_classes(config.classes, config.data)
    source = MSDBrainTumour(path, workspace.root / "sets", size=config.image_size)
    note = f"Medical Segmentation Decathlon, brain; {source.left_out} slices that show nothing were left out."
    return _Source(ImageSet.whole(source, source.identity), note)


_OPENERS: Mapping[str, Callable[[GenerationConfig, str, Workspace], _Source]] = {
    "folder": _folder,
    "rsna": _rsna,
    "msd": _msd,
}


def _split(
    config: GenerationConfig, source: _Source, shares: Mapping[str, float]
) -> dict[str, Any]:
    """By patient as the published lists where patients are known, else as many of each label in
    every part.
    """
    images = source.images
    if images.patients is None:
        return split(images.labels, shares, seed=config.seed, groups=images.copies)
    return split_patients(images.patients, shares, seed=config.seed)


def _check_classes(name: str, part: ImageSet) -> None:
    missing = [each for label, each in enumerate(part.class_names) if label not in part.labels]
    if missing:
        raise InputError(
            f"the {name} part has {len(part)} images and none of class {', '.join(missing)}: give"
            f" more images of it, or a"
            f" larger share by --{name}"
        )
