"""Table 4: a questionnaire for people, made from explanations, with its key.

``experiments.score_votes`` scores the answers.

Task 1: in which of two drawings of one query is there more of the label? An easy pair are the two
extremes, a hard one any two bins. It is asked of youth and of smiles where these are explained, as
in the paper, else of the explained label. Task 2, where several labels are explained: which of them
is changing in a series? Asked of age, smile, bangs and beard where two of these are explained, as
in the paper, else of all. Task 3, where the chapter on bias was written: is it the label alone that
changes, or the confounder too?

The paper's 200 queries of Task 1 are taken to be of each label: 89.5 % right is no share of 100
answers.
"""

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from cfx_jax.report import Question, write_key, write_questionnaire
from experiments.progressive_exaggeration import published
from experiments.progressive_exaggeration.chapters import Chapter
from experiments.progressive_exaggeration.chapters.attributes import Attributes
from experiments.progressive_exaggeration.chapters.confounder import BIASED, UNBIASED, Bias
from experiments.progressive_exaggeration.label_study import LabelStudy, Sweeps

_SHOWN = 5  # images of a series


class Item(NamedTuple):
    """A question with its answer.

    Attributes:
        question: without an id, which would tell the kind.
        truth: the correct option.
        category: the group by which results are averaged.
    """

    question: Question
    truth: int
    category: str


def write_human_study(folder: Path, study: LabelStudy, chapters: Mapping[str, Chapter]) -> Path:
    """Writes ``questionnaire.html`` for the raters and ``key.json`` for who asks them.

    Args:
        folder: the folder of both files.
        study: the study of the label.
        chapters: "attributes" gives Task 2, "bias" Task 3; without them there is Task 1 alone.

    Returns:
        The path of the questionnaire.
    """
    rng = np.random.default_rng(study.setup.config.seed)
    of_order, of_change, of_bias = study.setup.config.human_items
    attributes, bias = chapters.get("attributes"), chapters.get("bias")
    explained = {study.data.label: study.sweeps[0]}
    if isinstance(attributes, Attributes):
        explained |= {name: label.sweeps for name, label in attributes.labels.items()}
    items: list[Item] = []
    for name in _of_the_paper(explained, published.ASKED_FOR_ORDER, at_least=1) or [
        study.data.label
    ]:
        items += _order_items(name, explained[name], of_order, rng)
    if len(explained) > 1:
        asked = _of_the_paper(explained, tuple(published.ASKED_FOR_CHANGE), at_least=2) or list(
            explained
        )
        items += _change_items({name: explained[name] for name in asked}, of_change, rng)
    if isinstance(bias, Bias):
        items += _bias_items(bias, of_bias, rng)
    drawn = rng.permutation(len(items))  # ids follow this order, not that of the tasks
    questions = [_named(items[item].question, place) for place, item in enumerate(drawn)]
    write_key(
        folder / "key.json",
        questions,
        truth=[items[item].truth for item in drawn],
        categories=[items[item].category for item in drawn],
    )
    return write_questionnaire(
        folder / "questionnaire.html",
        questions,
        title="What is changing in these images?",
        introduction="A program has drawn these images. Choose the answer that fits best; there is"
        " no time limit.\n\nWhen all questions are answered, save your answers and send the file to"
        " who asked you.",
        note=study.data.note,
        smooth=True,
    )


def _of_the_paper(
    explained: Mapping[str, Sweeps], labels: Sequence[str], *, at_least: int
) -> list[str]:
    """The explained labels that the paper asks of, in its order; none where they are too few."""
    names = [name for label in labels for name in explained if published.plain(name) == label]
    return names if len(names) >= at_least else []


def _order_items(
    name: str, sweeps: Sweeps, number: int, rng: np.random.Generator
) -> Iterator[Item]:
    """The questions of Task 1: which of two images has more of a label?"""
    bins = sweeps.series.images.shape[1]
    for row in _queries(sweeps, number, rng):
        hard = np.sort(rng.choice(bins, 2, replace=False))
        for kind, (low, high) in {
            "easy": (0, bins - 1),
            "hard": (int(hard[0]), int(hard[1])),
        }.items():
            order = rng.permutation([low, high])
            question = Question(
                id="item",
                images=_images(sweeps, row, order),
                prompt=f"In which of the two images is there more of: {published.plain(name)}?",
                options=("A", "B"),
                captions=("A", "B"),
            )
            yield Item(question, int(order[1] == high), f"task 1 {published.plain(name)} {kind}")


def _change_items(
    explained: Mapping[str, Sweeps], number: int, rng: np.random.Generator
) -> Iterator[Item]:
    """The questions of Task 2: which label is changing in a series?"""
    options = [
        published.ASKED_FOR_CHANGE.get(published.plain(name), published.plain(name))
        for name in explained
    ]
    for truth, (name, sweeps) in enumerate(explained.items()):
        for row in _queries(sweeps, number, rng):
            yield Item(_series(sweeps, row, options), truth, f"task 2 {published.plain(name)}")


def _bias_items(bias: Bias, number: int, rng: np.random.Generator) -> Iterator[Item]:
    """The questions of Task 3: is it the label alone that changes?"""
    label = published.plain(bias.study.data.label)
    options = [label, f"{label} and {published.plain(bias.confounder)}"]
    for name in (BIASED, UNBIASED):
        sweeps = bias.explanations[name].sweeps
        for row in _queries(sweeps, number, rng):
            yield Item(_series(sweeps, row, options), 0, f"task 3 {name}")


def _series(sweeps: Sweeps, row: int, options: Sequence[str]) -> Question:
    bins = sweeps.series.images.shape[1]
    chosen = np.linspace(0, bins - 1, min(_SHOWN, bins)).round().astype(int)
    return Question(
        id="item", images=_images(sweeps, row, chosen), prompt="What is changing?", options=options
    )


def _named(question: Question, place: int) -> Question:
    return dataclasses.replace(question, id=f"item {place + 1}")


def _queries(sweeps: Sweeps, number: int, rng: np.random.Generator) -> list[int]:
    total = len(np.asarray(sweeps.series.probability))
    return [int(row) for row in np.sort(rng.choice(total, min(number, total), replace=False))]


def _images(
    sweeps: Sweeps, row: int, bins: Sequence[int] | np.ndarray
) -> Float[np.ndarray, "n h w c"]:
    return np.clip(sweeps.series.images[row][np.asarray(bins)], 0, 1)
