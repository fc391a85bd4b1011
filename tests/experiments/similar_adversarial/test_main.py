"""The experiment on similar and adversarial images: its rows, its claims from made-up numbers; and,
slow, whole runs.
"""

import dataclasses
import json
from functools import partial
from types import SimpleNamespace

import numpy as np
import pytest
from image_folders import write_folder
from visible_text import visible_text

from cfx_jax.diagnosis import Finding
from cfx_jax.errors import InputError
from cfx_jax.losses import PUBLISHED_WEIGHTS
from cfx_jax.metrics import Interval, bootstrap_interval, paired_difference_interval
from experiments.charachon_shared import (
    AVERAGED,
    PAIRS,
    RANDOM,
    Groups,
    Localisation,
    Maps,
    PairGenerator,
    Quality,
    Setup,
)
from experiments.shared import ImageSet, StoredImages, Workspace, results_folder
from experiments.shared.controls import CHANGE, EDGES
from experiments.similar_adversarial import published, tables
from experiments.similar_adversarial.__main__ import main
from experiments.similar_adversarial.boxes import find_boxes
from experiments.similar_adversarial.claims import make_claims
from experiments.similar_adversarial.compared_generators import NAIVE, NAMES, OURS, row_settings
from experiments.similar_adversarial.presets import DEMO, PRESETS, SMOKE
from experiments.similar_adversarial.study import Marked, Run, Study, run_study

PERCENTILES = published.PERCENTILES


@pytest.fixture(autouse=True)
def few_resamples(monkeypatch):
    few = {"num_resamples": 200}
    places = "shared.claims", "charachon_shared.tables", "similar_adversarial.claim_comparisons"
    for place in places:
        monkeypatch.setattr(
            f"experiments.{place}.bootstrap_interval", partial(bootstrap_interval, **few)
        )
    fewer = partial(paired_difference_interval, **few)
    monkeypatch.setattr("experiments.shared.claims.paired_difference_interval", fewer)


COUNT = 20


def test_every_preset_knows_its_name():
    assert {name: config.preset for name, config in PRESETS.items()} == {
        name: name for name in PRESETS
    }


@pytest.mark.parametrize("name", NAMES)
def test_rows_are_trained_as_table_1_says(name):
    base = DEMO.similar_adversarial
    settings = row_settings(name, base, duo_batch_size=base.run.batch_size // 4)
    assert settings.weights.adversarial_class == base.weights.adversarial_class
    kind = "naive" if name == NAIVE else name.split()[0].lower()
    share = 4 if kind == "duo" else 1
    assert (settings.generator, settings.run.batch_size) == (kind, base.run.batch_size // share)
    # Every row sees as many images, looks at itself after as many, and waits as long for a lower
    # loss.
    for steps in ("num_steps", "evaluate_every", "checkpoint_every", "steps_per_epoch"):
        assert getattr(settings.run, steps) == share * getattr(base.run, steps)
    assert settings.optimiser == base.optimiser
    assert len(settings.head_filters) == (1 if "AE1" in name else 2)
    if name != NAIVE:
        shared = {"similar_class": 1.0, "adversarial_class": 1.0}
        published_row = dataclasses.replace(PUBLISHED_WEIGHTS[name], **shared)
        assert dataclasses.replace(settings.weights, **shared) == published_row
    if name == OURS:
        assert settings == base


def test_unknown_generators_are_refused(tmp_path):
    for names in (("Trio AE",), (OURS,)):
        with pytest.raises(InputError, match="--generators: expected some of Adv"):
            run_study(dataclasses.replace(DEMO, generators=names), Workspace(tmp_path))


def test_results_of_other_settings_have_a_folder_of_their_own():
    assert (
        str(results_folder("similar_adversarial", DEMO, PRESETS))
        == "results/similar_adversarial/demo"
    )
    changed = dataclasses.replace(DEMO, num_averaged=3)
    assert results_folder("similar_adversarial", changed, PRESETS).name.startswith("demo-")


PLAIN = published.PSNR.keys()
UNPRINTED = {"Duo AE (TV)": (0.250, 0.155), "Duo AE (TV)" + AVERAGED: (0.350, 0.250)}
"""Areas that the paper does not print, a little below the others."""
AUCS = UNPRINTED | published.AUC
RUNS = 3


def near(rng, level, scale=1e-5, count=COUNT):
    return level + scale * rng.standard_normal(count)


def localisation(rng, iou, areas):
    by_percentile = {percentile: near(rng, level) for percentile, level in iou.items()}
    return Localisation(
        by_percentile,
        by_percentile,
        by_percentile,
        by_percentile,
        *(near(rng, each) for each in areas),
    )


def odds_of(rng, area):
    """Log-odds of adversarial images, and decisions on the images, whose AUC_a is ``area``, to a
    thousandth.
    """
    count = 10_000
    decided = np.repeat([1, 0], count)
    lower = round(area * count) + rng.integers(-9, 10) - 0.5
    return np.concatenate([np.arange(count), np.full(count, lower)]), decided


def quality(rng, name):
    odds, decided = odds_of(rng, published.TABLE_4[name][1])
    similar = published.TABLE_4[name][0] or np.nan
    missing = {pair: 0.0 for pair in PAIRS}

    def values(table, scale):
        return {
            pair: near(rng, level or missing[pair], scale, len(odds))
            for pair, level in table[name].items()
        }

    area, ones = Interval(similar, similar, similar), np.ones(len(odds))
    return Quality(
        decided,
        odds,
        area,
        area,
        ones,
        ones,
        values(published.SSIM, 1e-5),
        values(published.PSNR, 1e-4),
        {},
        {},
    )


def run_of(seed, iou, areas, seconds):
    rng = np.random.default_rng(seed)
    found = {
        name: localisation(rng, levels, areas.get(name, (0.2, 0.1))) for name, levels in iou.items()
    }
    collapsed = Finding("collapsed", "error", "all alike")
    generators = {
        name: PairGenerator(name, None, None, (collapsed,) if name == NAIVE else (), None)
        for name in NAMES
    }
    return Run(generators, {name: quality(rng, name) for name in PLAIN}, seconds, found)


def made_up_study(changes=None, *, runs=RUNS):
    """A study whose measures are the figures that the paper prints, but for some IoUs."""
    iou = published.IOU | {RANDOM: dict.fromkeys(PERCENTILES, 0.05)}
    iou |= {name: dict.fromkeys(PERCENTILES, level) for name, level in (changes or {}).items()}
    areas = (
        AUCS
        | {RANDOM: (0.05, 0.02)}
        | {name: (level, level) for name, level in (changes or {}).items()}
    )
    everywhere = np.ones((COUNT, 4, 4), bool)
    times = np.linspace(0.9, 1.1, 7)
    seconds = {name: Maps(everywhere, published.SECONDS.get(name, 1.0) * times) for name in iou}
    label = np.arange(COUNT) % 2
    images = ImageSet.whole(
        StoredImages(
            {"image": np.zeros((COUNT, 4, 4, 1), np.float32), "label": label}, ("normal", "opacity")
        ),
        "made up",
    )
    data = SimpleNamespace(note="Made up.", groups=Groups())
    marked = Marked(images, everywhere, label == 1, Groups(), None)
    made = tuple(run_of(seed, iou, areas, seconds) for seed in range(runs))
    return Study(Setup(DEMO, data, None, None), made, marked)


NOT_SHOWN = {"11h", "12d", "12f", "12j", "12m"}
"""Sentences of the paper that its own tables do not bear out, as the place of each says."""


def test_what_the_paper_says_and_shows_holds_on_its_own_tables():
    study = made_up_study()
    found = {each.id: each for each in make_claims(study)}
    assert {name for name, each in found.items() if each.verdict != "holds"} == NOT_SHOWN
    assert all("does not show it" in found[name].place for name in NOT_SHOWN)
    assert {name for name, each in found.items() if each.kind == "target"} == {"16d"}
    assert all(each.place for name, each in found.items() if name != "16d")
    assert found["16a"].note == f"Made up. Collapsed: {NAIVE}." and found["12a"].note == "Made up."
    # Units and printed figures.
    assert found["11a"].paper == {"Single AE1 (TV)": 40.67, "Duo AE (TV)": 39.47}
    assert found["11a"].statistic == (
        "PSNR (x, x_a); Single AE1 (TV) minus Duo AE (TV), over 3 runs and 20000 test images"
    )
    assert found["12a"].paper == {
        "IoU 80": 0.008,
        "IoU 85": 0.005,
        "IoU 90": 0.003,
        "IoU 95": 0.001,
        "IoU 98": 0.002,
        "total AUC": 0.014,
        "partial AUC": 0.008,
    }
    assert found["12a"].ours == pytest.approx(found["12a"].paper, abs=1e-4)
    assert found["12a"].interval[0] == pytest.approx(0.001, abs=1e-4)
    assert "over 3 runs and 20 annotated test images" in found["12a"].statistic
    assert "total AUC" not in found["14a SmoothGrad"].ours and "total AUC" in found["14a BBMP"].ours
    assert found[f"16c {OURS} BBMP"].interval[0] == pytest.approx(17.14 / 0.05)


def test_the_reverse_of_the_papers_tables_makes_no_claim_of_order_hold():
    levels = {name: 0.3 - row[90.0] for name, row in published.IOU.items()}
    study = made_up_study(levels)
    found = {
        each.id: each.verdict
        for each in make_claims(study)
        if each.id[:2] in ("12", "13", "14", "15", "16")
    }
    of_others = {
        "12g",
        "14b",
        "14c",
        "15b 95",
        "15b 98",
        "15c",
        "16d",
        *(name for name in found if name.startswith("16c")),
    }
    assert {name for name in found.keys() - of_others if found[name] != "fails"} == set()


def test_what_the_paper_says_of_training_needs_several_trainings():
    study = made_up_study(runs=1)
    found = make_claims(study)
    undecided = {each.id for each in found if each.verdict == "undecided"}
    of_training = {
        each.id
        for each in found
        if each.id[:2] in ("11", "12") or each.id.startswith(("16a", "17b", "17c", "17d", "17e"))
    }
    assert undecided == of_training
    assert all("1 runs" in each.statistic for each in found if each.id in of_training)
    assert all(("first training" in each.note) != (each.id in of_training) for each in found)
    areas = [each for each in found if each.id.startswith(("17b", "17c", "17d", "17e"))]
    assert areas and all(each.statistic.endswith("test images held fixed") for each in areas)


def test_images_of_one_patient_are_drawn_together():
    study = made_up_study()
    whose = np.arange(COUNT) // 4
    study = study._replace(marked=study.marked._replace(groups=Groups(whose)))
    study.setup.data.groups = Groups(np.arange(20_000) // 10)
    found = {each.id: each for each in make_claims(study)}
    assert found["13 Gradient"].statistic.endswith("over 20 annotated test images of 5 patients")
    assert found["14b"].statistic.endswith("over 3 runs and 5 patients")
    assert found["12a"].statistic.endswith("over 3 runs and 5 patients")
    assert found["11a"].statistic.endswith("over 3 runs and 2000 patients")
    copies = {"unit": "different images"}
    study.setup.data.groups = study.setup.data.groups._replace(**copies)
    groups = study.marked.groups._replace(**copies)
    study = study._replace(marked=study.marked._replace(groups=groups))
    assert not any("patient" in each.statistic + each.note for each in make_claims(study))


def test_maps_of_several_trainings_are_compared_over_trainings():
    """One training of which Single AE2 (W,TV) is far better does not decide for all of them."""
    study, better = made_up_study(), made_up_study({OURS: 0.9})
    mixed = study._replace(runs=(better.first, *study.runs[1:]))
    claims = {claim.id: claim for claim in make_claims(mixed)}
    assert "over 3 runs and 20 annotated test images" in claims["14a Gradient"].statistic
    mean = 0.9 / 3 + 2 * published.IOU[OURS][98.0] / 3
    assert claims["14b"].ours[OURS] == pytest.approx(mean, abs=1e-4)
    assert claims["14b"].verdict == "undecided" and "first training" not in claims["14b"].note
    assert "runs" not in claims["13 Gradient"].statistic  # no generator
    one = {claim.id: claim for claim in make_claims(study._replace(runs=(better.first,)))}
    assert one["14b"].verdict == "fails" and "first training" in one["14b"].note


def test_a_speed_needs_several_timings():
    study = made_up_study()
    few = {name: made._replace(timings=made.timings[:5]) for name, made in study.first.maps.items()}
    found = make_claims(study._replace(runs=(study.first._replace(maps=few), *study.runs[1:])))
    assert {each.verdict for each in found if each.id.startswith("16c")} == {"undecided"}


def test_tables_show_ours_above_the_papers():
    study = made_up_study()
    columns, rows = tables.overlap_table(study, tables.COMPARED)
    assert columns[1:6] == ["IoU 80", "IoU 85", "IoU 90", "IoU 95", "IoU 98"]
    named = {row[0]: row for row in rows}
    assert (
        named[OURS][3][0] == pytest.approx(0.232, abs=1e-4) and named[f"paper: {OURS}"][5] == 0.097
    )
    assert f"paper: {RANDOM}" not in named
    _, rows = tables.decisions_table(study)
    assert rows[0][0] == NAIVE and rows[0][1] is None and rows[0][-1] == "collapsed"
    _, rows = tables.area_table(study, tables.COMPARED, timed=True)
    named = {row[0]: row for row in rows}
    assert named["BBMP"][3] == pytest.approx(17.14) and named["paper: BBMP"][1:4] == [
        0.326,
        0.229,
        17.14,
    ]


def test_maps_at_the_level_of_a_control_are_said_to_be_there():
    study = made_up_study()
    rng, first = np.random.default_rng(5), study.first
    level = published.IOU[OURS][90]
    iou = {at: near(rng, level, scale=0.01) for at in PERCENTILES}
    controls = {
        EDGES: Localisation(iou, iou, iou, iou, near(rng, 0.2), near(rng, 0.1)),
        CHANGE: localisation(rng, dict.fromkeys(PERCENTILES, 0.9), (0.9, 0.9)),
    }
    changed = first._replace(localisation={**first.localisation, **controls})
    study = study._replace(runs=(changed, *study.runs[1:]))
    for table, column in (
        (tables.overlap_table(study, tables.COMPARED), "level, IoU 90"),
        (tables.area_table(study, tables.COMPARED, timed=True), "level, total AUC"),
    ):
        columns, rows = table
        cells = {row[0]: dict(zip(columns, row, strict=True))[column] for row in rows}
        assert cells[EDGES] == cells[CHANGE] == "" and cells[RANDOM] == "below edges"
        expected = "at the level of edges" if "IoU" in column else "above the controls"
        assert cells[OURS] == expected
    assert [row[0] for row in tables.thresholded_table(study, [OURS], 90)[1]] == [
        OURS,
        EDGES,
        CHANGE,
    ]
    notes = {each.id: each.note for each in make_claims(study)}
    # At 98 its maps are below this control, by the area under all thresholds above it.
    assert f"{OURS}: below edges (a control)" in notes["14b"]
    assert f"{OURS}:" not in notes["14a Gradient"]
    without = [each.note for each in make_claims(made_up_study())]
    assert not any("a control" in note for note in without)


def test_boxes_are_measured_as_drawn_or_around_regions():
    masks = np.zeros((3, 10, 20), bool)
    masks[0, 1:4, 2:7] = masks[0, 6:8, 10:14] = masks[2, 0:10, 0:2] = True
    arrays = {
        "image": np.zeros((3, 10, 20, 1), np.float32),
        "label": np.array([1, 0, 1]),
        "lesion_mask": masks,
    }
    found = find_boxes(
        ImageSet.whole(StoredImages(arrays, ("normal", "opacity")), "made up"), "lesion_mask"
    )
    assert (found.height.tolist(), found.width.tolist(), found.drawn) == (
        [3, 2, 10],
        [5, 4, 2],
        False,
    )
    assert found.area.tolist() == [7.5, 4, 10]
    # Boxes that touch are one region, but two boxes where they are known.
    boxes = np.zeros((3, 2, 4), int)
    boxes[0] = [[1, 2, 4, 7], [4, 2, 6, 7]]
    found = find_boxes(
        ImageSet.whole(StoredImages(arrays | {"boxes": boxes}, ("normal", "opacity")), "made up"),
        "lesion_mask",
    )
    assert (found.height.tolist(), found.drawn) == ([3, 2], True)
    _, rows = tables.boxes_table(found)
    assert rows[0] == ["min", 2, 5, 5] and rows[2] == ["mean", 2.5, 5, 6.25]
    assert rows[4:] == [
        ["paper: min", 13, 13, 0.5],
        ["paper: max", 171, 91, 25.3],
        ["paper: mean", 71.8, 47.5, 7.3],
        ["paper: median", 67.8, 46.8, 6.3],
    ]
    empty = arrays | {"lesion_mask": np.zeros_like(masks)}
    assert (
        find_boxes(
            ImageSet.whole(StoredImages(empty, ("normal", "opacity")), "made up"), "lesion_mask"
        )
        is None
    )


@pytest.mark.slow
def test_a_smoke_run_ends_in_a_report(smoke_run):
    run = smoke_run("similar_adversarial")
    config = dataclasses.replace(SMOKE, results=str(run / "results"), work=str(run / "work"))
    folder = results_folder("similar_adversarial", config, PRESETS)
    assert folder == run / "results" / "similar_adversarial" / "smoke"
    written = {path.name for path in folder.iterdir()}
    numbers = ("3_boxes", "6_overlap", "7_areas", "8_overlap", "9_areas", "10_overlap", "11_areas")
    assert {
        f"table_{each}.md"
        for each in ("4_decisions", "5_similarity", "true_counterfactuals", *numbers)
    } <= written
    assert {"figure_2_pairs.png", "figure_3_overlay.png", "report.html"} <= written
    stated = {each["id"][:2] for each in json.loads((folder / "claims.json").read_text())["claims"]}
    assert stated == {"11", "12", "13", "14", "15", "16", "17"}
    before = (folder / "report.html").stat().st_mtime_ns
    main(config)
    assert (folder / "report.html").stat().st_mtime_ns == before


@pytest.mark.slow
def test_a_folder_without_annotations_gives_quality_and_pictures(tmp_path):
    write_folder(tmp_path / "photos", count=60)
    config = dataclasses.replace(
        SMOKE,
        data=f"folder:{tmp_path / 'photos'}",
        classes=("sad", "glad"),
        generators=(NAIVE, OURS),
        results=str(tmp_path / "r"),
        work=str(tmp_path / "w"),
    )
    main(config)
    written = {
        path.name for path in results_folder("similar_adversarial", config, PRESETS).iterdir()
    }
    assert {"table_4_decisions.md", "figure_2_pairs.png", "report.html"} <= written
    assert not any("overlap" in name for name in written)
    folder = results_folder("similar_adversarial", config, PRESETS)
    page = visible_text(folder / "report.html")
    assert "sad and glad" in page and "Images of each class: 60 sad, 60 glad." in page
    assert "paper" not in page.casefold()
    assert "paper" not in (folder / "table_4_decisions.md").read_text()
