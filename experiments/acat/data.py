"""The scans with all that is known of them: synthetic ones, or the paper's sets."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int

from cfx_jax.data import SyntheticCT, load_arrays, split
from cfx_jax.data.sets import IST3, MosMed
from experiments.acat.config import Config
from experiments.acat.facts import ChosenFacts, FactsOfScans, IST3Facts, MosMedFacts, StoredFacts
from experiments.shared import (
    Arrays,
    DataKind,
    InputError,
    StoredImages,
    Workspace,
    fill_rows,
    open_data,
    remaining_share,
    stored_fields,
)

UNKNOWN = -1
"""The size of a finding whose size is not known."""
_SIDES = ("none", "left", "right", "both")


class Scans(NamedTuple):
    """Scans of one kind, in memory or in a file that is read as it is needed.

    Attributes:
        name: the name of the kind, as in ``--data``, without a path.
        images: (n, s, h, w, 1) in [0, 1].
        labels: (n,), the class that networks name.
        sizes: (n,), of an infarct or the grade of a lung; 0 without a finding, ``UNKNOWN`` where
            only the finding is known.
        class_names: the name of each label.
        sides: whether the label is the side of the lesion, and networks see half a slice at a time.
        facts: the facts of the same scans.
        note: the sentence that stands beside every figure.
        identity: all that the scans depend on.
        groups: the patient of each scan, where several scans are of one patient; or None.
        located: the facts of further scans with a finding, on which maps are compared with the
            truth; or None, where they are compared on the test scans.
        places: where the finding is, or would be in a scan without one (n, s, h, w, 1), 1 there and
            0 elsewhere; None where it is not known.
        num_tested: how many of the last scans every run is tested on; the scans before them are
            shared out equally to the runs. 0 where a run splits all scans.
    """

    name: str
    images: Float[np.ndarray, "n s h w 1"]
    labels: Int[np.ndarray, " n"]
    sizes: Int[np.ndarray, " n"]
    class_names: tuple[str, ...]
    sides: bool
    facts: FactsOfScans
    note: str
    identity: object
    groups: np.ndarray | None = None
    located: FactsOfScans | None = None
    places: Float[np.ndarray, "n s h w 1"] | None = None
    num_tested: int = 0

    @property
    def positive(self) -> Bool[np.ndarray, " n"]:
        """Whether a scan has a finding."""
        return self.labels > 0

    @property
    def shape(self) -> tuple[int, int, int]:
        """Slices, rows and columns of a scan."""
        slices, rows, columns = self.images.shape[1:4]
        return slices, rows, columns

    @property
    def source(self) -> StoredImages:
        """The scans as trainers take them."""
        return StoredImages({"image": self.images, "label": self.labels}, self.class_names)

    def units(self, positions: Int[np.ndarray, " m"]) -> np.ndarray:
        """The patients of scans, or the scans' positions where no patients are known."""
        return positions if self.groups is None else self.groups[positions]

    def explained_facts(self, positions: Int[np.ndarray, " m"]) -> FactsOfScans:
        """The facts of the scans whose maps are compared with the truth.

        Args:
            positions: the positions of these scans in their source, where no scan has a located
                finding.
        """
        return ChosenFacts(self.facts, positions.tolist()) if self.located is None else self.located


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
    """The parts of one run, in which classes have the same shares.

    Raises:
        InputError: shares that leave nothing for the validation.
    """
    rest = remaining_share(train=config.train, test=config.test)
    shares = {"train": config.train, "validation": rest}
    if not scans.num_tested:
        shares["test"] = config.test
        return Parts(**split(scans.labels, shares, seed=seed, groups=scans.groups))
    of_runs, tested = np.split(np.arange(len(scans.labels)), [-scans.num_tested])
    of_run = np.array_split(of_runs, len(config.seeds))[config.seeds.index(seed)]
    shares = {name: share / (1 - config.test) for name, share in shares.items()}
    parts = split(scans.labels[of_run], shares, seed=seed)
    return Parts(of_run[parts["train"]], of_run[parts["validation"]], tested)


class _Request(NamedTuple):
    """The settings of the scans, and the folder of drawn or prepared scans."""

    config: Config
    workspace: Workspace


def _stroke(request: _Request, path: str) -> Scans:
    del path
    names = {"side": "label", "infarct_size": "size", "territory_mask": "atlas"}
    names["territory"] = "territory"
    drawn, located, identity = _draw_world(*request, "stroke", names, {})
    for arrays in (drawn, located):
        arrays["organ"] = arrays["atlas"] > 0
    return _as_scans(
        drawn,
        located,
        name="stroke",
        class_names=_SIDES,
        sides=True,
        note="Synthetic CT of heads: drawn by a program, of no patient.",
        identity=identity,
        num_tested=request.config.num_tested,
    )


def _lung(request: _Request, path: str) -> Scans:
    del path
    names = {"label": "label", "grade": "size", "lung_mask": "organ"}
    faint = {"finding_shares": (1.0, 0.0, 0.0, 0.0)}
    drawn, located, identity = _draw_world(*request, "lung", names, faint)
    return _as_scans(
        drawn,
        located,
        name="lung",
        class_names=("clear", "ground glass"),
        sides=False,
        note="Synthetic CT of chests: drawn by a program, of no patient.",
        identity=identity,
        num_tested=request.config.num_tested,
    )


def _as_scans(drawn: Arrays, located: Arrays, **options: Any) -> Scans:
    """The scans of a synthetic world; the options are further fields of ``Scans``."""
    places = drawn["lesion_mask"] | drawn["counterfactual_lesion_mask"]
    return Scans(
        images=drawn["image"],
        labels=drawn["label"],
        sizes=drawn["size"],
        facts=StoredFacts(drawn),
        located=StoredFacts(located),
        places=places[..., None].astype(np.float32),
        **options,
    )


def _draw_world(
    config: Config,
    workspace: Workspace,
    kind: str,
    names: Mapping[str, str],
    located: Mapping[str, Any],
) -> tuple[Arrays, Arrays, object]:
    """The scans of a world, the located ones of the world of the next seed, and their identity.

    Scans for the test alone follow the others; they are of the world of the seed after that.

    Args:
        config: the configuration of the run.
        workspace: keeps the scans.
        kind: the kind of the world.
        names: for each field of the world, its name here.
        located: options of the world of located scans.
    """
    slices, rows, columns = config.shape
    if rows != columns:
        raise InputError(
            f"--shape: expected square slices of a synthetic world, got {rows} rows and {columns}"
            " columns"
        )
    common = {"kind": kind, "size": rows, "num_slices": slices, "severity": config.severity}
    number = config.num_scans * (len(config.seeds) if config.num_tested else 1)
    scans = {"num_images": number, **common, "seed": config.seed}
    tested = {"num_images": config.num_tested, **common, "seed": config.seed + 2}
    further = {"num_images": config.num_located, **common, "seed": config.seed + 1}
    further |= {"prevalence": 1.0, **located}
    fields = ("image", "lesion_mask", "counterfactual", "counterfactual_lesion_mask", *names)

    def draw(options: Mapping[str, Any]) -> Arrays:
        arrays = stored_fields(kind, SyntheticCT, options, fields, workspace)
        return {names.get(name, name): arrays[name] for name in arrays if name in fields}

    drawn, identity = draw(scans), ["synthetic", scans, further]
    if config.num_tested:
        more = draw(tested)
        drawn = {name: np.concatenate([drawn[name], more[name]]) for name in drawn}
        identity.append(tested)
    return drawn, draw(further), identity


def _mosmed(request: _Request, path: str) -> Scans:
    config, workspace = request
    labelled, masked = (
        MosMed(path, workspace.root / "sets", part=part, shape=config.shape)
        for part in ("labelled", "masked")
    )
    images = _store_images(labelled, config.shape, workspace)
    return Scans(
        name="mosmed",
        images=images,
        labels=labelled.labels,
        sizes=labelled.grades,
        class_names=tuple(labelled.class_names),
        sides=False,
        facts=StoredFacts({"image": images}),
        located=MosMedFacts(masked),
        note=f"MosMed; {labelled.left_out} studies are in neither part.",
        identity=[labelled.identity, masked.identity],
    )


def _ist3(request: _Request, path: str) -> Scans:
    config, workspace = request
    source = IST3(path, workspace.root / "sets", shape=config.ist3_shape)
    images = _store_images(source, config.ist3_shape, workspace)
    is_unknown = (source.sides > 0) & (source.infarct_sizes == 0)
    known = int(np.sum(source.has_atlas & (source.territories > 0)))
    return Scans(
        name="ist3",
        images=images,
        labels=source.sides,
        sizes=np.where(is_unknown, UNKNOWN, source.infarct_sizes),
        class_names=_SIDES,
        sides=True,
        groups=np.asarray(source.patients),
        facts=IST3Facts(source, images),
        note=f"IST-3; {known} of {len(source)} scans have an atlas and a territory of the lesion.",
        identity=source.identity,
    )


def _store_images(
    source: Any, shape: tuple[int, int, int], workspace: Workspace
) -> Float[np.ndarray, "n s h w 1"]:
    """All images of a set, in a file that is read as they are needed."""

    def read(rows: Int[np.ndarray, " m"]) -> np.ndarray:
        images: np.ndarray = load_arrays(source, rows, fields=("image",))["image"]
        return images

    folder = workspace.folder(f"images-{source.name.replace(' ', '_')}", source.identity)
    return fill_rows(folder, (len(source), *shape, 1), read, label="reading scans")


KINDS = (
    DataKind("stroke", _stroke, has_path=False),
    DataKind("lung", _lung, has_path=False),
    DataKind("mosmed", _mosmed),
    DataKind("ist3", _ist3),
)
"""The scans that ``--data`` may name."""
