"""The paper's orderings, each with an interval over images and a verdict."""

import dataclasses
from collections.abc import Iterable, Iterator

import numpy as np

from cfx_jax.metrics import Interval, bootstrap_interval, rank_correlation
from cfx_jax.report import Claim
from experiments.interval_claims import claim, mean_claim, paired_claim
from experiments.progressive_exaggeration import published
from experiments.progressive_exaggeration.chapters import Chapter
from experiments.progressive_exaggeration.published import ABSENT, GROUPS, OVERALL, PRESENT
from experiments.progressive_exaggeration.study import Study
from experiments.progressive_exaggeration.sweeps import OURS, XGEM
from experiments.progressive_exaggeration.tables import own_psnr


def claims(study: Study, chapters: Iterable[Chapter]) -> list[Claim]:
    """All claims that these data can test, in reading order."""
    found = [*_distances(study), *_groups(study), *_identity(study), *_reach(study)]
    found += [each for chapter in chapters for each in chapter.claims()]
    return [each if each.note else dataclasses.replace(each, note=study.data.note) for each in found]


def _distances(study: Study) -> Iterator[Claim]:
    """C1."""
    for group in GROUPS:
        interval = study.measures.distances.difference[group]
        if interval is None:
            continue
        paper = published.distances(study.data.label, group)
        yield claim(
            f"C1 {group}",
            f"Explanations by {OURS} are nearer to real images than those by {XGEM}, {group}.",
            {} if paper is None else {OURS: paper[1], XGEM: paper[0]},
            {name: study.measures.distances.found[group, name].interval.estimate for name in (OURS, XGEM)},
            interval,
            f"Fréchet distance of features of {study.features.extractor.name}; {OURS} minus {XGEM}",
            maximum=0.0,
            strict=True,
        )


def _groups(study: Study) -> Iterator[Claim]:
    """C2. The interval of a difference goes from one end to the other of both, which is wide."""
    found = {group: study.measures.distances.found[group, OURS].interval for group in GROUPS}
    for near, far in ((OVERALL, PRESENT), (PRESENT, ABSENT)):
        one, other = found[near], found[far]
        if not np.isfinite([one.estimate, other.estimate]).all():
            continue
        paper = {group: published.distances(study.data.label, group) for group in (near, far)}
        yield claim(
            f"C2 {near}",
            f"Explanations by {OURS} are nearer to real images {near} than {far}.",
            {group: both[1] for group, both in paper.items() if both is not None},
            {group: found[group].estimate for group in (near, far)},
            Interval(one.estimate - other.estimate, one.low - other.high, one.high - other.low),
            f"Fréchet distance of features of {study.features.extractor.name}; {near} minus {far}",
            maximum=0.0,
            strict=True,
        )


def _identity(study: Study) -> Iterator[Claim]:
    """C4 and C5."""
    ours, other = (study.measures.identity[name] for name in (OURS, XGEM))
    paper = published.closeness(study.data.label)
    close = {XGEM: other.closeness.mean(axis=1), OURS: ours.closeness.mean(axis=1)}
    chest = published.of_chest(study.data.label)
    first, second = (OURS, XGEM) if chest else (XGEM, OURS)
    yield paired_claim(
        "C4",
        f"On {'radiographs' if chest else 'faces'}, explanations by {first} are at least as close to their queries as those"
        f" by {second}.",
        {} if paper is None else {XGEM: paper[0], OURS: paper[1]},
        {first: close[first], second: close[second]},
        "latent space closeness",
        minimum=0.0,
    )
    if ours.verified is not None and other.verified is not None:
        paper = published.verification(study.data.label)
        yield paired_claim(
            "C5",
            f"Explanations by {OURS} show the same person more often than those by {XGEM}.",
            {} if paper is None else {OURS: paper[1], XGEM: paper[0]},
            {OURS: ours.verified.mean(axis=1), XGEM: other.verified.mean(axis=1)},
            "share verified by the stand-in",
            minimum=0.0,
            strict=True,
        )


def _reach(study: Study) -> Iterator[Claim]:
    """Figure 3, and what an explanation must do to be one."""
    ours = study.sweeps[0]
    desired, achieved = np.asarray(ours.found.desired), np.asarray(ours.found.probabilities)
    pairs = np.stack([desired, achieved], axis=-1)
    interval = bootstrap_interval(pairs, statistic=_correlation, num_resamples=200)
    yield claim(
        "Figure 3",
        "The probability that is reached rises with the one that was asked for.",
        {},
        {"rank correlation": interval.estimate},
        interval,
        "Spearman's correlation over all pairs of desired and achieved",
        minimum=0.8,
    )
    yield mean_claim(
        "turned over",
        "At the opposite extreme at least 80 % of the decisions are turned over.",
        {},
        ours.crossed,
        "share of queries",
        minimum=0.8,
    )
    yield mean_claim(
        "own bin",
        "Drawn for its own bin, an image comes back with at least 22 dB.",
        {},
        own_psnr(study, ours),
        "PSNR in decibels",
        minimum=22.0,
    )
    seen = study.seen_by_judge
    yield mean_claim(
        "second classifier",
        "A classifier that the explainer was not trained against sees the change too: its probability rises by more than a"
        " half from the lowest bin to the highest.",
        {},
        seen[:, -1] - seen[:, 0],
        "mean rise of its probability",
        minimum=0.5,
    )


def _correlation(pairs: np.ndarray) -> float:
    return float(rank_correlation(pairs[..., 0].ravel(), pairs[..., 1].ravel()))
