"""How well maps find the finding: the hit score by territories (section 4.4), the overlap with
masks (Table 5), and whether the searches reach their target at all (Figure 5).

Scans are explained a few at a time, and only scores are kept of them, but for those that are shown.
"""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np
from flax import nnx
from jaxtyping import Float, Int

from cfx_jax.metrics import rank_correlation
from experiments.acat.config import Config, SearchConfig
from experiments.acat.facts import FactsOfScans, SomeFacts
from experiments.acat.maps import Detected, Explained, detected, detected_with, reached, walk
from experiments.acat.scans import Scans, located_in
from experiments.acat.scores import FIELDS, references, score
from experiments.acat.sources import CONSTANT, DETECTORS, OURS, REFERENCES, WITH_ACAT
from experiments.shared.array_store import row_bytes, row_slices
from experiments.shared.stages import Arrays, Workspace

_SHOWN = (
    "image",
    "mask",
    "reconstruction",
    "counterfactual",
    "change",
    "maps",
    "walks",
    "walk_traces",
    "initial",
    "trace",
)


class Shown(NamedTuple):
    """The first of the explained scans, for figures: one slice of each, that with most of the
    lesion, or the middle one.

    Attributes:
        slices: its number (k,).
        image, mask, reconstruction, counterfactual, change: there (k, h, w); the mask is empty
            where none is known, the change is the map of latent counterfactuals.
        maps: by each of ``DETECTORS``, the mean over slices (k, m, h, w).
        walks: by each of ``--unbounded-steps``, where the probability of the finding is lowest (k,
            j, h, w).
        walk_traces: that probability (k, j, steps + 1).
        initial: that of the scan itself (k,).
        trace: that along the search of latent counterfactuals (k, steps + 1).
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
        units: whom each explained scan shows (n,): the located ones, or the positive ones of the
            test.
        scores: by method or reference, each of ``scores.FIELDS`` (n,).
        likeness: by method, each map's rank correlation with that of latent counterfactuals (n,),
            NaN for flat ones.
        trace_units: whom each searched scan shows (m,): the positive ones of the test.
        trace: of these, the probability of the finding after each step of the search, at the
            reconstruction first (m, steps + 1).
        shifted: that of the best latent shift (m,).
        factors, sweep: as ``Reached`` has them (m, q).
        shown: the first of the explained scans.
    """

    units: np.ndarray
    scores: Mapping[str, Mapping[str, Float[np.ndarray, " n"]]]
    likeness: Mapping[str, Float[np.ndarray, " n"]]
    trace_units: np.ndarray
    trace: Float[np.ndarray, "m steps"]
    shifted: Float[np.ndarray, " m"]
    factors: Float[np.ndarray, "m q"]
    sweep: Float[np.ndarray, "m q"]
    shown: Shown

    def known(self, field: str) -> bool:
        """Whether the truth that a field is measured by is known of any scan."""
        return bool(np.isfinite(self.scores[OURS][field]).any())


def detect(
    config: Config,
    scans: Scans,
    explained: Explained,
    acat: nnx.Module | None,
    test: Int[np.ndarray, " m"],
    workspace: Workspace,
    *,
    depends: object,
    depends_acat: object,
) -> Detection:
    """Explains the located scans, or the positive ones of the test, by every method, and searches
    the latter.

    Args:
        config: of the run.
        scans: all of them.
        explained: the run's baseline.
        acat: volumes and maps -> two logits, to be explained too; None for not.
        test: positions of the test scans, at least one of which has a finding.
        workspace: keeps the scores.
        depends: what the baseline and the autoencoder depend on.
        depends_acat: what ACAT depends on.
    """
    examples = test[scans.positive[test]][: config.num_detected]
    facts = located_in(scans, examples)
    which = [
        depends,
        config.search,
        config.batch_size,
        examples.tolist() if scans.located is None else len(facts),
    ]
    settings = config.search

    def explain() -> Arrays:
        return explain_all(
            explained,
            facts,
            settings,
            batch_size=config.batch_size,
            num_shown=config.num_shown,
            steps=config.unbounded_steps,
        )

    def explain_with_acat() -> Arrays:
        assert acat is not None
        parts = []
        for group in _groups(facts):
            maps = detected_with(
                acat, explained, _images(group), settings, batch_size=config.batch_size
            )
            parts.append(
                _stacked(
                    [score(saliency, each) for saliency, each in zip(maps, group, strict=True)]
                )
            )
        return {name: np.concatenate([part[name] for part in parts]) for name in FIELDS}

    def search() -> Arrays:
        found = [
            reached(explained, _images(group), settings, batch_size=config.batch_size)._asdict()
            for group in _groups(SomeFacts(scans.facts, examples.tolist()))
        ]
        return {name: np.concatenate([each[name] for each in found]) for name in found[0]}

    shown = [config.num_shown, config.unbounded_steps]
    found = workspace.cached(f"detected {scans.name}", [which, shown], explain)
    scores = _by_name(found, FIELDS)
    if acat is not None:
        scores[WITH_ACAT] = workspace.cached(
            f"detected with ACAT {scans.name}", [which, depends_acat], explain_with_acat
        )
    searched = (
        found
        if scans.located is None
        else workspace.cached(f"searched {scans.name}", [which, examples.tolist()], search)
    )
    return Detection(
        scans.units(examples) if scans.located is None else np.arange(len(facts)),
        scores,
        {name: found[f"{name}/likeness"] for name in DETECTORS},
        scans.units(examples),
        searched["trace"],
        searched["shifted"],
        searched["factors"],
        searched["sweep"],
        Shown(found["shown/slices"], *(found[f"shown/{name}"] for name in _SHOWN)),
    )


def explain_all(
    explained: Explained,
    facts: FactsOfScans,
    settings: SearchConfig,
    *,
    batch_size: int,
    num_shown: int,
    steps: tuple[float, ...],
) -> Arrays:
    """Scores of every method and reference on every scan, the searches, and what is shown of the
    first scans.

    Args:
        explained: the classifier and the autoencoder.
        facts: of scans with a finding.
        settings: of the searches.
        batch_size: scans at once.
        num_shown: how many of the first are kept for figures, of those explained at once.
        steps: of the walks without a bound.

    Returns:
        ``METHOD/FIELD`` for each of ``DETECTORS`` and ``REFERENCES`` and each of ``scores.FIELDS``,
        and of the former ``METHOD/likeness`` (n,); the fields of ``Reached``; and ``shown/FIELD``
        for those of ``Shown``.
    """
    rng, parts = np.random.default_rng(0), []
    shown: Arrays = {}
    for group in _groups(facts):
        found = detected(explained, _images(group), settings, batch_size=batch_size)
        if not shown:
            shown = _shown(
                explained, group[:num_shown], found, settings, batch_size=batch_size, steps=steps
            )
        rows = [_of_scan(found, place, each, rng) for place, each in enumerate(group)]
        parts.append(_stacked(rows) | found.reached._asdict())
    whole = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    territories = np.array([int(facts[place].get("territory", 0)) for place in range(len(facts))])
    return (
        whole | _constant(territories) | {f"shown/{name}": value for name, value in shown.items()}
    )


def _of_scan(
    found: Detected, place: int, facts: Mapping[str, Any], rng: np.random.Generator
) -> dict[str, float]:
    maps = {name: values[place] for name, values in found.maps.items()}
    scores = {name: score(saliency, facts) for name, saliency in maps.items()}
    nothing = dict.fromkeys(FIELDS, np.nan)
    scores |= {name: nothing for name in REFERENCES} | references(facts, rng)
    likeness = {
        f"{name}/likeness": float(rank_correlation(maps[OURS].ravel(), saliency.ravel()))
        for name, saliency in maps.items()
    }
    return {
        f"{name}/{field}": each[field] for name, each in scores.items() for field in FIELDS
    } | likeness


def _constant(territories: Int[np.ndarray, " n"]) -> Arrays:
    """What always pointing at the territory that is the most frequent among the scans would hit."""
    known = territories > 0
    hits = np.full(len(territories), np.nan)
    if known.any():
        hits[known] = territories[known] == np.bincount(territories[known]).argmax()
    nothing = np.full(len(territories), np.nan)
    return {f"{CONSTANT}/{field}": hits if field == "hits" else nothing for field in FIELDS}


def _shown(
    explained: Explained,
    facts: list[Mapping[str, Any]],
    found: Detected,
    settings: SearchConfig,
    *,
    batch_size: int,
    steps: tuple[float, ...],
) -> Arrays:
    count, images = len(facts), _images(facts)
    masks = [
        np.asarray(each.get("lesion_mask", np.zeros(each["image"].shape[:3])), np.float32)
        for each in facts
    ]
    slices = np.array([fullest(mask) for mask in masks])

    def of_slice(volumes: Float[np.ndarray, "n s h w"]) -> Float[np.ndarray, "k h w"]:
        return np.stack(
            [volume[number] for volume, number in zip(volumes[:count], slices, strict=True)]
        )

    walks = [
        walk(explained, images, step, num_steps=settings.num_steps, batch_size=batch_size)
        for step in steps
    ]
    shape, length = images.shape[2:4], settings.num_steps + 1
    return {
        "slices": slices,
        "image": of_slice(images[..., 0]),
        "mask": of_slice(np.stack(masks)),
        "reconstruction": of_slice(found.reconstruction[..., 0]),
        "counterfactual": of_slice(found.counterfactual[..., 0]),
        "change": of_slice(found.maps[OURS]),
        "maps": np.stack([found.maps[name][:count].mean(axis=1) for name in DETECTORS], axis=1),
        "walks": np.array([of_slice(each.image[..., 0]) for each in walks])
        .reshape(-1, count, *shape)
        .swapaxes(0, 1),
        "walk_traces": np.array([each.trace for each in walks])
        .reshape(-1, count, length)
        .swapaxes(0, 1),
        "initial": found.initial[:count],
        "trace": found.reached.trace[:count],
    }


def fullest(mask: Float[np.ndarray, "s h w"]) -> int:
    """The slice with most of a mask, or the middle one of an empty one."""
    areas = mask.sum(axis=(1, 2))
    return int(areas.argmax()) if areas.any() else len(mask) // 2


def _groups(facts: FactsOfScans) -> Iterator[list[Mapping[str, Any]]]:
    """Facts, read as many at a time as may be in memory together."""
    shape = (len(facts), *facts[0]["image"].shape)
    for part in row_slices(len(facts), row_bytes(shape)):
        yield [facts[row] for row in range(part.start, part.stop)]


def _images(facts: list[Mapping[str, Any]]) -> Float[np.ndarray, "n s h w 1"]:
    return np.stack([each["image"] for each in facts])


def _stacked(rows: list[dict[str, float]]) -> Arrays:
    return {name: np.array([row[name] for row in rows]) for name in rows[0]}


def _by_name(found: Arrays, fields: tuple[str, ...]) -> dict[str, Mapping[str, np.ndarray]]:
    return {
        name: {field: found[f"{name}/{field}"] for field in fields}
        for name in (*DETECTORS, *REFERENCES)
    }
