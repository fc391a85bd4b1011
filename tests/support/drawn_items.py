"""Items of a synthetic world, each drawn when a test first asks for it and then kept.

Every worker of pytest-xdist imports all test modules: what a module draws while it is imported is
drawn once for each of them.
"""

from collections.abc import Callable, Sequence
from functools import cache
from typing import Any


class DrawnItems(Sequence[Any]):
    """The items that a function draws for the indices from 0 on.

    Args:
        draw: a function of an index.
        number: of items.
    """

    def __init__(self, draw: Callable[[int], Any], number: int) -> None:
        self._draw, self._indices = cache(draw), range(number)

    def __len__(self) -> int:
        return len(self._indices)

    def __getitem__(self, index: Any) -> Any:
        chosen = self._indices[index]
        return [self._draw(i) for i in chosen] if isinstance(index, slice) else self._draw(chosen)
