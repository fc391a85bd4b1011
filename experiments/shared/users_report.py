"""The words of a report on a user's own images: no figures of the paper, and a list of terms."""

import re
from dataclasses import replace
from typing import Any

from cfx_jax.report import Claim

Table = tuple[list[str], list[list[Any]]]

_PREFIX = "paper"
_PLACE = re.compile(r"^(As the paper's )?(Table|Figure) [\dIVX]+[a-z]?(, |: | in numbers: )?")
_CLAUSE = re.compile(r"[;,] the paper[^.;)]*")
_PRINTED = re.compile(r" \(paper[:,][^()]*\)")
_ASIDE = re.compile(r" \([^()]*\bpaper\b[^()]*\)")
_OF_PAPER = re.compile(r"\bpaper\b|\b(Table|Figure|section) [\dIVX]")
_REMARKS = ("Not in the paper.", "Not in the paper")
_WORDS = {
    "APGD": "a search for the worst small change by the gradient.",
    "accuracy": "the share of images whose class is told rightly.",
    "adversarial image": "a generated image that resembles the original and is decided otherwise.",
    "always the commoner class": "the accuracy of a classifier that looks at no image.",
    "AUC": "the area under the ROC curve: the share of pairs of two images of different classes"
    " that are put in the right order; 0.5 is chance.",
    "balanced": "the mean over the classes of the share of right answers.",
    "bootstrap": "drawing the images again at random, with repetition, to see how much a figure"
    " moves.",
    "Brier score": "the mean squared distance of a probability from the truth; 0 is best.",
    "brackets": "[low, high] holds the true figure in 95 of 100 repetitions of the experiment with"
    " other test images of the same kind.",
    "calibration": "the images on which probabilities are made to agree with how often they are"
    " right.",
    "completeness residual": "the sum of a map minus the change of the score that it explains.",
    "counterfactual": "the image with a change that lets the classifier answer otherwise.",
    "ensemble": "the mean of the probabilities of several networks.",
    "FDR": "the share of a map's strongest pixels that are not marked; 0 is best.",
    "Fréchet distance": "how far two sets of images are from each other in the features of a"
    " network; 0 is the same.",
    "IoU": "intersection over union of a map's strongest pixels with the marked ones; 1 is best.",
    "PSNR": "peak signal-to-noise ratio in dB: the higher, the nearer are two images.",
    "robust accuracy": "the share of images whose class is told rightly even after the worst small"
    " change that is found.",
    "similar image": "a generated image that resembles the original and is decided like it.",
    "Spearman": "a correlation of orders; 1 where both rise together.",
    "SSIM": "structural similarity of two images; 1 is the same.",
    "temperature": "the number by which logits are divided so that probabilities fit.",
    "ε": "the largest norm of a change that is allowed.",
}


def without_paper(table: Table) -> Table:
    """A table without the rows and columns of the paper's figures.

    Example:
        >>> without_paper((["name", "ours", "paper AUC"], [["a", 1, 2], ["paper: a", 3, 4]]))
        (['name', 'ours'], [['a', 1]])
    """
    columns, rows = table
    kept = [number for number, name in enumerate(columns) if not name.startswith(_PREFIX)]
    return (
        [columns[number] for number in kept],
        [
            [row[number] for number in kept]
            for row in rows
            if not (isinstance(row[0], str) and row[0].startswith(f"{_PREFIX}: "))
        ],
    )


def as_target(claim: Claim) -> Claim:
    """A claim on a user's images: what the method promises, without the paper's figures."""
    note = "" if _OF_PAPER.search(claim.note) else claim.note
    text = _ASIDE.sub("", claim.text)
    return replace(claim, kind="target", place="", paper={}, text=text, note=note)


def without_places(text: str) -> str:
    """A caption without what it says of the paper: numbers of tables, figures in brackets, asides.

    Example:
        >>> without_places("As the paper's Figure 2: maps of images (paper: 3). Not in the paper.")
        'Maps of images.'
    """
    short = _CLAUSE.sub("", _PRINTED.sub("", _PLACE.sub("", text)))
    for remark in _REMARKS:
        short = short.replace(f" {remark}", "")
    return short[:1].upper() + short[1:]


def explain_words(texts: str) -> str:
    """A list with the meaning of each term that occurs in texts; empty where none occurs."""
    return "\n".join(
        f"- {word}: {meaning}" for word, meaning in _WORDS.items() if _occurs(word, texts)
    )


def _occurs(word: str, texts: str) -> bool:
    """Whether a word occurs, also at the start of a sentence and for several things."""
    letters = re.escape(word)
    start = f"[{word[0].upper()}{word[0]}]{re.escape(word[1:])}" if word[0].isalpha() else letters
    return re.search(rf"(?<!\w){start}s?(?!\w)", texts) is not None
