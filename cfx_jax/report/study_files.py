"""Reading of the JSON files of a human study; errors say in one line what is wrong."""

import os
from collections.abc import Mapping
from types import UnionType
from typing import Any

from cfx_jax.errors import InputError
from cfx_jax.files import read_json

VERSION = 1
"""Version of the format of all these files."""


def read_document(
    path: str | os.PathLike[str], kind: str, fields: Mapping[str, type | UnionType], *, advice: str
) -> dict[str, Any]:
    """Reads a JSON file that names its kind.

    Args:
        path: the file.
        kind: the value that its ``format`` must have.
        fields: the entries that it must have, and their types.
        advice: where such a file comes from, the end of messages.

    Returns:
        Its contents.

    Raises:
        InputError: it is missing, damaged, of another kind or of another version.
    """
    document = read_json(path, advice=advice, root=object)
    if not isinstance(document, dict) or document.get("format") != kind:
        raise InputError(f"'{path}' is no file of {kind}: {advice}")
    if document.get("version") != VERSION:
        raise InputError(
            f"'{path}' has version {document.get('version')!r}, expected {VERSION}: update cfx-jax"
        )
    return check_fields(document, fields, path, advice=advice)


def check_fields(
    record: Any,
    fields: Mapping[str, type | UnionType],
    path: str | os.PathLike[str],
    *,
    advice: str,
) -> dict[str, Any]:
    """Checks that a part of a file has its entries.

    Args:
        record: the part.
        fields: the entries that it must have, and their types.
        path: the file, for the message.
        advice: the end of the message.

    Returns:
        The part.

    Raises:
        InputError: an entry is missing or of another type.
    """
    for name, kind in fields.items():
        if not isinstance(record, dict) or name not in record or not _is_a(record[name], kind):
            raise InputError(
                f"'{path}' is damaged, '{name}' is missing or malformed in it: {advice}"
            )
    return record


def _is_a(value: Any, kind: type | UnionType) -> bool:
    """Whether a value is of a type, as ``isinstance``, but that no boolean is a number."""
    return isinstance(value, kind) and (kind is bool or not isinstance(value, bool))
