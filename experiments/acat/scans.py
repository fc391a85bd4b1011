"""The scans with all that is known of them: drawn by a program, or the paper's sets."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int

from cfx_jax.data import SyntheticCT, load_arrays, split
from cfx_jax.errors import InputError
from experiments.acat.config import Config
from experiments.image_options import remaining_share
from experiments.image_set import StoredImages
from experiments.stages import Arrays, Workspace
from experiments.synthetic_images import draw

_SIDES = ("none", "left", "right", "both")
_DRAWN = "drawn by a program, of no patient"


class Scans(NamedTuple):
    """Scans in memory.

    Attributes:
        name: of the kind, as in ``--data``, without a path.
        arrays: ``image`` (n, s, h, w, 1), ``label`` (n,), the class that networks name, ``size`` (n,), of an infarct or the
            grade of a lung, 0 without a finding; and where it is known ``lesion_mask`` (n, s, h, w), ``atlas`` (n, s, h, w),
            the number of each voxel's territory, and ``territory`` (n,), that of the lesion.
        class_names: of the labels.
        sides: whether the label is the side of the lesion, and networks see half a slice at a time.
        groups: whom each scan shows, where several show one; or None.
        located: further scans with a finding, fields as ``arrays`` has them, on which maps are compared with the truth; or
            None, where they are compared on the test scans.
        note: what a reader must know beside every figure.
        identity: what all of them depend on.
    """

    name: str
    arrays: Mapping[str, np.ndarray]
    class_names: tuple[str, ...]
    sides: bool
    groups: np.ndarray | None
    located: Arrays | None
    note: str
    identity: object

    @property
    def images(self) -> Float[np.ndarray, "n s h w 1"]:
        """All of them."""
        return self.arrays["image"]

    @property
    def labels(self) -> Int[np.ndarray, " n"]:
        """The class of each."""
        return self.arrays["label"]

    @property
    def positive(self) -> Bool[np.ndarray, " n"]:
        """Whether each has a finding."""
        return self.labels > 0

    @property
    def source(self) -> StoredImages:
        """As trainers take them."""
        return StoredImages({"image": self.images, "label": self.labels}, self.class_names)


class Parts(NamedTuple):
    """The positions of one run's scans.

    Attributes:
        train, validation, test: disjoint.
    """

    train: Int[np.ndarray, " a"]
    validation: Int[np.ndarray, " b"]
    test: Int[np.ndarray, " c"]


def load_scans(config: Config, kind: str, workspace: Workspace) -> Scans:
    """Opens or draws the scans of one kind.

    Raises:
        InputError: no such kind, or its folder cannot be used.
    """
    name, _, path = kind.partition(":")
    if name in _WORLDS and not path:
        return _WORLDS[name](config, workspace)
    if name in _SETS and path:
        return _SETS[name](config, path, workspace)
    raise InputError(f"--data: expected 'stroke', 'lung', 'mosmed:PATH' or 'ist3:PATH', got {kind!r}")


def split_scans(config: Config, scans: Scans, seed: int) -> Parts:
    """One run's parts; classes have the same shares in each.

    Raises:
        InputError: shares that leave nothing for the validation.
    """
    rest = remaining_share(train=config.train, test=config.test)
    shares = {"train": config.train, "validation": rest, "test": config.test}
    return Parts(**split(scans.labels, shares, seed=seed, groups=scans.groups))


def _stroke(config: Config, workspace: Workspace) -> Scans:
    drawn, depends = _drawn(config, workspace, "stroke", config.num_scans)
    located, _ = _drawn(config, workspace, "stroke", config.num_located, prevalence=1.0)
    note = f"Synthetic CT of heads: {_DRAWN}."
    return Scans("stroke", _head(drawn), _SIDES, True, None, _head(located), note, depends)


def _head(drawn: Mapping[str, np.ndarray]) -> Arrays:
    return {
        "image": drawn["image"],
        "label": drawn["side"],
        "size": drawn["infarct_size"],
        "lesion_mask": drawn["lesion_mask"],
        "atlas": drawn["territory_mask"],
        "territory": drawn["territory"],
    }


def _lung(config: Config, workspace: Workspace) -> Scans:
    drawn, depends = _drawn(config, workspace, "lung", config.num_scans)
    located, _ = _drawn(
        config, workspace, "lung", config.num_located, prevalence=1.0, finding_shares=(1.0, 0.0, 0.0, 0.0)
    )
    arrays = {"image": drawn["image"], "label": drawn["label"], "size": drawn["grade"]}
    names = ("clear", "ground glass")
    return Scans("lung", arrays, names, False, None, located, f"Synthetic CT of chests: {_DRAWN}.", depends)


def _drawn(
    config: Config, workspace: Workspace, kind: str, number: int, **own: Any
) -> tuple[dict[str, np.ndarray], object]:
    slices, rows, columns = config.shape
    if rows != columns:
        raise InputError(f"--shape: expected square slices of a synthetic world, got {rows} rows and {columns} columns")
    options = {
        "num_images": number, "kind": kind, "size": rows, "num_slices": slices, "severity": config.severity,
        "seed": config.seed + (1 if own else 0), **own,
    }  # fmt: skip

    more = ("side", "infarct_size", "territory", "territory_mask") if kind == "stroke" else ("grade",)
    return draw(kind, SyntheticCT, options, ("image", "label", "lesion_mask", *more), workspace), ["synthetic", options]


def _mosmed(config: Config, path: str, workspace: Workspace) -> Scans:
    from cfx_jax.data.radiology_sets import MosMed

    sets = {
        part: MosMed(path, workspace.root / "sets", part=part, shape=config.shape) for part in ("labelled", "masked")
    }
    labelled, masked = sets["labelled"], sets["masked"]
    arrays = load_arrays(labelled, np.arange(len(labelled)), fields=("image", "label", "grade"), progress=True)
    arrays["size"] = arrays.pop("grade")
    with_masks = load_arrays(masked, np.arange(len(masked)), fields=("image", "label", "lesion_mask"), progress=True)
    note = f"MosMed; {labelled.left_out} studies are in neither part."
    return Scans(
        "mosmed",
        arrays,
        tuple(labelled.class_names),
        False,
        None,
        with_masks,
        note,
        [each.identity for each in sets.values()],
    )


def _ist3(config: Config, path: str, workspace: Workspace) -> Scans:
    from cfx_jax.data.radiology_sets import IST3

    source = IST3(path, workspace.root / "sets", shape=config.shape)
    fields = ("image", "side", "infarct_size", "territory")
    found = load_arrays(source, np.arange(len(source)), fields=fields, progress=True)
    arrays = {
        "image": found["image"],
        "label": found["side"],
        "size": found["infarct_size"],
        "territory": np.where(source.has_atlas, found["territory"], 0),
        "atlas": np.stack([source.marks(each) for each in range(len(source))]),
    }
    return Scans("ist3", arrays, _SIDES, True, np.asarray(source.patients), None, "IST-3.", source.identity)


_WORLDS: Mapping[str, Callable[[Config, Workspace], Scans]] = {"stroke": _stroke, "lung": _lung}
_SETS: Mapping[str, Callable[[Config, str, Workspace], Scans]] = {"mosmed": _mosmed, "ist3": _ist3}
