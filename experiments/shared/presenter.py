"""What every experiment's report is made with: tables as files and on the page, figures, claims,
settings.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from cfx_jax.report import Claim, Report, write_claims, write_table
from experiments.shared.notices import kept_notices
from experiments.shared.provenance import provenance

_DIGITS = 3

Table = tuple[list[str], list[list[Any]]]
"""Names of the columns, and rows of cells as in ``cfx_jax.report.table_cells``."""


class Figure(NamedTuple):
    """A file with its caption and what is to be seen in it, in words."""

    path: Path
    caption: str
    alt: str


class Presenter:
    """A report in the making, which begins with the warnings of the run.

    Args:
        folder: where everything is written.
        title: of the page.
        introduction: below the title.
        note: what a reader must know beside every table and figure.
    """

    def __init__(self, folder: Path, title: str, *, introduction: str, note: str) -> None:
        self.folder, self.note = folder, note
        self.report = Report(title, introduction=introduction, note=note)
        self._told = kept_notices()
        self._warnings("Warnings of the run", self._told)

    def table(
        self,
        name: str,
        table: Table,
        caption: str,
        *,
        digits: int = _DIGITS,
        note: str | None = None,
    ) -> None:
        """Writes ``NAME.csv`` and ``NAME.md``, with the report's note or another, and adds the
        table to the page.
        """
        columns, rows = table
        write_table(
            self.folder / name,
            columns,
            rows,
            digits=digits,
            note=self.note if note is None else note,
        )
        self.report.table(columns, rows, digits=digits, caption=caption)

    def figures(self, *drawn: Figure) -> None:
        """Adds figures that are drawn already."""
        for path, caption, alt in drawn:
            self.report.figure(path, caption=caption, alt=alt)

    def finish(
        self, claims: Sequence[Claim], config: Any, *, title: str = "Claims of the paper"
    ) -> Path:
        """The claims, if there are any, the settings, what made the report, and the page itself.

        Args:
            claims: in reading order.
            config: the run's configuration, a dataclass.
            title: of the section of claims.

        Returns:
            The path of ``report.html``.
        """
        write_claims(self.folder / "claims.json", claims, note=self.note)
        if claims:
            self.report.section(title).claims(claims)
        self._warnings(
            "Warnings while this was drawn",
            [text for text in kept_notices() if text not in self._told],
        )
        self.report.section("Settings", f"Made {provenance()}.").config(config)
        return self.report.write(self.folder / "report.html")

    def _warnings(self, title: str, texts: Sequence[str]) -> None:
        if texts:
            self.report.section(title)
        for text in texts:
            self.report.text(text)
