"""Claims from intervals: what is compared, and what was drawn independently."""

import ast
import dataclasses
from pathlib import Path

import numpy as np
import pytest

import experiments
from cfx_jax.metrics import Interval
from experiments.shared import MORE, ONE_TRAINING, Statement, of_one_training

TARGET = Statement("1", "A claim.", kind="target")


def test_a_paired_claim_is_about_the_difference():
    first = np.linspace(0, 1, 20)
    ours = {"a": 2 * first + 0.5, "b": first}
    statement = Statement("1", "Larger.", "Table 2", "ordering")
    found = statement.settle_pair({}, ours, "size", minimum=0.5, strict=True)
    assert found.verdict == "holds" and found.interval[0] == pytest.approx(1.0)
    assert 0.5 < found.interval[1] < 1 < found.interval[2] < 1.5
    assert found.ours == pytest.approx({"a": 1.5, "b": 0.5})
    assert found.statistic == "size; a minus b, paired over 20 images"
    assert (found.kind, found.place) == ("ordering", "Table 2")


def test_a_claim_says_what_was_drawn():
    values, patients = np.tile(np.linspace(0, 1, 20), 2), np.tile(np.arange(20), 2)
    options = {"groups": patients, "unit": "answers", "minimum": 0}
    assert TARGET.settle_pair({}, {"a": values, "b": -values}, "size", **options).statistic == (
        "size; a minus b, paired over 40 answers of 20 patients"
    )
    assert (
        TARGET.settle_mean({}, values, "size", **options).statistic
        == "size, over 40 answers of 20 patients"
    )


def test_a_claim_about_trainings_counts_runs():
    """Forty scans in each of three runs would settle the claim if pooled; three runs do not."""
    ours = {"new": np.ones((3, 40)), "old": np.repeat([[0.9], [0.2], [1.0]], 40, axis=1)}
    found = TARGET.settle_runs({}, ours, "accuracy", minimum=0, strict=True)
    assert (found.verdict, found.interval[0]) == ("undecided", pytest.approx(0.3))
    assert found.statistic == "accuracy; new minus old, over 3 runs and 40 scans"
    assert found.ours == pytest.approx({"new": 1.0, "old": 0.7})
    names = [np.arange(40), np.arange(40, 80), np.arange(80, 120)]
    assert (
        "over 3 runs and 120 scans"
        in TARGET.settle_runs({}, ours, "accuracy", cases=names, minimum=0).statistic
    )


VALUES = {"settle_mean": 1, "bootstrap_interval": 0}
"""Where functions that take answers have them."""


def name_of(node):
    return getattr(node, "id", None) or getattr(node, "attr", None)


def answers_in(call):
    """What a call gives to a function that takes answers, also as ``f(.., x.settle_mean, ..)``."""
    parts = [call.func, *call.args]
    for place, part in enumerate(parts):
        if name_of(part) in VALUES:
            following = parts[place + 1 :]
            if len(following) > VALUES[name_of(part)]:
                yield following[VALUES[name_of(part)]]


def test_no_difference_is_given_to_what_takes_answers():
    """Differences that are all 0 or 1 would have the interval of a share."""
    wrong, seen = [], 0
    for path in Path(experiments.__file__).parent.rglob("*.py"):
        for call in ast.walk(ast.parse(path.read_text())):
            if not isinstance(call, ast.Call) or any(k.arg == "statistic" for k in call.keywords):
                continue
            for given in answers_in(call):
                seen += 1
                if isinstance(given, ast.BinOp) and isinstance(given.op, ast.Sub):
                    wrong.append(f"{path.name}:{call.lineno}")
    assert seen > 15 and wrong == []


def test_a_claim_of_one_training_says_so_after_its_own_note():
    values = np.arange(40) % 2 * 1.0
    own = TARGET.settle_mean({}, values, "share", minimum=0.3)
    plain, noted = of_one_training([own, dataclasses.replace(own, note="Synthetic.")])
    assert (plain.note, noted.note) == (ONE_TRAINING, f"Synthetic. {ONE_TRAINING}")


def test_different_images_make_an_unpaired_claim():
    ours = {"a": np.ones(30), "b": np.zeros(20)}
    found = TARGET.settle_unpaired({}, ours, "share", unit="items", minimum=0.7, strict=True)
    assert found.verdict == "holds" and found.interval[0] == 1 and found.interval[1] < 0.9
    assert found.statistic == "share; a minus b, of 30 and 20 items"


def test_images_of_one_group_count_as_one_draw():
    values = np.repeat([0.0, 1.0, 0.0, 1.0], 25)
    alone = TARGET.settle_mean({}, values, "share", minimum=0.3)
    together = TARGET.settle_mean(
        {}, values, "share", groups=np.repeat(np.arange(4), 25), minimum=0.3
    )
    assert (alone.verdict, together.verdict) == ("holds", "undecided")


def test_any_statistic_with_an_interval_makes_a_claim():
    found = TARGET.settle({"x": 1.0}, {"x": 2.0}, Interval(2.0, 1.5, 2.5), "ratio", maximum=1.0)
    assert found.verdict == "fails" and found.paper == {"x": 1.0}


def test_the_least_of_several_leads_settles_a_claim_about_all_of_them():
    """The first measure leads by 1, the second by 0.1 to 0.3, so the least mean lead is 0.2."""
    second = np.linspace(0.1, 0.3, 40)
    leads = np.stack([np.ones(40), second], axis=1)
    statement = Statement("1", "Best.", "Table 1", "ordering")
    best = statement.settle_least({"a": 1}, {"a": 2.0}, leads, "least lead of a", **MORE)
    assert best.interval[0] == pytest.approx(0.2) and best.verdict == "holds"
    assert best.statistic == "least lead of a, over 40 images"
    worst = statement.settle_least({}, {}, leads - 0.5, "least", groups=np.arange(40) // 2, **MORE)
    assert worst.verdict == "fails" and worst.statistic == "least, over 40 images of 20 patients"
