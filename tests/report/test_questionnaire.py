"""A rater answers in a real browser, and the file that the page saves holds what was answered."""

import json
import re
from dataclasses import replace
from datetime import datetime

import numpy as np
import pytest
from browser import started_browser, visited

from cfx_jax.errors import InputError
from cfx_jax.report import Question, read_key, read_votes, write_key, write_questionnaire
from cfx_jax.report.questionnaire import fingerprint

NASTY = "</script><script>alert('x')</script> & \"quotes\" {{ 7 * 7 }}"


def question(number, *, images=2, options=("age", "smile", "hair"), captions=()):
    grey = np.linspace(0.1, 0.9, images, dtype=np.float32)[:, None, None, None]
    return Question(
        id=f"q{number}",
        images=np.broadcast_to(grey, (images, 4, 6, 3)).copy(),
        prompt=f"What is changing, number {number}?",
        options=options,
        captions=captions,
    )


QUESTIONS = [question(number) for number in range(5)]


@pytest.fixture(scope="module")
def browser():
    with started_browser() as started:
        yield started


@pytest.fixture
def path(tmp_path):
    introduction = "Please look.\n\nThen choose."
    return write_questionnaire(
        tmp_path / "ask.html", QUESTIONS, title="A study", introduction=introduction, note="n"
    )


def start(page, name="Ann"):
    page.get_by_role("textbox", name="Your name").fill(name)
    page.get_by_role("button", name="Start").click()


def asked(page):
    """The number in the prompt of the question that is on the page."""
    return int(
        re.search(r"number (\d)", page.get_by_role("heading", level=2).inner_text()).group(1)
    )


def answer(page, choice):
    page.get_by_role("radio").nth(choice).check()
    page.get_by_role("button", name="Next").click()


def saved(page, tmp_path, button="Save my answers"):
    with page.expect_download() as download:
        page.get_by_role("button", name=button).click()
    path = tmp_path / download.value.suggested_filename
    download.value.save_as(path)
    return path


def expected_order(count, seed):
    """Fisher and Yates with Marsaglia's xorshift32 (shifts 13, 17, 5), written anew."""
    state, places = seed or 1, list(range(count))
    for i in range(count - 1, 0, -1):
        state ^= (state << 13) & 0xFFFFFFFF
        state ^= state >> 17
        state ^= (state << 5) & 0xFFFFFFFF
        j = int(state / 2**32 * (i + 1))
        places[i], places[j] = places[j], places[i]
    return places


def test_saved_votes_are_what_was_answered(browser, path, tmp_path):
    with visited(browser, path) as page:
        start(page, "Ann Müller")
        shown = []
        for _ in QUESTIONS:
            shown.append(asked(page))
            answer(page, shown[-1] % 3)
        assert page.get_by_role("heading", name="Thank you").is_visible()
        votes = saved(page, tmp_path)
        assert (
            page.get_by_role("status").inner_text() == f"Saved as {votes.name} in your downloads."
        )
    assert votes.name == "votes-Ann-Muller.json"
    document = json.loads(votes.read_text(encoding="utf-8"))
    assert [vote["id"] for vote in document["votes"]] == [f"q{i}" for i in range(5)]
    assert [vote["choice"] for vote in document["votes"]] == [0, 1, 2, 0, 1]
    assert [vote["option"] for vote in document["votes"]] == [
        "age",
        "smile",
        "hair",
        "age",
        "smile",
    ]
    assert [vote["position"] for vote in document["votes"]] == [
        shown.index(i) + 1 for i in range(5)
    ]
    assert all(0 <= vote["seconds"] < 60 for vote in document["votes"])
    assert document["rater"] == "Ann Müller" and document["questionnaire"] == fingerprint(QUESTIONS)
    assert datetime.fromisoformat(document["started"]) <= datetime.fromisoformat(document["saved"])
    assert shown == expected_order(5, document["seed"])

    key = read_key(write_key(tmp_path / "key.json", QUESTIONS, truth=[0] * 5))
    read = read_votes([votes], key=key)
    np.testing.assert_array_equal(read.votes, [[0], [1], [2], [0], [1]])
    assert read.raters == ("Ann Müller",) and read.ids == key.ids


def test_the_keyboard_alone_is_enough(browser, path, tmp_path):
    with visited(browser, path) as page:
        page.keyboard.press("Tab")
        page.keyboard.type("Kim")
        page.keyboard.press("Enter")
        for _ in QUESTIONS:
            page.keyboard.press(str(asked(page) % 3 + 1))
            page.keyboard.press("Enter")
        assert read_votes([saved(page, tmp_path)]).votes[:, 0].tolist() == [0, 1, 2, 0, 1]


def test_arrow_keys_move_between_the_options(browser, path):
    with visited(browser, path) as page:
        start(page)
        page.keyboard.press("1")
        page.keyboard.press("ArrowDown")
        assert page.get_by_role("radio", name="smile").is_checked()


def test_no_question_is_skipped_without_an_answer(browser, path):
    with visited(browser, path) as page:
        start(page)
        first = asked(page)
        page.get_by_role("button", name="Next").click()
        assert asked(page) == first
        assert (
            page.get_by_role("progressbar", name="Questions answered").evaluate("bar => bar.value")
            == 0
        )


def test_an_answer_can_be_changed_by_going_back(browser, path, tmp_path):
    with visited(browser, path) as page:
        start(page)
        assert page.get_by_role("button", name="Back").is_disabled()
        first = asked(page)
        answer(page, 0)
        page.get_by_role("button", name="Back").click()
        assert asked(page) == first and page.get_by_role("radio", name="age").is_checked()
        answer(page, 2)
        for _ in QUESTIONS[1:]:
            answer(page, 1)
        page.get_by_role("button", name="Back to the last question").click()
        answer(page, 1)
        votes = read_votes([saved(page, tmp_path)]).votes[:, 0]
    assert votes.tolist() == [2 if item == first else 1 for item in range(5)]


def test_progress_outlives_a_reload_and_is_each_rater_s_own(browser, path, tmp_path):
    with visited(browser, path) as page:
        start(page)
        done = [asked(page)]
        answer(page, 2)
        done.append(asked(page))
        answer(page, 2)
        waiting = asked(page)
        page.reload()
        start(page, "Bob")
        assert page.get_by_text("Question 1 of 5").is_visible()
        page.reload()
        start(page, "Ann")
        assert page.get_by_text("Question 3 of 5").is_visible() and asked(page) == waiting
        for _ in range(3):
            answer(page, 0)
        votes = read_votes([saved(page, tmp_path)]).votes[:, 0]
    assert votes.tolist() == [2 if item in done else 0 for item in range(5)]


def test_a_browser_that_keeps_nothing_says_so_and_still_saves(browser, path, tmp_path):
    other = browser.context.new_page()  # since what follows stays in the page for ever
    other.set_default_timeout(60_000)
    with visited(other, path) as page:
        page.add_init_script(
            "Object.defineProperty(window, 'localStorage', { get() { throw new Error('no'); } });"
        )
        page.reload()
        assert page.get_by_text("This browser keeps no progress").is_visible()
        start(page)
        for _ in QUESTIONS:
            answer(page, 1)
        assert read_votes([saved(page, tmp_path)]).votes[:, 0].tolist() == [1] * 5
    other.close()


def test_answers_saved_early_are_read_as_incomplete(browser, path, tmp_path):
    with visited(browser, path) as page:
        start(page)
        answer(page, 1)
        votes = saved(page, tmp_path, "Save the answers so far")
    with pytest.raises(InputError, match="is incomplete, 4 of 5 items have no vote"):
        read_votes([votes])


def test_raters_get_different_orders(browser, tmp_path):
    """Of 9 questions there are 362,880 orders: three raters with one and the same would be no
    chance.
    """
    path = write_questionnaire(tmp_path / "a.html", [question(i) for i in range(9)], title="t")
    with visited(browser, path) as page:
        orders = set()
        for name in "abc":
            page.reload()
            start(page, name)
            order = [page.evaluate("order.join()")]
            orders.update(order)
            assert sorted(order[0].split(",")) == list("012345678")
    assert len(orders) > 1


def test_a_long_strip_fits_into_the_window(browser, tmp_path):
    strip = question(0, images=10, captions=[f"step {i}" for i in range(10)])
    path = write_questionnaire(tmp_path / "a.html", [strip], title="t")
    with visited(browser, path) as page:
        start(page)
        assert page.get_by_role("img").count() == 10
        assert page.get_by_role("img", name="Image step 3").is_visible()
        for width in (360, 1280):
            page.set_viewport_size({"width": width, "height": 800})
            assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_no_text_is_taken_for_markup(browser, tmp_path):
    nasty = replace(question(0), id=NASTY, prompt=NASTY, options=(NASTY, "b"), captions=(NASTY, ""))
    path = write_questionnaire(
        tmp_path / "a.html", [nasty], title=NASTY, introduction=NASTY, note=NASTY
    )
    with visited(browser, path) as page:
        page.on("dialog", lambda dialog: pytest.fail(dialog.message))
        start(page, NASTY)
        assert page.get_by_role("heading", level=2).inner_text() == NASTY
        answer(page, 0)
        assert (
            json.loads(saved(page, tmp_path).read_text(encoding="utf-8"))["votes"][0]["option"]
            == NASTY
        )


def test_page_holds_everything_but_the_answers(tmp_path):
    """The right answers change the key and not one byte of the page."""
    pages = []
    for truth in ([0] * 5, [1] * 5):
        write_key(tmp_path / "key.json", QUESTIONS, truth=truth, categories=["secret"] * 5)
        pages.append(
            write_questionnaire(tmp_path / "a.html", QUESTIONS, title="t").read_text(
                encoding="utf-8"
            )
        )
    assert pages[0] == pages[1] and "secret" not in pages[0]
    assert "http:" not in pages[0] and "https:" not in pages[0] and "default-src 'none'" in pages[0]


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"id": " "}, "a question needs an id and a prompt"),
        ({"prompt": ""}, "a question needs an id and a prompt, got 'q0' and ''"),
        (
            {"options": ("one",)},
            r"question 'q0' needs two to nine different options, got \('one',\)",
        ),
        ({"options": ("one", "one")}, "two to nine different options"),
        ({"options": "ab"}, "two to nine different options, got 'ab'"),
        ({"options": tuple("abcdefghij")}, "two to nine different options"),
        (
            {"captions": ("A",)},
            "question 'q0' needs one caption for each of its 2 images or none, got 1",
        ),
        (
            {"images": np.zeros((2, 4, 6), np.float32)},
            "the images of question 'q0' must have shape",
        ),
    ],
)
def test_what_is_no_question_is_refused(changed, message):
    with pytest.raises(InputError, match=message):
        replace(question(0), **changed)


@pytest.mark.parametrize(
    ("questions", "title", "message"),
    [
        ([], "t", "at least one of questions is needed"),
        ([question(1), question(1)], "t", "questions need different ids, used more than once: q1"),
        ([question(1)], " ", "a questionnaire needs a title"),
    ],
)
def test_what_is_no_questionnaire_is_refused(tmp_path, questions, title, message):
    with pytest.raises(InputError, match=message):
        write_questionnaire(tmp_path / "a.html", questions, title=title)
