"""The images of the experiment, filtered and split once and for all."""

from typing import NamedTuple

import numpy as np

from cfx_jax.data import split
from cfx_jax.errors import InputError
from experiments.fundus_vce.config import Config
from experiments.fundus_vce.quality import Quality
from experiments.fundus_vce.sources import Sources
from experiments.shared.image_options import remaining_share
from experiments.shared.image_set import ImageSet


class Data(NamedTuple):
    """The image sets.

    Attributes:
        train, validation, temperature, test: disjoint parts of the main source, by person where
            persons are known.
        external: another set, for tests; or None.
        lesions: images of the finding with lesion masks; or None.
        class_names: two names, the finding last.
        note: what a reader must know beside every figure.
        published: whether the paper's figures may stand beside ours, see ``Sources``.
    """

    train: ImageSet
    validation: ImageSet
    temperature: ImageSet
    test: ImageSet
    external: ImageSet | None
    lesions: ImageSet | None
    class_names: tuple[str, ...]
    note: str
    published: bool = True

    @property
    def finding(self) -> int:
        """The label of the finding."""
        return len(self.class_names) - 1

    @property
    def tests(self) -> dict[str, ImageSet]:
        """The sets that classifiers are tested on, by name."""
        return (
            {"test": self.test}
            if self.external is None
            else {"test": self.test, "external": self.external}
        )


def split_data(config: Config, sources: Sources, quality: Quality | None) -> Data:
    """Splits the gradable images of the main source, and picks the images with lesions.

    Raises:
        InputError: shares that leave nothing for training, or a part that would hold images of one
            class only.
    """
    shares = {
        "validation": config.validation,
        "temperature": config.temperature,
        "test": config.test,
    }
    rest = remaining_share(**shares)
    everything = sources.main
    kept = everything.indices if quality is None else quality.kept
    gradable = everything.take(kept)
    positions = split(
        gradable.labels, {"train": rest, **shares}, seed=config.seed, groups=gradable.groups
    )
    rng = np.random.default_rng(config.seed)
    parts = {name: gradable.take(rng.permutation(items)) for name, items in positions.items()}
    for name, part in parts.items():
        _check_classes(name, part)
    names = parts["train"].class_names
    return Data(
        **parts,
        external=sources.external,
        lesions=_with_lesions(config, sources, len(names) - 1),
        class_names=names,
        note=sources.note,
        published=sources.published,
    )


def _check_classes(name: str, part: ImageSet) -> None:
    present = np.unique(part.labels)
    if len(present) < len(part.class_names):
        missing = ", ".join(
            each for label, each in enumerate(part.class_names) if label not in present
        )
        raise InputError(
            f"the {name} part has {len(part)} images and none of class {missing}: give more images"
            f" of it, or a larger share"
            f" by --{name}"
        )


def _with_lesions(config: Config, sources: Sources, finding: int) -> ImageSet | None:
    """Shuffled images of the finding whose mask is not empty, as many as are tuned on and scored;
    None where none is.
    """
    everything = sources.lesions
    if everything is None:
        return None
    arrays = everything.arrays
    usable = np.flatnonzero((arrays["label"] == finding) & arrays["lesion_mask"].any((1, 2)))
    wanted = config.localisation.num_tuning + config.localisation.num_scored
    chosen = np.random.default_rng(config.seed).permutation(usable)[:wanted]
    if len(chosen) <= config.localisation.num_tuning + 1:
        raise InputError(
            f"--localisation.num-tuning: expected at least two images left to score, {len(chosen)}"
            f" images with lesions"
            f" are there and {config.localisation.num_tuning} are tuned on: lower it"
        )
    return everything.take(chosen)
