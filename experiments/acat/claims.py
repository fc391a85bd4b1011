"""The paper's orderings on one kind of scans, each with an interval over the scans of all runs and a verdict."""

import dataclasses
from collections.abc import Iterator

import numpy as np

from cfx_jax.report import Claim
from experiments.acat import published
from experiments.acat.published import REACHED
from experiments.acat.rows import ACAT, BASELINE, GROUPS
from experiments.acat.sources import DETECTORS, LATENT_SHIFT, NO_BOUND, OURS
from experiments.acat.study import Study
from experiments.acat.tables import by_scan, place_of, right_of
from experiments.interval_claims import mean_claim, paired_claim, unpaired_claim

_SMALL = (0, 1, 2)  # sizes of infarcts on which the paper's ACAT is best


def claims(study: Study) -> list[Claim]:
    """All claims that these scans can test."""
    found = [*_accuracy(study), *_controls(study), *_sizes(study), *_hits(study), *_overlaps(study), *_reach(study)]
    return [dataclasses.replace(each, id=f"{each.id} ({study.scans.name})", note=study.scans.note) for each in found]


def _right(study: Study, name: str) -> np.ndarray:
    return right_of(study, name).astype(float)


def _accuracy(study: Study) -> Iterator[Claim]:
    place = place_of(study)
    for row in study.rows:
        paper = published.ACCURACY.get(row.name, {}).get(place)
        if row.name in (ACAT, *(each.name for each in GROUPS["controls"])) or paper is None:
            continue
        yield paired_claim(
            f"accuracy, {row.name}",
            f"ACAT is right more often than {row.name}.",
            {ACAT: published.ACCURACY[ACAT][place] / 100, row.name: paper / 100},
            {ACAT: _right(study, ACAT), row.name: _right(study, row.name)},
            "accuracy",
            minimum=0.0,
            strict=True,
        )


def _controls(study: Study) -> Iterator[Claim]:
    """What the paper lacks."""
    names = {row.name for row in study.rows}
    for row in GROUPS["controls"]:
        if row.name in names:
            yield paired_claim(
                f"control, {row.name}",
                f"ACAT is right more often than the control '{row.name}'.",
                {},
                {ACAT: _right(study, ACAT), row.name: _right(study, row.name)},
                "accuracy",
                minimum=0.0,
                strict=True,
            )


def _sizes(study: Study) -> Iterator[Claim]:
    """Table 1."""
    if place_of(study) != published.HEADS:
        return
    sizes = np.concatenate([run.sizes for run in study.runs])
    for size in _SMALL:
        chosen = sizes == size
        if chosen.sum() < 2:
            continue
        yield paired_claim(
            f"Table 1, size {size}",
            f"Of heads {'without an infarct' if size == 0 else f'with an infarct of size {size}'}, ACAT tells more than the"
            " baseline.",
            {name: published.BY_SIZE[name][size] / 100 for name in (ACAT, BASELINE)},
            {name: _right(study, name)[chosen] for name in (ACAT, BASELINE)},
            "accuracy",
            minimum=0.0,
            strict=True,
        )
    small, large = (np.isin(sizes, kinds) for kinds in ((1, 2), (3, 4)))
    if small.any() and large.any():
        right = _right(study, BASELINE)
        yield unpaired_claim(
            "Table 1, larger",
            "The baseline finds large infarcts (3 and 4) more often than small ones (1 and 2).",
            {"3 and 4": 0.799, "1 and 2": 0.389},
            {"3 and 4": right[large], "1 and 2": right[small]},
            "accuracy; the paper's are means of two columns",
            minimum=0.0,
            strict=True,
        )


def _hits(study: Study) -> Iterator[Claim]:
    if not all(run.detection.hits for run in study.runs):
        return
    hits = {method: by_scan(study, [run.detection.hits[method].hits for run in study.runs]) for method in DETECTORS}
    for method in published.HITS:
        if method != OURS:
            yield paired_claim(
                f"hit score, {method}",
                f"Maps of {OURS} point into the lesion's territory more often than those by {method}.",
                {OURS: published.HITS[OURS] / 100, method: published.HITS[method] / 100},
                {OURS: hits[OURS], method: hits[method]},
                "hit score",
                minimum=0.0,
                strict=True,
            )


def _overlaps(study: Study) -> Iterator[Claim]:
    """Table 5."""
    if place_of(study) != published.CHESTS or not all(run.detection.overlaps for run in study.runs):
        return
    overlaps = {method: [run.detection.overlaps[method] for run in study.runs] for method in DETECTORS}
    dice = {method: by_scan(study, [each.macro_dice for each in found]) for method, found in overlaps.items()}
    known = np.isfinite(dice[OURS])
    for method, (_, paper) in published.OVERLAP.items():
        if method != OURS:
            yield paired_claim(
                f"Table 5, {'no bound' if method == NO_BOUND else method}",
                f"Maps of {OURS} meet the masks better than those by {method}.",
                {OURS: published.OVERLAP[OURS][1], method: paper},
                {OURS: dice[OURS][known], method: dice[method][known]},
                "Dice, mean of lesion and background",
                minimum=0.0,
                strict=True,
            )


def _reach(study: Study) -> Iterator[Claim]:
    """Figure 5."""
    trace = np.concatenate([run.detection.trace[:, -1] for run in study.runs])
    shifted = np.concatenate([run.detection.shifted for run in study.runs])
    below = {OURS: (trace < REACHED).astype(float), LATENT_SHIFT: (shifted < REACHED).astype(float)}
    yield mean_claim(
        "Figure 5, reached",
        f"{OURS.capitalize()} bring the probability of the finding below {REACHED} in 90 % of positive scans.",
        {},
        below[OURS],
        "share of positive test scans",
        minimum=0.9,
    )
    yield paired_claim(
        "Figure 5, latent shift",
        "Latent shift does so less often.",
        {},
        below,
        "share of positive test scans",
        minimum=0.0,
        strict=True,
    )
