"""Image files on their way into a collection, and remarks on them."""

from collections import Counter
from dataclasses import dataclass, field
from typing import NamedTuple

from cfx_jax.data.sources.file_listing import Entry
from cfx_jax.data.sources.images_in_file import Contents


class CollectedFile(NamedTuple):
    """A file of images, with what is known of them.

    Attributes:
        name: the name of the file, without the folders that all share.
        entry: the file, and what is stated of it.
        contents: the images that it holds.
        mask: the images that the file of the mask holds; None where there is none.
        label: the class, from 0; None where none is known.
        group: what the images belong to; None where nothing is known.
    """

    name: str
    entry: Entry
    contents: Contents
    mask: Contents | None = None
    label: int | None = None
    group: str | None = None


@dataclass
class Remarks:
    """Remarks on a user's files, collected while they are opened.

    Attributes:
        skipped: a line for each image file that is not used: its name and the reason.
        left_out: what else is not used -> how many.
        notes: sentences.
    """

    skipped: list[str] = field(default_factory=list)
    left_out: Counter[str] = field(default_factory=Counter)
    notes: list[str] = field(default_factory=list)

    @property
    def hint(self) -> str:
        """The end of a message, where files are missing since they are skipped."""
        return f" ({len(self.skipped)} skipped, e.g. {self.skipped[0]})" if self.skipped else ""
