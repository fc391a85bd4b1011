"""ACAT's presets, tables and claims on made-up numbers, and, slow, smoke runs."""

import dataclasses
import json
import math

import jax
import numpy as np
import pytest
from published_settings import check_published

from cfx_jax.errors import InputError
from cfx_jax.report import write_claims, write_table
from experiments.acat import claims, published, tables
from experiments.acat.__main__ import main
from experiments.acat.config import Config
from experiments.acat.data import UNKNOWN, Scans, StoredFacts, load_scans, split_scans
from experiments.acat.detection import FIELDS, OVERLAPS, Detection
from experiments.acat.map_names import GRADIENT, METHODS, OURS, RANDOM, REFERENCES, WITH_ACAT
from experiments.acat.networks import (
    ACAT,
    ACAT_NETWORK,
    BASELINE,
    GROUPS,
    IN_TABLE_4,
    SCRATCH,
    choose_networks,
)
from experiments.acat.presets import DEMO, PRESETS, SMOKE, TRIED_SEEDS
from experiments.acat.searches import Traces
from experiments.acat.study import KindStudy, Run
from experiments.acat.training import Answers
from experiments.acat.variances import Variances
from experiments.shared import Workspace
from trainers import volume_classifier
from trainers.epochs import by_steps

RNG = np.random.default_rng(0)
PAPER = PRESETS["paper"]
SIDES = ("none", "left", "right", "both")
RELEASED, LATER = "released code", "alessandro-f/Dif-fuse, the first author's later code"
TRAININGS = ("baseline", "from_baseline", "autoencoder")
PUBLISHED = {
    "data": (("mosmed:PATH", "ist3:PATH"), "section 4.1"),
    "shape": ((11, 128, 128), "appendix C"),
    "ist3_shape": ((11, 500, 400), "appendix C, 400 x 500"),
    "train": (0.7, "section 4.1"),
    "test": (0.15, "section 4.1"),
    "seeds": ((0, 1, 2), "section 4.1, three runs"),
    "trunks": (("half_brain", "slice_resnet50"), "section 4.2 and appendix B"),
    "rows": (tuple(GROUPS), "sections 4.3 to 4.7, appendices D and I, released code"),
    "training_sizes": ((50, 100, 200, 300, 500), "Table 4"),
    "baseline.epochs": (200, "appendix C"),
    "baseline.horizontal_flip": (True, RELEASED),
    "baseline.vertical_flip": (True, RELEASED),
    "baseline.optimiser.learning_rate": (1e-4, RELEASED),
    "baseline.select": ("accuracy", RELEASED),
    "from_baseline.epochs": (100, "appendix C"),
    "from_baseline.horizontal_flip": (False, RELEASED),
    "from_baseline.vertical_flip": (False, RELEASED),
    "from_baseline.optimiser.learning_rate": (1e-5, RELEASED),
    **{
        f"{training}.{name}": value
        for training in TRAININGS[:2]
        for name, value in {
            "num_classes": (2, "section 4.3, chests"),
            "in_channels": (1, "section 4.1, computed tomography"),
            "num_slices": (11, "appendix C"),
            "weighted": (True, RELEASED),
            "optimiser.smallest": (1e-7, RELEASED),
            "optimiser.weight_decay": (5e-5, RELEASED),
            "batch_size": (8, RELEASED),
        }.items()
    },
    "autoencoder.width": (128, RELEASED),
    "autoencoder.filters": ((6, 12, 16), "appendix B, three blocks; released code"),
    "autoencoder.decoder_filters": ((16, 12, 12), "appendix B, three blocks; released code"),
    "autoencoder.norms": (True, RELEASED),
    "autoencoder.optimiser.learning_rate": (3e-4, LATER),
    "autoencoder.optimiser.smallest": (1e-7, LATER),
    "autoencoder.optimiser.weight_decay": (0.0, LATER),
    "autoencoder.epochs": (200, LATER),
    "autoencoder.batch_size": (64, LATER),
    "autoencoder.select": ("psnr", RELEASED),
    "search.penalty": (100.0, "section 3.2, after equation 4"),
    "search.reference": ("reconstruction", RELEASED),
    "search.num_steps": (20, "section 3.2, after equation 4"),
    "search.step_size": (0.1, RELEASED),
    "search.proximal": (False, RELEASED),
    "search.quotient": (None, "section 3.2: the penalty is given"),
    "acat_detects": (True, "section 4.4, 68.55 %"),
    "unbounded_steps": ((10.0, 3.0, 1.0, 0.1, 0.01), "appendix F, Figure 6"),
    **{
        f"{training}.{name}": (0, "follows the epochs")
        for training in TRAININGS
        for name in ("num_steps", "evaluate_every", "checkpoint_every", "optimiser.epoch")
    },
}
OURS_ALONE = {
    *("preset", "results", "work", "num_scans", "num_located", "severity", "seed", "batch_size"),
    *("search.minimum_psnr", "num_detected", "num_shown", "from_baseline.select"),
    *(f"{name}.{of}" for name in TRAININGS[:2] for of in ("model", "saliency", "sides")),
    *(f"{name}.{of}" for name in TRAININGS for of in ("eval_batch_size", "log_every", "seed")),
}


def test_the_paper_preset_has_every_published_value():
    check_published(PAPER, PUBLISHED, OURS_ALONE)


def test_every_preset_knows_its_name_and_reports_on_a_fresh_world():
    assert all(config.preset == name for name, config in PRESETS.items())
    assert DEMO.seed not in TRIED_SEEDS and DEMO.seed + 1 not in TRIED_SEEDS


def test_the_printed_figures_are_the_papers():
    # Sums of the columns as they stand in the paper, for misprints here.
    by_training, by_size = published.BY_TRAINING.values(), published.BY_SIZE.values()
    sums = [round(sum(row[size] for row in by_training), 2) for size in (50, 100, 200, 300, 500)]
    assert sums == [285.98, 293.48, 332.34, 354.55, 487.95]
    sums = [round(sum(row[size] for row in by_size), 2) for size in range(5)]
    assert sums == [644.87, 195.99, 417.01, 529.54, 665.57]
    # All but two rows of Tables 6 and 7 are counts of 3 x 64 scans, 78 of them with a finding.
    odd = {"SMIC, latent shift", "SalClassNet, gradient"}
    for name, (sensitivity, specificity) in published.SENSITIVITY.items():
        accuracy = published.ACCURACY[name][published.CHESTS]
        if name not in odd:
            assert (78 * sensitivity + 114 * specificity) / 192 == pytest.approx(
                accuracy, abs=0.02
            ), name


def made_up_scans(labels, *, sides=True, groups=None):
    images = np.zeros((len(labels), 2, 4, 4, 1), np.float32)
    facts = StoredFacts({"image": images})
    classes = SIDES if sides else ("clear", "found")
    return Scans(
        "made up",
        images,
        labels,
        labels,
        classes,
        sides,
        facts,
        note="made up",
        identity=None,
        groups=groups,
    )


def made_up_detection(hits, *, units=None, overlaps=None):
    """Scores by method on as many scans as the first has; what is not given hits nowhere."""
    number = len(hits[OURS])
    unknown = dict.fromkeys(FIELDS, np.full(number, np.nan)) | {"flat": np.zeros(number)}
    scores = {name: unknown | {"hits": np.zeros(number)} for name in (*METHODS, *REFERENCES)}
    for name, values in hits.items():
        scores[name] = scores.get(name, unknown) | {"hits": np.asarray(values, float)}
    for name, values in (overlaps or {}).items():
        scores[name] |= dict.fromkeys(OVERLAPS, np.asarray(values, float))
    units = np.arange(number) if units is None else units
    traces = Traces(
        np.tile(np.linspace(0.9, 0.1, 21), (number, 1)),
        np.full(number, 0.6),
        np.tile([1.0, -1.0], (number, 1)),
        np.full((number, 2), 0.6),
    )
    likeness = {name: np.ones(number) for name in METHODS}
    return Detection(units, scores, likeness, units, traces, None)


def answers_of(seed, labels, decided, *, sizes=None, units=None):
    return Answers(
        seed,
        labels,
        labels if sizes is None else sizes,
        np.arange(len(labels)) if units is None else units,
        decided,
    )


def made_up_study(*counts_right, sides=True, hits=(1, 1, 1, 0, 1, 1), smaller=None):
    """Runs of 64 scans without a finding, by how many of them the baseline is right about.

    ACAT is right about all but one, another one in each run; maps of latent counterfactuals hit as
    given, the others never.
    """
    labels, runs = np.zeros(64, int), []
    for seed, count in enumerate(counts_right):
        decided = {
            BASELINE: np.where(np.arange(64) < count, 0, 1),
            ACAT: (np.arange(64) == seed).astype(int),
        }
        units = 64 * seed + np.arange(64)
        runs.append(
            Run(
                answers_of(seed, labels, decided, units=units),
                {},
                made_up_detection({OURS: np.roll(hits, seed)}),
                None,
            )
        )
    rows = choose_networks(Config(rows=()))
    scans = made_up_scans(labels, sides=sides)
    return KindStudy(scans, rows, {}, tuple(runs), smaller or {}, 30.0, 0, None)


def row_of(table, name):
    columns, rows = table
    (cells,) = [dict(zip(columns, row, strict=True)) for row in rows if row[0] == name]
    return cells


def test_the_standard_error_is_the_papers():
    first = row_of(tables.accuracy_table(made_up_study(38, 45, 47)), BASELINE)
    # Three runs of 64 scans, of which 38, 45 and 47 are right, are printed as 67.71 (3.48).
    assert (round(100 * first["accuracy"], 2), round(100 * first["SE"], 2)) == (67.71, 3.48)
    assert (first["right"], first["scans"], first["best in runs"]) == (130, 192, 0)


def test_differences_of_networks_have_the_spread_of_the_runs():
    acat = row_of(tables.accuracy_table(made_up_study(38, 45, 47)), ACAT)
    # By hand: differences of 25, 18 and 16 of 64; of three runs, other scans in each, Student's
    # with two degrees of freedom.
    differences = np.array([25, 18, 16]) / 64
    half = 4.302653 * differences.std(ddof=1) / np.sqrt(3)
    assert acat["less baseline"] == pytest.approx(
        (differences.mean(), differences.mean() - half, differences.mean() + half)
    )
    assert acat["best in runs"] == 3
    # The same difference in both runs says nothing of other runs.
    same = row_of(tables.accuracy_table(made_up_study(40, 40)), ACAT)["less baseline"]
    assert np.isnan([same.low, same.high]).all()


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


def test_scans_of_unknown_size_are_not_among_the_healthy():
    study = made_up_study(38, 45)
    sizes = np.where(np.arange(64) < 4, UNKNOWN, 0)
    runs = [run._replace(answers=run.answers._replace(sizes=sizes)) for run in study.runs]
    columns, rows = tables.size_table(study._replace(runs=tuple(runs)))
    assert columns == ["network", "size not known (8 scans)", "none (120 scans)", "paper none"]
    assert rows[0][1:] == [1.0, (34 + 41) / 120, pytest.approx(0.8141)]


def test_tables_of_maps_give_counts_and_references():
    study = made_up_study(38, 45)
    ours = row_of(tables.hit_table(study), OURS)
    assert (ours["hits"], ours["scans"], ours["flat"], ours["likeness"]) == (10, 12, 0, 1.0)
    assert ours["paper"] == pytest.approx(0.6505) and ours["inside the lesion"] is None
    assert row_of(tables.hit_table(study), RANDOM)["hit score"] == 0
    assert WITH_ACAT not in tables.compared_maps(study)
    cells = row_of(tables.reach_table(study), OURS)
    assert cells["below 0.2"].estimate == 1 and cells["after one step"] == pytest.approx(0.86)


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


def test_sources_of_maps_rank_by_accuracy_as_by_hits():
    names = {
        "gradient": "maps: gradient",
        "latent shift": "maps: latent shift",
        "Grad-CAM": "maps: Grad-CAM",
    }
    networks, runs = choose_networks(Config(rows=("sources",))), []
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
    rng, rows = np.random.default_rng(0), choose_networks(PAPER)
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
        "Table 1, size 4, best",
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
        "Table 1, size 3, best": ("ordering", "Table 1"),
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


def test_rows_are_the_groups_between_baseline_and_acat():
    config = Config(rows=("components", "controls"))
    names = [row.name for row in choose_networks(config)]
    assert names[0] == BASELINE and names[-1] == ACAT and len(names) == 2 + 3 + 6
    assert set(published.ACCURACY) <= {
        BASELINE,
        ACAT,
        *(row.name for group in GROUPS.values() for row in group),
    }


def test_parts_are_disjoint_and_change_with_the_seed():
    scans = made_up_scans(np.repeat([0, 1, 2], 40))
    parts = split_scans(SMOKE, scans, 0)
    assert sorted(np.concatenate(parts)) == list(range(120))
    assert not np.array_equal(parts.test, split_scans(SMOKE, scans, 1).test)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"data": "heads"},
            "--data: expected 'stroke', 'lung', 'mosmed:PATH' or 'ist3:PATH', got 'heads'",
        ),
        (
            {"data": "stroke", "shape": (3, 32, 40)},
            "--shape: expected square slices of a synthetic world",
        ),
    ],
)
def test_impossible_scans_are_refused(tmp_path, options, message):
    kind = options.pop("data")
    with pytest.raises(InputError, match=message):
        load_scans(dataclasses.replace(SMOKE, **options), kind, Workspace(tmp_path))


def test_impossible_options_are_refused():
    with pytest.raises(InputError, match="--rows: expected one of 'competitors'"):
        choose_networks(Config(rows=("rivals of",)))
    with pytest.raises(InputError, match="--train, --test: expected a sum below 1"):
        split_scans(
            dataclasses.replace(SMOKE, train=0.9, test=0.2), made_up_scans(np.zeros(9, int)), 0
        )


@pytest.mark.slow
def test_a_smoke_run_of_heads_writes_everything_and_a_second_start_reads_it(tmp_path, capsys):
    config = dataclasses.replace(
        SMOKE,
        data=("stroke",),
        training_sizes=(20,),
        results=str(tmp_path / "r"),
        work=str(tmp_path / "w"),
    )
    main(config)
    (folder,) = (tmp_path / "r" / "acat").iterdir()
    written = {path.name for path in folder.iterdir()}
    names = (
        "1_sizes",
        "2_accuracy",
        "3_variances",
        "4_training_sizes",
        "5_overlap",
        "7_sensitivity",
        "hits",
    )
    assert {f"table_{name}_stroke.csv" for name in names} <= written
    names = ("2_attention", "3_maps", "5_searches", "6_steps", "6_images", "7_counterfactuals")
    assert {f"figure_{name}_stroke.png" for name in names} | {
        "report.html",
        "claims.json",
    } <= written
    made = json.loads((folder / "claims.json").read_text())["claims"]
    assert {"accuracy, baseline (stroke)", "Figure 5, reached (stroke)"} <= {
        claim["id"] for claim in made
    }
    assert all("Synthetic" in claim["note"] for claim in made)
    assert all(claim["place"] for claim in made if claim["kind"] != "target")
    capsys.readouterr()
    main(config)
    assert "..." not in capsys.readouterr().out


@pytest.mark.slow
def test_a_smoke_run_of_chests_compares_maps_with_masks(tmp_path):
    work = {"results": str(tmp_path / "r"), "work": str(tmp_path / "w")}
    main(dataclasses.replace(SMOKE, data=("lung",), rows=(), **work))
    (folder,) = (tmp_path / "r" / "acat").iterdir()
    written = {path.name for path in folder.iterdir()}
    names = {"2_accuracy", "3_variances", "5_overlap", "7_sensitivity"}
    assert {f"table_{name}_lung.csv" for name in names} | {
        "figure_3_maps_lung.png",
        "report.html",
    } <= written
    made = json.loads((folder / "claims.json").read_text())["claims"]
    assert {"accuracy, baseline (lung)", "Figure 5, reached (lung)"} <= {
        claim["id"] for claim in made
    }


@pytest.mark.slow
def test_the_published_acat_takes_two_steps_at_full_size():
    config = dataclasses.replace(PAPER.from_baseline, saliency=True, num_slices=PAPER.shape[0])
    config = by_steps(config, num_images=298)
    factory = ACAT_NETWORK.factory("slice_resnet50", PAPER.shape)
    batch = {
        "image": RNG.random((config.batch_size, *PAPER.shape, 1), np.float32),
        "saliency": RNG.random((config.batch_size, *PAPER.shape, 1), np.float32),
        "label": np.arange(config.batch_size) % 2,
    }
    state = volume_classifier.init(jax.random.key(0), config, model=factory)
    step = jax.jit(volume_classifier.make_step(config, model=factory))
    losses = []
    for number in range(2):
        state, metrics = step(state, jax.random.key(number), batch)
        losses.append(float(metrics["loss"]))
    assert np.isfinite(losses).all() and losses[0] != losses[1]
