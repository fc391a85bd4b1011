"""A paper's report: tables as files and on a page, figures, claims, settings."""

import platform
import shlex
import sys
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import jax
import numpy as np
from jaxtyping import Float

import cfx_jax
from cfx_jax.files import write_text
from cfx_jax.report import Claim, Report, format_claims, format_table, write_claims, write_table
from experiments.shared.folder_images import FolderImages
from experiments.shared.notices import kept_notices
from experiments.shared.users_report import (
    Table,
    as_target,
    explain_words,
    without_paper,
    without_places,
)

_DIGITS = 3
_NAMED = 20  # files that are skipped and named on the page


class PaperReport:
    """A paper's report in the making; it begins with the warnings of the run.

    Args:
        folder: where everything is written.
        title: the title of the page; the classes of a user's own images stand behind it.
        introduction: below the title.
        note: the sentence that stands beside every table and figure.
        users: a user's own images, which the report then describes: it says what was found in the
            files, leaves the paper's figures out, and says what its words mean.
    """

    def __init__(
        self,
        folder: Path,
        title: str,
        *,
        introduction: str,
        note: str,
        users: FolderImages | None = None,
    ) -> None:
        self.folder, self.note, self._users = folder, note, users
        if users is not None:
            title = f"{title}: {' and '.join(users.class_names)}"
            introduction = without_places(introduction)
        self._page = Report(title, introduction=introduction, note=note)
        self._told, self._texts = kept_notices(), [introduction]
        self._warnings("Warnings of the run", self._told)
        if users is not None:
            self._files(users)

    def section(self, title: str, text: str = "") -> None:
        """Starts a section, to which everything belongs that is added next."""
        self._texts.append(text)
        self._page.section(title, text)

    def text(self, text: str) -> None:
        """Adds paragraphs, separated by blank lines."""
        self._texts.append(text)
        self._page.text(text)

    def table(
        self,
        name: str,
        table: Table,
        caption: str,
        *,
        digits: int = _DIGITS,
        note: str | None = None,
    ) -> None:
        """Writes a table as ``NAME.csv`` and ``NAME.md``, and adds it to the page.

        Args:
            name: the name of the files.
            table: columns and rows.
            caption: the caption on the page.
            digits: decimals of numbers.
            note: the note in the files; None for the report's own.
        """
        columns, rows = table if self._users is None else without_paper(table)
        caption = self._caption(caption)
        self._texts += [*columns, *(str(row[0]) for row in rows)]
        note = self.note if note is None else note
        write_table(self.folder / name, columns, rows, digits=digits, note=note)
        self._page.table(columns, rows, digits=digits, caption=caption)

    def draw(
        self,
        name: str,
        function: Callable[..., object],
        *content: Any,
        caption: str,
        alt: str,
        note: str | None = None,
        **options: Any,
    ) -> None:
        """Draws a figure or an animation, and adds it.

        Args:
            name: the name of the file; ``.gif`` for an animation.
            function: draws it, ``(path, *content, note=..., **options)``, such as ``curve``.
            content: the contents of the figure, as the function takes them.
            caption: the caption on the page.
            alt: a description of the figure in words.
            note: the note below the figure; None for the report's own.
            options: the options of the function.
        """
        path = self.folder / name
        function(path, *content, note=self.note if note is None else note, **options)
        add = self._page.animation if path.suffix == ".gif" else self._page.figure
        add(path, caption=self._caption(caption), alt=alt)

    def finish(self, claims: Sequence[Claim], config: Any) -> Path:
        """Adds claims, settings and what made the report, and writes the page.

        Args:
            claims: the claims in reading order; their section is left out where there are none.
            config: the run's configuration, a dataclass.

        Returns:
            The path of ``report.html``.
        """
        title = "Claims of the paper"
        if self._users is not None:
            title, claims = "What the method promises", [as_target(claim) for claim in claims]
        write_claims(self.folder / "claims.json", claims, note=self.note)
        if claims:
            self._page.section(title).claims(claims)
        new = [text for text in kept_notices() if text not in self._told]
        self._warnings("Warnings while this was drawn", new)
        words = explain_words(" ".join(self._texts)) if self._users is not None else ""
        if words:
            self._page.section("What the words mean", words)
        self._page.section("Settings", f"Made {provenance()}.").config(config)
        return self._page.write(self.folder / "report.html")

    def _caption(self, caption: str) -> str:
        """A caption, without the paper's numbers where the images are a user's."""
        self._texts.append(caption)
        return caption if self._users is None else without_places(caption)

    def _files(self, users: FolderImages) -> None:
        """Adds a section on a user's files."""
        self._page.section("Your files", " ".join(users.notes))
        counts = [[what, count] for what, count in users.counts.items() if count]
        if counts:
            self._page.table(["found", "number"], counts, caption="What was not used, and copies.")
        if users.skipped:
            more = len(users.skipped) - _NAMED
            lines = [f"- {line}" for line in users.skipped[:_NAMED]]
            lines += [f"- and {more} more, in skipped_files.txt"] if more > 0 else []
            self._page.text("Files that were skipped, and why:").text("\n".join(lines))
            write_text(self.folder / "skipped_files.txt", "\n".join(users.skipped))

    def _warnings(self, title: str, texts: Sequence[str]) -> None:
        if texts:
            self._page.section(title)
        for text in texts:
            self._page.text(text)


def format_results(tables: Iterable[Table | str], claims: Sequence[Claim], *, users: bool) -> str:
    """Tables and claims as text, with blank lines between them.

    Args:
        tables: the tables; a text stands as it is.
        claims: the claims.
        users: whether the images are a user's own, beside which no figures of the paper stand.
    """
    texts = [
        table
        if isinstance(table, str)
        else format_table(*(without_paper(table) if users else table))
        for table in tables
    ]
    judged = [as_target(claim) for claim in claims] if users else claims
    return "\n\n".join(["", *texts, format_claims(judged)])


def mean_cell(values: Float[np.ndarray, " n"]) -> float | None:
    """The mean of what is finite, for a table: without a lesion no PSNR inside it is; else None."""
    defined = values[np.isfinite(values)]
    return float(defined.mean()) if len(defined) else None


def provenance() -> str:
    """The origin of a report: the day in UTC, versions, devices, and the command line as typed."""
    command = shlex.join(["python", "-m", *_module(), *sys.argv[1:]])
    devices = f"{jax.device_count()} {jax.devices()[0].device_kind}"
    versions = (
        f"cfx-jax {cfx_jax.__version__}, JAX {jax.__version__}, Python {platform.python_version()}"
    )
    return f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC; {versions}; {devices}; {command}"


def _module() -> list[str]:
    """The name under which the program was started, where it was started as a module."""
    spec = getattr(sys.modules["__main__"], "__spec__", None)
    return [spec.name.removesuffix(".__main__")] if spec is not None else [sys.argv[0]]
