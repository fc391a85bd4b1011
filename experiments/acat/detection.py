"""How well maps find the finding: the hit score by territories (section 4.4), the overlap with masks (Table 5), and whether
the searches reach their target at all (Figure 5).
"""

from collections.abc import Callable, Mapping
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int

from cfx_jax.metrics import HitScore, VolumeOverlap, hit_score, rank_correlation, volume_overlap
from experiments.acat.config import Config
from experiments.acat.maps import Explained, detected, reached
from experiments.acat.scans import Scans
from experiments.acat.sources import DETECTORS, OURS
from experiments.stages import Arrays, Workspace


class Detection(NamedTuple):
    """The maps of one run.

    Attributes:
        scans: those that are explained, fields as ``Scans`` has them: the located ones, or the positive ones of the test.
        maps: of these, by method (n, s, h, w).
        hits: by method, where territories are known; else empty.
        overlaps: by method, where masks are known; else empty.
        likeness: by method, each map's rank correlation with that of latent counterfactuals (n,), NaN for flat ones.
        trace: of the positive test scans, the probability of the finding after each step of the search, at the
            reconstruction first (m, steps + 1).
        shifted: that of the best latent shift (m,).
    """

    scans: Mapping[str, np.ndarray]
    maps: Mapping[str, Float[np.ndarray, "n s h w"]]
    hits: Mapping[str, HitScore]
    overlaps: Mapping[str, VolumeOverlap]
    likeness: Mapping[str, Float[np.ndarray, " n"]]
    trace: Float[np.ndarray, "m steps"]
    shifted: Float[np.ndarray, " m"]


def detect(
    config: Config,
    scans: Scans,
    explained: Explained,
    test: Int[np.ndarray, " m"],
    workspace: Workspace,
    *,
    depends: object,
) -> Detection:
    """Explains the located scans, or the positive ones of the test, by every method, and searches the latter.

    Args:
        config: of the run.
        scans: all of them.
        explained: the run's baseline.
        test: positions of the test scans.
        workspace: keeps the maps.
        depends: what the baseline and the autoencoder depend on.
    """
    examples = test[scans.positive[test]][: config.num_detected]
    positive = {name: values[examples] for name, values in scans.arrays.items()}

    def cached(stage: str, which: object, compute: Callable[[], Arrays]) -> Arrays:
        return workspace.cached(f"{stage} {scans.name}", [depends, config.search, config.batch_size, which], compute)

    def explain() -> Arrays:
        maps, reach = detected(explained, truth["image"], config.search, batch_size=config.batch_size)
        return maps | reach._asdict()

    def search() -> Arrays:
        return reached(explained, positive["image"], config.search, batch_size=config.batch_size)._asdict()

    truth: Mapping[str, np.ndarray] = positive if scans.located is None else scans.located
    which = examples.tolist() if scans.located is None else len(truth["image"])
    found = cached("detected", which, explain)
    searched = found if scans.located is None else cached("searched", examples.tolist(), search)
    maps = {name: found[name] for name in DETECTORS}
    hits, overlaps = _hits(truth, maps), _overlaps(truth, maps)
    return Detection(truth, maps, hits, overlaps, _likeness(maps), searched["trace"], searched["shifted"])


def _hits(truth: Mapping[str, np.ndarray], maps: Mapping[str, Float[np.ndarray, "n s h w"]]) -> dict[str, HitScore]:
    if "atlas" not in truth:
        return {}
    known = truth["territory"] > 0
    atlas, territory = truth["atlas"][known], truth["territory"][known]
    return {name: hit_score(values[known], atlas, territory) for name, values in maps.items()} if known.any() else {}


def _overlaps(
    truth: Mapping[str, np.ndarray], maps: Mapping[str, Float[np.ndarray, "n s h w"]]
) -> dict[str, VolumeOverlap]:
    if "lesion_mask" not in truth:
        return {}
    return {name: volume_overlap(each, truth["lesion_mask"]) for name, each in maps.items()}


def _likeness(maps: Mapping[str, Float[np.ndarray, "n s h w"]]) -> dict[str, Float[np.ndarray, " n"]]:
    ours = maps[OURS]
    return {
        name: np.array([rank_correlation(*map(np.ravel, pair)) for pair in zip(ours, values, strict=True)])
        for name, values in maps.items()
    }
