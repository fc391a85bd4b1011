"""The gallery shows every card with what it was given, and a reader can filter, sort and turn."""

import base64
import io
import json
import math
from html.parser import HTMLParser

import numpy as np
import pytest
from browser import started_browser, visited
from PIL import Image

from cfx_jax.errors import InputError
from cfx_jax.report.gallery import Card, Figure, Strip, Texts, write_gallery

NASTY = "</script><script>alert('x')</script> & \"quotes\" {{ 7 * 7 }}"
TEXTS = Texts(
    title="Scans",
    introduction=["Some scans."],
    cautions=["Mostly noise."],
    words={"target": "the class that was asked for."},
    facts={"made": "today"},
)


def card(number, *, name="", classes=("well", "sick"), side=8):
    image = np.full((side, side, 1), number % 10 / 10, np.float32)
    heat = np.zeros((side, side), np.float32)
    heat[0, 0], heat[0, 1] = 1.0, -0.5
    steps = [
        [
            Figure(caption="changed", alt=f"changed {step}", image=np.full_like(image, step / 4)),
            Figure(caption="change", alt="the change", image=image, heat=heat, scale=1.0),
        ]
        for step in range(3)
    ]
    strips = [
        Strip(
            title="vce",
            steps=steps,
            labels=["radius 1", "radius 2", "radius 3"],
            knob="radius",
            numbers={"distance": "0.5"},
        ),
        Strip(title="gradient", steps=[[steps[0][1]]]),
    ]
    return Card(
        number=number,
        name=name or f"scan {number}",
        image=image,
        facts=[f"{classes[number % 2]} 0.90"],
        prediction=classes[number % 2],
        label=classes[number // 2 % 2],
        target=classes[1 - number % 2],
        scores={"probability": number * 7 % 11 / 11, "radius": math.inf if number == 1 else 0.5},
        strips=strips,
    )


class Elements(HTMLParser):
    """All elements of a page, as (tag, attributes)."""

    def __init__(self, text):
        super().__init__()
        self.all = []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.all.append((tag, dict(attributes)))

    def of(self, tag, **wanted):
        return [
            found
            for name, found in self.all
            if name == tag and all(found.get(key, "").split().count(v) for key, v in wanted.items())
        ]


def elements(path):
    return Elements(path.read_text(encoding="utf-8"))


def write(path, count, **options):
    cards = (card(number, **options) for number in range(count))
    return write_gallery(path, cards, count=count, texts=TEXTS)


def pixels(uri):
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(uri.split(",", 1)[1]))))


def test_few_cards_make_one_file_that_holds_all(tmp_path):
    page = elements(write(tmp_path / "page.html", 3))
    assert [path.name for path in tmp_path.iterdir()] == ["page.html"]
    assert all(image["src"].startswith("data:image/png") for image in page.of("img"))
    cards = page.of("article")
    assert [entry["data-name"] for entry in cards] == ["scan 0", "scan 1", "scan 2"]
    assert json.loads(cards[1]["data-scores"]) == [7 / 11, math.inf]
    assert len(page.of("div", **{"class": "step"})) == 3 * (3 + 1)
    text = (tmp_path / "page.html").read_text(encoding="utf-8")
    for word in ("Mostly noise.", "Some scans.", "asked for", "today", "radius 2", "distance"):
        assert word in text
    assert "http:" not in text and "https:" not in text and "default-src 'none'" in text


def test_every_picture_has_words_or_is_drawn_over_one_that_has(tmp_path):
    page = elements(write(tmp_path / "page.html", 2))
    pictures = page.of("img")
    assert all("alt" in picture for picture in pictures)
    assert {picture.get("class") for picture in pictures if not picture["alt"]} == {"heat"}
    assert all(base["aria-label"] for base in page.of("div", role="img"))


def test_heat_is_red_above_and_blue_below_0_and_clear_at_0(tmp_path):
    page = elements(write(tmp_path / "page.html", 1))
    heat = pixels(page.of("img", **{"class": "heat"})[0]["src"]).astype(int)
    assert heat.shape == (8, 8, 4)
    assert heat[0, 0, 0] > heat[0, 0, 2] and heat[0, 0, 3] == 255
    assert heat[0, 1, 2] > heat[0, 1, 0] and abs(heat[0, 1, 3] - 128) <= 1
    assert (heat[1:, :, 3] == 0).all()


def test_many_cards_make_pages_of_100_with_pictures_beside(tmp_path):
    path = write(tmp_path / "page.html", 205)
    overview = elements(path)
    links = overview.of("a", **{"class": "entry"})
    assert [link["data-number"] for link in links] == [str(number) for number in range(205)]
    parts = [elements(tmp_path / f"page_files/000{number}.html") for number in (1, 2, 3)]
    assert [len(part.of("article")) for part in parts] == [100, 100, 5]
    for link in (links[0], links[104], links[204]):
        name, anchor = link["href"].split("#")
        page = elements(tmp_path / name)
        (article,) = [entry for entry in page.of("article") if entry["id"] == anchor]
        assert article["data-number"] == link["data-number"]
    for page, folder in [
        (overview, tmp_path),
        *((part, tmp_path / "page_files") for part in parts),
    ]:
        for image in page.of("img"):
            assert (folder / image["src"]).is_file(), image["src"]
    assert parts[1].of("a", rel="next")[0]["href"] == "0003.html"
    assert parts[1].of("a", rel="prev")[0]["href"] == "0001.html"
    assert not parts[2].of("a", rel="next") and not parts[0].of("a", rel="prev")
    assert path.stat().st_size < 500_000


def test_no_text_is_taken_for_markup(tmp_path):
    path = write(tmp_path / "page.html", 2, name=NASTY, classes=(NASTY, "sick"))
    page = elements(path)
    assert len(page.of("script")) == 1
    assert page.of("article")[0]["data-name"] == NASTY
    assert NASTY in [option.get("value") for option in page.of("option")]


def test_a_gallery_needs_a_card_and_a_strip_equal_steps(tmp_path):
    with pytest.raises(InputError, match="at least one card"):
        write_gallery(tmp_path / "page.html", iter(()), count=0, texts=TEXTS)
    figure = card(0).strips[1].steps[0][0]
    with pytest.raises(InputError, match="one label for each step"):
        Strip(title="t", steps=[[figure], [figure]], labels=["one"])
    with pytest.raises(InputError, match="as many figures"):
        Strip(title="t", steps=[[figure], []], labels=["one", "two"])


@pytest.fixture(scope="module")
def browser():
    with started_browser() as started:
        yield started


def shown(page):
    """Names of the entries on the page, in order."""
    return page.eval_on_selector_all(
        ".entry:not([hidden])", "entries => entries.map(entry => entry.dataset.name)"
    )


def test_a_reader_filters_searches_and_sorts(browser, tmp_path):
    with visited(browser, write(tmp_path / "page.html", 6)) as page:
        page.get_by_label("Prediction").select_option("sick")
        assert shown(page) == ["scan 1", "scan 3", "scan 5"]
        page.get_by_label("Decision").select_option("wrong")
        assert shown(page) == ["scan 1", "scan 5"]
        assert page.locator("#shown").inner_text() == "2 of 6 shown"
        page.get_by_label("Prediction").select_option("")
        page.get_by_label("Decision").select_option("")
        page.get_by_label("Order").select_option("probability")
        values = {f"scan {number}": number * 7 % 11 for number in range(6)}
        assert shown(page) == sorted(values, key=values.get)
        page.get_by_label("Direction").select_option("down")
        assert shown(page) == sorted(values, key=values.get, reverse=True)
        page.get_by_label("Name").fill("N 4")
        assert shown(page) == ["scan 4"]


def test_a_knob_turns_its_own_strip_and_the_common_one_turns_all(browser, tmp_path):
    with visited(browser, write(tmp_path / "page.html", 2)) as page:
        first = page.get_by_role("slider", name="radius of vce, scan 0")
        readings = page.locator(".reading:visible")
        assert readings.all_inner_texts() == ["radius 3", "radius 3"]
        first.press("ArrowLeft")
        assert readings.all_inner_texts() == ["radius 2", "radius 3"]
        assert page.get_by_role("img", name="changed 1").count() == 1
        assert first.get_attribute("aria-valuetext") == "radius 2"
        page.get_by_label("All knobs").fill("0")
        assert readings.all_inner_texts() == ["radius 1", "radius 1"]


def test_the_heat_slider_fades_from_the_image_to_the_colours(browser, tmp_path):
    with visited(browser, write(tmp_path / "page.html", 1)) as page:

        def opacities():
            return page.evaluate(
                "['.base', '.heat'].map(s => Number(getComputedStyle("
                "document.querySelector('.step:not([hidden]) ' + s)).opacity))"
            )

        slider = page.get_by_label("Image ↔ colours")
        assert opacities() == [1, 1]
        slider.fill("0")
        assert opacities() == [1, 0]
        slider.fill("75")
        assert opacities() == pytest.approx([0.5, 1])


def test_arrow_keys_lead_through_the_shown_entries_and_to_the_next_page(browser, tmp_path):
    path = write(tmp_path / "page.html", 130)
    with visited(browser, path, beside=True) as page:
        page.keyboard.press("ArrowRight")
        page.keyboard.press("ArrowRight")
        focused = "document.activeElement.dataset.name"
        assert page.evaluate(focused) == "scan 1"
        page.keyboard.press("Enter")
        page.wait_for_url("**/0001.html#image-1")
        assert page.locator("#image-1").is_visible()
        page.keyboard.press("ArrowLeft")
        assert page.evaluate(focused) == "scan 0"
        page.locator("#image-99").focus()
        page.keyboard.press("ArrowRight")
        page.wait_for_url("**/0002.html")
        assert shown(page)[0] == "scan 100"
        page.get_by_role("link", name="All images").click()
        page.wait_for_url("**/page.html")


def test_pictures_beside_the_page_are_loaded(browser, tmp_path):
    path = write(tmp_path / "page.html", 30)
    with visited(browser, path, beside=True) as page:
        assert (
            page.evaluate("document.images[0].decode().then(() => document.images[0].naturalWidth)")
            == 8
        )
        page.locator(".entry").first.click()
        page.wait_for_url("**/0001.html#image-0")
        assert (
            page.evaluate("document.images[0].decode().then(() => document.images[0].naturalWidth)")
            == 8
        )
        style = "getComputedStyle(document.querySelector('.base')).backgroundImage"
        assert page.evaluate(style).endswith('/page_files/0001/000000.png")')


def test_nothing_is_wider_than_the_window(browser, tmp_path):
    path = write(tmp_path / "page.html", 3, name="a_very_long_name_without_any_blank" * 5)
    with visited(browser, path) as page:
        for width in (320, 390, 1280):
            page.set_viewport_size({"width": width, "height": 800})
            assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_in_print_the_controls_are_gone_and_all_words_are_there(browser, tmp_path):
    with visited(browser, write(tmp_path / "page.html", 2)) as page:
        page.emulate_media(media="print")
        page.evaluate("window.dispatchEvent(new Event('beforeprint'))")
        assert not page.locator("#filters").is_visible()
        assert page.get_by_text("the class that was asked for.").is_visible()
        assert page.get_by_text("today").is_visible()
