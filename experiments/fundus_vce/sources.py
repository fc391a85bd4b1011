"""Where the images come from: drawn by a program, a user's folder, or the paper's own data sets."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from cfx_jax.data import ImageFolder, ImageSource, SyntheticFundus, load_arrays
from cfx_jax.data.sources.fundus_world import STAGES
from cfx_jax.errors import InputError
from experiments.fundus_vce.config import Config
from experiments.fundus_vce.image_set import ImageSet, StoredImages
from experiments.stages import Arrays, Workspace

_FUNDUS_PAGE = "README.md, section 'The paper's data sets', says where to get each set"


@dataclass(frozen=True)
class Sources:
    """The image sets of the experiment; those other than ``main`` may be missing.

    Attributes:
        main: to be split into training, validation, calibration and test.
        groups: for each image of ``main`` whom it shows, so that no person is in two parts; or None.
        external: another set with the same two classes, for tests only.
        lesions: images of the finding with lesion masks.
        quality: images labelled ungradable (0) or gradable (1).
        quality_groups: whom each of them shows; or None.
        note: what a reader must know beside every figure.
        origins: for each set by name, what its images depend on.
    """

    main: ImageSource
    groups: np.ndarray | None
    external: ImageSource | None
    lesions: ImageSource | None
    quality: ImageSource | None
    quality_groups: np.ndarray | None
    note: str
    origins: Mapping[str, object]

    def all_of(self, name: str) -> ImageSet | None:
        """All images of one set by name; None where there is none."""
        source = getattr(self, name)
        return None if source is None else ImageSet(source, np.arange(len(source)), self.origins[name])


def load_sources(config: Config, workspace: Workspace) -> Sources:
    """Opens or draws the images.

    Raises:
        InputError: ``data`` is of no known kind, or its folder cannot be used.
    """
    kind, _, path = config.data.partition(":")
    if config.data == "synthetic":
        return _synthetic(config, workspace)
    if kind == "folder" and path:
        return _folder(config, path)
    if kind == "fundus" and path:
        return _photographs(config, path, workspace)
    raise InputError(f"--data: expected 'synthetic', 'folder:PATH' or 'fundus:PATH', got {config.data!r}")


def _synthetic(config: Config, workspace: Workspace) -> Sources:
    if config.classes or config.channels != 3:
        raise InputError("--classes, --channels: the synthetic images have their own; leave these out, or give --data")
    world, scored = config.synthetic, config.localisation.num_tuning + config.localisation.num_scored
    drawn = 2 * scored + 2  # mild eyes are left out
    options = {
        "main": {"num_images": world.num_images, "severity": world.severity, "ungradable": world.ungradable},
        "external": {"num_images": world.num_external, "severity": world.external_severity},
        "lesions": {"num_images": drawn, "severity": world.severity, "prevalence": 1.0},
        "quality": {"num_images": config.quality.num_images, "ungradable": 0.5},
    }
    if not config.quality.num_members:
        options["main"]["ungradable"] = 0.0
        del options["quality"]
    for number, each in enumerate(options.values()):
        each.update(size=config.image_size, seed=4 * config.seed + number)
    sets = {name: _drawn(name, each, workspace) for name, each in options.items()}
    quality = None
    if "quality" in sets:
        labelled = {**sets["quality"], "label": sets["quality"]["gradable"]}
        quality = StoredImages(labelled, ("ungradable", "gradable"))
    return Sources(
        main=StoredImages(sets["main"], SyntheticFundus.class_names),
        groups=None,
        external=StoredImages(sets["external"], SyntheticFundus.class_names),
        lesions=StoredImages(_beyond_mild(sets["lesions"]), SyntheticFundus.class_names),
        quality=quality,
        quality_groups=None,
        note="Synthetic data: drawn by a program, no patient's eye.",
        origins={name: ["synthetic", each] for name, each in options.items()},
    )


def _drawn(name: str, options: Mapping[str, float], workspace: Workspace) -> Arrays:
    def draw() -> Arrays:
        source = SyntheticFundus(**options)  # type: ignore[arg-type]
        fields = ("image", "label", "lesion_mask", "eye_mask", "gradable", "factors")
        arrays = load_arrays(source, np.arange(len(source)), fields=fields, progress=True)
        stage = arrays.pop("factors")["stage"]
        return {**arrays, "stage": stage}

    return workspace.cached(f"synthetic-{name}", options, draw)


def _beyond_mild(arrays: Arrays) -> Arrays:
    """The moderate and severe eyes: those of IDRiD, whose place they take, are of grade 2 and more."""
    chosen = arrays["stage"] > STAGES.index("mild")
    return {name: values[chosen] for name, values in arrays.items()}


def _folder(config: Config, path: str) -> Sources:
    names = list(config.classes) or None
    folder = ImageFolder(path, size=config.image_size, channels=config.channels, class_names=names)
    if len(folder.class_names) != 2:
        raise InputError(
            f"--data: expected two classes, found {len(folder.class_names)} ({', '.join(folder.class_names)}): choose two,"
            f" e.g. --classes {folder.class_names[0]} {folder.class_names[1]}"
        )
    arrays = load_arrays(folder, np.arange(len(folder)), fields=("image", "label"))
    return Sources(
        main=StoredImages(arrays, folder.class_names),
        groups=None,
        external=None,
        lesions=None,
        quality=None,
        quality_groups=None,
        note="Split by image: where several images show one person, accuracy on new persons is lower than printed.",
        origins={"main": [list(folder.class_names), _digest(arrays)]},
    )


def _photographs(config: Config, path: str, workspace: Workspace) -> Sources:
    """The sets of the paper below one folder: ``kaggle``, and where they are there ``messidor``, ``idrid``,
    ``deepdrid``."""
    from cfx_jax.data.fundus_sets import FundusSet, labelled, quality_labelled

    if config.channels != 3 or config.classes:
        raise InputError("--channels, --classes: fundus photographs have their own; leave these out")
    if not Path(path).is_dir():
        raise InputError(
            f"--data: expected the folder that holds kaggle, messidor, ..., '{path}' is none: {_FUNDUS_PAGE}"
        )

    def opened(name: str) -> FundusSet | None:
        if name != "kaggle" and not (Path(path) / name).exists():
            print(f"{name}: no folder {Path(path) / name}, its tables are left out", flush=True)
            return None
        prepared = workspace.root / "sets"
        return FundusSet(name, Path(path) / name, prepared, size=config.image_size)

    kaggle, messidor, idrid, deepdrid = map(opened, ("kaggle", "messidor", "idrid", "deepdrid"))
    assert kaggle is not None
    main = labelled(kaggle)
    quality = None if deepdrid is None or not config.quality.num_members else quality_labelled(deepdrid)
    dropped = {each.name: len(each.dropped) for each in (kaggle, messidor, idrid, deepdrid) if each is not None}
    return Sources(
        main=main,
        groups=np.asarray(main.patients),
        external=None if messidor is None else labelled(messidor),
        lesions=None if idrid is None else labelled(idrid),
        quality=quality,
        quality_groups=None if quality is None else np.asarray(quality.patients),
        note="Photographs in which no eye was found were dropped: "
        + ", ".join(f"{name} {count}" for name, count in dropped.items())
        + ".",
        origins={
            role: each.identity
            for role, each in (("main", kaggle), ("external", messidor), ("lesions", idrid), ("quality", deepdrid))
            if each is not None
        },
    )


def _digest(arrays: Arrays) -> str:
    """Twelve hexadecimal digits of the images and labels themselves."""
    sums = hashlib.sha256()
    for name in sorted(arrays):
        sums.update(np.ascontiguousarray(arrays[name]).data)
    return sums.hexdigest()[:12]
