"""The progress bar of many images, in the first process alone."""

from contextlib import AbstractContextManager, nullcontext
from types import SimpleNamespace
from typing import Any

import jax

from cfx_jax.errors import import_extra


def progress_bar(
    total: int, progress: bool | str, *, unit: str | None = None
) -> AbstractContextManager[Any]:
    """A tqdm bar with a method ``update(n)``, in process 0 where asked for.

    Elsewhere it is something silent with the same method.

    Args:
        total: number of steps.
        progress: whether to show it; a text is its label.
        unit: of steps that are done in parts, such as ``"images"``: the bar then shows how many are
            done, and the time that is left.
    """
    if not progress or jax.process_index() > 0:
        return nullcontext(SimpleNamespace(update=lambda count: None))
    label = progress if isinstance(progress, str) else None
    shown = None
    if unit is not None:
        shown = f"{{l_bar}}{{bar}}| {{n:.0f}} of {{total}} {unit}, {{remaining}} left"
    return import_extra("tqdm", "progress bars").tqdm(
        total=total, desc=label, leave=False, dynamic_ncols=True, bar_format=shown
    )
