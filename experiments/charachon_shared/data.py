"""The images, split once: drawn by a program, of the papers' own sets, or of a user's folder."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Bool, Int

from cfx_jax.data import split_patients
from experiments.charachon_shared.config import CharachonConfig
from experiments.shared import (
    PATIENTS,
    ImageSet,
    InputError,
    Workspace,
    counted,
    is_users,
    open_data,
    remaining_share,
    split_images,
    take_parts,
)
from experiments.shared.data import BRAIN, CHEST, FOLDER, MSD, RSNA, TABLE, ImageRequest

KINDS = (CHEST, BRAIN, RSNA, MSD, FOLDER, TABLE)
"""The images that ``--data`` may name."""

# Validation and test: of 14,863 images (Charachon et al. 2020, section IV-A), of 484 patients
# (lists in released code).
_SHARES = {"rsna": (1_495 / 14_863, 1_451 / 14_863), "msd": (48 / 484, 73 / 484)}


class Groups(NamedTuple):
    """The images that intervals draw together: the images of one patient, or copies of one picture.

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
        note: the sentence that stands beside every figure.
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


def load_images(config: CharachonConfig, workspace: Workspace) -> Data:
    """Opens or draws the images, and splits them.

    Raises:
        InputError: ``data`` is of no known kind, or its folder cannot be used; shares that leave
            nothing for training, or a part without images of some class.
    """
    if config.organ != "none" and not is_users(config.data):
        raise InputError(
            f"--organ: expected none with --data {config.data}: organs are found in one's own"
            " images, folder:PATH or csv:FILE"
        )
    validation, test = split_shares(config)
    rest = remaining_share(validation=validation, test=test)
    opened = open_data(config.data, KINDS, ImageRequest.of(config, workspace=workspace))
    shares = {"train": rest, "validation": validation, "test": test}
    positions = _split(config, opened.images, shares)
    return Data(
        **take_parts(opened.images, positions, seed=config.seed),
        class_names=opened.images.class_names,
        annotation=opened.annotation,
        note=opened.note,
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


def _split(
    config: CharachonConfig, images: ImageSet, shares: Mapping[str, float]
) -> dict[str, Any]:
    """Splits by patient as published, or one's own images with equal shares of labels."""
    is_published = config.data.partition(":")[0] in _SHARES
    if images.patients is None or not is_published:
        return split_images(images, shares, seed=config.seed)
    return split_patients(images.patients, shares, seed=config.seed)
