"""No number of a configuration is NaN, negative or infinite, unless its field says so."""

import math
from dataclasses import dataclass, field, replace

import pytest

from cfx_jax.checks import MAY_BE_INFINITE, MAY_BE_NEGATIVE, check_configuration
from cfx_jax.errors import InputError


@dataclass(frozen=True)
class Part:
    """A nested configuration."""

    weight: float = 1.0
    p: float = field(default=math.inf, metadata=MAY_BE_INFINITE)
    window: tuple[float, float] | None = field(default=(-600.0, 1500.0), metadata=MAY_BE_NEGATIVE)


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


def test_numbers_of_at_least_0_pass_and_what_is_no_number():
    check_configuration(Whole())


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"count": -1}, "count: expected a finite number of at least 0, got -1"),
        ({"nothing": math.nan}, "nothing: .*, got nan"),
        ({"radii": (1.0, math.inf)}, "radii: .*, got inf"),
        ({"part": Part(weight=-0.5)}, r"part\.weight: .*, got -0.5"),
        ({"part": Part(p=-math.inf)}, r"part\.p: expected a number of at least 0, got -inf"),
        ({"part": Part(p=math.nan)}, r"part\.p: .*, got nan"),
        ({"part": Part(window=(0.0, math.nan))}, r"window: expected a finite number, got nan"),
        ({"parts": (Part(), Part(weight=math.nan))}, r"parts\.weight: .*, got nan"),
    ],
)
def test_another_number_is_named_by_its_path(change, message):
    with pytest.raises(InputError, match=message):
        check_configuration(replace(Whole(), **change))
