"""Fitting of text into a given width, for titles that must not run into their neighbours.

Widths come from a ``measure`` function (points, pixels, whatever the caller draws in), so that
figures and animations share the rule.
"""

from bisect import bisect
from collections.abc import Callable

Measure = Callable[[str], float]

# A space at which a line is never broken, as in "class: 0.97".
HARD_SPACE = "\u00a0"

_JOINTS = "_-/."


def wrap(text: str, width: float, measure: Measure) -> list[str]:
    """Breaks text into lines at spaces, and inside words that are wider than a line.

    Args:
        text: the text; line breaks in it count as spaces.
        width: the widest line allowed, in units of ``measure``.
        measure: width of a string.

    Returns:
        The lines, none wider than ``width`` unless it holds a single character.

    >>> wrap("one two three", 7, len)
    ['one two', 'three']
    """
    lines = [""]
    for word in text.replace("\n", " ").split(" "):
        joined = f"{lines[-1]} {word}" if lines[-1] else word
        if measure(joined) <= width:
            lines[-1] = joined
        else:
            pieces = _break_word(word, width, measure)
            lines[-1:] = pieces if not lines[-1] else [lines[-1], *pieces]
    return lines


def fit(
    text: str, width: float, measure: Measure, *, max_lines: int = 2, tail: str = ""
) -> list[str]:
    """Breaks text into at most ``max_lines`` lines.

    Where the text is too long its end is cut, but never its tail.

    Args:
        text: the text, the part that may be cut.
        width: the widest line allowed, in units of ``measure``.
        measure: width of a string.
        max_lines: the most lines, at least 1.
        tail: what must stay readable at the end, such as ``": 0.97"``; its spaces do not break.

    Returns:
        The lines; an ellipsis marks a cut.

    >>> fit("a very long title", 8, len, max_lines=1, tail=":0.9")
    ['a v…:0.9']
    """
    tail = tail.replace(" ", HARD_SPACE)
    lines = wrap(text + tail, width, measure)
    if len(lines) > max_lines:

        def shortened(kept: int) -> list[str]:
            return wrap(text[:kept].rstrip() + "…" + tail, width, measure)

        fitting = bisect(range(len(text) + 1), max_lines, key=lambda kept: len(shortened(kept)))
        lines = shortened(max(fitting - 1, 0))
    return lines[-max_lines:]


def _break_word(word: str, width: float, measure: Measure) -> list[str]:
    pieces = []
    while len(word) > 1 and measure(word) > width:
        cut = _longest_start(word, width, measure)
        pieces.append(word[:cut])
        word = word[cut:]
    return [*pieces, word]


def _longest_start(word: str, width: float, measure: Measure) -> int:
    """Counts the characters of a word that fit.

    The start ends after a joint such as ``_`` where one lies in its second half.
    """
    cut = max(1, bisect(range(1, len(word)), width, key=lambda n: measure(word[:n])))
    joints = [n for n in range(cut // 2 + 1, cut + 1) if word[n - 1] in _JOINTS]
    return max(joints, default=cut)
