"""Ours beside the peers': results are compared before anything is timed, and turns are taken."""

import json
from pathlib import Path

import numpy as np
import pytest

from benchmarks.peers import __main__ as peers
from benchmarks.peers import case as cases
from benchmarks.peers.comparisons import COMPARISONS
from cfx_jax.errors import InputError


def a_case(ours, peer, *, is_main=True):
    """A case of two values; each call writes down whose it is."""
    calls = []

    def make(side, value):
        def call():
            calls.append(side)
            return np.array([value])

        return lambda folder: call

    sides = make("ours", ours), make("peer", peer)
    difference = cases.relative_difference
    return cases.Case("sum", "other", {"images": 2}, *sides, difference, 0.1, is_main), calls


def test_sides_take_turns_and_every_other_pair_is_reversed(tmp_path):
    case, calls = a_case(1.0, 1.05)
    pairs = cases.measure(case, tmp_path, num_pairs=3)
    assert calls == ["peer", "ours", "ours", "peer", "peer", "ours", "ours", "peer"]
    assert pairs.wall.shape == pairs.processor.shape == (3, 2) and (pairs.wall > 0).all()
    assert pairs.difference == pytest.approx(0.05 / 1.05)


@pytest.mark.parametrize("ours", [1.3, float("nan")])
def test_results_that_differ_are_not_timed(tmp_path, ours):
    case, calls = a_case(ours, 1.0)
    with pytest.raises(InputError, match=r"sum: expected results within 0\.1 of other's, got"):
        cases.measure(case, tmp_path, num_pairs=3)
    assert len(calls) == 2


def test_rows_of_a_run_stand_beside_those_of_other_comparisons(tmp_path, monkeypatch):
    main, growth = a_case(1.0, 1.0)[0], a_case(1.0, 1.0, is_main=False)[0]
    monkeypatch.setitem(COMPARISONS, "first", lambda: [main, growth])
    monkeypatch.setitem(COMPARISONS, "second", lambda: [main, growth])
    monkeypatch.setattr(peers, "_keep_programs_in", lambda folder: None)
    path = tmp_path / "peers.json"
    for name, growth_pairs in (("first", 1), ("second", 0)):
        peers.main(peers.Config((name,), 2, growth_pairs, memory=False, output=str(path)))
    held = json.loads(path.read_text())["comparisons"]
    assert [len(held[name]["rows"]) for name in ("first", "second")] == [2, 1]
    row = dict(zip(held["first"]["columns"], held["first"]["rows"][0], strict=True))
    assert row["size"] == "2 images" and row["call GiB"] is None and row["ratio"] > 0
    assert held["second"]["settings"]["comparisons"] == ["second"]


def test_every_comparison_has_main_cases_first_and_says_its_sizes():
    for make in COMPARISONS.values():
        made = make()
        main = [case.is_main for case in made]
        assert main[0] and all(all(count > 0 for count in case.size.values()) for case in made)
        assert [case.size for case in made] == [case.size for case in make()]


@pytest.mark.slow
def test_memory_of_one_side_is_measured_in_a_process_of_its_own(tmp_path):
    found = cases.memory_alone("metrics", 2, "ours", Path(tmp_path))
    assert 0.05 < found["process"] < 8 and 0 <= found["call"] < found["process"]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("comparison", "number", "modules"),
    [
        ("latent_shift", 2, ("latentshift",)),
        ("metrics", 1, ("torchmetrics",)),
        ("metrics", 2, ("torchmetrics",)),
        ("attacks", 1, ("torchattacks",)),
    ],
)
def test_a_comparison_agrees_with_its_peer(tmp_path, comparison, number, modules):
    for module in ("torch", *modules):
        pytest.importorskip(module, reason="the extra 'parity' is not installed")
    case = COMPARISONS[comparison]()[number]
    assert cases.measure(case, tmp_path, num_pairs=1).difference <= case.tolerance
