"""Bars that show how far a computation is, and lines above them, in the first process alone."""

import sys
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from types import SimpleNamespace
from typing import Any

import jax
import numpy as np

from cfx_jax.costs import describe_stage
from cfx_jax.errors import InputError, import_extra
from cfx_jax.parallel.process_group import is_first_process


def progress_bar(
    total: int, progress: bool | str, *, unit: str | None = None
) -> AbstractContextManager[Any]:
    """A tqdm bar with a method ``update(n)``, in process 0 where asked for.

    Elsewhere it is something silent with the same method. ``tell`` prints lines above it.

    Args:
        total: number of steps.
        progress: whether to show it; a text is its label.
        unit: the unit of steps that are done in parts, such as ``"images"``: the bar then shows how
            many are done, and the time that is left.
    """
    if not isinstance(progress, bool | np.bool_ | str):
        raise InputError(
            f"progress: expected True, False or a label, got {type(progress).__name__}"
        )
    if not progress or jax.process_index() > 0:
        return nullcontext(SimpleNamespace(update=lambda count: None))
    label = progress if isinstance(progress, str) else None
    shown = None
    if unit is not None:
        shown = f"{{l_bar}}{{bar}}| {{n:.0f}} of {{total}} {unit}, {{remaining}} left"
    return import_extra("tqdm", "progress bars").tqdm(
        total=total, desc=label, leave=False, dynamic_ncols=True, bar_format=shown
    )


def tell(bar: Any, text: str) -> None:
    """Prints a line above a bar, to the standard error; nothing where the bar is not shown.

    Args:
        bar: a bar from ``progress_bar``, or one of tqdm.
        text: the line; nothing is printed of an empty one.
    """
    if text and not getattr(bar, "disable", True):
        bar.write(text, file=sys.stderr)


def tell_memory(bar: Any, label: bool | str, memory: str) -> None:
    """Prints above a bar what memory a batch takes.

    Args:
        bar: a bar, as in ``tell``.
        label: the label of the bar, if it is a text.
        memory: as ``costs.describe_memory`` says it.
    """
    if memory:
        name = f"{label}: " if isinstance(label, str) else ""
        tell(bar, f"{name}a batch takes {memory} on each device")


def tell_stage(name: str, names: Sequence[str]) -> None:
    """Prints that a stage of a command begins, and before the first one which are ahead.

    Args:
        name: the name of the stage.
        names: the names of all stages, in their order.
    """
    if name == names[0]:
        print_note(f"{len(names)} stages: {', '.join(names)}")
    print_note(describe_stage(name, names))


def print_note(text: str) -> None:
    """Prints a line to the standard error, in the first process alone: what all would say.

    Args:
        text: the line.
    """
    if is_first_process():
        print(text, file=sys.stderr, flush=True)
