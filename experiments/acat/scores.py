"""One map of one scan against what is known of the scan, and what no network is needed for."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Int

from cfx_jax.arrays import AnyArray
from cfx_jax.metrics import hit_score, volume_overlap
from experiments.acat.sources import BRIGHTEST, CHANGE, DARKEST, RANDOM

_ARTERIES = 3  # territories of a side

FIELDS = ("hits", "inside", "flat", "macro_iou", "macro_dice", "dice", "kappa")
"""``hits``: whether the highest voxel lies in the lesion's territory; ``inside``: in the lesion
itself; ``flat``: whether there is no highest voxel; and the fields of ``VolumeOverlap``. NaN where
the truth is not known."""


def score(saliency: Float[np.ndarray, "s h w"], facts: Mapping[str, Any]) -> dict[str, float]:
    """Scores a map by ``FIELDS``; overlaps are taken on the grid of the published scan, where its
    mask is known.
    """
    found = dict.fromkeys(FIELDS, np.nan)
    found["flat"] = float(saliency.min() == saliency.max())
    if facts.get("territory", 0) > 0:
        found["hits"] = _hits(saliency, facts["atlas"], facts["territory"])
    mask, native = facts.get("lesion_mask"), facts.get("native")
    if mask is not None and np.any(mask):
        found["inside"] = _hits(saliency, np.asarray(mask, int), 1)
    if native is not None:
        return found | _overlap(native.on_grid(saliency), native.mask)
    return found if mask is None else found | _overlap(saliency, mask)


def references(facts: Mapping[str, Any], rng: np.random.Generator) -> dict[str, dict[str, float]]:
    """Scores of what needs no network, by name: those of ``REFERENCES`` that the facts allow, but
    for ``CONSTANT``.

    A random voxel is one of the organ, in a head with a known territory of the lesion's side of it;
    its hits are the share of these voxels that would be hits, its overlap that of as many voxels
    drawn without replacement.
    """
    image, organ = facts["image"][..., 0], facts.get("organ")
    found = {}
    if organ is not None and np.any(organ):
        found[RANDOM] = _random(facts, rng)
        found[DARKEST] = score(np.where(organ, 1 - image, 0), facts)
        found[BRIGHTEST] = score(np.where(organ, image, 0), facts)
    if "counterfactual" in facts:
        found[CHANGE] = score(np.abs(image - facts["counterfactual"][..., 0]), facts)
    return found


def _random(facts: Mapping[str, Any], rng: np.random.Generator) -> dict[str, float]:
    organ: Bool[np.ndarray, "s h w"] = np.asarray(facts["organ"], bool)
    found = score(np.where(organ, rng.uniform(0.5, 1, organ.shape), 0), facts)
    territory, mask = facts.get("territory", 0), facts.get("lesion_mask")
    near = organ
    if territory > 0:
        near = organ & same_side(facts["atlas"], territory)
        found["hits"] = float((facts["atlas"][near] == territory).mean())
    if mask is not None and np.any(mask):
        found["inside"] = float(np.asarray(mask, bool)[near].mean())
    return found


def same_side(atlas: Int[np.ndarray, "s h w"], territory: int) -> Bool[np.ndarray, "s h w"]:
    """The voxels whose territory is on the side of the brain on which a territory is."""
    return (atlas > 0) & ((atlas.astype(int) - 1) // _ARTERIES == (territory - 1) // _ARTERIES)


def _hits(
    saliency: Float[np.ndarray, "s h w"], atlas: Int[np.ndarray, "s h w"], number: int
) -> float:
    return hit_score(saliency[None], atlas[None], np.array([number])).score


def _overlap(
    saliency: Float[AnyArray, "s h w"], mask: Bool[np.ndarray, "s h w"]
) -> dict[str, float]:
    found = volume_overlap(np.asarray(saliency), np.asarray(mask, bool))
    return {
        name: float(getattr(found, name)) for name in ("macro_iou", "macro_dice", "dice", "kappa")
    }
