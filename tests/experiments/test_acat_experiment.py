"""ACAT's experiment: its parts on made-up numbers; and, slow, a whole smoke run."""

import dataclasses
import json

import jax
import numpy as np
import pytest

from cfx_jax.errors import InputError
from cfx_jax.metrics import hit_score
from experiments.acat import claims, published, tables
from experiments.acat.__main__ import main
from experiments.acat.config import Config
from experiments.acat.detection import Detection
from experiments.acat.maps import control_maps
from experiments.acat.presets import PRESETS, SMOKE
from experiments.acat.rows import ACAT, BASELINE, GROUPS, WHOLE, rows_of
from experiments.acat.scans import Scans, load_scans, split_scans
from experiments.acat.sources import DETECTORS, NOISE, OURS, SHUFFLED, ZERO
from experiments.acat.study import Fitted, Run, Study
from experiments.stages import Workspace
from trainers import volume_classifier

RNG = np.random.default_rng(0)


def made_up_scans(labels):
    arrays = {"image": np.zeros((len(labels), 2, 4, 4, 1), np.float32), "label": labels, "size": labels}
    return Scans("made up", arrays, ("none", "left", "right", "both"), True, None, None, "made up", None)


def made_up_study(*counts_right):
    """Runs of 64 scans without a finding; the baseline is right about so many, and ACAT about all.

    Every map by latent counterfactuals hits, every other misses; the search reaches 0.1 and latent shift 0.6.
    """
    labels = np.zeros(64, int)
    atlas, territory = np.ones((3, 1, 2, 2), int), np.full(3, 1)
    atlas[:, :, 0, 0] = 2
    miss, hit = np.zeros((3, 1, 2, 2)), np.zeros((3, 1, 2, 2))
    miss[:, 0, 0, 0], hit[:, 0, 1, 1] = 1, 1
    hits = {each: hit_score(hit if each == OURS else miss, atlas, territory) for each in DETECTORS}
    likeness = {each: np.ones(3) for each in DETECTORS}
    trace = np.tile(np.linspace(0.9, 0.1, 21), (3, 1))
    runs = []
    for seed, right in enumerate(counts_right):
        decided = np.where(np.arange(64) < right, 0, 1)
        fitted = {BASELINE: Fitted(None, decided), ACAT: Fitted(None, labels)}
        detection = Detection({}, {}, hits, {}, likeness, trace, np.full(3, 0.6))
        runs.append(Run(seed, labels, labels, fitted, {}, detection))
    return Study(made_up_scans(labels), rows_of(Config(rows=())), tuple(runs), {}, 30.0, 0, None)


def test_every_preset_knows_its_name():
    assert all(config.preset == name for name, config in PRESETS.items())


def test_the_paper_preset_has_the_published_settings():
    paper = PRESETS["paper"]
    assert paper.shape == (11, 128, 128) and paper.trunks[1] == "slice_resnet50" and len(paper.seeds) == 3
    assert paper.baseline.num_steps == 2 * paper.from_baseline.num_steps and paper.search.num_steps == 20
    assert paper.search.quotient * 11 * 128 * 128 == pytest.approx(100, rel=0.01)


def test_the_standard_error_is_the_papers():
    columns, rows = tables.accuracy_table(made_up_study(38, 45, 47))
    first = dict(zip(columns, rows[0], strict=True))
    # Three runs of 64 scans, of which 38, 45 and 47 are right, are printed as 67.71 (3.48).
    assert (round(100 * first["accuracy"], 2), round(100 * first["SE"], 2)) == (67.71, 3.48)
    assert (first["right"], first["scans"]) == (130, 192)
    acat = dict(zip(columns, rows[1], strict=True))
    # McNemar by hand: 62 scans that only ACAT is right about, none the other way: 2 / 2^62.
    assert acat["McNemar p"] == pytest.approx(2.0**-61) and acat["less baseline"].estimate == pytest.approx(62 / 192)


def test_claims_hold_where_the_numbers_say_so():
    found = {each.id: each.verdict for each in claims.claims(made_up_study(38, 45, 47))}
    assert found["accuracy, baseline (made up)"] == "holds"
    assert found["hit score, gradient (made up)"] == found["Figure 5, reached (made up)"] == "holds"
    assert found["Table 1, size 0 (made up)"] == "holds" and found["Figure 5, latent shift (made up)"] == "holds"
    even = {each.id: each.verdict for each in claims.claims(made_up_study(64, 64))}
    assert even["accuracy, baseline (made up)"] != "holds"


def test_tables_give_counts():
    study = made_up_study(38, 45)
    columns, rows = tables.hit_table(study)
    ours = dict(zip(columns, rows[0], strict=True))
    assert (ours["method"], ours["hits"], ours["scans"], ours["flat"], ours["likeness"]) == (OURS, 6, 6, 0, 1.0)
    columns, rows = tables.sensitivity_table(study)
    assert dict(zip(columns, rows[0], strict=True))["FP"] == 128 - 83
    columns, rows = tables.reach_table(study)
    assert [row[-1].estimate for row in rows] == [1.0, 0.0]


def test_maps_of_the_same_scans_count_once_however_many_runs_there_are():
    study = made_up_study(38, 45)
    measured = [np.array([True, False, True]), np.array([True, True, False])]
    np.testing.assert_array_equal(tables.by_scan(study, measured), [1, 0, 1, 1, 1, 0])
    same = study._replace(scans=study.scans._replace(located={"territory": np.ones(3, int)}))
    np.testing.assert_array_equal(tables.by_scan(same, measured), [1, 0.5, 0.5])


def test_the_likeness_of_maps_leaves_flat_ones_out():
    columns, rows = tables.hit_table(with_likeness(made_up_study(38), np.array([0.2, np.nan, 0.4])))
    assert dict(zip(columns, rows[0], strict=True))["likeness"] == pytest.approx(0.3)
    columns, rows = tables.hit_table(with_likeness(made_up_study(38), np.full(3, np.nan)))
    assert dict(zip(columns, rows[0], strict=True))["likeness"] is None


def with_likeness(study, values):
    likeness = dict.fromkeys(DETECTORS, values)
    runs = [run._replace(detection=run.detection._replace(likeness=likeness)) for run in study.runs]
    return study._replace(runs=tuple(runs))


def test_control_maps_say_nothing_of_their_scans():
    maps = RNG.random((5, 2, 3, 3)).astype(np.float32)
    assert not control_maps(ZERO, maps, seed=0).any()
    shuffled = control_maps(SHUFFLED, maps, seed=0)
    assert not any(np.array_equal(one, other) for one, other in zip(maps, shuffled, strict=True))
    np.testing.assert_array_equal(np.sort(maps.reshape(5, -1)[:, 0]), np.sort(shuffled.reshape(5, -1)[:, 0]))
    noise = control_maps(NOISE, maps, seed=0)
    assert noise.shape == maps.shape and noise.dtype == np.float32 and 0 <= noise.min() < noise.max() <= 1


def test_rows_are_the_groups_between_baseline_and_acat():
    config = Config(rows=("components", "controls"))
    names = [row.name for row in rows_of(config)]
    assert names[0] == BASELINE and names[-1] == ACAT and len(names) == 2 + 3 + 5
    assert set(published.ACCURACY) <= {BASELINE, ACAT, *(row.name for group in GROUPS.values() for row in group)}


def test_parts_are_disjoint_and_change_with_the_seed():
    scans = made_up_scans(np.repeat([0, 1, 2], 40))
    parts = split_scans(SMOKE, scans, 0)
    assert sorted(np.concatenate(parts)) == list(range(120))
    assert not np.array_equal(parts.test, split_scans(SMOKE, scans, 1).test)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"data": "heads"}, "--data: expected 'stroke', 'lung', 'mosmed:PATH' or 'ist3:PATH', got 'heads'"),
        ({"data": "stroke", "shape": (3, 32, 40)}, "--shape: expected square slices of a synthetic world"),
    ],
)
def test_impossible_scans_are_refused(tmp_path, options, message):
    kind = options.pop("data")
    with pytest.raises(InputError, match=message):
        load_scans(dataclasses.replace(SMOKE, **options), kind, Workspace(tmp_path))


def test_impossible_options_are_refused():
    with pytest.raises(InputError, match="--rows: expected one of 'competitors'"):
        rows_of(Config(rows=("rivals",)))
    with pytest.raises(InputError, match="--train, --test: expected a sum below 1"):
        split_scans(dataclasses.replace(SMOKE, train=0.9, test=0.2), made_up_scans(np.zeros(9, int)), 0)


@pytest.mark.slow
def test_a_smoke_run_of_heads_writes_everything_and_a_second_start_reads_it(tmp_path, capsys):
    config = dataclasses.replace(SMOKE, data=("stroke",), results=str(tmp_path / "r"), work=str(tmp_path / "w"))
    main(config)
    (folder,) = (tmp_path / "r" / "acat").iterdir()
    written = {path.name for path in folder.iterdir()}
    tables = {"1_sizes", "2_accuracy", "3_variances", "5_overlap", "6_sensitivity"}
    assert {f"table_{each}_stroke.csv" for each in tables} | {
        "table_hits_stroke.csv",
        "figure_maps_stroke.png",
    } <= written
    assert {"figure_5_searches_stroke.csv", "figure_5_searches_stroke.png", "report.html", "claims.json"} <= written
    made = json.loads((folder / "claims.json").read_text())["claims"]
    assert {"accuracy, baseline (stroke)", "Figure 5, reached (stroke)"} <= {each["id"] for each in made}
    assert all("Synthetic" in each["note"] for each in made)
    capsys.readouterr()
    main(config)
    assert "..." not in capsys.readouterr().out


@pytest.mark.slow
def test_a_smoke_run_of_chests_compares_maps_with_masks_and_trains_with_fewer_scans(tmp_path):
    work = {"results": str(tmp_path / "r"), "work": str(tmp_path / "w")}
    main(dataclasses.replace(SMOKE, data=("lung",), rows=(), training_sizes=(20,), **work))
    (folder,) = (tmp_path / "r" / "acat").iterdir()
    written = {path.name for path in folder.iterdir()}
    tables = {"2_accuracy", "3_variances", "4_training_sizes", "5_overlap"}
    assert {f"table_{each}_lung.csv" for each in tables} | {"figure_maps_lung.png", "report.html"} <= written
    made = json.loads((folder / "claims.json").read_text())["claims"]
    assert {"accuracy, baseline (lung)", "Figure 5, reached (lung)"} <= {each["id"] for each in made}


@pytest.mark.slow
def test_the_published_acat_takes_two_steps_at_full_size():
    paper = PRESETS["paper"]
    config = dataclasses.replace(paper.from_baseline, saliency=True, num_slices=paper.shape[0])
    factory = WHOLE.factory("slice_resnet50", paper.shape)
    batch = {
        "image": RNG.random((config.batch_size, *paper.shape, 1), np.float32),
        "saliency": RNG.random((config.batch_size, *paper.shape, 1), np.float32),
        "label": np.arange(config.batch_size) % 2,
    }
    state = volume_classifier.init(jax.random.key(0), config, model=factory)
    step = jax.jit(volume_classifier.make_step(config, model=factory))
    losses = []
    for number in range(2):
        state, metrics = step(state, jax.random.key(number), batch)
        losses.append(float(metrics["loss"]))
    assert np.isfinite(losses).all() and losses[0] != losses[1]
