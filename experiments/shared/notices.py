"""Warnings of a run, kept so that its report can repeat them."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

_kept: list[list[str]] = []


def kept_notices() -> tuple[str, ...]:
    """The warnings of the run that is under way, see ``keep_notices``; none outside of a run."""
    return tuple(_kept[-1]) if _kept else ()


@contextmanager
def keep_notices() -> Iterator[list[str]]:
    """Keeps the texts of ``notify`` and of Python's ``UserWarning``; both are still shown.

    Yields:
        The texts in their order, each once; it grows as they come.
    """
    texts: list[str] = []
    shown_before = warnings.showwarning

    def show(message: Any, category: type[Warning], *where: Any, **options: Any) -> None:
        if issubclass(category, UserWarning):
            _keep(str(message))
        shown_before(message, category, *where, **options)

    _kept.append(texts)
    warnings.showwarning = show
    try:
        yield texts
    finally:
        warnings.showwarning = shown_before
        _kept.pop()


def notify(text: str) -> None:
    """Prints a warning, and keeps it for the report."""
    print(text, flush=True)
    _keep(text.removeprefix("warning: "))


def _keep(text: str) -> None:
    for texts in _kept:
        if text not in texts:
            texts.append(text)
