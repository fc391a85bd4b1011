"""What every experiment's report is made with: claims from intervals, one drawing for one result,
tables and the page.
"""

import ast
import dataclasses
import json
import warnings
from pathlib import Path

import jax
import numpy as np
import pytest

import experiments
from cfx_jax.errors import InputError
from cfx_jax.metrics import Interval
from experiments.shared import stages
from experiments.shared.interval_claims import (
    ONE_TRAINING,
    claim,
    mean_claim,
    of_one_training,
    paired_claim,
    runs_claim,
    unpaired_claim,
)
from experiments.shared.notices import kept_notices, notify
from experiments.shared.presenter import Presenter
from experiments.shared.results import alone, draw_once, results_folder
from experiments.shared.stages import source_digest


@dataclasses.dataclass(frozen=True)
class Settings:
    preset: str = "demo"
    radius: float = 1.0
    results: str = "results"
    work: str = "work"


def test_a_paired_claim_is_about_the_difference():
    first = np.linspace(0, 1, 20)
    ours = {"a": 2 * first + 0.5, "b": first}
    found = paired_claim(
        "1", "Larger.", {}, ours, "size", kind="ordering", place="Table 2", minimum=0.5, strict=True
    )
    assert found.verdict == "holds" and found.interval[0] == pytest.approx(1.0)
    assert 0.5 < found.interval[1] < 1 < found.interval[2] < 1.5
    assert found.ours == pytest.approx({"a": 1.5, "b": 0.5})
    assert found.statistic == "size; a minus b, paired over 20 images"
    assert (found.kind, found.place) == ("ordering", "Table 2")


def test_a_claim_says_what_was_drawn():
    values, patients = np.tile(np.linspace(0, 1, 20), 2), np.tile(np.arange(20), 2)
    options = {"groups": patients, "unit": "answers", "minimum": 0}
    assert paired_claim("1", "t", {}, {"a": values, "b": -values}, "size", **options).statistic == (
        "size; a minus b, paired over 40 answers of 20 patients"
    )
    assert (
        mean_claim("1", "t", {}, values, "size", **options).statistic
        == "size, over 40 answers of 20 patients"
    )


def test_a_claim_about_trainings_counts_runs():
    """Three runs that answer alike on forty scans: pooled they would settle it, three runs do not."""
    ours = {"new": np.ones((3, 40)), "old": np.repeat([[0.9], [0.2], [1.0]], 40, axis=1)}
    found = runs_claim("1", "Better.", {}, ours, "accuracy", minimum=0, strict=True)
    assert (found.verdict, found.interval[0]) == ("undecided", pytest.approx(0.3))
    assert found.statistic == "accuracy; new minus old, over 3 runs and 40 scans"
    assert found.ours == pytest.approx({"new": 1.0, "old": 0.7})
    names = [np.arange(40), np.arange(40, 80), np.arange(80, 120)]
    assert (
        "over 3 runs and 120 scans"
        in runs_claim("1", "t", {}, ours, "accuracy", cases=names, minimum=0).statistic
    )


def test_no_difference_is_given_to_what_takes_answers():
    """Differences that are all 0 or 1 would have the interval of a share."""
    values = {"mean_claim": 3, "bootstrap_interval": 0}
    wrong, seen = [], 0
    for path in Path(experiments.__file__).parent.rglob("*.py"):
        for call in ast.walk(ast.parse(path.read_text())):
            name = getattr(getattr(call, "func", None), "id", None)
            if name not in values or any(each.arg == "statistic" for each in call.keywords):
                continue
            seen += 1
            given = call.args[values[name]]
            if isinstance(given, ast.BinOp) and isinstance(given.op, ast.Sub):
                wrong.append(f"{path.name}:{call.lineno}")
    assert seen > 15 and wrong == []


def test_a_claim_of_one_training_says_so_after_its_own_note():
    values = np.arange(40) % 2 * 1.0
    own = mean_claim("1", "Half.", {}, values, "share", minimum=0.3)
    plain, noted = of_one_training([own, dataclasses.replace(own, note="Synthetic.")])
    assert (plain.note, noted.note) == (ONE_TRAINING, f"Synthetic. {ONE_TRAINING}")


def test_different_images_make_an_unpaired_claim():
    ours = {"a": np.ones(30), "b": np.zeros(20)}
    found = unpaired_claim("1", "More.", {}, ours, "share", unit="items", minimum=0.7, strict=True)
    assert found.verdict == "holds" and found.interval[0] == 1 and found.interval[1] < 0.9
    assert found.statistic == "share; a minus b, of 30 and 20 items"


def test_images_of_one_group_count_as_one_draw():
    values = np.repeat([0.0, 1.0, 0.0, 1.0], 25)
    alone = mean_claim("1", "Half.", {}, values, "share", minimum=0.3)
    together = mean_claim(
        "1", "Half.", {}, values, "share", groups=np.repeat(np.arange(4), 25), minimum=0.3
    )
    assert (alone.verdict, together.verdict) == ("holds", "undecided")


def test_any_statistic_with_an_interval_makes_a_claim():
    found = claim(
        "1", "Small.", {"x": 1.0}, {"x": 2.0}, Interval(2.0, 1.5, 2.5), "ratio", maximum=1.0
    )
    assert found.verdict == "fails" and found.paper == {"x": 1.0}


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


def test_a_presenter_writes_tables_claims_and_the_page(tmp_path):
    presenter = Presenter(tmp_path, "Title", introduction="What it is.", note="made up")
    presenter.report.section("Numbers")
    presenter.table("table_1", (["name", "size"], [["a", 1.0]]), "Sizes.")
    presenter.table("table_2", (["name"], [["b"]]), "Names.", note="real")
    tested = claim("1", "Small.", {}, {"x": 2.0}, Interval(2.0, 1.5, 2.5), "ratio", maximum=1.0)
    page = presenter.finish([tested], Settings())
    assert "*made up*" in (tmp_path / "table_1.md").read_text()
    assert "*real*" in (tmp_path / "table_2.md").read_text()
    assert json.loads((tmp_path / "claims.json").read_text())["summary"]["targets"]["fails"] == 1
    assert "Small." in page.read_text() and "radius" in page.read_text()


def test_a_report_without_claims_has_no_section_of_them(tmp_path):
    page = Presenter(tmp_path, "Title", introduction="", note="").finish([], Settings())
    assert "Claims of the paper" not in page.read_text()


def test_the_report_of_any_experiment_has_its_warnings_and_says_what_made_it(tmp_path):
    presets = {"demo": Settings(results=str(tmp_path))}

    @alone("x", presets)
    def main(config):
        notify("warning: a flat network")
        warnings.warn("a damaged file", UserWarning, stacklevel=1)
        presenter = Presenter(
            results_folder("x", config, presets), "Title", introduction="", note=""
        )
        notify("one image is not shown")
        pages.append(presenter.finish([], config).read_text())

    pages = []
    for _ in range(2):
        with pytest.warns(UserWarning, match="a damaged file"):
            main(presets["demo"])
    assert "a damaged file" in pages[1]
    assert pages[1].count("a flat network") == 1 and pages[1].count("one image is not shown") == 1
    assert (
        pages[1].index("a flat network")
        < pages[1].index("one image is not shown")
        < pages[1].index(" UTC; ")
    )
    assert f"JAX {jax.__version__}" in pages[1] and "python -m" in pages[1]
    assert kept_notices() == ()


def test_the_digest_of_code_knows_packages_and_modules(tmp_path, monkeypatch):
    found = {source_digest(stages), source_digest(experiments), source_digest(stages, experiments)}
    assert len(found) == 3
    other = tmp_path / "stages.py"
    other.write_text("")
    before = source_digest(stages)
    monkeypatch.setattr(stages, "__file__", str(other))
    assert source_digest(stages) != before
