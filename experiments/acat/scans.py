"""The scans with all that is known of them: drawn by a program, or the paper's sets."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int

from cfx_jax.data import SyntheticCT, load_arrays, split
from cfx_jax.data.sets import IST3, MosMed
from cfx_jax.errors import InputError
from experiments.acat.config import Config
from experiments.acat.facts import FactsOfScans, Heads, MaskedChests, SomeFacts, StoredFacts
from experiments.shared import DataKind, open_data
from experiments.shared.array_store import filled
from experiments.shared.image_options import remaining_share
from experiments.shared.image_set import StoredImages
from experiments.shared.stages import Arrays, Workspace
from experiments.shared.synthetic_images import draw

UNKNOWN = -1
"""The size of a finding of which no size is known."""
_SIDES = ("none", "left", "right", "both")
_DRAWN = "drawn by a program, of no patient"


class Scans(NamedTuple):
    """Scans, in memory or in a file that is read as it is needed.

    Attributes:
        name: of the kind, as in ``--data``, without a path.
        images: (n, s, h, w, 1) in [0, 1].
        labels: (n,), the class that networks name.
        sizes: (n,), of an infarct or the grade of a lung; 0 without a finding, ``UNKNOWN`` where
            only the finding is known.
        class_names: of the labels.
        sides: whether the label is the side of the lesion, and networks see half a slice at a time.
        groups: whom each scan shows, where several show one; or None.
        facts: of the same scans.
        located: the facts of further scans with a finding, on which maps are compared with the
            truth; or None, where they are compared on the test scans.
        places: where the finding is, or would be in a scan without one (n, s, h, w, 1), 1 there and
            0 elsewhere; None where it is not known.
        note: what a reader must know beside every figure.
        identity: what all of them depend on.
    """

    name: str
    images: Float[np.ndarray, "n s h w 1"]
    labels: Int[np.ndarray, " n"]
    sizes: Int[np.ndarray, " n"]
    class_names: tuple[str, ...]
    sides: bool
    groups: np.ndarray | None
    facts: FactsOfScans
    located: FactsOfScans | None
    places: Float[np.ndarray, "n s h w 1"] | None
    note: str
    identity: object

    @property
    def positive(self) -> Bool[np.ndarray, " n"]:
        """Whether each has a finding."""
        return self.labels > 0

    @property
    def shape(self) -> tuple[int, int, int]:
        """Slices, rows and columns of a scan."""
        slices, rows, columns = self.images.shape[1:4]
        return slices, rows, columns

    @property
    def source(self) -> StoredImages:
        """As trainers take them."""
        return StoredImages({"image": self.images, "label": self.labels}, self.class_names)

    def units(self, positions: Int[np.ndarray, " m"]) -> np.ndarray:
        """Whom some of the scans show: their groups, or the scans' own numbers."""
        return positions if self.groups is None else self.groups[positions]


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
    return open_data(kind, KINDS, _Request(config, workspace))


def split_scans(config: Config, scans: Scans, seed: int) -> Parts:
    """One run's parts; classes have the same shares in each.

    Raises:
        InputError: shares that leave nothing for the validation.
    """
    rest = remaining_share(train=config.train, test=config.test)
    shares = {"train": config.train, "validation": rest, "test": config.test}
    return Parts(**split(scans.labels, shares, seed=seed, groups=scans.groups))


class _Request(NamedTuple):
    """The settings of the scans, and the folder that keeps what is drawn or prepared."""

    config: Config
    workspace: Workspace


def _stroke(request: _Request, path: str) -> Scans:
    del path
    own = {
        "side": "label",
        "infarct_size": "size",
        "territory_mask": "atlas",
        "territory": "territory",
    }
    drawn, located, depends = _drawn(*request, "stroke", own, {})
    for arrays in (drawn, located):
        arrays["organ"] = arrays["atlas"] > 0
    return _world(
        "stroke", drawn, located, _SIDES, True, f"Synthetic CT of heads: {_DRAWN}.", depends
    )


def _lung(request: _Request, path: str) -> Scans:
    del path
    own = {"label": "label", "grade": "size", "lung_mask": "organ"}
    faint = {"finding_shares": (1.0, 0.0, 0.0, 0.0)}
    drawn, located, depends = _drawn(*request, "lung", own, faint)
    note = f"Synthetic CT of chests: {_DRAWN}."
    return _world("lung", drawn, located, ("clear", "ground glass"), False, note, depends)


def _world(
    name: str,
    drawn: Arrays,
    located: Arrays,
    classes: tuple[str, ...],
    sides: bool,
    note: str,
    depends: object,
) -> Scans:
    places = (drawn["lesion_mask"] | drawn["counterfactual_lesion_mask"])[..., None].astype(
        np.float32
    )
    return Scans(
        name,
        drawn["image"],
        drawn["label"],
        drawn["size"],
        classes,
        sides,
        None,
        StoredFacts(drawn),
        StoredFacts(located),
        places,
        note,
        depends,
    )


def _drawn(
    config: Config,
    workspace: Workspace,
    kind: str,
    own: Mapping[str, str],
    located: Mapping[str, Any],
) -> tuple[Arrays, Arrays, object]:
    """The scans and the located ones, whose world has the next seed, with own fields under the
    names that are used here.
    """
    slices, rows, columns = config.shape
    if rows != columns:
        raise InputError(
            f"--shape: expected square slices of a synthetic world, got {rows} rows and {columns}"
            f" columns"
        )
    common = {"kind": kind, "size": rows, "num_slices": slices, "severity": config.severity}
    options = {"num_images": config.num_scans, **common, "seed": config.seed}
    of_located = {
        "num_images": config.num_located,
        **common,
        "seed": config.seed + 1,
        "prevalence": 1.0,
        **located,
    }
    fields = ("image", "lesion_mask", "counterfactual", "counterfactual_lesion_mask", *own)
    drawn = [draw(kind, SyntheticCT, each, fields, workspace) for each in (options, of_located)]
    first, second = (
        {own.get(name, name): values for name, values in arrays.items() if name in fields}
        for arrays in drawn
    )
    return first, second, ["synthetic", options, of_located]


def _mosmed(request: _Request, path: str) -> Scans:
    config, workspace = request
    labelled, masked = (
        MosMed(path, workspace.root / "sets", part=part, shape=config.shape)
        for part in ("labelled", "masked")
    )
    images = _images(labelled, config.shape, workspace)
    note = f"MosMed; {labelled.left_out} studies are in neither part."
    return Scans(
        "mosmed",
        images,
        labelled.labels,
        labelled.grades,
        tuple(labelled.class_names),
        False,
        None,
        StoredFacts({"image": images}),
        MaskedChests(masked),
        None,
        note,
        [labelled.identity, masked.identity],
    )


def _ist3(request: _Request, path: str) -> Scans:
    config, workspace = request
    source = IST3(path, workspace.root / "sets", shape=config.ist3_shape)
    images = _images(source, config.ist3_shape, workspace)
    sizes = np.where(
        (source.sides > 0) & (source.infarct_sizes == 0), UNKNOWN, source.infarct_sizes
    )
    known = int(np.sum(source.has_atlas & (source.territories > 0)))
    note = f"IST-3; {known} of {len(source)} scans have an atlas and a territory of the lesion."
    return Scans(
        "ist3",
        images,
        source.sides,
        sizes,
        _SIDES,
        True,
        np.asarray(source.patients),
        Heads(source, images),
        None,
        None,
        note,
        source.identity,
    )


def _images(
    source: Any, shape: tuple[int, int, int], workspace: Workspace
) -> Float[np.ndarray, "n s h w 1"]:
    """All images of a set in a file that is read as they are needed."""

    def read(rows: Int[np.ndarray, " m"]) -> np.ndarray:
        images: np.ndarray = load_arrays(source, rows, fields=("image",))["image"]
        return images

    folder = workspace.folder(f"images-{source.name.replace(' ', '_')}", source.identity)
    return filled(folder, (len(source), *shape, 1), read, label="reading scans")


def located_in(scans: Scans, positions: Int[np.ndarray, " m"]) -> FactsOfScans:
    """The facts of the scans on which maps are compared with the truth: the located ones, or those
    at some positions.
    """
    return SomeFacts(scans.facts, positions.tolist()) if scans.located is None else scans.located


KINDS = (
    DataKind("stroke", _stroke, has_path=False),
    DataKind("lung", _lung, has_path=False),
    DataKind("mosmed", _mosmed),
    DataKind("ist3", _ist3),
)
"""The scans that ``--data`` may name."""
