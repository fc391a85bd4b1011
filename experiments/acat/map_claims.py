"""Claims about maps and searches: hit score, overlap with masks, and what searches reach."""

from collections.abc import Iterator, Mapping
from itertools import pairwise
from typing import Any

import numpy as np

from cfx_jax.metrics import rank_correlation
from experiments.acat import published
from experiments.acat.maps import (
    GRAD_CAM,
    GRADIENT,
    LATENT_SHIFT,
    METHODS,
    NO_BOUND,
    OURS,
    RANDOM,
    TRIVIAL,
    WITH_ACAT,
)
from experiments.acat.network_claims import (
    HELD_FIXED,
    printed_accuracies,
    settle_accuracy,
    settle_numbers,
)
from experiments.acat.networks import ACAT
from experiments.acat.study import KindStudy
from experiments.acat.tables import compared_maps, map_level
from experiments.shared import MORE, Claim, Statement, add_levels


def detection_claims(study: KindStudy) -> Iterator[Claim]:
    """Hit scores: section 4.4 and appendix G."""
    if not study.is_known("hits"):
        return
    pairs = [(OURS, method) for method in published.HITS if method in METHODS and method != OURS]
    pairs += [(WITH_ACAT, OURS)] if WITH_ACAT in compared_maps(study) else []
    pairs += [(OURS, RANDOM)] if study.has_scores(RANDOM, "hits") else []
    for pair in pairs:
        one, other = pair
        is_printed = other in published.HITS
        is_in_text = other in (LATENT_SHIFT, GRADIENT, GRAD_CAM) or one == WITH_ACAT
        statement = Statement(
            f"hit score, {other if one == OURS else one}",
            f"Maps of {one} point into the lesion's territory more often than those by {other}.",
            "" if not is_printed else "section 4.4" if is_in_text else "appendix G",
            "statement" if is_printed else "target",
        )
        paper = {name: published.HITS[name] / 100 for name in pair if is_printed}
        yield _settle_maps(statement, study, pair, "hits", "hit score", paper)


def inside_claims(study: KindStudy) -> Iterator[Claim]:
    """Targets of ours: how often the highest voxel of a map lies in the lesion itself.

    A territory is so large that a random voxel of the lesion's side is a hit half of the time.
    """
    if not study.is_known("inside"):
        return
    for other in (GRADIENT, LATENT_SHIFT, *TRIVIAL):
        if not study.has_scores(other, "inside"):
            continue
        statement = Statement(
            f"inside the lesion, {other}",
            f"The highest voxel of maps of {OURS} lies in the lesion more often than that of maps"
            f" by {other}.",
            kind="target",
        )
        statistic = "share of maps whose highest voxel lies in the lesion"
        yield _settle_maps(statement, study, (OURS, other), "inside", statistic, {})


def overlap_claims(study: KindStudy) -> Iterator[Claim]:
    """Overlaps with masks: Table 5, on chests."""
    if study.place != published.CHESTS or not study.is_known("kappa"):
        return
    others = [method for method in published.OVERLAP if method != OURS]
    others += [RANDOM] if study.has_scores(RANDOM, "kappa") else []
    for method in others:
        is_printed = method in published.OVERLAP
        statement = Statement(
            f"Table 5, {'no bound' if method == NO_BOUND else method}",
            f"Maps of {OURS} meet the masks better than those by {method}.",
            "Table 5 and appendix H" if is_printed else "",
            "statement" if is_printed else "target",
        )
        pair = OURS, method
        paper = {name: published.OVERLAP[name][1] for name in pair if is_printed}
        statistic = "Dice, mean of lesion and background"
        yield _settle_maps(statement, study, pair, "macro_dice", statistic, paper)


_BY_SOURCE = {
    OURS: ACAT,
    GRADIENT: "maps: gradient",
    LATENT_SHIFT: "maps: latent shift",
    GRAD_CAM: "maps: Grad-CAM",
}
"""ACAT by the method of its maps, in the order of the paper's accuracies."""


def order_claims(study: KindStudy) -> Iterator[Claim]:
    """Section 4.5: ACAT's accuracy by the method of its maps follows their hit score."""
    if not study.has(*_BY_SOURCE.values()) or not study.is_known("hits"):
        return
    hits = [study.scores(method, "hits") for method in _BY_SOURCE]
    correct = [study.is_correct(name) for name in _BY_SOURCE.values()]
    means = (
        np.array([[scans.mean() for scans in runs] for runs in values]).T
        for values in (hits, correct)
    )
    ranks = [float(np.nan_to_num(rank_correlation(*run))) for run in zip(*means, strict=True)]
    place = "section 4.5, first paragraph"
    yield settle_numbers(
        Statement(
            "section 4.5, order of sources",
            "The sources of maps rank by ACAT's accuracy as they do by hit score.",
            place,
        ),
        "rank correlation",
        1.0,
        ranks,
        f"rank correlation of hit score and accuracy over {len(_BY_SOURCE)} sources (0 where all"
        f" are equal), mean of {len(ranks)} runs, {HELD_FIXED}",
    )
    for pair in pairwise(list(_BY_SOURCE.values())[1:]):
        one, other = pair
        statement = Statement(
            f"section 4.5, {one} over {other}",
            f"ACAT is right more often with {one} than with {other}.",
            place,
            "ordering",
        )
        yield settle_accuracy(
            statement, study.answers, pair, printed_accuracies(published.HEADS, *pair)
        )


def search_claims(study: KindStudy) -> Iterator[Claim]:
    """How far searches lower the probability of the finding: Figure 5."""
    below = {
        OURS: (study.join_searches("trace")[:, -1] < published.REACHED).astype(float),
        LATENT_SHIFT: (study.join_searches("shifted") < published.REACHED).astype(float),
    }
    groups: dict[str, Any] = {"groups": study.search_units, "unit": "searches"}
    statistic = "share of positive test scans"
    yield Statement(
        "Figure 5, reached",
        f"{OURS.capitalize()} bring the probability of the finding below {published.REACHED} in"
        " 90 % of positive scans.",
        kind="target",
    ).settle_mean({}, below[OURS], statistic, minimum=0.9, **groups)
    yield Statement(
        "Figure 5, latent shift", "Latent shift does so less often.", "appendix F"
    ).settle_pair(
        {"lowest of two scans": " and ".join(map(str, published.LOWEST_SHIFTED))},
        below,
        statistic,
        **MORE,
        **groups,
    )


def _settle_maps(
    statement: Statement,
    study: KindStudy,
    pair: tuple[str, str],
    field: str,
    statistic: str,
    paper: Mapping[str, float],
) -> Claim:
    """The claim that the maps of one method have a higher score than the maps of another."""
    claim = statement.settle_runs(
        paper,
        {name: study.scores(name, field) for name in pair},
        statistic,
        cases=study.units(pair[0], field),
        **MORE,
    )
    return add_levels(claim, [map_level(study, name, field) for name in pair])
