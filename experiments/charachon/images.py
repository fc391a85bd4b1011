"""The images: drawn by a program, of the papers' own sets, or a user's folder; split once and for
all.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Int

from cfx_jax.data import split, split_patients
from cfx_jax.errors import InputError
from experiments.charachon.config import GenerationConfig
from experiments.shared.data import BRAIN, CHEST, FOLDER, MSD, RSNA, ImageRequest, open_data
from experiments.shared.image_options import remaining_share
from experiments.shared.image_set import ImageSet
from experiments.shared.stages import Workspace

KINDS = (CHEST, BRAIN, RSNA, MSD, FOLDER)
"""The images that ``--data`` may name."""

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


def load_images(config: GenerationConfig, workspace: Workspace) -> Data:
    """Opens or draws the images and splits them.

    Raises:
        InputError: ``data`` is of no known kind, or its folder cannot be used; shares that leave
            nothing for training, or a part without images of some class.
    """
    validation, test = shares(config)
    rest = remaining_share(validation=validation, test=test)
    request = ImageRequest(
        workspace, config.image_size, config.num_images, config.seed, classes=config.classes
    )
    opened = open_data(config.data, KINDS, request)
    positions = _split(
        config, opened.images, {"train": rest, "validation": validation, "test": test}
    )
    rng = np.random.default_rng(config.seed)
    shuffled = {name: rng.permutation(items) for name, items in positions.items()}
    parts = {name: opened.images.take(items) for name, items in shuffled.items()}
    for name, part in parts.items():
        _check_classes(name, part)
    return Data(
        **parts,
        class_names=opened.images.class_names,
        annotation=opened.annotation,
        note=opened.note,
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


def _split(
    config: GenerationConfig, images: ImageSet, shares: Mapping[str, float]
) -> dict[str, Any]:
    """By patient as the published lists where patients are known, else as many of each label in
    every part.
    """
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
