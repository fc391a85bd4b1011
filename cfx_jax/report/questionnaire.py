"""A questionnaire for people: a self-contained page that shows images and saves the answers.

Made for the human study of Singla, Pollack, Chen, Batmanghelich, "Explanation by Progressive
Exaggeration", ICLR 2020, section 4.6 and Table 4: which of two images shows more of an attribute,
and what is changing in a series. Each rater opens the page from a folder or a mail, answers by
mouse or keyboard in an order of their own, and sends the votes file back; ``vote_files.read_votes``
reads these. The page fetches nothing and sends nothing, and it does not hold the right answers:
these are in the key file (``answer_key.write_key``), which stays with who asks.

The paper does not say in which order its raters saw the items; here each rater gets a random one,
whose seed is saved.
"""

import hashlib
import json
import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from cfx_jax.checks import check_flag, check_text
from cfx_jax.errors import InputError
from cfx_jax.report.checks import check_filled, check_images
from cfx_jax.report.templates import image_uri, write_page


@dataclass(frozen=True, kw_only=True)
class Question:
    """An item of a questionnaire: images, a question about them, and the answers to choose from."""

    id: str
    """The name of the question, unique in a questionnaire. It stands in the page's source and must
    not tell the answer.
    """
    images: Float[np.ndarray, "n h w c"]
    """``(n, h, w, c)`` in [0, 1], c = 1 or 3: shown side by side in this order, more than five in
    two rows.
    """
    prompt: str
    """The question."""
    options: Sequence[str]
    """Two to nine different answers; the rater must choose one. Always shown in this order."""
    captions: Sequence[str] = ()
    """One line below each image, such as ``("A", "B")``, or none."""

    def __post_init__(self) -> None:
        if not self.id.strip() or not self.prompt.strip():
            raise InputError(
                f"a question needs an id and a prompt, got {self.id!r} and {self.prompt!r}"
            )
        images = check_images(self.images, f"the images of question '{self.id}'")
        _check_options(self.options, self.id)
        if len(self.captions) not in (0, len(images)):
            raise InputError(
                f"question '{self.id}' needs one caption for each of its {len(images)} images or"
                f" none, got {len(self.captions)}"
            )


def write_questionnaire(
    path: str | os.PathLike[str],
    questions: Sequence[Question],
    *,
    title: str,
    introduction: str = "",
    note: str = "",
    smooth: bool = False,
) -> Path:
    """Writes the page of a questionnaire.

    The progress of its raters is kept in their browser, under the name that they give, where the
    browser allows this.

    Args:
        path: the file, usually ``questionnaire.html``; written in one move.
        questions: one or more, with different ids.
        title: the page's title.
        introduction: what raters should know before they start; blank lines separate paragraphs.
        note: set in a frame below the title, such as "synthetic data".
        smooth: enlarge the images by interpolation; otherwise pixels stay square.

    Returns:
        The path.

    Raises:
        InputError: no question, two with one id, an empty title, or a file that cannot be written.

    >>> import tempfile
    >>> image = np.zeros((1, 4, 4, 1))
    >>> question = Question(id="q1", images=image, prompt="Ill?", options=["yes", "no"])
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_questionnaire(f"{folder}/page.html", [question], title="A study").name
    'page.html'
    """
    for name, text in (("title", title), ("introduction", introduction), ("note", note)):
        check_text(text, name=name)
    check_flag(smooth, name="smooth")
    if not title.strip():
        raise InputError("a questionnaire needs a title")
    contents = {
        "title": title,
        "introduction": [part.strip() for part in introduction.split("\n\n") if part.strip()],
        "note": note,
        "smooth": smooth,
        "questions": _questions_data(questions),
        "questionnaire": fingerprint(questions),
    }
    return write_page(path, "questionnaire.html.jinja", contents)


def fingerprint(questions: Sequence[Question]) -> str:
    """Computes the digits that tell one questionnaire from another.

    They stand in its page, its votes files and its key.

    Args:
        questions: one or more, with different ids.

    Returns:
        16 hexadecimal digits of a SHA-256 of ids, prompts, options, captions and images, in order.

    Raises:
        InputError: no question, or two with one id.
    """
    return hashlib.sha256(json.dumps(_questions_data(questions)).encode()).hexdigest()[:16]


def _check_options(options: Sequence[str], name: str) -> None:
    if isinstance(options, str) or not 2 <= len(options) <= 9 or len(set(options)) < len(options):
        raise InputError(f"question '{name}' needs two to nine different options, got {options!r}")


def _questions_data(questions: Sequence[Question]) -> list[dict[str, Any]]:
    """Converts questions to JSON's own types, with images as data."""
    check_filled(questions, "questions", Question)
    twice = [
        name for name, count in Counter(question.id for question in questions).items() if count > 1
    ]
    if twice:
        raise InputError(f"questions need different ids, used more than once: {', '.join(twice)}")
    return [
        {
            "id": question.id,
            "images": [image_uri(image) for image in check_images(question.images, "images")],
            "width": int(np.shape(question.images)[2]),
            "height": int(np.shape(question.images)[1]),
            "prompt": question.prompt,
            "options": list(question.options),
            "captions": list(question.captions),
        }
        for question in questions
    ]
