"""A page is one file that is complete, well formed, safe and readable without seeing it."""

from html.parser import HTMLParser
from importlib import resources

import numpy as np
import pytest
from PIL import Image

from cfx_jax.errors import InputError
from cfx_jax.report import Claim, Report

VOID = {"meta", "img", "input", "br", "hr", "link"}
NASTY = "<script>alert('x')</script> & \"quotes\" {{ 7 * 7 }} {% raw %}"


class Page(HTMLParser):
    """A page taken apart: its elements, and whether every element is closed in order."""

    def __init__(self, path):
        super().__init__()
        self.open, self.elements, self.texts = [], [], []
        self.source = path.read_text(encoding="utf-8")
        self.feed(self.source)
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open and self.open[-1] not in ("style", "script"):
            self.texts.append(data)

    def all(self, tag):
        return [attributes for name, attributes in self.elements if name == tag]

    @property
    def text(self):
        return " ".join(" ".join(self.texts).split())


def claim(name="iou", verdict="holds", **more):
    base = {"text": "A claim.", "paper": {"plain": 0.07}, "ours": {"plain": (0.5, 0.1)}}
    return Claim(id=name, interval=(0.1, 0.05, 0.15), verdict=verdict, **{**base, **more})


@pytest.fixture
def images(tmp_path):
    rng = np.random.default_rng(0)
    made = [Image.fromarray(rng.integers(0, 255, (20, 30, 3), np.uint8)) for _ in range(3)]
    made[0].save(tmp_path / "a.png")
    made[0].save(tmp_path / "a.gif", save_all=True, append_images=made[1:])
    return tmp_path / "a.png", tmp_path / "a.gif"


@pytest.fixture
def page(tmp_path, images):
    figure, animation = images
    report = Report("A title", introduction="Intro.\n\n- one\n- two", note="synthetic data")
    report.section("Claims").claims(
        [
            claim(kind="statement", place="section 4"),
            claim("b", "fails", kind="ordering", place="Table 2"),
            claim("c", "fails", note="n", statistic="s"),
        ]
    )
    report.section("Results", "Some text.").table(
        ["model", "IoU"], [["plain", (0.1, 0.2)]], caption="IoU."
    )
    report.figure(figure, caption="A figure.", alt="what it shows").text("Between.")
    report.animation(animation, caption="An animation.", alt="what moves")
    report.section("Configuration").config({"a": {"b": 1}})
    return Page(report.write(tmp_path / "report.html"))


def test_everything_given_is_on_the_page(page):
    for expected in (
        "A title",
        "Intro.",
        "synthetic data",
        "Some text.",
        "Between.",
        "Table 1.",
        "Table 2.",
    ):
        assert expected in page.text
    for expected in (
        "Figure 1. A figure.",
        "Figure 2. An animation.",
        "0.100 ± 0.200",
        "a.b",
        "0.500 ± 0.100",
    ):
        assert expected in page.text


def test_nothing_is_fetched_from_outside(page):
    assert "http:" not in page.source and "https:" not in page.source
    for _, attributes in page.elements:
        for name in ("src", "href", "srcset", "action", "data"):
            value = attributes.get(name)
            assert value is None or value.startswith(("data:image/", "#"))
    assert "url(" not in page.source and "@import" not in page.source
    policy = next(
        meta for meta in page.all("meta") if meta.get("http-equiv") == "Content-Security-Policy"
    )
    assert "default-src 'none'" in policy["content"]


def test_every_image_is_described_and_has_a_size(page):
    assert len(page.all("img")) == 3
    for image in page.all("img"):
        assert image["alt"].strip() and int(image["width"]) > 0 and int(image["height"]) > 0


def test_every_table_has_a_caption_and_headers_with_scope(page):
    assert len(page.all("caption")) == len(page.all("table")) == 2
    scopes = [header.get("scope") for header in page.all("th")]
    assert set(scopes) == {"col", "row"}


def test_contents_lead_to_sections_and_ids_are_unique(page):
    ids = [attributes["id"] for _, attributes in page.elements if "id" in attributes]
    assert len(ids) == len(set(ids))
    targets = [link["href"] for link in page.all("a")]
    assert targets[:3] == ["#section-1", "#section-2", "#section-3"]
    assert {target[1:] for target in targets} <= set(ids)
    for _, attributes in page.elements:
        assert attributes.get("aria-labelledby", ids[0]) in ids


def test_inputs_have_names(page):
    labelled = [box for box in page.all("input") if "aria-label" in box]
    assert len(labelled) == 2  # to enlarge; the third, to pause, stands in its label
    assert page.source.count('<label class="pause"><input') == 1


def test_verdicts_are_words_and_summed_up(page):
    assert "Claims of the paper 1 ✓ holds 1 ✗ fails 0 ? undecided" in page.text
    assert "Our targets 0 ✓ holds 1 ✗ fails 0 ? undecided" in page.text
    assert page.text.count("✗ fails") == 4
    assert (
        "statement, section 4" in page.text
        and "ordering, Table 2" in page.text
        and "our target" in page.text
    )


def test_language_character_set_and_title_are_declared(page):
    assert page.source.startswith("<!doctype html>")
    assert page.all("html")[0]["lang"] == "en"
    assert page.all("meta")[0]["charset"] == "utf-8"
    assert len(page.all("h1")) == 1


def test_light_dark_and_print_are_styled(page):
    for query in ("prefers-color-scheme: dark", "@media print", "prefers-reduced-motion"):
        assert query in page.source


def test_no_text_is_taken_for_markup(tmp_path, images):
    figure, animation = images
    report = (
        Report(NASTY, introduction=f"{NASTY}\n\n- {NASTY}", note=NASTY)
        .section(NASTY, NASTY)
        .text(NASTY)
    )
    report.table([NASTY], [[NASTY]], caption=NASTY).figure(figure, caption=NASTY, alt=NASTY)
    report.animation(animation, caption=NASTY, alt=NASTY).config({NASTY: NASTY}, caption=NASTY)
    report.claims([claim(NASTY, text=NASTY, paper={NASTY: NASTY}, note=NASTY, statistic=NASTY)])
    page = Page(report.write(tmp_path / "report.html"))
    assert page.source.count("<script>") == 1
    assert "alert" not in "".join(tag for tag, _ in page.elements)
    assert " ".join(NASTY.split()) in page.text
    assert all(image["alt"] == NASTY for image in page.all("img"))


def test_tables_and_figures_are_numbered_apart_in_order(tmp_path, images):
    figure, animation = images
    report = Report("t").section("s")
    report.table(["a"], [[1]], caption="").figure(figure, caption="", alt="x").claims([claim()])
    report.animation(animation, caption="", alt="x").table(["a"], [[1]], caption="")
    page = Page(report.write(tmp_path / "report.html"))
    ids = [attributes["id"] for _, attributes in page.elements if "id" in attributes]
    numbered = [name for name in ids if name.startswith(("table", "figure"))]
    assert numbered == ["table-1", "figure-1", "table-2", "figure-2", "table-3"]


def test_same_report_gives_the_same_file(tmp_path):
    report = Report("t").section("s", "text")
    assert (
        report.write(tmp_path / "a.html").read_bytes()
        == report.write(tmp_path / "b.html").read_bytes()
    )


def test_page_without_claims_or_note_says_nothing_of_them(tmp_path):
    page = Page(Report("t").section("s", "text").write(tmp_path / "a.html"))
    assert "undecided" not in page.text and 'role="note"' not in page.source


@pytest.mark.parametrize(
    ("claims", "of_paper"),
    [
        ([claim(paper={}, kind="target"), claim("b", paper={}, kind="target")], False),
        ([claim(paper={}, kind="target"), claim("b", kind="target")], True),
        ([claim(paper={}, kind="statement", place="Table 2")], True),
    ],
)
def test_claims_that_are_targets_of_ours_alone_have_no_column_of_a_paper(
    tmp_path, claims, of_paper
):
    page = Page(Report("t").section("s").claims(claims).write(tmp_path / "a.html"))
    assert ("Paper" in page.text) == ("statements of the paper" in page.text) == of_paper
    assert page.source.count('<th scope="col">') == (5 if of_paper else 4)
    rows = page.source.split("<tbody>")[1].split("</tr>")[:-1]
    assert all(row.count("<td>") == (4 if of_paper else 3) for row in rows)


def test_template_is_part_of_the_package():
    template = resources.files("cfx_jax.report").joinpath("report.html.jinja")
    assert template.is_file() and "<!doctype html>" in template.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: Report(" "), "a report needs a title"),
        (lambda: Report("t").section(""), "a section needs a title"),
        (
            lambda: Report("t").text("x"),
            r"contents belong to sections: call section\(title\) first",
        ),
        (lambda: Report("t").claims([claim()]), "contents belong to sections"),
        (lambda: Report("t").section("s").claims([]), "at least one of claims"),
    ],
)
def test_what_cannot_be_reported_is_refused(build, message):
    with pytest.raises(InputError, match=message):
        build()
