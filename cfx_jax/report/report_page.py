"""A self-contained page for a run: text, tables, figures, animations, claims and configuration.

The page holds everything it shows: images are embedded, nothing is fetched (its content policy
forbids it), so it can be mailed, archived and opened from a folder. Text is shown as it is given;
markup in it is not interpreted.
"""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Self

from cfx_jax.errors import InputError
from cfx_jax.report.claims import Claim, summary
from cfx_jax.report.page_blocks import (
    Block,
    Section,
    claims_block,
    config_block,
    image_block,
    paragraphs,
    table_block,
)
from cfx_jax.report.table_cells import DEFAULT_DIGITS, Digits
from cfx_jax.report.templates import write_page

_TEMPLATE = "report.html.jinja"


class Report:
    """A page that is built piece by piece; every method that adds something returns the report.

    >>> import tempfile
    >>> report = Report("A run").section("Results", "All is well.")
    >>> report = report.table(["method", "IoU"], [["VCE", 0.5]], caption="Overlap")
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     report.write(f"{folder}/report.html").name
    'report.html'
    """

    def __init__(self, title: str, *, introduction: str = "", note: str = "") -> None:
        """Starts a page with its title.

        Args:
            title: the page's title.
            introduction: text below the title; a blank line separates paragraphs, a paragraph whose
                lines all begin with ``- `` is a list.
            note: set in a frame below the title and repeated at the page's end, such as "synthetic
                data".

        Raises:
            InputError: the title is empty.
        """
        if not title.strip():
            raise InputError("a report needs a title")
        self._title, self._note = title, note
        self._introduction = paragraphs(introduction)
        self._sections: list[Section] = []
        self._claims: list[Claim] = []

    def section(self, title: str, text: str = "") -> Self:
        """Starts a section; pieces that are added next belong to it.

        Args:
            title: its heading, and its line in the table of contents.
            text: its first paragraphs.

        Returns:
            The report.

        Raises:
            InputError: the title is empty.
        """
        if not title.strip():
            raise InputError("a section needs a title")
        self._sections.append(
            Section(title=title, anchor=f"section-{len(self._sections) + 1}", blocks=[])
        )
        return self.text(text) if text else self

    def text(self, text: str) -> Self:
        """Adds paragraphs to the section.

        Args:
            text: blank lines separate paragraphs; a paragraph whose lines all begin with ``- `` is
                a list.

        Returns:
            The report.

        Raises:
            InputError: there is no section yet.
        """
        return self._add(paragraphs(text))

    def table(
        self,
        columns: Sequence[str],
        rows: Sequence[Sequence[Any]],
        *,
        caption: str,
        digits: Digits = DEFAULT_DIGITS,
    ) -> Self:
        """Adds a table; the first column names the rows.

        Args:
            columns: names of the columns, all different.
            rows: one cell per column in each, as in ``cfx_jax.report.table_cells``.
            caption: the sentence below it.
            digits: decimals, one number or one per column name.

        Returns:
            The report.

        Raises:
            InputError: there is no section yet, or the table is not one.
        """
        return self._add(
            table_block(columns, rows, self._number("table", "claims"), caption, digits)
        )

    def figure(self, path: str | os.PathLike[str], *, caption: str, alt: str) -> Self:
        """Adds a figure; the file is read now.

        Args:
            path: a PNG, JPEG or WebP file.
            caption: the sentence below it.
            alt: a description in words, for readers who cannot see it.

        Returns:
            The report.

        Raises:
            InputError: there is no section yet, the file is missing or no image, or ``alt`` is
                empty.
        """
        return self._add(image_block(path, self._number("image"), caption, alt))

    def animation(self, path: str | os.PathLike[str], *, caption: str, alt: str) -> Self:
        """Adds an animation; the file is read now.

        It can be paused, and stands still in print and for readers who ask their system for less
        motion.

        Args:
            path: a GIF file.
            caption: the sentence below it.
            alt: a description in words, for readers who cannot see it.

        Returns:
            The report.

        Raises:
            InputError: there is no section yet, the file is missing or no image, or ``alt`` is
                empty.
        """
        return self._add(image_block(path, self._number("image"), caption, alt, moving=True))

    def claims(self, claims: Sequence[Claim], *, digits: int = DEFAULT_DIGITS) -> Self:
        """Adds the table of claims and their verdicts; the page's head sums the verdicts up.

        Args:
            claims: in reading order.
            digits: decimals of the figures.

        Returns:
            The report.

        Raises:
            InputError: there is no section yet, or there are no claims.
        """
        self._add(claims_block(claims, self._number("table", "claims"), digits))
        self._claims += claims
        return self

    def config(self, config: Any, *, caption: str = "Configuration") -> Self:
        """Adds a configuration as a folded list of settings.

        Args:
            config: a dataclass or a mapping, nested as deep as it likes.
            caption: its heading.

        Returns:
            The report.

        Raises:
            InputError: there is no section yet, or ``config`` is neither.
        """
        return self._add(config_block(config, caption))

    def write(self, path: str | os.PathLike[str]) -> Path:
        """Writes the page, in one move.

        Args:
            path: the file, usually ``report.html``.

        Returns:
            The path.

        Raises:
            InputError: the file cannot be written.
        """
        return write_page(path, _TEMPLATE, self._contents())

    def _contents(self) -> Mapping[str, Any]:
        anchors = [
            s.anchor for s in self._sections if any(block.kind == "claims" for block in s.blocks)
        ]
        return {
            "title": self._title,
            "note": self._note,
            "introduction": self._introduction,
            "sections": self._sections,
            "summary": summary(self._claims) if self._claims else None,
            "claims_anchor": anchors[0] if anchors else "",
        }

    def _add(self, block: Block) -> Self:
        if not self._sections:
            raise InputError("a report's contents belong to sections: call section(title) first")
        self._sections[-1].blocks.append(block)
        return self

    def _number(self, *kinds: str) -> int:
        return 1 + sum(
            block.kind in kinds for section in self._sections for block in section.blocks
        )
