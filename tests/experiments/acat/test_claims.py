"""ACAT's claims, on made-up numbers."""

import math

import numpy as np
import pytest
from acat_results import answers_of, made_up_detection, made_up_scans, made_up_study, row_of

from cfx_jax.report import write_claims, write_table
from experiments.acat import claims, tables
from experiments.acat.maps import GRADIENT, METHODS, OURS, RANDOM, WITH_ACAT
from experiments.acat.maps.names import DARKEST, EDGES
from experiments.acat.networks import (
    ACAT,
    AS_LONG,
    BASELINE,
    GROUPS,
    IN_TABLE_4,
    SCRATCH,
    TRUE_PLACES,
    choose_networks,
)
from experiments.acat.presets import PRESETS
from experiments.acat.study import KindStudy, Run
from experiments.acat.variances import Variances

PAPER = PRESETS["paper"]


def claims_by_id(study):
    return {claim.id.removesuffix(" (made up)"): claim for claim in claims.claims_of_kind(study)}


def test_claims_hold_where_the_runs_agree():
    judged = claims_by_id(made_up_study(38, 45, 47, 40))
    assert judged["accuracy, baseline"].verdict == judged["Table 1, size 0"].verdict == "holds"
    assert (
        judged["hit score, gradient"].verdict == "holds"
    )  # the same scans in all runs, another one missed in each
    assert judged["Figure 5, latent shift"].verdict == "holds"
    # Six searches that all reach it: Wilson's interval ends at 0.61, so 90 % are not shown.
    assert judged["Figure 5, reached"].verdict == "undecided"
    assert claims_by_id(made_up_study(38, 38))["accuracy, baseline"].verdict == "undecided"
    one_run = claims_by_id(made_up_study(38))
    assert {
        one_run[name].verdict
        for name in ("accuracy, baseline", "Table 1, size 0", "hit score, gradient")
    } == {"undecided"}


def test_claims_say_whose_they_are():
    judged = claims_by_id(made_up_study(38, 45, 47))
    assert judged["accuracy, baseline"].kind == judged["Table 1, size 0"].kind == "statement"
    assert judged["accuracy, baseline"].place == "section 4.3"
    assert judged["Figure 5, latent shift"].place == "appendix F"
    assert judged["Figure 5, reached"].kind == judged[f"hit score, {RANDOM}"].kind == "target"
    assert judged["hit score, gradient"].paper == {OURS: 0.6505, GRADIENT: 0.6129}
    assert judged["accuracy, baseline"].paper == pytest.approx({ACAT: 0.7255, BASELINE: 0.7139})


def test_claims_draw_patients_and_not_scans():
    study = made_up_study(38, 45, 47)
    pairs = [
        run._replace(detection=run.detection._replace(search_units=np.arange(6) // 2))
        for run in study.runs
    ]
    claim = claims_by_id(study._replace(runs=tuple(pairs)))["Figure 5, latent shift"]
    assert "18 searches of 3 patients" in claim.statistic and claim.verdict != "fails"


def test_sensitivities_are_means_over_runs_with_counts():
    labels = np.array([1, 1, 1, 1, 0, 0])
    decided = [np.array([1, 1, 1, 0, 0, 1]), np.array([1, 0, 0, 0, 0, 0])]
    study = made_up_study(38, 45, sides=False)
    runs = [
        run._replace(answers=answers_of(seed, labels, {BASELINE: classes, ACAT: labels}))
        for seed, (run, classes) in enumerate(zip(study.runs, decided, strict=True))
    ]
    cells = row_of(tables.sensitivity_table(study._replace(runs=tuple(runs))), BASELINE)
    assert (cells["sensitivity"], cells["specificity"]) == (0.5, 0.75)
    assert cells["SE"] == pytest.approx(0.25 / math.sqrt(2)) and cells["SE of it"] == pytest.approx(
        0.25 / math.sqrt(2)
    )
    assert [cells[name] for name in ("TP", "FN", "TN", "FP")] == [4, 4, 3, 1]
    assert cells["paper"] == pytest.approx(0.7308) and cells["paper specificity"] == pytest.approx(
        0.6403
    )
    judged = claims_by_id(study._replace(runs=tuple(runs)))
    assert judged["Table 7, sensitivity, baseline and ACAT"].interval[0] == -0.5
    assert judged["Table 7, specificity, ACAT and baseline"].interval[0] == 0.25


def test_variances_are_compared_by_their_ratio_from_the_second_layer_on():
    layers = np.arange(1.0, 8)
    runs = [
        run._replace(
            variances={
                BASELINE: Variances(layers, 10 * layers),
                SCRATCH: Variances(
                    layers / factor * np.array([1e6, *np.ones(6)]), layers / factor / more
                ),
            }
        )
        for run, factor, more in zip(
            made_up_study(38, 45, 47).runs, (8, 10, 12), (5, 10, 20), strict=True
        )
    ]
    judged = claims_by_id(made_up_study(38, 45, 47)._replace(runs=tuple(runs)))
    assert judged["Table 3, plain"].interval[0] == pytest.approx(np.log10([8, 10, 12]).mean())
    assert judged["Table 3, plain"].verdict == "holds"
    # Under noise the ratio is 50, 100 and 200 times as large.
    assert (
        judged["Table 3, noisy"].ours["log10 of the ratio"] == pytest.approx(2)
        and judged["Table 3, noisy"].verdict == "holds"
    )
    # The paper's seven layers, by hand from the second on.
    plain = np.log10(
        [17.68 / 0.03, 7.22 / 0.09, 0.97 / 0.04, 1.91 / 0.15, 3.05 / 0.05, 0.23 / 0.17]
    ).mean()
    assert judged["Table 3, plain"].paper["log10 of the ratio"] == pytest.approx(plain)


def test_smaller_trainings_have_a_table_and_claims():
    labels = np.zeros(8, int)
    smaller = {
        50: tuple(
            answers_of(
                seed, labels, {BASELINE: (np.arange(8) < 4 + seed).astype(int), ACAT: labels}
            )
            for seed in range(3)
        )
    }
    study = made_up_study(38, 45, 47, smaller=smaller)
    cells = row_of(tables.training_size_table(study), BASELINE)
    assert cells["accuracy of 50 scans"] == pytest.approx(3 / 8) and cells[
        "paper 50"
    ] == pytest.approx(0.3484)
    assert cells["SE of 50 scans"] == pytest.approx(np.std([4 / 8, 3 / 8, 2 / 8]) / math.sqrt(3))
    judged = claims_by_id(study)
    assert judged["Table 4, 50 scans, baseline"].ours == {ACAT: 1.0, BASELINE: 3 / 8}
    assert (
        judged["Table 4, 50 scans, baseline"].kind == "ordering"
        and "Table 4, 50 scans, best" not in judged
    )


def test_acat_as_classifier_is_compared_with_the_baselines_maps():
    study = made_up_study(38, 45, 47)
    runs = []
    for seed, run in enumerate(study.runs):
        hits = {
            OURS: np.roll([1, 0, 0, 0, 0, 0], seed),
            WITH_ACAT: np.roll([1, 1, 1, 1, 1, 0], seed),
        }
        runs.append(run._replace(detection=made_up_detection(hits)))
    claim = claims_by_id(study._replace(runs=tuple(runs)))[f"hit score, {WITH_ACAT}"]
    assert claim.paper == {WITH_ACAT: 0.6855, OURS: 0.6505} and claim.verdict == "holds"
    assert row_of(tables.hit_table(study._replace(runs=tuple(runs))), WITH_ACAT)[
        "hit score"
    ] == pytest.approx(5 / 6)


def test_a_highest_voxel_inside_of_the_lesion_is_compared_with_the_controls():
    """Ours lies inside in 5 of 6 scans of any run, the darkest voxel in none; edges are unknown."""
    study, runs = made_up_study(38, 45, 47), []
    for seed, run in enumerate(study.runs):
        detection = made_up_detection({OURS: np.ones(6)})
        inside = {OURS: np.roll([1, 1, 1, 1, 1, 0], seed), DARKEST: np.zeros(6)}
        scores = {
            name: values | ({"inside": inside[name].astype(float)} if name in inside else {})
            for name, values in detection.scores.items()
        }
        runs.append(run._replace(detection=detection._replace(scores=scores)))
    judged = claims_by_id(study._replace(runs=tuple(runs)))
    claim = judged[f"inside the lesion, {DARKEST}"]
    assert claim.ours == pytest.approx({OURS: 5 / 6, DARKEST: 0})
    assert claim.kind == "target" and claim.verdict == "holds"
    assert f"inside the lesion, {EDGES}" not in judged


def test_sources_of_maps_rank_by_accuracy_as_by_hits():
    names = {
        "gradient": "maps: gradient",
        "latent shift": "maps: latent shift",
        "Grad-CAM": "maps: Grad-CAM",
    }
    networks, runs = choose_networks(("sources",)), []
    study = made_up_study(38, 45, 47)._replace(networks=networks)
    for seed, run in enumerate(study.runs):
        share = {OURS: 6, "gradient": 5, "latent shift": 4, "Grad-CAM": 3}
        if seed == 2:  # in the last run the two in the middle change places
            share |= {"gradient": 4, "latent shift": 5}
        hits = {source: (np.arange(6) < number - 1).astype(int) for source, number in share.items()}
        order = (BASELINE, *names.values(), ACAT)
        correct = {
            BASELINE: 30,
            ACAT: 60,
            "maps: gradient": 50,
            "maps: latent shift": 45,
            "maps: Grad-CAM": 35,
        }
        decided = {name: (np.arange(64) >= correct[name]).astype(int) for name in order}
        answers = answers_of(seed, np.zeros(64, int), decided)
        runs.append(run._replace(answers=answers, detection=made_up_detection(hits)))
    judged = claims_by_id(study._replace(runs=tuple(runs)))
    # Spearman's coefficient of four with two neighbours exchanged: 1 - 6 * 2 / 60.
    assert judged["section 4.5, order of sources"].interval[0] == pytest.approx((1 + 1 + 0.8) / 3)
    assert judged["section 4.5, order of sources"].verdict == "holds"
    assert {
        "section 4.5, maps: gradient over maps: latent shift",
        "section 4.5, maps: latent shift over maps: Grad-CAM",
    } <= set(judged)


def test_maps_at_the_level_of_a_control_are_said_to_be_there():
    study, runs = made_up_study(38, 45, 47), []
    for seed, run in enumerate(study.runs):
        hits = {
            OURS: np.roll([1, 1, 1, 0, 1, 1], seed),
            GRADIENT: np.roll([1, 0, 0, 0, 0, 1], seed),
            DARKEST: np.roll([1, 1, 0, 0, 0, 1], seed),
        }
        runs.append(run._replace(detection=made_up_detection(hits)))
    study = study._replace(runs=tuple(runs))
    cells = {name: row_of(tables.hit_table(study), name) for name in (OURS, GRADIENT, DARKEST)}
    assert cells[OURS]["lead on the controls"][0] == pytest.approx(1 / 3)
    assert cells[GRADIENT]["lead on the controls"][0] == pytest.approx(-1 / 6)
    assert cells[GRADIENT]["level"] == f"at the level of {DARKEST}"
    assert cells[DARKEST]["level"] == "" and cells[DARKEST]["lead on the controls"] is None
    note = claims_by_id(study)["hit score, gradient"].note
    assert f"{GRADIENT}: at the level of {DARKEST} (a control), 0.333 against 0.5" in note


def test_networks_at_the_level_of_a_control_are_said_to_be_there():
    study, runs = made_up_study(38, 45, 47), []
    longer = next(network for network in GROUPS["controls"] if network.name == AS_LONG)
    places = next(network for network in GROUPS["controls"] if network.name == TRUE_PLACES)
    for seed, run in enumerate(study.runs):
        # ACAT is wrong once in each run: the baseline trained as long is so too, elsewhere.
        decided = dict(run.answers.decided)
        decided[AS_LONG] = (np.arange(64) == 10 + seed).astype(int)
        decided[TRUE_PLACES] = np.zeros(64, int)
        runs.append(run._replace(answers=run.answers._replace(decided=decided)))
    networks = (*study.networks, longer, places)
    study = study._replace(runs=tuple(runs), networks=networks)
    cells = {name: row_of(tables.accuracy_table(study), name) for name in networks_of(study)}
    assert cells[ACAT]["lead on the controls"][0] == pytest.approx(0)
    assert not cells[ACAT]["level"].startswith("above")
    assert {cells[name]["level"] for name in (BASELINE, AS_LONG, TRUE_PLACES)} == {""}
    assert f"ACAT: {cells[ACAT]['level']}" in claims_by_id(study)["accuracy, baseline"].note


def networks_of(study):
    return [network.name for network in study.networks]


def test_overlaps_are_claims_of_chests():
    study = made_up_study(38, 45, 47, sides=False)
    runs = []
    for seed, run in enumerate(study.runs):
        overlaps = {name: 0.5 + 0.01 * np.arange(6) for name in METHODS}
        overlaps[OURS] = 0.6 + 0.01 * np.arange(6) + 0.01 * seed
        overlaps[RANDOM] = np.full(6, 0.7)
        runs.append(
            run._replace(detection=made_up_detection({OURS: np.full(6, np.nan)}, overlaps=overlaps))
        )
    study = study._replace(runs=tuple(runs))
    judged = claims_by_id(study)
    assert (
        judged["Table 5, gradient"].interval[0] == pytest.approx(0.11)
        and judged["Table 5, gradient"].verdict == "holds"
    )
    assert (
        judged[f"Table 5, {RANDOM}"].kind == "target"
        and judged[f"Table 5, {RANDOM}"].verdict == "fails"
    )
    cells = row_of(tables.overlap_table(study), OURS)
    assert (
        cells["Dice"] == pytest.approx(0.635)
        and cells["paper Dice"] == 0.5372
        and cells["scans"] == 18
    )
    assert not any(name.startswith("hit score") for name in judged)


@pytest.mark.parametrize("sides", [True, False])
def test_a_study_of_all_networks_makes_every_claim_and_table(sides, tmp_path):
    rng, rows = np.random.default_rng(0), choose_networks(PAPER.rows)
    sizes = np.tile(np.arange(5), 10)
    labels = np.where(sizes > 0, 1, 0)

    def answers(seed, names):
        return answers_of(
            seed, labels, {name: rng.integers(0, 2, 50) for name in names}, sizes=sizes
        )

    everything, few = [row.name for row in rows], IN_TABLE_4
    runs = []
    for seed in range(3):
        scores = {name: rng.random(6) for name in (*METHODS, WITH_ACAT, RANDOM)}
        overlaps = {name: rng.random(6) for name in (*METHODS, RANDOM)}
        variances = {
            name: Variances(*rng.uniform(1, 2, (2, 7))) for name in (BASELINE, ACAT, SCRATCH)
        }
        runs.append(
            Run(
                answers(seed, everything),
                variances,
                made_up_detection(scores, overlaps=overlaps),
                None,
            )
        )
    smaller = {
        size: tuple(answers(seed, few) for seed in range(3))
        for size in PAPER.training_sizes
        if sides
    }
    scans = made_up_scans(labels, sides=sides)
    study = KindStudy(scans, rows, {}, tuple(runs), smaller, 30.0, 0, None)
    made = claims.claims_of_kind(study)
    write_claims(tmp_path / "claims.json", made)  # refuses ids that are used twice
    about = " ".join(claim.id for claim in made)
    printed = (
        "accuracy, SMIC",
        "dropout 0.2, below the baseline",
        "best of runs",
        "control, maps: zero",
        "Figure 5, reached",
    )
    of_heads = (
        "Table 1, size 4, baseline",
        "Table 3, noisy",
        "Table 4, 500 scans, best",
        "hit score, ACAT as classifier",
        "section 4.5",
    )
    of_chests = (
        "Table 5, no bound",
        "Table 6, SMIC",
        "Table 7, specificity, ACAT and baseline",
        "accuracy, no fusion",
    )
    assert all(name in about for name in (*printed, *(of_heads if sides else of_chests)))
    assert not any(name in about for name in (of_chests if sides else of_heads[:3]))
    told = {
        claim.id.removesuffix(" (made up)"): (claim.kind, claim.place.partition(" (")[0])
        for claim in made
    }
    assert told["accuracy, SMIC"] == ("statement", "section 4.3")
    # Section 4.3 names the sizes on which ACAT is best; that the baseline is on the others is the
    # table's.
    expected = {
        "accuracy, maps: gradient": ("statement", "section 4.5, first paragraph"),
        "Table 1, size 2, best": ("statement", "Table 1 and section 4.3"),
        "Table 1, size 3, baseline": ("ordering", "Table 1"),
    }
    of_chests = {
        "accuracy, no fusion": ("statement", "section 4.5, second paragraph"),
        "accuracy, HSM released, latent shift": ("statement", "appendix I, first paragraph"),
        "accuracy, HSM released, gradient": ("ordering", "Tables 2 and 6"),
    }
    expected = expected if sides else of_chests
    assert {name: told[name] for name in expected} == expected
    held = [
        claim.statistic
        for claim in made
        if claim.id.startswith(("Table 1, larger", "Table 3", "section 4.5, order"))
    ]
    assert len(held) == (4 if sides else 1) and all(
        "test images held fixed" in statistic for statistic in held
    )
    # What is said to be the paper's agrees with the figures that it prints, as shares.
    for claim in made:
        figures = [value for value in claim.paper.values() if not isinstance(value, str)]
        assert claim.paper or claim.kind == "target", claim.id
        assert all(0 < value <= 1 for value in figures) or "log10" in claim.statistic, claim.id
        assert len(figures) < 2 or figures[0] > figures[1], claim.id
    makers = [
        tables.accuracy_table,
        tables.sensitivity_table,
        tables.hit_table,
        tables.overlap_table,
        tables.variance_table,
    ]
    makers += [tables.size_table, tables.training_size_table] if sides else []
    for maker in makers:
        columns, cells = maker(study)
        assert all(len(row) == len(columns) for row in cells)
        write_table(tmp_path / maker.__name__, columns, cells)
    assert "maps: true places" in {row[0] for row in tables.accuracy_table(study)[1]}
