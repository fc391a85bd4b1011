"""A key comes back as it was written, and belongs to its questionnaire alone."""

import json
from dataclasses import replace

import numpy as np
import pytest

from cfx_jax.errors import InputError
from cfx_jax.report import Question, read_key, write_key
from cfx_jax.report.questionnaire import fingerprint


def question(name, options=("A", "B")):
    return Question(
        id=name, images=np.zeros((1, 2, 2, 1), np.float32), prompt="Which?", options=options
    )


def with_item(key, **changed):
    """The text of a key whose first item has other entries."""
    return json.dumps({**key, "items": [{**key["items"][0], **changed}, *key["items"][1:]]})


QUESTIONS = [question("one"), question("two", ("age", "smile", "hair"))]


def test_key_comes_back_as_it_was_written(tmp_path):
    key = read_key(
        write_key(
            tmp_path / "key.json", QUESTIONS, truth=[1, np.int64(2)], categories=["easy", "hard"]
        )
    )
    np.testing.assert_array_equal(key.truth, [1, 2])
    assert key.ids == ("one", "two") and key.categories == ("easy", "hard")
    assert key.options == (("A", "B"), ("age", "smile", "hair"))
    assert key.questionnaire == fingerprint(QUESTIONS)


def test_without_categories_all_items_are_of_one_kind(tmp_path):
    assert read_key(write_key(tmp_path / "key.json", QUESTIONS, truth=[0, 0])).categories == (
        "all",
        "all",
    )


@pytest.mark.parametrize(
    "changed",
    [
        {"prompt": "What?"},
        {"options": ("B", "A")},
        {"images": np.full((1, 2, 2, 1), 0.5, np.float32)},
        {"captions": ("x",)},
        {"id": "three"},
    ],
)
def test_every_change_of_a_question_changes_the_fingerprint(changed):
    assert fingerprint([replace(QUESTIONS[0], **changed)]) != fingerprint(QUESTIONS[:1])


@pytest.mark.parametrize(
    ("truth", "categories", "message"),
    [
        ([0], None, "truth must have one entry for each of 2 questions, got 1"),
        ([0, 0], ["easy"], "categories must have one entry for each of 2 questions, got 1"),
        ([0, 3], None, "the truth of question 'two' must be one of its options 0..2, got 3"),
        ([-1, 0], None, "the truth of question 'one' must be one of its options 0..1, got -1"),
    ],
)
def test_what_is_no_key_is_refused(tmp_path, truth, categories, message):
    with pytest.raises(InputError, match=message):
        write_key(tmp_path / "key.json", QUESTIONS, truth=truth, categories=categories)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (
            lambda _: "{",
            r"key.json' is damaged, it is no JSON text .*: write it again with write_key",
        ),
        (lambda _: "[1]", r"key.json' is no file of cfx-jax key: write it again"),
        (lambda key: json.dumps({**key, "format": "x"}), r"key.json' is no file of cfx-jax key"),
        (
            lambda key: json.dumps({**key, "version": 2}),
            r"key.json' has version 2, expected 1: update cfx-jax",
        ),
        (
            lambda key: json.dumps({**key, "items": 3}),
            r"key.json' is damaged, 'items' is missing or malformed",
        ),
        (
            lambda key: json.dumps({**key, "items": [3]}),
            r"key.json' is damaged, 'id' is missing or malformed",
        ),
        (
            lambda key: json.dumps({**key, "items": [{"id": "a"}]}),
            r"key.json' is damaged, 'options' is missing",
        ),
        (
            lambda key: json.dumps({**key, "items": []}),
            r"key.json' is damaged, it has no items: write it again",
        ),
        (
            lambda key: with_item(key, truth=99),
            r"key.json' is damaged, the truth of 'one' must be .* 0..1, got 99: write",
        ),
        (
            lambda key: with_item(key, truth=-1),
            r"key.json' is damaged, the truth of 'one' must be .* 0..1, got -1: write",
        ),
        (
            lambda key: with_item(key, truth=10**30),
            r"key.json' is damaged, the truth of 'one' must be .* got 1000",
        ),
        (
            lambda key: with_item(key, truth=1e30),
            r"key.json' is damaged, 'truth' is missing or malformed",
        ),
        (
            lambda key: with_item(key, truth=True),
            r"key.json' is damaged, 'truth' is missing or malformed",
        ),
        (
            lambda key: with_item(key, options=[]),
            r"key.json' is damaged, the truth of 'one' must be",
        ),
        (
            lambda key: with_item(key, options=[1, 2]),
            r"key.json' is damaged, the options of 'one' are no texts",
        ),
        (
            lambda key: with_item(key, category="\ud800"),
            r"key.json' is damaged, it is no JSON text \(half of a char",
        ),
        (lambda _: "[" * 100_000, r"key.json' is damaged, it is no JSON text \(too many brackets"),
    ],
)
def test_a_damaged_key_is_named(tmp_path, damage, message):
    path = write_key(tmp_path / "key.json", QUESTIONS, truth=[0, 0])
    path.write_text(damage(json.loads(path.read_text())))
    with pytest.raises(InputError, match=message):
        read_key(path)


def test_a_missing_key_is_named(tmp_path):
    with pytest.raises(InputError, match=r"cannot read '.*key.json': No such file or directory"):
        read_key(tmp_path / "key.json")
