"""How well maps find the finding: the hit score by territories (section 4.4), the overlap with masks (Table 5), and whether
the searches reach their target at all (Figure 5).
"""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int

from cfx_jax.metrics import HitScore, VolumeOverlap, hit_score, volume_overlap
from experiments.acat.config import Config
from experiments.acat.maps import Explained, detector_maps, search, shift
from experiments.acat.scans import Scans
from experiments.acat.sources import DETECTORS
from experiments.stages import Arrays, Workspace

_WITHOUT = 0


class Detection(NamedTuple):
    """The maps of one run.

    Attributes:
        examples: positions of the scans that are explained.
        maps: by method, of these (n, s, h, w).
        hits: by method, where territories are known; else empty.
        overlaps: by method, with the masks of the further scans, or of these where there are none; else empty.
        trace: the probability of the finding after each step of the search, at the reconstruction first (n, steps + 1).
        shifted: that of the best latent shift (n,).
    """

    examples: Int[np.ndarray, " n"]
    maps: Mapping[str, Float[np.ndarray, "n s h w"]]
    hits: Mapping[str, HitScore]
    overlaps: Mapping[str, VolumeOverlap]
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
    """Explains the positive test scans, and the scans with masks, by every method.

    Args:
        config: of the run.
        scans: all of them.
        explained: the run's baseline.
        test: positions of the test scans.
        workspace: keeps the maps.
        depends: what the baseline depends on.
    """
    examples = test[scans.positive[test]][: config.num_detected]
    depends = [depends, config.autoencoder, config.search, config.batch_size]

    def compute(images: Float[np.ndarray, "n s h w 1"]) -> Arrays:
        return {
            name: detector_maps(name, explained, images, config.search, batch_size=config.batch_size)
            for name in DETECTORS
        }

    maps = workspace.cached(
        f"detectors {scans.name}", [depends, examples.tolist()], lambda: compute(scans.images[examples])
    )
    overlaps, masked = {}, scans.masked
    if masked is not None:
        found = workspace.cached(f"masked {scans.name}", depends, lambda: compute(masked["image"]))
        overlaps = {name: volume_overlap(each, masked["lesion_mask"]) for name, each in found.items()}
    elif "lesion_mask" in scans.arrays:
        overlaps = {name: volume_overlap(each, scans.arrays["lesion_mask"][examples]) for name, each in maps.items()}
    reach = workspace.cached(
        f"reach {scans.name}", [depends, examples.tolist()], lambda: _reach(config, explained, scans.images[examples])
    )
    return Detection(examples, maps, _hits(scans, examples, maps), overlaps, reach["trace"], reach["shifted"])


def _hits(
    scans: Scans, examples: Int[np.ndarray, " n"], maps: Mapping[str, Float[np.ndarray, "n s h w"]]
) -> dict[str, HitScore]:
    if "atlas" not in scans.arrays:
        return {}
    known = scans.arrays["territory"][examples] > 0
    atlas, territory = (scans.arrays[name][examples[known]] for name in ("atlas", "territory"))
    return {name: hit_score(values[known], atlas, territory) for name, values in maps.items()} if known.any() else {}


def _reach(config: Config, explained: Explained, images: Float[np.ndarray, "n s h w 1"]) -> Arrays:
    """Of the finding, which both try to lower."""
    found = search(explained, images, _WITHOUT, config.search, batch_size=config.batch_size)
    shifted = shift(explained, images, _WITHOUT, batch_size=config.batch_size)
    return {"trace": 1 - np.asarray(found.trace), "shifted": 1 - np.asarray(shifted.probability)}
