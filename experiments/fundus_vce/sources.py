"""Where the images come from: drawn by a program, a user's folder, or the paper's own data sets."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from cfx_jax.data import SyntheticFundus
from cfx_jax.data.user_files import is_folder
from cfx_jax.data.worlds.fundus import STAGES
from cfx_jax.errors import InputError
from experiments.fundus_vce.config import Config
from experiments.shared.folder_images import folder_note, load_folder
from experiments.shared.image_set import ImageSet, StoredImages
from experiments.shared.notices import notify
from experiments.shared.stages import Arrays, Workspace
from experiments.shared.synthetic_images import drawn

_FUNDUS_PAGE = "README.md, section 'The paper's data sets', says where to get each set"


@dataclass(frozen=True)
class Sources:
    """The image sets of the experiment; those other than ``main`` may be missing.

    Attributes:
        main: to be split into training, validation, calibration and test.
        external: another set with the same two classes, for tests only.
        lesions: images of the finding with lesion masks.
        quality: images labelled ungradable (0) or gradable (1).
        note: what a reader must know beside every figure.
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
        """What the images of all sets depend on."""
        return [
            each and each.identity
            for each in (self.main, self.external, self.lesions, self.quality)
        ]


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
    raise InputError(
        f"--data: expected 'synthetic', 'folder:PATH' or 'fundus:PATH', got {config.data!r}"
    )


def _synthetic(config: Config, workspace: Workspace) -> Sources:
    if config.classes or config.channels != 3:
        raise InputError(
            "--classes, --channels: the synthetic images have their own; leave these out, or give"
            " --data"
        )
    world, scored = (
        config.synthetic,
        config.localisation.num_tuning + config.localisation.num_scored,
    )
    drawn = 2 * scored + 2  # mild eyes are left out
    options = {
        "main": {
            "num_images": world.num_images,
            "severity": world.severity,
            "ungradable": world.ungradable,
        },
        "external": {"num_images": world.num_external, "severity": world.external_severity},
        "lesions": {"num_images": drawn, "severity": world.severity, "prevalence": 1.0},
        "quality": {"num_images": config.quality.num_images, "ungradable": 0.5},
    }
    if not config.quality.num_members:
        options["main"]["ungradable"] = 0.0
        del options["quality"]
    for number, each in enumerate(options.values()):
        each.update(size=config.image_size, seed=4 * config.seed + number)
    stored = {name: _drawn(name, each, workspace) for name, each in options.items()}
    stored["lesions"] = _beyond_mild(stored["lesions"])

    def whole(name: str, class_names: Sequence[str] = SyntheticFundus.class_names) -> ImageSet:
        return ImageSet.whole(StoredImages(stored[name], class_names), ["synthetic", options[name]])

    quality = None
    if "quality" in stored:
        stored["quality"]["label"] = stored["quality"]["gradable"]
        quality = whole("quality", ("ungradable", "gradable"))
    return Sources(
        main=whole("main"),
        external=whole("external"),
        lesions=whole("lesions"),
        quality=quality,
        note="Synthetic data: drawn by a program, no patient's eye.",
    )


def _drawn(name: str, options: Mapping[str, float], workspace: Workspace) -> Arrays:
    def draw() -> Arrays:
        fields = ("image", "label", "lesion_mask", "eye_mask", "gradable", "factors")
        arrays = drawn(SyntheticFundus, options, fields)
        stage = arrays.pop("factors")["stage"]
        return {**arrays, "stage": stage}

    return workspace.cached(f"synthetic-{name}", options, draw)


def _beyond_mild(arrays: Arrays) -> Arrays:
    """The moderate and severe eyes: those of IDRiD, whose place they take, are of grade 2 and more."""
    chosen = arrays["stage"] > STAGES.index("mild")
    return {name: values[chosen] for name, values in arrays.items()}


def _folder(config: Config, path: str) -> Sources:
    images = load_folder(
        path, size=config.image_size, channels=config.channels, classes=config.classes
    )
    return Sources(main=images, note=folder_note(images), published=False)


def _photographs(config: Config, path: str, workspace: Workspace) -> Sources:
    """The sets of the paper below one folder: ``kaggle``, and where they are there ``messidor``,
    ``idrid``, ``deepdrid``."""
    from cfx_jax.data.sets import FundusSet, label_by_grade, label_by_quality

    if config.channels != 3 or config.classes:
        raise InputError(
            "--channels, --classes: fundus photographs have their own; leave these out"
        )
    if not is_folder(Path(path)):
        raise InputError(
            f"--data: expected the folder that holds kaggle, messidor, ..., '{path}' is none:"
            f" {_FUNDUS_PAGE}"
        )

    def opened(name: str) -> FundusSet | None:
        if name != "kaggle" and not (Path(path) / name).exists():
            notify(f"{name}: no folder {Path(path) / name}, its tables are left out")
            return None
        prepared = workspace.root / "sets"
        return FundusSet(name, Path(path) / name, prepared, size=config.image_size)

    kaggle, messidor, idrid, deepdrid = map(opened, ("kaggle", "messidor", "idrid", "deepdrid"))
    assert kaggle is not None
    main = label_by_grade(kaggle)
    quality = (
        None if deepdrid is None or not config.quality.num_members else label_by_quality(deepdrid)
    )
    dropped = {
        each.name: len(each.dropped)
        for each in (kaggle, messidor, idrid, deepdrid)
        if each is not None
    }
    return Sources(
        main=ImageSet.whole(main, kaggle.identity),
        external=None
        if messidor is None
        else ImageSet.whole(label_by_grade(messidor), messidor.identity),
        lesions=None if idrid is None else ImageSet.whole(label_by_grade(idrid), idrid.identity),
        quality=None
        if quality is None or deepdrid is None
        else ImageSet.whole(quality, deepdrid.identity),
        note="Photographs in which no eye was found were dropped: "
        + ", ".join(f"{name} {count}" for name, count in dropped.items())
        + ".",
    )
