"""The paper's statements and orderings on one kind of scans, and our own targets, each with an
interval and a verdict.

What is said of a network or of maps that lead back to a training is decided by the runs: intervals
are over trainings and scans together. What is said of one search is decided by scans, drawn by
patient.
"""

import dataclasses
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from jaxtyping import Float

from cfx_jax.metrics import interval_over_runs, rank_correlation
from cfx_jax.report import Claim
from cfx_jax.report.claims import Kind
from experiments.acat import published
from experiments.acat.published import REACHED
from experiments.acat.rows import ACAT, AS_LONG, BASELINE, GROUPS, HSM, SCRATCH
from experiments.acat.sources import (
    DETECTORS,
    GRAD_CAM,
    GRADIENT,
    LATENT_SHIFT,
    NO_BOUND,
    OURS,
    RANDOM,
    WITH_ACAT,
)
from experiments.acat.study import Answers, Study
from experiments.acat.tables import (
    answers_of,
    best_of_runs,
    controls_of,
    detection_rows,
    known_scores,
    known_units,
    names_of,
    place_of,
    reached_by,
    right_of,
)
from experiments.shared.interval_claims import claim, mean_claim, paired_claim, runs_claim

_SMALL = (0, 1, 2)  # sizes of infarcts on which the paper's ACAT is best
_MORE: dict[str, Any] = {"minimum": 0.0, "strict": True}
_SOURCES = {
    OURS: ACAT,
    GRADIENT: "maps: gradient",
    LATENT_SHIFT: "maps: latent shift",
    GRAD_CAM: "maps: Grad-CAM",
}
_BEST_AND_NEXT = {  # of the columns of Table 4
    50: (ACAT, "SMIC"),
    100: ("SMIC", ACAT),
    200: (ACAT, HSM),
    300: (ACAT, HSM),
    500: (HSM, "SalClassNet"),
}
# of the columns of Table 1; of the large ones, in which ACAT is worse, before ACAT
_BEST_BY_SIZE = {
    0: (ACAT, "SeAtt"),
    1: (ACAT, "SalClassNet"),
    2: (ACAT, "SMIC"),
    3: (BASELINE, ACAT),
    4: (BASELINE, ACAT),
}
_AS_PRINTED = {"HSM released": HSM}  # the paper has one HSM
_WITH_LATENT_SHIFT = ("SalClassNet, latent shift", "HSM released, latent shift")
_FIRST_LOWER = 1  # the layer, from 0, from which on the paper's ACAT has the smaller variances


def claims(study: Study) -> list[Claim]:
    """All claims that these scans can test."""
    found = [
        *_accuracy(study),
        *_best(study),
        *_dropout(study),
        *_controls(study),
        *_sizes(study),
        *_rates(study),
        *_rivals(study),
        *_variances(study),
        *_training_sizes(study),
        *_hits(study),
        *_order_of_sources(study),
        *_overlaps(study),
        *_reach(study),
    ]
    return [
        dataclasses.replace(each, id=f"{each.id} ({study.scans.name})", note=study.scans.note)
        for each in found
    ]


def more_often_right(
    runs: Sequence[Answers],
    name: str,
    text: str,
    paper: dict[str, float],
    one: str,
    other: str,
    *,
    kind: Kind,
    place: str,
) -> Claim:
    """That one network is right more often than another, from what both say in the same runs."""
    return runs_claim(
        name,
        text,
        {each: value / 100 for each, value in paper.items()},
        {each: [answers.right(each).astype(float) for answers in runs] for each in (one, other)},
        "accuracy",
        kind=kind,
        place=place,
        cases=[answers.units for answers in runs],
        **_MORE,
    )


def _accuracy(study: Study) -> Iterator[Claim]:
    scans = place_of(study)
    statement: Kind = "statement"
    ordering: Kind = "ordering"
    where = {
        **{
            row.name: (statement, "section 4.3 ('best performing in both cases')")
            for row in GROUPS["competitors"]
        },
        **{
            row.name: (statement, "section 4.5, second paragraph ('decreased')")
            for row in GROUPS["components"]
        },
        **{
            row.name: (statement, "section 4.5, first paragraph ('highest accuracy')")
            for row in GROUPS["sources"]
        },
        **{row.name: (ordering, "Tables 2 and 6") for row in GROUPS["rivals"]},
        **{
            name: (statement, "appendix I, first paragraph ('still don't match')")
            for name in _WITH_LATENT_SHIFT
        },
        BASELINE: (statement, "section 4.3"),
    }
    for row in study.rows:
        paper = published.ACCURACY.get(row.name, {}).get(scans)
        if row.name in where and paper is not None:
            kind, place = where[row.name]
            yield more_often_right(
                answers_of(study),
                f"accuracy, {row.name}",
                f"ACAT is right more often than {row.name}.",
                {ACAT: published.ACCURACY[ACAT][scans], row.name: paper},
                ACAT,
                row.name,
                kind=kind,
                place=place,
            )


def _best(study: Study) -> Iterator[Claim]:
    """Appendix I; the paper counts the runs of both sets together."""
    counts = best_of_runs(study)
    if len(counts) > len((BASELINE, ACAT)):
        number = len(study.runs)
        yield mean_claim(
            "best of runs",
            "ACAT has the best accuracy of all networks in more than half of the runs.",
            {name: f"{count} of 6, both sets" for name, count in published.BEST_OF_RUNS.items()},
            (np.arange(number) < counts[ACAT]).astype(float),
            "share of runs in which no network is better than ACAT",
            kind="statement",
            place="appendix I, second paragraph",
            unit="runs",
            minimum=0.5,
            strict=True,
        )


def _dropout(study: Study) -> Iterator[Claim]:
    """Section 4.7."""
    place = place_of(study)
    for row in GROUPS["dropout"]:
        if row.name in names_of(study):
            yield more_often_right(
                answers_of(study),
                f"{row.name}, below the baseline",
                f"The baseline is right more often than with {row.name} where ACAT has its masks.",
                {name: published.ACCURACY[name][place] for name in (BASELINE, row.name)},
                BASELINE,
                row.name,
                kind="statement",
                place="section 4.7",
            )


def _controls(study: Study) -> Iterator[Claim]:
    """What the paper lacks: whether it is ACAT's maps that help, and whether any maps could."""
    for name in controls_of(study):
        if name == "maps: true places":
            continue
        yield more_often_right(
            answers_of(study),
            f"control, {name}",
            f"ACAT is right more often than the control '{name}'.",
            {},
            ACAT,
            name,
            kind="target",
            place="",
        )
    if {"maps: true places", AS_LONG} <= names_of(study):
        yield more_often_right(
            answers_of(study),
            "control, true places help",
            "ACAT with the true places as maps is right more often than a baseline trained as long:"
            " these scans and"
            " trainings can show that maps help.",
            {},
            "maps: true places",
            AS_LONG,
            kind="target",
            place="",
        )


def _sizes(study: Study) -> Iterator[Claim]:
    """Table 1."""
    if place_of(study) != published.HEADS:
        return
    for size in _SMALL:
        runs = _with_sizes(study, (size,))
        if runs:
            yield more_often_right(
                runs,
                f"Table 1, size {size}",
                f"Of heads {_of_size(size)}, ACAT tells more than the baseline.",
                {name: published.BY_SIZE[name][size] for name in (ACAT, BASELINE)},
                ACAT,
                BASELINE,
                kind="statement",
                place="Table 1 and section 4.3",
            )
    for size, (best, following) in _BEST_BY_SIZE.items():
        runs = _with_sizes(study, (size,))
        if runs and {best, following} <= names_of(study):
            yield more_often_right(
                runs,
                f"Table 1, size {size}, best",
                f"Of heads {_of_size(size)}, {best} tells more than {following}, which comes next"
                f" in the paper.",
                {name: published.BY_SIZE[name][size] for name in (best, following)},
                best,
                following,
                kind="statement" if best == ACAT else "ordering",
                place="Table 1 and section 4.3" if best == ACAT else "Table 1",
            )
    large, small = (3, 4), (1, 2)
    runs = [
        each
        for each in answers_of(study)
        if all(np.isin(each.sizes, kinds).any() for kinds in (large, small))
    ]
    if runs:
        shares = {
            kinds: [
                _some(each, np.isin(each.sizes, kinds)).right(BASELINE).mean(keepdims=True)
                for each in runs
            ]
            for kinds in (large, small)
        }
        yield runs_claim(
            "Table 1, larger",
            "The baseline finds large infarcts (3 and 4) more often than small ones (1 and 2).",
            {"3 and 4": 0.799, "1 and 2": 0.389},
            {"3 and 4": shares[large], "1 and 2": shares[small]},
            "accuracy, test images held fixed; the paper's are means of two columns",
            kind="ordering",
            place="Table 1",
            cases=[np.zeros(1, int) for _ in runs],
            unit="number of each",
            **_MORE,
        )


def _of_size(size: int) -> str:
    return "without an infarct" if size == 0 else f"with an infarct of size {size}"


def _with_sizes(study: Study, kinds: tuple[int, ...]) -> list[Answers]:
    """The answers of the runs that have scans of some sizes, about these scans."""
    return [
        _some(answers, np.isin(answers.sizes, kinds))
        for answers in answers_of(study)
        if np.isin(answers.sizes, kinds).any()
    ]


def _some(answers: Answers, chosen: np.ndarray) -> Answers:
    decided = {name: values[chosen] for name, values in answers.decided.items()}
    return Answers(
        answers.seed, answers.labels[chosen], answers.sizes[chosen], answers.units[chosen], decided
    )


def _rates(study: Study) -> Iterator[Claim]:
    """Table 7: of chests."""
    if place_of(study) != published.CHESTS:
        return
    for name, other, has_finding in (
        (ACAT, BASELINE, False),
        (ACAT, "SMIC", False),
        (HSM, BASELINE, True),
        (BASELINE, ACAT, True),
    ):
        if not {name, other} <= names_of(study):
            continue
        rate, column = ("sensitivity", 0) if has_finding else ("specificity", 1)
        runs = [_some(each, (each.labels > 0) == has_finding) for each in answers_of(study)]
        if not all(len(each.labels) for each in runs):
            continue
        yield runs_claim(
            f"Table 7, {rate}, {name} and {other}",
            f"{name} has a higher {rate} than {other}.",
            {each: published.SENSITIVITY[each][column] / 100 for each in (name, other)},
            {
                each: [(answers.decided[each] > 0) == has_finding for answers in runs]
                for each in (name, other)
            },
            rate,
            kind="ordering" if (name, has_finding) == (BASELINE, True) else "statement",
            place="Table 7"
            if (name, has_finding) == (BASELINE, True)
            else "appendix I, first paragraph",
            cases=[answers.units for answers in runs],
            **_MORE,
        )


def _rivals(study: Study) -> Iterator[Claim]:
    """Table 6: other maps for competitors."""
    place = place_of(study)
    if place != published.CHESTS:
        return
    for better, worse in (
        ("SMIC", "SMIC, latent shift"),
        ("SalClassNet, latent shift", "SalClassNet"),
        ("HSM released, latent shift", "HSM released"),
    ):
        if {better, worse} <= names_of(study):
            yield more_often_right(
                answers_of(study),
                f"Table 6, {better}",
                f"'{better}' is right more often than '{worse}'; where none are named, maps are"
                f" latent counterfactuals'.",
                {
                    name: published.ACCURACY[_AS_PRINTED.get(name, name)][place]
                    for name in (better, worse)
                },
                better,
                worse,
                kind="statement",
                place="appendix I, first paragraph",
            )


def _variances(study: Study) -> Iterator[Claim]:
    """Table 3: decimal logarithms of how many times as large the baseline's variances are, means
    over layers, by run.
    """
    runs = [run.variances for run in study.runs]
    if place_of(study) != published.HEADS or not all(SCRATCH in each for each in runs):
        return

    def logarithms(kind: str) -> list[Float[np.ndarray, " 1"]]:
        ratios = [getattr(each[BASELINE], kind) / getattr(each[SCRATCH], kind) for each in runs]
        return [np.log10(each[_FIRST_LOWER:]).mean(keepdims=True) for each in ratios]

    def printed(kind: str) -> float:
        ratio = np.divide(published.VARIANCE[BASELINE, kind], published.VARIANCE[SCRATCH, kind])
        return float(np.log10(ratio[_FIRST_LOWER:]).mean())

    plain, noisy = logarithms("plain"), logarithms("noisy")
    unit = "of the variance of pre-activations, baseline over ACAT from scratch, mean over layers from the second on"
    for name, text, paper, values in (
        (
            "Table 3, plain",
            "ACAT trained from scratch has smaller variances of pre-activations than the baseline.",
            printed("plain"),
            plain,
        ),
        (
            "Table 3, noisy",
            "With noise on the scans the variances differ by a larger factor.",
            printed("noisy") - printed("plain"),
            [a - b for a, b in zip(noisy, plain, strict=True)],
        ),
    ):
        interval = interval_over_runs(values, cases=[np.arange(1) for _ in values])
        yield claim(
            name,
            text,
            {"log10 of the ratio": paper},
            {"log10 of the ratio": interval.estimate},
            interval,
            f"log10 {unit}, over {len(values)} runs, test images held fixed",
            kind="statement",
            place="section 4.6 and Table 3",
            **_MORE,
        )


def _training_sizes(study: Study) -> Iterator[Claim]:
    """Table 4."""
    for size, (best, following) in _BEST_AND_NEXT.items():
        runs = study.smaller.get(size, ())
        if runs and {best, following} <= set(runs[0].decided):
            yield more_often_right(
                runs,
                f"Table 4, {size} scans, best",
                f"With {size} training scans {best} is right more often than {following}, the next"
                f" best in the paper.",
                {name: published.BY_TRAINING[name][size] for name in (best, following)},
                best,
                following,
                kind="statement",
                place="Table 4 and appendix D",
            )
    for size, runs in study.smaller.items():
        yield more_often_right(
            runs,
            f"Table 4, {size} scans, baseline",
            f"With {size} training scans ACAT is right more often than the baseline.",
            {
                name: published.BY_TRAINING[name][size]
                for name in (ACAT, BASELINE)
                if size in published.BY_TRAINING[name]
            },
            ACAT,
            BASELINE,
            kind="ordering" if size in published.BY_TRAINING[ACAT] else "target",
            place="Table 4" if size in published.BY_TRAINING[ACAT] else "",
        )


def _hits(study: Study) -> Iterator[Claim]:
    if not all(run.detection.known("hits") for run in study.runs):
        return
    pairs = [(OURS, method) for method in published.HITS if method in DETECTORS and method != OURS]
    pairs += [(WITH_ACAT, OURS)] if WITH_ACAT in detection_rows(study) else []
    pairs += [(OURS, RANDOM)] if all(map(len, known_scores(study, RANDOM, "hits"))) else []
    for one, other in pairs:
        is_printed = other in published.HITS
        in_text = other in (LATENT_SHIFT, GRADIENT, GRAD_CAM) or one == WITH_ACAT
        yield runs_claim(
            f"hit score, {other}" if one == OURS else f"hit score, {one}",
            f"Maps of {one} point into the lesion's territory more often than those by {other}.",
            {name: published.HITS[name] / 100 for name in (one, other) if is_printed},
            {name: known_scores(study, name, "hits") for name in (one, other)},
            "hit score",
            kind="statement" if is_printed else "target",
            place="" if not is_printed else "section 4.4" if in_text else "appendix G",
            cases=known_units(study, one, "hits"),
            **_MORE,
        )


def _order_of_sources(study: Study) -> Iterator[Claim]:
    """Section 4.5: ACAT's accuracy by the source of its maps follows their hit score."""
    if not set(_SOURCES.values()) <= names_of(study) or not all(
        run.detection.known("hits") for run in study.runs
    ):
        return
    hits, right = (
        np.array([[each.mean() for each in values] for values in found])
        for found in (
            [known_scores(study, source, "hits") for source in _SOURCES],
            [right_of(study, name) for name in _SOURCES.values()],
        )
    )
    alike = [
        np.nan_to_num(rank_correlation(*pair)).reshape(1)
        for pair in zip(hits.T, right.T, strict=True)
    ]
    interval = interval_over_runs(alike, cases=[np.arange(1) for _ in alike])
    yield claim(
        "section 4.5, order of sources",
        "The sources of maps rank by ACAT's accuracy as they do by hit score.",
        {"rank correlation": 1.0},
        {"rank correlation": interval.estimate},
        interval,
        f"rank correlation of hit score and accuracy over {len(_SOURCES)} sources (0 where all are"
        f" equal), mean of"
        f" {len(alike)} runs, test images held fixed",
        kind="statement",
        place="section 4.5, first paragraph",
        **_MORE,
    )
    for (_, one), (_, other) in pairwise(list(_SOURCES.items())[1:]):
        yield more_often_right(
            answers_of(study),
            f"section 4.5, {one} over {other}",
            f"ACAT is right more often with {one} than with {other}.",
            {name: published.ACCURACY[name][published.HEADS] for name in (one, other)},
            one,
            other,
            kind="ordering",
            place="section 4.5, first paragraph",
        )


def _overlaps(study: Study) -> Iterator[Claim]:
    """Table 5."""
    if place_of(study) != published.CHESTS or not all(
        run.detection.known("kappa") for run in study.runs
    ):
        return
    others = [*(method for method in published.OVERLAP if method != OURS)]
    others += [RANDOM] if all(map(len, known_scores(study, RANDOM, "kappa"))) else []
    for method in others:
        is_printed = method in published.OVERLAP
        yield runs_claim(
            f"Table 5, {'no bound' if method == NO_BOUND else method}",
            f"Maps of {OURS} meet the masks better than those by {method}.",
            {name: published.OVERLAP[name][1] for name in (OURS, method) if is_printed},
            {name: known_scores(study, name, "macro_dice") for name in (OURS, method)},
            "Dice, mean of lesion and background",
            kind="statement" if is_printed else "target",
            place="Table 5 and appendix H" if is_printed else "",
            cases=known_units(study, OURS, "macro_dice"),
            **_MORE,
        )


def _reach(study: Study) -> Iterator[Claim]:
    """Figure 5."""
    trace, shifted, units = reached_by(study)
    below = {
        OURS: (trace[:, -1] < REACHED).astype(float),
        LATENT_SHIFT: (shifted < REACHED).astype(float),
    }
    groups: dict[str, Any] = {"groups": units, "unit": "searches", "group_unit": "patients"}
    yield mean_claim(
        "Figure 5, reached",
        f"{OURS.capitalize()} bring the probability of the finding below {REACHED} in 90 % of"
        f" positive scans.",
        {},
        below[OURS],
        "share of positive test scans",
        minimum=0.9,
        **groups,
    )
    yield paired_claim(
        "Figure 5, latent shift",
        "Latent shift does so less often.",
        {"lowest of two scans": " and ".join(map(str, published.LOWEST_SHIFTED))},
        below,
        "share of positive test scans",
        kind="statement",
        place="appendix F",
        minimum=0.0,
        strict=True,
        **groups,
    )
