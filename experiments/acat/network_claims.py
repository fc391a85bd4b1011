"""Claims about networks: their accuracy, by size and finding and training scans, and variances."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from cfx_jax.metrics import interval_over_runs
from experiments.acat import published
from experiments.acat.networks import ACAT, AS_LONG, BASELINE, GROUPS, HSM, SCRATCH, TRUE_PLACES
from experiments.acat.study import Answers, KindStudy
from experiments.acat.tables import count_best_runs, network_level
from experiments.acat.variances import Variances
from experiments.shared import MORE, Claim, Statement, add_levels

_LARGE, _SMALL = (3, 4), (1, 2)  # sizes of infarcts
_FIRST_LOWER = 1  # the layer, from 0, from which on the paper's ACAT has the smaller variances
HELD_FIXED = "test images held fixed"


def settle_accuracy(
    statement: Statement,
    runs: Sequence[Answers],
    pair: tuple[str, str],
    printed: Mapping[str, float] | None = None,
) -> Claim:
    """The claim that one network is right more often than another, in the same runs.

    Args:
        statement: the statement in the paper.
        runs: the answers of both.
        pair: the two networks.
        printed: the paper's accuracies, in per cent.
    """
    return statement.settle_runs(
        {name: percent / 100 for name, percent in (printed or {}).items()},
        {name: [answers.is_correct(name).astype(float) for answers in runs] for name in pair},
        "accuracy",
        cases=[answers.units for answers in runs],
        **MORE,
    )


def _settle_column(
    statement: Statement,
    runs: Sequence[Answers],
    pair: tuple[str, str],
    column: int,
    table: Mapping[str, Any],
) -> Claim:
    """The same claim, with the paper's accuracies in a column of one of its tables."""
    printed = {name: table[name][column] for name in pair if name in table}
    return settle_accuracy(statement, runs, pair, printed)


def settle_numbers(
    statement: Statement, label: str, paper: float, runs: Sequence[float], statistic: str
) -> Claim:
    """Settles the claim that a number is above 0; each run gives one value of it."""
    values = [np.full(1, value) for value in runs]
    interval = interval_over_runs(values, cases=[np.arange(1) for _ in values])
    ours = {label: interval.estimate}
    return statement.settle({label: paper}, ours, interval, statistic, **MORE)


def printed_accuracies(place: str, *names: str) -> dict[str, float]:
    """The accuracies that the paper prints; its one HSM stands for ``HSM released`` too."""
    aliases = {"HSM released": HSM}
    return {name: published.ACCURACY[aliases.get(name, name)][place] for name in names}


# ---- Accuracy of all networks


def _names(group: str) -> list[str]:
    return [network.name for network in GROUPS[group]]


_ACCURACY_PLACES: Mapping[str, str] = {
    BASELINE: "section 4.3",
    **dict.fromkeys(_names("competitors"), "section 4.3 ('best performing in both cases')"),
    **dict.fromkeys(_names("components"), "section 4.5, second paragraph ('decreased')"),
    **dict.fromkeys(_names("sources"), "section 4.5, first paragraph ('highest accuracy')"),
    **dict.fromkeys(_names("rivals"), "Tables 2 and 6"),
    "SalClassNet, latent shift": "appendix I, first paragraph ('still don't match')",
    "HSM released, latent shift": "appendix I, first paragraph ('still don't match')",
}
"""The places where the paper says or shows that ACAT is right more often than a network."""


def accuracy_claims(study: KindStudy) -> Iterator[Claim]:
    """Claims that ACAT is right more often than another network."""
    for name in study.names:
        place = _ACCURACY_PLACES.get(name)
        if place is None or study.place not in published.ACCURACY.get(name, {}):
            continue
        statement = Statement(
            f"accuracy, {name}",
            f"ACAT is right more often than {name}.",
            place,
            "ordering" if place.startswith("Tables") else "statement",
        )
        printed = printed_accuracies(study.place, ACAT, name)
        claim = settle_accuracy(statement, study.answers, (ACAT, name), printed)
        yield add_levels(claim, [network_level(study, ACAT)])


def best_claims(study: KindStudy) -> Iterator[Claim]:
    """The claim of appendix I, where the paper counts the runs of both sets together."""
    counts, number = count_best_runs(study), len(study.runs)
    if set(counts) == {BASELINE, ACAT}:
        return
    statement = Statement(
        "best of runs",
        "ACAT has the best accuracy of all networks in more than half of the runs.",
        "appendix I, second paragraph",
    )
    yield statement.settle_mean(
        {name: f"{count} of 6, both sets" for name, count in published.BEST_OF_RUNS.items()},
        (np.arange(number) < counts[ACAT]).astype(float),
        "share of runs in which no network is better than ACAT",
        unit="runs",
        minimum=0.5,
        strict=True,
    )


def dropout_claims(study: KindStudy) -> Iterator[Claim]:
    """Claims of section 4.7, dropout in place of attention."""
    for name in filter(study.has, _names("dropout")):
        statement = Statement(
            f"{name}, below the baseline",
            f"The baseline is right more often than with {name} where ACAT has its masks.",
            "section 4.7",
        )
        printed = printed_accuracies(study.place, BASELINE, name)
        yield settle_accuracy(statement, study.answers, (BASELINE, name), printed)


def controls_claims(study: KindStudy) -> Iterator[Claim]:
    """Targets of ours, that it is ACAT's maps that help, and that any maps could."""
    for name in filter(study.has, [*_names("controls"), *_names("more_controls")]):
        if name != TRUE_PLACES:
            text = f"ACAT is right more often than the control '{name}'."
            statement = Statement(f"control, {name}", text, kind="target")
            yield settle_accuracy(statement, study.answers, (ACAT, name))
    if study.has(TRUE_PLACES, AS_LONG):
        statement = Statement(
            "control, true places help",
            "ACAT with the true places as maps is right more often than a baseline trained as long:"
            " these scans and trainings can show that maps help.",
            kind="target",
        )
        yield settle_accuracy(statement, study.answers, (TRUE_PLACES, AS_LONG))


_RIVALS = (
    ("SMIC", "SMIC, latent shift"),
    ("SalClassNet, latent shift", "SalClassNet"),
    ("HSM released, latent shift", "HSM released"),
)


def rivals_claims(study: KindStudy) -> Iterator[Claim]:
    """Claims of Table 6, on chests, about competitors with other maps."""
    for pair in _RIVALS:
        if study.place != published.CHESTS or not study.has(*pair):
            continue
        better, worse = pair
        statement = Statement(
            f"Table 6, {better}",
            f"'{better}' is right more often than '{worse}'; where none are named, maps are latent"
            " counterfactuals'.",
            "appendix I, first paragraph",
        )
        yield settle_accuracy(
            statement, study.answers, pair, printed_accuracies(published.CHESTS, *pair)
        )


# ---- Accuracy by the size of the infarct, and by the finding


_TABLE_1 = "Table 1 and section 4.3"
_COMPARED_BY_SIZE = {
    0: (ACAT, "SeAtt"),
    1: (ACAT, "SalClassNet"),
    2: (ACAT, "SMIC"),
    3: (BASELINE, ACAT),
    4: (BASELINE, ACAT),
}
"""Pairs of Table 1, the better network first. Up to size 2 ACAT is the best, and the next one
follows; at sizes 3 and 4 others are better than ACAT, among them the baseline.
"""


def sizes_claims(study: KindStudy) -> Iterator[Claim]:
    """Claims of Table 1, on heads, by the size of the infarct."""
    if study.place != published.HEADS:
        return
    by_size = {size: _select_sizes(study, (size,)) for size in _COMPARED_BY_SIZE}
    for size, (better, _) in _COMPARED_BY_SIZE.items():
        if better == ACAT and by_size[size]:
            text = f"Of heads {_of_size(size)}, ACAT tells more than the baseline."
            statement = Statement(f"Table 1, size {size}", text, _TABLE_1)
            yield _settle_column(
                statement, by_size[size], (ACAT, BASELINE), size, published.BY_SIZE
            )
    for size, pair in _COMPARED_BY_SIZE.items():
        better, worse = pair
        if not by_size[size] or not study.has(*pair):
            continue
        is_best = better == ACAT
        order = ", which comes next in the paper." if is_best else "."
        statement = Statement(
            f"Table 1, size {size}, {'best' if is_best else 'baseline'}",
            f"Of heads {_of_size(size)}, {better} tells more than {worse}{order}",
            _TABLE_1 if is_best else "Table 1",
            "statement" if is_best else "ordering",
        )
        yield _settle_column(statement, by_size[size], pair, size, published.BY_SIZE)
    yield from _larger(study)


def _larger(study: KindStudy) -> Iterator[Claim]:
    """The claim that larger infarcts are found more often, of the runs that have both."""
    large, small = (
        [
            answers.select(np.isin(answers.sizes, sizes)).is_correct(BASELINE).mean(keepdims=True)
            for answers in study.answers
            if all(np.isin(answers.sizes, kinds).any() for kinds in (_LARGE, _SMALL))
        ]
        for sizes in (_LARGE, _SMALL)
    )
    if large:
        statement = Statement(
            "Table 1, larger",
            "The baseline finds large infarcts (3 and 4) more often than small ones (1 and 2).",
            "Table 1",
            "ordering",
        )
        yield statement.settle_runs(
            {"3 and 4": 0.799, "1 and 2": 0.389},
            {"3 and 4": large, "1 and 2": small},
            f"accuracy, {HELD_FIXED}; the paper's are means of two columns",
            cases=[np.zeros(1, int) for _ in large],
            unit="number of each",
            **MORE,
        )


def _of_size(size: int) -> str:
    return "without an infarct" if size == 0 else f"with an infarct of size {size}"


def _select_sizes(study: KindStudy, sizes: tuple[int, ...]) -> list[Answers]:
    """The answers about scans of some sizes, of the runs that have such scans."""
    selected = [answers.select(np.isin(answers.sizes, sizes)) for answers in study.answers]
    return [answers for answers in selected if len(answers.labels)]


_RATES = {  # of a column of Table 7: 0 sensitivity, 1 specificity
    (ACAT, BASELINE, 1): "appendix I, first paragraph",
    (ACAT, "SMIC", 1): "appendix I, first paragraph",
    (HSM, BASELINE, 0): "appendix I, first paragraph",
    (BASELINE, ACAT, 0): "Table 7",
}
"""The places where the paper says or shows that one network has a higher rate than another."""


def rates_claims(study: KindStudy) -> Iterator[Claim]:
    """Claims of Table 7, on chests, about sensitivity and specificity."""
    for (one, other, column), place in _RATES.items():
        pair, is_positive = (one, other), column == 0
        if study.place != published.CHESTS or not study.has(*pair):
            continue
        runs = [answers.select((answers.labels > 0) == is_positive) for answers in study.answers]
        if not all(len(answers.labels) for answers in runs):
            continue
        rate = ("sensitivity", "specificity")[column]
        statement = Statement(
            f"Table 7, {rate}, {one} and {other}",
            f"{one} has a higher {rate} than {other}.",
            place,
            "ordering" if place == "Table 7" else "statement",
        )
        yield statement.settle_runs(
            {name: published.SENSITIVITY[name][column] / 100 for name in pair},
            {
                name: [(answers.decided[name] > 0) == is_positive for answers in runs]
                for name in pair
            },
            rate,
            cases=[answers.units for answers in runs],
            **MORE,
        )


# ---- Variances, and numbers of training scans


def variances_claims(study: KindStudy) -> Iterator[Claim]:
    """Claims of Table 3, on heads, about how many times as large the baseline's variances are.

    The numbers are decimal logarithms of ratios, means over layers, by run.
    """
    runs = [run.variances for run in study.runs]
    if study.place != published.HEADS or not all(SCRATCH in variances for variances in runs):
        return
    printed = {
        name: Variances(*(np.array(published.VARIANCE[name, kind]) for kind in Variances._fields))
        for name in (BASELINE, SCRATCH)
    }
    plain, noisy = (
        [_log_ratio(variances, kind) for variances in (printed, *runs)]
        for kind in Variances._fields
    )
    more = [with_noise - without for with_noise, without in zip(noisy, plain, strict=True)]
    for name, text, (paper, *ours) in (
        (
            "Table 3, plain",
            "ACAT trained from scratch has smaller variances of pre-activations than the baseline.",
            plain,
        ),
        (
            "Table 3, noisy",
            "With noise on the scans the variances differ by a larger factor.",
            more,
        ),
    ):
        yield settle_numbers(
            Statement(name, text, "section 4.6 and Table 3"),
            "log10 of the ratio",
            paper,
            ours,
            "log10 of the variance of pre-activations, baseline over ACAT from scratch, mean over"
            f" layers from the second on, over {len(ours)} runs, {HELD_FIXED}",
        )


def _log_ratio(variances: Mapping[str, Variances], kind: str) -> float:
    ratio = getattr(variances[BASELINE], kind) / getattr(variances[SCRATCH], kind)
    return float(np.log10(ratio[_FIRST_LOWER:]).mean())


_BEST_BY_TRAINING = {
    50: (ACAT, "SMIC"),
    100: ("SMIC", ACAT),
    200: (ACAT, HSM),
    300: (ACAT, HSM),
    500: (HSM, "SalClassNet"),
}
"""The best network of the columns of Table 4, and the next one."""


def training_sizes_claims(study: KindStudy) -> Iterator[Claim]:
    """Claims of Table 4, by the number of training scans."""
    for size, pair in _BEST_BY_TRAINING.items():
        runs, (best, following) = study.smaller.get(size, ()), pair
        if not runs or not set(pair) <= set(runs[0].decided):
            continue
        statement = Statement(
            f"Table 4, {size} scans, best",
            f"With {size} training scans {best} is right more often than {following}, the next best"
            " in the paper.",
            "Table 4 and appendix D",
        )
        yield _settle_column(statement, runs, pair, size, published.BY_TRAINING)
    for size, runs in study.smaller.items():
        is_printed = size in published.BY_TRAINING[ACAT]
        statement = Statement(
            f"Table 4, {size} scans, baseline",
            f"With {size} training scans ACAT is right more often than the baseline.",
            "Table 4" if is_printed else "",
            "ordering" if is_printed else "target",
        )
        table = published.BY_TRAINING if is_printed else {}
        yield _settle_column(statement, runs, (ACAT, BASELINE), size, table)
