"""Table 4: a questionnaire for people, made from explanations, with its key; ``experiments.score_votes`` scores the answers.

Task 1: in which of two drawings of one query is there more of the label? An easy pair are the two extremes, a hard one any
other two. Task 2, where several labels are explained: which of them is changing in a series? Task 3, where the chapter on
bias was written: is it the label alone that changes, or the confounder too?
"""

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from cfx_jax.report import Question, write_key, write_questionnaire
from experiments.progressive_exaggeration.attributes import Attributes
from experiments.progressive_exaggeration.bias import BIASED, UNBIASED, Bias
from experiments.progressive_exaggeration.chapters import Chapter
from experiments.progressive_exaggeration.study import Study
from experiments.progressive_exaggeration.sweeps import Sweeps

_SHOWN = 5  # images of a series


class Item(NamedTuple):
    """A question with its answer.

    Attributes:
        question: without an id, which would tell the kind.
        truth: the right option.
        category: what results are grouped by.
    """

    question: Question
    truth: int
    category: str


def write_human_study(folder: Path, study: Study, chapters: Mapping[str, Chapter]) -> Path:
    """Writes ``questionnaire.html`` for the raters and ``key.json`` for who asks them.

    Args:
        folder: of both files.
        study: of the label.
        chapters: "attributes" gives Task 2, "bias" Task 3; without them there is Task 1 alone.

    Returns:
        The path of the questionnaire.
    """
    rng = np.random.default_rng(study.config.seed)
    number = study.config.human_items
    items = list(_more(study, number, rng))
    attributes, bias = chapters.get("attributes"), chapters.get("bias")
    if isinstance(attributes, Attributes):
        items += _which(attributes, number, rng)
    if isinstance(bias, Bias):
        items += _alone(bias, number, rng)
    drawn = rng.permutation(len(items))  # ids follow this order, not that of the tasks
    questions = [_named(items[each].question, place) for place, each in enumerate(drawn)]
    write_key(
        folder / "key.json",
        questions,
        truth=[items[each].truth for each in drawn],
        categories=[items[each].category for each in drawn],
    )
    return write_questionnaire(
        folder / "questionnaire.html",
        questions,
        title="What is changing in these images?",
        introduction="A program has drawn these images. Choose the answer that fits best; there is no time limit.\n\n"
        "When all questions are answered, save your answers and send the file to who asked you.",
        note=study.data.note,
        smooth=True,
    )


def _more(study: Study, number: int, rng: np.random.Generator) -> Iterator[Item]:
    """Task 1."""
    found, name = study.sweeps[0], study.data.names[study.subject.label]
    bins = np.asarray(found.found.images).shape[1]
    for row in _queries(found, number, rng):
        pairs = {"easy": (0, bins - 1), "hard": tuple(sorted(rng.choice(bins - 1, 2, replace=False)))}
        for kind, (low, high) in pairs.items():
            order = rng.permutation([low, high])
            question = Question(
                id="item",
                images=_drawn(found, row, order),
                prompt=f"In which of the two images is there more of: {name.replace('_', ' ')}?",
                options=("A", "B"),
                captions=("A", "B"),
            )
            yield Item(question, int(order[1] == high), f"task 1 {kind}")


def _which(attributes: Attributes, number: int, rng: np.random.Generator) -> Iterator[Item]:
    """Task 2."""
    names = list(attributes.found)
    for truth, (name, each) in enumerate(attributes.found.items()):
        options = [each.replace("_", " ") for each in names]
        for row in _queries(each.sweeps, number, rng):
            yield Item(_series(each.sweeps, row, options), truth, f"task 2 {name}")


def _alone(bias: Bias, number: int, rng: np.random.Generator) -> Iterator[Item]:
    """Task 3."""
    label = bias.study.data.names[bias.study.subject.label].replace("_", " ")
    options = [label, f"{label} and {bias.confounder.replace('_', ' ')}"]
    for name in (BIASED, UNBIASED):
        sweeps = bias.found[name].sweeps
        for row in _queries(sweeps, number, rng):
            yield Item(_series(sweeps, row, options), 0, f"task 3 {name}")


def _series(found: Sweeps, row: int, options: Sequence[str]) -> Question:
    bins = np.asarray(found.found.images).shape[1]
    chosen = np.linspace(0, bins - 1, min(_SHOWN, bins)).round().astype(int)
    return Question(id="item", images=_drawn(found, row, chosen), prompt="What is changing?", options=options)


def _named(question: Question, place: int) -> Question:
    return dataclasses.replace(question, id=f"item {place + 1}")


def _queries(found: Sweeps, number: int, rng: np.random.Generator) -> list[int]:
    total = len(np.asarray(found.found.probability))
    return [int(each) for each in np.sort(rng.choice(total, min(number, total), replace=False))]


def _drawn(found: Sweeps, row: int, bins: Sequence[int] | np.ndarray) -> Float[np.ndarray, "n h w c"]:
    return np.clip(np.asarray(found.found.images)[row][np.asarray(bins)], 0, 1)
