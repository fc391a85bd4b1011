"""Verdicts follow from intervals, and failing claims are written like the others."""

import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cfx_jax.errors import InputError
from cfx_jax.metrics import bootstrap_interval
from cfx_jax.report import Claim, format_claims, verdict, write_claims
from cfx_jax.report.claims import summary

FINITE = st.floats(-10, 10)


def claim(**changes):
    base = {
        "id": "iou",
        "text": "Robust maps meet lesions better.",
        "paper": {"plain": 0.07, "robust": (0.13, 0.06)},
        "ours": {"plain": np.float32(0.5), "robust": float("nan")},
        "interval": (0.1, 0.05, 0.15),
        "verdict": "holds",
    }
    return Claim(**{**base, **changes})


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [(0.1, 0.2, "holds"), (-0.2, -0.1, "fails"), (-0.1, 0.1, "undecided"), (0.0, 0.1, "holds")],
)
def test_one_sided_verdict(low, high, expected):
    assert verdict(((low + high) / 2, low, high), minimum=0) == expected
    mirrored = verdict((-(low + high) / 2, -high, -low), maximum=0)
    assert mirrored == expected


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        (-0.005, 0.005, "holds"),
        (0.02, 0.03, "fails"),
        (-0.03, -0.02, "fails"),
        (0.0, 0.02, "undecided"),
    ],
)
def test_two_sided_verdict(low, high, expected):
    assert verdict((0.0, low, high), minimum=-0.01, maximum=0.01) == expected


def test_strict_claim_is_contradicted_by_equality():
    assert verdict((0.0, 0.0, 0.0), minimum=0) == "holds"
    assert verdict((0.0, 0.0, 0.0), minimum=0, strict=True) == "fails"
    assert verdict((0.1, 0.0, 0.2), minimum=0, strict=True) == "undecided"
    assert verdict((-0.1, -0.2, 0.0), minimum=0, strict=True) == "fails"


@given(ends=st.tuples(FINITE, FINITE).map(sorted), bounds=st.tuples(FINITE, FINITE).map(sorted))
def test_verdict_agrees_with_sampled_values(ends, bounds):
    values = np.linspace(ends[0], ends[1], 50)
    values[-1] = ends[1]
    inside = (values >= bounds[0]) & (values <= bounds[1])
    got = verdict((ends[0], *ends), minimum=bounds[0], maximum=bounds[1])
    assert (got == "holds") == inside.all()
    assert got != "fails" or not inside.any()


def test_unknown_ends_leave_a_claim_undecided():
    assert verdict((0.0, math.nan, math.nan), minimum=0) == "undecided"


@pytest.mark.parametrize(
    ("interval", "bounds", "message"),
    [
        ((0.1, 0.2), {"minimum": 0}, r"\(estimate, low, high\), got 2 numbers"),
        ((0.1, 0.2, 0.1), {"minimum": 0}, "low <= high"),
        ((0.1, 0.0, 0.2), {}, "a verdict needs a bound"),
        (
            (0.1, 0.0, 0.2),
            {"minimum": 1, "maximum": 0},
            "minimum must not exceed maximum, got 1 and 0",
        ),
    ],
)
def test_verdict_refuses_what_it_cannot_judge(interval, bounds, message):
    with pytest.raises(InputError, match=message):
        verdict(interval, **bounds)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"verdict": "true"}, "unknown verdict 'true': choose holds or fails or undecided"),
        ({"id": ""}, "a claim needs an id and a text"),
        ({"text": ""}, "a claim needs an id and a text"),
        ({"kind": "wish"}, "unknown kind 'wish': choose statement or ordering or target"),
        ({"kind": "ordering"}, "claim iou: what the paper says needs a place, e.g. 'Table 2'"),
        ({"interval": (0.1, 0.2)}, "got 2 numbers"),
    ],
)
def test_incomplete_claim_is_refused(changes, message):
    with pytest.raises(InputError, match=message):
        claim(**changes)


def test_file_holds_every_claim_and_counts_the_paper_apart_from_our_targets(tmp_path):
    claims = [
        claim(kind="statement", place="section 4"),
        claim(id="b", verdict="fails", kind="ordering", place="Table 2"),
        claim(id="c", verdict="undecided", interval=None),
    ]
    path = write_claims(tmp_path / "claims.json", claims, note="synthetic data")
    read = json.loads(path.read_text(encoding="utf-8"))
    assert read["summary"] == summary(claims)
    assert read["summary"]["paper"] == {"holds": 1, "fails": 1, "undecided": 0}
    assert read["summary"]["targets"] == {"holds": 0, "fails": 0, "undecided": 1}
    assert [(c["kind"], c["place"]) for c in read["claims"]] == [
        ("statement", "section 4"),
        ("ordering", "Table 2"),
        ("target", ""),
    ]
    assert read["note"] == "synthetic data"
    assert [c["id"] for c in read["claims"]] == ["iou", "b", "c"]
    assert read["claims"][0]["paper"] == {"plain": 0.07, "robust": [0.13, 0.06]}
    assert read["claims"][0]["ours"] == {"plain": 0.5, "robust": None}
    assert read["claims"][0]["interval"] == {"estimate": 0.1, "low": 0.05, "high": 0.15}
    assert read["claims"][2]["interval"] is None


def test_file_is_json_that_strict_readers_accept(tmp_path):
    path = write_claims(tmp_path / "c.json", [claim(interval=(math.nan, -math.inf, math.inf))])

    def refuse(name):
        raise AssertionError(name)

    json.loads(path.read_text(), parse_constant=refuse)


def test_bootstrap_interval_can_be_used_as_it_is(tmp_path):
    interval = bootstrap_interval(np.random.default_rng(0).normal(1, 0.1, 50))
    path = write_claims(
        tmp_path / "c.json", [claim(interval=interval, verdict=verdict(interval, minimum=0))]
    )
    (read,) = json.loads(path.read_text())["claims"]
    assert (read["interval"], read["verdict"]) == (interval._asdict(), "holds")


def test_claims_with_one_id_are_refused(tmp_path):
    with pytest.raises(InputError, match="claims need different ids, used more than once: iou"):
        write_claims(tmp_path / "c.json", [claim(), claim()])


def test_figure_of_another_type_is_refused(tmp_path):
    with pytest.raises(InputError, match="a claim's figure is a string, a number, None or a tuple"):
        write_claims(tmp_path / "c.json", [claim(ours={"a": object()})])
    assert list(tmp_path.iterdir()) == []


def test_console_text_has_one_line_per_claim():
    lines = format_claims([claim(), claim(id="b", verdict="fails", interval=None)]).splitlines()
    assert lines[2].split()[:4] == ["holds", "iou", "target", "0.100"]
    assert lines[3].split()[:4] == ["fails", "b", "target", "n/a"]
