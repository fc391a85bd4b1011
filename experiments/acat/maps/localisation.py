"""How well maps find the finding, and whether searches reach their target at all.

Maps are judged by the hit score of territories (section 4.4) and by their overlap with masks (Table
5), searches by the probability that they reach (Figure 5). Scans are explained a few at a time, and
only scores are kept of them, but for those that are shown.
"""

from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any, NamedTuple

import numpy as np
from flax import nnx
from jaxtyping import Bool, Float, Int

from cfx_jax.metrics import hit_score, rank_correlation, volume_overlap
from experiments.acat.config import Config
from experiments.acat.facts import ChosenFacts, FactsOfScans
from experiments.acat.maps.latent_searches import Explained, Traces, remove_finding, walk
from experiments.acat.maps.names import (
    BRIGHTEST,
    CHANGE,
    CONSTANT,
    DARKEST,
    EDGES,
    METHODS,
    OURS,
    RANDOM,
    REFERENCES,
    WITH_ACAT,
)
from experiments.acat.maps.saliency_maps import Explanations, explain, explain_network
from experiments.acat.setup import Setup
from experiments.shared import Arrays, controls, row_bytes, row_slices

_ARTERIES = 3  # territories of a side

OVERLAPS = ("macro_iou", "macro_dice", "dice", "kappa")
"""The scores of overlap, which are fields of ``VolumeOverlap``."""

FIELDS = ("hits", "inside", "flat", *OVERLAPS)
"""The scores of a map, NaN where the truth is not known.

``hits`` says whether the highest voxel lies in the lesion's territory, ``inside`` whether it lies
in the lesion itself, ``flat`` whether there is no highest voxel.
"""


class Shown(NamedTuple):
    """The first of the explained scans, for figures, in one slice.

    That is the slice with most of the lesion, or the middle one where no lesion is known.

    Attributes:
        slices: its number (k,).
        image, mask, reconstruction, counterfactual, change: there (k, h, w); the mask is empty
            where none is known, the change is the map of latent counterfactuals.
        maps: the map of each of ``METHODS``, the mean over slices (k, m, h, w).
        walks: the slice after the walk of ``--unbounded-steps``, where the probability of the
            finding is lowest (k, j, h, w).
        walk_traces: the probability of the finding along these walks (k, j, steps + 1).
        initial: the probability of the finding in the scan itself (k,).
        trace: the probability along the search of latent counterfactuals (k, steps + 1).
    """

    slices: Int[np.ndarray, " k"]
    image: Float[np.ndarray, "k h w"]
    mask: Float[np.ndarray, "k h w"]
    reconstruction: Float[np.ndarray, "k h w"]
    counterfactual: Float[np.ndarray, "k h w"]
    change: Float[np.ndarray, "k h w"]
    maps: Float[np.ndarray, "k m h w"]
    walks: Float[np.ndarray, "k j h w"]
    walk_traces: Float[np.ndarray, "k j steps"]
    initial: Float[np.ndarray, " k"]
    trace: Float[np.ndarray, "k steps"]


class Detection(NamedTuple):
    """The maps of one run against the truth.

    Attributes:
        units: the patients of the explained scans (n,), which are the located ones, or the positive
            ones of the test.
        scores: for each method or reference, the ``FIELDS`` of its maps (n,).
        likeness: for each method, the rank correlation of its maps with the maps of latent
            counterfactuals (n,); NaN for flat maps.
        search_units: the patients of the searched scans (m,), the positive ones of the test.
        traces: the traces of these searches.
        shown: the first of the explained scans.
    """

    units: np.ndarray
    scores: Mapping[str, Mapping[str, Float[np.ndarray, " n"]]]
    likeness: Mapping[str, Float[np.ndarray, " n"]]
    search_units: np.ndarray
    traces: Traces
    shown: Shown

    def is_known(self, field: str) -> bool:
        """Whether the truth that a field is measured by is known of any scan."""
        return bool(np.isfinite(self.scores[OURS][field]).any())


def detect(
    setup: Setup,
    explained: Explained,
    acat: nnx.Module | None,
    test: Int[np.ndarray, " m"],
    *,
    depends: object,
    depends_acat: object,
) -> Detection:
    """Explains the located scans, or the positive test scans, and searches the latter.

    Args:
        setup: the settings, all scans, and the workspace.
        explained: the run's baseline.
        acat: volumes and maps -> two logits, to be explained too; None for not.
        test: positions of the test scans, at least one of which has a finding.
        depends: all that the baseline and the autoencoder depend on.
        depends_acat: all that ACAT depends on.
    """
    config, scans, workspace = setup
    examples = test[scans.positive[test]][: config.num_detected]
    facts, is_located = scans.explained_facts(examples), scans.located is not None
    which = [depends, config.search, config.batch_size]
    which += [len(facts) if is_located else examples.tolist()]
    arrays = workspace.cached(
        f"detected {scans.name}",
        [which, [config.num_shown, config.unbounded_steps]],
        lambda: explain_all(explained, facts, config),
    )
    scores: dict[str, Mapping[str, np.ndarray]] = {
        name: {field: arrays[f"{name}/{field}"] for field in FIELDS}
        for name in (*METHODS, *REFERENCES)
    }
    if acat is not None:
        scores[WITH_ACAT] = workspace.cached(
            f"detected with ACAT {scans.name}",
            [which, depends_acat],
            lambda: _explain_acat(acat, explained, facts, config),
        )
    searches = arrays
    if is_located:
        tested = ChosenFacts(scans.facts, examples.tolist())
        searches = workspace.cached(
            f"searched {scans.name}",
            [which, examples.tolist()],
            lambda: _search_all(explained, tested, config),
        )
    return Detection(
        np.arange(len(facts)) if is_located else scans.units(examples),
        scores,
        {name: arrays[f"{name}/likeness"] for name in METHODS},
        scans.units(examples),
        Traces(*(searches[field] for field in Traces._fields)),
        Shown(*(arrays[f"shown/{field}"] for field in Shown._fields)),
    )


def explain_all(explained: Explained, facts: FactsOfScans, config: Config) -> Arrays:
    """Explains scans with a finding by every method, and scores the maps.

    Args:
        explained: the classifier and the autoencoder.
        facts: the facts of the scans.
        config: the configuration of the run.

    Returns:
        ``NAME/FIELD`` for all ``METHODS`` and ``REFERENCES`` and all ``FIELDS``, and for methods
        ``NAME/likeness`` (n,); the fields of ``Traces``; and ``shown/FIELD`` for the fields of
        ``Shown``.
    """
    rng, parts = np.random.default_rng(0), []
    shown: Arrays = {}
    for group in _groups(facts):
        images = _images(group)
        result = explain(explained, images, config.search, batch_size=config.batch_size)
        if not shown:
            shown = _show(explained, group[: config.num_shown], result, config)
        rows = [_score_scan(result, place, scan, rng) for place, scan in enumerate(group)]
        parts.append(_stack(rows) | result.traces._asdict())
    territories = np.array([int(facts[place].get("territory", 0)) for place in range(len(facts))])
    shown = {f"shown/{name}": values for name, values in shown.items()}
    return _join(parts) | _score_constant(territories) | shown


def _explain_acat(
    acat: nnx.Module, explained: Explained, facts: FactsOfScans, config: Config
) -> Arrays:
    """The scores of the maps of ACAT as classifier."""
    parts = []
    for group in _groups(facts):
        images = _images(group)
        maps = explain_network(acat, explained, images, config.search, batch_size=config.batch_size)
        parts.append(_stack([score(*pair) for pair in zip(maps, group, strict=True)]))
    return _join(parts)


def _search_all(explained: Explained, facts: FactsOfScans, config: Config) -> Arrays:
    """The fields of ``Traces`` of scans."""
    parts = []
    for group in _groups(facts):
        images = _images(group)
        searches = remove_finding(explained, images, config.search, batch_size=config.batch_size)
        parts.append(Traces.of(*searches)._asdict())
    return _join(parts)


def _score_scan(
    result: Explanations, place: int, facts: Mapping[str, Any], rng: np.random.Generator
) -> dict[str, float]:
    """The scores of all maps of one scan, and of the references."""
    maps = {name: values[place] for name, values in result.maps.items()}
    scores = {name: score(saliency, facts) for name, saliency in maps.items()}
    unknown = dict.fromkeys(FIELDS, np.nan)
    scores |= {name: unknown for name in REFERENCES} | score_references(facts, rng)
    likeness = {
        f"{name}/likeness": float(rank_correlation(maps[OURS].ravel(), saliency.ravel()))
        for name, saliency in maps.items()
    }
    return {
        f"{name}/{field}": values[field] for name, values in scores.items() for field in FIELDS
    } | likeness


def _score_constant(territories: Int[np.ndarray, " n"]) -> Arrays:
    """The hits of always pointing at the territory that is the most frequent among the scans."""
    is_known = territories > 0
    scores = {f"{CONSTANT}/{field}": np.full(len(territories), np.nan) for field in FIELDS}
    if is_known.any():
        commonest = np.bincount(territories[is_known]).argmax()
        scores[f"{CONSTANT}/hits"][is_known] = territories[is_known] == commonest
    return scores


def _show(
    explained: Explained, facts: list[Mapping[str, Any]], result: Explanations, config: Config
) -> Arrays:
    """The fields of ``Shown``."""
    images = _images(facts)
    masks = np.stack([lesion_mask(scan) for scan in facts])
    slices = np.array([fullest_slice(mask) for mask in masks])

    def at_slices(volumes: Float[np.ndarray, "n s h w"]) -> Float[np.ndarray, "k h w"]:
        return volumes[np.arange(len(facts)), slices]

    take_steps = partial(
        walk, explained, images, num_steps=config.search.num_steps, batch_size=config.batch_size
    )
    walks = [take_steps(step_size) for step_size in config.unbounded_steps]
    pictures = [at_slices(steps.image[..., 0]) for steps in walks]
    shape, length = (-1, len(facts), *images.shape[2:4]), config.search.num_steps + 1
    return {
        "slices": slices,
        "image": at_slices(images[..., 0]),
        "mask": at_slices(masks),
        "reconstruction": at_slices(result.reconstruction[..., 0]),
        "counterfactual": at_slices(result.counterfactual[..., 0]),
        "change": at_slices(result.maps[OURS]),
        "maps": np.stack(
            [result.maps[name][: len(facts)].mean(axis=1) for name in METHODS], axis=1
        ),
        "walks": np.array(pictures).reshape(shape).swapaxes(0, 1),
        "walk_traces": np.array([steps.trace for steps in walks])
        .reshape(-1, len(facts), length)
        .swapaxes(0, 1),
        "initial": result.initial[: len(facts)],
        "trace": result.traces.trace[: len(facts)],
    }


def lesion_mask(facts: Mapping[str, Any]) -> Float[np.ndarray, "s h w"]:
    """The lesion's voxels as 1, the others as 0; empty where the lesion is not known."""
    nothing = np.zeros(facts["image"].shape[:3])
    return np.asarray(facts.get("lesion_mask", nothing), np.float32)


def fullest_slice(mask: Float[np.ndarray, "s h w"]) -> int:
    """The slice with most of a mask, or the middle one of an empty one."""
    areas = mask.sum(axis=(1, 2))
    return int(areas.argmax()) if areas.any() else len(mask) // 2


def _groups(facts: FactsOfScans) -> Iterator[list[Mapping[str, Any]]]:
    """Yields the facts, as many at a time as may be in memory together."""
    shape = (len(facts), *facts[0]["image"].shape)
    for part in row_slices(len(facts), row_bytes(shape)):
        yield [facts[row] for row in range(part.start, part.stop)]


def _images(facts: list[Mapping[str, Any]]) -> Float[np.ndarray, "n s h w 1"]:
    return np.stack([scan["image"] for scan in facts])


def _stack(rows: list[dict[str, float]]) -> Arrays:
    return {name: np.array([row[name] for row in rows]) for name in rows[0]}


def _join(parts: list[Arrays]) -> Arrays:
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


# ---- Scores of single maps


def score(saliency: Float[np.ndarray, "s h w"], facts: Mapping[str, Any]) -> dict[str, float]:
    """The ``FIELDS`` of a map.

    Overlaps are taken on the grid of the published scan, where its mask is known.
    """
    scores = dict.fromkeys(FIELDS, np.nan)
    scores["flat"] = float(saliency.min() == saliency.max())
    if facts.get("territory", 0) > 0:
        scores["hits"] = _hits(saliency, facts["atlas"], facts["territory"])
    mask, native = facts.get("lesion_mask"), facts.get("native")
    if mask is not None and np.any(mask):
        scores["inside"] = _hits(saliency, np.asarray(mask, int), 1)
    if native is not None:
        return scores | _overlap(native.on_grid(saliency), native.mask)
    return scores if mask is None else scores | _overlap(saliency, mask)


_CONTROLS = {
    DARKEST: controls.darkest_pixels,
    BRIGHTEST: controls.brightest_pixels,
    EDGES: controls.edges,
}
"""The controls that a scan and its organ are enough for."""


def score_references(
    facts: Mapping[str, Any], rng: np.random.Generator
) -> dict[str, dict[str, float]]:
    """The scores of the ``REFERENCES`` that the facts allow, by name, but for ``CONSTANT``.

    A random voxel lies in the organ; in a head with a known territory, on the lesion's side of the
    brain. Its hit score is the share of these voxels that would be hits. Its overlap is the
    expected overlap of as many voxels, drawn without replacement.
    """
    image, organ = facts["image"][..., 0], facts.get("organ")
    scores = {}
    if organ is not None and np.any(organ):
        scores[RANDOM] = _score_random(facts, rng)
        of_image = facts["image"], np.asarray(organ, bool), rng
        for name, control in _CONTROLS.items():
            scores[name] = score(control(*of_image), facts)
    if "counterfactual" in facts:
        scores[CHANGE] = score(np.abs(image - facts["counterfactual"][..., 0]), facts)
    return scores


def _score_random(facts: Mapping[str, Any], rng: np.random.Generator) -> dict[str, float]:
    organ: Bool[np.ndarray, "s h w"] = np.asarray(facts["organ"], bool)
    scores = score(np.where(organ, rng.uniform(0.5, 1, organ.shape), 0), facts)
    territory, mask = facts.get("territory", 0), facts.get("lesion_mask")
    near = organ
    if territory > 0:
        near = organ & same_side(facts["atlas"], territory)
        scores["hits"] = float((facts["atlas"][near] == territory).mean())
    if mask is not None and np.any(mask):
        scores["inside"] = float(np.asarray(mask, bool)[near].mean())
    return scores


def same_side(atlas: Int[np.ndarray, "s h w"], territory: int) -> Bool[np.ndarray, "s h w"]:
    """The voxels of the territories on the same side of the brain as one territory."""
    return (atlas > 0) & ((atlas.astype(int) - 1) // _ARTERIES == (territory - 1) // _ARTERIES)


def _hits(
    saliency: Float[np.ndarray, "s h w"], atlas: Int[np.ndarray, "s h w"], number: int
) -> float:
    return hit_score(saliency[None], atlas[None], np.array([number])).score


def _overlap(
    saliency: Float[np.ndarray, "s h w"], mask: Bool[np.ndarray, "s h w"]
) -> dict[str, float]:
    overlap = volume_overlap(np.asarray(saliency), np.asarray(mask, bool))
    return {name: float(getattr(overlap, name)) for name in OVERLAPS}
