"""Votes files give the matrix of votes, or the name of the file that cannot be used."""

import json

import numpy as np
import pytest

from cfx_jax.errors import InputError
from cfx_jax.report import Key, read_votes

KEY = Key(
    np.array([0, 1, 1]),
    ("q1", "q2", "q3"),
    ("all",) * 3,
    (("A", "B"), ("A", "B"), ("x", "y", "z")),
    "abcd",
)


def votes_file(folder, name, choices, **changed):
    """A votes file as the page writes it, in the form its documentation states."""
    votes = [
        {"id": f"q{i}", "position": 4 - i, "choice": choice, "option": "words", "seconds": 1.5}
        for i, choice in enumerate(choices, start=1)
    ]
    document = {
        "format": "cfx-jax votes",
        "version": 1,
        "questionnaire": "abcd",
        "title": "t",
        "rater": name,
        "seed": 7,
        "started": "2020-01-01T00:00:00.000Z",
        "saved": "2020-01-01T00:01:00.000Z",
        "votes": votes,
    }
    path = folder / f"votes-{name}.json"
    path.write_text(json.dumps({**document, **changed}), encoding="utf-8")
    return path


def test_votes_have_a_row_per_item_and_a_column_per_file(tmp_path):
    paths = [votes_file(tmp_path, "Ann", [0, 1, 2]), votes_file(tmp_path, "Ülo", [1, 1, 0])]
    read = read_votes(paths)
    np.testing.assert_array_equal(read.votes, [[0, 1], [1, 1], [2, 0]])
    assert np.issubdtype(read.votes.dtype, np.integer)
    assert read.ids == ("q1", "q2", "q3") and read.raters == ("Ann", "Ülo")
    np.testing.assert_array_equal(read_votes(paths, key=KEY).votes, read.votes)


def test_votes_of_another_questionnaire_are_named(tmp_path):
    paths = [
        votes_file(tmp_path, "Ann", [0, 1, 2]),
        votes_file(tmp_path, "Bob", [0, 1, 2], questionnaire="ef"),
    ]
    with pytest.raises(
        InputError, match=r"votes-Bob.json' are of another questionnaire than '.*votes-Ann.json'"
    ):
        read_votes(paths)
    with pytest.raises(
        InputError, match=r"votes-Bob.json' are of another questionnaire than the key: leave"
    ):
        read_votes(paths[1:], key=KEY)


def test_two_files_by_one_rater_are_named(tmp_path):
    path = votes_file(tmp_path, "Ann", [0, 1, 2])
    again = path.rename(tmp_path / "first.json")
    with pytest.raises(
        InputError, match=r"first.json', '.*votes-Ann.json' are all by the rater 'Ann'"
    ):
        read_votes([again, votes_file(tmp_path, "Ann", [0, 0, 0])])
    with pytest.raises(InputError, match="'Ann'"):
        read_votes([again, again])


@pytest.mark.parametrize(
    ("choices", "changed", "message"),
    [
        (
            [0, None, None],
            {},
            r"votes-Ann.json' is incomplete, 2 of 3 items have no vote: let its rater finish",
        ),
        ([0, 1], {}, r"votes-Ann.json' is damaged, its items are not those of its questionnaire"),
        ([0, 1, 3], {}, r"votes-Ann.json' is damaged, the choice 3 for 'q3' is none"),
        ([-1, 1, 2], {}, r"votes-Ann.json' is damaged, the choice -1 for 'q1' is none"),
        (
            [0, True, 2],
            {},
            r"votes-Ann.json' is damaged, 'choice' is missing or malformed in it: ask its rater",
        ),
        (
            [0, 1.0, 2],
            {},
            r"votes-Ann.json' is damaged, 'choice' is missing or malformed in it: ask its rater",
        ),
        ([0, 1, 10**30], {}, r"votes-Ann.json' is damaged, the choice 1000.* for 'q3' is none"),
        ([], {}, r"votes-Ann.json' is damaged, it has no votes: ask its rater"),
        (
            ["A", 1, 2],
            {},
            r"votes-Ann.json' is damaged, 'choice' is missing or malformed in it: ask its rater",
        ),
        ([0, 1, 2], {"votes": {}}, r"votes-Ann.json' is damaged, 'votes' is missing or malformed"),
        (
            [0, 1, 2],
            {"rater": None},
            r"votes-Ann.json' is damaged, 'rater' is missing or malformed",
        ),
        (
            [0, 1, 2],
            {"format": "cfx-jax key"},
            r"votes-Ann.json' is no file of cfx-jax votes: ask its rater",
        ),
        ([0, 1, 2], {"version": 9}, r"votes-Ann.json' has version 9, expected 1"),
    ],
)
def test_a_file_that_cannot_be_used_is_named(tmp_path, choices, changed, message):
    with pytest.raises(InputError, match=message):
        read_votes([votes_file(tmp_path, "Ann", choices, **changed)], key=KEY)


def test_a_missing_and_a_cut_file_are_named(tmp_path):
    with pytest.raises(InputError, match=r"cannot read '.*none.json': No such file"):
        read_votes([tmp_path / "none.json"])
    with pytest.raises(
        InputError, match=r"the choice 1000.* for 'q1' is none"
    ):  # with no key to compare with
        read_votes([votes_file(tmp_path, "Ann", [10**30, 1, 2])])
    path = votes_file(tmp_path, "Ann", [0, 1, 2])
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(
        InputError,
        match=r"votes-Ann.json' is damaged, it is no JSON text .*: ask its rater for the file",
    ):
        read_votes([path])


def test_no_file_is_refused():
    with pytest.raises(InputError, match="at least one of votes files is needed"):
        read_votes([])
