"""The knob page shows what it was given, and a reader who turns the knob sees the image and the
numbers that belong.
"""

import base64
import io
import json
import re
from dataclasses import replace

import numpy as np
import pytest
from browser import started_browser, visited
from PIL import Image

from cfx_jax.errors import InputError
from cfx_jax.report import Sweep, write_knob

NASTY = "</script><script>alert('x')</script> & \"quotes\" {{ 7 * 7 }}"
NAMES = ("not smiling", "smiling")


def sweep(name="", *, steps=5, source_bin=1, level=0.0):
    """Flat 4 x 6 images whose grey tells the step: level + 0.1, level + 0.2, ..."""
    grey = level + 0.1 * np.arange(1, steps + 1, dtype=np.float32)
    images = np.broadcast_to(grey[:, None, None, None], (steps, 4, 6, 3)).copy()
    desired = (np.arange(steps) + 0.5) / steps
    return Sweep(
        images=images,
        original=images[source_bin] + 0.01,
        probabilities=desired**2,
        desired=desired,
        source_bin=source_bin,
        probability=0.22,
        name=name,
    )


def pixels(uri):
    kind, content = uri.split(",", 1)
    assert kind == "data:image/png;base64"
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(content))))


@pytest.fixture(scope="module")
def browser():
    with started_browser() as started:
        yield started


@pytest.fixture
def page(browser, tmp_path):
    path = write_knob(
        tmp_path / "knob.html", [sweep()], title="A knob", class_names=NAMES, note="synthetic data"
    )
    with visited(browser, path) as page:
        yield page


def slider_of(page):
    return page.get_by_role("slider", name="Desired probability of smiling")


def shown_level(page):
    """The grey of the exaggerated image that is on the page."""
    values = pixels(page.locator("#current").get_attribute("src"))
    assert values.shape == (4, 6, 3) and len(np.unique(values)) == 1
    return values[0, 0, 0] / 255


def test_knob_starts_at_the_query_s_own_bin(page):
    assert slider_of(page).input_value() == "1"
    assert shown_level(page) == pytest.approx(0.2, abs=1 / 255)
    assert pixels(page.locator("#original").get_attribute("src"))[0, 0, 0] / 255 == pytest.approx(
        0.21, abs=1 / 255
    )
    assert page.get_by_role("heading", name="A knob").is_visible()
    assert page.get_by_role("note").inner_text() == "synthetic data"
    assert "classifier 0.22, not smiling" in page.locator("#original-text").inner_text()


def test_arrow_keys_home_and_end_turn_the_knob(page):
    slider = slider_of(page)
    slider.focus()
    for key, step in (
        ("ArrowRight", 2),
        ("ArrowRight", 3),
        ("ArrowLeft", 2),
        ("End", 4),
        ("Home", 0),
    ):
        page.keyboard.press(key)
        assert slider.input_value() == str(step)
        assert shown_level(page) == pytest.approx(0.1 * (step + 1), abs=1 / 255)
        assert page.locator("#probability").inner_text() == f"{((step + 0.5) / 5) ** 2:.2f}"


def test_dragging_to_the_end_shows_the_opposite_extreme(page):
    box = slider_of(page).bounding_box()
    page.mouse.move(box["x"] + 0.3 * box["width"], box["y"] + box["height"] / 2)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"], box["y"] + box["height"] / 2)
    page.mouse.up()
    assert page.locator("#desired").inner_text() == "0.90"
    assert page.locator("#probability").inner_text() == "0.81"
    assert page.locator("#verdict").inner_text() == "Decision: smiling"
    assert slider_of(page).get_attribute("aria-valuetext") == "0.90 desired, 0.81 by the classifier"


def test_chart_and_bar_stand_where_the_numbers_say(page):
    """In the chart's units: 224 wide and high, with its origin at (44, 234)."""
    slider_of(page).press("End")
    now = page.locator("#now")
    assert float(now.get_attribute("cx")) == pytest.approx(44 + 224 * 0.9)
    assert float(now.get_attribute("cy")) == pytest.approx(234 - 224 * 0.81)
    points = [
        tuple(map(float, point.split(",")))
        for point in page.locator("#line").get_attribute("points").split()
    ]
    desired = (np.arange(5) + 0.5) / 5
    np.testing.assert_allclose(
        points, np.stack([44 + 224 * desired, 234 - 224 * desired**2], axis=1)
    )
    bar, fill = (page.locator(each).bounding_box() for each in (".bar", "#fill"))
    assert fill["width"] / bar["width"] == pytest.approx(0.81, abs=0.01)


def test_table_lists_all_values(page):
    page.get_by_text("Table of values").click()
    rows = [row.split() for row in page.locator("#values tr").all_inner_texts()]
    assert rows == [
        ["0.10", "0.010"],
        ["0.30", "0.090"],
        ["0.50", "0.250"],
        ["0.70", "0.490"],
        ["0.90", "0.810"],
    ]


def test_change_map_appears_when_asked_and_is_signed(page):
    change = page.get_by_role("img", name="Where it differs from Query 1")
    assert not change.is_visible()
    page.get_by_role("checkbox", name="Show the change from the query").check()
    slider_of(page).press("End")
    red, _, blue = pixels(change.get_attribute("src"))[0, 0]
    assert change.is_visible() and red > blue  # brighter than the query
    slider_of(page).press("Home")
    red, _, blue = pixels(change.get_attribute("src"))[0, 0]
    assert blue > red
    assert "±0.29" in page.locator("#change-text").inner_text()


def test_play_goes_through_the_steps_until_paused(page):
    page.get_by_role("button", name="Play").click()
    seen = set()
    for _ in range(200):
        page.wait_for_timeout(50)
        seen.add(slider_of(page).input_value())
        if {"2", "3"} <= seen:
            break
    assert {"2", "3"} <= seen
    page.get_by_role("button", name="Pause").click()
    stopped = slider_of(page).input_value()
    page.wait_for_timeout(700)
    assert slider_of(page).input_value() == stopped
    assert page.get_by_role("button", name="Play").is_visible()


def test_another_query_brings_its_own_images_numbers_and_length(browser, tmp_path):
    sweeps = [sweep("first"), sweep("second", steps=3, source_bin=2, level=0.5)]
    path = write_knob(tmp_path / "knob.html", sweeps, title="Two", class_names=NAMES)
    with visited(browser, path) as page:
        page.get_by_role("radio", name="first").focus()
        page.keyboard.press("ArrowRight")
        assert page.get_by_role("radio", name="second").is_checked()
        assert slider_of(page).input_value() == "2"
        assert shown_level(page) == pytest.approx(0.8, abs=1 / 255)
        slider_of(page).press("End")
        assert slider_of(page).input_value() == "2"
        assert page.locator("#values tr").count() == 3


def test_nothing_is_wider_than_the_window_in_either_scheme(browser, tmp_path):
    path = write_knob(
        tmp_path / "knob.html", [sweep(steps=10)] * 3, title="Wide", class_names=NAMES
    )
    with visited(browser, path) as page:
        page.get_by_role("checkbox").check()
        for scheme, width in (("light", 360), ("dark", 1280)):
            page.emulate_media(color_scheme=scheme)
            page.set_viewport_size({"width": width, "height": 800})
            assert page.evaluate("document.documentElement.scrollWidth") <= width
            ink, paper = page.evaluate(
                "(s => [s.color, s.backgroundColor])(getComputedStyle(document.body))"
            )
            brightness = [sum(map(int, colour[4:-1].split(","))) for colour in (ink, paper)]
            assert (brightness[0] < brightness[1]) == (scheme == "light")


def test_no_text_is_taken_for_markup(browser, tmp_path):
    path = write_knob(
        tmp_path / "k.html", [sweep(NASTY)] * 2, title=NASTY, class_names=(NASTY, NASTY), note=NASTY
    )
    with visited(browser, path) as page:
        page.on("dialog", lambda dialog: pytest.fail(dialog.message))
        assert page.title() == NASTY
        assert NASTY in page.locator("#verdict").inner_text()
        assert NASTY in page.locator("#original-text").inner_text()


def test_page_holds_everything_and_forbids_the_rest(tmp_path):
    source = write_knob(tmp_path / "k.html", [sweep()], title="t", class_names=NAMES).read_text(
        encoding="utf-8"
    )
    assert "http:" not in source and "https:" not in source and "@import" not in source
    assert "default-src 'none'" in source
    assert source.startswith("<!doctype html>") and '<html lang="en">' in source


def test_images_without_a_change_have_a_white_map(tmp_path):
    """The scale of the colours does not become 0; the middle of RdBu is 247, not 255."""
    still = replace(
        sweep(),
        images=np.full((5, 4, 6, 1), 0.5, np.float32),
        original=np.full((4, 6, 1), 0.5, np.float32),
    )
    source = write_knob(tmp_path / "k.html", [still], title="t", class_names=NAMES).read_text(
        encoding="utf-8"
    )
    data = json.loads(re.search(r'id="data">(.*)</script>', source).group(1))
    for change in data["sweeps"][0]["changes"]:
        np.testing.assert_allclose(pixels(change), 247, atol=1)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        (
            {"images": np.zeros((5, 4, 5, 3), np.float32)},
            r"original's shape \(4, 6, 3\), got \(5, 4, 5, 3\)",
        ),
        ({"images": np.zeros((1, 4, 6, 3), np.float32)}, r"needs two images or more"),
        ({"original": np.zeros((4, 6), np.float32)}, r"its original must have shape"),
        ({"images": np.full((5, 4, 6, 3), 255.0)}, r"a sweep's images must lie in \[0, 1\]"),
        (
            {"probabilities": np.zeros(4)},
            r"a sweep's probabilities must be 5 numbers, one per image, got shape \(4,\)",
        ),
        (
            {"probabilities": np.full(5, np.nan)},
            r"a sweep's probabilities must lie in \[0, 1\], got nan",
        ),
        ({"desired": np.array([0.1, 0.3, 0.3, 0.5, 0.9])}, r"desired probabilities must increase"),
        ({"source_bin": 5}, r"source_bin must lie in 0..4, got 5"),
        ({"probability": 1.5}, r"the query's probability must lie in \[0, 1\], got 1.5"),
    ],
)
def test_what_is_no_sweep_is_refused(changed, message):
    with pytest.raises(InputError, match=message):
        replace(sweep(), **changed)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"sweeps": []}, "at least one of sweeps is needed"),
        ({"title": " "}, "a knob page needs a title"),
        (
            {"class_names": "ab"},
            "class_names must be two names, those of classes 0 and 1, got 'ab'",
        ),
        ({"class_names": ("a", "b", "c")}, "class_names must be two names"),
    ],
)
def test_what_cannot_be_shown_is_refused(tmp_path, changed, message):
    arguments = {"sweeps": [sweep()], "title": "t", "class_names": NAMES, **changed}
    with pytest.raises(InputError, match=message):
        write_knob(tmp_path / "k.html", arguments.pop("sweeps"), **arguments)
