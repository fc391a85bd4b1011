"""The images of the experiment: opened or drawn, filtered and split, augmented in training."""

from collections.abc import Callable, Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Int

from cfx_jax.data import (
    SyntheticFundus,
    color_jitter,
    compose,
    random_affine,
    random_crop,
    random_flip,
    sometimes,
)
from cfx_jax.data.sets import FundusSet, label_by_grade, label_by_quality
from cfx_jax.data.user_files import is_folder
from cfx_jax.data.worlds.fundus import STAGES
from experiments.fundus_vce.config import Config
from experiments.shared import (
    Arrays,
    DataKind,
    FolderOptions,
    ImageSet,
    InputError,
    StoredImages,
    Workspace,
    draw_fields,
    drawing_processes,
    folder_note,
    light_augmentation,
    load_folder,
    notify,
    open_data,
    remaining_share,
    split_images,
    take_parts,
)

_FUNDUS_PAGE = "README.md, section 'The paper's data sets', says where to get each set"


@dataclass(frozen=True)
class Sources:
    """The image sets of the experiment; those other than ``main`` may be missing.

    Attributes:
        main: the images that are split into training, validation, calibration and test.
        external: another set with the same two classes, for tests only.
        lesions: images of the finding with lesion masks.
        quality: images labelled ungradable (0) or gradable (1).
        note: the sentence that stands beside every figure.
        published: whether the images are the paper's or drawn after them, so that its figures may
            stand beside ours.
    """

    main: ImageSet
    external: ImageSet | None = None
    lesions: ImageSet | None = None
    quality: ImageSet | None = None
    note: str = ""
    published: bool = True

    @property
    def identity(self) -> object:
        """Everything that the images of all sets depend on."""
        sets = (self.main, self.external, self.lesions, self.quality)
        return [images and images.identity for images in sets]


class Data(NamedTuple):
    """The image sets as they are trained and tested on.

    Attributes:
        train, validation, temperature, test: disjoint parts of the main source, by person where
            persons are known.
        external: another set, for tests; or None.
        lesions: images of the finding with lesion masks; or None.
        class_names: two names, the finding last.
        note: the sentence that stands beside every figure.
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
        sets = {"test": self.test, "external": self.external}
        return {name: images for name, images in sets.items() if images is not None}


def load_sources(config: Config, workspace: Workspace) -> Sources:
    """Opens or draws the images.

    Raises:
        InputError: ``data`` is of no known kind, or its folder cannot be used.
    """
    return open_data(config.data, KINDS, _Request(config, workspace))


class _Request(NamedTuple):
    """The settings of the images, and the folder of drawn or prepared images."""

    config: Config
    workspace: Workspace


def _open_folder(request: _Request, path: str) -> Sources:
    """A user's images of two classes."""
    images = load_folder(path, FolderOptions.of(request.config))
    return Sources(main=images, note=folder_note(images), published=False)


def _open_table(request: _Request, path: str) -> Sources:
    """A user's images of two classes, listed in a CSV file."""
    return _open_folder(request, f"csv:{path}")


def _open_synthetic(request: _Request, path: str) -> Sources:
    """Images drawn by a program."""
    del path
    config, workspace = request
    if config.classes or config.channels != 3:
        raise InputError(
            "--classes, --channels: the synthetic images have their own; leave these out, or give"
            " --data"
        )
    with drawing_processes() as processes:
        sets: dict[str, Any] = {
            name: _draw(name, options, workspace, processes)
            for name, options in _worlds(config).items()
        }
    return Sources(**sets, note="Synthetic data: drawn by a program, no patient's eye.")


def _worlds(config: Config) -> dict[str, dict[str, Any]]:
    """The options of ``SyntheticFundus`` for each image set."""
    given, scored = config.synthetic, config.localisation
    worlds: dict[str, dict[str, Any]] = {
        "main": {
            "num_images": given.num_images,
            "severity": given.severity,
            "ungradable": given.ungradable,
        },
        "external": {"num_images": given.num_external, "severity": given.external_severity},
        "lesions": {
            # Twice as many as are wanted, since mild eyes are left out.
            "num_images": 2 * (scored.num_tuning + scored.num_scored) + 2,
            "severity": given.severity,
            "prevalence": 1.0,
        },
        "quality": {"num_images": config.quality.num_images, "ungradable": 0.5},
    }
    if not config.quality.num_members:
        worlds["main"]["ungradable"] = 0.0
        del worlds["quality"]
    for number, options in enumerate(worlds.values()):
        options.update(size=config.image_size, seed=4 * config.seed + number)
    return worlds


def _draw(
    name: str, options: Mapping[str, Any], workspace: Workspace, processes: ProcessPoolExecutor
) -> ImageSet:
    """One set of synthetic images; those with lesions have their true counterfactuals too."""
    fields = ["image", "label", "lesion_mask", "eye_mask", "gradable", "factors"]
    fields += ["counterfactual"] if name == "lesions" else []

    def draw() -> Arrays:
        arrays = draw_fields(SyntheticFundus, options, fields, processes=processes)
        stage = arrays.pop("factors")["stage"]
        return {**arrays, "stage": stage}

    arrays = workspace.cached(f"synthetic-{name}", [options, fields], draw)
    class_names = SyntheticFundus.class_names
    if name == "lesions":
        # Moderate and severe eyes: those of IDRiD, whose place they take, are of grade 2 and more.
        is_chosen = arrays["stage"] > STAGES.index("mild")
        arrays = {field: values[is_chosen] for field, values in arrays.items()}
    if name == "quality":
        arrays["label"], class_names = arrays["gradable"], ("ungradable", "gradable")
    return ImageSet.whole(StoredImages(arrays, class_names), ["synthetic", options])


def _open_photographs(request: _Request, folder: str) -> Sources:
    """Opens the paper's sets in a folder: kaggle; messidor, idrid and deepdrid where they exist."""
    (config, workspace), path = request, Path(folder)
    if config.channels != 3 or config.classes:
        raise InputError(
            "--channels, --classes: fundus photographs have their own; leave these out"
        )
    if not is_folder(path):
        raise InputError(
            f"--data: expected the folder that holds kaggle, messidor, ..., '{path}' is none:"
            f" {_FUNDUS_PAGE}"
        )
    names, prepared = ["kaggle"], workspace.root / "sets"
    for name in ("messidor", "idrid", "deepdrid"):
        if (path / name).exists():
            names.append(name)
        else:
            notify(f"{name}: no folder {path / name}, its tables are left out")
    sets = {name: FundusSet(name, path / name, prepared, size=config.image_size) for name in names}
    images = {
        name: ImageSet.whole(label_by_grade(photographs), photographs.identity)
        for name, photographs in sets.items()
        if name != "deepdrid"
    }
    if "deepdrid" in sets and config.quality.num_members:
        graded = sets["deepdrid"]
        images["deepdrid"] = ImageSet.whole(label_by_quality(graded), graded.identity)
    dropped = ", ".join(f"{name} {len(photographs.dropped)}" for name, photographs in sets.items())
    return Sources(
        main=images["kaggle"],
        external=images.get("messidor"),
        lesions=images.get("idrid"),
        quality=images.get("deepdrid"),
        note=f"Photographs in which no eye was found were dropped: {dropped}.",
    )


KINDS = (
    DataKind("synthetic", _open_synthetic, has_path=False),
    DataKind("folder", _open_folder),
    DataKind("csv", _open_table),
    DataKind("fundus", _open_photographs),
)
"""The images that ``--data`` may name."""


def split_data(config: Config, sources: Sources, kept: Int[np.ndarray, " n"] | None) -> Data:
    """Splits the gradable images of the main source, and picks the images with lesions.

    Args:
        config: the configuration of the experiment.
        sources: all images.
        kept: positions of the gradable images of the main source; None for all of them.

    Raises:
        InputError: shares that leave nothing for training, or a part that would hold images of one
            class only.
    """
    shares = {name: getattr(config, name) for name in ("validation", "temperature", "test")}
    shares = {"train": remaining_share(**shares), **shares}
    gradable = sources.main.take(sources.main.indices if kept is None else kept)
    positions = split_images(gradable, shares, seed=config.seed)
    parts = take_parts(gradable, positions, seed=config.seed)
    names = parts["train"].class_names
    return Data(
        **parts,
        external=sources.external,
        lesions=_with_lesions(config, sources.lesions, len(names) - 1),
        class_names=names,
        note=sources.note,
        published=sources.published,
    )


def _with_lesions(config: Config, images: ImageSet | None, finding: int) -> ImageSet | None:
    """Shuffled images of the finding with a mask, as many as are tuned on and scored; or None."""
    if images is None:
        return None
    arrays, tuned = images.arrays, config.localisation.num_tuning
    usable = np.flatnonzero((arrays["label"] == finding) & arrays["lesion_mask"].any((1, 2)))
    wanted = tuned + config.localisation.num_scored
    chosen = np.random.default_rng(config.seed).permutation(usable)[:wanted]
    if len(chosen) <= tuned + 1:
        raise InputError(
            f"--localisation.num-tuning: expected at least two images left to score, {len(chosen)}"
            f" images with lesions are there and {tuned} are tuned on: lower it"
        )
    return images.take(chosen)


def augmentation(config: Config) -> Callable[..., np.ndarray] | None:
    """The augmentation that the configuration names, for its image size."""
    if config.augmentation == "none":
        return None
    if config.augmentation == "light":
        return light_augmentation(config.image_size)
    everything = compose(
        random_crop(padding=round(config.image_size * 33 / 224)),
        color_jitter(brightness=(0.5, 0.9), contrast=(0.5, 2.5), saturation=(0.5, 1.5), hue=0.15),
        random_flip("horizontal"),
        random_flip("vertical"),
        random_affine(degrees=15, translate=0.048),
    )
    return sometimes(everything, probability=0.9)
