"""One run of an experiment: one drawing for one result, one process at a time, what is printed."""

import dataclasses
import json
import threading
from typing import NamedTuple

import numpy as np
import pytest

from cfx_jax.errors import InputError
from experiments.shared import Experiment, PaperReport, Statement, results_folder, run_experiment
from experiments.shared.experiment import draw_once


@dataclasses.dataclass(frozen=True)
class Settings:
    preset: str = "demo"
    radius: float = 1.0
    results: str = "results"
    work: str = "work"


def test_a_report_is_drawn_once_for_what_it_depends_on(tmp_path):
    drawn = []

    def draw():
        drawn.append(1)
        (tmp_path / "report.html").write_text("page")

    for drawn_from, times in (("a", 1), ("a", 1), ("b", 2)):
        draw_once(tmp_path, Settings(), drawn_from, draw)
        assert len(drawn) == times
    assert json.loads((tmp_path / "config.json").read_text())["radius"] == 1.0


def test_a_drawing_that_fails_is_drawn_again(tmp_path):
    def fail():
        (tmp_path / "report.html").write_text("half a page")
        raise InputError("no")

    for _ in range(2):
        with pytest.raises(InputError, match="no"):
            draw_once(tmp_path, Settings(), "a", fail)


def test_other_settings_have_a_folder_of_their_own_and_other_places_have_not():
    presets = {"demo": Settings()}
    plain = results_folder("x", Settings(), presets)
    assert str(plain) == "results/x/demo"
    assert results_folder("x", Settings(work="elsewhere"), presets) == plain
    assert results_folder("x", Settings(radius=2.0), presets) != plain


class Scores(NamedTuple):
    """The results of a toy study."""

    values: np.ndarray
    identity: object
    note: str = "Made up."


def run(config, study, **options):
    """A toy experiment, whose study is ``(config, workspace) -> values``."""

    def write_report(folder, scores, claims):
        drawn.append(config.radius)
        return PaperReport(folder, "Toy", introduction="", note=scores.note).finish(claims, config)

    drawn, half = [], Statement("1", "Half.", kind="target")
    toy = Experiment(
        name="toy",
        presets={"demo": Settings()},
        study=lambda config, workspace: Scores(study(config, workspace), config.radius),
        claims=lambda scores: [half.settle_mean({}, scores.values, "share", minimum=0)],
        write_report=write_report,
        tables=lambda scores: ["A sentence.", (["mean"], [[float(scores.values.mean())]])],
        code=["experiments.shared"],
        **options,
    )
    run_experiment(toy, config)
    return drawn


def test_a_run_writes_its_report_once_and_prints_tables_claims_and_the_reports_path(
    tmp_path, capsys
):
    config = Settings(results=str(tmp_path / "r"), work=str(tmp_path / "w"))

    def study(config, workspace):
        assert workspace.root == tmp_path / "w" / "other"
        return np.arange(40) % 2 * 1.0

    assert run(config, study, work="other") == [1.0]
    printed = capsys.readouterr().out
    assert run(config, study, work="other") == []
    assert capsys.readouterr().out in printed
    page = tmp_path / "r" / "toy" / "demo" / "report.html"
    assert json.loads((page.parent / "claims.json").read_text())["claims"][0]["verdict"] == "holds"
    words = ("tables and figures", "A sentence.", "mean", "0.5", "Half.", "Made up.", f"{page}")
    positions = [printed.index(text) for text in words]
    assert positions == sorted(positions)


def test_a_number_that_no_study_can_have_is_refused_before_the_study(tmp_path):
    places = {"results": str(tmp_path / "r"), "work": str(tmp_path / "w")}
    config = Settings(radius=float("nan"), **places)
    with pytest.raises(InputError, match="radius: expected a finite number of at least 0, got nan"):
        run(config, lambda *_: pytest.fail("the study ran"))
    assert not list(tmp_path.iterdir())


def test_an_experiment_runs_once_at_a_time_with_the_same_settings(tmp_path):
    config = Settings(results=str(tmp_path / "r"), work=str(tmp_path / "w"))
    errors, ran = [], []

    def study(config, workspace):
        ran.append(config.radius)
        others = (config, dataclasses.replace(config, radius=2.0)) if config.radius == 1 else ()
        for other in others:
            thread = threading.Thread(target=attempt, args=(other,))
            thread.start()
            thread.join()
        raise ZeroDivisionError

    def attempt(other):
        try:
            run(other, study)
        except InputError as error:
            errors.append(str(error))
        except ZeroDivisionError:
            pass

    attempt(config)
    assert ran == [1.0, 2.0]
    assert len(errors) == 1 and errors[0].startswith("another process runs toy here, ")
    assert not (tmp_path / "r").exists()
