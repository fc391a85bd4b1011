"""A published set in the words of this library, for the one builder that stores all of them."""

import enum
import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Protocol


class Record(Protocol):
    """One entry of a set, as its reader lists it: a file, or files that belong together."""

    @property
    def name(self) -> str:
        """A name that no other entry of the set has."""

    def content(self) -> object:
        """All that the entry says, except where its files lie; its ``repr`` is fingerprinted."""


class Kind(enum.Enum):
    """The kind of one stored value; the first four are stored as PNG files of 8 bits."""

    GREY = "an image of grey values in [0, 1], or a volume"
    COLOUR = "an image of red, green and blue in [0, 1]"
    MASK = "a bool image"
    MARKS = "whole numbers 0 to 255 in two dimensions, of a size of their own"
    NUMBER = "an int"
    TEXT = "a str"


class Integers(NamedTuple):
    """An int64 array of a shape."""

    shape: tuple[int, ...]


class Example(NamedTuple):
    """One image or volume, ready to be stored.

    Attributes:
        key: its name in the stored set.
        fields: the values of the features; those that are images are streams of PNG files.
        facts: numbers and texts that can be read for all examples without reading an image.
    """

    key: str
    fields: Mapping[str, Any]
    facts: Mapping[str, Any]


class Prepared(NamedTuple):
    """The things that examples are made of, and name -> reason of each record left out."""

    items: Sequence[Any]
    dropped: Mapping[str, str]


class SetSpec(NamedTuple):
    """All that the builder needs of a set; its functions can be pickled.

    Attributes:
        name: the set's name in this library.
        stored_name: its name for TFDS, which is the name of its folder too.
        page: the address from which the set is downloaded.
        entries: the name of its entries, in the plural.
        read: folder -> the entries, as records; no image is opened.
        features: name -> kind of each stored value.
        examples: (record, size) -> the examples that it gives; none where it is not used.
        per_record: the number of examples that a record gives at most.
        at_once: records in work at once, at most one for each processor core; None for as many.
        prepare: (records, folder to keep files in, size, whether to show a progress bar) -> what
            examples are made of instead of the records; or None.
    """

    name: str
    stored_name: str
    page: str
    entries: str
    read: Callable[[str | Path], Sequence[Any]]
    features: Mapping[str, Kind | Integers]
    examples: Callable[[Any, Any], Sequence[Example]]
    per_record: int = 1
    at_once: int | None = None
    prepare: Callable[[Sequence[Any], Path, int, bool], Prepared] | None = None


def digest(records: Iterable[Record]) -> str:
    """A fingerprint of all that the records say, except where the files lie."""
    contents = [record.content() for record in records]
    return hashlib.sha256(repr(contents).encode()).hexdigest()
