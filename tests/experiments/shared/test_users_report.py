import dataclasses
import re

import pytest

from cfx_jax.report import Claim
from experiments.shared.users_report import (
    _WORDS,
    as_target,
    explain_words,
    without_paper,
    without_places,
)


def test_rows_and_columns_of_the_paper_are_left_out():
    columns = ["classifier", "accuracy", "paper", "paper accuracy", "newspaper"]
    rows = [["plain", 1, 2, 3, 4], ["paper: plain", 5, 6, 7, 8], [9, 1, 2, 3, 4]]
    kept = without_paper((columns, rows))
    assert kept == (["classifier", "accuracy", "newspaper"], [["plain", 1, 4], [9, 1, 4]])


@pytest.mark.parametrize(
    ("text", "short"),
    [
        ("Table IV: the answers. Not in the paper. More.", "The answers. More."),
        ("As the paper's Figure 12: maps.", "Maps."),
        ("As the paper's Table 1, test set: accuracy.", "Test set: accuracy."),
        (
            "Table 1: IoU (higher is better) (paper: 0.3) and FDR.",
            "IoU (higher is better) and FDR.",
        ),
        ("Figure 3 in numbers: mean.", "Mean."),
        (
            "Table 1: FDR (low is good; the paper calls it FNR) of maps.",
            "FDR (low is good) of maps.",
        ),
        (
            "Of 2 pixels, the paper's 4 at 224 scaled. More; the paper does not.",
            "Of 2 pixels. More.",
        ),
        ("Table of the classes: two.", "Table of the classes: two."),
    ],
)
def test_captions_lose_the_papers_numbers(text, short):
    assert without_places(text) == short


def test_only_words_that_occur_are_explained():
    lines = explain_words("IoU of maps. AUC 0.9. dissimilarity").splitlines()
    assert [line.split(":")[0] for line in lines] == ["- AUC", "- IoU"]
    text = "Brackets: intervals. Temperatures; similarity; counterfactuals"
    lines = explain_words(text).splitlines()
    words = [line.split(":")[0] for line in lines]
    assert words == ["- brackets", "- counterfactual", "- temperature"]
    assert explain_words("nothing of the kind") == ""


def test_the_meaning_of_a_word_is_a_sentence():
    for word, meaning in _WORDS.items():
        assert meaning.endswith(".") and not re.search(r"\bpaper\b", meaning), word


def test_a_claim_on_a_users_images_is_a_promise():
    claim = Claim(
        id="1",
        text="It is better (ours; the paper does not compare) than chance.",
        paper={"a": 1.0},
        ours={"a": 2.0},
        interval=(0.1, 0.0, 0.2),
        verdict="holds",
        kind="statement",
        place="Table 2",
        note="Table V does not show it.",
    )
    told = as_target(claim)
    assert told.text == "It is better than chance." and told.kind == "target" and not told.note
    assert not told.paper and not told.place and (told.verdict, told.ours) == ("holds", {"a": 2.0})
    kept = dataclasses.replace(claim, note="4 images are too few to decide")
    assert as_target(kept).note == "4 images are too few to decide"
