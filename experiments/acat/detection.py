"""How well maps find the finding: the hit score by territories (section 4.4), the overlap with masks (Table 5), and whether
the searches reach their target at all (Figure 5).
"""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int

from cfx_jax.metrics import HitScore, VolumeOverlap, hit_score, rank_correlation, volume_overlap
from experiments.acat.config import Config
from experiments.acat.maps import Detected, Explained, detected
from experiments.acat.scans import Scans
from experiments.acat.sources import DETECTORS, OURS
from experiments.stages import Arrays, Workspace


class Detection(NamedTuple):
    """The maps of one run.

    Attributes:
        examples: positions of the scans that are explained.
        maps: by method, of these (n, s, h, w).
        hits: by method, of the scans whose finding is located, or of these where there are none; where territories are
            known, else empty.
        overlaps: likewise, where masks are known.
        likeness: likewise, each map's rank correlation with that of latent counterfactuals (m,), NaN for flat ones.
        trace: the probability of the finding after each step of the search, at the reconstruction first (n, steps + 1).
        shifted: that of the best latent shift (n,).
    """

    examples: Int[np.ndarray, " n"]
    maps: Mapping[str, Float[np.ndarray, "n s h w"]]
    hits: Mapping[str, HitScore]
    overlaps: Mapping[str, VolumeOverlap]
    likeness: Mapping[str, Float[np.ndarray, " m"]]
    trace: Float[np.ndarray, "n steps"]
    shifted: Float[np.ndarray, " n"]


def detect(
    config: Config,
    scans: Scans,
    explained: Explained,
    test: Int[np.ndarray, " m"],
    workspace: Workspace,
    *,
    depends: object,
) -> Detection:
    """Explains the positive test scans, and those whose finding is located, by every method.

    Args:
        config: of the run.
        scans: all of them.
        explained: the run's baseline.
        test: positions of the test scans.
        workspace: keeps the maps.
        depends: what the baseline and the autoencoder depend on.
    """
    examples = test[scans.positive[test]][: config.num_detected]

    def explain(stage: str, images: Float[np.ndarray, "n s h w 1"], which: object) -> Detected:
        arrays = workspace.cached(
            f"{stage} {scans.name}",
            [depends, config.search, config.batch_size, which],
            lambda: _flat(detected(explained, images, config.search, batch_size=config.batch_size)),
        )
        return Detected({name: arrays[name] for name in DETECTORS}, arrays["trace"], arrays["shifted"])

    found = explain("detectors", scans.images[examples], examples.tolist())
    truth, maps = {name: values[examples] for name, values in scans.arrays.items()}, found.maps
    if scans.located is not None:
        truth = scans.located
        maps = explain("located", truth["image"], len(truth["image"])).maps
    return Detection(
        examples, found.maps, _hits(truth, maps), _overlaps(truth, maps), _likeness(maps), found.trace, found.shifted
    )


def _flat(found: Detected) -> Arrays:
    return {**found.maps, "trace": found.trace, "shifted": found.shifted}


def _hits(truth: Arrays, maps: Mapping[str, Float[np.ndarray, "n s h w"]]) -> dict[str, HitScore]:
    if "atlas" not in truth:
        return {}
    known = truth["territory"] > 0
    atlas, territory = truth["atlas"][known], truth["territory"][known]
    return {name: hit_score(values[known], atlas, territory) for name, values in maps.items()} if known.any() else {}


def _overlaps(truth: Arrays, maps: Mapping[str, Float[np.ndarray, "n s h w"]]) -> dict[str, VolumeOverlap]:
    if "lesion_mask" not in truth:
        return {}
    return {name: volume_overlap(each, truth["lesion_mask"]) for name, each in maps.items()}


def _likeness(maps: Mapping[str, Float[np.ndarray, "n s h w"]]) -> dict[str, Float[np.ndarray, " n"]]:
    ours = maps[OURS]
    return {
        name: np.array([rank_correlation(*map(np.ravel, pair)) for pair in zip(ours, values, strict=True)])
        for name, values in maps.items()
    }
