"""A paper's report: tables as files, claims, warnings, and what made it."""

import dataclasses
import json
import re
import warnings

import jax
import numpy as np
import pytest
from image_folders import write_folder
from PIL import Image

from cfx_jax.metrics import Interval
from experiments.shared import (
    FolderOptions,
    ImageSet,
    PaperReport,
    Statement,
    StoredImages,
    keep_notices,
    load_folder,
    notify,
    users_images,
)
from experiments.shared.notices import kept_notices


@dataclasses.dataclass(frozen=True)
class Settings:
    preset: str = "demo"
    radius: float = 1.0
    results: str = "results"
    work: str = "work"


def test_a_report_writes_tables_claims_and_the_page(tmp_path):
    report = PaperReport(tmp_path, "Title", introduction="What it is.", note="made up")
    report.section("Numbers")
    report.table("table_1", (["name", "size"], [["a", 1.0]]), "Sizes.")
    report.table("table_2", (["name"], [["b"]]), "Names.", note="real")
    statement, interval = Statement("1", "Small.", kind="target"), Interval(2.0, 1.5, 2.5)
    tested = statement.settle({}, {"x": 2.0}, interval, "ratio", maximum=1.0)
    page = report.finish([tested], Settings())
    assert "*made up*" in (tmp_path / "table_1.md").read_text()
    assert "*real*" in (tmp_path / "table_2.md").read_text()
    assert json.loads((tmp_path / "claims.json").read_text())["summary"]["targets"]["fails"] == 1
    assert "Small." in page.read_text() and "radius" in page.read_text()


def test_a_report_without_claims_has_no_section_of_them(tmp_path):
    page = PaperReport(tmp_path, "Title", introduction="", note="").finish([], Settings())
    assert "Claims of the paper" not in page.read_text()


def test_the_report_of_any_experiment_has_its_warnings_and_says_what_made_it(tmp_path):
    pages = []
    for _ in range(2):
        with pytest.warns(UserWarning, match="a damaged file"), keep_notices():
            notify("warning: a flat network")
            warnings.warn("a damaged file", UserWarning, stacklevel=1)
            report = PaperReport(tmp_path, "Title", introduction="", note="")
            notify("one image is not shown")
            pages.append(report.finish([], Settings()).read_text())
    assert "a damaged file" in pages[1]
    assert pages[1].count("a flat network") == 1 and pages[1].count("one image is not shown") == 1
    assert (
        pages[1].index("a flat network")
        < pages[1].index("one image is not shown")
        < pages[1].index(" UTC; ")
    )
    assert f"JAX {jax.__version__}" in pages[1] and "python -m" in pages[1]
    assert kept_notices() == ()


def test_a_figure_is_drawn_with_the_reports_note_and_an_animation_with_its_button(tmp_path):
    report, notes = PaperReport(tmp_path, "Title", introduction="", note="made up"), []

    def draw(path, image, *, note, scale):
        notes.append(note)
        Image.fromarray(np.full((4, 4), scale * image, np.uint8)).save(path)

    report.section("Figures")
    for name in ("figure_1.png", "animation.gif"):
        report.draw(name, draw, 2, scale=10, caption=f"This is {name}.", alt="Grey.")
    report.draw("figure_2.png", draw, 3, scale=10, note="of its own", caption="", alt="Grey.")
    page = report.finish([], Settings()).read_text()
    assert notes == [*["made up"] * 2, "of its own"] and (tmp_path / "figure_1.png").exists()
    assert "This is figure_1.png." in page and "This is animation.gif." in page
    assert "image/gif" in page and "image/png" in page


def test_a_report_on_a_users_images_speaks_of_them(tmp_path):
    folder = write_folder(tmp_path / "images", count=3)
    for number in range(25):
        (folder / "sad" / f"bad{number}.png").write_bytes(b"?")
    (folder / "sad/notes.txt").write_text("x")
    images = load_folder(str(folder), FolderOptions(size=8, classes=("sad", "glad")))
    users = users_images(images)
    report = PaperReport(
        tmp_path / "r", "Mine", introduction="AUC (paper: 1).", note="n", users=users
    )
    report.section("Numbers")
    table = (["name", "ours", "paper"], [["a", 1.0, 2.0], ["paper: a", 3.0, 4.0]])
    report.table("table_1", table, "As the paper's Table 1: IoU of maps.")
    page = report.finish([], Settings()).read_text()
    assert "Images of each class: 3 sad, 3 glad." in page and "IoU of maps." in page
    assert "sad/bad0.png: cannot be decoded" in page and "and 5 more" in page
    assert len((tmp_path / "r/skipped_files.txt").read_text().splitlines()) == 25
    assert ".txt files" in page and "Made " in page
    assert "intersection over union" in page and "area under the ROC curve" in page
    assert not re.search(r"\bpaper\b", page[page.index("<body") :], re.IGNORECASE)
    assert "paper" not in (tmp_path / "r/table_1.csv").read_text()
    assert users_images(ImageSet.whole(StoredImages({"label": [0]}, ("a", "b")), [])) is None
