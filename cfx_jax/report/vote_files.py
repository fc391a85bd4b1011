"""The votes that the raters of a questionnaire send back.

A votes file, as the page saves it, is JSON. It holds ``format`` ("cfx-jax votes"), ``version`` (1),
``questionnaire`` (its fingerprint), ``title``, ``rater``, ``seed`` (of the rater's random order),
``started`` and ``saved`` (ISO 8601, UTC), and ``votes`` in the questionnaire's order, each with
``id``, ``position`` (from 1: the place at which it was shown), ``choice`` (from 0, null where
unanswered), ``option`` (the words chosen) and ``seconds`` (for how long it was shown).
"""

import os
from collections import Counter
from collections.abc import Mapping, Sequence
from types import NoneType
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Int

from cfx_jax.errors import InputError
from cfx_jax.report.answer_key import Key
from cfx_jax.report.checks import check_filled
from cfx_jax.report.study_files import check_fields, read_document

_FORMAT = "cfx-jax votes"
_FIELDS = {"questionnaire": str, "rater": str, "votes": list}
_VOTE_FIELDS = {"id": str, "choice": int | NoneType}
_MOST_OPTIONS = 2**31
_ADVICE = "ask its rater for the file that the page saved"


class Votes(NamedTuple):
    """The options that the raters chose."""

    votes: Int[np.ndarray, "items raters"]
    """``(items, raters)``: the option chosen, counted from 0."""
    ids: tuple[str, ...]
    """The items' ids, in the questionnaire's order."""
    raters: tuple[str, ...]
    """The raters' names, in the order of the files."""


def read_votes(paths: Sequence[str | os.PathLike[str]], *, key: Key | None = None) -> Votes:
    """Reads the votes files of one questionnaire, one file per rater.

    Args:
        paths: the files that the raters saved.
        key: where given, files of another questionnaire than the key's are refused too, and choices
            that it does not offer.

    Returns:
        The votes, items in the questionnaire's order, raters in the files' order.

    Raises:
        InputError: naming the file that is missing, damaged, incomplete, of another questionnaire
            than the first one, or by a rater who has a file already.

    >>> import json, tempfile
    >>> votes = [{"id": "q1", "choice": 1}]
    >>> document = {"format": "cfx-jax votes", "version": 1, "questionnaire": "0f", "rater": "Ann"}
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = f"{folder}/votes.json"
    ...     with open(path, "w") as file:
    ...         json.dump({**document, "votes": votes}, file)
    ...     read_votes([path]).raters
    ('Ann',)
    """
    check_filled(paths, "votes files")
    files = [(str(path), read_document(path, _FORMAT, _FIELDS, advice=_ADVICE)) for path in paths]
    _check_raters(files)
    _check_questionnaire(files, key)
    votes = [_votes(path, document) for path, document in files]
    ids = key.ids if key else tuple(vote["id"] for vote in votes[0])
    for (path, _), votes_of_rater in zip(files, votes, strict=True):
        _check_votes(path, votes_of_rater, ids, key)
    choices = np.array([[vote["choice"] for vote in votes_of_rater] for votes_of_rater in votes])
    return Votes(choices.T, ids, tuple(document["rater"] for _, document in files))


def _check_raters(files: Sequence[tuple[str, Mapping[str, Any]]]) -> None:
    name, count = Counter(document["rater"] for _, document in files).most_common(1)[0]
    if count > 1:
        twice = ", ".join(f"'{path}'" for path, document in files if document["rater"] == name)
        raise InputError(
            f"{twice} are all by the rater {name!r}: give one file per rater, or rename one in its"
            " file"
        )


def _check_questionnaire(files: Sequence[tuple[str, Mapping[str, Any]]], key: Key | None) -> None:
    first, document = files[0]
    wanted, whose = (
        (key.questionnaire, "the key") if key else (document["questionnaire"], f"'{first}'")
    )
    for path, document in files:
        if document["questionnaire"] != wanted:
            raise InputError(
                f"the votes in '{path}' are of another questionnaire than {whose}: leave that file"
                " out"
            )


def _votes(path: str, document: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Reads the votes of a file, which must be complete."""
    votes = [check_fields(vote, _VOTE_FIELDS, path, advice=_ADVICE) for vote in document["votes"]]
    if not votes:
        raise InputError(f"'{path}' is damaged, it has no votes: {_ADVICE}")
    missing = sum(vote["choice"] is None for vote in votes)
    if missing:
        raise InputError(
            f"'{path}' is incomplete, {missing} of {len(votes)} items have no vote: let its rater"
            " finish"
        )
    return votes


def _check_votes(
    path: str, votes: Sequence[Mapping[str, Any]], ids: Sequence[str], key: Key | None
) -> None:
    """Checks that votes are for these items in this order, and among the options."""
    if [vote["id"] for vote in votes] != list(ids):
        raise InputError(
            f"'{path}' is damaged, its items are not those of its questionnaire: {_ADVICE}"
        )
    for place, vote in enumerate(votes):
        if not 0 <= vote["choice"] < (len(key.options[place]) if key else _MOST_OPTIONS):
            raise InputError(
                f"'{path}' is damaged, the choice {vote['choice']} for '{vote['id']}' is none:"
                f" {_ADVICE}"
            )
