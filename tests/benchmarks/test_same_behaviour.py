"""Outcomes of runs, made by hand: what is equal, renamed, different, missing or failed is told."""

import json
import shutil

import numpy as np
import pytest

from benchmarks import same_behaviour
from benchmarks.same_behaviour import compare_runs, main, read_entries
from cfx_jax.training import CheckpointStore

RUN = "fundus_vce-synthetic"
STAGE, TRAINING = "maps-plain-0123456789", "plain-abcdef0123"
PLACES = ["--results", "results", "--work", "work"]
CLAIMS = {"claims": [{"id": "1a", "ours": {"plain": 0.5, "robust": 0.25}}]}
CONFIG = {"preset": "smoke", "plain": {"num_steps": 4}}


def weights():
    """A state with arrays of two types, one of them a scalar."""
    kernel = np.arange(6, dtype=np.float32).reshape(2, 3)
    return {"kernel": kernel, "bias": np.ones(3, np.float32), "count": np.array(4)}


def write_stage(folder, name, **arrays):
    (folder / "work/fundus_vce" / name).mkdir(parents=True)
    names = {"names of all arrays": np.array(sorted(arrays))}
    np.savez(folder / "work/fundus_vce" / name / "arrays.npz", **names, **arrays)


def write_training(folder, name, state, *, record=None):
    place = folder / "work/fundus_vce" / name
    CheckpointStore(place, CONFIG).save(4, state, best=state, record=record or {"best_value": 0.5})
    (place / "metrics.jsonl").write_text('{"step": 4, "loss": 0.75}\n')


def write_run(folder, *, state=None, stage=STAGE, training=TRAINING, status=0):
    """The outcome of a run with one stage and one training."""
    results = folder / "results/fundus_vce/smoke"
    results.mkdir(parents=True)
    (results / "claims.json").write_text(json.dumps(CLAIMS))
    (results / "config.json").write_text(json.dumps(CONFIG))
    (results / "table_1.csv").write_text("model,accuracy\nplain,0.5\nrobust,0.25\n")
    (results / "table_1.md").write_text("| model | accuracy |\n")
    (results / "report.html").write_text(str(folder))
    (results / "figure_1.png").write_bytes(b"1234")
    write_stage(folder, stage, image=np.zeros((2, 3), np.float32), label=np.arange(2))
    write_training(folder, training, weights() if state is None else state)
    cores = len(same_behaviour.os.sched_getaffinity(0))
    (folder / "run.json").write_text(json.dumps({"status": status, "cores": cores}))
    (folder / "log.txt").write_text("first\nlast\n")
    return folder


@pytest.fixture
def sides(tmp_path):
    return write_run(tmp_path / "before" / RUN), write_run(tmp_path / "after" / RUN)


def unequal(sides):
    return [found for found in compare_runs(RUN, *sides) if found.verdict != "equal"]


def status(sides, *options):
    before, after = (str(side.parent) for side in sides)
    return main([before, after, "--experiments", RUN, *options])


def test_every_kind_of_file_is_read(sides):
    entries = {entry.name: entry.kind for entry in read_entries(sides[0])}
    assert entries == {
        "results/claims.json": "claims",
        "results/config.json": "settings",
        "results/figure_1.png": "figures",
        "results/report.html": "pages",
        "results/table_1.csv": "tables",
        "results/table_1.md": "tables",
        "work/maps-plain/arrays.npz": "arrays",
        "work/plain/checkpoints/step_00000004": "weights",
        "work/plain/metrics.jsonl": "metrics",
        "work/plain/training.json": "settings",
    }


def test_a_checkpoint_is_read_by_the_paths_of_its_arrays(sides):
    (entry,) = (entry for entry in read_entries(sides[0]) if entry.kind == "weights")
    assert entry.parts.pop("record.best_value") == 0.5
    expected = {f"['state']['{name}']": array for name, array in weights().items()}
    expected |= {f"['best']['{name}']": array for name, array in weights().items()}
    assert set(entry.parts) == set(expected)
    for name, array in expected.items():
        np.testing.assert_array_equal(entry.parts[name], array, strict=True)


def test_equal_outcomes_are_equal(sides, capsys):
    assert not unequal(sides)
    assert status(sides, "--strict") == 0
    rows = [line.split()[1:4] for line in capsys.readouterr().out.splitlines()[2:]]
    assert ["tables", "2", "0"] in rows and ["weights", "1", "0"] in rows and len(rows) == 8


def test_a_changed_number_is_told_with_its_place_and_size(sides, capsys):
    changed = json.dumps(CLAIMS).replace("0.25", "0.375")
    (sides[1] / "results/fundus_vce/smoke/claims.json").write_text(changed)
    (found,) = unequal(sides)
    assert (found.kind, found.verdict, found.largest) == ("claims", "differs", 0.125)
    assert found.details == ("claims[0].ours.robust: 0.25 | 0.375",)
    assert status(sides) == 1
    line = "claims[0].ours.robust: 0.25 | 0.375; largest difference 0.125"
    assert line in capsys.readouterr().out


def test_a_changed_line_and_rows_in_another_order_are_told(sides):
    table = sides[1] / "results/fundus_vce/smoke/table_1.csv"
    table.write_text(table.read_text().replace("0.5", "0.5000000001"))
    (found,) = unequal(sides)
    assert found.details == ("line 2: plain,0.5 | plain,0.5000000001",)
    assert found.largest == pytest.approx(1e-10)
    table.write_text("model,accuracy\nrobust,0.25\nplain,0.5\n")
    (found,) = unequal(sides)
    assert (found.verdict, len(found.details)) == ("differs", 2)


def test_a_long_line_is_shown_where_it_differs(sides):
    for side, end in zip(sides, ("0.5", "0.75"), strict=True):
        table = side / "results/fundus_vce/smoke/table_1.md"
        table.write_text(f"| {'word ' * 30} | {end} |")
    (found,) = unequal(sides)
    assert found.details[0].startswith("line 1: ...") and len(found.details[0]) < 100
    assert found.details[0].endswith("word  | 0.75 |") and " | 0.5 | | " in found.details[0]


def test_a_missing_table_is_told_on_either_side(sides, capsys):
    (sides[1] / "results/fundus_vce/smoke/table_1.csv").unlink()
    (found,) = unequal(sides)
    assert (found.name, found.verdict, found.details) == (
        "results/table_1.csv",
        "missing",
        ("missing after",),
    )
    (found,) = unequal(sides[::-1])
    assert found.details == ("missing before",)
    assert status(sides) == 1 and "missing tables results/table_1.csv" in capsys.readouterr().out


def test_a_page_must_be_there_and_may_differ(sides):
    (sides[1] / "results/fundus_vce/smoke/report.html").unlink()
    (found,) = unequal(sides)
    assert (found.kind, found.verdict) == ("pages", "missing") and status(sides) == 1


@pytest.mark.parametrize(
    ("before", "after", "verdicts"),
    [
        ("maps-plain-0123456789", "maps-plain-9876543210", []),  # other settings, the same name
        ("maps-plain-0123456789", "attributions-plain-9876543210", ["renamed"]),
    ],
)
def test_a_stage_of_another_name_is_matched_by_what_it_holds(tmp_path, before, after, verdicts):
    sides = (
        write_run(tmp_path / "before" / RUN, stage=before),
        write_run(tmp_path / "after" / RUN, stage=after),
    )
    assert [found.verdict for found in unequal(sides)] == verdicts
    assert status(sides) == 0


def test_stages_of_one_name_are_matched_in_any_order(sides):
    """Zeros, ones, twos and threes before; threes, twos, ones and 10 after: 10 is told beside 0."""
    for side, values in zip(sides, (range(4), (3, 2, 1, 10)), strict=True):
        for position, value in enumerate(values):
            write_stage(side, f"vce-{position:010d}", image=np.full(3, value, np.float32))
    (found,) = unequal(sides)
    assert found.name == "work/vce/arrays.npz" and found.largest == 10
    assert found.details == ("image: 3 of 3 values differ, by 10 at most",)


def test_one_bit_of_one_weight_is_seen(tmp_path):
    state = weights()
    state["kernel"].view(np.uint32)[1, 2] ^= 1
    sides = write_run(tmp_path / "b" / RUN), write_run(tmp_path / "a" / RUN, state=state)
    (found,) = unequal(sides)
    assert (found.kind, found.name) == ("weights", "work/plain/checkpoints/step_00000004")
    first = "['best']['kernel']: 1 of 6 values differ, by 4.77e-07 at most"
    assert found.details[0] == first and len(found.details) == 2  # of the state too
    assert found.largest == 2.0**-21 and status(sides) == 1


def test_zeros_of_either_sign_differ_and_equal_nans_do_not(sides):
    write_stage(sides[0], "odd-0123456789", values=np.array([0.0, np.nan]))
    write_stage(sides[1], "odd-9876543210", values=np.array([-0.0, np.nan]))
    (found,) = unequal(sides)
    assert found.details == ("values: 1 of 2 values differ, by 0 at most",)


def test_weights_under_other_paths_are_matched_by_shape_type_and_bytes(tmp_path):
    state = {f"layer_{name}": array for name, array in weights().items()}
    before = write_run(tmp_path / "b" / RUN)
    after = write_run(tmp_path / "a" / RUN, state=state)
    (found,) = unequal((before, after))
    assert (found.kind, found.verdict) == ("weights", "renamed") and status((before, after)) == 0
    shutil.rmtree(after)
    state["layer_bias"] = np.full(3, 1.5, np.float32)
    (found,) = unequal((before, write_run(after, state=state)))
    pair = "['best']['bias'] -> ['best']['layer_bias']"
    assert found.details[0] == f"{pair}: 3 of 3 values differ, by 0.5 at most"
    assert len(found.details) == 2


def test_measured_times_are_left_out(sides):
    """Only the accuracy of the second row differs, in the table of either form."""
    for side, seconds in zip(sides, (0.25, 0.5), strict=True):
        results = side / "results/fundus_vce/smoke"
        timed = {"id": "2", "statistic": "ratio of seconds", "text": "Fast.", "verdict": seconds}
        (results / "claims.json").write_text(json.dumps({"claims": [timed]}))
        csv = f'model,seconds,accuracy\n"a, b",{seconds},0.5\nc,{seconds},{seconds}\n'
        (results / "table_1.csv").write_text(csv)
        lines = f"| model | seconds | accuracy |\n| a | {seconds} | 0.5 |\n| c | 1 | {seconds} |\n"
        (results / "table_1.md").write_text(lines)
        write_stage(side, "timed-0123456789", values=np.ones(2), timings=np.array([seconds]))
    assert {found.details for found in unequal(sides)} == {
        ("line 3: c,0.25 | c,0.5",),
        ("line 3: | c | 0.25 | | | c | 0.5 |",),
    }


def test_another_type_or_a_lost_array_is_told(sides):
    write_stage(sides[0], "odd-0123456789", a=np.zeros(2, np.float32), b=np.ones(3))
    write_stage(sides[1], "odd-9876543210", a=np.zeros(2))
    (found,) = unequal(sides)
    assert found.details == ("a: float32(2,) | float64(2,)", "b: float64(3,) before only")
    assert found.largest is None


def test_settings_and_figures_count_when_strict_only(sides, capsys):
    results = sides[1] / "results/fundus_vce/smoke"
    (results / "config.json").write_text(json.dumps({"preset": "smoke", "run": {"num_steps": 4}}))
    (results / "figure_1.png").write_bytes(b"12345")
    assert {found.kind for found in unequal(sides)} == {"settings", "figures"}
    assert status(sides) == 0 and status(sides, "--strict") == 1
    written = capsys.readouterr().out
    assert "settings, 1 times: config.json: plain.num_steps: 4 before only" in written
    assert "settings, 1 times: config.json: run.num_steps: 4 after only" in written


def test_a_run_that_failed_is_told_with_the_end_of_its_log(tmp_path):
    sides = write_run(tmp_path / "b" / RUN), write_run(tmp_path / "a" / RUN, status=1)
    (found,) = unequal(sides)
    assert (found.verdict, found.details) == ("failed", ("last",)) and status(sides) == 1


def test_a_checkout_is_run_with_its_own_code(tmp_path, capsys):
    """A checkout whose experiment is one line: it says where it is from and what it was given."""
    code = "import pathlib, sys; pathlib.Path('results').mkdir();"
    code += "pathlib.Path('results/said.txt').write_text(' '.join([__file__, *sys.argv[1:]]))"
    for name in ("one", "other"):
        for package in ("cfx_jax", "experiments", "trainers"):
            (tmp_path / name / package).mkdir(parents=True)
            (tmp_path / name / package / "__init__.py").touch()
        (tmp_path / name / "experiments/fundus_vce.py").write_text(code)
    saved, kept = tmp_path / "saved", tmp_path / "kept"
    assert main([str(tmp_path / "one"), "--save", str(saved), "--experiments", RUN]) == 0
    options = [str(saved), str(tmp_path / "other"), "--experiments", RUN]
    assert main([*options, "--keep", str(kept)]) == 0
    written = (kept / "after" / RUN / "results/said.txt").read_text().split()
    assert written[0] == str(tmp_path / "other/experiments/fundus_vce.py")
    assert written[1:] == ["--preset", "smoke", *PLACES]
    assert not list(tmp_path.rglob("__pycache__"))
    record = json.loads((saved / RUN / "run.json").read_text())
    assert record["status"] == 0 and record["minutes"] < 1
    with pytest.raises(SystemExit):
        main([*options, "--keep", str(kept)])
    assert f"{kept / 'after' / RUN} exists: choose another folder" in capsys.readouterr().err


def test_code_from_elsewhere_is_not_run(tmp_path, capsys):
    """The packages of this checkout lack there: the interpreter finds them in another place."""
    (tmp_path / "experiments").mkdir()
    with pytest.raises(SystemExit, match="2"):
        main([str(tmp_path), "--save", str(tmp_path / "saved"), "--experiments", RUN])
    assert f"{tmp_path}: expected its own code, got " in capsys.readouterr().err
    assert not (tmp_path / "saved").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nowhere", "nowhere"], "nowhere: expected a checkout or a folder made by --save"),
        (["."], "expected AFTER or --save FOLDER, and not both"),
        ([".", ".", "--save", "there"], "expected AFTER or --save FOLDER, and not both"),
        ([".", ".", "--experiments", "none"], "invalid choice: 'none'"),
    ],
)
def test_mistakes_are_named(arguments, message, capsys):
    with pytest.raises(SystemExit, match="2"):
        main(arguments)
    assert message in capsys.readouterr().err


def test_a_kept_outcome_must_hold_the_runs_and_be_of_as_many_cores(sides, capsys):
    before, after = (str(side.parent) for side in sides)
    with pytest.raises(SystemExit):
        main([before, after, "--experiments", "fundus_vce"])
    assert "it lacks fundus_vce-folder: name --experiments" in capsys.readouterr().err
    (sides[0] / "run.json").write_text(json.dumps({"status": 0, "cores": 999}))
    with pytest.raises(SystemExit):
        main([before, after, "--experiments", RUN])
    assert "made on other cores [999]" in capsys.readouterr().err
