"""The right answers of a questionnaire, in a JSON file that its raters do not get.

The file holds ``format`` ("cfx-jax key"), ``version`` (1), ``questionnaire`` (its fingerprint) and
``items`` in the questionnaire's order, each with ``id``, ``options``, ``truth`` (the right option,
counted from 0) and ``category``.
"""

import json
import os
from collections.abc import Sequence
from numbers import Integral
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Int

from cfx_jax.checks import check_text
from cfx_jax.errors import InputError
from cfx_jax.files import write_text
from cfx_jax.report.checks import check_filled
from cfx_jax.report.questionnaire import Question, fingerprint
from cfx_jax.report.study_files import VERSION, check_fields, read_document

_FORMAT = "cfx-jax key"
_FIELDS = {"questionnaire": str, "items": list}
_ITEM_FIELDS = {"id": str, "options": list, "truth": int, "category": str}
_ADVICE = "write it again with write_key"


class Key(NamedTuple):
    """The right answers of a questionnaire."""

    truth: Int[np.ndarray, " items"]
    """``(items,)``: the right option, counted from 0."""
    ids: tuple[str, ...]
    """The items' ids, in the questionnaire's order."""
    categories: tuple[str, ...]
    """The kind of each item, such as "easy"."""
    options: tuple[tuple[str, ...], ...]
    """The options of each item."""
    questionnaire: str
    """The questionnaire's fingerprint."""


def write_key(
    path: str | os.PathLike[str],
    questions: Sequence[Question],
    *,
    truth: Sequence[int],
    categories: Sequence[str] | None = None,
) -> Path:
    """Writes the right answers of a questionnaire.

    Args:
        path: the file, usually ``key.json``; written in one move.
        questions: the questionnaire's, in its order.
        truth: the right option of each question, counted from 0.
        categories: the kind of each question, by which results are to be grouped; None for one
            kind, "all".

    Returns:
        The path.

    Raises:
        InputError: truth or categories do not match the questions, or the file cannot be written.

    >>> import tempfile
    >>> image = np.zeros((1, 4, 4, 1))
    >>> question = Question(id="q1", images=image, prompt="Ill?", options=["yes", "no"])
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = write_key(f"{folder}/key.json", [question], truth=[1])
    ...     read_key(path).truth
    array([1])
    """
    check_filled(questions, "questions", Question)
    kinds = ["all"] * len(questions) if categories is None else categories
    for name, values in (("truth", truth), ("categories", kinds)):
        if not isinstance(values, Sequence | np.ndarray) or isinstance(values, str):
            raise InputError(f"{name}: expected a list, got {type(values).__name__}")
        if len(values) != len(questions):
            raise InputError(
                f"{name} must have one entry for each of {len(questions)} questions, got"
                f" {len(values)}"
            )
    items = [
        _item(question, answer, kind)
        for question, answer, kind in zip(questions, truth, kinds, strict=True)
    ]
    document = {
        "format": _FORMAT,
        "version": VERSION,
        "questionnaire": fingerprint(questions),
        "items": items,
    }
    return write_text(path, json.dumps(document, indent=2, ensure_ascii=False) + "\n")


def read_key(path: str | os.PathLike[str]) -> Key:
    """Reads the right answers that ``write_key`` wrote.

    Args:
        path: the file.

    Returns:
        The right answers.

    Raises:
        InputError: the file is missing, damaged, or no key.

    >>> import tempfile
    >>> image = np.zeros((1, 4, 4, 1))
    >>> question = Question(id="q1", images=image, prompt="Ill?", options=["yes", "no"])
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     read_key(write_key(f"{folder}/key.json", [question], truth=[1])).options
    (('yes', 'no'),)
    """
    document = read_document(path, _FORMAT, _FIELDS, advice=_ADVICE)
    items = [_check_item(item, path) for item in document["items"]]
    if not items:
        raise InputError(f"'{path}' is damaged, it has no items: {_ADVICE}")
    return Key(
        np.array([item["truth"] for item in items], int),
        tuple(item["id"] for item in items),
        tuple(item["category"] for item in items),
        tuple(tuple(item["options"]) for item in items),
        document["questionnaire"],
    )


def _check_item(item: Any, path: str | os.PathLike[str]) -> dict[str, Any]:
    """Checks an item of a file, whose truth must be one of its options."""
    item = check_fields(item, _ITEM_FIELDS, path, advice=_ADVICE)
    if not all(isinstance(option, str) for option in item["options"]):
        raise InputError(
            f"'{path}' is damaged, the options of '{item['id']}' are no texts: {_ADVICE}"
        )
    if not 0 <= item["truth"] < len(item["options"]):
        raise InputError(
            f"'{path}' is damaged, the truth of '{item['id']}' must be one of its options"
            f" 0..{len(item['options']) - 1}, got {item['truth']}: {_ADVICE}"
        )
    return item


def _item(question: Question, truth: int, category: str) -> dict[str, Any]:
    last = len(question.options) - 1
    check_text(category, name="categories")
    if not isinstance(truth, Integral) or truth not in range(last + 1):
        raise InputError(
            f"the truth of question '{question.id}' must be one of its options 0..{last}, got"
            f" {truth}"
        )
    return {
        "id": question.id,
        "options": list(question.options),
        "truth": int(truth),
        "category": category,
    }
