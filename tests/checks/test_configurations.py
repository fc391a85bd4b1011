"""No setting is of another type than its field; no number is NaN, negative or infinite, unless its
field says so.
"""

import math
import re
from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np
import pytest

from cfx_jax.checks import check_configuration, limits
from cfx_jax.errors import InputError


@dataclass(frozen=True)
class Part:
    """A nested configuration."""

    weight: float = 1.0
    p: float = field(default=math.inf, metadata=limits(least=1, may_be_infinite=True))
    window: tuple[float, float] | None = field(
        default=(-600.0, 1500.0), metadata=limits(least=-math.inf)
    )


@dataclass(frozen=True)
class Whole:
    """A configuration with all kinds of fields."""

    name: str = "nan"
    flag: bool = False
    count: int = 0
    nothing: float | None = None
    radii: tuple[float, ...] = (1.0, 0.0)
    part: Part = Part()
    parts: tuple[Part, ...] = (Part(),)
    sizes: tuple[int, ...] = field(default=(3,), metadata=limits(least=2, may_be_empty=False))
    share: float = field(default=0.5, metadata=limits(most=1))
    choice: Literal["a", "b"] = "a"

    def check(self):
        if len(self.sizes) > len(self.radii):
            raise InputError("sizes: expected a radius for each")


def test_numbers_of_at_least_0_pass_and_what_is_no_number():
    check_configuration(Whole())


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"count": -1}, "count: expected a finite number of at least 0, got -1"),
        ({"nothing": math.nan}, "nothing: .*, got nan"),
        ({"radii": (1.0, math.inf)}, "radii: .*, got inf"),
        ({"part": Part(weight=-0.5)}, r"part\.weight: .*, got -0.5"),
        ({"part": Part(p=-math.inf)}, r"part\.p: expected a number of at least 1, got -inf"),
        ({"part": Part(p=math.nan)}, r"part\.p: .*, got nan"),
        ({"part": Part(window=(0.0, math.nan))}, r"window: expected a finite number, got nan"),
        ({"parts": (Part(), Part(weight=math.nan))}, r"parts\.weight: .*, got nan"),
        ({"sizes": ()}, "sizes: expected at least one, got none"),
        ({"sizes": (3, 1)}, "sizes: expected a finite number of at least 2, got 1"),
        ({"share": 1.5}, "share: expected a finite number of at least 0 and at most 1, got 1.5"),
        ({"sizes": (2, 3, 4)}, "sizes: expected a radius for each"),
    ],
)
def test_another_number_is_named_by_its_path(change, message):
    with pytest.raises(InputError, match=message):
        check_configuration(replace(Whole(), **change))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"name": 3}, "name: expected a text, got 3"),
        ({"flag": 1}, "flag: expected True or False, got 1"),
        ({"count": 2.0}, "count: expected an integer, got 2.0"),
        ({"count": True}, "count: expected an integer, got True"),
        ({"share": "0.5"}, "share: expected a number, got '0.5'"),
        ({"nothing": "x"}, "nothing: expected float | None, got 'x'"),
        ({"nothing": np.ones(2)}, "nothing: expected float | None, got array"),
        ({"radii": 1.0}, "radii: expected tuple[float, ...], got 1.0"),
        ({"radii": (1.0, "x")}, "radii: expected tuple[float, ...], got (1.0, 'x')"),
        ({"part": {"weight": 1.0}}, "part: expected Part, got {"),
        (
            {"part": Part(window=(1.0, 2.0, 3.0))},
            "part.window: expected tuple[float, float] | None",
        ),
        ({"choice": "c"}, "choice: expected one of 'a', 'b', got 'c'"),
        ({"choice": np.array(["a"])}, "choice: expected one of 'a', 'b', got array"),
    ],
)
def test_a_value_of_another_type_is_named_by_its_path(change, message):
    with pytest.raises(InputError, match="^" + re.escape(message)):
        check_configuration(replace(Whole(), **change))


def test_numbers_of_numpy_are_numbers():
    check_configuration(replace(Whole(), count=np.int64(3), share=np.float32(0.5), radii=[1, 2]))
